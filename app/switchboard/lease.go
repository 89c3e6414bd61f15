package switchboard

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// lease is how long a ring may wait for Apple's answer before the sweep looks whether its process
// still lives. Where several servers share the database, the one that pushes renews it while the
// push is under way.
const lease = 3 * time.Second

const (
	// renewAfter leaves a renewal that fails two more tries within the lease.
	renewAfter = lease / 3
	// slowAfter is from when on a push is looked after: most are answered before.
	slowAfter = 150 * time.Millisecond
)

// pushing holds the attempts that this process pushes now or is about to push. The sweep leaves
// their rings alone. An attempt is done when its phone has reported, its ring has ended, or another
// server has it: then nothing more is sent for it.
type pushing struct {
	shared bool // other servers use the database: what is not renewed in time may be theirs

	mu       sync.Mutex // guards both
	rings    map[tenants.RingID]int
	attempts map[tenants.AttemptID]underWay
}

// underWay is an attempt that this process pushes.
type underWay struct {
	tenant tenants.TenantID
	ring   tenants.RingID
	began  time.Time
	leased time.Time // from when on the lease counts
	done   bool
}

// start adds every attempt of a ring, whose lease counts from now. Call it before the ring is
// committed: its end could be missed otherwise.
func (p *pushing) start(r *tenants.Ring, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rings == nil {
		p.rings, p.attempts = map[tenants.RingID]int{}, map[tenants.AttemptID]underWay{}
	}
	for i := range r.Attempts {
		p.rings[r.ID]++
		p.attempts[r.Attempts[i].ID] = underWay{tenant: r.Tenant, ring: r.ID, began: now, leased: now}
	}
}

// cancel undoes start.
func (p *pushing) cancel(r *tenants.Ring) {
	for i := range r.Attempts {
		p.finish(r.ID, r.Attempts[i].ID)
	}
}

func (p *pushing) finish(r tenants.RingID, a tenants.AttemptID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.rings[r]--; p.rings[r] <= 0 {
		delete(p.rings, r)
	}
	delete(p.attempts, a)
}

func (p *pushing) has(r tenants.RingID) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.rings[r] > 0
}

// setDone notes that nothing more is sent for the attempt.
func (p *pushing) setDone(a tenants.AttemptID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if known, ok := p.attempts[a]; ok {
		known.done = true
		p.attempts[a] = known
	}
}

// done reports that nothing more may be sent for the attempt at now. A lease that is over stops
// it too: this process may have been stopped for a while, and another server may push it.
func (p *pushing) done(a tenants.AttemptID, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	known, ok := p.attempts[a]
	return ok && (known.done || p.shared && now.Sub(known.leased) >= lease)
}

// slow gives the attempts that are under way for longer than most, and those of them whose lease
// is to be renewed.
func (p *pushing) slow(now time.Time) (slow, due []store.AttemptName) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for id, a := range p.attempts {
		if a.done || now.Sub(a.began) < slowAfter {
			continue
		}
		name := store.AttemptName{Tenant: a.tenant, Ring: a.ring, Attempt: id}
		slow = append(slow, name)
		if now.Sub(a.leased) >= renewAfter {
			due = append(due, name)
		}
	}
	return slow, due
}

// renewed notes that the leases of the rings that are held count from now.
func (p *pushing) renewed(some []store.AttemptName, held map[tenants.RingID]bool, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, n := range some {
		if a, ok := p.attempts[n.Attempt]; ok && held[n.Ring] && now.After(a.leased) {
			a.leased = now
			p.attempts[n.Attempt] = a
		}
	}
}

// HoldPushes looks after the pushes of this process that are not answered at once, where other
// servers use the database: it renews their leases, so that no sweep pushes them as well, and ends
// those whose phone has spoken through another server, or which another server has taken over. Run
// it several times a second; it reads nothing while Apple answers at once.
func (b *Board) HoldPushes(ctx context.Context) error {
	if !b.pushing.shared {
		return nil
	}
	now := b.Now()
	slow, due := b.pushing.slow(now)
	if len(slow) == 0 {
		return nil
	}
	over, err := b.Store.Jobs().Over(ctx, slow)
	for _, a := range over {
		b.pushing.setDone(a)
	}
	if len(due) == 0 {
		return err
	}
	held, e := b.Store.Jobs().RenewLeases(ctx, due, now.Add(lease))
	b.pushing.renewed(due, held, now)
	return errors.Join(err, e)
}

// overAt asks the database, before a push is written, whether its phone has spoken through another
// server meanwhile. It does not before the first try of a push that begins at once. If the database
// does not answer, the lease decides.
func (b *Board) overAt(r *tenants.Ring, a tenants.Attempt) func(context.Context, int) bool {
	if !b.pushing.shared {
		return nil
	}
	began := b.Now()
	return func(ctx context.Context, tries int) bool {
		if tries == 0 && b.Now().Sub(began) < slowAfter {
			return false
		}
		over, err := b.Store.Jobs().Over(ctx, []store.AttemptName{{Tenant: r.Tenant, Ring: r.ID, Attempt: a.ID}})
		if err == nil && len(over) > 0 {
			b.pushing.setDone(a.ID)
		}
		return err == nil && len(over) > 0
	}
}
