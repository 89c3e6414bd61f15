package health_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/bus"
	"carillon/app/health"
	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/app/push/pushtest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// logText is a log that a test reads.
type logText struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *logText) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logText) count(what string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Count(l.text.String(), what)
}

// world is one tenant with a real store, a real switchboard and the parts of package health.
type world struct {
	t           *testing.T
	clock       *pushtest.Clock
	log         logText
	store       *store.Store
	apple       *pushtest.Script
	pusher      switchboard.Pusher
	config      health.CredentialsConfig
	credentials *health.Credentials
	monitor     *health.Monitor
	board       *switchboard.Board
	caller      switchboard.Caller
	scope       *store.Scope
}

const bundle = "com.example.app"

// newWorld has an Apple that is a script and accepts every push.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, clock: &pushtest.Clock{}, apple: &pushtest.Script{}}
	w.pusher = w.apple
	w.store = storetest.OpenConfig(t, store.Config{Now: w.clock.Now})
	w.config = health.CredentialsConfig{Store: w.store, Now: w.clock.Now}
	w.addTenant()
	w.open()
	w.upload("TEAM000001", "KEY0000001")
	return w
}

// realWorld has an Apple inside this process, and the sender that speaks to it. Apple learns each
// new credential for the environments given, or for both.
func realWorld(t *testing.T, environments ...string) (*world, *apnstest.Apple) {
	t.Helper()
	w := &world{t: t, clock: &pushtest.Clock{}}
	apple, err := apnstest.New(apnstest.Config{})
	must(t, err)
	t.Cleanup(func() { must(t, apple.Close()) })
	sender, err := push.New(push.Config{
		ProductionURL: apple.URL(apnstest.Production), SandboxURL: apple.URL(apnstest.Sandbox),
		RootCAs: apple.CAPool(), Now: time.Now, Log: slog.New(slog.DiscardHandler),
		// A busy machine must not look like an Apple that fell silent: each push goes out once.
		PingAfter: time.Minute, HedgeAfter: 2 * time.Minute, SilenceTimeout: 2 * time.Minute, AnswerTimeout: 2 * time.Minute,
	})
	must(t, err)
	t.Cleanup(func() { must(t, sender.Close()) })
	w.pusher = sender
	w.store = storetest.OpenConfig(t, store.Config{Now: w.clock.Now})
	w.config = health.CredentialsConfig{Store: w.store, Probe: sender, Now: w.clock.Now,
		Added: func(c tenants.Credential, k *push.Key) {
			public, _ := k.Public()
			must(t, apple.Register(apnstest.Key{Team: c.Team, KeyID: c.KeyID, Public: public, Environments: environments}))
		}}
	w.addTenant()
	w.open()
	w.upload("TEAM000001", "KEY0000001")
	return w, apple
}

// open makes the parts again, as a second process would.
func (w *world) open() {
	w.t.Helper()
	var err error
	w.credentials, err = health.NewCredentials(w.config)
	must(w.t, err)
	log := slog.New(slog.NewTextHandler(&w.log, nil))
	w.monitor, err = health.NewMonitor(health.Config{Store: w.store, Now: w.clock.Now, Log: log})
	must(w.t, err)
	w.openBoard()
}

// openBoard makes the switchboard again, with the same Credentials and Monitor.
func (w *world) openBoard() {
	w.t.Helper()
	board, err := switchboard.New(switchboard.Config{
		Store: w.store, Push: w.pusher, Keys: w.credentials, Health: w.monitor, Bus: bus.New(), Now: w.clock.Now,
		Log: slog.New(slog.NewTextHandler(w.t.Output(), nil)),
	})
	must(w.t, err)
	w.board = board
	w.t.Cleanup(func() { closeBoard(w.t, board) })
}

// settle waits until every push is over, and all that follows from it.
func (w *world) settle() {
	w.t.Helper()
	closeBoard(w.t, w.board)
	w.openBoard()
}

func closeBoard(t *testing.T, b *switchboard.Board) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	must(t, b.Close(ctx))
}

func (w *world) addTenant() {
	w.t.Helper()
	tenant := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](w.clock.Now()), Slug: "example", Name: "Example",
		Industry: tenants.RealEstate, // no quiet hours
		State:    tenants.TenantActive, TimeZone: "Asia/Kolkata", RingTTL: tenants.DefaultTTL, CreatedAt: w.clock.Now(),
	}
	who := store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, ID: string(tenants.NewID[tenants.KeyID](w.clock.Now())), Name: "test"}}
	must(w.t, w.store.Tenants().Add(w.t.Context(), who, tenant))
	w.caller = switchboard.Caller{Tenant: tenant, Who: who}
	w.scope = w.store.For(tenant.ID).By(who)
}

// upload adds a new key for the app.
func (w *world) upload(team, keyID string) tenants.Credential {
	w.t.Helper()
	return upload(w, w.credentials, team, keyID)
}

// uploadUnknown adds a new key that Apple does not know.
func (w *world) uploadUnknown(keyID string) tenants.Credential {
	w.t.Helper()
	config := w.config
	config.Added = nil
	credentials, err := health.NewCredentials(config)
	must(w.t, err)
	return upload(w, credentials, "TEAM000001", keyID)
}

func upload(w *world, to *health.Credentials, team, keyID string) tenants.Credential {
	w.t.Helper()
	_, file, err := apnstest.NewKey(team, keyID)
	must(w.t, err)
	c, err := to.Add(w.t.Context(), w.caller.Tenant.ID, w.caller.Who, health.Upload{
		Filename: "AuthKey_" + keyID + ".p8", File: file, Bundle: bundle, Team: team,
	})
	must(w.t, err)
	return c
}

func (w *world) device(person string) tenants.Device {
	w.t.Helper()
	now := w.clock.Now()
	d := tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Tenant: w.caller.Tenant.ID, Bundle: bundle, Environment: tenants.Production,
		Token:  strings.ReplaceAll(tenants.NewRandomID()+tenants.NewRandomID(), "-", ""),
		Person: person, Name: "Phone", RegisteredAt: now, CreatedAt: now, SeenAt: now,
	}.Clean()
	d, _, err := w.scope.Devices().Add(w.t.Context(), d, tenants.NewSecret(tenants.DevicePrefix).Hash())
	must(w.t, err)
	return d
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

// ringOnce rings the device, waits for everything that follows and returns the ring. A device or
// credential that is disabled by now is refused, which is no failure.
func (w *world) ringOnce(d tenants.Device) *tenants.Ring {
	w.t.Helper()
	r, _, err := w.board.Place(w.t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
	if tenants.KindOf(err) == tenants.Forbidden {
		return nil
	}
	must(w.t, err)
	w.settle()
	r, err = w.scope.Rings().Get(w.t.Context(), r.ID)
	must(w.t, err)
	return r
}

// credential is the newest one.
func (w *world) credential() tenants.Credential {
	w.t.Helper()
	all, _, err := w.scope.Credentials().List(w.t.Context(), store.Page{})
	must(w.t, err)
	return all[0]
}

func (w *world) disabledDevices() (n int) {
	w.t.Helper()
	for after := ""; ; {
		list, next, err := w.scope.Devices().List(w.t.Context(), store.DeviceQuery{State: tenants.DeviceDisabled, After: after, Limit: 200})
		must(w.t, err)
		if n += len(list); next == "" {
			return n
		}
		after = next
	}
}

func (w *world) alerts(kind tenants.AlertKind) (list []tenants.Alert) {
	w.t.Helper()
	all, err := w.scope.Alerts().List(w.t.Context(), false)
	must(w.t, err)
	for _, a := range all {
		if a.Kind == kind {
			list = append(list, a)
		}
	}
	return list
}

// tooMany returns the code and the wait of a refusal with TooMany.
func tooMany(err error) (code string, wait time.Duration) {
	var e *tenants.Error
	if errors.As(err, &e) && e.Kind == tenants.TooMany {
		return e.Code, e.RetryAfter
	}
	return fmt.Sprint(err), 0
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
