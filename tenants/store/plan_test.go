package store_test

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestDeliveriesAreFoundByTheRightIndex: a connection may have 100,000 deliveries waiting. What
// the writer does for one event must not read them all, and what changes some by their seq must not
// read the tenant's.
func TestDeliveriesAreFoundByTheRightIndex(t *testing.T) {
	t.Parallel()
	s, statements := observed(t)
	scope, conn := deliveriesOfOneRing(t, s, 3)
	ctx, now := t.Context(), time.Now()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	claimed, err := scope.Deliveries().Claim(ctx, conn.ID, now.Add(time.Minute), time.Minute, 10)
	must(err)
	if len(claimed) != 1 {
		t.Fatalf("%d claimed of one ring", len(claimed))
	}
	gone := []store.Outcome{{Delivery: claimed[0], Attempt: tenants.DeliveryAttempt{At: now}}}
	must(scope.Deliveries().Settle(ctx, conn.ID, gone, true))
	must(s.Jobs().ReviewConnections(ctx, now)) // gives up the other two
	conn.State = tenants.ConnectionActive
	must(scope.Connections().Change(ctx, conn))
	_, err = scope.Deliveries().Replay(ctx, conn.ID, store.Replay{Event: claimed[0].Event})
	must(err)
	_, _, err = scope.Deliveries().Attempts(ctx, store.AttemptQuery{Connection: conn.ID, Event: claimed[0].Event, Sort: "-created"})
	must(err)
	_, err = scope.Deliveries().Figures(ctx, conn.ID, now)
	must(err)
	_, _ = s.Jobs().TextConnection(ctx, conn.ID) // it is of another role
	tenant, err := scope.Tenant(ctx)
	must(err)
	must(scope.Deliveries().Record(ctx, store.NewDelivery{Tenant: tenant.ID, Connection: conn.ID, Event: tenants.NewRandomID(),
		Kind: tenants.EventRingPlaced, At: now, Body: []byte("{}")}, tenants.DeliveryAttempt{At: now}))
	_, err = scope.Deliveries().Trim(ctx, conn.ID, now.Add(tenants.DeliveriesKept+time.Hour))
	must(err)
	must(scope.Connections().Remove(ctx, conn.ID))
	must(s.EmptyConnections(ctx))

	texts := statements()
	const insertOne = "INSERT INTO deliveries (tenant_id, connection_id, event_id, ring_id, kind, body, state, error, at, begun_at, " +
		"due_at, tries, status, ended_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting'"
	const givenUp = "UPDATE deliveries SET state = 'failed', due_at = 0, ended_at = ?, error = CASE WHEN error = '' THEN ? ELSE error END"
	kinds := map[string]string{
		"SELECT tenant_id FROM connections": "SEARCH connections USING INDEX connections_by_id (id=?)",
		"SELECT at, took, status, good":     "SEARCH delivery_attempts USING COVERING INDEX delivery_attempts_listed",
		"SELECT delivery_attempts.seq":      "SEARCH d USING INDEX sqlite_autoindex_deliveries_1",
		"SELECT e.ring_id, MAX":             "SEARCH e USING INDEX deliveries_ring (tenant_id=? AND connection_id=? AND ring",
		insertOne:                           "SEARCH e USING INDEX deliveries_ring (tenant_id=? AND connection_id=? AND ring",
		"UPDATE deliveries INDEXED BY":      "SEARCH deliveries USING INDEX deliveries_ring (tenant_id=? AND connection_id=? AND ring",
		"UPDATE deliveries SET due_at":      "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
		givenUp + " WHERE +tenant_id":       "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
		givenUp + " WHERE tenant_id":        "SEARCH deliveries USING INDEX deliveries_due (tenant_id=? AND connection_id=? AND due_at>",
		"UPDATE deliveries SET state = 'w":  "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
		"UPDATE deliveries SET state = ?":   "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
		"DELETE FROM deliveries WHERE +ten": "SEARCH deliveries USING INTEGER PRIMARY KEY (rowid=?)",
	}
	for start, want := range kinds {
		found := 0
		for _, q := range texts {
			if !strings.HasPrefix(q, start) {
				continue
			}
			found++
			plan := planOf(t, scope, q)
			if !slices.ContainsFunc(plan, func(line string) bool { return strings.HasPrefix(line, want) }) {
				t.Errorf("%s\nhas the plan\n%s", q, strings.Join(plan, "\n"))
			}
		}
		if found == 0 {
			t.Errorf("nothing runs %s…", start)
		}
	}
}

// observed is a store, and what gives the statements that it has run, each once.
func observed(t *testing.T) (*store.Store, func() []string) {
	t.Helper()
	var mu sync.Mutex // guards seen
	var seen []string
	s := storetest.OpenConfig(t, store.Config{Dir: t.TempDir(), Observe: func(q string) {
		mu.Lock()
		defer mu.Unlock()
		seen = append(seen, q)
	}})
	return s, func() []string {
		mu.Lock()
		defer mu.Unlock()
		texts := slices.Clone(seen)
		seen = nil
		slices.Sort(texts)
		return slices.Compact(texts)
	}
}

// TestListsAreWalkedByTheRightIndex: a tenant has a million entries about rings and ten about
// anything else, and a phone has some of a million rings. A page reads as many rows as it shows.
func TestListsAreWalkedByTheRightIndex(t *testing.T) {
	t.Parallel()
	s, statements := observed(t)
	scope, _ := deliveriesOfOneRing(t, s, 1)
	ctx, device := t.Context(), tenants.NewID[tenants.DeviceID](time.Now())
	list := func(q store.AuditQuery) func() error {
		return func() error {
			_, _, err := scope.Audits().List(ctx, q)
			_, counted := scope.Audits().Total(ctx, q)
			return errors.Join(err, counted)
		}
	}
	rings := func(q store.RingQuery) func() error {
		return func() error {
			_, _, err := scope.Rings().List(ctx, q)
			_, counted := scope.Rings().Total(ctx, q)
			return errors.Join(err, counted)
		}
	}
	since := func() error { _, err := scope.Audits().Since(ctx, 0); return err }
	removed := func() error { _, err := scope.Audits().Removed(ctx, []string{string(device)}); return err }
	const entries, one = "SELECT * FROM audits", "SELECT tenant_id, id"
	const ofDevice = "USING PRIMARY KEY (tenant_id=? AND device_id=?)"
	for name, x := range map[string]struct {
		read  func() error
		start string // of the statements looked at
		index string
	}{
		"changes":                  {list(store.AuditQuery{Folded: true}), entries, "audits_changes ("},
		"changes of people":        {list(store.AuditQuery{Folded: true, Kind: tenants.ActorUser}), entries, "audits_changes ("},
		"the oldest changes":       {list(store.AuditQuery{Folded: true, Sort: "created"}), entries, "audits_changes ("},
		"the number of changes":    {list(store.AuditQuery{Folded: true}), "SELECT count(*)", "audits_changes ("},
		"refused":                  {list(store.AuditQuery{Refused: true}), entries, "audits_refused (tenant_id=?)"},
		"a phone's rings":          {rings(store.RingQuery{Device: device}), one, ofDevice},
		"a phone's first rings":    {rings(store.RingQuery{Device: device, Sort: "created"}), one, ofDevice},
		"a phone's missed rings":   {rings(store.RingQuery{Device: device, State: tenants.Missed}), one, ofDevice},
		"number of a phone's":      {rings(store.RingQuery{Device: device}), "SELECT count(*)", ofDevice},
		"what is not reviewed yet": {since, "SELECT actor_kind", "audits_changes ("},
		"names of what is gone":    {removed, "SELECT target, detail", "audits_rare (tenant_id=? AND action=?)"},
	} {
		statements()
		if err := x.read(); err != nil {
			t.Fatal(name, err)
		}
		found := 0
		for _, q := range statements() {
			if !strings.HasPrefix(strings.ReplaceAll(q, "`", ""), x.start) {
				continue
			}
			if strings.Contains(q, "FROM rung_new ") {
				continue // of the last seconds: they are few, and sorted
			}
			found++
			plan := planOf(t, scope, q)
			if !strings.Contains(strings.Join(plan[:min(4, len(plan))], ""), x.index) ||
				strings.Contains(strings.Join(plan, " "), "FOR ORDER BY") {
				t.Errorf("%s:\n%s\nhas the plan\n%s", name, q, strings.Join(plan, "\n"))
			}
		}
		if found != 1 {
			t.Errorf("%s: %d statements", name, found)
		}
	}
}

// TestDeliveryBeforeTheReviewCounts: a connection that delivered after the review read that it
// fails is not disabled.
func TestDeliveryBeforeTheReviewCounts(t *testing.T) {
	t.Parallel()
	scope, conn := deliveriesOfOneRing(t, storetest.OpenConfig(t, config(t)), 1)
	now := time.Now()
	stopped, err := store.Review(t.Context(), scope, conn.ID, now.Add(-6*24*time.Hour), now)
	if err != nil || stopped {
		t.Error(stopped, err)
	}
	if got, err := scope.Connections().Get(t.Context(), conn.ID); err != nil || got.State != tenants.ConnectionActive {
		t.Error(got.State, err)
	}
}

// deliveriesOfOneRing writes deliveries of one ring to a new connection of a new tenant.
func deliveriesOfOneRing(t *testing.T, s *store.Store, n int) (*store.Scope, tenants.Connection) {
	t.Helper()
	ctx, now := t.Context(), time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	conn := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](now), Name: "Hook", URL: "https://example.com/",
		CreatedAt: now}.Clean()
	if err := s.Tenants().Add(ctx, store.Who{}, tenants.Tenant{ID: id, Slug: "plans", Name: "Plans", Industry: tenants.Salon,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}); err != nil {
		t.Fatal(err)
	}
	scope := s.For(id)
	if _, err := scope.Connections().Add(ctx, conn); err != nil {
		t.Fatal(err)
	}
	r := ring(now, 0)
	if _, err := scope.Rings().Add(ctx, r, store.Idempotency{}, r.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	cursor := s.Cursor("connections")
	batch, err := cursor.Next(ctx, 10)
	if err != nil {
		t.Fatal(err)
	}
	var all []store.NewDelivery
	for range n {
		all = append(all, store.NewDelivery{Tenant: id, Connection: conn.ID, Event: tenants.NewRandomID(), Kind: tenants.EventRingPlaced,
			Ring: r.ID, At: now, Body: []byte("{}")})
	}
	if moved, err := s.Jobs().Feed(ctx, cursor, batch, all); err != nil || !moved {
		t.Fatal(moved, err)
	}
	return scope, conn
}

// planOf is how SQLite runs a statement.
func planOf(t *testing.T, s *store.Scope, query string) (plan []string) {
	t.Helper()
	rows, err := store.ReadAs(t.Context(), s, "EXPLAIN QUERY PLAN "+query, make([]any, strings.Count(query, "?"))...)
	if err != nil {
		t.Fatal(err, query)
	}
	defer rows.Close()
	for rows.Next() {
		var id, parent, unused int
		var line string
		if err := rows.Scan(&id, &parent, &unused, &line); err != nil {
			t.Fatal(err)
		}
		plan = append(plan, line)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return plan
}
