package storetest

import (
	"database/sql"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testFeed: a tenant's facts are read in the order of their commits, without those of others, and a
// reader that comes back goes on behind its place.
func testFeed(b *bench) {
	ctx, s, other := b.Context(), b.tenant(), b.tenant()
	start, err := s.Feed().Newest(ctx)
	b.must(err)
	mine := b.ring(s, b.device(s, "feed-1"))
	theirs := b.ring(other, b.device(other, "feed-2"))
	mine = b.record(s, mine, 0, tenants.FactAccepted, b.clock.Now())
	all := b.fed(s, start, 2)
	for i, kind := range []tenants.FactKind{tenants.FactPlaced, tenants.FactAccepted} {
		if f := all[i]; f.Ring != mine.ID || f.Fact.Kind != kind || f.Fact.Seq == 0 || f.Fact.Attempt != mine.Attempts[0].ID {
			b.Errorf("fact %d is %+v", i, f)
		}
	}
	if f := b.fed(other, start, 1); f[0].Ring != theirs.ID {
		b.Errorf("another tenant reads %+v", f)
	}
	behind, err := s.Feed().Resume(ctx, all[0].Place.String())
	b.must(err)
	if f := b.fed(s, behind, 1); f[0] != all[1] {
		b.Errorf("behind %s is %+v, want %+v", behind, f, all[1])
	}
	for _, bad := range []string{"", "7", "-1-2", "1-2-3", "01-2", "1--2", "0x1-2", "9223372036854775807-9223372036854775807"} {
		if _, err := s.Feed().Resume(ctx, bad); tenants.KindOf(err) != tenants.Invalid {
			b.Errorf("the place %q: %v", bad, err)
		}
	}
	// Many facts of somebody else lie between two of its own.
	b.must(b.statement(fmt.Sprintf("INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, "+
		"detail, nth) WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %d) SELECT f.tenant_id, f.ring_id, "+
		"f.attempt_id, f.kind, f.at, f.received_at, f.raw_at, f.raw_sent_at, f.detail, n.i FROM facts f CROSS JOIN n WHERE f.seq = %d",
		11_000, b.fed(other, start, 1)[0].Fact.Seq)))
	b.record(s, mine, 0, tenants.FactShown, b.clock.Now())
	if f := b.fed(s, all[1].Place, 1); f[0].Fact.Kind != tenants.FactShown {
		b.Errorf("behind many facts of others is %+v", f)
	}
	b.clock.add(store.FeedKept + time.Minute)
	if _, err := s.Feed().Resume(ctx, all[0].Place.String()); tenants.KindOf(err) != tenants.Gone {
		b.Errorf("a place of an hour ago: %v", err)
	}
	last := b.fed(s, all[1].Place, 1)[0]
	if rings, err := s.Feed().Rings(ctx, []tenants.RingID{mine.ID, theirs.ID, mine.ID}); err != nil || len(rings) != 1 ||
		rings[0].ID != mine.ID || len(rings[0].Facts()) != 3 {
		b.Errorf("its rings are %+v, %v", rings, err)
	}
	if p, err := s.Feed().Resume(ctx, last.Place.String()); err != nil || p != last.Place {
		b.Errorf("the newest place, after an hour without facts: %v, %v", p, err)
	}
	theirs = b.record(other, theirs, 0, tenants.FactAccepted, b.clock.Now())
	b.fed(other, last.Place, 1)
	_, quiet, _, err := s.Feed().Next(ctx, last.Place)
	b.must(err)
	b.clock.add(store.FeedKept - time.Minute)
	b.record(other, theirs, 0, tenants.FactShown, b.clock.Now())
	b.clock.add(2 * time.Minute)
	if _, err := s.Feed().Resume(ctx, last.Place.String()); tenants.KindOf(err) != tenants.Gone {
		b.Errorf("a place before facts of others: %v", err)
	}
	if _, err := s.Feed().Resume(ctx, quiet.String()); err != nil {
		b.Errorf("a place behind facts of others: %v", err)
	}
	if b.config.URL != "" {
		b.feedWaits(s, mine, quiet)
	}
}

// feedWaits: what an earlier transaction still holds back is not passed over, and a place stays one
// when its fact is deleted.
func (b *bench) feedWaits(s *store.Scope, ring *tenants.Ring, from store.FeedPlace) {
	b.Helper()
	ctx, second := b.Context(), b.ring(s, b.device(s, "feed-3"))
	from = b.fed(s, from, 1)[0].Place
	b.past(func(conn *sql.Conn) {
		open, err := conn.BeginTx(ctx, nil)
		b.must(err)
		defer func() { _ = open.Rollback() }()
		_, err = open.ExecContext(ctx, "INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, "+
			"detail, nth) SELECT tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail, 99 FROM facts "+
			"WHERE ring_id = $1", string(second.ID))
		b.must(err)
		b.record(s, ring, 0, tenants.FactWoke, b.clock.Now())
		if facts, to, _, err := s.Feed().Next(ctx, from); err != nil || len(facts) > 0 {
			b.Errorf("before the earlier transaction has ended it reads %+v up to %s, %v", facts, to, err)
		}
		b.must(open.Commit())
	})
	all := b.fed(s, from, 2)
	if all[0].Ring != second.ID || all[1].Ring != ring.ID {
		b.Errorf("after the earlier transaction it reads %+v", all)
	}
	b.must(b.statement(fmt.Sprintf("DELETE FROM facts WHERE seq = %d", all[1].Fact.Seq)))
	if p, err := s.Feed().Resume(ctx, all[1].Place.String()); err != nil || p != all[1].Place {
		b.Errorf("a place whose fact was deleted: %v, %v", p, err)
	}
}

// fed reads n facts behind a place. On PostgreSQL a fact is seen once every transaction that began
// before it has ended, also those of the tests beside this one.
func (b *bench) fed(s *store.Scope, from store.FeedPlace, n int) (all []store.Fed) {
	b.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); {
		facts, to, more, err := s.Feed().Next(b.Context(), from)
		b.must(err)
		all, from = append(all, facts...), to
		if len(all) >= n && !more {
			break
		}
		if !more {
			<-look.C
		}
	}
	if len(all) != n {
		b.Fatalf("read %d facts, want %d: %+v", len(all), n, all)
	}
	return all
}
