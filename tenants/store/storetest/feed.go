package storetest

import (
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
	if p, err := s.Feed().Resume(ctx, last.Place.String()); err != nil || p != last.Place {
		b.Errorf("the newest place, after an hour without facts: %v, %v", p, err)
	}
}

// fed reads n facts behind a place. On PostgreSQL a fact is seen once every transaction that began
// before it has ended, also those of the tests beside this one.
func (b *bench) fed(s *store.Scope, from store.FeedPlace, n int) (all []store.Fed) {
	b.Helper()
	look := time.NewTicker(5 * time.Millisecond)
	defer look.Stop()
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
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
