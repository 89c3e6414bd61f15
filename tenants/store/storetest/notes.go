package storetest

import (
	"bytes"
	"database/sql"
	"path/filepath"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// call is an answered ring to the device.
func (b *bench) call(s *store.Scope, d tenants.Device) *tenants.Ring {
	b.Helper()
	r := b.ring(s, d)
	r, _, err := s.Rings().Change(b.Context(), r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call = &tenants.Call{Device: d.ID, AnsweredAt: r.CreatedAt}
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactAnswered, At: r.CreatedAt, Received: r.CreatedAt}), nil
	})
	b.must(err)
	return r
}

// end lets an answered ring be over.
func (b *bench) end(s *store.Scope, r *tenants.Ring) {
	b.Helper()
	b.record(s, r, 0, tenants.FactHungUp, r.CreatedAt.Add(time.Minute))
}

// said are notes of these words, a second apart.
func (b *bench) said(words ...string) (n tenants.Notes) {
	for i, w := range words {
		at := b.clock.Now().Add(time.Duration(i) * time.Second)
		n.Lines = append(n.Lines, tenants.NoteLine{Who: tenants.SpeakerAgent, At: at, Text: w})
	}
	return n
}

// testNotes: notes grow and can be sent again, are sealed, read only by their tenant, kept as long
// as the plan says, and erased with the person.
func testNotes(b *bench) {
	ctx := b.Context()
	s := b.tenant()
	d := b.device(s, "ana")
	silent := b.ring(s, d)
	_, _, err := s.Notes().Add(ctx, silent.ID, b.said("x"))
	b.refused(err, tenants.Conflict, "notes of a ring that nobody answered")
	r := b.call(s, d)
	add := func(n tenants.Notes, added, lines int) {
		b.Helper()
		all, got, err := s.Notes().Add(ctx, r.ID, n)
		b.must(err)
		equal(b, got, added, "added lines")
		equal(b, len(all.Lines), lines, "lines")
	}
	add(b.said("one", "two canary"), 2, 2)
	add(b.said("one", "two canary"), 0, 2)
	add(tenants.Notes{Lines: b.said("one", "two canary", "three").Lines, Summary: "a summary"}, 1, 3)
	add(tenants.Notes{Summary: "a summary"}, 0, 3)
	got, changed, err := s.Notes().Get(ctx, r.ID)
	b.must(err)
	if got.Summary != "a summary" || got.Lines[2].Text != "three" || !got.Lines[1].At.Equal(b.clock.Now().Add(time.Second)) ||
		changed.IsZero() {
		b.Errorf("notes: %+v %s", got, changed)
	}
	if raw := b.raw("SELECT sealed FROM notes"); len(raw) != 1 || bytes.Contains(raw[0], []byte("canary")) {
		b.Errorf("notes are not sealed: %d rows", len(raw))
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "note.add"})
	b.must(err)
	equal(b, len(audits), 1, "audit rows of equal changes")

	b.noteRaces(s, r)

	// Reading is recorded where a name alone reveals something.
	reads := func() int {
		list, _, err := s.Audits().List(ctx, store.AuditQuery{Action: "note.read"})
		b.must(err)
		return len(list)
	}
	t, err := s.Tenant(ctx)
	b.must(err)
	for _, i := range []tenants.Industry{tenants.RealEstate, tenants.Healthcare} {
		t.Industry = i
		b.must(s.SetTenant(ctx, t))
		_, _, err = s.Notes().Read(ctx, r.ID)
		b.must(err)
	}
	equal(b, reads(), 1, "recorded readings")

	// A person's notes go, and another's stay.
	second, others := b.call(s, d), b.call(s, b.device(s, "ben"))
	for _, r := range []*tenants.Ring{second, others} {
		_, _, err := s.Notes().Add(ctx, r.ID, b.said("x"))
		b.must(err)
	}
	n, err := s.Notes().Erase(ctx, second.ID)
	b.must(err)
	equal(b, n, 2, "notes of the person")
	none, changed, err := s.Notes().Get(ctx, r.ID)
	b.must(err)
	if len(none.Lines) > 0 || !changed.IsZero() {
		b.Errorf("erased notes: %+v", none)
	}

	// A plan keeps them for its days, and the ring for longer.
	b.end(s, others)
	b.must(s.Subscription().Set(ctx, b.s.Plans().Assigned("", "starter", b.clock.Now(), time.Time{})))
	plan, _ := b.s.Plans().Plan("starter")
	b.clock.add(time.Duration(plan.Retention)*24*time.Hour - time.Minute)
	removed, err := b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, removed, 0, "removed too early")
	b.clock.add(2 * time.Minute)
	removed, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, removed, 1, "removed notes")
	_, err = s.Rings().Get(ctx, others.ID)
	b.must(err)
	_, _, err = s.Notes().Add(ctx, others.ID, b.said("late"))
	b.refused(err, tenants.Gone, "notes past the retention")
}

// noteRaces: notes that arrive at the same moment are all kept.
func (b *bench) noteRaces(s *store.Scope, r *tenants.Ring) {
	before, _, err := s.Notes().Get(b.Context(), r.ID)
	b.must(err)
	var wait sync.WaitGroup
	for i := range 3 {
		wait.Go(func() {
			n := b.said(string(rune('a' + i)))
			if _, added, err := s.Notes().Add(b.Context(), r.ID, n); err != nil || added != 1 {
				b.Errorf("at once: %d %v", added, err)
			}
		})
	}
	wait.Wait()
	after, _, err := s.Notes().Get(b.Context(), r.ID)
	b.must(err)
	equal(b, len(after.Lines), len(before.Lines)+3, "lines that came at once")
}

// raw reads the blobs of a column past the store.
func (b *bench) raw(query string) (blobs [][]byte) {
	b.Helper()
	b.past(func(conn *sql.Conn) {
		rows, err := conn.QueryContext(b.Context(), query)
		b.must(err)
		defer rows.Close()
		for rows.Next() {
			var blob []byte
			b.must(rows.Scan(&blob))
			blobs = append(blobs, blob)
		}
		b.must(rows.Err())
	})
	return blobs
}

// statement runs a statement past the store.
func (b *bench) statement(query string) (err error) {
	b.Helper()
	b.past(func(conn *sql.Conn) { _, err = conn.ExecContext(b.Context(), query) })
	return err
}

// past gives a connection that is not the store's and reaches every tenant's rows.
func (b *bench) past(do func(*sql.Conn)) {
	b.Helper()
	driver, address, open := "sqlite", "file:"+filepath.Join(b.config.Dir, "carillon.db")+"?_pragma=busy_timeout(5000)", "SELECT 1"
	if b.config.URL != "" {
		driver, address, open = "pgx", b.config.URL, "SELECT set_config('app.tenant', '*', false)"
	}
	db, err := sql.Open(driver, address)
	b.must(err)
	defer db.Close()
	conn, err := db.Conn(b.Context())
	b.must(err)
	defer conn.Close()
	_, err = conn.ExecContext(b.Context(), open)
	b.must(err)
	do(conn)
}
