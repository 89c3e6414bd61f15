package console

import (
	"carillon/app/page/pagetest"

	"fmt"
	"strings"
	"testing"

	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestAPersonIsOneRing: a person with three phones is rung once, whatever the page counts.
func TestAPersonIsOneRing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	b.signs(tenants.CredentialActive)
	phones := []tenants.DeviceID{b.phone(), b.phone(), b.phone()}
	b.device = phones[0]
	tn, err := b.Scope().Tenant(t.Context())
	pagetest.Must(t, err)
	r, _, err := h.board.Place(t.Context(), switchboard.Caller{Tenant: tn, Who: store.Who{Actor: tenants.System}},
		tenants.Request{To: tenants.To{Person: "beta-person"}}, store.Idempotency{})
	pagetest.Must(t, err)
	b.until(r.ID, func(r *tenants.Ring) bool {
		taken := 0
		for _, a := range r.Attempts {
			if a.Has(tenants.FactAccepted) {
				taken++
			}
		}
		return taken == len(phones)
	})
	for i, a := range r.Attempts {
		d, err := b.Scope().Devices().Get(t.Context(), a.Device)
		pagetest.Must(t, err)
		kinds := []tenants.FactKind{tenants.FactWoke, tenants.FactShown}
		if i == 2 {
			kinds = []tenants.FactKind{tenants.FactWoke, tenants.FactSilenced}
		}
		code := 3
		for _, kind := range kinds {
			said := switchboard.Report{Kind: kind}
			if kind == tenants.FactSilenced {
				said.Code = &code
			}
			_, err := h.board.Report(t.Context(), d, r.ID, said)
			pagetest.Must(t, err)
		}
	}
	b.converse(r.ID)
	_, err = h.Store.Jobs().Roll(t.Context(), 1000)
	pagetest.Must(t, err)

	page := b.Quick(b.Owner).Get("/overview").Want(200)
	page.Has("1 of 1 picked up", "A ring to a person with several phones counts once", "A Focus such as Do Not Disturb is on.",
		"The phone silenced the call")
	if today := between(page.Body, `>Rings today</a></div><div class="stat-value">`, "<"); len(today) != 1 || today[0] != "1" {
		t.Errorf("rings today: %q", today)
	}
	rows := map[string][]string{}
	for _, row := range between(between(page.Body, "<caption>Rings in the last 24 hours</caption>", "</table>")[0], "<tr>", "</tr>") {
		if name := between(row, `<th scope="row">`, " <small>"); len(name) == 1 {
			rows[name[0]] = append(between(row, `<td class="num">`, "</td>")[:1], between(row, `<td class="num text-faint">`, "</td>")...)
		}
	}
	for name, want := range map[string]string{"Placed": "1 3", "Accepted": "1 3", "Woke": "1 3", "Shown": "1 2", "Answered": "1 1",
		"Voice": "1 1"} {
		if got := strings.Join(rows[name], " "); got != want {
			t.Errorf("%s: rings and phones %q, want %q", name, got, want)
		}
	}
	// The bars of the day say the same.
	page.Has(": 1 ring, 1 answered, 0 not answered, 0 failed")
}

// signs gives the tenant a key of its app in a state.
func (t *tenant) signs(state tenants.CredentialState) tenants.CredentialID {
	t.h.Helper()
	t.h.Serial++
	now := t.h.Clock.Now()
	id := tenants.NewID[tenants.CredentialID](now)
	pagetest.Must(t.h, t.Scope().Credentials().Add(t.h.Context(), tenants.Credential{
		ID: id, Tenant: t.Id, Kind: tenants.P8, Bundle: "com.example." + t.Slug, Environment: tenants.Auto, Team: "ABCDE12345",
		KeyID: fmt.Sprintf("KEYX%06d", t.h.Serial), Fingerprint: fmt.Sprintf("%s-%d", t.Slug, t.h.Serial), State: state, CreatedAt: now,
	}, newP8(t.h)))
	return id
}

// TestEveryFactHasWords: a kind without a row would be a blank line on a ring's page.
func TestEveryFactHasWords(t *testing.T) {
	t.Parallel()
	if len(factTable) != len(tenants.FactKinds) {
		t.Errorf("%d rows for %d kinds", len(factTable), len(tenants.FactKinds))
	}
	for _, k := range tenants.FactKinds {
		if w := wordsOfFact[k]; w.done == "" || (w.funnel != "") != (w.means != "") || (w.result != "") != (w.tone != "") {
			t.Errorf("%s: %+v", k, w)
		}
	}
	for _, h := range tenants.Hops[1:] {
		if wordsOfFact[h.Fact].wait == "" {
			t.Errorf("%s has no name in the chart of waits", h.Fact)
		}
	}
}
