package console

import (
	"context"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// figures keeps what was counted for a few seconds, so that a page that many look at is counted once. Each entry belongs to one
// tenant; a full table is emptied.
type figures struct {
	now func() time.Time

	mu   sync.Mutex // guards kept
	kept map[figure]counted
}

// figure names a count. back is how far it reaches, by how it is grouped, keep how long it is good.
type figure struct {
	tenant tenants.TenantID
	name   string // tells apart what reaches as far
	back   time.Duration
	by     string
	keep   time.Duration
}

type counted struct {
	rows  []store.FunnelRow // read only
	until time.Time
}

const mostFigures = 4096

func newFigures(now func() time.Time) *figures {
	return &figures{now: now, kept: map[figure]counted{}}
}

// of counts, or gives what was counted a moment ago.
func (f *figures) of(ctx context.Context, s *store.Scope, want figure) ([]store.FunnelRow, error) {
	now := f.now()
	f.mu.Lock()
	have, ok := f.kept[want]
	f.mu.Unlock()
	if ok && now.Before(have.until) {
		return have.rows, nil
	}
	rows, err := s.Funnel(ctx, now.Add(-want.back), time.Time{}, want.by)
	if err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.kept) >= mostFigures {
		clear(f.kept)
	}
	f.kept[want] = counted{rows: rows, until: now.Add(want.keep)}
	return rows, nil
}
