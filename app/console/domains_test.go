package console

import (
	"log/slog"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/oidc/oidctest"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestADomainWithoutItsRecordIsLost: after the third check in a row, and not before. Members sign
// in as before, nobody new does, and the record brings it back.
func TestADomainWithoutItsRecordIsLost(t *testing.T) {
	t.Parallel()
	dns, p := newDNS(t), oidctest.New(t)
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Resolver = dns.resolver() })
	b := h.full("beta", "Beta")
	monitor, err := health.NewMonitor(health.Config{Store: h.Store, Now: h.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	pagetest.Must(t, err)
	b.Quick(b.Owner).Post("/settings/sign-in", providerForm(p)).Leads("/settings/sign-in")
	claim := func() tenants.DomainClaim {
		t.Helper()
		found, err := b.Scope().Providers().Get(t.Context())
		pagetest.Must(t, err)
		for _, d := range found.Claims {
			if d.Domain == "beta.example" {
				return d
			}
		}
		t.Fatal("no claim")
		return tenants.DomainClaim{}
	}
	record := claim().Record()
	dns.set("beta.example", record)
	b.Quick(b.Owner).Post("/settings/sign-in/check", fieldsOf("domain", "beta.example")).Leads("/settings/sign-in")
	through(h.Browser(), h, p, "", oidctest.Claims{"sub": "first", "email": "first@beta.example"}).Leads("/overview")

	alerts := func() (found []tenants.Alert) {
		t.Helper()
		open, err := b.Scope().Alerts().List(t.Context(), false)
		pagetest.Must(t, err)
		for _, a := range open {
			if a.Kind == tenants.AlertDomain {
				found = append(found, a)
			}
		}
		return found
	}
	week := 7 * 24 * time.Hour
	for i, step := range []struct {
		pass    time.Duration
		records []string // nil = the DNS does not answer
		kept    bool
	}{
		{time.Hour, []string{"gone"}, true}, // not due yet
		{week, []string{"gone"}, true},
		{36 * time.Hour, []string{"gone"}, true},
		{36 * time.Hour, []string{record}, true}, // the failures begin again
		{week, []string{"gone"}, true},
		{time.Hour, []string{"gone"}, true}, // not due
		{35 * time.Hour, nil, true},         // says nothing
		{time.Hour, []string{"gone"}, true},
		{36 * time.Hour, []string{"gone"}, false},
	} {
		h.Clock.Pass(step.pass)
		dns.set("beta.example", step.records...)
		pagetest.Must(t, monitor.ReviewDomains(t.Context(), dns.resolver()))
		if d := claim(); d.VerifiedAt.IsZero() == step.kept || d.LostAt.IsZero() != step.kept || len(alerts()) == 0 != step.kept {
			t.Fatalf("step %d: %+v, alerts %+v", i, d, alerts())
		}
	}
	a := alerts()[0]
	if a.Target != "beta.example" || !strings.Contains(a.Detail, record) {
		t.Errorf("the alert: %+v", a)
	}
	w := b.Quick(b.Owner)
	w.Get("/alerts").Want(200).Has("A domain is no longer verified", `href="/settings/sign-in"`)
	w.Get("/settings/sign-in").Want(200).Has("No longer verified", record)
	through(h.Browser(), h, p, "", oidctest.Claims{"sub": "second", "email": "second@beta.example"}).Want(403).Has("has not proved yet")
	through(h.Browser(), h, p, "", oidctest.Claims{"sub": "first", "email": "first@beta.example"}).Leads("/overview")
	to := aim(h.Browser().Post("/signin/organisation", fieldsOf("email", "first@beta.example")))
	if !strings.HasPrefix(to, p.URL+"/authorize?") {
		t.Errorf("a member’s address leads to %s", to)
	}

	dns.set("beta.example", record)
	w.Post("/settings/sign-in/check", fieldsOf("domain", "beta.example")).Leads("/settings/sign-in")
	if d := claim(); d.VerifiedAt.IsZero() || !d.LostAt.IsZero() || len(alerts()) != 0 {
		t.Errorf("proved again: %+v, alerts %+v", d, alerts())
	}
	through(h.Browser(), h, p, "", oidctest.Claims{"sub": "second", "email": "second@beta.example"}).Leads("/overview")
}
