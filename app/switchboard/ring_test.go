package switchboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestARingReachesAppleAsTheContractSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, Caller: "Copper Shears", TTL: 20 * time.Second})
	if r.State != tenants.Placed || r.Attempts[0].Facts[0].Kind != tenants.FactPlaced {
		t.Fatalf("placed as %+v", r)
	}
	r = w.state(r.ID, tenants.Pushed)
	sent := w.apple.Delivered()
	if len(sent) != 1 {
		t.Fatalf("%d pushes", len(sent))
	}
	p := sent[0]
	if p.Expiration != "0" || p.Priority != "10" || p.PushType != "voip" || p.Topic != w.bundle+".voip" || p.Token != d.Token ||
		p.APNsID != r.Attempts[0].Push.APNsID {
		t.Errorf("on the wire: %+v", p)
	}
	var body map[string]any
	must(t, json.Unmarshal(p.Payload, &body))
	want := map[string]any{"v": 1.0, "call_id": string(r.ID), "iat": float64(r.CreatedAt.Unix()), "from": "Copper Shears"}
	for k, v := range want {
		if body[k] != v {
			t.Errorf("payload %s = %v, want %v", k, body[k], v)
		}
	}
	if len(body) != 5 || body["exp"].(float64) < float64(r.ExpiresAt.Unix()) {
		t.Errorf("payload %v", body)
	}
	if v := w.apple.Violations(); len(v) != 0 {
		t.Errorf("Apple's rules broken: %+v", v)
	}
	var kinds []tenants.FactKind
	for _, f := range r.Facts() {
		kinds = append(kinds, f.Kind)
	}
	if !slices.Equal(kinds, []tenants.FactKind{tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted}) {
		t.Errorf("facts %v", kinds)
	}
}

func TestAClinicsPushNamesNobody(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Healthcare)
	r := w.place(tenants.Request{To: tenants.To{Device: w.device("").ID}, Caller: "Dr. Canary"})
	w.state(r.ID, tenants.Pushed)
	var body map[string]any
	must(t, json.Unmarshal(w.apple.Delivered()[0].Payload, &body))
	if _, named := body["from"]; named || len(body) != 4 {
		t.Errorf("payload %v", body)
	}
}

func TestEndings(t *testing.T) {
	t.Parallel()
	expire := func(w *world, r *tenants.Ring) {
		w.clock.pass(31 * time.Second)
		must(w.t, w.board.Sweep(w.t.Context()))
	}
	for name, c := range map[string]struct {
		do     func(*world, tenants.Device, *tenants.Ring)
		state  tenants.State
		reason tenants.EndReason
	}{
		"declined": {func(w *world, d tenants.Device, r *tenants.Ring) {
			w.report(d, r, tenants.FactShown)
			w.report(d, r, tenants.FactDeclined)
		}, tenants.Declined, tenants.ReasonDeclined},
		"busy": {func(w *world, d tenants.Device, r *tenants.Ring) {
			w.report(d, r, tenants.FactBusy)
		}, tenants.Missed, tenants.ReasonBusy},
		"silenced": {func(w *world, d tenants.Device, r *tenants.Ring) {
			code := 3
			_, err := w.board.Report(w.t.Context(), d, r.ID, switchboard.Report{Kind: tenants.FactSilenced, Code: &code})
			must(w.t, err)
		}, tenants.Missed, tenants.ReasonSilenced},
		"not shown": {func(w *world, d tenants.Device, r *tenants.Ring) { w.report(d, r, tenants.FactFailedToShow) }, tenants.Failed,
			tenants.ReasonFailedToShow},
		"cancelled": {func(w *world, d tenants.Device, r *tenants.Ring) {
			w.report(d, r, tenants.FactShown)
			_, err := w.board.Cancel(w.t.Context(), w.caller, r.ID)
			must(w.t, err)
		}, tenants.Cancelled, tenants.ReasonCancelled},
		"never woke": {func(w *world, d tenants.Device, r *tenants.Ring) { expire(w, r) }, tenants.Missed, tenants.ReasonNeverWoke},
		"never shown": {func(w *world, d tenants.Device, r *tenants.Ring) {
			w.report(d, r, tenants.FactWoke)
			expire(w, r)
		}, tenants.Missed, tenants.ReasonNeverShown},
		"no answer": {func(w *world, d tenants.Device, r *tenants.Ring) {
			w.report(d, r, tenants.FactShown)
			expire(w, r)
		}, tenants.Missed, tenants.ReasonNoAnswer},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, tenants.Salon)
			d := w.device("")
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			w.state(r.ID, tenants.Pushed)
			c.do(w, d, r)
			got := w.state(r.ID, c.state)
			if got.EndReason != c.reason || got.EndReason.Sentence() == "" {
				t.Errorf("ended by %s, want %s", got.EndReason, c.reason)
			}
			again, err := w.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: tenants.FactShown})
			must(t, err)
			late, err := w.scope.Rings().Get(t.Context(), r.ID)
			must(t, err)
			if late.State != c.state || late.EndReason != c.reason {
				t.Errorf("a late fact (recorded %v) moved the ring to %s", again, late.State)
			}
		})
	}
}

func TestAppleRefuses(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	d := w.device("")
	w.apple.Script(d.Token, apnstest.Answer{Status: 410, Reason: "Unregistered", Timestamp: d.RegisteredAt.Add(-time.Hour)})
	r := w.state(w.place(tenants.Request{To: tenants.To{Device: d.ID}}).ID, tenants.Failed)
	if r.EndReason != tenants.ReasonRefused || r.Attempts[0].Push.Reason != "Unregistered" || r.Attempts[0].Push.Status != 410 {
		t.Errorf("%s %+v", r.EndReason, r.Attempts[0].Push)
	}
	kept, err := w.scope.Devices().Get(t.Context(), d.ID)
	must(t, err)
	if kept.State != tenants.DeviceActive {
		t.Error("a 410 older than the registration disabled the device")
	}
	w.apple.Script(d.Token, apnstest.Answer{Status: 410, Reason: "Unregistered", Timestamp: time.Now().Add(time.Hour)})
	w.state(w.place(tenants.Request{To: tenants.To{Device: d.ID}}).ID, tenants.Failed)
	w.eventually("a dead device is refused", func() bool { // it follows its ring by a moment, and what is remembered of it by another
		_, _, err = w.board.Place(t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
		var e *tenants.Error
		return errors.As(err, &e) && e.Code == "device_disabled"
	})
}

func TestAPersonIsRungOnAllDevices(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	a, b, foreign := w.device("ada"), w.device("ada"), w.device("bob")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	if len(r.Attempts) != 2 {
		t.Fatalf("%d attempts", len(r.Attempts))
	}
	w.until(r.ID, "pushed twice", func(r *tenants.Ring) bool {
		return r.Attempts[0].Has(tenants.FactAccepted) && r.Attempts[1].Has(tenants.FactAccepted)
	})
	if _, err := w.board.Report(t.Context(), foreign, r.ID,
		switchboard.Report{Kind: tenants.FactShown}); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("another person's device reports: %v", err)
	}
	w.report(a, r, tenants.FactBusy)
	w.report(b, r, tenants.FactDeclined)
	got := w.state(r.ID, tenants.Declined)
	if x, _ := got.AttemptOf(a.ID); x.State != tenants.Missed {
		t.Errorf("the busy device is %s", x.State)
	}
	_, _, err := w.board.Place(t.Context(), w.caller, tenants.Request{To: tenants.To{Person: "nobody"}}, store.Idempotency{})
	if tenants.KindOf(err) != tenants.Unprocessable {
		t.Errorf("a person without devices: %v", err)
	}
}

func TestIdempotency(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	d := w.device("")
	q, key := tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{Key: "k1", Body: [32]byte{1}}
	first, repeated, err := w.board.Place(t.Context(), w.caller, q, key)
	must(t, err)
	if repeated {
		t.Error("the first is a repeat")
	}
	w.state(first.ID, tenants.Pushed)
	_, err = w.scope.Devices().Disable(t.Context(), d.ID, "Unregistered", time.Now().Add(time.Hour))
	must(t, err)
	again, repeated, err := w.board.Place(t.Context(), w.caller, q, key)
	must(t, err)
	if !repeated || again.ID != first.ID {
		t.Errorf("repeat gave %s, want %s; policy of today must not refuse what was placed", again.ID, first.ID)
	}
	_, _, err = w.board.Place(t.Context(), w.caller, q, store.Idempotency{Key: "k2", Body: [32]byte{1}})
	if tenants.KindOf(err) != tenants.Forbidden {
		t.Errorf("a new key is placed on a dead device: %v", err)
	}
	if n := len(w.apple.Delivered()); n != 1 {
		t.Errorf("%d pushes for one ring", n)
	}
}

// TestARingWhoseProcessDied is rung by the next one, with the same apns-id, and never after its
// time.
func TestARingWhoseProcessDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.clock.stop() // leases run out with time
	d := w.device("")
	credentials, _, err := w.scope.Credentials().List(t.Context(), store.Page{})
	must(t, err)
	orphan := func() *tenants.Ring {
		now := w.clock.now()
		r := &tenants.Ring{
			ID: tenants.NewID[tenants.RingID](now), Tenant: w.caller.Tenant.ID, State: tenants.Placed, To: tenants.To{Device: d.ID},
			CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
			Attempts: []tenants.Attempt{{
				ID: tenants.NewID[tenants.AttemptID](now), Device: d.ID, Credential: credentials[0].ID, State: tenants.Placed,
				Push: tenants.Push{APNsID: tenants.NewRandomID(), Topic: d.Topic(), Token: d.Token, Environment: tenants.Production},
			}},
		}
		_, err := w.scope.Rings().Add(t.Context(), r, store.Idempotency{}, now.Add(3*time.Second))
		must(t, err)
		return r
	}
	r := orphan()
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 0 {
		t.Fatalf("swept before its lease ran out: %d pushes", n)
	}
	w.clock.pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	w.state(r.ID, tenants.Pushed)
	if p := w.apple.Delivered(); len(p) != 1 || p[0].APNsID != r.Attempts[0].Push.APNsID {
		t.Fatalf("pushed %+v", p)
	}
	w.clock.pass(4 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if n := w.apple.Total(); n != 1 {
		t.Errorf("an answered push was sent again: %d", n)
	}
	late := orphan()
	w.clock.pass(time.Minute)
	must(t, w.board.Sweep(t.Context()))
	if got := w.state(late.ID, tenants.Missed); got.EndReason != tenants.ReasonNotPushed {
		t.Errorf("ended by %s", got.EndReason)
	}
	if n := w.apple.Total(); n != 1 {
		t.Errorf("pushed after its time to live: %d", n)
	}
}

func TestWatchTellsAllInOrderAndEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	told := make(chan tenants.Fact, 32)
	done := make(chan error, 1)
	go func() {
		done <- w.board.Watch(t.Context(), w.caller.Tenant.ID, r.ID, 0, func(fs []tenants.Fact, _ *tenants.Ring) error {
			for _, f := range fs {
				told <- f
			}
			return nil
		})
	}()
	w.state(r.ID, tenants.Pushed)
	for _, k := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown, tenants.FactDeclined} {
		w.report(d, r, k)
	}
	must(t, <-done)
	close(told)
	var last int64
	var kinds []tenants.FactKind
	for f := range told {
		if f.Seq <= last {
			t.Errorf("%s out of order", f.Kind)
		}
		last = f.Seq
		kinds = append(kinds, f.Kind)
	}
	if len(kinds) != 6 || kinds[5] != tenants.FactDeclined {
		t.Errorf("told %v", kinds)
	}
}

func TestACallIsAnsweredHeardAndHungUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.voice()
	a, b := w.device("ada"), w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	w.until(r.ID, "pushed twice", func(r *tenants.Ring) bool {
		return r.Attempts[0].Has(tenants.FactAccepted) && r.Attempts[1].Has(tenants.FactAccepted)
	})
	w.report(a, r, tenants.FactShown)
	call := w.dial(a, r)
	<-call.Heard()
	got := w.until(r.ID, "connected", func(r *tenants.Ring) bool {
		x, _ := r.AttemptOf(a.ID)
		return x.Has(tenants.FactConnected)
	})
	if x, _ := got.AttemptOf(b.ID); x.State != tenants.Elsewhere {
		t.Errorf("the other device is %s", x.State)
	}
	if _, err := w.board.Answer(t.Context(), b, r.ID, offer(t)); tenants.KindOf(err) != tenants.Conflict {
		t.Errorf("a second device answers: %v", err)
	}
	if _, err := w.board.Answer(t.Context(), a, r.ID, "v=0"); tenants.KindOf(err) != tenants.Invalid {
		t.Errorf("a bad offer: %v", err)
	}
	must(t, w.board.HangUp(t.Context(), a, r.ID))
	got = w.until(r.ID, "ended with its call measured", func(r *tenants.Ring) bool {
		return r.State == tenants.Ended &&
			!r.Call.EndedAt.IsZero()
	})
	if got.EndReason != tenants.ReasonHungUp || got.Call.EndedBy != "phone_hung_up" || got.Call.ConnectedAt.IsZero() {
		t.Errorf("%s %+v", got.EndReason, got.Call)
	}
	if _, err := w.board.Answer(t.Context(), a, r.ID, offer(t)); tenants.KindOf(err) != tenants.Gone {
		t.Errorf("an ended ring is answered: %v", err)
	}
}

func TestCancelHangsUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.voice()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	for _, line := range []string{"a=ice-ufrag:", "a=ice-pwd:", "a=fingerprint:"} { // refused, and it still rings
		_, err := w.board.Answer(t.Context(), d, r.ID, strings.ReplaceAll(offer(t), line, "a=x-"))
		if tenants.KindOf(err) != tenants.Invalid {
			t.Errorf("an offer without %s: %v", line, err)
		}
	}
	call := w.dial(d, r)
	w.eventually("ten packets came", func() bool { // there is a jitter only between packets
		calls := w.config.Media.(*gateway.Gateway).Calls()
		return len(calls) == 1 && calls[0].Quality.PacketsIn >= 10
	})
	w.until(r.ID, "connected", func(r *tenants.Ring) bool { return r.Attempts[0].Has(tenants.FactConnected) })
	got, err := w.board.Cancel(t.Context(), w.caller, r.ID)
	must(t, err)
	if got.State != tenants.Ended || got.EndReason != tenants.ReasonHungUp || got.Call.EndedAt.IsZero() || got.Call.EndedBy != "cancelled" {
		t.Errorf("the answer to the cancel: %s %s %+v", got.State, got.EndReason, got.Call)
	}
	<-call.Closed()
	measured := w.until(r.ID, "measured", func(r *tenants.Ring) bool { return r.Call.Jitter != 0 })
	if !measured.Call.EndedAt.Equal(got.Call.EndedAt) || measured.Call.EndedBy != got.Call.EndedBy {
		t.Errorf("the end moved: %+v, then %+v", got.Call, measured.Call)
	}
}

// TestACallWithoutASound: nobody talked, and the ring does not say that they did.
func TestACallWithoutASound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.voice()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	phone, err := phonetest.New(phonetest.Config{Mute: true})
	must(t, err)
	call, err := phone.Call(t.Context(), func(ctx context.Context, sdp string) (string, error) {
		a, err := w.board.Answer(ctx, d, r.ID, sdp)
		return a.SDP, err
	})
	must(t, err)
	<-call.Connected()
	<-call.Heard() // the bells, after the grace for the phone's own sound
	must(t, w.board.HangUp(t.Context(), d, r.ID))
	got := w.until(r.ID, "ended", func(r *tenants.Ring) bool { return r.State == tenants.Ended && !r.Call.EndedAt.IsZero() })
	if got.EndReason != tenants.ReasonUnheard || !got.Call.ConnectedAt.IsZero() || got.Attempts[0].Has(tenants.FactConnected) {
		t.Errorf("%s %q %+v", got.EndReason, got.EndReason.Sentence(), got.Call)
	}
	call.HangUp()
}

// TestAnAgentThatCannotBeOpenedEndsTheCall: the answer fails, and nobody else speaks instead. A
// removed agent is the one exception: its rings get the built-in agent, as the API promises.
func TestAnAgentThatCannotBeOpenedEndsTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.voice()
	broken := errors.New("the agent's server is away")
	agent := tenants.Agent{ID: tenants.NewID[tenants.AgentID](w.clock.now()), Name: "Reception", Kind: "far", CreatedAt: w.clock.now()}
	must(t, w.scope.Agents().Add(t.Context(), agent))
	open := w.config.Agents
	w.config.Agents = func(ctx context.Context, a tenants.Agent) (gateway.Agent, error) {
		if a.ID == agent.ID {
			return nil, broken
		}
		return open(ctx, a)
	}
	w.open()
	d := w.device("")
	q := tenants.Request{To: tenants.To{Device: d.ID}, Agent: agent.ID}
	r, removed := w.place(q), w.place(q)

	if _, err := w.board.Answer(t.Context(), d, r.ID, offer(t)); !errors.Is(err, broken) {
		t.Errorf("answered with %v", err)
	}
	got := w.state(r.ID, tenants.Failed)
	if got.EndReason != tenants.ReasonBroken || got.Call.EndedBy != string(gateway.AgentFailed) || got.Call.EndedAt.IsZero() {
		t.Errorf("ended as %s, %+v", got.EndReason, got.Call)
	}
	if _, err := w.board.Answer(t.Context(), d, r.ID, offer(t)); tenants.KindOf(err) != tenants.Gone {
		t.Errorf("answered again: %v", err)
	}

	must(t, w.scope.Agents().Remove(t.Context(), agent.ID))
	<-w.dial(d, removed).Heard()
}

// TestARemovedDeviceLeavesItsRings: its part ends at once, the person's other phones ring on, and
// the ring ends with the last of them.
func TestARemovedDeviceLeavesItsRings(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.voice()
	a, b, c := w.device("ada"), w.device("ada"), w.device("bob")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	talk := w.place(tenants.Request{To: tenants.To{Device: c.ID}})
	ended := w.place(tenants.Request{To: tenants.To{Device: a.ID}})
	_, err := w.board.Cancel(t.Context(), w.caller, ended.ID)
	must(t, err)
	w.until(r.ID, "pushed twice", func(r *tenants.Ring) bool {
		return r.Attempts[0].Has(tenants.FactAccepted) && r.Attempts[1].Has(tenants.FactAccepted)
	})
	w.report(a, r, tenants.FactShown)

	must(t, w.board.RemoveDevice(t.Context(), w.caller, a.ID))
	got, err := w.scope.Rings().Get(t.Context(), r.ID)
	must(t, err)
	if x, _ := got.AttemptOf(a.ID); x.State != tenants.Failed || got.State != tenants.Pushed {
		t.Errorf("after the first phone: attempt %s, ring %s", x.State, got.State)
	}
	must(t, w.board.RemoveDevice(t.Context(), w.caller, b.ID))
	got, err = w.scope.Rings().Get(t.Context(), r.ID)
	if err != nil || got.State != tenants.Failed || got.EndReason != tenants.ReasonRemoved {
		t.Errorf("after the last phone: %s %s %v", got.State, got.EndReason, err)
	}
	if got, err = w.scope.Rings().Get(t.Context(), ended.ID); err != nil || got.EndReason != tenants.ReasonCancelled {
		t.Errorf("a ring that had ended: %s %v", got.EndReason, err)
	}

	call := w.dial(c, talk)
	<-call.Heard()
	w.until(talk.ID, "connected", func(r *tenants.Ring) bool { return r.Attempts[0].Has(tenants.FactConnected) })
	must(t, w.board.RemoveDevice(t.Context(), w.caller, c.ID))
	if got, err = w.scope.Rings().Get(t.Context(), talk.ID); err != nil || got.State != tenants.Ended || got.Call.EndedAt.IsZero() {
		t.Errorf("its call: %s %+v %v", got.State, got.Call, err)
	}
	<-call.Closed()
	if err := w.board.RemoveDevice(t.Context(), w.caller, a.ID); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("removing twice: %v", err)
	}
}

func TestACallWhoseServerDied(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.clock.stop()
	w.voice()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	call := w.dial(d, r)
	<-call.Heard()
	w.clock.pass(20 * time.Second)
	must(t, w.board.Renew(t.Context()))
	w.clock.pass(20 * time.Second)
	w.open() // a second process, which carries no call
	must(t, w.board.Sweep(t.Context()))
	if got, err := w.scope.Rings().Get(t.Context(), r.ID); err != nil || got.State != tenants.Answered {
		t.Fatalf("a renewed call was taken for dead: %s %v", got.State, err)
	}
	w.clock.pass(20 * time.Second)
	must(t, w.board.Sweep(t.Context()))
	if got := w.state(r.ID, tenants.Failed); got.EndReason != tenants.ReasonBroken {
		t.Errorf("ended by %s", got.EndReason)
	}
}

func (w *world) dial(d tenants.Device, r *tenants.Ring) *phonetest.Call {
	w.t.Helper()
	phone, err := phonetest.New(phonetest.Config{})
	must(w.t, err)
	board := w.board
	call, err := phone.Call(w.t.Context(), func(ctx context.Context, sdp string) (string, error) {
		a, err := board.Answer(ctx, d, r.ID, sdp)
		return a.SDP, err
	})
	must(w.t, err)
	w.t.Cleanup(call.HangUp)
	return call
}

func offer(t *testing.T) string {
	t.Helper()
	phone, err := phonetest.New(phonetest.Config{})
	must(t, err)
	sdp, err := phone.Offer(t.Context())
	must(t, err)
	return sdp
}

// heardFacts is an audience that keeps what it gets.
type heardFacts struct {
	name string
	mu   *sync.Mutex // guards all
	all  *[]string
}

func (h heardFacts) Recorded(_ *tenants.Ring, facts []tenants.Fact) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, f := range facts {
		*h.all = append(*h.all, h.name+" "+string(f.Kind))
	}
}

// TestAudiencesGetCommittedFactsInOrder: every audience gets every fact, and a refused or repeated
// report reaches none.
func TestAudiencesGetCommittedFactsInOrder(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	w, _ := scripted(t, func(c *switchboard.Config) {
		c.Audiences = []switchboard.Audience{heardFacts{"first", &mu, &all}, heardFacts{"second", &mu, &all}}
	})
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	w.settle()
	for range 2 {
		w.report(d, r, tenants.FactDeclined)
	}
	want := []string{
		"first placed", "second placed", "first sent", "first accepted", "second sent", "second accepted",
		"first declined", "second declined",
	}
	if !slices.Equal(all, want) {
		t.Errorf("heard %v, want %v", all, want)
	}
}
