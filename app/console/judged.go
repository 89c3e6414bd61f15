package console

import (
	"context"
	"sync"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// judgements keeps how a tenant's phones do for a moment: judging reads the outcomes of the latest 2,000 rings, and a page that many
// look at must not read them for each. A full table is emptied.
type judgements struct {
	now func() time.Time

	mu   sync.Mutex // guards kept
	kept map[tenants.TenantID]*judgement
}

// judgement is one tenant's. Whoever judges holds mu, so that others wait for the answer and do not judge too.
type judgement struct {
	mu     sync.Mutex       // guards below
	phones []tenants.Streak // read only
	apps   []tenants.AppWatch
	until  time.Time // when it is stale
}

// judgedFor is how old a judgement may be. Rings last half a minute; nothing is missed.
const judgedFor = 10 * time.Second

func newJudgements(now func() time.Time) *judgements {
	return &judgements{now: now, kept: map[tenants.TenantID]*judgement{}}
}

// of judges, or gives what was judged a moment ago.
func (j *judgements) of(ctx context.Context, t tenants.TenantID, s *store.Scope) ([]tenants.Streak, []tenants.AppWatch, error) {
	e := j.entry(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := j.now()
	if now.Before(e.until) {
		return e.phones, e.apps, nil
	}
	phones, apps, err := switchboard.CallKit(ctx, s, now)
	if err != nil {
		return nil, nil, err
	}
	e.phones, e.apps, e.until = phones, apps, now.Add(judgedFor)
	return phones, apps, nil
}

func (j *judgements) entry(t tenants.TenantID) *judgement {
	j.mu.Lock()
	defer j.mu.Unlock()
	e, ok := j.kept[t]
	if !ok {
		if len(j.kept) >= mostFigures {
			clear(j.kept)
		}
		e = &judgement{}
		j.kept[t] = e
	}
	return e
}
