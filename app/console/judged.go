package console

import (
	"context"
	"sync"
	"time"

	"carillon/app/health"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// judgements keeps how a tenant's phones do for a moment: judging reads the outcomes of the latest
// 2,000 rings, and a page that many look at must not read them for each.
type judgements struct {
	now  func() time.Time
	kept table[tenants.TenantID, judgement]
}

// judgement is one tenant's.
type judgement struct {
	mu    sync.Mutex // guards below
	is    phones
	until time.Time // when it is stale
}

// judgedFor is how old a judgement may be. Rings last half a minute; nothing is missed.
const judgedFor = 10 * time.Second

func newJudgements(now func() time.Time) *judgements {
	return &judgements{now: now}
}

// phones is how a tenant's phones and the versions of its app do. It is read only.
type phones struct {
	histories []tenants.WakeHistory // the worst first
	of        map[tenants.DeviceID]tenants.WakeHistory
	versions  []tenants.WakeHealth
}

// status is the verdict about a phone: every page takes it from here.
func (p phones) status(d tenants.Device, now time.Time) tenants.PhoneStatus {
	return tenants.StatusOfPhone(d, p.of[d.ID], now)
}

// of judges, or gives what was judged a moment ago.
func (j *judgements) of(ctx context.Context, t tenants.TenantID, s *store.Scope) (phones, error) {
	e := j.kept.entry(t)
	e.mu.Lock()
	defer e.mu.Unlock()
	now := j.now()
	if now.Before(e.until) {
		return e.is, nil
	}
	histories, versions, err := health.Phones(ctx, s, now)
	if err != nil {
		return phones{}, err
	}
	of := map[tenants.DeviceID]tenants.WakeHistory{}
	for _, h := range histories {
		of[h.Device] = h
	}
	e.is, e.until = phones{histories, of, versions}, now.Add(judgedFor)
	return e.is, nil
}

// phoneTones are the colours of the verdicts about a phone.
var phoneTones = map[tenants.PhoneState]views.Tone{
	tenants.PhoneRemoved: views.ToneBad, tenants.PhoneBlocked: views.ToneBad, tenants.PhoneUnshown: views.ToneBad,
	tenants.PhoneSilenced: views.ToneWarn, tenants.PhoneNoReply: views.ToneWarn, tenants.PhoneNotSeen: views.ToneWarn,
	tenants.PhoneUntested: views.ToneNeutral, tenants.PhoneReady: views.ToneGood,
}
