package store

import (
	"testing"
	"time"

	"carillon/tenants"
)

// TestLastHits: what is kept is of one search of one tenant, on any page of it, for a second.
func TestLastHits(t *testing.T) {
	t.Parallel()
	var l lastHits
	now := time.Unix(1_700_000_000, 0)
	clock := &Clock{Zone: time.UTC, Hour: 8, Weekday: -1}
	q := RingQuery{Search: "lead-7", State: "missed", Clock: clock, After: "a", Limit: 50}
	l.keep("t", q, now, hits{n: 1200})
	page, other, state := q, q, q
	page.After, page.Upto, page.Limit, page.oldest, page.From = "", "b", 10, true, now
	other.Search, state.State = "lead-8", ""
	for what, c := range map[string]struct {
		tenant string
		query  RingQuery
		at     time.Time
		want   bool
	}{
		"another page":   {"t", page, now, true},
		"another tenant": {"u", q, now, false},
		"another search": {"t", other, now, false},
		"another state":  {"t", state, now, false},
		"later":          {"t", q, now.Add(hitsFor), false},
		"a clock back":   {"t", q, now.Add(-time.Minute), false},
	} {
		if h, ok := l.last(tenants.TenantID(c.tenant), c.query, c.at); ok != c.want || ok && h.n != 1200 {
			t.Errorf("%s: %v %d", what, ok, h.n)
		}
	}
}
