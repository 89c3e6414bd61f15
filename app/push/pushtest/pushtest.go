// Package pushtest has what tests above package push need in place of Apple and of time: a scripted
// Apple that answers at once, and a clock. Tests of the protocol itself use apnstest.
package pushtest

import (
	"context"
	"slices"
	"sync"
	"time"

	"carillon/app/push"
)

// Clock is real time plus what the test adds. Once it is stopped, only what the test adds passes,
// and a slow machine is no slower. The zero value runs.
type Clock struct {
	mu    sync.Mutex // guards both
	added time.Duration
	at    time.Time // zero = it runs
}

// Now is the time by this clock.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.at.IsZero() {
		return c.at.Add(c.added)
	}
	return time.Now().Add(c.added)
}

// Stop stops the clock.
func (c *Clock) Stop() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = time.Now()
}

// Pass adds d.
func (c *Clock) Pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.added += d
}

// Script is an Apple that answers at once, as the test tells it. The zero value accepts every push.
type Script struct {
	mu     sync.Mutex // guards both
	answer func(push.Push) (status int, reason string)
	pushes []Sent
}

// Sent is a push that the Script got, and when.
type Sent struct {
	push.Push
	At time.Time
}

// Push answers a push a second after it was sent.
func (s *Script) Push(_ context.Context, _ *push.Key, p push.Push) push.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	s.pushes = append(s.pushes, Sent{p, now})
	status, reason := 200, ""
	if s.answer != nil {
		status, reason = s.answer(p)
	}
	return push.Answer{
		APNsID: p.APNsID, Environment: p.Environment, Status: status, Reason: reason, Tries: 1,
		SentAt: now, AnsweredAt: now.Add(time.Second),
	}
}

// Say answers every push from now on alike.
func (s *Script) Say(status int, reason string) {
	s.SayEach(func(push.Push) (int, string) { return status, reason })
}

// SayEach answers every push from now on as answer says; answer is not called by two at once.
func (s *Script) SayEach(answer func(push.Push) (status int, reason string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Pushes lists what was pushed so far.
func (s *Script) Pushes() []Sent {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.pushes)
}
