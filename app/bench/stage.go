package bench

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/seal"
	"carillon/tenants/store"
)

// stage is a server with one tenant and its devices, and the Apple it pushes to, which is in this
// process.
type stage struct {
	dir    string
	apple  *apnstest.Apple
	env    []string
	files  store.Config
	server *child
	keeps  bool     // the folder stays
	found  *filling // what an earlier run left in it; nil = nothing
	benchTenant
}

// benchTenant is a tenant with all that a ring needs.
type benchTenant struct {
	slug        string
	team, keyID string // as typed: they may be another's
	p8          []byte

	tenant  tenants.TenantID
	key     tenants.Secret
	devices []tenants.DeviceID
	phones  []tenants.Secret // the devices' credentials
	tokens  []string
}

const (
	team   = "BENCHTEAM1"
	keyID  = "BENCHKEY01"
	bundle = "com.example.bench"
	// The bare loop is a team of its own: Apple lets a team have a new provider token only every
	// twenty minutes.
	bareTeam  = "BENCHTEAM2"
	bareKeyID = "BENCHKEY02"
	// And so is the stock server.
	stockTeam  = "BENCHTEAM3"
	stockKeyID = "BENCHKEY03"
)

// setUp fills a fresh database, lets prepare add to it and to the server's environment, and starts
// the server on it.
func setUp(ctx context.Context, devices int, onPush func(apnstest.Delivered),
	prepare ...func(context.Context, *stage, *store.Store) error) (s *stage, err error) {
	return setUpOn(ctx, place{}, devices, onPush, prepare...)
}

// setUpOn is setUp with the database somewhere else.
func setUpOn(ctx context.Context, at place, devices int, onPush func(apnstest.Delivered),
	prepare ...func(context.Context, *stage, *store.Store) error) (*stage, error) {
	s, err := furnished(ctx, at, devices, onPush, prepare...)
	if err != nil {
		return s, err
	}
	if err := s.start(ctx); err != nil {
		return s, errors.Join(err, s.close())
	}
	return s, nil
}

// furnished is a stage whose server is not started.
func furnished(ctx context.Context, at place, devices int, onPush func(apnstest.Delivered),
	prepare ...func(context.Context, *stage, *store.Store) error) (s *stage, err error) {
	s = &stage{}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.close())
		}
	}()
	if err = s.open(at); err != nil {
		return s, err
	}
	if s.apple, err = apnstest.New(apnstest.Config{Keep: -1, OnPush: onPush}); err != nil {
		return s, err
	}
	if err = s.accounts(); err != nil {
		return s, err
	}
	master, keys, err := s.master()
	ca := filepath.Join(s.dir, "apple.pem")
	if err = errors.Join(err, os.WriteFile(ca, s.apple.CAPEM(), 0o600)); err != nil {
		return s, err
	}
	ring, err := seal.Parse(keys)
	if err != nil {
		return s, err
	}
	s.files = store.Config{URL: at.url, Dir: s.dir, Seal: ring, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if err = s.furnish(ctx, devices, prepare); err != nil {
		return s, err
	}
	s.env = append([]string{
		"CARILLON_ADDR=127.0.0.1:0", "CARILLON_PUBLIC_URL=http://127.0.0.1", "CARILLON_DATA=" + s.dir, "CARILLON_DATABASE_URL=" + at.url,
		"CARILLON_MASTER_KEY_FILE=" + master, "CARILLON_APNS_CA_FILE=" + ca, "CARILLON_RTC_UDP_ADDR=127.0.0.1:0",
		"CARILLON_METRICS_ADDR=127.0.0.1:0",
		"CARILLON_RINGS_PER_SECOND=0", "CARILLON_DEVICE_SPACING=0", // one tenant with few devices is all there is
		"CARILLON_APNS_PRODUCTION_URL=" + s.apple.URL(apnstest.Production), "CARILLON_APNS_SANDBOX_URL=" + s.apple.URL(apnstest.Sandbox),
	}, s.env...)
	return s, nil
}

// start starts the server, again after it was killed.
func (s *stage) start(ctx context.Context) (err error) {
	s.server, err = spawn(ctx, s.dir, s.env, "serve")
	return err
}

// accounts opens one for the server and one for the stock server.
func (s *stage) accounts() error {
	account, err := s.account()
	if err != nil {
		return err
	}
	stock, stockFile, err := apnstest.NewKey(stockTeam, stockKeyID)
	if err != nil {
		return err
	}
	return errors.Join(s.apple.Register(account), s.apple.Register(stock), os.WriteFile(filepath.Join(s.dir, "stock.p8"), stockFile, 0o600))
}

func (s *stage) furnish(ctx context.Context, devices int, prepare []func(context.Context, *stage, *store.Store) error) (err error) {
	if _, err := store.Migrate(ctx, s.files); err != nil {
		return err
	}
	db, err := store.Open(ctx, s.files)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	if s.found != nil {
		s.resume()
	} else if err := s.build(ctx, db, devices); err != nil {
		return err
	}
	for _, more := range prepare {
		if err := more(ctx, s, db); err != nil {
			return err
		}
	}
	return nil
}

// build makes the tenant with its key, credential and devices.
func (h *benchTenant) build(ctx context.Context, db *store.Store, devices int) error {
	now := time.Now()
	t := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: h.slug, Name: "Bench", Industry: tenants.RealEstate, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}
	who := store.Who{Actor: tenants.System}
	if err := db.Tenants().Add(ctx, who, t); err != nil {
		return err
	}
	h.tenant = t.ID
	scope := db.For(t.ID).By(who)
	h.key = tenants.NewSecret(tenants.LivePrefix)
	err := scope.Keys().Add(ctx, tenants.Key{ID: tenants.NewID[tenants.KeyID](now), Name: "bench",
		Permissions: tenants.Scopes(), CreatedAt: now}, h.key.Hash())
	if err != nil {
		return err
	}
	err = scope.Credentials().Add(ctx, tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P8, Bundle: bundle, Environment: tenants.Auto,
		Team: h.team, KeyID: h.keyID,
		State: tenants.CredentialActive, CreatedAt: now,
	}, h.p8)
	if err != nil {
		return err
	}
	for range devices {
		if err := h.addDevice(ctx, scope, now); err != nil {
			return err
		}
	}
	return nil
}

func (h *benchTenant) addDevice(ctx context.Context, scope *store.Scope, now time.Time) error {
	var token [32]byte
	rand.Read(token[:])
	d := tenants.Device{
		ID: tenants.NewID[tenants.DeviceID](now), Token: hex.EncodeToString(token[:]), Bundle: bundle, Environment: tenants.Production,
		Name: fmt.Sprintf("Phone %d", len(h.devices)+1), Model: "iPhone", OSVersion: "26.4", AppVersion: "1.0.0",
		RegisteredAt: now, SeenAt: now, CreatedAt: now,
	}.Clean()
	phone := tenants.NewSecret(tenants.DevicePrefix)
	if _, _, err := scope.Devices().Add(ctx, d, phone.Hash()); err != nil {
		return err
	}
	h.devices, h.phones, h.tokens = append(h.devices, d.ID), append(h.phones, phone), append(h.tokens, d.Token)
	return nil
}

func (s *stage) close() error {
	var errs []error
	if s.server != nil {
		errs = append(errs, s.server.stop())
	}
	if s.apple != nil {
		errs = append(errs, s.apple.Close())
	}
	if !s.keeps {
		errs = append(errs, os.RemoveAll(s.dir))
	}
	return errors.Join(errs...)
}

// size is that of the server's database file.
func (s *stage) size() (int64, error) {
	info, err := os.Stat(filepath.Join(s.dir, "carillon.db"))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
