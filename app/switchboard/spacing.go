package switchboard

import (
	"context"
	"sync"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Apple answers 429 TooManyRequests to a device that is pushed to too often. From then on its
// pushes are spaced further apart, twice as far at each repeat, until one is accepted.
const (
	firstPause   = 5 * time.Second
	longestPause = 20 * time.Second // a ring lasts at most a minute
)

// spacing keeps pushes to one device apart, in this process: two that arrive together make iOS show
// one call and treat the app as one that does not report the other. It delays, and refuses nothing.
// Jobs.Pace does the same for several nodes. The zero value is ready.
type spacing struct {
	mu    sync.Mutex // guards both
	of    map[tenants.DeviceID]*pace
	swept time.Time
}

// pace is one device's.
type pace struct {
	free  time.Time     // from when on the next push may go
	apart time.Duration // 0 = the usual
}

// turn reserves the device's next place, and says how long to wait for it and how far it is apart
// from the one behind it.
func (s *spacing) turn(d tenants.DeviceID, now time.Time, apart time.Duration) (wait, until time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	p := s.of[d]
	if p == nil {
		p = &pace{}
		s.of[d] = p
	}
	at := now
	if p.free.After(now) {
		at = p.free
	}
	apart = max(apart, p.apart)
	p.free = at.Add(apart)
	return at.Sub(now), apart
}

// next says when the device's next place is, and reports whether its pushes are the usual time
// apart. It reserves nothing.
func (s *spacing) next(d tenants.DeviceID, now time.Time, apart time.Duration) (at time.Time, usual bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of[d]
	if p == nil {
		return now, true
	}
	if p.free.After(now) {
		now = p.free
	}
	return now, p.apart <= apart
}

// keeps reports that a turn that was reserved with the ring still holds, and keeps the device free
// behind it here too. It does not where the commit took longer than turnSpare, or where Apple asked
// for a pause meanwhile: the push asks for another turn then.
func (s *spacing) keeps(d tenants.DeviceID, at, now time.Time, apart time.Duration) bool {
	if at.IsZero() || now.Sub(at) > turnSpare {
		return false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sweep(now)
	p := s.of[d]
	if p == nil {
		p = &pace{}
		s.of[d] = p
	}
	if p.apart > apart {
		return false
	}
	if free := at.Add(apart); free.After(p.free) {
		p.free = free
	}
	return true
}

// answered spaces the device's pushes further apart after a 429, and as usual again after a 200.
func (s *spacing) answered(d tenants.DeviceID, answer push.Answer, now time.Time) {
	switch {
	case answer.Status == 200:
		s.well(d)
	case answer.Status != 0 && push.ReactionTo(answer.Status, answer.Reason).Credential == push.CoolDown:
		s.slow(d, now)
	}
}

// slow spaces the device's pushes further apart, because Apple answered 429.
func (s *spacing) slow(d tenants.DeviceID, now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p := s.of[d]
	if p == nil {
		return
	}
	p.apart = min(max(firstPause, 2*p.apart), longestPause)
	if free := now.Add(p.apart); free.After(p.free) {
		p.free = free
	}
}

// well sets the usual spacing again, because Apple accepted a push.
func (s *spacing) well(d tenants.DeviceID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.of[d]; p != nil {
		p.apart = 0
	}
}

// sweep forgets devices that were left alone for long. Called with mu held.
func (s *spacing) sweep(now time.Time) {
	if s.of == nil {
		s.of = map[tenants.DeviceID]*pace{}
	}
	if d := now.Sub(s.swept); d >= 0 && d < time.Minute {
		return
	}
	s.swept = now
	for d, p := range s.of {
		if now.Sub(p.free) > time.Minute {
			delete(s.of, d)
		}
	}
}

// turnSpare is how long the commit of a ring may take whose pushes' turns are reserved in it: so
// much longer the device is kept free. A push that is later than that asks for another turn.
const turnSpare = 100 * time.Millisecond

// turns are those of a new ring's pushes, which its commit reserves. A device at which Apple asked
// for a pause has none: its push asks for one when it goes.
func (s *spacing) turns(now time.Time, apart time.Duration) store.Turns {
	return func(d tenants.DeviceID) (time.Time, time.Duration) {
		if from, usual := s.next(d, now, apart); usual {
			return from, apart + turnSpare
		}
		return time.Time{}, 0
	}
}

// space waits for the attempt's turn at its device. It reports whether the push may go: not when
// the ring's time is up, or when it ended during the wait.
func (b *Board) space(ctx context.Context, r *tenants.Ring, a tenants.Attempt) (bool, error) {
	if b.Spacing <= 0 {
		return true, nil
	}
	start := b.Now()
	var wait time.Duration
	if at := a.Push.Turn; b.paced.keeps(a.Device, at, start, b.Spacing) {
		wait = at.Sub(start)
	} else {
		var apart time.Duration
		wait, apart = b.paced.turn(a.Device, start, b.Spacing)
		if b.Store.NodesNow() > 1 { // the others push to the device too
			at, err := b.Store.Jobs().Pace(ctx, a.Device, start.Add(wait), apart)
			if err != nil {
				return false, err
			}
			wait = at.Sub(start)
		}
	}
	if wait <= 0 {
		return true, nil
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
		return false, nil
	}
	now, err := b.Store.For(r.Tenant).Rings().Get(ctx, r.ID)
	if err != nil {
		return false, err
	}
	mine, ok := now.AttemptOf(a.Device)
	return ok && !mine.State.Terminal() && now.Live(b.Now()), nil
}
