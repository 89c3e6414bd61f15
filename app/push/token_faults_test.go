package push_test

import (
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// mostPushes is how often Apple may see one ring that it does not answer.
const mostPushes = 4

// pushedTo counts what Apple got for each apns-id of the device tokens that ok accepts.
func pushedTo(a *apnstest.Apple, ok func(token string) bool) map[string]int {
	times := map[string]int{}
	for _, d := range a.Delivered() {
		if ok(d.Token) {
			times[d.APNsID]++
		}
	}
	return times
}

// TestFailuresOfATokenAreItsOwn: ten phones whose pushes fail by themselves, among 800 rings of
// others. The others do not wait, and nobody's ring is pushed often.
func TestFailuresOfATokenAreItsOwn(t *testing.T) {
	t.Parallel()
	for name, answer := range map[string]apnstest.Answer{
		"the stream is cut":     {Reset: true},
		"no answer":             {Silent: true},
		"the connection is cut": {Cut: true},
		"a fault of Apple's":    apnstest.Refusal("InternalServerError"),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			withinTime(t, 700*time.Millisecond*slack, func(t *testing.T) time.Duration {
				a := apple(t, apnstest.Config{})
				a.SetLatency(apnstest.Fixed(5 * time.Millisecond))
				s := sender(t, a, func(c *push.Config) { c.AnswerTimeout = 200 * time.Millisecond })
				k := key(t, a, team, kid, nil)
				bad := map[string]bool{}
				for i := range 10 {
					token := strings.Repeat(fmt.Sprintf("c%x", i), 32)
					bad[token] = true
					a.Always(token, answer)
				}
				if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
					t.Fatalf("%+v", w)
				}
				f := flow(t, s, k, 5*time.Millisecond)
				var group sync.WaitGroup
				for token := range bad {
					group.Go(func() {
						for range 3 {
							p := ring(t, 8*time.Second)
							p.Token = token
							if w := s.Push(t.Context(), k, p); w.OK() || w.Tries > mostPushes {
								t.Errorf("%+v", w)
							}
						}
					})
				}
				waitUntil(t, "800 rings", func() bool { return f.sent.Load() >= 800 })
				slowest := f.end()
				t.Logf("slowest %v, %+v", slowest, s.Stats())
				group.Wait()
				for id, n := range pushedTo(a, func(string) bool { return true }) {
					if n > mostPushes {
						t.Errorf("%s was pushed %d times", id, n)
					}
				}
				checkRules(t, a)
				return slowest
			})
		})
	}
}

// TestTrialsGoToTheHealthy: Apple fails for everybody, then works again, but not for some phones.
// The breaker must not choose those to find out.
func TestTrialsGoToTheHealthy(t *testing.T) {
	t.Parallel()
	withinTime(t, 1500*time.Millisecond*slack, func(t *testing.T) time.Duration {
		a := apple(t, apnstest.Config{})
		s := sender(t, a, func(c *push.Config) { serverConfig(c); c.AnswerTimeout = time.Second })
		k := key(t, a, team, kid, nil)
		var group sync.WaitGroup
		for i := range 10 {
			token := strings.Repeat(fmt.Sprintf("c%x", i), 32)
			a.Always(token, apnstest.Answer{Silent: true})
			p := ring(t, 10*time.Second)
			p.Token = token
			group.Go(func() { s.Push(t.Context(), k, p) })
		}
		ends := time.Now().Add(time.Second)
		a.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: ends})
		burst(t, s, k, 50, ringTime)
		late := time.Since(ends)
		t.Logf("all pushed %v after the storm", late)
		s.Close()
		group.Wait()
		return late
	})
}

// TestSlowAppleGetsEachRingOnce: an Apple that takes as long as AnswerTimeout, a cold connection
// and no hedging. Slow is not lost.
func TestSlowAppleGetsEachRingOnce(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	const takes = 500 * time.Millisecond * slack
	a.SetLatency(apnstest.Fixed(takes))
	s, k := sender(t, a, func(c *push.Config) { c.AnswerTimeout = takes }), key(t, a, team, kid, nil)
	var repeated atomic.Int64
	var group sync.WaitGroup
	for range 40 {
		p := ring(t, ringTime)
		p.NoHedge = true
		group.Go(func() {
			if w := s.Push(t.Context(), k, p); !w.OK() || w.Tries != 1 {
				repeated.Add(1)
			}
		})
	}
	group.Wait()
	if n := repeated.Load(); n > 0 || a.Total() != 40 {
		t.Errorf("%d of 40 rings were pushed more than once, %d pushes, %+v", n, a.Total(), s.Stats())
	}
	checkRules(t, a)
}

// TestStuckStreamIsSentAgain: one stream is lost inside a working connection, and others are
// answered meanwhile. The ring goes out again.
func TestStuckStreamIsSentAgain(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, func(c *push.Config) { c.AnswerTimeout = 200 * time.Millisecond * slack })
	k := key(t, a, team, kid, nil)
	f := flow(t, s, k, 20*time.Millisecond)
	lost := ring(t, ringTime)
	lost.Token = strings.Repeat("cd", 32)
	a.Script(lost.Token, apnstest.Answer{Silent: true})
	if w := s.Push(t.Context(), k, lost); !w.OK() || w.Tries < 2 || w.Tries > mostPushes { // a slow machine loses it again
		t.Errorf("%+v", w)
	}
	f.end()
}

// TestSpentPushIsNotSent: what earlier calls wrote counts.
func TestSpentPushIsNotSent(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	for tried := range mostPushes + 2 {
		p := ring(t, 5*time.Second)
		p.Token, p.Tried = strings.Repeat("cd", 32), tried
		a.Always(p.Token, apnstest.Answer{Reset: true})
		w := s.Push(t.Context(), k, p)
		if w.Err == nil || w.Tries != max(0, mostPushes-tried) {
			t.Errorf("after %d: %+v", tried, w)
		}
	}
}
