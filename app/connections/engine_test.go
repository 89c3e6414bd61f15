package connections_test

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"carillon/app/connections"
	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

func verifies(t *testing.T, secret tenants.Secret, g got) bool {
	t.Helper()
	hook, err := standardwebhooks.NewWebhook(string(secret))
	if err != nil {
		t.Fatal(err)
	}
	return hook.Verify(g.body, g.header) == nil
}

type body struct {
	Type string
	Data struct {
		Ring, State, Caller string
		EndReason           string `json:"end_reason"`
	}
}

func (g got) read(t *testing.T) (b body) {
	t.Helper()
	if err := json.Unmarshal(g.body, &b); err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRingBecomesEvents: a ring from request to record arrives in order, signed, once.
func TestRingBecomesEvents(t *testing.T) {
	t.Parallel()
	for _, industry := range []tenants.Industry{tenants.RealEstate, tenants.Legal} {
		t.Run(string(industry), func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, industry)
			w.start(patience)
			before := w.place() // nobody listens yet
			r := w.trust(newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("thanks")) }))
			c, secret := w.connect(r.URL)
			ring := w.place()
			for _, k := range []tenants.FactKind{tenants.FactAccepted, tenants.FactWoke, tenants.FactShown, tenants.FactAnswered,
				tenants.FactConnected, tenants.FactHungUp} {
				ring = w.record(ring, k)
			}
			ids := map[string]bool{}
			for _, want := range []string{"ring.placed", "ring.accepted", "ring.shown", "ring.answered", "call.connected", "call.ended",
				"ring.ended"} {
				g := r.next(t)
				b := g.read(t)
				if b.Type != want || b.Data.Ring != string(ring.ID) || b.Data.Ring == string(before.ID) {
					t.Errorf("got %s, want %s of ring %s", g.body, want, ring.ID)
				}
				if opaque := industry == tenants.Legal; opaque != (b.Data.Caller == "") {
					t.Errorf("%s: the name %q left", industry, b.Data.Caller)
				}
				if !verifies(t, secret, g) || g.header.Get("X-Key") != "value-canary" || g.header.Get("User-Agent") != "Carillon" {
					t.Errorf("headers: %v", g.header)
				}
				ids[g.header.Get("webhook-id")] = true
			}
			if len(ids) != 7 {
				t.Errorf("%d ids of 7 events", len(ids))
			}
			w.until("all attempts are recorded", func() bool { return len(w.attempts(c)) == 7 })
			for _, a := range w.attempts(c) {
				if !a.Good || a.Status != 200 || a.Answer != "thanks" || a.Sent["X-Key"] != "***" || a.Sent["Webhook-Id"] != a.Event {
					t.Errorf("attempt: %+v", a)
				}
			}
		})
	}
}

// TestBadReceivers: each way a receiver can fail is a failed attempt with a true sentence.
func TestBadReceivers(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	release := make(chan struct{})
	status := func(code int) http.HandlerFunc {
		return func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(code) }
	}
	endless := func(w http.ResponseWriter, req *http.Request) {
		chunk := make([]byte, 1<<15)
		for req.Context().Err() == nil {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	}
	broken := func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		_, _ = w.Write([]byte("half"))
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	tenGB := func(w http.ResponseWriter, req *http.Request) {
		w.Header().Set("Content-Length", strconv.FormatInt(10<<30, 10))
		endless(w, req)
	}
	drips := func(w http.ResponseWriter, _ *http.Request) { // its status comes in time, and its text never
		_, _ = w.Write([]byte("s"))
		_ = http.NewResponseController(w).Flush()
		<-release
	}
	switches := func(w http.ResponseWriter, _ *http.Request) { // says that it speaks another protocol, and then nothing
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			return
		}
		_, _ = conn.Write([]byte("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n"))
		go func() { <-release; _ = conn.Close() }()
	}
	stranger := newReceiver(t, nil) // whose certificate nobody trusts
	cases := map[string]struct {
		url, error string // no error = delivered
	}{
		"500":      {w.trust(newReceiver(t, status(500))).URL, "answered 500"},
		"404":      {w.trust(newReceiver(t, status(404))).URL, "answered 404"},
		"401":      {w.trust(newReceiver(t, status(401))).URL, "check its password"},
		"304":      {w.trust(newReceiver(t, status(304))).URL, "redirect"},
		"redirect": {w.trust(newReceiver(t, http.RedirectHandler("https://example.com/", http.StatusTemporaryRedirect).ServeHTTP)).URL, "redirect"},
		"hangs":    {w.trust(newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release })).URL, "did not answer in time"},
		"closes": {w.trust(newReceiver(t, func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) })).URL,
			"connection"},
		"endless":     {w.trust(newReceiver(t, endless)).URL, ""},
		"10 GB":       {w.trust(newReceiver(t, tenGB)).URL, ""},
		"drips":       {w.trust(newReceiver(t, drips)).URL, ""},
		"other name":  {strings.Replace(w.trust(newReceiver(t, nil)).URL, "127.0.0.1", "localhost", 1), "certificate"},
		"half-way":    {w.trust(newReceiver(t, broken)).URL, ""},
		"certificate": {strings.Replace(stranger.URL, "127.0.0.1", "localhost", 1), "certificate"},
		"nobody":      {"https://127.0.0.1:1", "nothing listens"},
		"private":     {"https://10.0.0.1/hook", "private or reserved"},
		"switches":    {w.trust(newReceiver(t, switches)).URL, "answered 101"},
		"no TLS":      {strings.Replace(plainURL(t), "http:", "https:", 1), "does not speak TLS"},
	}
	w.Cleanup(func() { close(release) })
	patient, hasty := w.start(patience), w.start(5*time.Second)
	for name, test := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // two of them take all the time that they get
			engine := patient
			if name == "hangs" || name == "drips" {
				engine = hasty
			}
			c, _ := w.connect(test.url, tenants.EventRingPlaced)
			a, err := engine.Try(t.Context(), w.scope, c.ID, "")
			if err != nil {
				t.Fatal(err)
			}
			if a.Good != (test.error == "") || !strings.Contains(a.Error, test.error) || len(a.Answer) > 1024 {
				t.Errorf("%+v, want %q", a, test.error)
			}
			if all := w.attempts(c); len(all) != 1 || all[0].Good != a.Good || all[0].Error != a.Error {
				t.Errorf("recorded: %+v", all)
			}
			w.must(w.scope.Connections().Remove(t.Context(), c.ID))
		})
	}
}

// plainURL is the address of a server without TLS.
func plainURL(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(s.Close)
	return s.URL
}

// TestSlowReceiverDelaysNoOther: one receiver hangs, and the events of another go meanwhile.
func TestSlowReceiverDelaysNoOther(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	release := make(chan struct{})
	slow := w.trust(newReceiver(t, func(http.ResponseWriter, *http.Request) { <-release }))
	w.Cleanup(func() { close(release) })
	quick := w.trust(newReceiver(t, nil))
	w.start(patience)
	w.connect(slow.URL, tenants.EventRingPlaced)
	w.connect(quick.URL, tenants.EventRingPlaced)
	const rings = 40
	for range rings {
		w.place()
	}
	for range rings {
		quick.next(t)
	}
	if n := len(slow.took); n > 4 {
		t.Errorf("%d requests at once to one receiver", n)
	}
	w.engine.Cut()
}

// TestOrderUnderFailure: the events of a ring arrive in order although attempts fail, and those of
// another ring do not wait for them.
func TestOrderUnderFailure(t *testing.T) {
	t.Parallel()
	const failures = 3 // of the first event
	w := newWorld(t, tenants.RealEstate)
	var mu sync.Mutex // guards bad and tries
	bad, tries := "", 0
	r := w.trust(newReceiver(t, func(out http.ResponseWriter, req *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		id := req.Header.Get("webhook-id")
		if bad == "" {
			bad = id
		}
		if id == bad {
			if tries++; tries <= failures {
				out.WriteHeader(http.StatusServiceUnavailable)
			}
		}
	}))
	w.start(patience)
	c, _ := w.connect(r.URL)
	one := w.place()
	first := r.next(t)
	two := w.place()
	if b := r.next(t).read(t); b.Data.Ring != string(two.ID) {
		t.Errorf("the other ring waits: %+v", b)
	}
	one = w.record(one, tenants.FactAccepted)
	w.record(one, tenants.FactExpired)
	var order []string
	next := func() got {
		g := r.next(t)
		order = append(order, g.read(t).Type)
		return g
	}
	for again := range failures {
		// A clock that leaps ends the claims of attempts under way, so nothing may be under way.
		w.until("what was taken is recorded", func() bool { return len(w.attempts(c)) == 2+again })
		w.clock.add(15 * time.Minute) // longer than the pause after the third failure
		w.engine.Look()
		if g := next(); g.header.Get("webhook-id") != first.header.Get("webhook-id") {
			t.Error("another id for the same event")
		}
	}
	next()
	next()
	want := []string{"ring.placed", "ring.placed", "ring.placed", "ring.accepted", "ring.ended"}
	if !slices.Equal(order, want) {
		t.Errorf("got %v, want %v", order, want)
	}
}

// TestCrashRepeatsWithTheSameID: what was sent and not recorded comes again under its id.
func TestCrashRepeatsWithTheSameID(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	r := w.trust(newReceiver(t, nil))
	c, _ := w.connect(r.URL, tenants.EventRingPlaced)
	inner := connections.NewWebhook(w.dialer(), patience, w.clock.Now)
	sent := make(chan struct{}, 10)
	first := w.with(roleFunc(func(ctx context.Context, c tenants.Connection, s connections.Secrets,
		e connections.Event) (connections.Answer,
		error) {
		a, err := inner.Deliver(ctx, c, s, e)
		sent <- struct{}{}
		<-ctx.Done() // the process dies before it can write down what came back
		return a, err
	}))
	w.place()
	before := r.next(t)
	<-sent
	first.Cut()
	w.must(first.Close())
	if n := len(w.attempts(c)); n != 0 {
		t.Fatalf("%d attempts were recorded", n)
	}
	w.clock.add(2 * time.Minute)
	w.start(patience)
	again := r.next(t)
	if before.header.Get("webhook-id") != again.header.Get("webhook-id") || string(before.body) != string(again.body) {
		t.Errorf("%v, then %v", before.header, again.header)
	}
	w.until("it is recorded", func() bool { return len(w.attempts(c)) == 1 })
}

type roleFunc func(context.Context, tenants.Connection, connections.Secrets, connections.Event) (connections.Answer, error)

func (f roleFunc) Deliver(ctx context.Context, c tenants.Connection, s connections.Secrets, e connections.Event) (connections.Answer,
	error) {
	return f(ctx, c, s, e)
}

// TestRotation: while a secret is rotated, receivers with the old and with the new one verify.
func TestRotation(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	r := w.trust(newReceiver(t, nil))
	w.start(patience)
	c, old := w.connect(r.URL, tenants.EventRingPlaced)
	fresh, _, err := w.scope.Connections().RotateSecret(t.Context(), c.ID)
	w.must(err)
	w.place()
	if g := r.next(t); !verifies(t, old, g) || !verifies(t, fresh, g) || verifies(t, tenants.NewSigningSecret(), g) {
		t.Errorf("signatures: %s", g.header.Get("webhook-signature"))
	}
}

// TestGoneEndsTheConnection: 410 ends it, with an alert; Retry-After is kept.
func TestGoneEndsTheConnection(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	gone := w.trust(newReceiver(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusGone) }))
	later := w.trust(newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "3600")
		w.WriteHeader(http.StatusTooManyRequests)
	}))
	w.start(patience)
	c, _ := w.connect(gone.URL, tenants.EventRingPlaced)
	patient, _ := w.connect(later.URL, tenants.EventRingPlaced)
	w.place()
	w.until("the connection ends", func() bool {
		got, err := w.scope.Connections().Get(t.Context(), c.ID)
		w.must(err)
		return got.State == tenants.ConnectionEnded
	})
	alerts, err := w.scope.Alerts().List(t.Context(), false)
	w.must(err)
	if len(alerts) != 1 || alerts[0].Kind != tenants.AlertConnectionOff || !strings.Contains(alerts[0].Detail, "410") {
		t.Errorf("alerts: %+v", alerts)
	}
	var d []tenants.Delivery
	w.until("the other failed", func() bool {
		d, _, err = w.scope.Deliveries().List(t.Context(), store.DeliveryQuery{Connection: patient.ID})
		w.must(err)
		return len(d) == 1 && d[0].Tries == 1
	})
	if wait := d[0].DueAt.Sub(w.clock.Now()); wait < 50*time.Minute || d[0].State != tenants.DeliveryWaiting {
		t.Errorf("tried again in %s: %+v", wait, d[0])
	}
}

// TestPanicOfARoleIsItsAttempts: a role reads what strangers send, and a fault in it ends no
// process.
func TestPanicOfARoleIsItsAttempts(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.with(roleFunc(func(context.Context, tenants.Connection, connections.Secrets, connections.Event) (connections.Answer, error) {
		panic("bad answer")
	}))
	c, _ := w.connect("https://127.0.0.1/", tenants.EventRingPlaced)
	w.place()
	w.until("the attempt is recorded", func() bool { return len(w.attempts(c)) == 1 })
	if a := w.attempts(c)[0]; a.Good || !strings.Contains(a.Error, "fault of this server") {
		t.Errorf("%+v", a)
	}
}

// TestPrivateAddress: an address is judged before it is stored. What its name resolves to later is
// judged by the dialer, at each connection.
func TestPrivateAddress(t *testing.T) {
	t.Parallel()
	d := outbound.New(nil)
	if err := connections.CheckAddress(d, tenants.Connection{URL: "https://192.168.1.1/hook"}); err == nil {
		t.Error("a private address was taken")
	}
	if err := connections.CheckAddress(d, tenants.Connection{URL: "https://hooks.example.com/a"}); err != nil {
		t.Error(err)
	}
	if err := connections.CheckAddress(d, tenants.Connection{URL: "http://hooks.example.com/a"}); err == nil {
		t.Error("an address without TLS was taken")
	}
	// A name that was let in and resolves to this machine when it is used.
	w := newWorld(t, tenants.RealEstate)
	w.with(connections.NewWebhook(d, patience, w.clock.Now))
	c, _ := w.connect("https://localhost:9/hook", tenants.EventRingPlaced)
	if a, err := w.engine.Try(t.Context(), w.scope, c.ID, ""); err != nil || a.Good || a.Error != outbound.ErrForbidden.Error() {
		t.Errorf("%+v, %v", a, err)
	}
	audit := tenants.Connection{Role: tenants.RoleAudit, URL: "syslog+tls://logs.example.com:6514"}
	if err := connections.CheckAddress(d, audit); err != nil {
		t.Error(err)
	}
}

// TestRingWithoutAnAttemptEnds: the end of a ring to a group of which nobody was rung arrives.
func TestRingWithoutAnAttemptEnds(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.RealEstate)
	w.start(patience)
	r := w.trust(newReceiver(t, func(http.ResponseWriter, *http.Request) {}))
	w.connect(r.URL)
	now := w.clock.Now()
	group := tenants.NewID[tenants.GroupID](now)
	ring := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, To: tenants.To{Group: group, Name: "Night line"},
		By: tenants.System, CreatedAt: now, ExpiresAt: now.Add(20 * time.Second), Steps: []tenants.Step{{N: 1, Wave: 1, Group: group,
			Name: "Night line", Person: "ana", State: tenants.StepPlanned, For: 20 * time.Second}}}
	_, err := w.scope.Rings().Add(t.Context(), ring, store.Idempotency{}, now)
	w.must(err)
	_, _, err = w.scope.Rings().Change(t.Context(), ring.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Begin(1, nil, map[int]string{1: "ana has no phone"}, now)
		return r.Finish(tenants.FactExpired, now), nil
	})
	w.must(err)
	if b := r.next(t).read(t); b.Type != "ring.ended" || b.Data.Ring != string(ring.ID) || b.Data.EndReason != "nobody_rung" {
		t.Errorf("got %+v", b)
	}
}
