package store

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"carillon/migrations"
	"carillon/tenants"
	"carillon/tenants/seal"
)

// Config is what a Store needs.
type Config struct {
	URL string // postgres://…; empty = SQLite in Dir/carillon.db
	Dir string // data folder, for SQLite
	// Pages bounds the memory for pages of SQLite, of all connections; 0 = pagesMost. It is outside
	// of Go's heap, so GOMEMLIMIT does not bound it.
	Pages int64
	Seal  *seal.Keyring // seals tenants' secrets; nil = none can be stored or read
	// ReadOnly makes every write fail, and a store that is opened and closed leaves no change.
	ReadOnly bool
	Plans    tenants.Plans // what tenants may buy; the zero value = the built-in ones
	// Industries are the files of the industries; nil = the built-in ones.
	Industries *tenants.Industries
	Now        func() time.Time // the clock
	// ClockOfDatabase makes PostgreSQL's clock count, which several servers share; see Store.Now.
	ClockOfDatabase bool
	Log             *slog.Logger
	// Revoked gets, after commit, a tenant whose key was revoked, whose device or device
	// credential is gone or whose state has changed: a cached person, key or device of it must be
	// looked up again. It must not block; nil = nobody listens.
	Revoked func(tenants.TenantID)
	Observe func(sql string) // tests only: sees the text of every statement, before it runs; nil = nobody looks
}

func (c Config) check() error {
	var faults []error
	if c.URL == "" && c.Dir == "" {
		faults = append(faults, errors.New("store: neither a database URL nor a data folder"))
	}
	if c.URL != "" && !strings.HasPrefix(c.URL, "postgres://") && !strings.HasPrefix(c.URL, "postgresql://") {
		faults = append(faults, errors.New("store: the database URL must start with postgres://"))
	}
	return errors.Join(faults...)
}

// Store is the database. It is safe for concurrent use; Close waits for what is queued.
type Store struct{ core }

// core is what every facet of a Store works with.
type core struct {
	now  func() time.Time
	seal *seal.Keyring
	// removed are the keys of marks whose master key is gone; see KeepMarks.
	removed [][]byte
	db      *database
	w       *writer
	seen    *cache

	plans      tenants.Plans
	industries *tenants.Industries
	revoked    func(tenants.TenantID)

	clock *clock // nil = now is the server's own
	self  uuid   // this server until it ends; see leases.go

	nodesNow atomic.Int64 // see NodesNow
	programs atomic.Int64 // see ProgramsNow
	follows  atomic.Bool  // see Leads
	bounds   bounds
	found    lastHits
	feeds    chan struct{} // held by who feeds alone; see Feeds.Alone
	beats    beats         // of this node
	pulse    pulse
}

// Open opens a database that is there. It refuses one whose schema is not exactly the one this
// program wants (see migrations.Check) and, if Seal is given, one that was used with another master
// key (ErrMasterKey).
func Open(ctx context.Context, c Config) (*Store, error) {
	faults := []error{c.check()}
	if c.Now == nil || c.Log == nil {
		faults = append(faults, errors.New("store: Now and Log are needed"))
	}
	if err := errors.Join(faults...); err != nil {
		return nil, err
	}
	db, err := open(ctx, c, false)
	if err != nil {
		return nil, err
	}
	if err := migrations.Check(ctx, db.writes, string(db.dialect)); err != nil {
		return nil, errors.Join(err, db.close())
	}
	var shared *clock
	if c.ClockOfDatabase && !db.dialect.isFile() {
		shared = &clock{own: c.Now}
		c.Now = shared.now
		if err := shared.look(ctx, db.reads); err != nil {
			return nil, errors.Join(translate(err), db.close())
		}
	}
	seen := newCache(c.Now)
	w, err := newWriter(ctx, db, seen, c.Now, c.Log)
	if err != nil {
		return nil, errors.Join(err, db.close())
	}
	if len(c.Plans.Plans) == 0 {
		c.Plans = tenants.BuiltinPlans()
	}
	if c.Industries == nil {
		c.Industries = tenants.BuiltinIndustries()
	}
	if c.Revoked == nil {
		c.Revoked = func(tenants.TenantID) {}
	}
	s := &Store{core{now: c.Now, seal: c.Seal, db: db, w: w, seen: seen, plans: c.Plans, industries: c.Industries,
		revoked: c.Revoked, clock: shared, self: uuid(tenants.NewRandomID()), bounds: usualBounds, feeds: make(chan struct{}, 1)}}
	err = s.checkMasterKey(ctx)
	if err == nil && !c.ReadOnly {
		err = s.continueFacts(ctx)
	}
	if err == nil {
		s.removed, err = s.keptMarks(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, s.Close())
	}
	return s, nil
}

// Migrate brings the schema up to date and says how many steps that took. While servers of an
// earlier program live it applies only steps that these work with, and otherwise refuses all of
// them with Conflict, which names the servers. A step that waits for a table which is in use is
// said in the log.
func Migrate(ctx context.Context, c Config) (applied int, err error) {
	if err := c.check(); err != nil {
		return 0, err
	}
	db, err := open(ctx, c, true)
	if err != nil {
		return 0, err
	}
	if err = db.mayContract(ctx); err == nil {
		applied, err = migrations.Apply(ctx, db.writes, string(db.dialect), func(what string) {
			if c.Log != nil {
				c.Log.Warn(what)
			}
		})
	}
	if err == nil && applied > 0 {
		err = chainOld(ctx, db, c)
	}
	return applied, errors.Join(err, db.close())
}

// Status lists the schema's steps. It changes nothing.
func Status(ctx context.Context, c Config) ([]migrations.Step, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	c.ReadOnly = true
	db, err := open(ctx, c, false)
	if err != nil {
		return nil, err
	}
	steps, err := migrations.Status(ctx, db.writes, string(db.dialect))
	return steps, errors.Join(err, db.close())
}

// Close writes what is queued, refuses what comes after and closes the database.
func (s *Store) Close() error { return errors.Join(s.w.close(), s.pulse.close(), s.db.close()) }

// ForgetCached drops what is remembered of keys, devices and credentials: another node has said
// that somebody may no longer act.
func (s *Store) ForgetCached() { s.seen.forget() }

// fullFor is how long Ready remembers that there was no room to write.
const fullFor = 2 * fullPause

// Ready says whether the database answers a read, a write transaction can be had, there was room
// for the writes of the last seconds, and the master key is still the right one: a backup may have
// been restored under a running server.
func (s *Store) Ready(ctx context.Context) error {
	if err := s.db.reads.PingContext(ctx); err != nil {
		return &tenants.Error{Kind: tenants.Unavailable, Msg: "The database does not answer.", Err: err}
	}
	if err := s.checkMasterKey(ctx); err != nil {
		return err
	}
	if err := s.w.do(ctx, noTenant, func(*tx) error { return nil }); err != nil {
		return err
	}
	if at := s.w.fullAt.Load(); at != 0 && s.now().Sub(time.Unix(0, at)) < fullFor {
		return &tenants.Error{Kind: tenants.Unavailable, Code: "storage_full",
			Msg: "The database had no room to write in the last seconds."}
	}
	return nil
}

// Who acts: written into the audit row of each change.
type Who struct {
	tenants.Actor
	IP        string
	RequestID string
	Reason    string // why, in their words; kept in the audit row of what they do to a ring
}

// Scope is one tenant's data; there is no other way to reach a row.
type Scope struct{ scope }

// scope is what every facet of a Scope works with.
type scope struct {
	s   *core
	id  tenants.TenantID
	who Who

	patient bool  // see Patient
	fenced  bool  // see Fenced
	turns   Turns // see Paced
}

// For returns the tenant's scope. Its changes count as made by Carillon itself until By says who
// acts.
func (s *Store) For(t tenants.TenantID) *Scope { return &Scope{*s.of(t)} }

func (s *core) of(t tenants.TenantID) *scope {
	return &scope{s: s, id: t, who: Who{Actor: tenants.System}}
}

// By returns the same scope with w as the actor of changes.
func (s *Scope) By(w Who) *Scope { return &Scope{*s.by(w)} }

func (s *scope) by(w Who) *scope {
	if w.Kind == "" {
		w.Actor = tenants.System
	}
	return &scope{s: s.s, id: s.id, who: w, patient: s.patient, fenced: s.fenced}
}

// Patient returns the same scope, whose Rings.Change waits up to 20 ms for another write to share
// its commit, and up to 60 ms where several nodes share the rings. It is for what nobody waits for,
// such as Apple's answer: a commit of its own costs more CPU than the rows of a ring.
func (s *Scope) Patient() *Scope {
	p := *s
	p.patient = true
	return &p
}
