package switchboard_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// pusher is an Apple as a function.
type pusher func(context.Context, push.Push) push.Answer

func (p pusher) Push(ctx context.Context, _ *push.Key, q push.Push) push.Answer { return p(ctx, q) }

// TestASweepLeavesAPushOnItsWay: Apple is slow with one of two phones, and the sweep of the same
// process sends nothing twice.
func TestASweepLeavesAPushOnItsWay(t *testing.T) {
	t.Parallel()
	var pushes atomic.Int64
	hold := make(chan struct{})
	var slow string
	w, _ := scripted(t, func(c *switchboard.Config) {
		c.Push = pusher(func(_ context.Context, p push.Push) push.Answer {
			pushes.Add(1)
			if p.Token == slow {
				<-hold
			}
			return push.Answer{Status: 200, Tries: 1, SentAt: c.Now(), AnsweredAt: c.Now(), Environment: p.Environment}
		})
	})
	w.clock.Stop()
	quick, other := w.device("ada"), w.device("ada")
	slow = other.Token
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	w.until(r.ID, "pushed once", func(r *tenants.Ring) bool {
		a, _ := r.AttemptOf(quick.ID)
		return a.Has(tenants.FactAccepted)
	})
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	close(hold)
	w.settle()
	if n := pushes.Load(); n != 2 {
		t.Errorf("%d pushes for two phones", n)
	}
}

// failingKeys opens no credential until it works.
type failingKeys struct {
	switchboard.Keys
	work atomic.Bool
}

func (k *failingKeys) Key(ctx context.Context, t tenants.TenantID, id tenants.CredentialID) (*push.Key, error) {
	if !k.work.Load() {
		return nil, errors.New("the key cannot be opened")
	}
	return k.Keys.Key(ctx, t, id)
}

// TestAFaultOfOursIsTriedAgain: the sweep of the same process pushes what could not be pushed, for
// each phone.
func TestAFaultOfOursIsTriedAgain(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, nil)
	w.clock.Stop()
	keys := &failingKeys{Keys: w.credentials}
	w.config.Keys = keys
	w.reopen()
	w.device("ada")
	w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	w.eventually("both pushes failed", w.board.Idle)
	if n := len(apple.Pushes()); n != 0 {
		t.Fatalf("%d pushes without a key", n)
	}
	keys.work.Store(true)
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.settle()
	if n := len(apple.Pushes()); n != 2 {
		t.Errorf("%d pushes for two phones", n)
	}
	w.state(r.ID, tenants.Pushed)
}

// TestAPushThatIsCutOffIsSentByTheNext: the server stops while Apple has not answered; the next one
// sends the push once its lease has run out, and does not wait for the ring's end.
func TestAPushThatIsCutOffIsSentByTheNext(t *testing.T) {
	t.Parallel()
	begun := make(chan struct{})
	w, apple := scripted(t, func(c *switchboard.Config) {
		c.Push = pusher(func(ctx context.Context, _ push.Push) push.Answer {
			close(begun)
			<-ctx.Done()
			return push.Answer{Err: ctx.Err(), Tries: 1}
		})
	})
	w.clock.Stop()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.wait(begun, "the push")
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	must(t, w.board.Close(cut))
	w.config.Push = apple
	w.open()
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.settle()
	if sent := apple.Pushes(); len(sent) != 1 || sent[0].APNsID != r.Attempts[0].Push.APNsID {
		t.Errorf("pushed %+v", sent)
	}
	w.state(r.ID, tenants.Pushed)
}

// reactions counts what reaches the Reactor.
type reactions struct {
	switchboard.Reactor
	answered atomic.Int64
}

func (r *reactions) Answered(ctx context.Context, s *store.Scope, a tenants.Attempt, answer push.Answer) error {
	r.answered.Add(1)
	return r.Reactor.Answered(ctx, s, a, answer)
}

// TestWhatIsKeptOfApplesAnswer: how often the push was written, and which host took it. A push that
// was never written leaves nothing, and is not counted.
func TestWhatIsKeptOfApplesAnswer(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for name, c := range map[string]struct {
		answer  push.Answer
		tries   int
		host    tenants.Environment
		counted bool
	}{
		"accepted by the other host": {push.Answer{Status: 200, Tries: 3, SentAt: now, AnsweredAt: now, Environment: push.Sandbox}, 3,
			tenants.Sandbox, true},
		"refused, no host named": {push.Answer{Status: 410, Reason: "Unregistered", Tries: 1, SentAt: now, AnsweredAt: now}, 1,
			tenants.Auto, true},
		"no answer":                      {push.Answer{Tries: 2, SentAt: now, Err: context.DeadlineExceeded}, 2, tenants.Auto, true},
		"stopped before it was sent":     {push.Answer{Err: push.ErrEnough}, 0, tenants.Auto, false},
		"stopped after it was sent":      {push.Answer{Err: push.ErrEnough, Tries: 1, SentAt: now}, 1, tenants.Auto, true},
		"sent too often before":          {push.Answer{Err: push.ErrSpent}, 0, tenants.Auto, false},
		"no time left to send it at all": {push.Answer{Err: context.DeadlineExceeded}, 0, tenants.Auto, true},
	} {
		m := &meter{}
		w, _ := scripted(t, func(c *switchboard.Config) { c.Meter = m })
		seen := &reactions{Reactor: w.config.Health}
		w.config.Health = seen
		w.config.Push = pusher(func(context.Context, push.Push) push.Answer { return c.answer })
		w.reopen()
		d := w.deviceAs(tenants.Device{Environment: tenants.Auto})
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		w.settle()
		got, err := w.scope.Rings().Get(t.Context(), r.ID)
		must(t, err)
		if p := got.Attempts[0].Push; p.Tries != c.tries || p.Environment != c.host || p.Status != c.answer.Status ||
			p.Reason != c.answer.Reason {
			t.Errorf("%s: kept %+v", name, p)
		}
		if (m.pushed == 1) != c.counted || (seen.answered.Load() == 1) != c.counted {
			t.Errorf("%s: counted %d times, judged %d times", name, m.pushed, seen.answered.Load())
		}
	}
}
