package dev

import (
	"context"
	"errors"
	"math/rand/v2"
	"strconv"
	"sync"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// The history of a tenant: how far it reaches back, how many rings a working day has, and how many
// are written at once.
const (
	historyDays    = 30
	ringsADay      = 22
	historyWriters = 32
)

// weekly is how busy each day of the week is, from Sunday.
var weekly = [7]float64{0.15, 1.1, 1, 0.9, 1, 0.8, 0.35}

// The story of the history, in days ago. In between, the app of one phone had a version that woke
// and showed no call; later another phone spent a night in Focus. Both work again today, so that no
// page speaks of a fault that a test ring does not have.
const (
	brokeFrom, brokeUntil = 18, 9
	focusNight            = 3
	focusHour             = 19 // of the evening, until midnight
)

// past is what the rings of a history are about.
type past struct {
	scope      *store.Scope
	tenant     tenants.TenantID
	agent      tenants.Agent
	credential tenants.CredentialID
	key        tenants.Actor
	phones     []tenants.Device
	now        time.Time
	random     *rand.Rand
	pushes     tenants.PushIDs
}

// write writes the rings of the last thirty days, as they may have gone. They are over, so nothing
// is pushed.
func (p past) write(ctx context.Context) error {
	all := make(chan *tenants.Ring)
	errs := make([]error, historyWriters)
	var wg sync.WaitGroup
	for w := range historyWriters {
		wg.Go(func() {
			for r := range all {
				if errs[w] == nil {
					errs[w] = p.add(ctx, r)
				}
			}
		})
	}
	for ago := historyDays; ago >= 0; ago-- {
		midnight := p.now.UTC().Truncate(24*time.Hour).AddDate(0, 0, -ago)
		for n := int(ringsADay * weekly[midnight.Weekday()] * (0.8 + 0.4*p.random.Float64())); n > 0; n-- {
			at := midnight.Add(p.hour())
			if at.Before(p.now.Add(-10 * time.Minute)) {
				all <- p.ring(at, ago)
			}
		}
		if ago == focusNight {
			for i := range 5 {
				all <- p.ring(midnight.Add((focusHour+time.Duration(i))*time.Hour+time.Minute), ago)
			}
		}
	}
	close(all)
	wg.Wait()
	return errors.Join(append(errs, p.scope.Credentials().NoteUse(ctx, p.credential, p.now.Add(-time.Hour)))...)
}

// add writes a ring, and its call by a change of its own: a new ring has none.
func (p past) add(ctx context.Context, r *tenants.Ring) error {
	call := r.Call
	r.Call = nil
	_, err := p.scope.Rings().Add(ctx, r, store.Idempotency{}, time.Time{})
	if err != nil || call == nil {
		return err
	}
	_, _, err = p.scope.Rings().Change(ctx, r.ID, r, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call = call
		return nil, nil
	})
	return err
}

// hour is a time of day: most rings are placed in the morning and the afternoon, few in the
// evening.
func (p past) hour() time.Duration {
	middle := []float64{10, 10.5, 15, 15.5, 19}[p.random.IntN(5)]
	return time.Duration((middle + p.random.NormFloat64()*1.4) * float64(time.Hour))
}

// ring is one ring that is over.
func (p past) ring(at time.Time, ago int) *tenants.Ring {
	d := p.phones[p.random.IntN(len(p.phones))]
	if inFocus(at, ago) {
		d = p.phones[len(p.phones)-1]
	}
	steps := p.course(&d, at, ago)
	r := &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](at), Tenant: p.tenant, State: tenants.Placed, To: tenants.To{Device: d.ID}, Agent: p.agent.ID,
		Caller: p.agent.Caller, Reference: "case-" + strconv.Itoa(1000+p.random.IntN(9000)), By: p.key, CreatedAt: at,
		ExpiresAt: at.Add(tenants.DefaultTTL),
	}
	id := tenants.NewID[tenants.AttemptID](at)
	r.Attempts = []tenants.Attempt{{
		ID: id, Ring: r.ID, Device: d.ID, Credential: p.credential, State: tenants.Placed, AppVersion: d.AppVersion, OSVersion: d.OSVersion,
		Push: tenants.Push{APNsID: p.pushes.New(at), Topic: d.Topic(), Token: d.Token, Environment: tenants.Production, Tries: 1,
			Status: 200, SentAt: at.Add(2 * time.Millisecond), AnsweredAt: at.Add(p.between(20, 90))},
		Facts: []tenants.Fact{{Attempt: id, Kind: tenants.FactPlaced, At: at, Received: at}},
	}}
	when := at
	for _, s := range steps {
		if when = when.Add(p.between(s.least, s.most)); s.fact == tenants.FactExpired {
			when = r.ExpiresAt
		}
		if s.fact == tenants.FactAnswered {
			r.Call = &tenants.Call{Device: d.ID, AnsweredAt: when, EndedBy: "phone_hung_up", Jitter: p.between(2, 14),
				RoundTrip: p.between(25, 110), Loss: 0.004 * p.random.Float64()}
		}
		if s.fact == tenants.FactConnected {
			r.Call.ConnectedAt = when
		}
		if s.fact == tenants.FactHungUp {
			r.Call.EndedAt, r.Call.LastSoundAt = when, when
		}
		r.Fold(tenants.Fact{Attempt: id, Kind: s.fact, At: when, Received: when, Detail: s.detail})
	}
	return r
}

// step is a fact, and how many milliseconds after the one before it comes.
type step struct {
	fact        tenants.FactKind
	least, most int
	detail      string
}

// The courses that a ring may take.
var (
	pushed   = []step{{tenants.FactSent, 1, 4, ""}, {tenants.FactAccepted, 18, 90, ""}}
	woken    = append(pushed[:2:2], step{tenants.FactWoke, 180, 900, ""})
	shown    = append(woken[:3:3], step{tenants.FactShown, 30, 160, ""})
	answered = append(shown[:4:4], step{tenants.FactAnswered, 1800, 11_000, ""}, step{tenants.FactConnected, 250, 900, ""},
		step{tenants.FactHungUp, 20_000, 240_000, "phone_hung_up"})
	declined = append(shown[:4:4], step{tenants.FactDeclined, 1500, 9000, ""})
	missed   = append(shown[:4:4], step{tenants.FactExpired, 0, 1, ""})
	unshown  = append(woken[:3:3], step{tenants.FactExpired, 0, 1, ""})
	silenced = append(woken[:3:3], step{tenants.FactSilenced, 20, 80, "do_not_disturb"})
)

// course is how a ring to d goes. During the broken version d is as it was then.
func (p past) course(d *tenants.Device, at time.Time, ago int) []step {
	switch {
	case ago <= brokeFrom && ago > brokeUntil && d.ID == p.phones[1].ID:
		d.AppVersion = "0.9.0"
		return unshown
	case inFocus(at, ago):
		return silenced
	}
	switch n := p.random.IntN(100); {
	case n < 62:
		return answered
	case n < 76:
		return declined
	}
	return missed
}

// inFocus reports whether a ring falls into the night in Focus.
func inFocus(at time.Time, ago int) bool { return ago == focusNight && at.Hour() >= focusHour }

func (p past) between(least, most int) time.Duration {
	return time.Duration(least+p.random.IntN(max(1, most-least)))*time.Millisecond + time.Duration(p.random.IntN(1000))*time.Microsecond
}
