package console

import (
	"carillon/app/page/pagetest"

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
	w := b.Quick(b.Owner)
	w.Get("/rings/test").Want(200).Has("Beta phone", "Bells and echo")
	w.Post("/rings/test", url.Values{}).Want(400).Has("Choose the phone")
	live := w.Post("/rings/test", url.Values{"device": {string(b.device)}, "agent": {""}}).Want(303).Header.Get("Location")
	id := tenants.RingID(strings.Split(live, "/")[2])
	r := b.until(id, func(r *tenants.Ring) bool { return r.Attempts[0].Push.Status == 200 })
	if !r.Test || r.By.Kind != tenants.ActorUser || r.By.ID != string(b.Owner.ID) {
		t.Errorf("the ring of the button is %+v", r)
	}
	w.Get(live).Want(200).Has("sse-connect=", "Apple accepted the push", "The phone wakes the app", "Stop ringing")
	d, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	told := 0
	w.Stream("/rings/"+string(id)+"/live?view=test", func(event, data string) bool {
		if event == "over" {
			return true
		}
		told++
		switch {
		case strings.Contains(data, "It works. The person declined."):
		case strings.Contains(data, "The call was on the screen"):
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactDeclined})
			pagetest.Must(t, err)
		case strings.Contains(data, "The phone woke the app"):
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactShown})
			pagetest.Must(t, err)
		default:
			_, err := h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactWoke})
			pagetest.Must(t, err)
		}
		return false
	})
	if told < 4 {
		t.Errorf("the page was told %d times", told)
	}
	w.Get(live).Want(200).Lacks("sse-connect=").Has("Ring again", "until the phone rang")
	w.Get("/rings/test").Has("Earlier tests")
}

func TestARingsPageIsLiveToo(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	r := b.placed()
	w.Get("/rings/"+string(r.ID)).Want(200).Has("sse-connect=", "Live")
	cancelled := false
	w.Stream("/rings/"+string(r.ID)+"/live?view=ring", func(event, data string) bool {
		if !cancelled {
			cancelled = true
			w.Post("/rings/"+string(r.ID)+"/cancel", url.Values{}).Leads("/rings/" + string(r.ID))
		}
		return event == "over"
	})
	w.Get("/rings/"+string(r.ID)).Has("Cancelled", "Stopped.")
}

func TestAFailedTestNamesTheHopTheReasonAndTheCure(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	h.apple.say(410, "Unregistered")
	live := w.Post("/rings/test", url.Values{"device": {string(b.device)}}).Want(303).Header.Get("Location")
	id := tenants.RingID(strings.Split(live, "/")[2])
	b.until(id, func(r *tenants.Ring) bool { return r.State.Terminal() })
	w.Get(live).Want(200).Has("Stopped at Apple: Unregistered", "hop-failed", "Apple refused the push",
		"The app was removed from the phone", "Open the app on that phone once")
	// The phone is dead now: policy says no, and says why, above the form.
	w.Post("/rings/test", url.Values{"device": {string(b.dead)}}).Want(403).Has("token is dead")
	w.Post("/rings/test", url.Values{"device": {tenants.NewRandomID()}}).Want(404)
}

func TestAnUnansweredTestNamesTheHopThatIsMissing(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	r := b.placed()
	h.Clock.Pass(time.Minute)
	pagetest.Must(t, h.board.Sweep(t.Context()))
	w.Get("/rings/"+string(r.ID)+"/test").Want(200).Has("the app did not wake", "The phone wakes the app", "Not reached in time",
		"hop-failed", "The phone may be off or offline")
}

func TestAStreamEndsWithTheSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	r := b.placed()
	d, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	first, done := make(chan struct{}), make(chan struct{})
	var begin sync.Once
	var heard strings.Builder
	go func() {
		defer close(done)
		w.Read("/rings/"+string(r.ID)+"/live?view=ring", func(line string) {
			heard.WriteString(line)
			if strings.HasPrefix(line, "event: ") {
				begin.Do(func() { close(first) })
			}
		})
	}()
	<-first
	pagetest.Must(t, h.Store.SignIns().EndAll(t.Context(), b.Owner.ID, tenants.Hash{}))
	_, err = h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: tenants.FactWoke})
	pagetest.Must(t, err)
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
