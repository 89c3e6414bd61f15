package store

import (
	"sync"
	"time"

	"carillon/tenants"
)

// cache keeps who a bearer secret belongs to, and what a device is pushed with, for at most a
// second: a phone reports several facts in a row and an agent rings many people with one key. Every
// write of this process that could change the answer empties it; a second is how long another
// process's revocation may take to reach us.
//
// A device that is rung is kept for a minute where the writer knows that no other process has
// written: see writer.compare.
type cache struct {
	now func() time.Time
	mu  sync.Mutex // guards the rest
	// compared is up to when no other process has written, or the cache was emptied after it had;
	// zero where that cannot be known.
	compared time.Time
	// turn grows with every emptying, so that a look-up that began before a write cannot leave its
	// old answer behind after it.
	turn        int
	keys        map[tenants.Hash]entry[tenants.Key]
	devices     map[tenants.Hash]entry[tenants.Device]
	targets     map[aim]entry[tenants.Device]
	credentials map[tenants.TenantID]entry[[]tenants.Credential] // newest first
	bought      map[tenants.TenantID]entry[bought]
	sends       map[tenants.ConnectionID]entry[sending]
}

// aim is a device of a tenant that is rung.
type aim struct {
	tenant tenants.TenantID
	device tenants.DeviceID
}

type entry[T any] struct {
	tenant tenants.Tenant
	thing  T
	until  time.Time
	most   time.Time // good until then while the writer compares; zero = not
}

const (
	cacheFor  = time.Second
	targetFor = time.Minute
	cacheSize = 10_000
)

func newCache(now func() time.Time) *cache {
	return &cache{now: now, keys: map[tenants.Hash]entry[tenants.Key]{}, devices: map[tenants.Hash]entry[tenants.Device]{},
		targets: map[aim]entry[tenants.Device]{}, credentials: map[tenants.TenantID]entry[[]tenants.Credential]{},
		bought: map[tenants.TenantID]entry[bought]{}, sends: map[tenants.ConnectionID]entry[sending]{}}
}

func (c *cache) forget() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn++
	clear(c.keys)
	clear(c.devices)
	clear(c.targets)
	clear(c.credentials)
	clear(c.bought)
	clear(c.sends)
}

// revoke follows a write that may have taken somebody's right to act: what was remembered is
// forgotten first, then the revocation is announced.
func (s *scope) revoke(err error) {
	s.s.seen.forget()
	if err == nil {
		s.s.revoked(s.id)
	}
}

func (c *cache) begin() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.turn
}

func recall[K comparable, T any](c *cache, m map[K]entry[T], h K) (entry[T], bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	e, ok := m[h]
	now := c.now()
	return e, ok && (now.Before(e.until) || now.Before(e.most) && now.Sub(c.compared) < cacheFor)
}

// stale reports whether it is time to compare again.
func (c *cache) stale() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now().Sub(c.compared) >= cacheFor/4
}

// upTo notes a moment up to which no other process has changed what the cache holds.
func (c *cache) upTo(at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.compared = at
}

func keep[K comparable, T any](c *cache, m map[K]entry[T], h K, e entry[T], turn int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.turn != turn {
		return
	}
	if len(m) >= cacheSize {
		clear(m)
	}
	e.until = c.now().Add(cacheFor)
	m[h] = e
}
