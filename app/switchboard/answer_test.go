package switchboard_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/page/pagetest"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

func TestACallIsAnsweredHeardAndHungUp(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	a, b := w.device("ada"), w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	w.until(r.ID, "pushed twice", func(r *tenants.Ring) bool {
		return r.Attempts[0].Has(tenants.FactAccepted) && r.Attempts[1].Has(tenants.FactAccepted)
	})
	w.report(a, r, tenants.FactShown)
	call := w.dial(a, r)
	w.wait(call.Heard(), "the call: Heard")
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
	w := newWorld(t, tenants.RealEstate)
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
	w.wait(call.Closed(), "the call: Closed")
	measured := w.until(r.ID, "measured", func(r *tenants.Ring) bool { return r.Call.Jitter != 0 })
	if !measured.Call.EndedAt.Equal(got.Call.EndedAt) || measured.Call.EndedBy != got.Call.EndedBy {
		t.Errorf("the end moved: %+v, then %+v", got.Call, measured.Call)
	}
}

// TestACallWithoutASound: nobody talked, and the ring does not say that they did.
func TestACallWithoutASound(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
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
	w.wait(call.Connected(), "the call: Connected")
	w.wait(call.Heard(), "the call: Heard") // the bells, after the grace for the phone's own sound
	must(t, w.board.HangUp(t.Context(), d, r.ID))
	got := w.until(r.ID, "ended", func(r *tenants.Ring) bool { return r.State == tenants.Ended && !r.Call.EndedAt.IsZero() })
	if got.EndReason != tenants.ReasonUnheard || !got.Call.ConnectedAt.IsZero() || got.Attempts[0].Has(tenants.FactConnected) {
		t.Errorf("%s %q %+v", got.EndReason, got.EndReason.Sentence(), got.Call)
	}
	call.HangUp()
}

// TestAnAgentThatCannotBeOpenedEndsTheCall: the person hears that nobody can take the call, and
// nobody else speaks instead. A removed agent is the one exception: its rings get the built-in
// agent, as the API promises.
func TestAnAgentThatCannotBeOpenedEndsTheCall(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	agent := tenants.Agent{ID: tenants.NewID[tenants.AgentID](w.clock.Now()), Name: "Reception", Kind: "far", CreatedAt: w.clock.Now()}
	must(t, w.scope.Agents().Add(t.Context(), agent))
	open := w.config.Agents
	w.config.Agents = func(ctx context.Context, a tenants.Agent, c agents.Call) (agents.Agent, error) {
		if a.ID == agent.ID {
			return nil, &agents.Failure{Cause: "its server is away"}
		}
		return open(ctx, a, c)
	}
	w.open()
	d := w.device("")
	q := tenants.Request{To: tenants.To{Device: d.ID}, Agent: agent.ID}
	r, removed := w.place(q), w.place(q)

	w.wait(w.dial(d, r).Heard(), "the message: Heard")
	got := w.state(r.ID, tenants.Failed)
	if want := string(gateway.AgentFailed) + ": its server is away"; got.EndReason != tenants.ReasonBroken || got.Call.EndedAt.IsZero() ||
		!slices.ContainsFunc(got.Attempts[0].Facts, func(f tenants.Fact) bool { return f.Detail == want }) {
		t.Errorf("ended as %s, %+v, %+v", got.EndReason, got.Call, got.Attempts[0].Facts)
	}

	must(t, w.scope.Agents().Remove(t.Context(), agent.ID))
	w.wait(w.dial(d, removed).Heard(), "the call: Heard")
}

// TestAnOfferWithoutTheAgentsCodecIsRefused: before the ring is won, so that the phone may answer
// again with another offer.
func TestAnOfferWithoutTheAgentsCodecIsRefused(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
		return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
	}
	w.open()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	phone, err := phonetest.New(phonetest.Config{Codecs: []string{"PCMU"}})
	must(t, err)
	sdp, err := phone.Offer(t.Context())
	must(t, err)
	_, err = w.board.Answer(t.Context(), d, r.ID, sdp)
	if tenants.KindOf(err) != tenants.Unprocessable || !strings.Contains(err.Error(), "speaks opus/48000/2") {
		t.Errorf("answered with %v", err)
	}
	if got, err := w.scope.Rings().Get(t.Context(), r.ID); err != nil || got.State == tenants.Answered || got.Call != nil {
		t.Errorf("the ring is %s: %v", got.State, err)
	}
	_, err = w.board.Answer(t.Context(), d, r.ID, offer(t))
	must(t, err)
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

// TestWaitingForALostPhoneIsNoTalk: a phone talks for 30 s, is lost, and does not come back.
func TestWaitingForALostPhoneIsNoTalk(t *testing.T) {
	t.Parallel()
	w, m := newWorld(t, tenants.RealEstate), &mediaCounter{}
	w.config.Media = m
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
		return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
	}
	w.open()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	_, err := w.board.Answer(t.Context(), d, r.ID, "v=0")
	must(t, err)
	first := w.clock.Now()
	m.on(gateway.Event{Kind: gateway.Connected, At: first})
	m.on(gateway.Event{Kind: gateway.Ended, Reason: gateway.MediaFailed, At: first.Add(50 * time.Second),
		Quality: gateway.Quality{FirstIn: first, LastIn: first.Add(30 * time.Second)}})
	got := w.state(r.ID, tenants.Failed)
	lasted := got.Call.EndedAt.Sub(first).Round(time.Second)
	if talked, ok := got.Call.Talked(); !ok || talked != 30*time.Second || lasted != 50*time.Second {
		t.Errorf("talked for %v: %+v", talked, got.Call)
	}
}
