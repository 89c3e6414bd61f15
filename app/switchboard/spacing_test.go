package switchboard

import (
	"testing"
	"time"

	"carillon/app/push"
)

// TestADeviceThatAppleFindsPushedToTooOftenIsLeftAlone: each 429 doubles the pause, a success ends
// it.
func TestADeviceThatAppleFindsPushedToTooOftenIsLeftAlone(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	const usual = 500 * time.Millisecond
	var s spacing
	turn := func(want time.Duration) {
		t.Helper()
		if got, _ := s.turn("d", now, usual); got != want {
			t.Errorf("waits %v, want %v", got, want)
		}
	}
	s.slow("stranger", now) // of another process
	turn(0)
	turn(usual)
	turn(2 * usual)
	now = now.Add(time.Minute)
	turn(0)
	s.answered("d", push.Answer{Status: 410, Reason: "Unregistered"}, now) // which says nothing of the pace
	s.answered("d", push.Answer{}, now)
	s.answered("d", push.Answer{Status: 429, Reason: "TooManyRequests"}, now)
	turn(5 * time.Second)
	now = now.Add(5 * time.Second)
	s.slow("d", now)
	turn(10 * time.Second)
	for range 5 {
		now = now.Add(20 * time.Second)
		s.slow("d", now)
	}
	turn(20 * time.Second)
	now = now.Add(40 * time.Second)
	turn(0)
	s.answered("d", push.Answer{Status: 503, Reason: "ServiceUnavailable"}, now)
	now = now.Add(20 * time.Second)
	turn(0)
	s.answered("d", push.Answer{Status: 200}, now)
	now = now.Add(20 * time.Second)
	turn(0)
	turn(usual)
	if other, _ := s.turn("e", now, usual); other != 0 {
		t.Errorf("another device waits %v", other)
	}
	now = now.Add(3 * time.Minute)
	s.turn("e", now, usual)
	if len(s.of) != 1 {
		t.Errorf("%d devices are remembered", len(s.of))
	}
}
