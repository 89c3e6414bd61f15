package console

import (
	"log/slog"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/app/health"
	"carillon/app/oidc"
	"carillon/app/outbound"
	"carillon/app/page/pagetest"
	"carillon/tenants/store"
)

// TestPrivateAddressesAreRecorded: an address of our own network is refused wherever addresses are
// typed, and the audit log has the attempt with its host and nothing else of it. A typing error is
// not recorded.
func TestPrivateAddressesAreRecorded(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(h *server, c *Config) {
		d, err := outbound.New(nil), error(nil)
		c.AlertTargets, err = health.NewTargets(health.TargetsConfig{Store: h.Store, Mail: h.Mails, Sign: connections.Sign,
			Now: h.Clock.Now, Dialer: d, Log: slog.New(slog.DiscardHandler)})
		pagetest.Must(t, err)
		c.OIDC, err = oidc.New(oidc.Config{HTTP: d.Client(5 * time.Second), CheckURL: d.CheckURL, Now: h.Clock.Now})
		pagetest.Must(t, err)
	})
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	provider := func(issuer string) url.Values {
		return fieldsOf("issuer", issuer, "client_id", "x", "secret", "long enough", "domains", "alpha.example", "role", "viewer")
	}
	stream := fieldsOf("name", "Bot", "kind", "stream", "direction", "dial", "dialect", "twilio", "attach_s", "5")
	for _, c := range []struct {
		path   string
		form   url.Values
		field  string
		target string
	}{
		{"/connections/add", fieldsOf("role", "webhook", "name", "Ops", "event", "ring.ended"), "url", "connection"},
		{"/connections/add", fieldsOf("role", "audit", "name", "Log"), "url", "connection"},
		{"/connections/add", fieldsOf("role", "calendar", "name", "On call"), "url", "connection"},
		{"/agents/add", stream, "url", "agent"},
		{"/agents/add", fieldsOf("name", "Cat", "kind", "pipecat"), "bot_url", "agent"},
		{"/alerts/targets/add", fieldsOf("name", "Chat", "kind", "chat"), "url", "alert target"},
		{"/settings/sign-in", provider(""), "issuer", "sign-in provider"},
	} {
		scheme := "https://"
		if c.form.Get("kind") == "stream" {
			scheme = "wss://"
		}
		for _, host := range []string{"10.0.0.1", "[fd00::1]", "169.254.169.254", "localhost"} {
			before := refusedAddresses(t, a)
			c.form.Set(c.field, scheme+host+"/path-secret")
			said := w.Post(c.path, c.form)
			if said.StatusCode < 400 || said.StatusCode >= 500 {
				t.Errorf("%s at %s: %d", c.target, host, said.StatusCode)
			}
			said.Has("private or reserved network")
			bare := strings.Trim(host, "[]")
			after := refusedAddresses(t, a)
			if len(after) != len(before)+1 || after[0] != c.target+" "+bare {
				t.Errorf("%s at %s: recorded %v", c.target, host, after)
			}
		}
		before := refusedAddresses(t, a)
		c.form.Set(c.field, "gopher://bot.example/")
		if said := w.Post(c.path, c.form); said.StatusCode < 400 || said.StatusCode >= 500 {
			t.Errorf("%s with another scheme: %d", c.target, said.StatusCode)
		}
		if after := refusedAddresses(t, a); len(after) != len(before) {
			t.Errorf("%s: a typing error is recorded: %v", c.target, after)
		}
	}
	w.Get("/audit?action=address.refuse").Want(200).Has("gave a private address for the", "sign-in provider").Lacks("path-secret")
}

// TestAProviderThatResolvesToUsIsRecorded: a name that looks public and leads to this machine is
// refused when it is dialled.
func TestAProviderThatResolvesToUsIsRecorded(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(h *server, c *Config) {
		// Another network is allowed, so that a name is dialled before it is judged.
		d := outbound.New([]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")})
		var err error
		c.OIDC, err = oidc.New(oidc.Config{HTTP: d.Client(5 * time.Second), CheckURL: d.CheckURL, Now: h.Clock.Now})
		pagetest.Must(t, err)
	})
	a := h.full("alpha", "Alpha")
	a.Quick(a.Owner).Post("/settings/sign-in", fieldsOf("issuer", "https://localhost:9", "client_id", "x", "secret", "long enough",
		"domains", "alpha.example", "role", "viewer")).Want(422).Has("cannot be reached")
	if all := refusedAddresses(t, a); len(all) != 1 || all[0] != "sign-in provider localhost" {
		t.Errorf("recorded %v", all)
	}
}

// refusedAddresses are the refused addresses of the audit log, the newest first.
func refusedAddresses(t *testing.T, a *tenant) (list []string) {
	t.Helper()
	rows, _, err := a.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "address.refuse", Limit: 100})
	pagetest.Must(t, err)
	for _, r := range rows {
		if !r.Refused || r.IP == "" || r.Actor.Name == "" {
			t.Errorf("recorded %+v", r)
		}
		list = append(list, r.Target+" "+r.Detail)
	}
	return list
}
