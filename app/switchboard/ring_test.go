package switchboard_test

import (
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestARingReachesAppleAsTheContractSays(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
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
		w.clock.Pass(31 * time.Second)
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
			w := newWorld(t, tenants.RealEstate)
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
	w := newWorld(t, tenants.RealEstate)
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
	w := newWorld(t, tenants.RealEstate)
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
	w := newWorld(t, tenants.RealEstate)
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
