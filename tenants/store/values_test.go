package store

import (
	"testing"
	"time"
)

// TestWhatAnAttemptCameTo: when a ring counts as over, and what its phone said, from the columns of
// its row.
func TestWhatAnAttemptCameTo(t *testing.T) {
	t.Parallel()
	const second = int64(time.Second / time.Microsecond)
	const placed = 1_700_000_000 * second
	row := func(ttl, lived, said int64) outcomeRow {
		r := outcomeRow{Created: placed, ExpiresAt: placed + ttl*second, Said: said}
		if lived >= 0 {
			r.EndedAt = placed + lived*second
		}
		return r
	}
	for name, c := range map[string]struct {
		r                    outcomeRow
		now                  int64 // seconds after it was placed
		over, woke, reported bool
		quiet                bool
	}{
		"rings":                        {row(30, -1, saidNothing), 29, false, false, false, false},
		"its time is up":               {row(30, -1, saidNothing), 30, true, false, false, false},
		"cancelled after 5 s":          {row(30, 5, saidNothing), 6, true, false, false, false},
		"cancelled after 4 s":          {row(30, 4, saidNothing), 60, false, false, false, false},
		"short, and lived out":         {row(3, 3, saidNothing), 60, true, false, false, false},
		"short, and cancelled":         {row(3, 2, saidNothing), 60, false, false, false, false},
		"woke":                         {row(30, 30, saidWoke), 60, true, true, false, false},
		"shown":                        {row(30, 30, saidMore), 60, true, true, true, false},
		"silenced":                     {row(30, 30, saidQuiet), 60, true, true, true, true},
		"ended before it was answered": {row(30, 0, saidNothing), 60, false, false, false, false},
	} {
		o := c.r.noun(placed + c.now*second)
		if o.Over != c.over || o.Woke != c.woke || o.Reported != c.reported || o.Quiet != c.quiet {
			t.Errorf("%s: %+v", name, o)
		}
	}
}

func TestWholeHours(t *testing.T) {
	t.Parallel()
	for at, want := range map[int64]int64{0: 0, 1: 0, hour - 1: 0, hour: hour, hour + 1: hour, -1: -hour, -hour: -hour,
		-hour - 1: -2 * hour} {
		if got := floor(at, hour); got != want {
			t.Errorf("the hour of %d begins at %d, want %d", at, got, want)
		}
	}
	for n := 1; n <= sizes[0]; n++ {
		got := sizeFor(n)
		for _, size := range sizes {
			if size >= n && size < got {
				t.Errorf("a statement for %d has %d places, and one of %d would do", n, got, size)
			}
		}
		if got < n {
			t.Errorf("a statement for %d has %d places", n, got)
		}
	}
	for digits, want := range map[string]string{"0190aaaa00007000800000000000a1": "",
		"0190aaaa0000700080000000000000a1": "0190aaaa-0000-7000-8000-0000000000a1",
		"00000000000000000000000000000000": "", "": ""} {
		if got := agentOf(digits); got != want {
			t.Errorf("the agent %q is %q, want %q", digits, got, want)
		}
	}
	for _, c := range [][3]string{{"hour", "3600000000", "1970-01-01T01:00:00Z"}, {"day", "86400000000", "1970-01-02"}, {"", "x", "x"},
		{"app_version", "86400000000", "86400000000"}, {"day", "x", "x"}} {
		if got := label(c[0], c[1]); got != c[2] {
			t.Errorf("the %s %s is shown as %q, want %q", c[0], c[1], got, c[2])
		}
	}
}
