package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestDevelopersTryTheAPI: the page has the tenant's values in each language, and makes a test key
// that rings its device only and soon ends.
func TestDevelopersTryTheAPI(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	page := w.Get("/developers").Want(200).Has("Make a test key", "/static/docs.", `data-path="/v1/rings"`).Lacks(tenants.TestPrefix + "A")
	for _, s := range codeSamples {
		filled := samplesFor("https://x.example", "d1", "com.x")
		if !strings.Contains(page.Body, "<summary>"+s.Name+"</summary>") || len(filled) != len(codeSamples) {
			t.Errorf("no example in %s", s.Name)
		}
	}
	for _, s := range samplesFor("https://x.example", "d1", "com.x") {
		if !strings.Contains(s.Text, "https://x.example") || strings.Contains(s.Text, "DEVICE") || strings.Contains(s.Text, "BUNDLE") {
			t.Errorf("%s has not the values: %s", s.Name, s.Text)
		}
	}
	made := w.Post("/developers/key", url.Values{}).Want(200).Has(`value="`+tenants.TestPrefix, "only, and ends")
	if cache := made.Header.Get("Cache-Control"); !strings.Contains(cache, "no-store") {
		t.Errorf("the page with the secret is kept: %s", cache)
	}
	all, _, err := b.Scope().Keys().List(t.Context(), store.Page{Search: "Developer page"})
	pagetest.Must(t, err)
	if len(all) != 1 || !all[0].Test || len(all[0].Only.Devices) != 1 || all[0].ExpiresAt.Sub(all[0].CreatedAt) > time.Hour {
		t.Errorf("%+v", all)
	}
	w.Get("/developers").Want(200).Lacks(`value="` + tenants.TestPrefix)
	w.Get("/developers/key").Leads("/developers")
	w.Post("/developers/key", url.Values{}).Want(200)
	old, err := b.Scope().Keys().Get(t.Context(), all[0].ID)
	pagetest.Must(t, err)
	if old.RevokedAt.IsZero() {
		t.Error("the key that was made before still works")
	}
	if script := "<form class=\"try-field\" data-key hidden>"; !strings.Contains(page.Body, script) ||
		strings.Contains(page.Body, "<div data-try") {
		t.Error("the form of the key is among those that send requests")
	}

	// Without a phone that a test key rings there is no key.
	none := h.bare("gamma", "Gamma")
	n := none.Quick(none.Owner)
	n.Get("/developers").Want(200).Has("none is registered").Lacks("Make a test key")
	n.Post("/developers/key", url.Values{}).Want(409).Has("none is registered")
	b.Quick(b.viewer()).Post("/developers/key", url.Values{}).Want(403)
}
