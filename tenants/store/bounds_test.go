package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestBoundedPagesLeadToEveryRing: with each filter, and in both directions, pages that look at ten
// rings at most lead to the same rings as one page that looks at all. Rings that have not ended are
// found at once.
func TestBoundedPagesLeadToEveryRing(t *testing.T) {
	t.Parallel()
	s := storetest.Open(t)
	scope, device, agent := boundedRings(t, s)
	live := []tenants.State{tenants.Placed, tenants.Pushed, tenants.Ringing, tenants.Answered}
	asks := map[string]store.RingQuery{
		"all": {}, "an agent": {Agent: agent}, "a search": {Search: "lead-"}, "a person": {Person: "ada"},
		"a search and an agent": {Search: "lead-", Agent: agent}, "a person and a state": {Person: "ada", State: tenants.Missed},
		"a cut": {Cut: tenants.Cut{By: tenants.SplitAppVersion, Value: "2.0"}}, "no agent": {Cut: tenants.Cut{By: tenants.SplitAgent}},
		"a clock":  {Clock: &store.Clock{Zone: time.UTC, Hour: 3, Weekday: -1}},
		"a device": {Device: device}, "a device and an agent": {Device: device, Agent: agent},
		"a device and a search": {Device: device, Search: "lead-"}, "ended": {State: tenants.Missed},
		"a device that rings": {Device: device, State: tenants.Placed}, "a search that rings": {Search: "lead-", State: tenants.Placed},
	}
	for _, state := range live {
		asks[string(state)] = store.RingQuery{State: state}
	}
	type walk struct {
		name string
		q    store.RingQuery
		want []tenants.RingID
	}
	var walks []walk
	for name, q := range asks {
		for _, sort := range []store.Sort{"-created", "created"} {
			q.Sort, q.Limit = sort, 200
			list, next, err := scope.Rings().List(t.Context(), q)
			if err != nil || next != "" {
				t.Fatalf("%s: %q, %v", name, next, err)
			}
			walks = append(walks, walk{name + " " + string(sort), q, idsOf(list)})
		}
		if n := len(walks[len(walks)-1].want); n == 0 && !slices.Contains(live[1:], q.State) {
			t.Errorf("%s finds nothing", name)
		}
	}
	s.LookAtMost(10)
	for _, w := range walks {
		for _, limit := range []int{3, 50} {
			w.q.Limit, w.q.After, w.q.Upto = limit, "", ""
			on, last, pages := walkedRings(t, scope, w.q)
			if !slices.Equal(on, w.want) {
				t.Errorf("%s by %d: %d rings, want %d", w.name, limit, len(on), len(w.want))
			}
			if w.q.Device == "" && slices.Contains(live, w.q.State) && limit == 50 && pages != 1 {
				t.Errorf("%s: %d pages", w.name, pages)
			}
			if last == "" {
				continue
			}
			w.q.Upto = last // from the last page to the first
			back, _, _ := walkedRings(t, scope, w.q)
			if !slices.Equal(back, w.want[:len(back)]) || len(back) < len(w.want)-limit {
				t.Errorf("%s by %d, back: %d rings, want the first of %d", w.name, limit, len(back), len(w.want))
			}
		}
	}
}

// boundedRings adds sixty rings of six days: every third has the agent, every seventh the other
// version, the twentieth has not ended.
func boundedRings(t *testing.T, s *store.Store) (*store.Scope, tenants.DeviceID, tenants.AgentID) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	who := store.Who{Actor: tenants.System}
	err := s.Tenants().Add(ctx, who, tenants.Tenant{ID: id, Slug: "few", Name: "Few", Industry: tenants.Salon, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now})
	if err != nil {
		t.Fatal(err)
	}
	scope := s.For(id).By(who)
	device := tenants.Device{ID: tenants.NewID[tenants.DeviceID](now), Token: strings.Repeat("ab", 32), Bundle: "com.example.few",
		Environment: tenants.Production, Name: "Phone", RegisteredAt: now, SeenAt: now, CreatedAt: now}.Clean()
	if _, _, err := scope.Devices().Add(ctx, device, tenants.NewSecret(tenants.DevicePrefix).Hash()); err != nil {
		t.Fatal(err)
	}
	agent := tenants.NewID[tenants.AgentID](now)
	first := now.UTC().Truncate(24 * time.Hour).Add(-7 * 24 * time.Hour)
	for i := range 60 {
		at := first.Add(time.Duration(i) * 145 * time.Minute)
		r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](at), Tenant: id, State: tenants.Placed, To: tenants.To{Person: "ada"},
			Caller: "Ada", Reference: fmt.Sprintf("Lead-%04d", i), CreatedAt: at, ExpiresAt: at.Add(time.Minute)}
		if i%3 == 0 {
			r.Agent = agent
		}
		a := tenants.Attempt{ID: tenants.NewID[tenants.AttemptID](at), Ring: r.ID, Device: device.ID, State: tenants.Placed,
			AppVersion: "1.0",
			Push:       tenants.Push{Environment: tenants.Production}}
		if i%7 == 0 {
			a.AppVersion = "2.0"
		}
		a.Facts = []tenants.Fact{{Attempt: a.ID, Kind: tenants.FactPlaced, At: at, Received: at}}
		r.Attempts = []tenants.Attempt{a}
		if i != 20 {
			r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactExpired, At: r.ExpiresAt, Received: r.ExpiresAt})
		}
		if _, err := scope.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
	}
	return scope, device.ID, agent
}

func idsOf(rings []*tenants.Ring) (ids []tenants.RingID) {
	for _, r := range rings {
		ids = append(ids, r.ID)
	}
	return ids
}

// walkedRings gives every ring of a query in the order of the list, the last cursor between its
// pages, and how many pages they are. With Upto it walks back.
func walkedRings(t *testing.T, s *store.Scope, q store.RingQuery) (all []tenants.RingID, last string, pages int) {
	t.Helper()
	for more := true; more; pages++ {
		list, next, err := s.Rings().List(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		if q.Upto != "" {
			all = append(idsOf(list), all...)
		} else {
			all = append(all, idsOf(list)...)
		}
		if more = next != ""; !more {
			return all, last, pages + 1
		}
		last = next
		if q.Upto != "" {
			q.Upto = next
		} else {
			q.After = next
		}
	}
	return all, last, pages
}
