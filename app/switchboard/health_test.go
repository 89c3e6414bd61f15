package switchboard_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// script is an Apple that answers at once, as it is told.
type script struct {
	mu     sync.Mutex // guards both
	answer func(push.Push) (status int, reason string)
	pushes []push.Push
	at     []time.Time
}

func (s *script) Push(_ context.Context, _ *push.Key, p push.Push) push.Answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pushes, s.at = append(s.pushes, p), append(s.at, time.Now())
	status, reason := s.answer(p)
	now := time.Now()
	return push.Answer{APNsID: p.APNsID, Environment: p.Environment, Status: status, Reason: reason, Tries: 1, SentAt: now, AnsweredAt: now.Add(time.Second)}
}

func (s *script) set(answer func(push.Push) (int, string)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

func (s *script) times() []time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]time.Time(nil), s.at...)
}

func always(status int, reason string) func(push.Push) (int, string) {
	return func(push.Push) (int, string) { return status, reason }
}

// scripted is a world whose Apple is a script.
func scripted(t *testing.T, change func(*switchboard.Config)) (*world, *script) {
	w, s := newWorld(t, tenants.Salon), &script{answer: always(200, "")}
	w.config.Push = s
	if change != nil {
		change(&w.config)
	}
	w.open()
	return w, s
}

// settle closes the board: every push is over, and what follows from it too.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	must(w.t, w.board.Close(ctx))
}

func (w *world) dead() (n int) {
	w.t.Helper()
	for after := ""; ; {
		list, next, err := w.scope.Devices(w.t.Context(), store.DeviceQuery{State: tenants.DeviceDisabled, After: after, Limit: 200})
		must(w.t, err)
		if n += len(list); next == "" {
			return n
		}
		after = next
	}
}

func (w *world) alerts(kind tenants.AlertKind) (list []tenants.Alert) {
	w.t.Helper()
	all, err := w.scope.Alerts(w.t.Context(), false)
	must(w.t, err)
	for _, a := range all {
		if a.Kind == kind {
			list = append(list, a)
		}
	}
	return list
}

// crowd registers many devices at once.
func (w *world) crowd(n int) []tenants.Device {
	w.t.Helper()
	list := make([]tenants.Device, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { list[i] = w.device(fmt.Sprint("p", i)) })
	}
	wg.Wait()
	return list
}

// ringAll places a ring to each, many at a time.
func (w *world) ringAll(list []tenants.Device) {
	w.t.Helper()
	var wg sync.WaitGroup
	next := make(chan tenants.Device)
	for range 50 {
		wg.Go(func() {
			for d := range next {
				if _, _, err := w.board.Place(w.t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{}); err != nil && tenants.KindOf(err) != tenants.Forbidden {
					w.t.Error(err)
				}
			}
		})
	}
	for _, d := range list {
		next <- d
	}
	close(next)
	wg.Wait()
}

// TestAWrongEnvironmentWipesNobody: one mistake makes Apple refuse a thousand tokens, some of them twice.
func TestAWrongEnvironmentWipesNobody(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"BadDeviceToken", "DeviceTokenNotForTopic"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w, apple := scripted(t, nil)
			apple.set(always(400, reason))
			const devices = crowded
			all := w.crowd(devices)
			w.ringAll(all)
			w.ringAll(all[:devices/5])
			w.settle()
			if n := w.dead(); n > devices/100 {
				t.Errorf("%d of %d devices are disabled", n, devices)
			}
			if n := len(apple.times()); n < devices*6/5-10 {
				t.Errorf("%d pushes: the test proves nothing", n)
			}
			alerts := w.alerts(tenants.AlertTokensRefused)
			if len(alerts) != 1 || !strings.Contains(alerts[0].Detail, reason) {
				t.Fatalf("alerts %+v", alerts)
			}
			creds, _, err := w.scope.Credentials(t.Context(), store.Page{})
			must(t, err)
			if creds[0].LastError != reason || creds[0].State != tenants.CredentialActive || alerts[0].Target != string(creds[0].ID) {
				t.Errorf("the credential: %+v", creds[0])
			}
		})
	}
}

// TestWhatTheBurstDisabledComesBack: the first nine were disabled before there were enough to tell.
func TestWhatTheBurstDisabledComesBack(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, nil)
	apple.set(always(400, "DeviceTokenNotForTopic"))
	all := w.crowd(12)
	for i, d := range all {
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		w.state(r.ID, tenants.Failed)
		if i == 8 {
			w.eventually("nine are disabled", func() bool { return w.dead() == 9 })
		}
	}
	w.eventually("all came back", func() bool { return w.dead() == 0 && len(w.alerts(tenants.AlertTokensRefused)) == 1 })
	apple.set(always(200, ""))
	for _, d := range all {
		w.state(w.place(tenants.Request{To: tenants.To{Device: d.ID}}).ID, tenants.Pushed)
	}
	w.eventually("the alert is over", func() bool { return len(w.alerts(tenants.AlertTokensRefused)) == 0 })
}

// eventually waits for what follows a ring's facts a moment later.
func (w *world) eventually(what string, ok func() bool) {
	w.t.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); !ok(); <-tick.C {
		if time.Now().After(deadline) {
			w.t.Fatal("never: " + what)
		}
	}
}

func TestABadTokenIsDisabledOnTheSecondProof(t *testing.T) {
	t.Parallel()
	w, apple := scripted(t, nil)
	d := w.device("")
	ring := func(status int, reason string) {
		t.Helper()
		apple.set(always(status, reason))
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
		w.until(r.ID, "answered by Apple", func(r *tenants.Ring) bool { return r.Attempts[0].Push.Status == status })
		w.settle()
		w.open()
	}
	alive := func(want bool) {
		t.Helper()
		got, err := w.scope.Device(t.Context(), d.ID)
		must(t, err)
		if (got.State == tenants.DeviceActive) != want {
			t.Fatalf("the device is %s (%s)", got.State, got.DisabledReason)
		}
	}
	ring(400, "BadDeviceToken")
	alive(true)
	ring(200, "")
	ring(400, "BadDeviceToken") // a success came between
	alive(true)
	must(t, w.scope.SetToken(t.Context(), d))
	ring(400, "BadDeviceToken") // a registration came between
	alive(true)
	ring(503, "ServiceUnavailable")
	alive(true)
	ring(400, "BadDeviceToken") // Apple's trouble is no word on the token, but it was the last one
	ring(400, "BadDeviceToken")
	alive(false)
}

func TestARefusedCredentialIsDisabledAndTold(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		rings int
		state tenants.CredentialState
	}{
		"InvalidProviderToken": {1, tenants.CredentialDisabled},
		"BadCertificate":       {1, tenants.CredentialDisabled},
		"Forbidden":            {2, tenants.CredentialDisabled},
		"TopicDisallowed":      {2, tenants.CredentialActive},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w, apple := scripted(t, nil)
			apple.set(always(403, reason))
			for i := range c.rings {
				w.state(w.place(tenants.Request{To: tenants.To{Device: w.device("").ID}}).ID, tenants.Failed)
				w.eventually("told", func() bool { a := w.alerts(tenants.AlertCredential); return len(a) == 1 && a[0].Count == int64(i+1) })
			}
			w.settle()
			creds, _, err := w.scope.Credentials(t.Context(), store.Page{})
			must(t, err)
			if creds[0].State != c.state || creds[0].LastError != reason {
				t.Errorf("%+v", creds[0])
			}
			if n := w.dead(); n != 0 {
				t.Errorf("%d devices pay for it", n)
			}
		})
	}
}

// TestSilentPhonesRaiseAnAlertBeforeItSpreads: three phones with one version, three rings each that Apple takes and nobody hears.
func TestSilentPhonesRaiseAnAlertBeforeItSpreads(t *testing.T) {
	t.Parallel()
	for kind, word := range map[tenants.AlertKind]tenants.FactKind{tenants.AlertBlocked: "", tenants.AlertUnshown: tenants.FactWoke} {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			w, _ := scripted(t, nil)
			phones := w.crowd(3)
			for i := range phones {
				phones[i].AppVersion, phones[i].OSVersion = "7.0", "26.4"
				must(t, w.scope.SetToken(t.Context(), phones[i]))
			}
			round := func(say tenants.FactKind) {
				t.Helper()
				for _, d := range phones {
					r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
					w.state(r.ID, tenants.Pushed)
					if say != "" {
						w.report(d, r, say)
					}
				}
				w.clock.pass(61 * time.Second)
				must(t, w.board.Sweep(t.Context()))
			}
			round(word)
			if len(w.alerts(kind)) != 0 {
				t.Error("an alert after one ring")
			}
			round(word)
			round(word)
			list := w.alerts(kind)
			if len(list) != 1 || list[0].Target != "7.0" || !strings.HasPrefix(list[0].Detail, "3 of 3 phones with version 7.0") {
				t.Fatalf("alerts %+v", list)
			}
			phonesSeen, apps, err := switchboard.CallKit(t.Context(), w.scope, w.clock.now())
			must(t, err)
			if len(phonesSeen) != 3 || len(apps) != 1 || apps[0].Delegate != 3 || apps[0].Verdict == tenants.Fine {
				t.Errorf("%+v %+v", phonesSeen, apps)
			}
			round(tenants.FactShown)
			must(t, w.board.Review(t.Context()))
			if list := w.alerts(kind); len(list) != 0 {
				t.Errorf("it is over, and still told: %+v", list)
			}
		})
	}
}
