package console

import (
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/switchboard"
	"carillon/tenants"
)

func TestATestRingIsFollowedHopByHop(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	w.get("/rings/test").want(200).has("Beta phone", "Bells and echo")
	w.post("/rings/test", url.Values{}).want(400).has("Choose the phone")
	live := w.post("/rings/test", url.Values{"device": {string(b.device)}, "agent": {""}}).want(303).Header.Get("Location")
	id := tenants.RingID(strings.Split(live, "/")[2])
	r := b.until(id, func(r *tenants.Ring) bool { return r.Attempts[0].Push.Status == 200 })
	if !r.Test || r.By.Kind != "user" || r.By.ID != string(b.owner.ID) {
		t.Errorf("the ring of the button is %+v", r)
	}
	w.get(live).want(200).has("sse-connect=", "Apple accepted the push", "The phone wakes the app", "Stop ringing")
	d, err := b.scope().Devices().Get(t.Context(), b.device)
	must(t, err)
	told := 0
	w.stream("/rings/"+string(id)+"/live?view=test", func(event, data string) bool {
		if event == "over" {
			return true
		}
		told++
		switch {
		case strings.Contains(data, "It works. The person declined."):
		case strings.Contains(data, "The call was on the screen"):
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactDeclined})
			must(t, err)
		case strings.Contains(data, "The phone woke the app"):
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactShown})
			must(t, err)
		default:
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactWoke})
			must(t, err)
		}
		return false
	})
	if told < 4 {
		t.Errorf("the page was told %d times", told)
	}
	w.get(live).want(200).lacks("sse-connect=").has("Ring again", "until the phone rang")
	w.get("/rings/test").has("Earlier tests")
}

func TestARingsPageIsLiveToo(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	r := b.placed()
	w.get("/rings/"+string(r.ID)).want(200).has("sse-connect=", "Live")
	cancelled := false
	w.stream("/rings/"+string(r.ID)+"/live?view=ring", func(event, data string) bool {
		if !cancelled {
			cancelled = true
			w.post("/rings/"+string(r.ID)+"/cancel", url.Values{}).leads("/rings/" + string(r.ID))
		}
		return event == "over"
	})
	w.get("/rings/"+string(r.ID)).has("Cancelled", "Stopped.")
}

func TestAFailedTestNamesTheHopTheReasonAndTheCure(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	h.apple.say(410, "Unregistered")
	live := w.post("/rings/test", url.Values{"device": {string(b.device)}}).want(303).Header.Get("Location")
	id := tenants.RingID(strings.Split(live, "/")[2])
	b.until(id, func(r *tenants.Ring) bool { return r.State.Terminal() })
	w.get(live).want(200).has("Stopped at Apple: Unregistered", "hop-failed", "Apple refused the push",
		"The app was removed from the phone", "Open the app on that phone once")
	// The phone is dead now: policy says no, and says why, above the form.
	w.post("/rings/test", url.Values{"device": {string(b.dead)}}).want(403).has("token is dead")
	w.post("/rings/test", url.Values{"device": {tenants.NewRandomID()}}).want(404)
}

func TestAnUnansweredTestNamesTheHopThatIsMissing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	r := b.placed()
	h.clock.pass(time.Minute)
	must(t, h.board.Sweep(t.Context()))
	w.get("/rings/"+string(r.ID)+"/test").want(200).has("the app did not wake", "The phone wakes the app", "Not reached in time",
		"hop-failed", "The phone may be off or offline")
}

func TestAStreamEndsWithTheSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.quick(b.owner)
	r := b.placed()
	d, err := b.scope().Devices().Get(t.Context(), b.device)
	must(t, err)
	first, done := make(chan struct{}), make(chan struct{})
	var begin sync.Once
	var heard strings.Builder
	go func() {
		defer close(done)
		w.read("/rings/"+string(r.ID)+"/live?view=ring", func(line string) {
			heard.WriteString(line)
			if strings.HasPrefix(line, "event: ") {
				begin.Do(func() { close(first) })
			}
		})
	}()
	<-first
	must(t, h.store.SignIns().EndAll(t.Context(), b.owner.ID, tenants.Hash{}))
	_, err = h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: tenants.FactWoke})
	must(t, err)
	select {
	case <-done:
		if s := heard.String(); strings.Contains(s, "The phone woke the app") || !strings.Contains(s, "The phone wakes the app") {
			t.Error("the stream told what came after the sign-in had ended")
		}
	case <-time.After(time.Minute):
		t.Fatal("the stream outlived the sign-in")
	}
}

func TestHopsInAnyOrder(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	a := &tenants.Attempt{State: tenants.Pushed}
	for i, k := range []tenants.FactKind{tenants.FactPlaced, tenants.FactSent, tenants.FactWoke} { // Apple's yes is not back yet
		a.Facts = append(a.Facts, tenants.Fact{Kind: k, At: at.Add(time.Duration(i) * 100 * time.Millisecond), Received: at, Seq: int64(i)})
	}
	var got []string
	for _, h := range hopsOf(a, time.UTC) {
		got = append(got, string(h.State)+" "+h.Delta)
	}
	want := "done ,done 100 ms,skipped ,done 100 ms,now ,waiting ,waiting "
	if strings.Join(got, ",") != want {
		t.Errorf("%s, want %s", strings.Join(got, ","), want)
	}
}
