package switchboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// sweepMost bounds one claim, so that a long backlog is shared between processes.
const sweepMost = 256

// Sweep finishes what time or a crash left: rings whose time is up expire, rings whose process died
// before Apple answered are pushed again with the same apns-id, calls whose gateway died are ended.
// It looks only at rings that are due and claims each for a lease, so that two processes never do
// the same.
func (b *Board) Sweep(ctx context.Context) error {
	for {
		due, err := b.Store.Jobs().DueRings(ctx, b.Now(), lease, sweepMost)
		if err != nil {
			return fmt.Errorf("find due rings: %w", err)
		}
		var errs []error
		for _, d := range due {
			if err := b.sweepOne(ctx, d); err != nil {
				errs = append(errs, fmt.Errorf("ring %s: %w", d.Ring, err))
			}
		}
		if len(due) < sweepMost || len(errs) > 0 {
			return errors.Join(errs...)
		}
	}
}

func (b *Board) sweepOne(ctx context.Context, d store.Due) error {
	scope := b.Store.For(d.Tenant).By(store.Who{Actor: tenants.System})
	r, err := scope.Rings().Get(ctx, d.Ring)
	if err != nil {
		return err
	}
	now := b.Now()
	switch {
	case r.State.Terminal():
		return nil
	case r.State == tenants.Answered:
		return b.sweepCall(ctx, scope, r)
	case !now.Before(r.ExpiresAt):
		return b.expire(ctx, scope, r)
	case b.pushing.has(r.ID):
		return scope.Rings().SetDue(ctx, r.ID, soonest(r.ExpiresAt, now.Add(lease)))
	}
	return b.resume(ctx, scope, r)
}

// expire ends a ring that nobody answered in time.
func (b *Board) expire(ctx context.Context, scope *store.Scope, r *tenants.Ring) error {
	now := b.Now()
	changed, facts, err := scope.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		var facts []tenants.Fact
		for i := range r.Attempts {
			expired := tenants.Fact{Attempt: r.Attempts[i].ID, Kind: tenants.FactExpired, At: r.ExpiresAt, Received: now}
			facts = append(facts, r.Fold(expired)...)
		}
		return facts, nil
	})
	if err != nil {
		return err
	}
	b.tell(changed, facts)
	return b.Health.Expired(ctx, scope, changed)
}

// resume pushes what is unpushed because its process died.
func (b *Board) resume(ctx context.Context, scope *store.Scope, r *tenants.Ring) error {
	t, err := scope.Tenant(ctx)
	if err != nil {
		return err
	}
	again := unpushed(r)
	if len(again.Attempts) == 0 {
		return scope.Rings().SetDue(ctx, r.ID, r.ExpiresAt)
	}
	b.pushing.start(&again)
	if now, err := scope.Rings().Get(ctx, r.ID); err != nil || len(unpushed(now).Attempts) != len(again.Attempts) {
		b.pushing.cancel(&again) // it moved just now
		return errors.Join(err, scope.Rings().SetDue(ctx, r.ID, soonest(r.ExpiresAt, b.Now().Add(lease))))
	}
	for i := range again.Attempts {
		if c, err := scope.Credentials().Get(ctx, again.Attempts[i].Credential); err == nil { // without it the push fails, and says so
			again.Attempts[i].Push.NoHedge = c.NoHedge
		}
	}
	span := b.Trace.Start("resume ring")
	defer span.End()
	span.Ring(string(r.ID))
	b.send(t, &again, span)
	return scope.Rings().SetDue(ctx, r.ID, soonest(r.ExpiresAt, b.Now().Add(lease)))
}

// unpushed is the ring with those of its attempts that no answer of Apple and no fact of a phone is
// known of.
func unpushed(r *tenants.Ring) tenants.Ring {
	part := *r
	part.Attempts = nil
	for _, a := range r.Attempts {
		if a.State == tenants.Placed && a.Push.Status == 0 {
			part.Attempts = append(part.Attempts, a)
		}
	}
	part.Version = -1 // a part of the ring is no hint of the whole
	return part
}

func soonest(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
