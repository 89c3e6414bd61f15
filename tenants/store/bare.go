package store

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"time"

	"carillon/tenants"
)

// Bare writes the rows of rings with prepared statements and nothing else: no queue, no policy, no
// readers. `bench rings` compares the server with it. Its SQLite has the same schema and the same
// pragmas.
type Bare struct {
	dir    string
	scope  *scope
	store  *Store
	db     *database
	tx     *tx
	prior  []*tenants.Ring // placed in the group before, still to be answered
	rings  int
	filed  int // of them, when DeviceRings last had a turn
	phones []tenants.DeviceID
	empty  int64 // bytes of the database before the first ring
}

// OpenBare makes a database in a fresh folder.
func OpenBare(ctx context.Context, dir string) (b *Bare, err error) {
	c := Config{Dir: dir, Now: time.Now, Log: slog.New(slog.DiscardHandler)}
	if _, err := Migrate(ctx, c); err != nil {
		return nil, err
	}
	b = &Bare{dir: dir}
	now := time.Now()
	t := tenants.Tenant{
		ID: tenants.NewID[tenants.TenantID](now), Slug: "bare", Name: "Bare", Industry: tenants.Salon, State: tenants.TenantActive,
		TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now,
	}
	if b.store, err = Open(ctx, c); err != nil {
		return nil, err
	}
	if err = b.store.Tenants().Add(ctx, Who{}, t); err == nil {
		err = b.store.Checkpoint(ctx)
	}
	if err == nil {
		b.empty, err = b.size()
	}
	if err == nil {
		b.db, err = open(ctx, c, false)
	}
	if err == nil {
		b.tx, err = newTx(ctx, b.db)
	}
	if err != nil {
		return nil, errors.Join(err, b.close())
	}
	for range 1000 { // as many as the server rings beside it
		b.phones = append(b.phones, tenants.NewID[tenants.DeviceID](now))
	}
	key := tenants.Actor{Kind: tenants.ActorKey, ID: string(tenants.NewID[tenants.KeyID](now)), Name: "bench"}
	b.scope = b.store.of(t.ID).by(Who{Actor: key, IP: "127.0.0.1", RequestID: tenants.NewRandomID()})
	return b, nil
}

// Write is one turn of callers who each wait for a commit: half of them place a ring and half
// record Apple's answer, in one commit. A single caller does one after the other. It says how many
// rings are complete.
func (b *Bare) Write(callers int) (rings int, err error) {
	place := max(1, callers/2)
	if callers == 1 {
		if _, err = b.commit(1); err != nil {
			return 0, err
		}
		place = 0
	}
	return b.commit(place)
}

func (b *Bare) commit(place int) (answered int, err error) {
	if err := b.tx.begin(false); err != nil {
		return 0, err
	}
	for _, r := range b.prior {
		if err := b.answer(r); err != nil {
			return 0, err
		}
	}
	answered, b.prior = len(b.prior), b.prior[:0]
	defer b.file(&err)
	for range place {
		r := b.ring()
		b.rings++
		b.scope.prepare(r)
		if err := b.tx.audit(b.scope, "ring.place", string(r.ID), ""); err != nil {
			return 0, err
		}
		b.tx.rings().addRing(b.scope.id, r, r.ExpiresAt)
		b.prior = append(b.prior, r)
	}
	return answered, errors.Join(b.tx.flush(), b.tx.commit())
}

// file has the rings of each device filed, as the server does.
func (b *Bare) file(err *error) {
	if *err == nil && b.rings-b.filed >= filedMost/3 {
		b.filed = b.rings
		_, *err = b.store.DeviceRings().File(context.Background())
	}
}

func (b *Bare) answer(r *tenants.Ring) error {
	now, a := time.Now(), &r.Attempts[0]
	a.Push.Tries, a.Push.Status, a.Push.SentAt, a.Push.AnsweredAt = 1, 200, now, now
	a.State, r.State, r.Version = tenants.Pushed, tenants.Pushed, r.Version+1
	if _, err := b.tx.rings().setRing(b.scope, r, r.Version-1, r.ExpiresAt, false); err != nil {
		return err
	}
	for _, kind := range []tenants.FactKind{tenants.FactSent, tenants.FactAccepted} {
		f := &tenants.Fact{Attempt: a.ID, Kind: kind, At: now, Received: now}
		b.tx.rings().addFact(b.scope.id, r.ID, f, &f.Seq, &f.Seq)
	}
	return b.tx.rings().setAttempt(r, a, a)
}

func (b *Bare) ring() *tenants.Ring {
	now, device := time.Now(), b.phones[b.rings*7%len(b.phones)]
	return &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](now), State: tenants.Placed, To: tenants.To{Device: device}, Caller: "Bench",
		By: b.scope.who.Actor, CreatedAt: now, ExpiresAt: now.Add(time.Minute),
		Attempts: []tenants.Attempt{{
			ID: tenants.NewID[tenants.AttemptID](now), Device: device, Credential: tenants.CredentialID(device), State: tenants.Placed,
			AppVersion: "1.0.0", OSVersion: "26.4", Push: tenants.Push{
				APNsID: tenants.NewRandomID(), Topic: "com.example.bench.voip", Token: strings.Repeat("ab", 32),
				Environment: tenants.Production,
			},
		}},
	}
}

// Close closes the database and says how many bytes each ring takes in it.
func (b *Bare) Close() (perRing float64, err error) {
	if err := b.close(); err != nil {
		return 0, err
	}
	full, err := b.size()
	return float64(full-b.empty) / float64(max(1, b.rings)), err
}

func (b *Bare) close() error {
	var errs []error
	if b.tx != nil {
		errs = append(errs, b.tx.close())
	}
	if b.db != nil {
		errs = append(errs, b.db.close())
	}
	return errors.Join(append(errs, b.store.Close())...)
}

// size is that of the database file; its log is in it after Close.
func (b *Bare) size() (int64, error) {
	info, err := os.Stat(filepath.Join(b.dir, "carillon.db"))
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
