package push_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

const (
	team      = "TEAM123456"
	kid       = "KEY1234567"
	voipTopic = "com.example.clinic.voip"
)

var device = strings.Repeat("ab", 32)

func apple(t testing.TB, cfg apnstest.Config) *apnstest.Apple {
	t.Helper()
	a, err := apnstest.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close() })
	return a
}

func key(t testing.TB, a *apnstest.Apple, team, kid string, edit func(*apnstest.Key)) *push.Key {
	t.Helper()
	known, p8, err := apnstest.NewKey(team, kid)
	if err != nil {
		t.Fatal(err)
	}
	if edit != nil {
		edit(&known)
	}
	if a != nil {
		if err := a.Register(known); err != nil {
			t.Fatal(err)
		}
	}
	k, err := push.OpenP8(team, kid, p8)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func sender(t testing.TB, a *apnstest.Apple, edit func(*push.Config)) *push.Sender {
	t.Helper()
	cfg := push.Config{
		ProductionURL: a.URL(apnstest.Production), SandboxURL: a.URL(apnstest.Sandbox), RootCAs: a.CAPool(),
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	patientConfig(&cfg)
	if edit != nil {
		edit(&cfg)
	}
	s, err := push.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// patientConfig sets long times, so that a busy machine that stops for half a second does not look
// like a silent Apple, and each push is sent only as often as its answers ask for.
func patientConfig(c *push.Config) {
	c.DialTimeout, c.PingAfter = time.Minute, time.Minute
	c.HedgeAfter, c.SilenceTimeout, c.AnswerTimeout = 2*time.Minute, 2*time.Minute, 2*time.Minute
}

// serverConfig sets the default times, for tests of a silent Apple.
func serverConfig(c *push.Config) {
	c.DialTimeout, c.PingAfter, c.HedgeAfter, c.SilenceTimeout, c.AnswerTimeout = 0, 0, 0, 0, 0
}

// keepSilentConfig is serverConfig, but keeps a silent connection for 20 seconds.
func keepSilentConfig(c *push.Config) {
	serverConfig(c)
	c.SilenceTimeout = 20 * time.Second
}

var serial atomic.Int64

func nextUUID() string { return fmt.Sprintf("0198c0de-0000-7000-8000-%012x", serial.Add(1)) }

func ring(t testing.TB, ttl time.Duration) push.Push { return ringAt(t, time.Now(), ttl) }

func ringAt(t testing.TB, now time.Time, ttl time.Duration) push.Push {
	t.Helper()
	body, err := push.Payload(nextUUID(), now, now.Add(max(ttl, time.Second)), "")
	if err != nil {
		t.Fatal(err)
	}
	return push.Push{
		APNsID: nextUUID(), Token: device, Topic: voipTopic, Environment: push.Production,
		Payload: body, Expires: now.Add(ttl),
	}
}

// checkRules fails when the pushes broke one of Apple's rules.
func checkRules(t testing.TB, a *apnstest.Apple) {
	t.Helper()
	for _, v := range a.Violations() {
		t.Errorf("violation: %s (%s) on connection %d", v.Rule, v.Detail, v.Connection)
	}
}

// onceEach fails unless every apns-id was delivered, and no ring under two of them.
func onceEach(t testing.TB, a *apnstest.Apple, want int) {
	t.Helper()
	ids := map[string]string{}
	for _, d := range a.Delivered() {
		body := string(d.Payload)
		if id, ok := ids[body]; ok && id != d.APNsID {
			t.Errorf("a ring was delivered as %s and %s", id, d.APNsID)
		}
		ids[body] = d.APNsID
	}
	if len(ids) != want {
		t.Errorf("%d rings delivered, want %d", len(ids), want)
	}
}

func TestPush(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	p := ring(t, ringTime)
	p.Token = strings.ToUpper(p.Token)
	p.APNsID = strings.ToUpper(p.APNsID)
	w := s.Push(t.Context(), k, p)
	if !w.OK() || w.Tries != 1 || w.Environment != push.Production || w.Reaction.Ring != push.Deliver ||
		w.SentAt.IsZero() || w.AnsweredAt.Before(w.SentAt) {
		t.Fatalf("%+v", w)
	}
	got := a.Delivered()
	if len(got) != 1 {
		t.Fatalf("%d delivered", len(got))
	}
	d := got[0]
	if d.Token != device || d.Topic != voipTopic || d.APNsID != strings.ToLower(p.APNsID) || d.APNsID != w.APNsID ||
		d.PushType != "voip" || d.Priority != "10" || d.Expiration != "0" || string(d.Payload) != string(p.Payload) {
		t.Errorf("%+v", d)
	}
	checkRules(t, a)
}

func TestPushRefusesBadInput(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	rows := map[string]func(*push.Push){
		"token":       func(p *push.Push) { p.Token = "xyz" },
		"odd token":   func(p *push.Push) { p.Token = device + "a" },
		"path":        func(p *push.Push) { p.Token = strings.Repeat("a/", 32) },
		"apns-id":     func(p *push.Push) { p.APNsID = "1" },
		"topic":       func(p *push.Push) { p.Topic = "com.example.clinic" },
		"topic space": func(p *push.Push) { p.Topic = "com.exa mple.voip" },
		"topic break": func(p *push.Push) { p.Topic = "com.exa\r\nx.voip" },
		"no payload":  func(p *push.Push) { p.Payload = nil },
		"not JSON":    func(p *push.Push) { p.Payload = []byte("{") },
		"big payload": func(p *push.Push) { p.Payload = []byte(`"` + strings.Repeat("x", 5120) + `"`) },
		"environment": func(p *push.Push) { p.Environment = "staging" },
		"late":        func(p *push.Push) { p.Expires = time.Now().Add(-time.Second) },
	}
	for name, edit := range rows {
		p := ring(t, time.Minute)
		edit(&p)
		if w := s.Push(t.Context(), k, p); w.Err == nil || w.Status != 0 {
			t.Errorf("%s: %+v", name, w)
		}
	}
	if w := s.Push(t.Context(), nil, ring(t, time.Minute)); w.Err == nil {
		t.Error("no key, no error")
	}
	if a.TotalConnections() > 1 || a.Total() > 0 {
		t.Errorf("%d connections, %d pushes", a.TotalConnections(), a.Total())
	}
}

// TestRefusalsReachTheCaller scripts every reason Apple has, each to a process that has just begun:
// status, reason and reaction arrive, and only what may be tried again is. Half an hour into a term
// the token of the half-term before is too old to go back to.
func TestRefusalsReachTheCaller(t *testing.T) {
	t.Parallel()
	for _, term := range []struct {
		at   time.Duration
		back bool
	}{{time.Minute, true}, {33 * time.Minute, false}, {45 * time.Minute, true}} {
		now := termClock(term.at)
		a := apple(t, apnstest.Config{TokenInterval: -1, Now: now})
		k := key(t, a, team, kid, nil)
		for _, reason := range apnstest.Reasons() {
			refusal := apnstest.Refusal(reason)
			a.Script(device, refusal)
			s := sender(t, a, func(c *push.Config) { c.Now = now })
			w := s.Push(t.Context(), k, ringAt(t, now(), ringTime))
			s.Close()
			step := push.ReactionTo(refusal.Status, reason).Ring
			if step == push.PreviousToken && !term.back {
				step = push.Fail
			}
			switch step {
			case push.TryAgain, push.Reconnect, push.NewToken, push.PreviousToken, push.Elsewhere:
				if !w.OK() || w.Tries != 2 {
					t.Errorf("%v into a term, %s: not tried again: %+v", term.at, reason, w)
				}
			default:
				if w.Err != nil || w.Status != refusal.Status || w.Reason != reason || w.Tries != 1 {
					t.Errorf("%v into a term, %s: %+v", term.at, reason, w)
				}
			}
		}
		checkRules(t, a)
	}
}

func TestGoneCarriesTimestamp(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	at := time.UnixMilli(1_700_000_000_123)
	a.Retire(device, at)
	w := s.Push(t.Context(), k, ring(t, time.Minute))
	if w.Status != 410 || !w.Timestamp.Equal(at) || w.Reaction.Device != push.RetireIfOlder {
		t.Errorf("%+v", w)
	}
}

// TestProxyAnswerIsRetried: a proxy's page keeps its status and its text, and is tried again.
func TestProxyAnswerIsRetried(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.SetStorm(apnstest.Storm{Answer: apnstest.Answer{Status: 502, HTML: true}, Count: 1000})
	w := s.Push(t.Context(), k, ring(t, 8*time.Second))
	if w.Err != nil || w.Status != 502 || !strings.HasPrefix(w.Raw, "<html>") || w.Tries < 2 || w.Reaction.Ring != push.TryAgain {
		t.Errorf("%+v", w)
	}
	a.SetStorm(apnstest.Storm{Answer: apnstest.Answer{Status: 502, HTML: true}, Count: 1})
	if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() || w.Tries != 2 || w.Raw != "" {
		t.Errorf("%+v", w)
	}
}

func TestAutoLearnsTheEnvironment(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	other := strings.Repeat("cd", 32)
	a.AddToken(device, voipTopic, apnstest.Sandbox)
	a.AddToken(other, "com.other.voip", apnstest.Sandbox)
	p := ring(t, ringTime)
	p.Environment = push.Auto
	w := s.Push(t.Context(), k, p)
	if !w.OK() || w.Environment != push.Sandbox || w.Tries != 2 {
		t.Errorf("sandbox token: %+v", w)
	}
	if d := a.Delivered(); len(d) != 1 || d[0].APNsID != p.APNsID || d[0].Environment != apnstest.Sandbox {
		t.Errorf("%+v", d)
	}
	p = ring(t, ringTime)
	p.Environment, p.Token = push.Auto, strings.Repeat("ef", 32)
	if w := s.Push(t.Context(), k, p); !w.OK() || w.Environment != push.Production || w.Tries != 1 {
		t.Errorf("production token: %+v", w)
	}
	p = ring(t, ringTime)
	p.Environment, p.Token = push.Auto, other
	if w := s.Push(t.Context(), k, p); w.Reason != "BadDeviceToken" || w.Tries != 2 {
		t.Errorf("a sandbox token of another app: the first refusal counts: %+v", w)
	}
	checkRules(t, a)
}

func TestAutoWithAKeyOfOneEnvironment(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, nil)
	k := key(t, a, team, kid, func(k *apnstest.Key) { k.Environments = []string{apnstest.Sandbox} })
	p := ring(t, ringTime)
	p.Environment = push.Auto
	no := push.Refusal{Environment: push.Production, Status: 403, Reason: "BadEnvironmentKeyIdInToken"}
	if w := s.Push(t.Context(), k, p); !w.OK() || w.Environment != push.Sandbox || w.Other != no {
		t.Errorf("%+v", w)
	}
	p = ring(t, ringTime)
	p.Environment, p.Token = push.Auto, strings.Repeat("ef", 32)
	a.AddToken(p.Token, voipTopic, apnstest.Production)
	if w := s.Push(t.Context(), k, p); w.Reason != no.Reason || w.Environment != push.Production ||
		w.Other.Reason != "BadDeviceToken" || w.Tries != 2 {
		t.Errorf("a token of the world that the key may not enter is not to blame: %+v", w)
	}
	k = key(t, a, "TEAM000002", kid, func(k *apnstest.Key) { k.Environments = []string{apnstest.Production} })
	p = ring(t, ringTime)
	p.Environment, p.Token = push.Auto, strings.Repeat("ab", 32)
	a.AddToken(p.Token, voipTopic, apnstest.Sandbox)
	no.Environment = push.Sandbox
	if w := s.Push(t.Context(), k, p); w.Reason != "BadDeviceToken" || w.Environment != push.Production || w.Other != no {
		t.Errorf("a sandbox token and a key for production: %+v", w)
	}
}

// TestKeysWithSameIDsAreSeparate: a tenant enters another tenant's ids with a different key. Its
// pushes are refused, the other tenant's are not.
func TestKeysWithSameIDsAreSeparate(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, victim, stranger := sender(t, a, nil), key(t, a, team, kid, nil), key(t, nil, team, kid, nil)
	var group sync.WaitGroup
	for i := range 60 {
		group.Go(func() {
			k, want := victim, ""
			if i%3 == 0 {
				k, want = stranger, "InvalidProviderToken"
			}
			if w := s.Push(t.Context(), k, ring(t, ringTime)); w.Err != nil || w.Reason != want {
				t.Errorf("want %q: %+v", want, w)
			}
		})
	}
	group.Wait()
	checkRules(t, a)
}

func TestCertificatePush(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, nil)
	k, about := certificate(t, a, "com.example.clinic")
	if about.Bundle != "com.example.clinic" {
		t.Fatalf("%+v", about)
	}
	var group sync.WaitGroup
	for range 50 {
		group.Go(func() {
			if w := s.Push(t.Context(), k, ring(t, ringTime)); !w.OK() {
				t.Errorf("%+v", w)
			}
		})
	}
	group.Wait()
	p := ring(t, ringTime)
	p.Topic = "com.other.voip"
	if w := s.Push(t.Context(), k, p); w.Reason != "TopicDisallowed" {
		t.Errorf("%+v", w)
	}
	checkRules(t, a)
}

func TestCloseEndsPushes(t *testing.T) {
	before := runtime.NumGoroutine()
	a, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	k := key(t, a, team, kid, nil)
	s := sender(t, a, nil)
	a.Script(device, apnstest.Answer{Silent: true})
	done := make(chan push.Answer, 1)
	go func() { done <- s.Push(context.Background(), k, ring(t, time.Minute)) }()
	waitUntil(t, "a push on its way", func() bool { return a.OpenConnections(apnstest.Production) > 0 && s.Stats().Connections > 0 })
	s.Close()
	select {
	case w := <-done:
		if w.Err == nil {
			t.Errorf("%+v", w)
		}
	case <-time.After(time.Minute):
		t.Fatal("Close left a push waiting")
	}
	if w := s.Push(t.Context(), k, ring(t, time.Minute)); w.Err == nil {
		t.Error("a closed sender pushes")
	}
	s.Close()
	a.Close()
	waitUntil(t, "the end of all goroutines", func() bool { return runtime.NumGoroutine() <= before })
}

func TestContextEndsAPush(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.Script(device, apnstest.Answer{Silent: true})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if w := s.Push(ctx, k, ring(t, time.Minute)); !errors.Is(w.Err, context.DeadlineExceeded) {
		t.Errorf("%+v", w)
	}
}

// waitUntil polls a condition that no channel signals.
func waitUntil(t testing.TB, what string, ok func() bool) {
	t.Helper()
	tick, late := time.NewTicker(time.Millisecond), time.After(2*time.Minute)
	defer tick.Stop()
	for !ok() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatalf("waited two minutes for %s", what)
		}
	}
}

// TestCloseEndsEvictedPoolsAndProbes: Close also ends pushes on pools that were already given up
// for others, and probes.
func TestCloseEndsEvictedPoolsAndProbes(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s := sender(t, a, func(c *push.Config) { c.MaxPools = 1 })
	first, second := key(t, a, team, kid, nil), key(t, a, "SECOND1234", kid, nil)
	a.Script(device, apnstest.Answer{Silent: true})
	a.Script(strings.Repeat("0", 64), apnstest.Answer{Silent: true}, apnstest.Answer{Silent: true})
	done := make(chan error, 3)
	go func() { done <- s.Push(t.Context(), first, ring(t, time.Minute)).Err }()
	waitUntil(t, "a stuck push", func() bool { return s.Stats().Connections == 1 })
	go func() { done <- s.Push(t.Context(), second, ring(t, time.Minute)).Err }()
	waitUntil(t, "a push without a pool", func() bool { return s.Stats().Evicted == 1 })
	go func() { done <- s.Probe(t.Context(), second, voipTopic)[0].Err }()
	waitUntil(t, "a probe", func() bool { return s.Stats().Connections == 2 })
	s.Close()
	for range 3 {
		select {
		case err := <-done:
			if err == nil {
				t.Error("no error after Close")
			}
		case <-time.After(time.Minute):
			t.Fatal("Close left something waiting")
		}
	}
	if st := s.Stats(); st.Connections != 0 || st.PushesUnderWay != 0 {
		t.Errorf("%+v", st)
	}
}

// TestLongReasonIsCut: a reason is stored, mailed and shown, so its length has a bound.
func TestLongReasonIsCut(t *testing.T) {
	t.Parallel()
	a := apple(t, apnstest.Config{})
	s, k := sender(t, a, nil), key(t, a, team, kid, nil)
	a.Script(device, apnstest.Answer{Status: 403, Reason: strings.Repeat("ü", 3000)})
	if w := s.Push(t.Context(), k, ring(t, ringTime)); w.Reason != strings.Repeat("ü", 50) || w.Reaction.Alert != push.AlertOwner {
		t.Errorf("%+v", w)
	}
}
