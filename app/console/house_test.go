package console

import (
	"carillon/app/page"

	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"database/sql"
	"encoding/hex"
	"encoding/pem"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/billing"
	"carillon/app/bus"
	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// canary stands in every text of a tenant whom strangers try to read. It is markup too: a page that does not escape it is found.
const canary = `"'><img src=x onerror=CANARY>`

// secret is everybody's password, and phc its hash, made once.
const secret = "a long enough passphrase"

var phc = sync.OnceValue(func() string {
	p, err := page.NewPasswords()
	if err != nil {
		panic(err)
	}
	hash, err := p.Hash(context.Background(), secret)
	if err != nil {
		panic(err)
	}
	return hash
})

// house is the console on a real store and switchboard, with an Apple that answers as it is told.
type house struct {
	testing.TB
	dir    string
	clock  *clock
	store  *store.Store
	board  *switchboard.Board
	apple  *apple
	waker  *waker
	post   *letters
	k      *Console
	app    *fiber.App
	url    string
	phc    string // hash of secret, made once
	serial int
}

// clock is a time that tests move.
type clock struct {
	mu sync.Mutex
	at time.Time
}

func (c *clock) now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.at
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.at = c.at.Add(d)
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

// waker is dev mode with one phone.
type waker struct{ ear chan []byte }

func (w *waker) Phones() []DevPhone {
	return []DevPhone{{Slug: "alpha", Name: "Front desk", App: "Alpha", Token: "aa", Credential: "crl_device_x"}}
}

func (w *waker) Listen(string) (<-chan []byte, func()) { return w.ear, func() {} }

// letters are the mails that went out.
type letters struct {
	mu  sync.Mutex
	all []notify.Mail
}

func (l *letters) Send(m notify.Mail) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, m)
	return nil
}

// to are the letters to an address.
func (l *letters) to(address string) (out []notify.Mail) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, m := range l.all {
		if m.To == address {
			out = append(out, m)
		}
	}
	return out
}

// barred is a gateway that takes no offer.
type barred struct{}

func (barred) Check(string) error {
	return &gateway.Refused{Reason: gateway.BadOffer, Msg: "The offer is no session description."}
}
func (barred) Answer(context.Context, gateway.Offer) (gateway.Answer, error) {
	return gateway.Answer{}, barred{}.Check("")
}
func (barred) HangUp(string, gateway.EndReason) {}

// silent is an agent who says nothing.
type silent struct{}

func (silent) Converse(ctx context.Context, _ gateway.Line) error { <-ctx.Done(); return ctx.Err() }

func open(t testing.TB) *house { return openAt(t, "http://127.0.0.1") }

func openAt(t testing.TB, public string) *house {
	t.Helper()
	return openWith(t, public, func(*house) *billing.Billing { return nil })
}

// openWith opens the house with what takes its money.
func openWith(t testing.TB, public string, till func(*house) *billing.Billing) *house {
	t.Helper()
	return openAs(t, public, func(h *house, c *Config) { c.Billing = till(h) })
}

// openAs opens the house with a Config that the test has changed.
func openAs(t testing.TB, public string, edit func(*house, *Config)) *house {
	t.Helper()
	h := &house{TB: t, dir: t.TempDir(), clock: &clock{at: time.Now().Truncate(time.Second)}, waker: &waker{ear: make(chan []byte, 4)}}
	h.apple = &apple{status: 200, now: h.clock.now}
	h.store = storetest.OpenConfig(t, store.Config{Dir: h.dir, Now: h.clock.now})
	ears, quiet := bus.New(), slog.New(slog.DiscardHandler)
	credentials, err := health.NewCredentials(health.CredentialsConfig{Store: h.store, Probe: h.apple, Now: h.clock.now})
	must(t, err)
	monitor, err := health.NewMonitor(health.Config{Store: h.store, Now: h.clock.now, Log: quiet})
	must(t, err)
	h.board, err = switchboard.New(switchboard.Config{
		Store: h.store, Push: h.apple, Keys: credentials, Health: monitor, Bus: ears, Now: h.clock.now, Log: quiet,
	})
	must(t, err)
	h.post = &letters{}
	common, err := page.NewCommon(page.CommonConfig{Store: h.store, PublicURL: public, Now: h.clock.now, Log: quiet})
	must(t, err)
	c := Config{
		Common: common, Board: h.board, Credentials: credentials, Dev: h.waker, Voice: barred{}, Agent: silent{}, Mail: h.post,
		Parts: []Part{{"Database", "Keeps rings.", h.store.Ready}},
	}
	edit(h, &c)
	h.k, err = New(c)
	must(t, err)
	h.app = web.New(web.Config{ErrorPage: h.k.ErrorPage, Now: h.clock.now})
	h.k.Mount(h.app)
	h.phc = phc()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	h.url = "http://" + ln.Addr().String()
	ctx, stop := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- web.Serve(ctx, h.app, ln) }()
	t.Cleanup(func() {
		stop()
		must(t, <-served)
		limit, cancel := context.WithTimeout(context.Background(), time.Minute)
		defer cancel()
		must(t, h.board.Close(limit))
		must(t, ears.Close())
	})
	return h
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tenant is one customer with something of everything; word stands in all of its texts.
type tenant struct {
	h          *house
	id         tenants.TenantID
	slug, word string
	owner      tenants.User
	device     tenants.DeviceID
	dead       tenants.DeviceID
	agent      tenants.AgentID
	credential tenants.CredentialID
	previous   tenants.CredentialID
	key        tenants.KeyID
	pairing    tenants.PairingID
	invitation tenants.Secret
	ring       tenants.RingID // answered
	refused    tenants.RingID
}

func (t *tenant) scope() *store.Scope {
	return t.h.store.For(t.id).By(store.Who{Actor: tenants.Actor{Kind: "key", ID: "0190aaaa-0000-7000-8000-00000000000a",
		Name: t.word + " program"}, IP: "192.0.2.7", RequestID: "r"})
}

// tag is the tenant's word where only letters may stand.
func (t *tenant) tag() string {
	if t.word == canary {
		return "CANARY"
	}
	return t.slug
}

// bare makes a customer with an owner and nothing else.
func (h *house) bare(slug, word string) *tenant {
	h.Helper()
	now := h.clock.now()
	t := &tenant{h: h, id: tenants.NewID[tenants.TenantID](now), slug: slug, word: word}
	must(h, h.store.Tenants().Add(h.Context(), store.Who{Actor: tenants.System}, tenants.Tenant{
		ID: t.id, Slug: slug, Name: word + " Homes", Industry: tenants.RealEstate, State: tenants.TenantActive, TimeZone: "Europe/Berlin",
		RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}))
	t.owner = t.person(tenants.Owner)
	return t
}

// person adds somebody with a role; everybody's password is secret.
func (t *tenant) person(r tenants.Role) tenants.User {
	t.h.Helper()
	t.h.serial++
	now := t.h.clock.now()
	u := tenants.User{
		ID: tenants.NewID[tenants.UserID](now), Email: fmt.Sprintf("%s-%d@%s.example", r, t.h.serial, t.slug), Name: t.word + " " + string(r),
		Password: t.h.phc, Theme: "auto", CreatedAt: now,
	}
	must(t.h, t.h.store.Users().Add(t.h.Context(), u))
	must(t.h, t.scope().Members().Add(t.h.Context(), tenants.Member{Tenant: t.id, User: u.ID, Role: r, CreatedAt: now}))
	return u
}

// full makes a customer with something of everything.
func (h *house) full(slug, word string) *tenant {
	h.Helper()
	t, ctx, now := h.bare(slug, word), h.Context(), h.clock.now()
	t.agent = tenants.NewID[tenants.AgentID](now)
	must(h, t.scope().Agents().Add(ctx, tenants.Agent{ID: t.agent, Tenant: t.id, Name: word + " desk", Kind: tenants.Builtin, Caller: word,
		CreatedAt: now}))
	t.credential = tenants.NewID[tenants.CredentialID](now)
	must(h, t.scope().Credentials().Add(ctx, tenants.Credential{
		ID: t.credential, Tenant: t.id, Kind: tenants.P8, Bundle: "com.example." + slug, Environment: tenants.Auto, Team: "ABCDE12345",
		KeyID: "KEY1234567", Fingerprint: slug, State: tenants.CredentialActive, CreatedAt: now,
	}, newP8(h)))
	must(h, t.scope().Credentials().NoteRefusal(ctx, t.credential, word, false, now))
	t.previous = t.signs(tenants.CredentialPrevious)
	_, err := t.scope().Alerts().Raise(ctx, tenants.AlertCredential, string(t.credential), word)
	must(h, err)
	_, err = t.scope().Alerts().Raise(ctx, tenants.AlertBlocked, word, word)
	must(h, err)
	t.key = tenants.NewID[tenants.KeyID](now)
	must(h, t.scope().Keys().Add(ctx, tenants.Key{ID: t.key, Tenant: t.id, Name: word + " key", Last4: "zzzz",
		Permissions: tenants.Permissions, CreatedAt: now},
		tenants.NewSecret(tenants.LivePrefix).Hash()))
	t.device, t.dead = t.phone(), t.phone()
	_, err = t.scope().Devices().Disable(ctx, t.dead, word, now.Add(time.Second))
	must(h, err)
	t.pairing = tenants.NewID[tenants.PairingID](now)
	must(h, t.scope().Pairings().Add(ctx, tenants.Pairing{ID: t.pairing, Tenant: t.id, Person: "p", CreatedAt: now,
		ExpiresAt: now.Add(tenants.PairingTTL)}, tenants.NewCode().Hash()))
	t.invitation = tenants.NewSecret(tenants.InvitationPrefix)
	must(h, t.scope().Invitations().Add(ctx, store.Invitation{
		Hash: t.invitation.Hash(), Tenant: t.id, Email: "invited@" + slug + ".example", Role: tenants.Viewer, By: tenants.Actor{Kind: "user",
			Name: word},
		CreatedAt: now, ExpiresAt: now.Add(invitationTime),
	}))
	t.rings()
	return t
}

// rings gives the tenant an answered ring and a refused one, and counts them.
func (t *tenant) rings() {
	h := t.h
	r := t.placed()
	t.used()
	d, err := t.scope().Devices().Get(h.Context(), t.device)
	must(h, err)
	for _, kind := range []tenants.FactKind{tenants.FactWoke, tenants.FactShown} {
		h.clock.pass(200 * time.Millisecond)
		_, err := h.board.Report(h.Context(), d, r.ID, switchboard.Report{Kind: kind})
		must(h, err)
	}
	t.converse(r.ID)
	t.ring = r.ID
	h.apple.say(400, "BadDeviceToken")
	bad := t.placed()
	t.refused = bad.ID
	h.apple.say(200, "")
	_, err = h.store.Jobs().Roll(h.Context(), 1000)
	must(h, err)
}

// used waits until it is written down that the tenant's credential was used, which follows Apple's yes by a moment: a test that compares
// all that there is must not meet it.
func (t *tenant) used() {
	t.h.Helper()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		c, err := t.scope().Credentials().Get(t.h.Context(), t.credential)
		must(t.h, err)
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
	h, now := t.h, t.h.clock.now()
	_, _, err := t.scope().Rings().Change(h.Context(), id, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		r.Call = &tenants.Call{Device: t.device, AnsweredAt: now, ConnectedAt: now.Add(time.Second), EndedAt: now.Add(time.Minute),
			EndedBy: "phone_hung_up", Jitter: 4 * time.Millisecond, RoundTrip: 40 * time.Millisecond}
		var facts []tenants.Fact
		for i, k := range []tenants.FactKind{tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp} {
			facts = append(facts, r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: now.Add(time.Duration(i) * time.Second),
				Received: now, Detail: map[bool]string{true: "phone_hung_up"}[k == tenants.FactHungUp]})...)
		}
		return facts, nil
	})
	must(h, err)
}

// placed rings the tenant's phone and waits for Apple's word.
func (t *tenant) placed() *tenants.Ring {
	t.h.Helper()
	tn, err := t.scope().Tenant(t.h.Context())
	must(t.h, err)
	r, _, err := t.h.board.Place(t.h.Context(), switchboard.Caller{Tenant: tn,
		Who: store.Who{Actor: tenants.Actor{Kind: "key", Name: t.word}}},
		tenants.Request{To: tenants.To{Device: t.device}, Caller: page.Clip(t.word, 60), Reference: t.tag() + "-ref"}, store.Idempotency{})
	must(t.h, err)
	return t.until(r.ID, func(r *tenants.Ring) bool { return r.Attempts[0].Push.Status != 0 })
}

// until waits for a ring to be so.
func (t *tenant) until(id tenants.RingID, so func(*tenants.Ring) bool) *tenants.Ring {
	t.h.Helper()
	ctx, cancel := context.WithTimeout(t.h.Context(), time.Minute)
	defer cancel()
	var last *tenants.Ring
	err := t.h.board.Watch(ctx, t.id, id, 0, func(_ []tenants.Fact, r *tenants.Ring) error {
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
	now := t.h.clock.now()
	var token [32]byte
	rand.Read(token[:])
	d, _, err := t.scope().Devices().Add(t.h.Context(), tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Tenant: t.id, Token: hex.EncodeToString(token[:]), Bundle: "com.example." + t.slug,
		Environment: tenants.Sandbox, Person: t.tag() + "-person", Name: t.word + " phone", Model: t.word, OSVersion: t.word, AppVersion: t.word,
		Platform: tenants.IOS, State: tenants.DeviceActive, RegisteredAt: now, SeenAt: now, CreatedAt: now,
	}, tenants.NewSecret(tenants.DevicePrefix).Hash())
	must(t.h, err)
	return d.ID
}

func newP8(t testing.TB) []byte {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// dump is every row of the database, or of one tenant, as text.
func (h *house) dump(tenant tenants.TenantID) string {
	h.Helper()
	db, err := sql.Open("sqlite", filepath.Join(h.dir, "carillon.db"))
	must(h, err)
	defer db.Close()
	tables, err := db.Query("SELECT m.name, (SELECT COUNT(*) FROM pragma_table_info(m.name) WHERE name = 'tenant_id') FROM sqlite_master m " +
		"WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite_%' ORDER BY 1")
	must(h, err)
	owned := map[string]bool{}
	var names []string
	for tables.Next() {
		var name string
		var n int
		must(h, tables.Scan(&name, &n))
		names, owned[name] = append(names, name), n > 0
	}
	must(h, tables.Err())
	var out strings.Builder
	for _, name := range names {
		if tenant != "" && !owned[name] || tenant != "" && name == "sign_ins" {
			continue
		}
		query, args := "SELECT * FROM "+name, []any{}
		if tenant != "" {
			query, args = query+" WHERE tenant_id = ?", []any{bytesOf(h, string(tenant))}
		}
		rows, err := db.Query(query, args...)
		must(h, err)
		columns, err := rows.Columns()
		must(h, err)
		for rows.Next() {
			values, at := make([]any, len(columns)), make([]any, len(columns))
			for i := range values {
				at[i] = &values[i]
			}
			must(h, rows.Scan(at...))
			for i, v := range values {
				if id, ok := v.([]byte); ok && len(id) == 16 {
					values[i] = fmt.Sprintf("%x-%x-%x-%x-%x", id[:4], id[4:6], id[6:8], id[8:10], id[10:])
				}
			}
			fmt.Fprintln(&out, name, values)
		}
		must(h, rows.Err())
	}
	return out.String()
}
