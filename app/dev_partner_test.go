package app

import (
	"net/url"
	"strings"
	"testing"
)

// TestDevPartnerDashboard: the account of dev mode opens a partner dashboard with some of
// everything.
func TestDevPartnerDashboard(t *testing.T) {
	t.Parallel()
	m := &market{server: start(t)}
	g := m.guest()
	g.submits("/signin", url.Values{"email": {m.ready.Login.Email}, "password": {m.ready.Login.Password}})
	page := g.dashboard("as it is seeded", "Clicks 37", "Trials 3", "Paying customers 2", "Held $219.56", "Payable $109.78", "Paid $109.78")
	for _, want := range []string{"Earns", "Not paying yet", "Your own account, no commission", "SEPA 2041", "DE89370400440532013000"} {
		if !strings.Contains(page, want) {
			t.Errorf("the dashboard lacks %q", want)
		}
	}
}
