// Package storetest is the one suite that every database under store must pass, and what other
// packages' tests need to have a real store: Open for SQLite in a temporary folder, Postgres for an
// empty database of the system's own PostgreSQL.
//
// Start reading at Run.
package storetest

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// Open is a migrated SQLite store in the test's own folder, on the real clock; it is closed when
// the test ends.
func Open(t testing.TB) *store.Store {
	t.Helper()
	return OpenConfig(t, store.Config{})
}

// OpenConfig migrates and opens what c names; what it leaves out is filled: a temporary folder,
// fresh keys, the real clock, no log.
func OpenConfig(t testing.TB, c store.Config) *store.Store {
	t.Helper()
	if c.URL == "" && c.Dir == "" {
		c.Dir = t.TempDir()
	}
	if c.Seal == nil {
		c.Seal = Keys(t)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	Migrate(t, c)
	s, err := store.Open(t.Context(), c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// empty is an SQLite database with the schema and nothing else. To migrate takes ten times as long
// as to open, so each process of tests does it once.
var empty = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "carillon-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if _, err := store.Migrate(context.Background(), store.Config{Dir: dir}); err != nil {
		return nil, err
	}
	return os.ReadFile(filepath.Join(dir, file))
})

const file = "carillon.db"

// Migrate does what store.Migrate does. An SQLite database that does not exist yet is a copy of one
// that was migrated before.
func Migrate(t testing.TB, c store.Config) {
	t.Helper()
	if c.URL == "" {
		if _, err := os.Stat(filepath.Join(c.Dir, file)); errors.Is(err, fs.ErrNotExist) {
			FillFolder(t, c.Dir)
			return
		}
	}
	if _, err := store.Migrate(t.Context(), c); err != nil {
		t.Fatal(err)
	}
}

// FillFolder puts a migrated, empty SQLite database into a folder, which it makes.
func FillFolder(t testing.TB, dir string) {
	t.Helper()
	b, err := empty()
	if err == nil {
		err = os.MkdirAll(dir, 0o700)
	}
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, file), b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Keys is a fresh keyring.
func Keys(t testing.TB) *seal.Keyring {
	t.Helper()
	k, err := seal.Parse([]byte(seal.Generate()))
	if err != nil {
		t.Fatal(err)
	}
	return k
}

// Run runs the suite. database gives the URL of an empty database that ends with t; empty is
// SQLite.
func Run(t *testing.T, database func(t *testing.T) string) {
	seen := &statements{texts: map[string]bool{}}
	parts := []struct {
		name string
		run  func(*bench)
	}{
		{"tenants", testTenants}, {"users", testUsers}, {"sign-ins", testSignIns}, {"late sign-ins", testLateSignIns},
		{"members", testMembers},
		{"invitations", testInvitations}, {"unproven accounts", testUnprovenAccounts},
		{"passkeys", testPasskeys}, {"providers", testProviders}, {"invitations sent again", testResend},
		{"password resets", testPasswordResets}, {"agents", testAgents}, {"settings of agents", testAgentSettings},
		{"sounds", testSounds}, {"connections", testConnections}, {"texts", testTexts}, {"audit feed", testAuditFeed},
		{"rosters", testRosters},
		{"deliveries", testDeliveries},
		{"fed and claimed", testFedAndClaimed}, {"sent first", testSentFirst},
		{"replay", testReplay}, {"delivery hours", testDeliveryHours},
		{"many deliveries", testManyDeliveries}, {"failing connection", testFailingConnection}, {"turned on", testTurnedOn},
		{"audit turned on", testAuditTurnedOn}, {"told", testTold}, {"suspended", testSuspended},
		{"replayed while it is sent", testReplayMeanwhile}, {"claim at once", testClaimAtOnce},
		{"chains of agents", testAgentChains}, {"notes", testNotes}, {"recordings", testRecordings},
		{"keys", testKeys}, {"limits of keys", testKeyLimits}, {"requests of keys", testKeyRequests},
		{"rotation at the bound of keys", testKeyRotationAtTheBound},
		{"devices", testDevices}, {"names", testNames},
		{"merges", testMerges}, {"tokens", testTokens}, {"device credentials", testDeviceCredentials}, {"revocations", testRevocations},
		{"kept target", testKeptTarget},
		{"days", testDays}, {"pairings", testPairings}, {"credentials", testCredentials}, {"targets", testTargets},
		{"add ring", testAddRing}, {"idempotency", testIdempotency}, {"change ring", testChangeRing},
		{"change rings at once", testChangeAtOnce}, {"rings", testRings}, {"rings of a device", testDeviceRings},
		{"reach", testReach}, {"work", testWork}, {"inherit", testInherit},
		{"expire", testExpire}, {"expire at once", testExpireAtOnce},
		{"forget", testForget}, {"audits", testAudits}, {"audit chain", testAuditChain},
		{"audit chain at once", testAuditChainAtOnce}, {"retire audits", testRetireAudits},
		{"exports", testExports}, {"erasures", testErasures}, {"rotation of the master key", testRotation},
		{"deletions", testDeletion},
		{"retire requests of keys", testRetireKeyRequests},
		{"audit chain beside an earlier version", testAuditsOfEarlierVersion},
		{"caps", testCaps}, {"audited", testAudited}, {"tallies", testTallies},
		{"alert rules", testAlertRules}, {"figures of rules", testRuleFigures}, {"digests", testDigests}, {"counts", testCounts},
		{"counts of another process", another(testCounts)}, {"tallies by key of another process", another(testKeyTallies)},

		{"tallies of another process", another(testTallies)}, {"tallies by ring", testTalliesByRing}, {"tallies by key", testKeyTallies},
		{"tallies by ring of another process", another(testTalliesByRing)}, {"reasons of another process", another(testReasons)},
		{"roll at once", testRollAtOnce}, {"cursors", testCursors},
		{"groups", testGroups}, {"groups of persons", testPersonGroups}, {"schedules", testSchedules}, {"consents", testConsents},
		{"turns", testTurns}, {"steps of a ring", testSteps}, {"expired steps", testExpiredSteps}, {"guilty", testGuilty}, {"given up",
			testGivenUp}, {"close", testClose},
		{"pages", testPages}, {"subscriptions", testSubscriptions}, {"plan limits", testPlanLimits},
		{"metered rings", testMetered}, {"metered to Stripe", testMeteredToStripe}, {"Stripe's events", testStripeEvents},
		{"sign-ups", testSignups},
		{"cards", testCards}, {"partners", testPartners}, {"ledger", testLedger},
		{"ledger in any order", testLedgerOrder}, {"payouts at once", testPayoutsAtOnce}, {"new tenant", testNewTenant},
		{"operators", testOperators}, {"operator passkeys", testOperatorPasskeys},
		{"nodes", testNodes}, {"holders", testHolders}, {"feed", testFeed},
		{"isolation", testIsolation}, {"alerts", testAlerts}, {"many alerts", testManyAlerts},
		{"replace", testReplace}, {"confine", testConfine}, {"mails", testMails}, {"retire", testRetire},
		{"retire revoked", testRetireRevoked},
		{"revive", testRevive}, {"qualities", testQualities}, {"outcomes", testOutcomes}, {"reasons", testReasons},
	}
	var ran atomic.Int64 // fewer than all when somebody asked for some by name
	t.Run("suite", func(t *testing.T) {
		for _, p := range parts {
			t.Run(p.name, func(t *testing.T) {
				ran.Add(1)
				t.Parallel()
				b := &bench{T: t, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
				b.config = store.Config{URL: database(t), Dir: t.TempDir(), Seal: Keys(t), Now: b.clock.Now,
					Observe: func(q string) { seen.add(q); b.observe(q) }, Revoked: b.lost}
				b.s = OpenConfig(t, b.config)
				b.roller = b.s
				p.run(b)
			})
		}
	})
	seen.check(t, int(ran.Load()) == len(parts))
}

// bench is what one test of the suite works on.
type bench struct {
	*testing.T
	s      *store.Store
	roller *store.Store // whose process counts facts: s, or another on the same database
	config store.Config
	clock  *clock

	mu      sync.Mutex // guards the rest
	commits int
	texts   []string // of statements since reads
	revoked []tenants.TenantID
	serial  int
}

// another runs a test whose facts are counted by a process that did not write them.
func another(test func(*bench)) func(*bench) {
	return func(b *bench) {
		b.roller = OpenConfig(b, b.config)
		test(b)
	}
}

func (b *bench) observe(q string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if q == "COMMIT" {
		b.commits++
	}
	b.texts = append(b.texts, q)
}

// reads counts the statements with this part since the last call.
func (b *bench) reads(part string) (n int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, q := range b.texts {
		if strings.Contains(q, part) {
			n++
		}
	}
	b.texts = nil
	return n
}

func (b *bench) lost(t tenants.TenantID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.revoked = append(b.revoked, t)
}

// losers are the tenants told of as Revoked since the last look.
func (b *bench) losers() (list []tenants.TenantID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	list, b.revoked = b.revoked, nil
	return list
}

func (b *bench) committed() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.commits
}

// next is a number that no other thing of this test has.
func (b *bench) next() int {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.serial++
	return b.serial
}

type clock struct {
	mu  sync.Mutex // guards now
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) add(d time.Duration) time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
	return c.now
}

func (c *clock) set(t time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = t
}

func (b *bench) must(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// refused wants an error of a kind.
func (b *bench) refused(err error, kind tenants.Kind, what string) {
	b.Helper()
	if err == nil || tenants.KindOf(err) != kind {
		b.Errorf("%s: got %v, want kind %d", what, err, kind)
	}
}

func equal[T comparable](b *bench, got, want T, what string) {
	b.Helper()
	if got != want {
		b.Errorf("%s: got %v, want %v", what, got, want)
	}
}

// The makers of whole things. Each is different from the others of its test.

func (b *bench) tenant() *store.Scope {
	b.Helper()
	n := b.next()
	t := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](b.clock.Now()), Slug: fmt.Sprintf("tenant-%d", n), Name: fmt.Sprintf("Tenant %d", n),
		Industry: tenants.Salon, State: tenants.TenantActive, TimeZone: "Europe/Berlin", RingTTL: tenants.DefaultTTL,
		CreatedAt: b.clock.Now(),
	}
	b.must(b.s.Tenants().Add(b.Context(), store.Who{}, t))
	return b.s.For(t.ID)
}

func hashOf(parts ...any) tenants.Hash { return sha256.Sum256([]byte(fmt.Sprint(parts...))) }

func (b *bench) user() tenants.User {
	b.Helper()
	n := b.next()
	u := tenants.User{
		ID: tenants.NewID[tenants.UserID](b.clock.Now()), Email: fmt.Sprintf("person%d@example.com", n),
		Name:     fmt.Sprintf("Person %d", n),
		Password: "phc", Theme: "auto", CreatedAt: b.clock.Now(),
	}
	b.must(b.s.Users().Add(b.Context(), u))
	return u
}

func (b *bench) member(s *store.Scope, r tenants.Role) tenants.User {
	b.Helper()
	u := b.user()
	b.must(s.Members().Add(b.Context(), tenants.Member{User: u.ID, Role: r, CreatedAt: b.clock.add(time.Second)}))
	return u
}

func (b *bench) newDevice(person string) tenants.Device {
	n := b.next()
	return tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](b.clock.Now()), Token: strings.Repeat("ab", 30) + fmt.Sprintf("%08x", n),
		Bundle:      "com.example.app",
		Environment: tenants.Production, Person: person, Name: fmt.Sprintf("Phone %d",
			n), Model: "iPhone17,1", OSVersion: "26.1", AppVersion: "3.2",
		TimeZone: "Europe/Berlin", Platform: tenants.IOS, CreatedAt: b.clock.add(time.Millisecond),
	}
}

func (b *bench) device(s *store.Scope, person string) tenants.Device {
	b.Helper()
	d := b.newDevice(person)
	d, known, err := s.Devices().Add(b.Context(), d, hashOf("device", d.ID))
	b.must(err)
	equal(b, known, false, "a new device is known")
	return d
}

func (b *bench) newCredential() tenants.Credential {
	n := b.next()
	return tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](b.clock.Now()), Kind: tenants.P8, Bundle: "com.example.app", Environment: tenants.Auto,
		Team: "ABCDE12345", KeyID: "KEY1234567", Topics: []string{"com.example.app.voip",
			"com.example.app"}, Fingerprint: fmt.Sprintf("%064x", n),
		State: tenants.CredentialActive, CreatedAt: b.clock.add(time.Millisecond),
	}
}

func (b *bench) credential(s *store.Scope) tenants.Credential {
	b.Helper()
	c := b.newCredential()
	b.must(s.Credentials().Add(b.Context(), c, []byte("secret of "+c.ID)))
	return c
}

func (b *bench) newAgent() tenants.Agent {
	n := b.next()
	return tenants.Agent{
		ID: tenants.NewID[tenants.AgentID](b.clock.Now()), Name: fmt.Sprintf("Agent %d", n), Kind: tenants.Builtin, Caller: "Salon",
		CreatedAt: b.clock.add(time.Millisecond), Attach: tenants.AttachAnswered, Lost: tenants.LostMessage,
	}
}

func (b *bench) newKey() tenants.Key {
	n := b.next()
	return tenants.Key{
		ID: tenants.NewID[tenants.KeyID](b.clock.Now()), Name: fmt.Sprintf("Key %d", n), Last4: fmt.Sprintf("%04d", n),
		Permissions: []tenants.Permission{tenants.RingsWrite, tenants.RingsRead}, CreatedAt: b.clock.add(time.Millisecond),
	}
}

// newRing is a ring with an attempt on each device.
func (b *bench) newRing(devices ...tenants.Device) *tenants.Ring {
	now := b.clock.Now()
	pushes, err := b.s.PushIDs()
	b.must(err)
	r := &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, Caller: "Salon Anna", Reference: fmt.Sprintf("ref-%d", b.next()),
		By: tenants.Actor{Kind: tenants.ActorKey, ID: "0190aaaa-0000-7000-8000-00000000000a",
			Name: "bot"}, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
	}
	for _, d := range devices {
		r.To.Device = d.ID
		r.Attempts = append(r.Attempts, tenants.Attempt{
			ID: tenants.NewID[tenants.AttemptID](now), Device: d.ID, Credential: "0190aaaa-0000-7000-8000-00000000000f",
			State:      tenants.Placed,
			AppVersion: d.AppVersion,
			OSVersion:  d.OSVersion,
			Push:       tenants.Push{APNsID: pushes.New(now), Topic: d.Topic(), Token: d.Token, Environment: d.Host()},
		})
	}
	if len(devices) > 1 {
		r.To = tenants.To{Person: devices[0].Person}
	}
	return r
}

func (b *bench) ring(s *store.Scope, devices ...tenants.Device) *tenants.Ring {
	b.Helper()
	r := b.newRing(devices...)
	earlier, err := s.Rings().Add(b.Context(), r, store.Idempotency{}, r.ExpiresAt)
	b.must(err)
	if earlier != nil {
		b.Fatal("a ring without a key has an earlier one")
	}
	return r
}

// record folds one fact into a ring, by Rings.Change.
func (b *bench) record(s *store.Scope, r *tenants.Ring, attempt int, k tenants.FactKind, at time.Time) *tenants.Ring {
	b.Helper()
	after, _, err := s.Rings().Change(b.Context(), r.ID, r, time.Time{}, fold(r.Attempts[attempt].ID, k, at))
	b.must(err)
	return after
}

func fold(a tenants.AttemptID, k tenants.FactKind, at time.Time) func(*tenants.Ring) ([]tenants.Fact, error) {
	return func(r *tenants.Ring) ([]tenants.Fact, error) {
		return r.Fold(tenants.Fact{Attempt: a, Kind: k, At: at, Received: at}), nil
	}
}
