package tenants_test

import (
	"testing"
	"time"

	"carillon/tenants"
)

// TestTalked: from the first sound to the last, whatever came before and after.
func TestTalked(t *testing.T) {
	t.Parallel()
	at := func(s int) time.Time {
		if s < 0 {
			return time.Time{}
		}
		return time.Unix(1_700_000_000+int64(s), 0)
	}
	for name, row := range map[string]struct {
		connected, last, ended int // seconds after the answer; -1 = never
		want                   time.Duration
		ok                     bool
	}{
		"talked to the end":        {1, 60, 60, 59 * time.Second, true},
		"lost 20 s before the end": {1, 40, 60, 39 * time.Second, true},
		"the last sound unknown":   {1, -1, 60, 59 * time.Second, true},
		"a sound after the end":    {1, 61, 60, 59 * time.Second, true},
		"one packet":               {1, 1, 60, 0, true},
		"a clock that jumped":      {5, 4, 60, 0, true},
		"never a sound":            {-1, -1, 60, 0, false},
		"still talking":            {1, 30, -1, 0, false},
	} {
		c := tenants.Call{AnsweredAt: at(0), ConnectedAt: at(row.connected), LastSoundAt: at(row.last), EndedAt: at(row.ended)}
		if got, ok := c.Talked(); got != row.want || ok != row.ok {
			t.Errorf("%s: %v %v", name, got, ok)
		}
	}
}
