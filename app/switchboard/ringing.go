package switchboard

import (
	"maps"
	"sync"
	"time"

	"carillon/tenants"
)

// ringingMost bounds the rings that are remembered, and ringingSweep is how often those whose time
// is up are looked for.
const (
	ringingMost  = 2048
	ringingSweep = 10 * time.Second
)

// ringing are the rings that phones of this process show, as they were recorded then: an answer
// need not read its ring again. They may be out of date, so that only a write decides by them,
// which looks at what is recorded. The zero value is ready.
type ringing struct {
	mu    sync.Mutex // guards the rest
	of    map[tenants.RingID]*tenants.Ring
	swept time.Time
}

func (k *ringing) keep(r *tenants.Ring, now time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.of == nil {
		k.of = map[tenants.RingID]*tenants.Ring{}
	}
	if now.Sub(k.swept) > ringingSweep {
		maps.DeleteFunc(k.of, func(_ tenants.RingID, r *tenants.Ring) bool { return !now.Before(r.ExpiresAt) })
		k.swept = now
	}
	if len(k.of) < ringingMost {
		k.of[r.ID] = r
	}
}

// find is the ring of the device's tenant, if the device may answer it as far as is known; else
// nil.
func (k *ringing) find(id tenants.RingID, d tenants.Device, now time.Time) *tenants.Ring {
	k.mu.Lock()
	defer k.mu.Unlock()
	r := k.of[id]
	if r == nil || r.Tenant != d.Tenant {
		return nil
	}
	if _, err := answerable(r, d, now); err != nil {
		return nil
	}
	return r
}

func (k *ringing) drop(id tenants.RingID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.of, id)
}
