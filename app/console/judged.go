package console

import (
	"context"
	"sync"
	"time"

	"carillon/app/health"
	"carillon/tenants"
	"carillon/tenants/store"
)

// judgements keeps how a tenant's phones do for a moment: judging reads the outcomes of the latest
// 2,000 rings, and a page that many look at must not read them for each.
type judgements struct {
	now  func() time.Time
	kept table[tenants.TenantID, judgement]
}

// judgement is one tenant's.
type judgement struct {
	mu     sync.Mutex            // guards below
	phones []tenants.WakeHistory // read only
	apps   []tenants.WakeHealth
	until  time.Time // when it is stale
}

// judgedFor is how old a judgement may be. Rings last half a minute; nothing is missed.
const judgedFor = 10 * time.Second

func newJudgements(now func() time.Time) *judgements {
	return &judgements{now: now}
}

// of judges, or gives what was judged a moment ago.
func (j *judgements) of(ctx context.Context, t tenants.TenantID, s *store.Scope) ([]tenants.WakeHistory, []tenants.WakeHealth, error) {
	e := j.kept.entry(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := j.now()
	if now.Before(e.until) {
		return e.phones, e.apps, nil
	}
	phones, apps, err := health.Phones(ctx, s, now)
	if err != nil {
		return nil, nil, err
	}
	e.phones, e.apps, e.until = phones, apps, now.Add(judgedFor)
	return phones, apps, nil
}
