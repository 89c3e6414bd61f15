package switchboard_test

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/bus"
	"carillon/app/health"
	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/app/push/pushtest"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// world is one board with a real store, a real sender and an Apple.
type world struct {
	t      *testing.T
	clock  *pushtest.Clock
	store  *store.Store
	apple  *apnstest.Apple
	board  *switchboard.Board
	config switchboard.Config
	caller switchboard.Caller
	scope  *store.Scope

	credentials *health.Credentials

	dir, bundle string

	statements  atomic.Int64 // that the store ran
	storeConfig store.Config
}

func newWorld(t *testing.T, industry tenants.Industry) *world {
	t.Helper()
	return newWorldOn(t, industry, "")
}

// newWorldOn is newWorld on a PostgreSQL.
func newWorldOn(t *testing.T, industry tenants.Industry, url string) *world {
	t.Helper()
	w := &world{t: t, clock: &pushtest.Clock{}, dir: t.TempDir(), bundle: "com.example.app"}
	keys, err := seal.Parse([]byte(seal.Generate()))
	must(t, err)
	cfg := store.Config{URL: url, Dir: w.dir, Seal: keys, Now: w.clock.Now, Log: slog.New(slog.DiscardHandler),
		Observe: func(string) { w.statements.Add(1) }}
	storetest.Migrate(t, cfg)
	w.storeConfig = cfg
	w.store, err = store.Open(t.Context(), cfg)
	must(t, err)
	t.Cleanup(func() { must(t, w.store.Close()) })
	w.apple, err = apnstest.New(apnstest.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, w.apple.Close()) })
	sender, err := push.New(push.Config{
		ProductionURL: w.apple.URL(apnstest.Production), SandboxURL: w.apple.URL(apnstest.Sandbox),
		RootCAs: w.apple.CAPool(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		// A machine that is busy is no Apple that has fallen silent: each push goes out once.
		PingAfter: time.Minute, HedgeAfter: 2 * time.Minute, SilenceTimeout: 2 * time.Minute, AnswerTimeout: 2 * time.Minute,
	})
	must(t, err)
	t.Cleanup(func() { must(t, sender.Close()) })
	w.config = switchboard.Config{
		Store: w.store, Push: sender, Bus: bus.New(), Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	w.open()
	w.furnish(industry)
	return w
}

// open starts a board; a second one is a second process.
func (w *world) open() {
	var err error
	w.credentials, err = health.NewCredentials(health.CredentialsConfig{
		Store: w.store, Now: w.clock.Now,
		Added: func(c tenants.Credential, k *push.Key) {
			public, _ := k.Public()
			must(w.t, w.apple.Register(apnstest.Key{Team: c.Team, KeyID: c.KeyID, Public: public}))
		},
	})
	must(w.t, err)
	monitor, err := health.NewMonitor(health.Config{Store: w.store, Now: w.clock.Now, Log: w.config.Log})
	must(w.t, err)
	w.config.Keys, w.config.Health = w.credentials, monitor
	w.reopen()
}

// reopen starts a board with the parts that the test has put in.
func (w *world) reopen() {
	b, err := switchboard.New(w.config)
	must(w.t, err)
	w.board = b
	w.t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(w.t, b.Close(ctx))
	})
}

// voice gives the board a gateway.
func (w *world) voice() {
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, AllowPrivate: true,
		LeaveGrace: 50 * time.Millisecond, Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, g.Close()) })
	builtin, err := agents.NewBuiltin(100*time.Millisecond, time.Now)
	must(w.t, err)
	w.config.Media, w.config.Agents = g, agents.NewKinds(builtin, nil, nil, nil, nil).Open
	w.open()
}

func (w *world) furnish(industry tenants.Industry) {
	w.t.Helper()
	tenant := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](w.clock.Now()), Slug: "example", Name: "Example", Industry: industry,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: w.clock.Now(),
	}
	who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000a", Name: "test"}}
	must(w.t, w.store.Tenants().Add(w.t.Context(), who, tenant))
	w.caller = switchboard.Caller{Tenant: tenant, Who: who}
	w.scope = w.store.For(tenant.ID).By(who)
	_, file, err := apnstest.NewKey("TEAM000001", "KEY0000001")
	must(w.t, err)
	_, err = w.credentials.Add(w.t.Context(), tenant.ID, who, health.Upload{
		Filename: "AuthKey_KEY0000001.p8", File: file, Bundle: w.bundle, Team: "TEAM000001",
	})
	must(w.t, err)
}

func (w *world) device(person string) tenants.Device {
	return w.deviceAs(tenants.Device{Environment: tenants.Production, Person: person})
}

// deviceAs adds a phone with the environment and person of d.
func (w *world) deviceAs(d tenants.Device) tenants.Device {
	w.t.Helper()
	now := w.clock.Now()
	d = tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Tenant: w.caller.Tenant.ID, Token: token(),
		Bundle: w.bundle, Environment: d.Environment, Person: d.Person, Name: "Phone", RegisteredAt: now, CreatedAt: now, SeenAt: now,
	}.Clean()
	d, _, err := w.scope.Devices().Add(w.t.Context(), d, tenants.NewSecret(tenants.DevicePrefix).Hash())
	must(w.t, err)
	return d
}

func token() string {
	a, b := tenants.NewRandomID(), tenants.NewRandomID()
	hex := ""
	for _, c := range a + b {
		if c != '-' {
			hex += string(c)
		}
	}
	return hex
}

func (w *world) place(q tenants.Request) *tenants.Ring {
	w.t.Helper()
	r, _, err := w.board.Place(w.t.Context(), w.caller, q, store.Idempotency{})
	must(w.t, err)
	return r
}

func (w *world) report(d tenants.Device, r *tenants.Ring, k tenants.FactKind) {
	w.t.Helper()
	_, err := w.board.Report(w.t.Context(), d, r.ID, switchboard.Report{Kind: k})
	must(w.t, err)
}

// until waits until the ring is as ok wants it.
func (w *world) until(id tenants.RingID, what string, ok func(*tenants.Ring) bool) *tenants.Ring {
	w.t.Helper()
	listener := w.config.Bus.Listen(w.caller.Tenant.ID, id)
	defer listener.Close()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	for {
		r, err := w.scope.Rings().Get(w.t.Context(), id)
		must(w.t, err)
		if ok(r) {
			return r
		}
		if _, err := listener.Next(ctx); err != nil {
			w.t.Fatalf("the ring never was %s: %s (%s) %+v", what, r.State, r.EndReason, r.Facts())
		}
	}
}

func (w *world) state(id tenants.RingID, s tenants.State) *tenants.Ring {
	w.t.Helper()
	return w.until(id, string(s), func(r *tenants.Ring) bool { return r.State == s })
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// scripted is a world whose Apple is a script.
func scripted(t *testing.T, change func(*switchboard.Config)) (*world, *pushtest.Script) {
	w, s := newWorld(t, tenants.RealEstate), &pushtest.Script{}
	w.config.Push = s
	if change != nil {
		change(&w.config)
	}
	w.open()
	return w, s
}

// settle closes the board: every push is over, and all that follows from it.
func (w *world) settle() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 2*time.Minute)
	defer cancel()
	must(w.t, w.board.Close(ctx))
}

// wait waits until c is closed.
func (w *world) wait(c <-chan struct{}, what string) {
	w.t.Helper()
	select {
	case <-c:
	case <-time.After(time.Minute):
		w.t.Fatalf("waited in vain for %s", what)
	}
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
