package switchboard

import (
	"context"
	"errors"
	"time"

	"carillon/app/bus"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Watch calls tell with the ring and its facts recorded after the sequence number, first for those
// already there, then for each new one, in order and without a gap, until the ring has ended, tell
// fails or ctx is done. The bus only wakes it; what it tells it reads.
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
		for _, f := range fresh {
			after = max(after, f.Seq)
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

// A reader of all facts of a tenant rests between two looks, so that many facts are one read, and
// looks without a hint, which may be lost or come before its fact can be read. It also rests where
// it reads what it missed, because others read too.
const (
	feedRest  = 200 * time.Millisecond
	feedLook  = time.Second
	feedPause = 20 * time.Millisecond
)

// Feed has the facts of all rings of a tenant.
type Feed struct{ b *Board }

// NewFeed returns the Feed of a board.
func NewFeed(b *Board) Feed { return Feed{b} }

// Watch calls tell with the facts of a tenant's rings behind a place, in the order of their
// commits and without a gap, and with the place behind what it read, until tell fails or ctx is
// done. The first call comes before anything is read, with the place itself. Later ones come
// without facts where only others had any, and after a hint: somebody may no longer act for the
// tenant.
func (f Feed) Watch(ctx context.Context, t tenants.TenantID, from store.FeedPlace,
	tell func(facts []store.Fed, to store.FeedPlace) error) error {
	listener := f.b.Bus.Listen(t, "")
	defer listener.Close()
	if err := tell(nil, from); err != nil {
		return err
	}
	feed, hinted := f.b.Store.For(t).Feed(), false
	for {
		facts, to, more, err := feed.Next(ctx, from)
		if err != nil {
			return err
		}
		if hinted || to != from {
			if err := tell(facts, to); err != nil {
				return err
			}
		}
		from, hinted = to, false
		if more {
			if err := pause(ctx, feedPause); err != nil {
				return err
			}
			continue
		}
		if hinted, err = rested(ctx, listener); err != nil {
			return err
		}
	}
}

// pause waits, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	rest := time.NewTimer(d)
	defer rest.Stop()
	select {
	case <-rest.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// rested waits for the next look, and says whether there was a hint.
func rested(ctx context.Context, l *bus.Listener) (hinted bool, err error) {
	if err := pause(ctx, feedRest); err != nil {
		return false, err
	}
	within, cancel := context.WithTimeout(ctx, feedLook)
	defer cancel()
	if _, err := l.Next(within); err == nil || ctx.Err() != nil || !errors.Is(err, context.DeadlineExceeded) {
		return err == nil, err
	}
	return false, nil
}

// since gives the ring's facts after seq, in the order of record.
func since(r *tenants.Ring, seq int64) []tenants.Fact {
	var list []tenants.Fact
	for _, f := range r.Facts() {
		if f.Seq > seq {
			list = append(list, f)
		}
	}
	return list
}
