package switchboard_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// TestNodes is what holds where two servers share a PostgreSQL.
func TestNodes(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	for name, test := range map[string]func(*testing.T, *pair){
		"a slow Apple":                   slowApple,
		"a server that was stopped":      stoppedServer,
		"a phone that reports elsewhere": reportsElsewhere,
		"a server that died":             deadServer,
		"a call that moved":              movedCall,
		"a holder that is stopped":       stoppedHolder,
		"calls of a node that is gone":   lostCalls,
		"agents that wait":               idleAgents,
		"facts recorded elsewhere":       feedOfBoth,
		"a step begun elsewhere":         nextStepElsewhere,
		"a step of a slow Apple":         stepOfASlowApple,
	} {
		t.Run(name, func(t *testing.T) { test(t, newPair(t, server.Migrated(t))) })
	}
}

// pair is two servers on one database, by one clock that stands still.
type pair struct {
	one, two *world
	a, b     *slow // the Apple of each
}

func newPair(t *testing.T, url string) *pair {
	t.Helper()
	p := &pair{one: newWorldOn(t, tenants.RealEstate, url), a: newSlow(), b: newSlow()}
	one := p.one
	one.clock.Stop()
	one.config.Push = p.a
	one.open()
	second, err := store.Open(t.Context(), one.storeConfig)
	must(t, err)
	t.Cleanup(func() { must(t, second.Close()) })
	two := &world{t: t, clock: one.clock, store: second, apple: one.apple, dir: one.dir, bundle: one.bundle, caller: one.caller,
		scope: second.For(one.caller.Tenant.ID).By(one.caller.Who), config: one.config}
	two.config.Store, two.config.Push, two.config.Bus = second, p.b, bus.New()
	two.open()
	p.two = two
	return p
}

// slow is an Apple that answers when the test says so.
type slow struct {
	came chan push.Push
	say  chan int

	mu    sync.Mutex // guards count
	count int
}

func newSlow() *slow {
	return &slow{came: make(chan push.Push, 100), say: make(chan int, 100)}
}

// Push waits for the answer.
func (s *slow) Push(ctx context.Context, _ *push.Key, p push.Push) push.Answer {
	s.mu.Lock()
	s.count++
	s.mu.Unlock()
	now := time.Now()
	s.came <- p
	select {
	case status := <-s.say:
		return push.Answer{APNsID: p.APNsID, Environment: p.Environment, Status: status, Tries: 1, SentAt: now, AnsweredAt: now,
			Reaction: push.ReactionTo(status, "")}
	case <-ctx.Done():
		return push.Answer{APNsID: p.APNsID, Err: ctx.Err()}
	}
}

func (s *slow) pushes() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.count
}

// next is the next push that it gets.
func (s *slow) next(t *testing.T) push.Push {
	t.Helper()
	select {
	case p := <-s.came:
		return p
	case <-time.After(time.Minute):
		t.Fatal("no push came")
	}
	return push.Push{}
}

// slowApple: while Apple takes its time, nobody else pushes the ring, however long that is.
func slowApple(t *testing.T, p *pair) {
	const rings = 12
	var all []*tenants.Ring
	for range rings {
		all = append(all, p.one.place(tenants.Request{To: tenants.To{Device: p.one.device("").ID}}))
	}
	for range rings {
		p.a.next(t)
	}
	for range 24 { // twelve seconds
		p.one.clock.Pass(500 * time.Millisecond)
		must(t, p.one.board.HoldPushes(t.Context()))
		must(t, p.two.board.Sweep(t.Context()))
		must(t, p.one.board.Sweep(t.Context()))
	}
	for range rings {
		p.a.say <- 200
	}
	for _, r := range all {
		p.one.state(r.ID, tenants.Pushed)
	}
	if n := p.a.pushes() + p.b.pushes(); n != rings {
		t.Errorf("%d pushes for %d rings", n, rings)
	}
	late := p.one.place(tenants.Request{To: tenants.To{Device: p.one.device("").ID}})
	p.a.next(t)
	for range 62 {
		p.one.clock.Pass(500 * time.Millisecond)
		must(t, p.one.board.HoldPushes(t.Context()))
		must(t, p.two.board.Sweep(t.Context()))
	}
	p.one.eventually("a ring whose push is still under way ends in time", func() bool {
		r, err := p.one.scope.Rings().Get(t.Context(), late.ID)
		must(t, err)
		return r.State == tenants.Missed && r.EndedAt.Sub(r.ExpiresAt) < time.Second
	})
	p.a.say <- 200
}

// stoppedServer: the rings of a server that was stopped are pushed by another one, and the first
// sends nothing more and overwrites nothing once it continues.
func stoppedServer(t *testing.T, p *pair) {
	r := p.one.place(tenants.Request{To: tenants.To{Device: p.one.device("").ID}})
	first := p.a.next(t)
	if first.Enough() || first.Over(t.Context(), 1) {
		t.Error("a push that just began is over")
	}
	p.one.clock.Pass(4 * time.Second) // the first server does nothing meanwhile
	if !first.Enough() {
		t.Error("a push may be sent although its lease is over")
	}
	must(t, p.two.board.Sweep(t.Context()))
	second := p.b.next(t)
	if second.APNsID != first.APNsID || second.Enough() || second.Over(t.Context(), 1) {
		t.Errorf("taken over with apns-id %s, it was %s", second.APNsID, first.APNsID)
	}
	must(t, p.one.board.HoldPushes(t.Context()))
	if !first.Enough() || !first.Over(t.Context(), 1) {
		t.Error("the first server may push what the second has taken over")
	}
	p.a.say <- 410
	p.one.settle()
	got, err := p.one.scope.Rings().Get(t.Context(), r.ID)
	if err != nil || got.State != tenants.Placed || got.Attempts[0].Push.Status != 0 {
		t.Errorf("the first server wrote over the second: %+v %v", got, err)
	}
	p.b.say <- 200
	p.two.state(r.ID, tenants.Pushed)
}

// reportsElsewhere: nothing more is sent once the phone has spoken, also through another server.
func reportsElsewhere(t *testing.T, p *pair) {
	d := p.one.device("")
	r := p.one.place(tenants.Request{To: tenants.To{Device: d.ID}})
	sent := p.a.next(t)
	p.two.report(d, r, tenants.FactShown)
	if !sent.Over(t.Context(), 1) || !sent.Enough() {
		t.Error("it is sent again after the phone has shown it")
	}
	other := p.one.place(tenants.Request{To: tenants.To{Device: p.one.device("").ID}})
	sent = p.a.next(t)
	_, err := p.two.board.Cancel(t.Context(), p.two.caller, other.ID)
	must(t, err)
	p.one.clock.Pass(200 * time.Millisecond)
	must(t, p.one.board.HoldPushes(t.Context()))
	if !sent.Enough() {
		t.Error("it is sent again after the ring was cancelled")
	}
	p.a.say <- 200
	p.a.say <- 200
}

// deadServer: the ring of a server that died is pushed at the end of its lease, once, by one of
// those that live.
func deadServer(t *testing.T, p *pair) {
	r := p.one.orphans(1, p.one.device(""))[0]
	p.one.clock.Pass(2 * time.Second)
	must(t, p.two.board.Sweep(t.Context()))
	if p.b.pushes() != 0 {
		t.Error("pushed before its lease was over")
	}
	p.one.clock.Pass(1100 * time.Millisecond)
	must(t, p.two.board.Sweep(t.Context()))
	must(t, p.one.board.Sweep(t.Context()))
	if sent := p.b.next(t); sent.APNsID != r.Attempts[0].Push.APNsID {
		t.Errorf("pushed as %s", sent.APNsID)
	}
	p.b.say <- 200
	p.two.state(r.ID, tenants.Pushed)
	if p.a.pushes() != 0 {
		t.Error("pushed by both")
	}
}

var _ switchboard.Pusher = (*slow)(nil)

// feedOfBoth: a reader of all facts on one node has those that the other one records, also without
// a hint.
func feedOfBoth(t *testing.T, p *pair) {
	from, err := p.one.scope.Feed().Newest(t.Context())
	must(t, err)
	heard := make(chan tenants.FactKind, 100)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() {
		done <- switchboard.NewFeed(p.one.board).Watch(ctx, p.one.caller.Tenant.ID, from, func(news switchboard.News) error {
			for _, f := range news.Facts {
				heard <- f.Fact.Kind
			}
			return nil
		})
	}()
	p.two.place(tenants.Request{To: tenants.To{Device: p.two.device("").ID}})
	p.b.next(t)
	p.b.say <- 200
	for _, want := range []tenants.FactKind{tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted} {
		select {
		case kind := <-heard:
			if kind != want {
				t.Errorf("heard %s, want %s", kind, want)
			}
		case <-time.After(time.Minute):
			t.Fatalf("never heard %s", want)
		}
	}
	stop()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
