package console

import (
	"carillon/app/page/pagetest"
	"carillon/app/site"

	"carillon/app/page"

	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/billing"
	"carillon/app/bus"
	"carillon/app/connections"
	"carillon/app/docs"
	"carillon/app/factor"
	"carillon/app/health"
	"carillon/app/oidc"
	"carillon/app/outbound"
	"carillon/app/push"
	"carillon/app/record"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// server is the console and the public pages on a real store and switchboard, with an Apple that
// answers as the test sets it.
type server struct {
	*pagetest.Server
	board *switchboard.Board
	apple *apple
	waker *waker
	k     *Console
}

// apple answers every push with a status and a reason.
type apple struct {
	mu     sync.Mutex
	status int
	reason string
	now    func() time.Time
}

func (a *apple) say(status int, reason string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.status, a.reason = status, reason
}

func (a *apple) Push(_ context.Context, _ *push.Key, p push.Push) push.Answer {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.now()
	return push.Answer{APNsID: p.APNsID, Environment: p.Environment, Status: a.status, Reason: a.reason, SentAt: now,
		AnsweredAt: now.Add(40 * time.Millisecond), Tries: 1}
}

// receiver answers every test event with 503, and writes that down as the engine does.
type receiver struct{ h *server }

func (r receiver) Try(ctx context.Context, s *store.Scope, id tenants.ConnectionID, _ tenants.EventKind) (tenants.DeliveryAttempt, error) {
	x, err := s.Connections().Get(ctx, id)
	if err != nil {
		return tenants.DeliveryAttempt{}, err
	}
	a := tenants.DeliveryAttempt{At: r.h.Clock.Now(), Took: 1430 * time.Millisecond, Status: 503, Error: "It answered 503.",
		Sent: map[string]string{"Webhook-Id": "test"}, Body: []byte(`{"type":"ring.placed"}`), Answer: "<b>busy</b>"}
	return a, s.Deliveries().Record(ctx, store.NewDelivery{Tenant: x.Tenant, Connection: id, Event: tenants.NewRandomID(),
		Kind: tenants.EventRingPlaced, At: a.At, Body: a.Body}, a)
}

// noRecords is a DNS in which nothing is.
type noRecords struct{}

func (noRecords) LookupTXT(context.Context, string) ([]string, error) {
	return nil, &net.DNSError{Err: "no such host", IsNotFound: true}
}

// waker is dev mode with one phone.
type waker struct {
	ear    chan DevPush
	device tenants.DeviceID
}

func (w *waker) Phones() []DevPhone {
	return []DevPhone{{Slug: "alpha", Device: w.device, Name: "Front desk", App: "Alpha", Token: "aa", Credential: "crl_device_x"}}
}

func (w *waker) Listen() (<-chan DevPush, func()) { return w.ear, func() {} }

func open(t testing.TB) *server { return openAt(t, "http://127.0.0.1") }

func openAt(t testing.TB, public string) *server {
	t.Helper()
	return openWith(t, public, func(*server) *billing.Billing { return nil })
}

// openWith opens a server with its billing.
func openWith(t testing.TB, public string, newBilling func(*server) *billing.Billing) *server {
	t.Helper()
	return openAs(t, public, func(h *server, c *Config) { c.Billing = newBilling(h) })
}

// openAs opens a server with a Config that the test has changed.
func openAs(t testing.TB, public string, edit func(*server, *Config)) *server {
	t.Helper()
	h := &server{Server: pagetest.NewServer(t, public), waker: &waker{ear: make(chan DevPush, 4)}}
	h.apple = &apple{status: 200, now: h.Clock.Now}
	ears, quiet := bus.New(), slog.New(slog.DiscardHandler)
	credentials, err := health.NewCredentials(health.CredentialsConfig{Store: h.Store, Probe: h.apple, Now: h.Clock.Now})
	pagetest.Must(t, err)
	monitor, err := health.NewMonitor(health.Config{Store: h.Store, Now: h.Clock.Now, Log: quiet})
	pagetest.Must(t, err)
	h.board, err = switchboard.New(switchboard.Config{
		Store: h.Store, Push: h.apple, Keys: credentials, Health: monitor, Bus: ears, Now: h.Clock.Now, Log: quiet,
	})
	pagetest.Must(t, err)
	t.Cleanup(func() {
		limit, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		pagetest.Must(t, h.board.Close(limit))
		pagetest.Must(t, ears.Close())
	})
	c := Config{Common: h.Common, Board: h.board, Credentials: credentials, Connections: receiver{h}, Dev: h.waker,
		Calendars:       connections.NewCalendars(outbound.New(nil), h.Store, h.Clock.Now),
		CheckAgent:      func(a tenants.Agent) error { return agents.CheckAddress(outbound.New(nil), a) },
		CheckConnection: func(x tenants.Connection) error { return connections.CheckAddress(outbound.New(nil), x) }}
	c.Exports = ExportFolder{Dir: filepath.Join(t.TempDir(), "exports"), Node: "here"}
	c.AlertTargets, err = health.NewTargets(health.TargetsConfig{Store: h.Store, Mail: h.Mails, Sign: connections.Sign, Now: h.Clock.Now,
		Dialer: outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.AllowPlain()),
		Log:    slog.New(slog.DiscardHandler)})
	pagetest.Must(t, err)
	c.Digest, err = health.NewDigest(health.DigestConfig{Store: h.Store, Mail: h.Mails, Words: ReasonWords, Now: h.Clock.Now,
		Pages: health.DigestPages{Off: views.DigestOffPath}, Log: slog.New(slog.DiscardHandler)})
	pagetest.Must(t, err)
	near := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.AllowPlain())
	c.OIDC, err = oidc.New(oidc.Config{HTTP: near.Client(5 * time.Second), CheckURL: near.CheckURL, Now: h.Clock.Now})
	pagetest.Must(t, err)
	c.Resolver = noRecords{}
	c.Passkeys, err = factor.NewPasskeys("https://ring.example")
	pagetest.Must(t, err)
	edit(h, &c)
	h.k, err = New(c)
	pagetest.Must(t, err)
	texts, err := docs.New(docs.Config{API: []byte("openapi: 3.1.0\ninfo: {title: API, version: '1'}\npaths: {}\n")})
	pagetest.Must(t, err)
	front, err := site.New(site.Config{Common: h.Common, Docs: texts, Dev: c.Dev != nil, Billing: c.Billing != nil, Mail: h.Mails,
		Voice: pagetest.BarredVoice{}, Agent: pagetest.NewSilentAgent})
	pagetest.Must(t, err)
	app := web.New(web.Config{
		ErrorPage: h.k.ErrorPage, Now: h.Clock.Now,
		Uploads: []string{views.PathCredAdd, views.AgentSoundPath(":id"), views.PathRecording,
			views.PathDevicesImport, views.PathDevicesImportNow},
	})
	front.Mount(app)
	h.k.Mount(app)
	if c.Billing != nil && c.Billing.Hooked() {
		web.Webhook(app, billing.HookPath, billing.SignatureHeader, c.Billing.Hook)
	}
	h.Serve(app)
	return h
}

// tenant is one customer with something of everything; word stands in all of its texts.
type tenant struct {
	*pagetest.Account
	h          *server
	device     tenants.DeviceID
	dead       tenants.DeviceID
	agent      tenants.AgentID
	group      tenants.GroupID
	schedule   tenants.ScheduleID
	fed        tenants.ScheduleID // by a calendar; see ofFed
	twin       tenants.DeviceID   // an older entry of the device; see ofTwin
	consent    tenants.ConsentID
	connection tenants.ConnectionID
	rule       tenants.AlertRuleID
	target     tenants.AlertTargetID
	event      string // that was sent to it
	credential tenants.CredentialID
	previous   tenants.CredentialID
	key        tenants.KeyID
	pairing    tenants.PairingID
	invitation tenants.Secret
	view       tenants.ViewID // of the owner alone
	ring       tenants.RingID // answered
	refused    tenants.RingID
}

// bare makes a customer with an owner and nothing else.
func (h *server) bare(slug, word string) *tenant {
	h.Helper()
	return &tenant{h: h, Account: h.Server.Bare(slug, word)}
}

// full makes a customer with something of everything.
func (h *server) full(slug, word string) *tenant {
	h.Helper()
	t, ctx, now := h.bare(slug, word), h.Context(), h.Clock.Now()
	t.group = tenants.NewID[tenants.GroupID](now)
	pagetest.Must(h, t.Scope().Groups().Add(ctx, tenants.Group{ID: t.group, Name: word + " line", Way: tenants.Sequential, StepSeconds: 20,
		Members: []tenants.GroupMember{{Person: "nobody"}}, CreatedAt: now}))
	t.schedule = tenants.NewID[tenants.ScheduleID](now)
	pagetest.Must(h, t.Scope().Schedules().Add(ctx, tenants.Schedule{ID: t.schedule, Name: word + " hours", Zone: "UTC", CreatedAt: now,
		Weekly:     [7][]tenants.Span{1: {{From: 480, To: 960}}},
		Exceptions: []tenants.Exception{{Date: "2026-12-24", Note: page.Clip(word, 60)}}}))
	t.consent = tenants.NewID[tenants.ConsentID](now)
	pagetest.Must(h, t.Scope().Consents().Add(ctx, tenants.Agreement{ID: t.consent, Person: t.Tag() + "-person", Kind: tenants.AgreedCalls,
		GivenAt: now, Evidence: word, CreatedAt: now}))
	t.agent = tenants.NewID[tenants.AgentID](now)
	pagetest.Must(h, t.Scope().Agents().Add(ctx, tenants.Agent{ID: t.agent, Tenant: t.Id, Name: word + " desk", Kind: tenants.Builtin,
		Caller:    word,
		CreatedAt: now}))
	t.watches()
	t.connects()
	pagetest.Must(h, t.Scope().Providers().Set(ctx, tenants.Provider{Issuer: "http://127.0.0.1:1", ClientID: word, Secret: "a long secret",
		Domains: []string{slug + ".example"}, Role: tenants.Viewer}))
	t.credential = tenants.NewID[tenants.CredentialID](now)
	pagetest.Must(h, t.Scope().Credentials().Add(ctx, tenants.Credential{
		ID: t.credential, Tenant: t.Id, Kind: tenants.P8, Bundle: "com.example." + slug, Environment: tenants.Auto, Team: "ABCDE12345",
		KeyID: "KEY1234567", Fingerprint: slug, State: tenants.CredentialActive, CreatedAt: now,
	}, newP8(h)))
	pagetest.Must(h, t.Scope().Credentials().NoteRefusal(ctx, t.credential, word+" said", false, now))
	t.previous = t.signs(tenants.CredentialPrevious)
	_, err := t.Scope().Alerts().Raise(ctx, tenants.AlertCredential, string(t.credential), word+" said")
	pagetest.Must(h, err)
	_, err = t.Scope().Alerts().Raise(ctx, tenants.AlertBlocked, word, word+" said")
	pagetest.Must(h, err)
	t.key = tenants.NewID[tenants.KeyID](now)
	pagetest.Must(h, t.Scope().Keys().Add(ctx, tenants.Key{ID: t.key, Tenant: t.Id, Name: word + " key", Last4: "zzzz",
		Permissions: tenants.Scopes(), CreatedAt: now},
		tenants.NewSecret(tenants.LivePrefix).Hash()))
	t.device, t.dead = t.phone(), t.phone()
	_, err = t.Scope().Devices().Disable(ctx, t.dead, word+" said", now.Add(time.Second))
	pagetest.Must(h, err)
	t.pairing = tenants.NewID[tenants.PairingID](now)
	pagetest.Must(h, t.Scope().Pairings().Add(ctx, tenants.Pairing{ID: t.pairing, Tenant: t.Id, Person: "p", CreatedAt: now,
		ExpiresAt: now.Add(tenants.PairingTTL)}, tenants.NewCode().Hash()))
	t.invitation = tenants.NewSecret(tenants.InvitationPrefix)
	pagetest.Must(h, t.Scope().Invitations().Add(ctx, store.Invitation{
		Hash: t.invitation.Hash(), Tenant: t.Id, Email: "invited@" + slug + ".example", Role: tenants.Viewer,
		By: tenants.Actor{Kind: tenants.ActorUser,
			Name: word},
		CreatedAt: now, ExpiresAt: now.Add(invitationTime),
	}, nil))
	t.view = tenants.NewID[tenants.ViewID](now)
	pagetest.Must(h, t.Scope().Lists().AddView(ctx, tenants.SavedView{ID: t.view, User: t.Owner.ID, List: "rings", Name: word,
		Query: "q=" + slug, CreatedAt: now}))
	t.rings()
	return t
}

// watches gives the tenant an alert rule and an alert target.
func (t *tenant) watches() {
	t.h.Helper()
	now := t.h.Clock.Now()
	t.rule, t.target = tenants.NewID[tenants.AlertRuleID](now), tenants.NewID[tenants.AlertTargetID](now)
	_, err := t.Scope().AlertTargets().Add(t.h.Context(), tenants.AlertTarget{ID: t.target, Tenant: t.Id, Kind: tenants.TargetWebhook,
		Name: t.Word + " target", CreatedAt: now}, "http://127.0.0.1:1/"+t.Slug)
	pagetest.Must(t.h, err)
	pagetest.Must(t.h, t.Scope().AlertRules().Add(t.h.Context(), tenants.AlertRule{ID: t.rule, Tenant: t.Id, Name: t.Word + " rule",
		Metric: "answer_rate", Threshold: 40, Window: time.Hour, Active: true, Targets: []tenants.AlertTargetID{t.target}, CreatedAt: now}))
}

// connects gives the tenant a connection and an event that did not arrive.
func (t *tenant) connects() {
	t.h.Helper()
	now := t.h.Clock.Now()
	t.connection = tenants.NewID[tenants.ConnectionID](now)
	_, err := t.Scope().Connections().Add(t.h.Context(), tenants.Connection{ID: t.connection, Tenant: t.Id, Name: t.Word + " hook",
		URL: "https://" + t.Slug + ".example/hook", CreatedAt: now}.Clean())
	pagetest.Must(t.h, err)
	t.event = t.sent(t.connection, tenants.DeliveryAttempt{At: now, Took: 90 * time.Millisecond, Status: 503, Error: t.Word + " failed",
		Sent: map[string]string{"Webhook-Id": t.Word}, Answer: t.Word})
}

// sent is an event that went to a connection, with how it went.
func (t *tenant) sent(to tenants.ConnectionID, a tenants.DeliveryAttempt) string {
	t.h.Helper()
	event := tenants.NewRandomID()
	pagetest.Must(t.h, t.Scope().Deliveries().Record(t.h.Context(), store.NewDelivery{Tenant: t.Id, Connection: to, Event: event,
		Kind: tenants.EventRingEnded, Ring: tenants.NewID[tenants.RingID](a.At), At: a.At,
		Body: []byte(`{"type":"ring.ended","data":{"reference":` + strconv.Quote(t.Word) + `}}`)}, a))
	return event
}

// rings gives the tenant an answered ring and a refused one, and counts them.
func (t *tenant) rings() {
	h := t.h
	r := t.placed()
	t.used()
	d, err := t.Scope().Devices().Get(h.Context(), t.device)
	pagetest.Must(h, err)
	for _, kind := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown} {
		h.Clock.Pass(200 * time.Millisecond)
		_, err := h.board.Report(h.Context(), d, r.ID, switchboard.Report{Kind: kind})
		pagetest.Must(h, err)
	}
	t.converse(r.ID)
	t.ring = r.ID
	recordings, chunk := t.Scope().Recordings(), record.Append(nil, record.Frame{At: 2, Payload: []byte{1, 2}})
	pagetest.Must(h, recordings.Begin(h.Context(), r.ID, tenants.Recording{Codec: "pcmu", Consent: t.Word, BeganAt: h.Clock.Now()}))
	pagetest.Must(h, recordings.Add(h.Context(), r.ID, chunk, 480_000, 0))
	_, _, err = t.Scope().Notes().Add(h.Context(), r.ID, tenants.Notes{Summary: t.Word + " summary", Lines: []tenants.NoteLine{
		{Who: tenants.SpeakerAgent, At: h.Clock.Now().Add(67 * time.Second), Text: "Good morning"},
		{Who: tenants.SpeakerPerson, At: h.Clock.Now().Add(70 * time.Second), Text: "=" + t.Word},
	}})
	pagetest.Must(h, err)
	h.apple.say(400, "BadDeviceToken")
	bad := t.placed()
	t.refused = bad.ID
	h.apple.say(200, "")
	_, err = h.Store.Jobs().Roll(h.Context(), 1000)
	pagetest.Must(h, err)
}

// used waits until it is written down that the tenant's credential was used, which follows Apple's
// yes by a moment: a test that compares all that there is must not meet it.
func (t *tenant) used() {
	t.h.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		c, err := t.Scope().Credentials().Get(t.h.Context(), t.credential)
		pagetest.Must(t.h, err)
		if !c.LastUsedAt.IsZero() {
			return
		}
		if time.Now().After(deadline) {
			t.h.Fatal("the use of the credential is never written down")
		}
	}
}

// converse makes a ring a call that is over, as a gateway would.
func (t *tenant) converse(id tenants.RingID) {
	h, now := t.h, t.h.Clock.Now()
	_, _, err := t.Scope().Rings().Change(h.Context(), id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call = &tenants.Call{Device: t.device, AnsweredAt: now, ConnectedAt: now.Add(time.Second), EndedAt: now.Add(time.Minute),
			EndedBy: "phone_hung_up", Jitter: 4 * time.Millisecond, RoundTrip: 40 * time.Millisecond}
		var facts []tenants.Fact
		for i, k := range []tenants.FactKind{tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp} {
			facts = append(facts, r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: now.Add(time.Duration(i) * time.Second),
				Received: now, Detail: map[bool]string{true: "phone_hung_up"}[k == tenants.FactHungUp]})...)
		}
		return facts, nil
	})
	pagetest.Must(h, err)
}

// placed rings the tenant's phone and waits for Apple's word.
func (t *tenant) placed() *tenants.Ring {
	t.h.Helper()
	tn, err := t.Scope().Tenant(t.h.Context())
	pagetest.Must(t.h, err)
	r, _, err := t.h.board.Place(t.h.Context(), switchboard.Caller{Tenant: tn,
		Who: store.Who{Actor: tenants.Actor{Kind: tenants.ActorKey, Name: t.Word}}},
		tenants.Request{To: tenants.To{Device: t.device}, Caller: page.Clip(t.Word, 60), Reference: t.Tag() + "-ref"}, store.Idempotency{})
	pagetest.Must(t.h, err)
	return t.until(r.ID, func(r *tenants.Ring) bool { return r.Attempts[0].Push.Status != 0 })
}

// until waits for a ring to be so.
func (t *tenant) until(id tenants.RingID, so func(*tenants.Ring) bool) *tenants.Ring {
	t.h.Helper()
	ctx, cancel := context.WithTimeout(t.h.Context(), time.Minute)
	defer cancel()
	var last *tenants.Ring
	err := t.h.board.Watch(ctx, t.Id, id, 0, func(_ []tenants.Fact, r *tenants.Ring) error {
		if last = r; so(r) {
			return errStop
		}
		return nil
	})
	if last == nil || !so(last) {
		t.h.Fatalf("ring %s never was so: %v", id, err)
	}
	return last
}

var errStop = fmt.Errorf("stop")

func (t *tenant) phone() tenants.DeviceID {
	t.h.Helper()
	now := t.h.Clock.Now()
	var token [32]byte
	rand.Read(token[:])
	d, _, err := t.Scope().Devices().Add(t.h.Context(), tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Tenant: t.Id, Token: hex.EncodeToString(token[:]), Bundle: "com.example." + t.Slug,
		Environment: tenants.Sandbox, Person: t.Tag() + "-person", Name: t.Word + " phone", Model: t.Word, OSVersion: t.Word,
		AppVersion: t.Word,
		Platform:   tenants.IOS, State: tenants.DeviceActive, RegisteredAt: now, SeenAt: now, CreatedAt: now,
	}, tenants.NewSecret(tenants.DevicePrefix).Hash())
	pagetest.Must(t.h, err)
	return d.ID
}

func newP8(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	pagetest.Must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	pagetest.Must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}
