package console

import (
	"carillon/app/page/pagetest"

	"net/url"
	"strings"
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
	part := "/rings/" + string(id) + "/part?view=test"
	w.Get(live).Want(200).Has(`data-live-part="`+part+`"`, "Apple accepted the push", "The phone wakes the app", "Stop ringing")
	d, err := b.Scope().Devices().Get(t.Context(), b.device)
	pagetest.Must(t, err)
	for _, step := range []struct {
		kind tenants.FactKind
		says string
	}{
		{tenants.FactWoke, "The phone woke the app"}, {tenants.FactShown, "The call was on the screen"},
	} {
		_, err = h.board.Report(t.Context(), d, id, switchboard.Report{Kind: step.kind})
		pagetest.Must(t, err)
		w.Get(part).Want(200).Has(step.says).Lacks("data-over", "<html")
	}
	_, err = h.board.Report(t.Context(), d, id, switchboard.Report{Kind: tenants.FactDeclined})
	pagetest.Must(t, err)
	w.Get(part).Want(200).Has("It works. The person declined.", "data-over")
	w.Get(live).Want(200).Lacks("data-live-part").Has("Ring again", "until the phone rang")
	w.Get("/rings/test").Has("Earlier tests")
}

func TestARingsPageIsLiveToo(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", "Beta")
	w := b.Quick(b.Owner)
	r := b.placed()
	part := "/rings/" + string(r.ID) + "/part?view=ring"
	w.Get("/rings/"+string(r.ID)).Want(200).Has(`data-live-part="`+part+`"`, "data-stream=", "Live")
	w.Get(part).Want(200).Lacks("data-over")
	w.Post("/rings/"+string(r.ID)+"/cancel", url.Values{}).Leads("/rings/" + string(r.ID))
	w.Get(part).Want(200).Has("Cancelled", "data-over")
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
	ready, done := make(chan struct{}), make(chan struct{})
	var heard strings.Builder
	go func() {
		defer close(done)
		w.Read("/rings/live", func(line string) {
			heard.WriteString(line)
			if line == "event: ready" {
				close(ready)
			}
		})
	}()
	<-ready
	pagetest.Must(t, h.Store.SignIns().EndAll(t.Context(), b.Owner.ID, tenants.Hash{}))
	_, err = h.board.Report(t.Context(), d, r.ID, switchboard.Report{Kind: tenants.FactWoke})
	pagetest.Must(t, err)
	select {
	case <-done:
		if s := heard.String(); strings.Contains(s, string(r.ID)) {
			t.Error("the stream told what came after the sign-in had ended")
		}
	case <-time.After(time.Minute):
		t.Fatal("the stream outlived the sign-in")
	}
}

// TestTabsOfOneBrowserDoNotMix: an open page of one sign-in or tenant gets nothing of the next one,
// whose cookie its requests carry.
func TestTabsOfOneBrowserDoNotMix(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	pagetest.Must(t, b.Scope().Members().Add(t.Context(), tenants.Member{Tenant: b.Id, User: a.Owner.ID, Role: tenants.Admin,
		CreatedAt: h.Clock.Now()}))
	w := a.Quick(a.Owner)
	session := func() string {
		_, rest, ok := strings.Cut(w.Get("/rings").Want(200).Body, `data-session="`)
		if !ok {
			t.Fatal("the page does not say for which sign-in it was drawn")
		}
		name, _, _ := strings.Cut(rest, `"`)
		return name
	}
	stream := func(session string) int { return w.Peek("/rings/live?session=" + session).StatusCode }
	asked := func(path, session string) int {
		w.Headers["Carillon-Session"] = session
		defer delete(w.Headers, "Carillon-Session")
		return w.Get(path).StatusCode
	}
	old := session()
	if old != session() {
		t.Error("two pages of one sign-in have two names for it")
	}
	paths := []string{"/rings", "/palette", "/rings/" + string(a.ring) + "/part?view=ring", "/rings/" + string(b.ring) + "/part?view=ring"}
	if stream(old) != 200 || asked(paths[0], old) != 200 || asked(paths[2], old) != 200 {
		t.Error("a page is refused what is its own")
	}
	for name, change := range map[string]func(){
		"the same person in another tenant":    func() { w.Post("/tenant", url.Values{"tenant": {string(b.Id)}}).Leads("/overview") },
		"another person in the same browser":   func() { w.Cookies = b.Quick(b.Owner).Cookies },
		"the same person, signed in once more": func() { w.Cookies = a.Quick(a.Owner).Cookies },
	} {
		old := session()
		change()
		if got := stream(old); got != 409 {
			t.Errorf("%s: the stream of the page before answers %d", name, got)
		}
		for _, path := range paths {
			if got := asked(path, old); got != 409 {
				t.Errorf("%s: %s of the page before answers %d", name, path, got)
			}
		}
		if got := stream(session()); got != 200 {
			t.Errorf("%s: the stream of a new page answers %d", name, got)
		}
		w = a.Quick(a.Owner)
	}
	old = session()
	w.Post("/signout", url.Values{})
	if got := stream(old); got != 401 {
		t.Errorf("signed out: the stream answers %d", got)
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
