package api

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/gofiber/fiber/v2"

	"carillon/app/agents"
	"carillon/app/bus"
	"carillon/app/connections"
	"carillon/app/health"
	"carillon/app/outbound"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/app/web/webtest"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

func TestMain(m *testing.M) {
	// The validator must treat the contract's own media types as plain text.
	for _, kind := range []string{"application/sdp", "application/trickle-ice-sdpfrag", "text/event-stream",
		"audio/ogg", "audio/wav", "text/xml"} {
		openapi3filter.RegisterBodyDecoder(kind, openapi3filter.PlainBodyDecoder)
	}
	os.Exit(m.Run())
}

// canary is part of every text of the tenant that other tenants try to read.
const canary = "CANARY"

// fixture is the API on a real store and switchboard, with an Apple that always accepts.
type fixture struct {
	testing.TB
	store *store.Store
	board *switchboard.Board
	apple *apple
	media *voice
	api   *API
	app   *fiber.App
	url   string
	spec  *contract

	stopped atomic.Pointer[time.Time] // see edgeTime
}

// receivers take every event that is sent to try a connection.
type receivers struct{}

func (receivers) Try(ctx context.Context, s *store.Scope, id tenants.ConnectionID,
	kind tenants.EventKind) (tenants.DeliveryAttempt, error) {
	_, err := s.Connections().Get(ctx, id)
	return tenants.DeliveryAttempt{Event: string(id), Kind: kind, At: time.Now(), Took: time.Millisecond, Status: 204, Good: true}, err
}

// apple accepts every push and records it.
type apple struct {
	pushed chan struct{} // one per push, dropped when full

	mu     sync.Mutex // guards pushes
	pushes []push.Push
}

func (a *apple) Push(_ context.Context, _ *push.Key, p push.Push) push.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.pushes = append(a.pushes, p)
	select {
	case a.pushed <- struct{}{}:
	default:
	}
	now := time.Now()
	return push.Answer{APNsID: p.APNsID, Environment: p.Environment, Status: 200, SentAt: now, AnsweredAt: now, Tries: 1}
}

// Probe accepts every credential in production and none in the sandbox.
func (a *apple) Probe(context.Context, *push.Key, string) []push.Verdict {
	return []push.Verdict{
		{Environment: push.Production, OK: true, Status: 400, Reason: "BadDeviceToken", Cause: "Apple takes it."},
		{Environment: push.Sandbox, Cause: "Apple did not answer.", Cure: "Nothing to do."},
	}
}

func (a *apple) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return len(a.pushes)
}

func (a *apple) last() push.Push {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.pushes[len(a.pushes)-1]
}

// voice answers every offer, without sound.
type voice struct{}

func (voice) Answer(_ context.Context, _ tenants.Device, _ tenants.RingID, sdp string) (gateway.Answer, error) {
	if sdp == "v=elsewhere" {
		return gateway.Answer{}, tenants.Refuse(tenants.Conflict, "answered_elsewhere", "Another device has answered this call.")
	}
	return gateway.Answer{SDP: "v=0\r\n", ETag: `"1"`, ICEServers: []gateway.ICEServer{{URLs: []string{"stun:one.example",
		"stun:two.example"}}}}, nil
}

func (voice) Trickle(_ context.Context, _ tenants.Device, _ tenants.RingID, ifMatch, _ string) (gateway.Trickled, error) {
	if ifMatch == "*" {
		return gateway.Trickled{ETag: `"2"`, Fragment: "a=ice-ufrag:x\r\n"}, nil
	}
	return gateway.Trickled{}, nil
}

func (voice) HangUp(context.Context, tenants.Device, tenants.RingID) error { return nil }

// edgeTime is the clock of the edge's rates. A test that counts requests stops it.
func (h *fixture) edgeTime() time.Time {
	if at := h.stopped.Load(); at != nil {
		return *at
	}
	return time.Now()
}

// open starts the fixture on SQLite. The end of the test closes everything.
func open(t testing.TB) *fixture { return openOn(t, "") }

// openOn starts the fixture on PostgreSQL; without an address it is SQLite.
func openOn(t testing.TB, address string) *fixture {
	t.Helper()
	ears := bus.New()
	rows := storetest.OpenConfig(t, store.Config{URL: address, Revoked: func(t tenants.TenantID) { ears.Tell(t, "") }})
	h := &fixture{TB: t, store: rows, apple: &apple{pushed: make(chan struct{}, 1)}, media: &voice{}, spec: readContract(t)}
	quiet := slog.New(slog.DiscardHandler)
	credentials, err := health.NewCredentials(health.CredentialsConfig{Store: h.store, Probe: h.apple, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	monitor, err := health.NewMonitor(health.Config{Store: h.store, Now: time.Now, Log: quiet})
	if err != nil {
		t.Fatal(err)
	}
	board, err := switchboard.New(switchboard.Config{
		Store: h.store, Push: h.apple, Keys: credentials, Health: monitor, Bus: ears, Now: time.Now, Log: quiet,
		Joins: agents.NewJoins(nil, time.Now),
	})
	if err != nil {
		t.Fatal(err)
	}
	h.board = board
	h.api, err = New(Config{
		Store: h.store, Board: board, Credentials: credentials,
		CheckAgent:      func(a tenants.Agent) error { return agents.CheckAddress(outbound.New(nil), a) },
		CheckConnection: func(c tenants.Connection) error { return connections.CheckAddress(outbound.New(nil), c) },
		Events:          receivers{},
		Feed:            switchboard.NewFeed(board),
		Media:           h.media, Joining: switchboard.NewJoining(board), PublicURL: "https://carillon.example/",
		Now: time.Now, Log: quiet,
		ICEServers: func() []gateway.ICEServer { return []gateway.ICEServer{{URLs: []string{"stun:stun.example:3478"}}} },
	})
	if err != nil {
		t.Fatal(err)
	}
	h.app = web.New(web.Config{Uploads: []string{PathUpload, PathNotes, PathAnnouncement}, Now: h.edgeTime})
	h.api.Mount(h.app)
	ln := webtest.Listen(t)
	h.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, h.app, ln) }()
	<-ln.Accepts
	t.Cleanup(func() {
		stop()
		if err := <-served; err != nil {
			t.Error(err)
		}
		limit, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		if err := board.Close(limit); err != nil {
			t.Error(err)
		}
		if err := ears.Close(); err != nil {
			t.Error(err)
		}
	})
	return h
}

// tenant is one tenant with one of everything.
type tenant struct {
	h          *fixture
	id         tenants.TenantID
	key        tenants.Secret // with every scope
	device     tenants.DeviceID
	phone      tenants.Secret // the device's credential
	agent      tenants.AgentID
	credential tenants.CredentialID
	connection tenants.ConnectionID
	group      tenants.GroupID
	schedule   tenants.ScheduleID
	consent    tenants.ConsentID
	word       string // part of all its texts
}

// tenant adds a tenant; word is part of all its texts.
func (h *fixture) tenant(slug, word string) *tenant {
	h.Helper()
	now := time.Now()
	t := &tenant{h: h, id: tenants.NewID[tenants.TenantID](now), word: word, agent: tenants.NewID[tenants.AgentID](now)}
	must(h, h.store.Tenants().Add(h.Context(), store.Who{Actor: tenants.System}, tenants.Tenant{
		ID: t.id, Slug: slug, Name: word + " Homes", Industry: tenants.RealEstate, State: tenants.TenantActive, TimeZone: "UTC",
		RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}))
	s := h.store.For(t.id)
	must(h, s.Agents().Add(h.Context(), tenants.Agent{ID: t.agent, Tenant: t.id, Name: word + " desk", Kind: tenants.Builtin,
		Caller: word, CreatedAt: now}))
	t.key = t.newKey(false, tenants.Scopes()...)
	t.credential = tenants.NewID[tenants.CredentialID](now)
	must(h, s.Credentials().Add(h.Context(), tenants.Credential{
		ID: t.credential, Tenant: t.id, Kind: tenants.P8, Bundle: "com.example." + slug, Environment: tenants.Auto, Team: "ABCDE12345",
		KeyID: "KEY1234567", Fingerprint: slug, State: tenants.CredentialActive, CreatedAt: now,
	}, newP8(h)))
	must(h, s.Credentials().NoteRefusal(h.Context(), t.credential, word, false, now))
	t.group, t.schedule = tenants.NewID[tenants.GroupID](now), tenants.NewID[tenants.ScheduleID](now)
	t.consent = tenants.NewID[tenants.ConsentID](now)
	must(h, s.Schedules().Add(h.Context(), tenants.Schedule{ID: t.schedule, Name: word + " hours", Zone: "UTC", CreatedAt: now}))
	must(h, s.Groups().Add(h.Context(), tenants.Group{ID: t.group, Name: word + " line", Way: tenants.Simultaneous, StepSeconds: 30,
		Members: []tenants.GroupMember{{Person: "nobody", Schedule: t.schedule}}, CreatedAt: now}))
	must(h, s.Consents().Add(h.Context(), tenants.Agreement{ID: t.consent, Person: "nobody", Kind: tenants.AgreedCalls, GivenAt: now,
		Evidence: word, CreatedAt: now}))
	t.connection = tenants.NewID[tenants.ConnectionID](now)
	_, err := s.Connections().Add(h.Context(), tenants.Connection{ID: t.connection, Name: word + " desk",
		URL: "https://" + slug + ".example/hook", Events: []tenants.EventKind{tenants.EventCallEnded}, CreatedAt: now}.Clean())
	must(h, err)
	t.device, t.phone = t.newDevice("person-" + word)
	return t
}

func (t *tenant) scope() *store.Scope { return t.h.store.For(t.id) }

func (t *tenant) newKey(test bool, may ...tenants.Permission) tenants.Secret {
	t.h.Helper()
	prefix := tenants.LivePrefix
	if test {
		prefix = tenants.TestPrefix
	}
	secret := tenants.NewSecret(prefix)
	must(t.h, t.scope().Keys().Add(t.h.Context(), tenants.Key{
		ID: tenants.NewID[tenants.KeyID](time.Now()), Tenant: t.id, Name: t.word + " program", Test: test, Permissions: may,
		CreatedAt: time.Now(),
	}, secret.Hash()))
	return secret
}

func (t *tenant) newDevice(person string) (tenants.DeviceID, tenants.Secret) {
	t.h.Helper()
	now, secret := time.Now(), tenants.NewSecret(tenants.DevicePrefix)
	var token [32]byte
	rand.Read(token[:])
	tn, err := t.scope().Tenant(t.h.Context())
	must(t.h, err)
	d, _, err := t.scope().Devices().Add(t.h.Context(), tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Tenant: t.id, Token: fmt.Sprintf("%x", token), Bundle: "com.example." + tn.Slug,
		Environment: tenants.Sandbox, Person: person, Name: t.word + " phone", Model: t.word, OSVersion: "26.1", AppVersion: "4.1",
		Platform: tenants.IOS, State: tenants.DeviceActive, RegisteredAt: now, SeenAt: now, CreatedAt: now,
	}, secret.Hash())
	must(t.h, err)
	return d.ID, secret
}

// ring places a ring through the API.
func (t *tenant) ring(body string) ringView {
	t.h.Helper()
	if body == "" {
		body = fmt.Sprintf(`{"to":{"device":%q},"caller":%q,"reference":%q}`, t.device, t.word, t.word)
	}
	var r ringView
	a := t.h.do(ask{method: "POST", path: "/v1/rings", key: t.key, body: body})
	a.want(201)
	a.into(&r)
	return r
}

// dump is everything the tenant has, as text. If it is unchanged, nothing was written.
func (t *tenant) dump() string {
	t.h.Helper()
	ctx, s := t.h.Context(), t.scope()
	var b strings.Builder
	add := func(v any, err error) {
		t.h.Helper()
		must(t.h, err)
		text, err := json.Marshal(v)
		must(t.h, err)
		b.Write(text)
		b.WriteByte('\n')
	}
	tn, err := s.Tenant(ctx)
	add(tn, err)
	rings, _, err := s.Rings().List(ctx, store.RingQuery{Limit: 200})
	add(rings, err)
	devices, _, err := s.Devices().List(ctx, store.DeviceQuery{Limit: 200})
	add(devices, err)
	credentials, _, err := s.Credentials().List(ctx, store.Page{Limit: 200})
	for i := range credentials {
		credentials[i].LastUsedAt = time.Time{}
	}
	add(credentials, err)
	agents, _, err := s.Agents().List(ctx, store.Page{Limit: 200})
	add(agents, err)
	for _, r := range rings {
		notes, _, err := s.Notes().Get(ctx, r.ID)
		add(notes, err)
	}
	audits, _, err := s.Audits().List(ctx, store.AuditQuery{Limit: 200})
	add(slices.DeleteFunc(audits, func(a tenants.Audit) bool { return a.Action == "access.refuse" }), err) // that somebody was refused
	return b.String()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func newP8(t testing.TB) []byte {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// ringView is a ring as a program reads it.
type ringView struct {
	ID        string  `json:"id"`
	State     string  `json:"state"`
	To        toView  `json:"to"`
	Agent     *string `json:"agent"`
	Caller    *string `json:"caller"`
	Reference *string `json:"reference"`
	Test      bool    `json:"test"`
	Created   string  `json:"created_at"`
	Expires   string  `json:"expires_at"`
	Ended     *string `json:"ended_at"`
	Reason    *string `json:"end_reason"`
	Detail    *string `json:"end_detail"`
	Attempts  []struct {
		Device string `json:"device"`
		State  string `json:"state"`
		Pushes []struct {
			ID         string  `json:"apns_id"`
			Status     *int    `json:"status"`
			Reason     *string `json:"reason"`
			SentAt     *string `json:"sent_at"`
			AnsweredAt *string `json:"answered_at"`
		} `json:"pushes"`
		Facts []struct {
			Kind   string  `json:"kind"`
			At     string  `json:"at"`
			Detail *string `json:"detail"`
			Clock  string  `json:"clock"`
		} `json:"facts"`
	} `json:"attempts"`
	Call *struct {
		Device string `json:"device"`
	} `json:"call"`
}

type toView struct {
	Device string `json:"device,omitempty"`
	Person string `json:"person,omitempty"`
}

func (r ringView) kinds() string {
	var all []string
	for _, a := range r.Attempts {
		for _, f := range a.Facts {
			all = append(all, f.Kind)
		}
	}
	return strings.Join(all, " ")
}
