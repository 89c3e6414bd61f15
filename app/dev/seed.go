package dev

import (
	"context"
	crand "crypto/rand"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"time"

	"github.com/alexedwards/argon2id"

	"carillon/app/health"
	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Notes are the secrets that the store keeps only as hashes. They exist only in dev mode.
type Notes struct {
	Email    string         `json:"email"`
	Password string         `json:"password"`
	Tenants  []SeededTenant `json:"tenants"`

	file string
}

func (n Notes) save() error {
	text, err := json.MarshalIndent(n, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(n.file, text, 0o600)
}

// SeededTenant is one tenant of dev mode.
type SeededTenant struct {
	Tenant     tenants.TenantID `json:"tenant_id"`
	Slug       string           `json:"slug"`
	Name       string           `json:"name"`
	PhoneName  string           `json:"phone_name"` // whose phone the page plays
	APIKey     string           `json:"api_key"`
	Device     tenants.DeviceID `json:"device_id"` // the page that plays a phone
	Token      string           `json:"token"`     // its push token
	Credential string           `json:"device_credential"`
	Phones     []Phone          `json:"phones"`
	key        tenants.KeyID
}

// Phone is a simulated device that reports facts by itself.
type Phone struct {
	Token      string `json:"token"`
	Credential string `json:"device_credential"`
	Habit      string `json:"habit"`
}

// keyName is the name of each tenant's API key.
const keyName = "Agent"

// The file with the Notes, readable by its owner only.
const notesFile = "dev.json"

// The one sign-in of dev mode. Its password is no secret: the server listens on this machine only
// and holds made-up data.
const (
	email    = "you@carillon.test"
	password = "ring the bells"
	Login    = email + ", password: " + password
)

// Seed fills an empty store, or finds what an earlier run left in dir. With history it also writes
// thirty days of rings, so that every chart has something to show.
func Seed(ctx context.Context, s *store.Store, creds *health.Credentials, dir string, now func() time.Time, history bool) (Notes, error) {
	file := filepath.Join(dir, notesFile)
	switch text, err := os.ReadFile(file); {
	case err == nil:
		n := Notes{file: file}
		if err := json.Unmarshal(text, &n); err != nil {
			return n, fmt.Errorf("%s: %w", file, err)
		}
		return n, nil
	case !errors.Is(err, fs.ErrNotExist):
		return Notes{}, err
	}
	n, err := seeder{s, creds, now, history}.seed(ctx)
	if err != nil {
		return n, fmt.Errorf("seed: %w", err)
	}
	n.file = file
	return n, n.save()
}

// seeder fills an empty store.
type seeder struct {
	store *store.Store
	creds *health.Credentials
	now   func() time.Time

	history bool
}

// founded is when the seeded tenants were made: before the first ring of their history.
func (s seeder) founded() time.Time { return s.now().AddDate(0, 0, -historyDays-1) }

func (s seeder) seed(ctx context.Context) (Notes, error) {
	n := Notes{Email: email, Password: password}
	hash, err := argon2id.CreateHash(password,
		&argon2id.Params{Memory: 19 << 10, Iterations: 2, Parallelism: 1, SaltLength: 16, KeyLength: 32})
	if err != nil {
		return n, err
	}
	user := tenants.User{ID: tenants.NewID[tenants.UserID](s.now()), Email: email, Name: "Robin Bell", Password: hash,
		Theme: "auto", CreatedAt: s.now()}
	if err := s.store.Users().Add(ctx, user); err != nil {
		return n, err
	}
	for i, f := range s.store.Industries().List() {
		p := f.Sample
		h, err := s.build(ctx, user, f, i)
		if err != nil {
			return n, fmt.Errorf("%s: %w", p.Slug, err)
		}
		n.Tenants = append(n.Tenants, h)
	}
	return n, partner(ctx, s.store, user, s.now())
}

// devMode is the author of what this package adds, in the audit log.
func devMode() store.Who {
	return store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "dev mode"}}
}

// build makes one tenant with everything that a ring needs.
func (s seeder) build(ctx context.Context, user tenants.User, f tenants.IndustryFile, i int) (SeededTenant, error) {
	p := f.Sample
	t := s.store.Industries().Of(tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](s.now()), Slug: p.Slug, Name: p.Name, Industry: f.Slug, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: s.founded(), Changes: awake(f),
	})
	if err := s.store.Tenants().Add(ctx, devMode(), t); err != nil {
		return SeededTenant{}, err
	}
	scope := s.store.For(t.ID).By(devMode())
	err := scope.Members().Add(ctx, tenants.Member{Tenant: t.ID, User: user.ID, Role: tenants.Owner, Email: user.Email,
		Name: user.Name, CreatedAt: s.now()})
	if err != nil {
		return SeededTenant{}, err
	}
	agents := f.NewAgents(t, s.founded())
	for _, a := range agents {
		if err := scope.Agents().Add(ctx, a); err != nil {
			return SeededTenant{}, err
		}
	}
	for _, r := range f.NewAlertRules(t, s.founded()) {
		if err := scope.AlertRules().Add(ctx, r); err != nil {
			return SeededTenant{}, err
		}
	}
	t.DefaultAgent = agents[0].ID
	if err := scope.SetTenant(ctx, t); err != nil {
		return SeededTenant{}, err
	}
	credential, err := s.addCredential(ctx, t.ID, p, i)
	if err != nil {
		return SeededTenant{}, err
	}
	h, phones, err := s.addParts(ctx, scope, t, p)
	if err != nil || !s.history {
		return h, err
	}
	pushes, err := s.store.PushIDs()
	if err != nil {
		return SeededTenant{}, err
	}
	return h, past{scope: scope, tenant: t.ID, agent: agents[0], credential: credential,
		key: tenants.Actor{Kind: tenants.ActorKey, ID: string(h.key), Name: keyName}, phones: phones, now: s.now(),
		random: rand.New(rand.NewPCG(uint64(i), historyDays)), pushes: pushes}.write(ctx)
}

// awake turns quiet hours off: people try dev mode at any hour.
func awake(f tenants.IndustryFile) *tenants.RuleChanges {
	if f.Rules.Quiet.Value.None() || f.Rules.Quiet.Law {
		return nil
	}
	return &tenants.RuleChanges{Quiet: &tenants.QuietHours{}}
}

func (s seeder) addCredential(ctx context.Context, t tenants.TenantID, p tenants.SampleTenant, i int) (tenants.CredentialID, error) {
	team, keyID := fmt.Sprintf("DEVTEAM%03d", i+1), fmt.Sprintf("DEVKEY%04d", i+1)
	_, file, err := apnstest.NewKey(team, keyID)
	if err != nil {
		return "", err
	}
	c, err := s.creds.Add(ctx, t, devMode(), health.Upload{
		Filename: "AuthKey_" + keyID + ".p8", File: file, Bundle: p.Bundle, Team: team, KeyID: keyID, Environment: tenants.Auto,
	})
	return c.ID, err
}

// addParts adds the tenant's API key and devices.
func (s seeder) addParts(ctx context.Context, scope *store.Scope, t tenants.Tenant,
	p tenants.SampleTenant) (h SeededTenant, phones []tenants.Device, err error) {
	secret := tenants.NewSecret(tenants.LivePrefix)
	h = SeededTenant{Tenant: t.ID, Slug: t.Slug, Name: t.Name, PhoneName: p.Phone, APIKey: string(secret), Token: token()}
	key := tenants.Key{
		ID: tenants.NewID[tenants.KeyID](s.now()), Tenant: t.ID, Name: keyName, Last4: string(secret)[len(secret)-4:],
		Permissions: tenants.Scopes(), CreatedAt: s.founded(),
	}
	if err := scope.Keys().Add(ctx, key, secret.Hash()); err != nil {
		return h, nil, err
	}
	h.key = key.ID
	stored, credential, err := s.addPage(ctx, scope, p, h.Token, s.founded())
	if err != nil {
		return h, nil, err
	}
	h.Device, h.Credential, phones = stored.ID, credential, append(phones, stored)
	for _, q := range p.Devices {
		d := tenants.Device{
			Token: token(), Bundle: p.Bundle, Environment: tenants.Auto, Person: q.Person, Name: q.Name, Model: q.Model,
			OSVersion: q.OS, AppVersion: q.App, TimeZone: "UTC",
		}
		stored, credential, err := s.addDevice(ctx, scope, d, s.founded())
		if err != nil {
			return h, nil, err
		}
		phones = append(phones, stored)
		h.Phones = append(h.Phones, Phone{Token: d.Token, Credential: credential, Habit: q.Habit})
	}
	return h, phones, nil
}

// addPage adds the phone that a page plays.
func (s seeder) addPage(ctx context.Context, scope *store.Scope, p tenants.SampleTenant, token string,
	since time.Time) (tenants.Device, string, error) {
	return s.addDevice(ctx, scope, tenants.Device{
		Token: token, Bundle: p.Bundle, Environment: tenants.Production, Person: p.Person, Name: p.Phone + " (this browser)",
		Model: "Browser", OSVersion: "26.4", AppVersion: "2.3.0", TimeZone: "UTC", Platform: tenants.Browser,
	}, since)
}

func (s seeder) addDevice(ctx context.Context, scope *store.Scope, d tenants.Device, since time.Time) (tenants.Device, string, error) {
	d, now := d.Clean(), s.now()
	d.ID, d.CreatedAt, d.RegisteredAt, d.SeenAt = tenants.NewID[tenants.DeviceID](now), since, since, now
	secret := tenants.NewSecret(tenants.DevicePrefix)
	stored, _, err := scope.Devices().Add(ctx, d, secret.Hash())
	return stored, string(secret), err
}

func token() string {
	var b [32]byte
	crand.Read(b[:])
	return hex.EncodeToString(b[:])
}
