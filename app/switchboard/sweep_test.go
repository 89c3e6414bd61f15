package switchboard_test

import (
	"database/sql"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// TestARingWhoseProcessDied is rung by the next one, with the same apns-id, and never after its
// time.
func TestARingWhoseProcessDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop() // leases run out with time
	d := w.device("")
	r := w.orphans(1, d)[0]
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 0 {
		t.Fatalf("swept before its lease ran out: %d pushes", n)
	}
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.state(r.ID, tenants.Pushed)
	if p := w.apple.Delivered(); len(p) != 1 || p[0].APNsID != r.Attempts[0].Push.APNsID {
		t.Fatalf("pushed %+v", p)
	}
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 1 {
		t.Errorf("an answered push was sent again: %d", n)
	}
	late := w.orphans(1, d)[0]
	w.clock.Pass(time.Minute)
	must(t, w.board.Sweep(t.Context()))
	if got := w.state(late.ID, tenants.Missed); got.EndReason != tenants.ReasonNotPushed {
		t.Errorf("ended by %s", got.EndReason)
	}
	if n := w.apple.Total(); n != 1 {
		t.Errorf("pushed after its time to live: %d", n)
	}
}

func TestACallWhoseServerDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	w.voice()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	call := w.dial(d, r)
	w.wait(call.Heard(), "the call: Heard")
	w.clock.Pass(20 * time.Second)
	must(t, w.board.Renew(t.Context()))
	w.clock.Pass(20 * time.Second)
	w.open() // a second process, which carries no call
	must(t, w.board.Sweep(t.Context()))
	if got, err := w.scope.Rings().Get(t.Context(), r.ID); err != nil || got.State != tenants.Answered {
		t.Fatalf("a renewed call was taken for dead: %s %v", got.State, err)
	}
	w.clock.Pass(20 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if got := w.state(r.ID, tenants.Failed); got.EndReason != tenants.ReasonBroken {
		t.Errorf("ended by %s", got.EndReason)
	}
}

// orphans adds rings to devices whose process died before it pushed them.
func (w *world) orphans(n int, devices ...tenants.Device) (rings []*tenants.Ring) {
	w.t.Helper()
	credentials, _, err := w.scope.Credentials().List(w.t.Context(), store.Page{})
	must(w.t, err)
	for range n {
		now := w.clock.Now()
		r := &tenants.Ring{
			ID: tenants.NewID[tenants.RingID](now), Tenant: w.caller.Tenant.ID, State: tenants.Placed,
			To: tenants.To{Device: devices[0].ID}, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
		}
		if len(devices) > 1 {
			r.To = tenants.To{Person: devices[0].Person}
		}
		for _, d := range devices {
			r.Attempts = append(r.Attempts, tenants.Attempt{
				ID: tenants.NewID[tenants.AttemptID](now), Device: d.ID, Credential: credentials[0].ID, State: tenants.Placed,
				Push: tenants.Push{APNsID: tenants.NewRandomID(), Topic: d.Topic(), Token: d.Token, Environment: tenants.Production},
			})
		}
		_, err := w.scope.Rings().Add(w.t.Context(), r, store.Idempotency{}, now.Add(3*time.Second))
		must(w.t, err)
		rings = append(rings, r)
	}
	return rings
}

// TestASweepTakesManyRingsAtOnce: after a long outage the rings that still have time are pushed and
// the others end, and a statement is not for one ring.
func TestASweepTakesManyRingsAtOnce(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	w, pushes := scripted(t, func(c *switchboard.Config) {
		c.Audiences = []switchboard.Audience{heardFacts{"", &mu, &all}}
	})
	w.clock.Stop()
	d := w.device("")
	late := w.orphans(150, d)
	w.clock.Pass(time.Minute)
	live := w.orphans(150, d)
	w.clock.Pass(4 * time.Second)
	before, swept := w.statements.Load(), make(chan struct{})
	pushes.SayEach(func(push.Push) (int, string) {
		<-swept // what follows an answer is not of the sweep
		return 200, ""
	})
	must(t, w.board.Sweep(t.Context()))
	needed := w.statements.Load() - before
	close(swept)
	w.settle()
	if needed > 250 {
		t.Errorf("%d statements for 300 rings", needed)
	}
	for _, r := range late {
		w.state(r.ID, tenants.Missed)
	}
	for _, r := range live {
		w.state(r.ID, tenants.Pushed)
	}
	mu.Lock()
	defer mu.Unlock()
	count := map[string]int{}
	for _, f := range all {
		count[f]++
	}
	if count[" accepted"] != 150 || count[" expired"] != 150 {
		t.Errorf("facts told: %v", count)
	}
}

// meanwhile does something at the first fact that it gets.
type meanwhile struct {
	once sync.Once
	do   func()
}

func (m *meanwhile) Recorded(*tenants.Ring, []tenants.Fact) { m.once.Do(m.do) }

// TestARingIsPushedWhileManyEnd: one whose lease ends while a long backlog of others ends does not
// wait for all of them.
func TestARingIsPushedWhileManyEnd(t *testing.T) {
	t.Parallel()
	heard := &meanwhile{do: func() {}}
	w, pushes := scripted(t, func(c *switchboard.Config) { c.Audiences = []switchboard.Audience{heard} })
	w.clock.Stop()
	d := w.device("")
	w.orphans(70, d)
	w.clock.Pass(time.Minute)
	live := w.orphans(1, d)[0]
	w.clock.Pass(2900 * time.Millisecond)
	heard.do = func() { w.clock.Pass(300 * time.Millisecond) }
	must(t, w.board.Sweep(t.Context()))
	w.settle()
	w.state(live.ID, tenants.Pushed)
	if n := len(pushes.Pushes()); n != 1 {
		t.Errorf("%d pushes", n)
	}
}

// TestAServerPushesAtOnceWhatTheOneBeforeDidNot: on SQLite nobody else can, so the leases of the
// server before are waited for no more.
func TestAServerPushesAtOnceWhatTheOneBeforeDidNot(t *testing.T) {
	t.Parallel()
	w, pushes := scripted(t, nil)
	w.clock.Stop()
	d := w.device("")
	pushed := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	left := w.orphans(2, d)
	w.open()
	n, err := w.store.Nodes().Inherit(t.Context())
	must(t, err)
	if n != 2 {
		t.Errorf("%d rings are due", n)
	}
	must(t, w.board.Sweep(t.Context()))
	w.settle()
	for _, r := range append(left, pushed) {
		w.state(r.ID, tenants.Pushed)
	}
	if n := len(pushes.Pushes()); n != 3 {
		t.Errorf("%d pushes of 3 rings", n)
	}
}

// TestAPersonsOtherPhoneIsPushedAfterACrash: Apple had answered for one of two phones.
func TestAPersonsOtherPhoneIsPushedAfterACrash(t *testing.T) {
	t.Parallel()
	w, pushes := scripted(t, nil)
	w.clock.Stop()
	one, other := w.device("ada"), w.device("ada")
	pushes.SayEach(func(p push.Push) (int, string) {
		if p.Token == other.Token {
			return 0, "" // no answer came
		}
		return 200, ""
	})
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	w.settle()
	pushes.Say(200, "")
	w.open() // a second process
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.settle()
	got, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	for _, d := range []tenants.Device{one, other} {
		if a, _ := got.AttemptOf(d.ID); a.Push.Status != 200 {
			t.Errorf("the push of %s was answered %d", d.Name, a.Push.Status)
		}
	}
	if n := len(pushes.Pushes()); n != 3 {
		t.Errorf("%d pushes, want 3", n)
	}
}

// TestARingThatCannotEndKeepsNoOther: one ring whose rows refuse the end of their time.
func TestARingThatCannotEndKeepsNoOther(t *testing.T) {
	t.Parallel()
	w, _ := scripted(t, nil)
	w.clock.Stop()
	rings := w.orphans(3, w.device(""))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(w.dir, "carillon.db"))
	must(t, err)
	defer db.Close()
	// The fact is there, under a tenant that does not see it, and the rows of a fact are unique.
	_, err = db.ExecContext(t.Context(), `
		INSERT INTO facts (tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, detail)
		SELECT x'', ring_id, attempt_id, 'expired', at, at, 0, 0, '' FROM facts ORDER BY seq LIMIT 1`)
	must(t, err)
	w.clock.Pass(time.Minute)
	if err := w.board.Sweep(t.Context()); err == nil || !strings.Contains(err.Error(), string(rings[0].ID)) {
		t.Errorf("the sweep says %v", err)
	}
	for _, r := range rings[1:] {
		w.state(r.ID, tenants.Missed)
	}
}

// TestAResumedPushKeepsItsCredentialsSetting: the setting is not stored with the ring.
func TestAResumedPushKeepsItsCredentialsSetting(t *testing.T) {
	t.Parallel()
	for _, direct := range []bool{true, false} {
		w, pushes := scripted(t, nil)
		w.clock.Stop()
		list, _, err := w.scope.Credentials().List(t.Context(), store.Page{})
		must(t, err)
		must(t, w.scope.Credentials().SetHedging(t.Context(), list[0].ID, !direct))
		must(t, w.scope.Credentials().SetProfile(t.Context(), list[0].ID, tenants.ProfileCallKeep))
		w.orphans(2, w.device(""), w.device(""))
		w.clock.Pass(4 * time.Second)
		must(t, w.board.Sweep(t.Context()))
		w.settle()
		if n := len(pushes.Pushes()); n != 4 {
			t.Errorf("%d pushes for two rings of two phones", n)
		}
		for _, p := range pushes.Pushes() {
			if p.NoHedge != direct {
				t.Errorf("without a second try: %t, the credential says %t", p.NoHedge, direct)
			}
			if !strings.Contains(string(p.Payload), `"callerName":`) {
				t.Errorf("the push of another profile: %s", p.Payload)
			}
		}
	}
}
