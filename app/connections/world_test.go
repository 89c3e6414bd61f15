package connections_test

import (
	"crypto/x509"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/connections"
	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// patience is how long a test waits for what must happen.
const patience = time.Minute

// clock is the real one, moved by the test.
type clock struct {
	mu    sync.Mutex // guards ahead
	ahead time.Duration
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return time.Now().Add(c.ahead)
}

func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ahead += d
}

// got is a request that a receiver took.
type got struct {
	header http.Header
	body   []byte
}

// receiver is a tenant's system: it answers with answer, and gives what it took.
type receiver struct {
	*httptest.Server
	took chan got
}

func newReceiver(t *testing.T, answer http.HandlerFunc) *receiver {
	t.Helper()
	r := &receiver{took: make(chan got, 1000)}
	r.Server = httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		body, err := io.ReadAll(req.Body)
		if err != nil {
			return
		}
		r.took <- got{req.Header, body}
		if answer != nil {
			answer(w, req)
		}
	}))
	r.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	t.Cleanup(r.Close)
	return r
}

// next is the next request that the receiver took.
func (r *receiver) next(t *testing.T) got {
	t.Helper()
	select {
	case g := <-r.took:
		return g
	case <-time.After(patience):
		t.Fatal("the receiver got nothing")
	}
	return got{}
}

// world is one tenant with a real store and an engine.
type world struct {
	*testing.T
	clock  *clock
	store  *store.Store
	scope  *store.Scope
	tenant tenants.TenantID
	device tenants.DeviceID
	roots  *x509.CertPool
	engine *connections.Engine
}

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

func newWorld(t *testing.T, industry tenants.Industry) *world {
	t.Helper()
	return newWorldOn(t, industry, store.Config{})
}

// newWorldOn is newWorld with a store of its own settings.
func newWorldOn(t *testing.T, industry tenants.Industry, c store.Config) *world {
	t.Helper()
	w := &world{T: t, clock: &clock{}, roots: x509.NewCertPool()}
	c.Now = w.clock.Now
	w.store = storetest.OpenConfig(t, c)
	now := w.clock.Now()
	w.tenant = tenants.NewID[tenants.TenantID](now)
	w.must(w.store.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: w.tenant, Slug: "tenant", Name: "Tenant",
		Industry: industry,
		State:    tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}))
	w.scope = w.store.For(w.tenant)
	d, _, err := w.scope.Devices().Add(t.Context(), tenants.Device{ID: tenants.NewID[tenants.DeviceID](now),
		Token:  strings.Repeat("ab", 32),
		Bundle: "com.example.app", Environment: tenants.Sandbox}, tenants.Hash{1})
	w.must(err)
	w.device = d.ID
	return w
}

func (w *world) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

func (w *world) dialer() *outbound.Dialer { return outbound.New(loopback, outbound.WithRoots(w.roots)) }

// start starts an engine whose webhooks wait so long for an answer. It ends with the test.
func (w *world) start(within time.Duration) *connections.Engine {
	w.Helper()
	return w.with(connections.NewWebhook(w.dialer(), within, w.clock.Now))
}

func (w *world) with(role connections.Role) *connections.Engine {
	w.Helper()
	e, err := connections.New(connections.Config{Store: w.store, Roles: connections.Roles{tenants.RoleWebhook: role}, Now: w.clock.Now,
		Log: slog.New(slog.DiscardHandler)})
	w.must(err)
	w.Cleanup(func() {
		if err := e.Close(); err != nil {
			w.Error(err)
		}
	})
	w.engine = e
	return e
}

// connect adds a connection to an address, and returns its secret.
func (w *world) connect(url string, events ...tenants.EventKind) (tenants.Connection, tenants.Secret) {
	w.Helper()
	c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](w.clock.Now()), Name: "Hook", URL: url, Events: events,
		Headers: map[string]string{"X-Key": "value-canary"}, CreatedAt: w.clock.Now()}.Clean()
	w.must(c.Check())
	secret, err := w.scope.Connections().Add(w.Context(), c)
	w.must(err)
	return c, secret
}

// trust makes the engine trust a receiver's certificate.
func (w *world) trust(r *receiver) *receiver {
	w.roots.AddCert(r.Certificate())
	return r
}

// place places a ring.
func (w *world) place() *tenants.Ring {
	w.Helper()
	now := w.clock.Now()
	r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), To: tenants.To{Device: w.device}, Caller: "Ana Banana", CreatedAt: now,
		ExpiresAt: now.Add(tenants.DefaultTTL), Attempts: []tenants.Attempt{{ID: tenants.NewID[tenants.AttemptID](now),
			Device: w.device}}}
	_, err := w.scope.Rings().Add(w.Context(), r, store.Idempotency{}, r.ExpiresAt)
	w.must(err)
	if w.engine != nil {
		w.engine.Recorded(r, r.Facts())
	}
	return r
}

// record records a fact of a ring.
func (w *world) record(r *tenants.Ring, k tenants.FactKind) *tenants.Ring {
	w.Helper()
	at := w.clock.Now()
	r, facts, err := w.scope.Rings().Change(w.Context(), r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		if k == tenants.FactAnswered {
			r.Call = &tenants.Call{Device: w.device, AnsweredAt: at}
		}
		if k == tenants.FactHungUp {
			r.Call.EndedAt = at
		}
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: at, Received: at}), nil
	})
	w.must(err)
	w.engine.Recorded(r, facts)
	return r
}

// until asks again and again, at least each few milliseconds of an engine's turn.
func (w *world) until(what string, done func() bool) {
	w.Helper()
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	over := time.After(patience)
	for !done() {
		select {
		case <-tick.C:
		case <-over:
			w.Fatal("never: " + what)
		}
	}
}

// attempts are those of a connection, the newest first.
func (w *world) attempts(c tenants.Connection) []tenants.DeliveryAttempt {
	w.Helper()
	all, _, err := w.scope.Deliveries().Attempts(w.Context(), store.AttemptQuery{Connection: c.ID})
	w.must(err)
	return all
}
