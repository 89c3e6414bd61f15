package store

import (
	"testing"
	"time"
)

// TestSteady: a node finds that others are lost only while it reaches the database without a gap.
func TestSteady(t *testing.T) {
	t.Parallel()
	var b beats
	at := time.Now()
	expect := func(when string, steady, returned bool) {
		t.Helper()
		if got := b.steady(at); got != steady {
			t.Errorf("%s steady is %t", when, got)
		}
		if got := b.returned(at); got != returned {
			t.Errorf("%s returned is %t", when, got)
		}
	}
	beat := func(n int, pause time.Duration, lived bool) {
		for range n {
			at = at.Add(pause)
			b.add(at, lived)
		}
	}
	expect("before the first heartbeat", false, false)
	beat(1, time.Second, true)
	expect("after the first", false, false)
	beat(7, time.Second, true)
	expect("after seven seconds", true, false)
	beat(1, 3*time.Second, true)
	expect("after a short gap", true, false)
	at = at.Add(gapMost + time.Second)
	expect("while a heartbeat does not come through", false, false)
	beat(1, 0, true)
	expect("after a long gap", false, true)
	beat(6, time.Second, true)
	expect("six seconds later", false, true)
	beat(1, time.Second, true)
	expect("after NodeGone", true, false)
	beat(1, time.Second, false)
	expect("after it counted as gone", false, true)
}
