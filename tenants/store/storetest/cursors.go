package storetest

import (
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// testCursors: each name has a place of its own, a batch that is not done is read again, and two
// that read the same batch do not both finish it.
func testCursors(b *bench) {
	ctx := b.Context()
	s, other := b.tenant(), b.tenant()
	first, second := b.ring(s, b.device(s, "")), b.ring(other, b.device(other, ""))
	mail, hooks := b.s.Cursor("mail"), b.s.Cursor("connections")
	want := []tenants.RingID{first.ID, second.ID}
	for range 2 {
		equal(b, slices.Equal(rings(b.behind(mail, 2)), want), true, "read until it is done")
	}
	batch, rival := b.behind(mail, 2), b.behind(mail, 2)
	equal(b, batch.Facts[1].Tenant, second.Tenant, "the fact's tenant")
	equal(b, batch.Facts[1].Fact, second.Attempts[0].Facts[0], "the fact")
	b.done(mail, batch, true)
	b.done(mail, rival, false)
	again, err := mail.Next(ctx, 10)
	b.must(err)
	equal(b, len(again.Facts), 0, "facts behind the last")
	b.done(mail, again, true)

	one, err := hooks.Next(ctx, 1)
	b.must(err)
	equal(b, slices.Equal(rings(one), want[:1]), true, "another name begins at the oldest, and keeps to its limit")
	b.done(hooks, one, true)
	first = b.record(s, first, 0, tenants.FactSent, first.CreatedAt.Add(time.Second))
	equal(b, slices.Equal(rings(b.behind(hooks, 2)), []tenants.RingID{second.ID, first.ID}), true, "what came since, in order")
	equal(b, b.behind(mail, 1).Facts[0].Fact.Kind, tenants.FactSent, "only what came since")
}

// behind reads until there are want facts: on PostgreSQL another test's open transaction holds
// newer ones back for a moment.
func (b *bench) behind(c store.Cursor, want int) store.Batch {
	b.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		batch, err := c.Next(b.Context(), 10)
		b.must(err)
		if len(batch.Facts) >= want || time.Now().After(deadline) {
			equal(b, len(batch.Facts), want, "facts")
			return batch
		}
	}
}

func (b *bench) done(c store.Cursor, batch store.Batch, want bool) {
	b.Helper()
	moved, err := c.Done(b.Context(), batch)
	b.must(err)
	equal(b, moved, want, "done")
}

func rings(batch store.Batch) (ids []tenants.RingID) {
	for _, f := range batch.Facts {
		ids = append(ids, f.Ring)
	}
	return ids
}
