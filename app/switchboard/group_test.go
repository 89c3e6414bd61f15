package switchboard_test

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// group adds a group of persons and gives a request to ring it.
func (w *world) group(way tenants.Way, persons ...string) tenants.Request {
	w.t.Helper()
	now := w.clock.Now()
	g := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Name: "Night line", Way: way, StepSeconds: 20, CreatedAt: now}
	for _, p := range persons {
		g.Members = append(g.Members, tenants.GroupMember{Person: p})
	}
	must(w.t, w.scope.Groups().Add(w.t.Context(), g))
	return tenants.Request{To: tenants.To{Group: g.ID}}
}

// rung waits until n phones of the ring were rung and Apple answered for the last.
func (w *world) rung(id tenants.RingID, n int) *tenants.Ring {
	w.t.Helper()
	return w.until(id, "rung", func(r *tenants.Ring) bool { return len(r.Attempts) == n && r.Attempts[n-1].Push.Status == 200 })
}

func TestGroupOneAfterTheOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	ana, cem := w.device("ana"), w.device("cem")
	r := w.place(w.group(tenants.Sequential, "ana", "ben", "cem"))
	if r.To.Name != "Night line" || len(r.Attempts) != 1 || r.Attempts[0].Device != ana.ID || len(r.Steps) != 3 {
		t.Fatalf("placed: %+v", r)
	}
	if why := r.Steps[1].Reason; r.Steps[1].State != tenants.StepLeftOut || !strings.Contains(why, "no registered device") {
		t.Errorf("ben has no phone: %q", why)
	}
	if got := r.ExpiresAt.Sub(r.CreatedAt); got != 40*time.Second {
		t.Errorf("the ring lasts %s", got)
	}
	w.rung(r.ID, 1)
	w.report(ana, r, tenants.FactShown)
	w.report(ana, r, tenants.FactDeclined) // the next step begins at once
	r = w.rung(r.ID, 2)
	if r.Attempts[1].Device != cem.ID || r.State.Terminal() || r.Steps[2].State != tenants.StepRung {
		t.Fatalf("after ana declined: %+v", r)
	}
	var body struct{ Iat, Exp int64 }
	must(t, json.Unmarshal(w.apple.Delivered()[1].Payload, &body))
	if body.Exp-body.Iat != 20 {
		t.Errorf("the second push is good for %d s", body.Exp-body.Iat)
	}
	w.clock.Pass(20 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if r = w.state(r.ID, tenants.Declined); r.EndReason != tenants.ReasonDeclined {
		t.Errorf("ended by %s", r.EndReason)
	}
	if n := w.apple.Total(); n != 2 {
		t.Errorf("%d pushes", n)
	}
}

// The phones of the later persons are removed while the first rings: the ring ends with its step.
func TestGroupWhoseLaterPersonsAreGone(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	w.device("ana")
	ben, cem := w.device("ben"), w.device("cem")
	q := w.group(tenants.Sequential, "ana", "ben", "cem")
	r := w.place(q)
	w.rung(r.ID, 1)
	for _, d := range []tenants.Device{ben, cem} {
		must(t, w.board.RemoveDevice(t.Context(), w.caller, d.ID))
	}
	w.clock.Pass(19 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if now, _ := w.scope.Rings().Get(t.Context(), r.ID); now.State.Terminal() {
		t.Fatal("ended while ana has time to answer")
	}
	w.clock.Pass(time.Second)
	must(t, w.board.Sweep(t.Context()))
	r = w.state(r.ID, tenants.Missed)
	if r.EndedAt.Sub(r.CreatedAt) != 20*time.Second || r.Steps[2].State != tenants.StepLeftOut ||
		!strings.Contains(r.Steps[2].Reason, "no registered device") {
		t.Errorf("ended after %s: %+v", r.EndedAt.Sub(r.CreatedAt), r.Steps)
	}

	now := w.clock.Now() // a plan of which nobody is left when it begins
	none := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, To: tenants.To{Group: q.To.Group, Name: "x"},
		By: tenants.System, CreatedAt: now, ExpiresAt: now.Add(20 * time.Second), Steps: []tenants.Step{{N: 1, Wave: 1, Group: q.To.Group,
			Name: "x", Person: "ben", State: tenants.StepPlanned, For: 20 * time.Second}}}
	_, err := w.scope.Rings().Add(t.Context(), none, store.Idempotency{}, now)
	must(t, err)
	must(t, w.board.Sweep(t.Context()))
	none = w.state(none.ID, tenants.Missed)
	if none.EndReason != tenants.ReasonNobody || len(none.Own) != 1 || none.Own[0].Seq == 0 {
		t.Errorf("nobody could be rung: %s %+v", none.EndReason, none.Own)
	}
	told := 0
	must(t, w.board.Watch(t.Context(), r.Tenant, none.ID, 0, func(facts []tenants.Fact, _ *tenants.Ring) error {
		told += len(facts)
		return nil
	}))
	if told != 1 {
		t.Errorf("a listener was told %d facts", told)
	}
}

func TestGroupGoesOnAfterACrash(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	w.device("ana")
	ben := w.device("ben")
	r := w.place(w.group(tenants.Sequential, "ana", "ben"))
	w.rung(r.ID, 1)
	w.settle()
	w.open() // another process
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context())) // nothing is due
	w.clock.Pass(15 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 1 {
		t.Fatalf("pushed before the step was due: %d", n)
	}
	w.clock.Pass(time.Second)
	must(t, w.board.Sweep(t.Context()))
	r = w.rung(r.ID, 2)
	if r.Attempts[0].State != tenants.Missed || r.Attempts[1].Device != ben.ID {
		t.Fatalf("after the first step: %+v", r.Attempts)
	}
	must(t, w.board.Sweep(t.Context()))
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 2 {
		t.Errorf("a step was repeated: %d pushes", n)
	}
	if p := w.apple.Delivered(); p[1].APNsID != r.Attempts[1].Push.APNsID {
		t.Errorf("pushed as %s, recorded as %s", p[1].APNsID, r.Attempts[1].Push.APNsID)
	}
	w.clock.Pass(17 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.state(r.ID, tenants.Missed)
}

// A process that died right after it wrote the plan, and one that wrote a step's attempts and
// pushed none.
func TestGroupStepThatWasNotPushed(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	w.device("ana")
	q := w.group(tenants.Simultaneous, "ana")
	now := w.clock.Now()
	r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, To: tenants.To{Group: q.To.Group, Name: "x"},
		By: tenants.System, CreatedAt: now, ExpiresAt: now.Add(20 * time.Second), Steps: []tenants.Step{{N: 1, Wave: 1, Group: q.To.Group,
			Name: "x", Person: "ana", State: tenants.StepPlanned, For: 20 * time.Second}}}
	_, err := w.scope.Rings().Add(t.Context(), r, store.Idempotency{}, now.Add(3*time.Second))
	must(t, err)
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.rung(r.ID, 1)

	orphan := w.orphans(1, w.device("ben"))[0] // a ring to a device, to borrow an attempt from
	made := orphan.Attempts[0]
	made.ID, made.Step, made.Facts, made.State = tenants.NewID[tenants.AttemptID](now), 1, nil, tenants.Placed
	second := *r
	second.ID, second.Attempts = tenants.NewID[tenants.RingID](now), nil
	second.CreatedAt, second.ExpiresAt, second.State = w.clock.Now(), w.clock.Now().Add(20*time.Second), tenants.Placed
	second.Steps = []tenants.Step{{N: 1, Wave: 1, Group: q.To.Group, Name: "x", Person: "ben", State: tenants.StepPlanned,
		For: 20 * time.Second}}
	_, err = w.scope.Rings().Add(t.Context(), &second, store.Idempotency{}, time.Time{})
	must(t, err)
	_, _, err = w.scope.Rings().Change(t.Context(), second.ID, nil, w.clock.Now().Add(3*time.Second),
		func(r *tenants.Ring) ([]tenants.Fact, error) {
			return r.Begin(1, []tenants.Attempt{made}, nil, w.clock.Now()), nil
		})
	must(t, err)
	w.clock.Pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	kept := w.rung(second.ID, 1)
	if kept.Attempts[0].Push.APNsID != made.Push.APNsID {
		t.Errorf("pushed under another apns-id: %s, not %s", kept.Attempts[0].Push.APNsID, made.Push.APNsID)
	}
}

func TestGroupAllAtOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	w.voice()
	ana, ben := w.device("ana"), w.device("ben")
	q := w.group(tenants.Simultaneous, "ana", "ben")
	r := w.place(q)
	w.until(r.ID, "rung on both", func(r *tenants.Ring) bool { return r.State == tenants.Pushed && w.apple.Total() == 2 })
	w.report(ana, r, tenants.FactDeclined)
	if now, _ := w.scope.Rings().Get(t.Context(), r.ID); now.State.Terminal() || now.Attempts[1].State.Terminal() {
		t.Fatalf("one person's decline ended the ring: %+v", now)
	}
	call := w.dial(ben, r)
	w.wait(call.Heard(), "the call: Heard")
	w.state(r.ID, tenants.Answered)
	cancelled, err := w.board.Cancel(t.Context(), w.caller, r.ID)
	must(t, err)
	if cancelled.State != tenants.Ended {
		t.Errorf("cancelled: %s", cancelled.State)
	}
	second := w.place(q)
	cancelled, err = w.board.Cancel(t.Context(), w.caller, second.ID)
	must(t, err)
	if cancelled.State != tenants.Cancelled || cancelled.EndReason != tenants.ReasonCancelled {
		t.Errorf("cancelled: %s %s", cancelled.State, cancelled.EndReason)
	}
}

func TestGroupThatCannotBeRung(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	for name, c := range map[string]struct {
		q    tenants.Request
		code string
	}{
		"nobody has a phone": {w.group(tenants.Sequential, "ben"), "nobody_on_duty"},
		"no such group":      {tenants.Request{To: tenants.To{Group: "0190aaaa-0000-7000-8000-00000000000a"}}, "not_found"},
		"with a time":        {tenants.Request{To: tenants.To{Group: "0190aaaa-0000-7000-8000-00000000000a"}, TTL: time.Minute}, "invalid"},
	} {
		_, _, err := w.board.Place(t.Context(), w.caller, c.q, store.Idempotency{})
		var refusal *tenants.Error
		if !errors.As(err, &refusal) || refusal.Code != c.code {
			t.Errorf("%s: %v", name, err)
		}
	}
	g, steps, err := w.board.WouldRing(t.Context(), switchboard.Caller{Tenant: w.caller.Tenant, Trial: true}, w.group(tenants.Sequential,
		"ben").To.Group, w.clock.Now())
	must(t, err)
	if g.Name != "Night line" || len(steps) != 1 || steps[0].State != tenants.StepLeftOut {
		t.Errorf("who would ring: %+v", steps)
	}
}

// A salon rings nobody at night, unless it is an emergency.
func TestQuietHours(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.clock.Stop()
	now := w.clock.Now().UTC()
	w.clock.Pass(time.Date(now.Year(), now.Month(), now.Day()+1, 22, 0, 0, 0, time.UTC).Sub(now))
	d := w.device("ana")
	for _, q := range []tenants.Request{{To: tenants.To{Device: d.ID}}, {To: tenants.To{Person: "ana"}}} {
		_, _, err := w.board.Place(t.Context(), w.caller, q, store.Idempotency{})
		var refusal *tenants.Error
		if !errors.As(err, &refusal) || refusal.Code != "quiet_hours" || !strings.Contains(refusal.Msg, "08:00") {
			t.Errorf("at night: %v", err)
		}
	}
	w.caller.Emergency = true
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	audits, _, err := w.scope.Audits().List(t.Context(), store.AuditQuery{Action: "ring.place"})
	must(t, err)
	if len(audits) != 1 || audits[0].Target != string(r.ID) || audits[0].Detail != "emergency in quiet hours" {
		t.Errorf("audited: %+v", audits)
	}
	group := w.place(w.group(tenants.Sequential, "ana"))
	if !strings.Contains(group.Steps[0].Reason, "because it is an emergency") || w.placedFor(group) != "emergency in quiet hours" {
		t.Errorf("a group in an emergency: %+v, %q", group.Steps, w.placedFor(group))
	}
	// It is day for this phone, by its own time zone: no emergency overrides anything.
	d.TimeZone = "Pacific/Auckland"
	must(t, w.scope.Devices().Set(t.Context(), d))
	r = w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	group = w.place(w.group(tenants.Sequential, "ana"))
	if w.placedFor(r) != "" || w.placedFor(group) != "" || strings.Contains(group.Steps[0].Reason, "emergency") {
		t.Errorf("in Auckland: %q, %q, %+v", w.placedFor(r), w.placedFor(group), group.Steps)
	}
	// And the other way round: night for the phone, day for the organisation.
	w.clock.Pass(16 * time.Hour)
	r = w.place(tenants.Request{To: tenants.To{Person: "ana"}})
	if got := w.placedFor(r); got != "emergency in quiet hours" {
		t.Errorf("at night in Auckland: %q", got)
	}
}

// placedFor is the reason in the audit row of a ring.
func (w *world) placedFor(r *tenants.Ring) string {
	w.t.Helper()
	audits, _, err := w.scope.Audits().List(w.t.Context(), store.AuditQuery{Action: "ring.place"})
	must(w.t, err)
	for _, a := range audits {
		if a.Target == string(r.ID) {
			return a.Detail
		}
	}
	w.t.Fatalf("ring %s was not audited: %+v", r.ID, audits)
	return ""
}
