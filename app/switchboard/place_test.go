package switchboard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestABoardNamesThePartsItLacks(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	for name, drop := range map[string]func(*switchboard.Config){
		"Store": func(c *switchboard.Config) { c.Store = nil }, "Push": func(c *switchboard.Config) { c.Push = nil },
		"Keys": func(c *switchboard.Config) { c.Keys = nil }, "Health": func(c *switchboard.Config) { c.Health = nil },
		"Bus": func(c *switchboard.Config) { c.Bus = nil }, "Now": func(c *switchboard.Config) { c.Now = nil },
		"Log":    func(c *switchboard.Config) { c.Log = nil },
		"Agents": func(c *switchboard.Config) { c.Media = &mediaCounter{} },
		"Media": func(c *switchboard.Config) {
			c.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) { return nil, nil }
		},
	} {
		c := w.config
		drop(&c)
		if _, err := switchboard.New(c); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("without %s: %v", name, err)
		}
	}
}

// TestWhatARingTakesFromItsTenantAndAgent: what the request leaves out.
func TestWhatARingTakesFromItsTenantAndAgent(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, nil)
	w.clock.Stop()
	d := w.device("")
	agent := tenants.Agent{ID: tenants.NewID[tenants.AgentID](w.clock.Now()), Name: "Reception", Kind: tenants.Builtin,
		Caller:    "Salon Lind",
		CreatedAt: w.clock.Now()}
	must(t, w.scope.Agents().Add(t.Context(), agent))
	plain := w.caller
	w.caller.Tenant.DefaultAgent, w.caller.Tenant.RingTTL = agent.ID, 20*time.Second
	none := w.caller
	none.Tenant.RingTTL = 0
	test, button := plain, plain
	test.Test, button.Trial = true, true
	sandbox := tenants.Device{Environment: tenants.Sandbox}
	for name, c := range map[string]struct {
		as    switchboard.Caller
		ask   tenants.Request
		agent tenants.AgentID
		says  string
		ttl   time.Duration
		test  bool
	}{
		"nothing set":  {plain, tenants.Request{}, "", "", 30 * time.Second, false},
		"the tenant's": {w.caller, tenants.Request{}, agent.ID, "Salon Lind", 20 * time.Second, false},
		"the request's": {w.caller, tenants.Request{Caller: "Lea", TTL: 7 * time.Second}, agent.ID, "Lea",
			7 * time.Second, false},
		"the request's agent":      {plain, tenants.Request{Agent: agent.ID}, agent.ID, "Salon Lind", 30 * time.Second, false},
		"a tenant without its own": {none, tenants.Request{}, agent.ID, "Salon Lind", 30 * time.Second, false},
		"a test key":               {test, tenants.Request{}, "", "", 30 * time.Second, true},
		"the test button":          {button, tenants.Request{}, "", "", 30 * time.Second, true},
	} {
		c.ask.To = tenants.To{Device: d.ID}
		if c.as.Test {
			s := w.deviceAs(sandbox)
			c.ask.To = tenants.To{Device: s.ID}
		}
		r, _, err := w.board.Place(t.Context(), c.as, c.ask, store.Idempotency{})
		must(t, err)
		if r.Agent != c.agent || r.Caller != c.says || r.ExpiresAt.Sub(r.CreatedAt) != c.ttl || r.Test != c.test {
			t.Errorf("%s: agent %q, caller %q, %v, test %t", name, r.Agent, r.Caller, r.ExpiresAt.Sub(r.CreatedAt), r.Test)
		}
	}
}

// TestARefusedPhoneKeepsNoOther: a person's disabled phone is left out, and the others ring.
func TestARefusedPhoneKeepsNoOther(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, nil)
	one, two := w.device("ada"), w.device("ada")
	for _, off := range []tenants.Device{one, two} {
		_, err := w.scope.Devices().Disable(t.Context(), off.ID, "Unregistered", w.clock.Now().Add(time.Hour))
		must(t, err)
		third := w.device("ada")
		r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
		if _, rung := r.AttemptOf(off.ID); rung || len(r.Attempts) == 0 {
			t.Errorf("%d phones are rung, the disabled one %t", len(r.Attempts), rung)
		}
		if _, rung := r.AttemptOf(third.ID); !rung {
			t.Error("a phone after the disabled one is not rung")
		}
	}
	w.settle()
	if n := len(apple.Pushes()); n != 2+2 {
		t.Errorf("%d pushes", n)
	}
}

// TestPhonesRemovedWhileTheirRingIsPlaced: each of them leaves it, wherever it is in the list.
func TestPhonesRemovedWhileTheirRingIsPlaced(t *testing.T) {
	t.Parallel()
	for name, removed := range map[string][]int{"the last": {2}, "the first and the last": {0, 2}, "all": {0, 1, 2}} {
		w, apple := scripted(t, nil)
		d := []tenants.Device{w.device("ada"), w.device("ada"), w.device("ada")}
		r, err := w.board.PlaceAround(t.Context(), w.caller, tenants.Request{To: tenants.To{Person: "ada"}}, func() {
			for _, i := range removed {
				must(t, w.board.RemoveDevice(t.Context(), w.caller, d[i].ID))
			}
		})
		must(t, err)
		for i := range d {
			a, _ := r.AttemptOf(d[i].ID)
			if (a.State == tenants.Failed) != slices.Contains(removed, i) {
				t.Errorf("%s: phone %d is %s", name, i, a.State)
			}
		}
		w.settle()
		if n := len(apple.Pushes()); n > len(d) || len(removed) == len(d) && r.State != tenants.Failed {
			t.Errorf("%s: %d pushes, the ring is %s", name, n, r.State)
		}
	}
}

// meter counts.
type meter struct {
	mu              sync.Mutex // guards the rest
	pushed, limited int
	samples         []gateway.Sample
}

func (m *meter) Pushed(tenants.AttemptID, push.Answer) { m.mu.Lock(); m.pushed++; m.mu.Unlock() }
func (m *meter) Limited()                              { m.mu.Lock(); m.limited++; m.mu.Unlock() }

func (m *meter) Sampled(s gateway.Sample) {
	m.mu.Lock()
	m.samples = append(m.samples, s)
	m.mu.Unlock()
}

// TestRefusalsUseUpTheLimit: a program that rings nobody in a loop is slowed down too, and the
// refusal says whose limit it is.
func TestRefusalsUseUpTheLimit(t *testing.T) {
	t.Parallel()
	m := &meter{}
	w, _ := scripted(t, func(c *switchboard.Config) { c.RingsPerSecond, c.Meter = 2, m })
	w.clock.Stop()
	try := func(c switchboard.Caller, i store.Idempotency) *tenants.Error {
		_, _, err := w.board.Place(t.Context(), c, tenants.Request{To: tenants.To{Person: "nobody"}}, i)
		var e *tenants.Error
		if !errors.As(err, &e) {
			t.Fatal(err)
		}
		return e
	}
	slow := w.caller
	slow.PerSecond = 1
	for i, c := range []struct {
		as   switchboard.Caller
		code string
		says string
	}{
		{slow, "no_devices", ""}, {slow, "no_devices", ""}, {slow, "too_many_rings", "This key rings more than 1 times a second."},
		{w.caller, "no_devices", ""}, {w.caller, "no_devices", ""},
		{w.caller, "too_many_rings", "This account rings more than 2 times a second."},
	} {
		key := store.Idempotency{}
		if i%2 == 1 { // a key that made no ring changes nothing
			key = store.Idempotency{Key: strings.Repeat("k", i), Body: [32]byte{1}}
		}
		if e := try(c.as, key); e.Code != c.code || !strings.HasPrefix(e.Msg, c.says) {
			t.Errorf("try %d: %s %s", i+1, e.Code, e.Msg)
		}
	}
	if m.limited != 2 {
		t.Errorf("%d refusals are counted, want 2", m.limited)
	}
}

// blockedAudience holds the first request that tells it something until release.
type blockedAudience struct {
	began            atomic.Bool
	entered, release chan struct{}
}

func (b *blockedAudience) Recorded(*tenants.Ring, []tenants.Fact) {
	if b.began.CompareAndSwap(false, true) {
		close(b.entered)
		<-b.release
	}
}

// TestARepeatDuringTheFirstWaits: while the first request of an Idempotency-Key is answered, a
// second one gets Conflict; another tenant's and another key do not. Afterwards it gets the ring.
func TestARepeatDuringTheFirstWaits(t *testing.T) {
	t.Parallel()
	held := &blockedAudience{entered: make(chan struct{}), release: make(chan struct{})}
	w, apple := scripted(t, func(c *switchboard.Config) { c.Audiences = []switchboard.Audience{held} })
	d := w.device("")
	try := func(key string) (*tenants.Ring, bool, error) {
		return w.board.Place(t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}},
			store.Idempotency{Key: key, Body: [32]byte{1}})
	}
	var first *tenants.Ring
	done := make(chan error, 1)
	go func() {
		r, _, err := try("k")
		first = r
		done <- err
	}()
	w.wait(held.entered, "the first request")
	_, _, err := try("k")
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.Conflict || e.Code != "idempotency_in_flight" {
		t.Errorf("the second: %v", err)
	}
	if _, repeated, err := try("other"); err != nil || repeated {
		t.Errorf("another key: repeated %t, %v", repeated, err)
	}
	close(held.release)
	must(t, <-done)
	again, repeated, err := try("k")
	if err != nil || !repeated || again.ID != first.ID {
		t.Errorf("after the first: %v, repeated %t", err, repeated)
	}
	w.eventually("nothing is on its way, for a repeat pushes nothing", w.board.Idle)
	if n := len(apple.Pushes()); n != 2 {
		t.Errorf("%d pushes for two rings", n)
	}
}
