package store

import (
	"testing"
	"time"
)

// TestOffsets: New York's clock goes forward on 8 March 2026 and back on 1 November.
func TestOffsets(t *testing.T) {
	t.Parallel()
	zone, err := time.LoadLocation("America/New_York")
	if err != nil {
		t.Fatal(err)
	}
	at := func(month time.Month, day int) time.Time { return time.Date(2026, month, day, 0, 0, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		from, to time.Time
		want     []time.Duration
	}{
		"no change":     {at(3, 1), at(3, 7), []time.Duration{-5 * time.Hour}},
		"forward":       {at(3, 1), at(3, 15), []time.Duration{-5 * time.Hour, -4 * time.Hour}},
		"a whole year":  {at(3, 1), at(12, 1), []time.Duration{-5 * time.Hour, -4 * time.Hour, -5 * time.Hour}},
		"until now":     {at(3, 1), time.Time{}, []time.Duration{-5 * time.Hour, -4 * time.Hour}},
		"at the change": {time.Date(2026, 3, 8, 7, 0, 0, 0, time.UTC), at(3, 15), []time.Duration{-4 * time.Hour}},
	} {
		got := offsets(c.from, c.to, at(3, 20), zone)
		if len(got) != len(c.want) || !got[0].from.Equal(c.from) || !got[len(got)-1].to.Equal(c.to) {
			t.Errorf("%s: %v", name, got)
			continue
		}
		for i, part := range got {
			if part.offset != c.want[i] || i > 0 && !part.from.Equal(got[i-1].to) {
				t.Errorf("%s: part %d: %+v", name, i, part)
			}
		}
	}
	if got := offsets(at(3, 1), at(12, 1), at(3, 20), time.UTC); len(got) != 1 || got[0].offset != 0 {
		t.Errorf("UTC: %v", got)
	}
}
