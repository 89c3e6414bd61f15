package switchboard

import (
	"sync"

	"carillon/tenants"
)

// calls are the answered rings whose gateway is in this process.
type calls struct {
	mu sync.Mutex                       // guards of
	of map[tenants.RingID]*tenants.Ring // as they were last written here
}

func (c *calls) add(r *tenants.Ring) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.of == nil {
		c.of = map[tenants.RingID]*tenants.Ring{}
	}
	c.of[r.ID] = r
}

// last is the ring as it was last written here, from which the next write may start; nil = it is no
// call of this process.
func (c *calls) last(id tenants.RingID) *tenants.Ring {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.of[id]
}

// wrote remembers the ring as it was written, if it is a call of this process.
func (c *calls) wrote(r *tenants.Ring) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if has := c.of[r.ID]; has != nil && has.Version < r.Version {
		c.of[r.ID] = r
	}
}

// count is how many calls a tenant has.
func (c *calls) count(t tenants.TenantID) (n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, of := range c.of {
		if of.Tenant == t {
			n++
		}
	}
	return n
}

func (c *calls) drop(r tenants.RingID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	delete(c.of, r)
}

// on are the tenant's calls that a device has answered.
func (c *calls) on(t tenants.TenantID, d tenants.DeviceID) (rings []tenants.RingID) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, of := range c.of {
		if of.Tenant == t && of.Call != nil && of.Call.Device == d {
			rings = append(rings, id)
		}
	}
	return rings
}

// has reports whether the tenant has the call.
func (c *calls) has(r tenants.RingID, t tenants.TenantID) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	of, ok := c.of[r]
	return ok && of.Tenant == t
}

func (c *calls) all() map[tenants.RingID]tenants.TenantID {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := make(map[tenants.RingID]tenants.TenantID, len(c.of))
	for id, r := range c.of {
		all[id] = r.Tenant
	}
	return all
}
