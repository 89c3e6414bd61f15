package switchboard

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// claimMost bounds one claim, so that a long backlog is shared between processes.
	claimMost = 256
	// expireMost bounds the rings that end in one commit, for which other writes wait.
	expireMost = 64
)

// sweepApart is how far apart a node that does not lead looks for due rings. The leading one looks
// at each Sweep; the others find what it cannot, because it died or is stuck. It is a little less
// than two turns of the loop.
const sweepApart = 450 * time.Millisecond

// resumeApart is how far apart, at most, rings that are to be pushed are looked for while many
// others end.
const resumeApart = 250 * time.Millisecond

// sweeper finishes rings that nobody works on any more.
type sweeper struct{ *Board }

// Sweep finishes what time or a crash left: rings whose process died before Apple answered are
// pushed again with the same apns-id, rings whose time is up expire, calls whose gateway died are
// ended. It looks only at rings that are due, many at once, and two processes never do the same
// ring. Pushes come first and again between the endings: a late ending harms nobody, and a late
// push may miss its ring.
func (b *Board) Sweep(ctx context.Context) error {
	now := b.Now()
	if last := b.swept.Load(); !b.Store.Leads() && last != nil {
		if d := now.Sub(*last); d >= 0 && d < sweepApart {
			return errors.Join(b.sweepChains(ctx), b.storeLate(ctx))
		}
	}
	b.swept.Store(&now)
	due, err := b.Store.Jobs().Due(ctx, now)
	if err != nil {
		return errors.Join(b.sweepChains(ctx), fmt.Errorf("find due rings: %w", err))
	}
	s, errs := sweeper{b}, []error(nil)
	if slices.Contains(due, store.LiveRings) {
		errs = append(errs, s.resumeAll(ctx))
	}
	errs = append(errs, b.sweepChains(ctx), b.storeLate(ctx))
	if slices.Contains(due, store.ExpiredRings) {
		errs = append(errs, s.expireAll(ctx))
	}
	if slices.Contains(due, store.Calls) {
		errs = append(errs, s.sweepCalls(ctx))
	}
	return errors.Join(errs...)
}

// expireAll ends the rings that nobody answered in time, until none is left.
func (s sweeper) expireAll(ctx context.Context) error {
	for next := s.Now().Add(resumeApart); ; {
		n, err := s.expireSome(ctx)
		if err != nil {
			return errors.Join(err, s.expireEach(ctx))
		}
		if n < expireMost {
			return nil
		}
		if now := s.Now(); now.After(next) { // a long backlog: look for live rings meanwhile
			if err := s.resumeAll(ctx); err != nil {
				return err
			}
			next = now.Add(resumeApart)
		}
	}
}

func (s sweeper) expireSome(ctx context.Context) (n int, err error) {
	now := s.Now()
	done, err := s.Store.Jobs().Expire(ctx, now, lease, expireMost, func(r *tenants.Ring) []tenants.Fact { return expired(r, now) })
	if err != nil {
		return 0, fmt.Errorf("expire rings: %w", err)
	}
	byTenant := map[tenants.TenantID][]*tenants.Ring{}
	for _, c := range done {
		s.tell(c.Ring, c.Facts)
		byTenant[c.Ring.Tenant] = append(byTenant[c.Ring.Tenant], c.Ring)
	}
	var errs []error
	for t, rings := range byTenant {
		errs = append(errs, s.Health.Expired(ctx, s.system(t), rings))
	}
	if err := errors.Join(errs...); err != nil { // the rings have ended all the same
		s.Log.Error("judge phones by expired rings", "err", err)
	}
	return len(done), nil
}

// expireEach ends rings one by one after many at once failed, so that one that cannot be ended does
// not keep the others.
func (s sweeper) expireEach(ctx context.Context) error {
	rings, err := s.Store.Jobs().Claim(ctx, store.ExpiredRings, s.Now(), lease, claimMost)
	if err != nil {
		return fmt.Errorf("claim expired rings: %w", err)
	}
	var errs []error
	for _, r := range rings {
		if err := s.expire(ctx, s.system(r.Tenant), r); err != nil {
			errs = append(errs, fmt.Errorf("ring %s: %w", r.ID, err))
		}
	}
	return errors.Join(errs...)
}

// expire ends one ring that nobody answered in time.
func (s sweeper) expire(ctx context.Context, scope *store.Scope, r *tenants.Ring) error {
	now := s.Now()
	changed, facts, err := scope.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		return expired(r, now), nil
	})
	if err != nil {
		return err
	}
	s.tell(changed, facts)
	return s.Health.Expired(ctx, scope, []*tenants.Ring{changed})
}

// expired folds the end of the ring's time into it.
func expired(r *tenants.Ring, now time.Time) (facts []tenants.Fact) {
	r.DropSteps()
	for i := range r.Attempts {
		f := tenants.Fact{Attempt: r.Attempts[i].ID, Kind: tenants.FactExpired, At: r.ExpiresAt, Received: now}
		facts = append(facts, r.Fold(f)...)
	}
	return append(facts, r.Finish(tenants.FactExpired, now)...)
}

// resumeAll pushes what is unpushed because its process died, until nothing is left.
func (s sweeper) resumeAll(ctx context.Context) error {
	for {
		now := s.Now()
		rings, err := s.Store.Jobs().Claim(ctx, store.LiveRings, now, lease, claimMost)
		if err != nil {
			return fmt.Errorf("claim live rings: %w", err)
		}
		if err := s.resume(ctx, rings, now); err != nil {
			return fmt.Errorf("resume rings: %w", err)
		}
		if len(rings) < claimMost {
			return nil
		}
	}
}

// resume pushes what is unpushed of claimed rings. A ring that is on its way in this process comes
// back after its lease, one of which everything is pushed when it expires.
func (s sweeper) resume(ctx context.Context, rings []*tenants.Ring, now time.Time) error {
	var pushed, mine []*tenants.Ring
	var errs []error
	for _, r := range rings {
		if r.To.Group != "" {
			more, err := groups(s).sweep(ctx, r)
			if errs = append(errs, err); !more {
				continue
			}
		}
		switch part := unpushed(r); {
		case len(part.Attempts) == 0:
			pushed = append(pushed, r)
		case !s.pushing.has(r.ID):
			s.pushing.start(&part, now)
			mine = append(mine, window(&part))
		}
	}
	err := s.Store.Jobs().AwaitExpiry(ctx, pushed)
	// Read again what is claimed, now that its end cannot be missed: it may have moved just before.
	again, e := s.Store.Jobs().Again(ctx, mine)
	if err = errors.Join(err, e); err != nil {
		for _, part := range mine {
			s.pushing.cancel(part)
		}
		return errors.Join(append(errs, err)...)
	}
	left := map[tenants.RingID]int{}
	for _, r := range again {
		left[r.ID] = len(unpushed(r).Attempts)
	}
	known := &resuming{Board: s.Board, tenants: map[tenants.TenantID]tenants.Tenant{}, keys: map[tenants.CredentialID]tenants.Credential{}}
	for _, part := range mine {
		if left[part.ID] != len(part.Attempts) {
			s.pushing.cancel(part)
			continue
		}
		if err := known.push(ctx, part); err != nil {
			s.pushing.cancel(part)
			errs = append(errs, fmt.Errorf("ring %s: %w", part.ID, err))
		}
	}
	return errors.Join(errs...)
}

// resuming remembers what the rings of one claim have in common.
type resuming struct {
	*Board
	tenants map[tenants.TenantID]tenants.Tenant
	keys    map[tenants.CredentialID]tenants.Credential
}

// push sends the unpushed part of a ring on its way.
func (s *resuming) push(ctx context.Context, part *tenants.Ring) error {
	t, ok := s.tenants[part.Tenant]
	if !ok {
		var err error
		if t, err = s.system(part.Tenant).Tenant(ctx); err != nil {
			return err
		}
		s.tenants[part.Tenant] = t
	}
	for i := range part.Attempts {
		c := s.credential(ctx, part.Tenant, part.Attempts[i].Credential)
		part.Attempts[i].Push.NoHedge, part.Attempts[i].Push.Profile = c.NoHedge, c.Profile
	}
	span := s.Trace.Start("resume ring")
	defer span.End()
	span.Ring(string(part.ID))
	s.send(t, part, span)
	return nil
}

// credential is read for its settings, which are not stored with the ring. If it cannot be read,
// the push fails, and says so.
func (s *resuming) credential(ctx context.Context, t tenants.TenantID, id tenants.CredentialID) tenants.Credential {
	c, ok := s.keys[id]
	if !ok {
		var err error
		if c, err = s.system(t).Credentials().Get(ctx, id); err != nil {
			c = tenants.Credential{}
		}
		s.keys[id] = c
	}
	return c
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

// sweepCalls ends calls whose gateway is gone and renews those of this process, until none is left.
func (s sweeper) sweepCalls(ctx context.Context) error {
	for {
		rings, err := s.Store.Jobs().Claim(ctx, store.Calls, s.Now(), callLease, claimMost)
		if err != nil {
			return fmt.Errorf("claim calls: %w", err)
		}
		for _, r := range rings {
			s.sweepCall(r)
		}
		if len(rings) < claimMost {
			return nil
		}
	}
}

// system is the tenant's scope for what Carillon does by itself.
func (b *Board) system(t tenants.TenantID) *store.Scope {
	return b.Store.For(t).By(store.Who{Actor: tenants.System})
}
