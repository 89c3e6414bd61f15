package console

import (
	"net/url"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/views"
)

// TestMergeDevices: a phone that was registered again is found, the question says what happens, and
// the older entry's page and rings lead to the newer one afterwards.
func TestMergeDevices(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	w.Get("/devices/alike").Want(200).Has("No phone is registered twice")
	h.Clock.Pass(time.Hour)
	fresh := b.phone()
	old, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	merge := views.DeviceMergePath(string(old.ID), string(fresh))
	w.Get("/devices/alike").Want(200).Has("Entries that look like one phone", `href="`+merge+`"`)
	w.Get(merge).Want(200).Has("Merge the older entry into", "Its rings stay", string(fresh), "cannot be separated again")
	w.Post(merge, url.Values{}).Want(303)
	if at := w.Get("/devices/" + string(old.ID)).Want(303).Header.Get("Location"); at != "/devices/"+string(fresh) {
		t.Errorf("the older entry leads to %q", at)
	}
	w.Get("/devices/"+string(fresh)).Want(200).Has("Earlier entries of this phone", "/rings?device="+string(old.ID))
	w.Get("/rings?device=" + string(old.ID)).Want(200).Has(string(b.ring))
	w.Get("/rings/" + string(b.ring)).Want(200).Has(b.Word + " phone")
	w.Get("/audit").Want(200).Has("merged an older entry into")
	w.Get(merge).Want(404)
	w.Get("/devices/" + string(tenants.NewID[tenants.DeviceID](h.Clock.Now()))).Want(404)
}
