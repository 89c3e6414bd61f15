package switchboard

import (
	"context"
	"slices"

	"carillon/tenants"
)

// Watch calls tell with the ring and its facts recorded after the sequence number, first for those
// already there, then for each new one, in order and without a gap, until the ring has ended, tell
// fails or ctx is done. The bus only wakes it; what it tells it reads. Where no fact of the ring
// has the number any more, it tells all again: see since.
func (b *Board) Watch(ctx context.Context, t tenants.TenantID, id tenants.RingID, after int64,
	tell func([]tenants.Fact, *tenants.Ring) error) error {
	listener := b.Bus.Listen(t, id) // before the first read, or a fact in between would be missed
	defer listener.Close()
	scope := b.Store.For(t)
	for {
		r, err := scope.Rings().Get(ctx, id)
		if err != nil {
			return err
		}
		fresh := since(r, after)
		if err := tell(fresh, r); err != nil {
			return err
		}
		for i, f := range fresh {
			if i == 0 || f.Seq > after {
				after = f.Seq
			}
		}
		if r.State.Terminal() {
			return nil
		}
		if _, err := listener.Next(ctx); err != nil {
			return err
		}
	}
}

// WatchAll tells which rings of a tenant have new facts, until ctx ends; first none, once it
// listens. Hints that come close arrive in one call of tell; an empty id among them says that
// somebody may no longer act for the tenant.
func (b *Board) WatchAll(ctx context.Context, t tenants.TenantID, tell func([]tenants.RingID) error) error {
	listener := b.Bus.Listen(t, "")
	defer listener.Close()
	if err := tell(nil); err != nil {
		return err
	}
	for {
		rings, err := listener.Next(ctx)
		if err != nil {
			return err
		}
		if err := tell(rings); err != nil {
			return err
		}
	}
}

// since gives the ring's facts after seq, in order of record. If none has this seq, the database
// has lost its last moment, and new facts may have the seqs of lost ones: then it gives them all.
func since(r *tenants.Ring, seq int64) []tenants.Fact {
	all := r.Facts()
	if !slices.ContainsFunc(all, func(f tenants.Fact) bool { return f.Seq == seq }) {
		return all
	}
	var list []tenants.Fact
	for _, f := range all {
		if f.Seq > seq {
			list = append(list, f)
		}
	}
	return list
}
