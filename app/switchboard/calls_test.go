package switchboard_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/page/pagetest"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
)

// silent is a world with a gateway that carries no sound, and takes every answer unless the test
// sets refuse.
func silent(t *testing.T, audiences ...switchboard.Audience) (*world, *refusingMedia) {
	t.Helper()
	w, m := newWorld(t, tenants.RealEstate), &refusingMedia{}
	m.during = func() {}
	w.config.Media, w.config.Audiences = m, audiences
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
		return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
	}
	w.open()
	return w, m
}

// refusingMedia is a gateway that takes answers until it refuses.
type refusingMedia struct {
	hangUpCounter
	full, refuse error // before and after the ring was won
}

func (m *refusingMedia) Answer(ctx context.Context, o gateway.Offer) (gateway.Answer, error) {
	if m.full != nil {
		return gateway.Answer{}, m.full
	}
	decide := o.Decide
	o.Decide = func() (gateway.Agent, gateway.Tap, error) {
		a, tap, err := decide()
		if err == nil {
			err = m.refuse
		}
		return a, tap, err
	}
	return m.hangUpCounter.Answer(ctx, o)
}

// TestEveryEndOfACall: each reason of the gateway has its fact and its end of the ring, so that
// phone, program, console and bill say the same.
func TestEveryEndOfACall(t *testing.T) {
	t.Parallel()
	broken, hungUp := tenants.ReasonBroken, tenants.ReasonHungUp
	want := map[gateway.EndReason]tenants.EndReason{
		gateway.PhoneHungUp: hungUp, gateway.AgentHungUp: hungUp, gateway.AgentFailed: broken, gateway.Cancelled: hungUp,
		gateway.ConnectTimeout: broken, gateway.NoMedia: broken, gateway.Silence: hungUp, gateway.MaxDuration: hungUp,
		gateway.MediaFailed: broken, gateway.Draining: hungUp, gateway.ShutDown: hungUp,
	}
	w, m := newWorld(t, tenants.RealEstate), &mediaCounter{}
	w.config.Media = m
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) {
		return agents.Ready{Agent: pagetest.SilentAgent{}}, nil
	}
	w.open()
	d := w.device("")
	for _, reason := range gateway.EndReasons() {
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		_, err := w.board.Answer(t.Context(), d, r.ID, "v=0")
		must(t, err)
		now := w.clock.Now()
		m.on(gateway.Event{Kind: gateway.Connected, At: now})
		m.on(gateway.Event{Kind: gateway.Ended, Reason: reason, At: now.Add(time.Second),
			Quality: gateway.Quality{FirstIn: now, LastIn: now}})
		got, err := w.scope.Rings().Get(t.Context(), r.ID)
		must(t, err)
		kind, state := tenants.FactHungUp, tenants.Ended
		if want[reason] == broken {
			kind, state = tenants.FactBroken, tenants.Failed
		}
		said := slices.ContainsFunc(got.Facts(), func(f tenants.Fact) bool { return f.Kind == kind && f.Detail == string(reason) })
		if got.EndReason != want[reason] || got.State != state || got.Call.EndedBy != string(reason) || !said { // Apple may answer later
			t.Errorf("%s: the ring is %s, %s, ended by %s; %+v", reason, got.State, got.EndReason, got.Call.EndedBy, got.Facts())
		}
		if _, ok := got.Call.Talked(); !ok {
			t.Errorf("%s: the bill and the page do not know how long it was", reason)
		}
	}
}

// TestAnAnswerThatTheGatewayRefuses: the first one ends the ring, for the person has answered and
// nobody will be on the line. A later one of the same phone leaves the call as it is.
func TestAnAnswerThatTheGatewayRefuses(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	first, later := w.place(tenants.Request{To: tenants.To{Device: d.ID}}), w.place(tenants.Request{To: tenants.To{Device: d.ID}})

	_, err := w.board.Answer(t.Context(), d, later.ID, "v=0")
	must(t, err)
	answered := w.state(later.ID, tenants.Answered).Call.AnsweredAt
	w.clock.Pass(time.Second)
	_, err = w.board.Answer(t.Context(), d, later.ID, "v=0")
	must(t, err)

	m.refuse = &gateway.Refused{Reason: gateway.Full, Msg: "This server carries as many calls as it can."}
	for _, r := range []*tenants.Ring{first, later} {
		_, err := w.board.Answer(t.Context(), d, r.ID, "v=0")
		var e *tenants.Error
		if !errors.As(err, &e) || e.Kind != tenants.Unavailable || e.RetryAfter != time.Second || e.Code != string(gateway.Full) ||
			e.Msg != "This server carries as many calls as it can." {
			t.Errorf("refused with %#v", err)
		}
	}
	if got := w.state(first.ID, tenants.Failed); got.EndReason != tenants.ReasonBroken || got.Call.EndedBy != "sdp" ||
		got.Call.EndedAt.IsZero() {
		t.Errorf("the first answer: %s, %+v", got.EndReason, got.Call)
	}
	if got := w.state(later.ID, tenants.Answered); !got.Call.AnsweredAt.Equal(answered) || !got.Call.EndedAt.IsZero() {
		t.Errorf("a later answer: %+v, answered first at %v", got.Call, answered)
	}
	if n := w.board.Calls(); n != 1 {
		t.Errorf("%d calls of one", n)
	}
	m.gone = true // as after a restart of the server
	if err := answerError(w, d, later); tenants.KindOf(err) != tenants.Unavailable || w.board.Calls() != 0 {
		t.Errorf("a call that the gateway does not have: %v, and %d are kept", err, w.board.Calls())
	}
	m.gone = false
	m.refuse = &gateway.Refused{Reason: gateway.NoAudio, Msg: "The offer has no audio."}
	_, err = w.board.Answer(t.Context(), d, later.ID, "v=0")
	var e *tenants.Error
	if !errors.As(err, &e) || e.Kind != tenants.Unprocessable || e.RetryAfter != 0 {
		t.Errorf("an offer without audio: %#v", err)
	}
	if m.refuse = errors.New("the gateway fell over"); !errors.Is(answerError(w, d, later), m.refuse) {
		t.Error("a fault of ours is taken for the phone's")
	}
}

func answerError(w *world, d tenants.Device, r *tenants.Ring) error {
	_, err := w.board.Answer(w.t.Context(), d, r.ID, "v=0")
	return err
}

// TestTheFirstAnswerIsToldBeforeItReturns: the audiences know that one phone answered and the other
// may stop ringing.
func TestTheFirstAnswerIsToldBeforeItReturns(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	w, _ := silent(t, heardFacts{"", &mu, &all})
	a := w.device("ada")
	w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	mu.Lock()
	if n := len(slices.DeleteFunc(slices.Clone(all), func(s string) bool { return s != " placed" })); n != 2 {
		t.Errorf("the audience got %q of two phones", all)
	}
	mu.Unlock()
	must(t, answerError(w, a, r))
	mu.Lock()
	defer mu.Unlock()
	if !slices.Contains(all, " answered") || !slices.Contains(all, " elsewhere") {
		t.Errorf("told %q", all)
	}
}

// TestWhatTheAgentHeardIsMeasured: the loss is the share of the packets that should have come.
func TestWhatTheAgentHeardIsMeasured(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		in, lost uint64
		want     float64
	}{"one in ten": {90, 10, 0.1}, "none": {100, 0, 0}, "all": {0, 10, 1}, "no packet": {0, 0, 0}} {
		w, m := silent(t)
		d := w.device("")
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		must(t, answerError(w, d, r))
		end := w.clock.Now().Add(time.Second)
		m.on(gateway.Event{Kind: gateway.Ended, Reason: gateway.PhoneHungUp, At: end, Quality: gateway.Quality{
			PacketsIn: c.in, LostIn: c.lost, LastIn: end, JitterIn: 3 * time.Millisecond, RoundTrip: 40 * time.Millisecond}})
		got := w.state(r.ID, tenants.Ended).Call
		if got.Loss != c.want || got.Jitter != 3*time.Millisecond || got.RoundTrip != 40*time.Millisecond ||
			got.EndedBy != "phone_hung_up" {
			t.Errorf("%s: %+v", name, got)
		}
		if n := w.board.Calls(); n != 0 {
			t.Errorf("%s: %d calls are left", name, n)
		}
	}
}

// TestACallOfThisProcessIsNotSwept: its lease may run out while the process is busy, and nobody but
// its gateway ends it.
func TestACallOfThisProcessIsNotSwept(t *testing.T) {
	t.Parallel()
	w, _ := silent(t)
	w.clock.Stop()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	w.clock.Pass(5 * time.Minute)
	must(t, w.board.Sweep(t.Context()))
	if got := w.state(r.ID, tenants.Answered); !got.Call.EndedAt.IsZero() {
		t.Errorf("%+v", got.Call)
	}
}

// TestHangUpOfACallWhoseServerDied: the phone's hang-up reaches another process, before a sweep
// ends the call as broken.
func TestHangUpOfACallWhoseServerDied(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	w.open() // a second process, which carries no call
	must(t, w.board.HangUp(t.Context(), d, r.ID))
	got := w.state(r.ID, tenants.Ended)
	if got.Call.EndedBy != string(gateway.PhoneHungUp) || got.Call.EndedAt.IsZero() || len(m.hungUp) != 0 {
		t.Errorf("%+v, hung up %q", got.Call, m.hungUp)
	}
}

// TestARemovedPhoneLeavesTheOtherToAnswer: the ring goes on, so its answer is no call that ended.
func TestARemovedPhoneLeavesTheOtherToAnswer(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var all []string
	w, m := silent(t, heardFacts{"", &mu, &all})
	a, b := w.device("ada"), w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	must(t, w.board.RemoveDevice(t.Context(), w.caller, a.ID))
	mu.Lock()
	if !slices.Contains(all, " removed") {
		t.Errorf("told %q", all)
	}
	mu.Unlock()
	if err := answerError(w, b, r); err != nil || len(m.hungUp) != 0 {
		t.Errorf("the other phone answers: %v, hung up %q", err, m.hungUp)
	}
}

// TestDrainWaitsForNoCall: it returns once no first answer is under way, and calls go on.
func TestDrainWaitsForNoCall(t *testing.T) {
	t.Parallel()
	w, _ := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	drained := make(chan struct{})
	go func() { w.board.Drain(); close(drained) }()
	w.wait(drained, "the end of Drain, with a call that goes on")
	must(t, answerError(w, d, r)) // the phone changed its network
}

func TestMediaRefusalsSayWhoIsTooFast(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.clock.Stop()
	d, id := tenants.Device{ID: "d", Tenant: "a"}, tenants.NewID[tenants.RingID](w.clock.Now())
	until := func(next func(n int) (tenants.Device, tenants.RingID)) string {
		for n := range 1000 {
			if err := w.board.AdmitAnswer(next(n)); err != nil {
				return err.Error()
			}
		}
		return ""
	}
	ring := func(n int) tenants.RingID { return tenants.RingID(strings.Repeat("r", n+1)) }
	for _, c := range []struct{ want, got string }{
		{"This device answers calls too often on this ring. Wait a moment and try again.",
			until(func(int) (tenants.Device, tenants.RingID) { return d, id })},
		{"This device answers calls too often. Wait a moment and try again.",
			until(func(n int) (tenants.Device, tenants.RingID) { return d, ring(n) })},
		{"This account answers calls too often. Wait a moment and try again.",
			until(func(n int) (tenants.Device, tenants.RingID) {
				return tenants.Device{ID: tenants.DeviceID(ring(n)), Tenant: "a"}, ring(n)
			})},
	} {
		if c.got != c.want {
			t.Errorf("refused with %q, want %q", c.got, c.want)
		}
	}
}
