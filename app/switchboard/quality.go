package switchboard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

const (
	// saveEvery is how often the quality of a running call is stored.
	saveEvery = 30 * time.Second
	// unsavedMost bounds the ended calls whose quality could not be stored. Then the quality of
	// another is dropped: it is no reason to keep a call in memory.
	unsavedMost = 1000
)

// sounded is how a call of this process sounds.
type sounded struct {
	tenant  tenants.TenantID
	began   time.Time
	quality tenants.CallQuality
	saved   time.Time // or when the call began
	changed bool      // since it was saved
	over    bool      // the call has ended
}

// qualities are the calls of this process, and those that ended and are not stored yet. The zero
// value is ready.
type qualities struct {
	saving sync.Mutex // one saveQuality at a time

	mu    sync.Mutex // guards the rest
	of    map[tenants.RingID]*sounded
	ended int // of of
}

// begin adds a call. A phone that answers again does not begin another one.
func (q *qualities) begin(id tenants.RingID, t tenants.TenantID, now time.Time) {
	q.mu.Lock()
	defer q.mu.Unlock()
	if q.of == nil {
		q.of = map[tenants.RingID]*sounded{}
	}
	if q.of[id] == nil {
		q.of[id] = &sounded{tenant: t, began: now, saved: now}
	}
}

// add adds a sample of a call. It is called on the goroutine of the call and does not wait.
func (q *qualities) add(id tenants.RingID, at time.Time, s gateway.Sample) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.of[id]
	if c == nil || c.over {
		return
	}
	c.quality.Add(tenants.QualitySample{At: max(0, at.Sub(c.began)), Phone: legQuality(s.Phone), Agent: legQuality(s.Agent)})
	if s.FirstAudio > 0 {
		c.quality.FirstAudio = s.FirstAudio
	}
	c.quality.AddBargeIns(s.BargeIns)
	c.changed = true
}

func legQuality(l gateway.LegSample) tenants.LegQuality {
	return tenants.LegQuality{
		MOS: l.MOS, JitterIn: l.JitterIn, JitterOut: l.JitterOut, LossIn: l.LossIn, LossOut: l.LossOut,
		RoundTrip: l.RoundTrip, Queued: l.Queued, Underruns: l.Underruns,
	}
}

// end notes that the call is over. A call without a sample leaves nothing to store.
func (q *qualities) end(id tenants.RingID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	c := q.of[id]
	switch {
	case c == nil || c.over:
	case len(c.quality.Samples) == 0 || q.ended >= unsavedMost:
		delete(q.of, id)
	default:
		c.over = true
		q.ended++
	}
}

// unsaved is a copy of what is to be stored.
type unsaved struct {
	ring    tenants.RingID
	tenant  tenants.TenantID
	quality tenants.CallQuality
	over    bool
}

// due returns what is to be stored at now: the calls that ended, and those that changed saveEvery
// ago.
func (q *qualities) due(now time.Time) (list []unsaved) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for id, c := range q.of {
		if !c.over && (!c.changed || now.Sub(c.saved) < saveEvery) {
			continue
		}
		u := unsaved{ring: id, tenant: c.tenant, quality: c.quality, over: c.over}
		if !c.over { // it grows while it is stored
			u.quality.Samples = append([]tenants.QualitySample(nil), c.quality.Samples...)
			u.quality.BargeIns = append([]time.Duration(nil), c.quality.BargeIns...)
		}
		c.saved, c.changed = now, false
		list = append(list, u)
	}
	return list
}

// drop forgets an ended call.
func (q *qualities) drop(id tenants.RingID) {
	q.mu.Lock()
	defer q.mu.Unlock()
	delete(q.of, id)
	q.ended--
}

// SaveQuality stores how calls sounded: of running calls every 30 s, and of those that ended. An
// ended call that cannot be stored now is tried again.
func (b *Board) SaveQuality(ctx context.Context) error {
	b.sounded.saving.Lock()
	defer b.sounded.saving.Unlock()
	var errs []error
	for _, u := range b.sounded.due(b.Now()) {
		err := b.Store.For(u.tenant).Qualities().Set(ctx, u.ring, &u.quality, u.over)
		switch {
		case err != nil && tenants.KindOf(err) != tenants.Unknown: // Unknown: the ring is gone, and its call with it
			errs = append(errs, fmt.Errorf("store how ring %s sounded: %w", u.ring, err))
		case u.over:
			b.sounded.drop(u.ring)
		}
	}
	return errors.Join(errs...)
}
