package switchboard

import (
	"testing"
	"time"

	"carillon/tenants"
)

// TestRecentForgets: what ended is remembered for a minute at least, and not for ever.
func TestRecentForgets(t *testing.T) {
	t.Parallel()
	var r recent[string]
	if r.has("a") {
		t.Error("something is remembered of nothing")
	}
	now := time.Unix(1_700_000_000, 0)
	for _, c := range []struct {
		after time.Duration
		note  string
		has   string
		n     int
	}{
		{0, "a", "a", 1}, {30 * time.Second, "b", "ab", 2}, {time.Minute, "c", "abc", 3}, // a was noted just a minute ago
		{time.Minute + 1, "d", "bcd", 3}, {2 * time.Minute, "e", "bcde", 4}, {2*time.Minute + 2, "f", "ef", 2},
	} {
		r.note(c.note, now.Add(c.after))
		for _, key := range c.has {
			if !r.has(string(key)) {
				t.Errorf("%v: %c is forgotten", c.after, key)
			}
		}
		if len(r.at) != c.n {
			t.Errorf("%v: %d are remembered, want %d", c.after, len(r.at), c.n)
		}
	}
	r.drop("e")
	if r.has("e") || !r.has("f") {
		t.Error("not e alone was dropped")
	}
}

// TestLateWritesAreBounded: what waits for the disk is counted, found by its ring, and stays in
// order.
func TestLateWritesAreBounded(t *testing.T) {
	t.Parallel()
	var l lateWrites
	if _, ok := l.first(); ok || l.has("r") {
		t.Error("something waits in an empty list")
	}
	for range lateMost - 1 {
		if !l.add(lateWrite{ring: "r"}) {
			t.Fatal("a write is refused while there is room")
		}
	}
	if !l.add(lateWrite{ring: "last"}) || l.add(lateWrite{ring: "more"}) {
		t.Errorf("the bound of %d does not hold", lateMost)
	}
	if !l.has("r") || !l.has("last") || l.has("more") {
		t.Error("a ring whose end waits is not found, or one that does not wait is")
	}
	l.drop()
	if w, ok := l.first(); !ok || w.ring != "r" || len(l.list) != lateMost-1 {
		t.Errorf("after one was stored: %s first of %d", w.ring, len(l.list))
	}
}

// TestTurnsThatWereReserved: pushes keep the turns of their rings' commits, whichever comes first.
func TestTurnsThatWereReserved(t *testing.T) {
	t.Parallel()
	const apart = 500 * time.Millisecond
	now := time.Unix(1_700_000_000, 0)
	var s spacing
	from, reserved := s.turns(now, apart)("a")
	if !from.Equal(now) || reserved != apart+turnSpare {
		t.Errorf("the first turn is at %v for %v", from, reserved)
	}
	first, second := now, now.Add(reserved) // as the database gives them
	for _, at := range []time.Time{second, first} {
		if !s.keeps("a", at, now.Add(turnSpare/2), apart) {
			t.Errorf("the turn at %v does not hold", at.Sub(now))
		}
	}
	if from, _ := s.turns(now, apart)("a"); !from.Equal(second.Add(apart)) {
		t.Errorf("a later ring may push after %v", from.Sub(now))
	}
	if s.keeps("a", time.Time{}, now, apart) || s.keeps("b", now, now.Add(turnSpare+1), apart) {
		t.Error("a turn that nobody reserved, or one that is over, holds")
	}
	s.slow("a", now)
	if s.keeps("a", second, now, apart) {
		t.Error("a turn holds although Apple asked for a pause")
	}
	if _, apart := s.turns(now, apart)("a"); apart != 0 {
		t.Error("a turn is reserved although Apple asked for a pause")
	}
}

// TestSpacingIsForgottenOnceAMinute: devices are looked through once a
// minute and not for each push.
func TestSpacingIsForgottenOnceAMinute(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_700_000_000, 0)
	var s spacing
	turn := func(d tenants.DeviceID, after time.Duration, want int) {
		t.Helper()
		s.turn(d, now.Add(after), time.Second)
		if len(s.of) != want {
			t.Errorf("%v: %d devices are remembered, want %d", after, len(s.of), want)
		}
	}
	turn("a", 0, 1)
	turn("b", 59*time.Second, 2)
	turn("c", 61*time.Second, 3)            // free since a minute, and no longer
	turn("d", 120*time.Second, 4)           // looked through a minute ago, and not again yet
	turn("e", 121*time.Second, 3)           // a and b are forgotten
	turn("f", -time.Hour, 4)                // the clock was set back
	turn("g", -time.Hour+90*time.Second, 4) // f is forgotten, the others are of the future
	turn("h", 10*time.Minute, 1)
}
