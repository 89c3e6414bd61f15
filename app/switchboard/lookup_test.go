package switchboard_test

import (
	"context"
	"strings"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// asked is a Lookup that answers the same to each question.
type asked struct {
	says  tenants.LookedUp
	times int
}

func (a *asked) Asks(context.Context, tenants.TenantID) bool { return true }

func (a *asked) Ask(context.Context, tenants.Tenant, tenants.Request) tenants.LookedUp {
	a.times++
	return a.says
}

func TestLookUpBeforeARing(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	look := &asked{}
	w.config.Lookup = look
	w.reopen()
	first, ben := w.device("anna"), w.device("ben")
	to := tenants.Request{To: tenants.To{Device: first.ID}, Caller: "Ann"}
	for _, c := range []struct {
		says           tenants.LookedUp
		caller, person string
		note           string // part of it
	}{
		{tenants.LookedUp{}, "Ann", "", ""},
		{tenants.LookedUp{Caller: "Ann Smith, 12 Oak Lane"}, "Ann Smith, 12 Oak Lane", "", ""},
		{tenants.LookedUp{Person: "ben"}, "Ann", "ben", ""},
		{tenants.LookedUp{Caller: "Ann S.", Person: "nobody"}, "Ann S.", "", "who cannot be rung"},
		{tenants.LookedUp{Note: "The system did not answer"}, "Ann", "", "did not answer"},
	} {
		look.says = c.says
		r := w.place(to)
		if r.Caller != c.caller || r.To.Person != c.person || c.person == "ben" && r.Attempts[0].Device != ben.ID {
			t.Errorf("%+v: rings %+v as %q", c.says, r.To, r.Caller)
		}
		kept, err := w.scope.Rings().Get(t.Context(), r.ID)
		must(t, err)
		if note := kept.Facts()[0].Detail; !strings.Contains(note, c.note) || c.note == "" && note != "" {
			t.Errorf("%+v: the timeline says %q", c.says, note)
		}
	}
	// A repeat, and a ring that is refused anyway, ask nobody.
	look.says, look.times = tenants.LookedUp{}, 0
	once := store.Idempotency{Key: "k", Body: tenants.Hash{1}}
	for range 3 {
		_, _, err := w.board.Place(t.Context(), w.caller, to, once)
		must(t, err)
	}
	nobody := tenants.Request{To: tenants.To{Person: "nobody"}}
	if _, _, err := w.board.Place(t.Context(), w.caller, nobody, store.Idempotency{}); err == nil {
		t.Error("nobody was rung")
	}
	if look.times != 1 {
		t.Errorf("asked %d times", look.times)
	}
}
