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

// secretOn is the key that a page shows.
func secretOn(t *testing.T, body string) tenants.Secret {
	t.Helper()
	for _, word := range between(body, `data-copy="`, `"`) {
		if tenants.WellFormed(word) {
			return tenants.Secret(word)
		}
	}
	t.Fatal("no key on the page")
	return ""
}

// TestKeyForm: expiry, addresses and devices go in, every fault is said, and an edit changes them
// without a new key.
func TestKeyForm(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	form := func(more ...string) url.Values {
		v := fieldsOf("name", "Booking", "kind", "live", "scope", "rings:write")
		for i := 0; i < len(more); i += 2 {
			v.Set(more[i], more[i+1])
		}
		return v
	}
	w.Post("/keys/add", form("expires", "date", "until", "2001-01-01", "networks", "10.0.0.0/8 nonsense", "devices", "nobody-here")).
		Want(422).Has("Choose a day from today on", "“nonsense” is no address", "called “nobody-here”", "10.0.0.0/8 nonsense")
	w.Post("/keys/add", form("expires", "sometimes")).Want(422).Has("Choose when the key expires")

	made := w.Post("/keys/add", form("expires", "90", "networks", "203.0.113.7\r\n2001:DB8::/32", "devices", string(b.device))).Want(200)
	secret := secretOn(t, made.Body)
	_, k, err := h.Store.Tenants().OfKey(t.Context(), secret.Hash())
	pagetest.Must(t, err)
	if k.ExpiresAt.Sub(h.Clock.Now().AddDate(0, 0, 90)).Abs() > time.Minute || len(k.Networks) != 2 || len(k.Only.Devices) != 1 ||
		k.MadeBy != b.Owner.ID {
		t.Errorf("%+v", k)
	}
	at := "/keys/" + string(k.ID)
	w.Get(at).Want(200).Has("203.0.113.7, 2001:db8::/32", b.Owner.Name, "No requests yet").Lacks(string(secret))
	w.Get("/keys").Want(200).Has("2 addresses", "1 device", at)
	w.Get(at+"/edit").Want(200).Has(`value="keep"`, "203.0.113.7", string(b.device))
	w.Post(at+"/edit", form("name", "Renamed", "scope", "rings:read", "expires", "keep", "kind", "test")).Leads(at)
	_, now, err := h.Store.Tenants().OfKey(t.Context(), secret.Hash())
	pagetest.Must(t, err)
	if now.Name != "Renamed" || now.Test || !now.May(tenants.RingsRead) || now.May(tenants.RingsWrite) || !now.Only.Empty() ||
		len(now.Networks) != 0 || !now.ExpiresAt.Equal(k.ExpiresAt) {
		t.Errorf("%+v", now)
	}
	w.Get("/audit").Want(200).Has("changed the API key")
}

// TestKeyRotation: the successor has the same settings; the old key works on for the overlap, which
// can be ended early.
func TestKeyRotation(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	old := tenants.NewSecret(tenants.TestPrefix)
	k := tenants.Key{ID: tenants.NewID[tenants.KeyID](h.Clock.Now()), Name: "Booking", Test: true, PerSecond: 3, Last4: "old1",
		Permissions: []tenants.Permission{tenants.RingsWrite}, CreatedAt: h.Clock.Now(), ExpiresAt: h.Clock.Now().AddDate(0, 0, 30)}
	pagetest.Must(t, b.Scope().Keys().Add(t.Context(), k, old.Hash()))
	at := "/keys/" + string(k.ID)
	w.Get(at+"/rotate").Want(200).Has("15 minutes", "24 hours")
	w.Post(at+"/rotate", fieldsOf("overlap", "for ever")).Want(422).Has("Choose how long")
	made := w.Post(at+"/rotate", fieldsOf("overlap", "1h")).Want(200).Has("works until")
	if made.Header.Get("Cache-Control") != "no-store" {
		t.Error("the page with the key may be kept")
	}
	_, next, err := h.Store.Tenants().OfKey(t.Context(), secretOn(t, made.Body).Hash())
	pagetest.Must(t, err)
	if next.Name != k.Name || !next.Test || next.PerSecond != 3 || len(next.Permissions) != 1 ||
		next.ExpiresAt.Sub(h.Clock.Now().AddDate(0, 0, 30)).Abs() > time.Hour {
		t.Errorf("%+v", next)
	}
	w.Get(at).Want(200).Has("Both keys work until", "Open the new key", "/keys/"+string(next.ID)).Lacks(">Rotate<")
	w.Post(at+"/rotate", fieldsOf("overlap", "now")).Want(409)
	_, _, err = h.Store.Tenants().OfKey(t.Context(), old.Hash())
	pagetest.Must(t, err)
	w.Post(at+"/revoke", fieldsOf("confirm", "Booking")).Leads(at)
	if _, _, err := h.Store.Tenants().OfKey(t.Context(), old.Hash()); tenants.KindOf(err) != tenants.Unauthorized {
		t.Errorf("the old key, ended early: %v", err)
	}
	w.Get(at).Want(200).Has("was rotated and has stopped")
	w.Post("/keys/"+string(next.ID)+"/rotate", fieldsOf("overlap", "now")).Want(200)
	w.Get("/keys").Want(200).Has("Replaced")
}

// TestKeyRequests: the latest requests can be searched, sorted and kept as a file.
func TestKeyRequests(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	var all []tenants.KeyRequest
	for i, status := range []int{201, 403, 200} {
		all = append(all, tenants.KeyRequest{Tenant: b.Id, Key: b.key, At: h.Clock.Now().Add(time.Duration(i) * time.Second),
			RequestID: "request-" + string(rune('a'+i)), Method: "POST", Route: "/v1/rings", Status: status, IP: "203.0.113.7",
			Took: time.Duration(i) * time.Millisecond, Client: "bot/1.2"})
	}
	pagetest.Must(t, h.Store.Jobs().KeepKeyRequests(t.Context(), all))
	at := "/keys/" + string(b.key)
	w.Get(at).Want(200).Has("Show its rings", "3 requests", "request-a", "request-c", "bot/1.2", "&lt; 1 ms")
	w.Get(at + "?q=403").Want(200).Has("request-b").Lacks("request-a")
	w.Get(at + "?q=nothing").Want(200).Has("No matches")
	file := w.Get(at + "/requests.csv?sort=status").Want(200)
	if rows := strings.Split(strings.TrimSpace(file.Body), "\n"); len(rows) != 4 || !strings.Contains(rows[1], "200") ||
		!strings.Contains(rows[3], "403") {
		t.Errorf("%q", file.Body)
	}
	list, _, err := b.Scope().Keys().List(t.Context(), store.Page{})
	pagetest.Must(t, err)
	if list[0].LastIP != "203.0.113.7" {
		t.Errorf("%+v", list[0])
	}
}
