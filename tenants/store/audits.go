package store

import (
	"context"
	"database/sql"
	"errors"
	"maps"
	"slices"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// write runs a change of the tenant's data in the writer. A tenant that does not exist is refused
// before anything else.
func (s *scope) write(ctx context.Context, run func(*tx) error) error {
	return s.s.w.wait(ctx, &job{access: s.access(), tenant: s.id, done: make(chan struct{}), run: func(t *tx) error {
		if err := t.counter(s.id); err != nil {
			return err
		}
		return run(t)
	}})
}

// counters holds the tenants' rows of a whole group, in the order of their ids: two nodes that held
// them in the order of their jobs would wait for each other. On SQLite there is nobody to wait for.
func (t *tx) counters(group []*job) error {
	if t.d.dialect.isFile() {
		return nil
	}
	ids := map[tenants.TenantID]bool{}
	for _, j := range group {
		if j.tenant != "" {
			ids[j.tenant] = true
		}
	}
	t.access = allTenants
	for _, id := range slices.Sorted(maps.Keys(ids)) {
		if err := t.counter(id); err != nil && tenants.KindOf(err) != tenants.Unknown {
			return err
		}
	}
	return nil
}

// counter reads the tenant's last audit seq into the transaction. On PostgreSQL it holds the
// tenant's row until the commit, which is what keeps the seqs of several nodes without a gap.
func (t *tx) counter(id tenants.TenantID) error {
	if _, ok := t.audits[id]; ok {
		return nil
	}
	var seq int64
	query, args := t.d.dialect.lastAudit(uuid(id))
	if err := t.row(query, args, &seq); err != nil {
		return missing(err, "tenant")
	}
	t.audits[id] = seq
	return nil
}

// audit collects the row of a change in the same transaction. detail names the changed fields,
// never their secrets. Where the actor did the same a short time ago, that row counts once more: a
// program in a loop does not fill the database.
func (t *tx) audit(s *scope, action, target, detail string) error {
	if err := t.counter(s.id); err != nil {
		return err
	}
	t.wrote = true
	if !strings.HasPrefix(action, "ring.") { // each ring has an id of its own
		if joined, err := t.joinAudit(s, action, target, detail); joined || err != nil {
			return err
		}
	}
	t.audits[s.id]++
	t.rows.audits.add(uuid(s.id), t.audits[s.id], micros(s.s.now()), s.who.Kind, uuid(s.who.ID), s.who.Name, action, target, detail,
		s.who.IP, s.who.RequestID)
	return nil
}

// How long equal changes are joined to the first of them, and among how many of the newest rows.
const (
	joinFor  = 10 * time.Minute
	joinSpan = 200
)

// joinAudit adds a change to the row of an equal one, and reports whether there is one: the newest
// row about the target, of the same actor and address, with the same action and detail.
func (t *tx) joinAudit(s *scope, action, target, detail string) (bool, error) {
	if err := t.flush(); err != nil { // row does not see collected rows
		return false, err
	}
	if err := t.counter(s.id); err != nil { // flush forgets it
		return false, err
	}
	now := s.s.now()
	var seq int64
	err := t.row("SELECT CASE WHEN action = ? AND detail = ? AND actor_kind = ? AND actor_id = ? AND ip = ? AND at > ? THEN seq ELSE 0 END"+
		" FROM audits WHERE tenant_id = ? AND seq > ? AND target = ? ORDER BY seq DESC LIMIT 1",
		[]any{action, detail, s.who.Kind, uuid(s.who.ID), s.who.IP, micros(now.Add(-joinFor)), uuid(s.id), t.audits[s.id] - joinSpan,
			target}, &seq)
	if errors.Is(err, sql.ErrNoRows) || err == nil && seq == 0 {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	_, err = t.exec("UPDATE audits SET times = times + 1, last_at = ? WHERE tenant_id = ? AND seq = ?", micros(now), uuid(s.id), seq)
	return true, err
}

// Audits are the tenant's record of changes. Each change writes its row by itself.
type Audits struct{ *scope }

// Audits returns the tenant's Audits.
func (s *Scope) Audits() Audits { return Audits{&s.scope} }

// Add records an action that changes no row of its own, such as a sign-in.
func (s Audits) Add(ctx context.Context, action, target, detail string) error {
	return s.write(ctx, func(t *tx) error { return t.audit(s.scope, action, target, detail) })
}

// AuditQuery asks for a page of the record of changes.
type AuditQuery struct {
	Search   string // actor's name or id, target, detail
	Action   string // exact, or a noun with its dot: "device."
	From, To time.Time
	After    string
	Limit    int
}

type auditRow struct {
	TenantID  uuid
	Seq       int64
	At        int64
	ActorKind string
	ActorID   uuid
	ActorName string
	Action    string
	Target    string
	Detail    string
	IP        string
	RequestID string
	Times     int64
	LastAt    int64
}

func (r auditRow) noun() tenants.Audit {
	return tenants.Audit{
		Seq: r.Seq, At: moment(r.At), Actor: tenants.Actor{Kind: tenants.ActorKind(r.ActorKind), ID: string(r.ActorID), Name: r.ActorName},
		Action: r.Action, Target: r.Target, Detail: r.Detail, IP: r.IP, RequestID: r.RequestID,
		Times: r.Times, LastAt: moment(r.LastAt),
	}
}

// List lists changes, newest first. A search, a span of time and the changes of rings are looked
// for among the newest auditSpan entries behind the cursor: a page may have fewer rows than it
// could, or none, and still lead to a next one.
func (s Audits) List(ctx context.Context, q AuditQuery) ([]tenants.Audit, string, error) {
	db := s.read(ctx, "audits")
	if q.Search != "" {
		p := like("%", q.Search, "%")
		has := s.s.db.dialect.likes
		found := db.Session(&gorm.Session{NewDB: true}).Where("("+has("actor_name")+" OR "+has("target")+" OR "+has("detail")+")", p, p, p)
		if actor, ok := tenants.ParseID[uuid](q.Search); ok {
			found = found.Or("actor_id = ?", actor)
		}
		db = db.Where(found)
	}
	if strings.HasSuffix(q.Action, ".") {
		db = db.Where(`action LIKE ? ESCAPE '\'`, like("", q.Action, "%"))
		if s.s.db.dialect.rangesActions() { // "/" comes behind "."
			db = db.Where("action >= ? AND action < ?", q.Action, strings.TrimSuffix(q.Action, ".")+"/")
		}
	} else if q.Action != "" {
		db = db.Where("action = ?", q.Action)
	}
	if q.Action != "" && !strings.HasPrefix(q.Action, "ring.") {
		db = db.Where("action <> 'ring.place'") // true of each; it is what audits_rare asks for
	}
	db = between(db, "at", q.From, q.To)
	if q.After != "" {
		c, err := parseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		db = db.Where("seq < ?", c.at)
	}
	bottom, more, err := s.part(ctx, q)
	if err != nil {
		return nil, "", err
	}
	if bottom > 0 {
		db = db.Where("seq >= ?", bottom)
	}
	var rows []auditRow
	n := limit(q.Limit)
	if err := db.Order("seq DESC").Limit(n + 1).Find(&rows).Error; err != nil {
		return nil, "", translate(err)
	}
	rows, next := cut(rows, n, func(r auditRow) cursor { return cursor{at: r.Seq} })
	if next == "" && more {
		next = cursor{at: bottom}.String()
	}
	return nouns(rows, auditRow.noun), next, nil
}

// Removed gives the names that devices, agents and credentials had when they were removed, by id.
func (s Audits) Removed(ctx context.Context, ids []string) (map[string]string, error) {
	names := map[string]string{}
	if len(ids) == 0 {
		return names, nil
	}
	var rows []auditRow
	err := s.read(ctx, "audits").Where("action IN ?", []string{"device.remove", "agent.remove", "credential.remove"}).
		Where("action <> 'ring.place' AND target IN ?", ids). // the first half is what audits_rare asks for
		Select("target, detail").Find(&rows).Error
	for _, r := range rows {
		names[r.Target] = r.Detail
	}
	return names, translate(err)
}

// auditSpan is how many entries one page looks through. No index finds a part of a word, and a text
// index would cost every ring.
const auditSpan = 12_000

// part is the lowest seq that a page looks at, and whether there is more to look through below it.
// Where an index leads to the rows it looks at all: 0.
func (s *scope) part(ctx context.Context, q AuditQuery) (bottom int64, more bool, err error) {
	few := q.Action != "" && !strings.HasPrefix(q.Action, "ring.")
	if few || q.Search == "" && q.Action == "" && q.From.IsZero() && q.To.IsZero() {
		return 0, false, nil
	}
	top, err := one(s.reads().query(ctx, "SELECT COALESCE(MAX(seq), 0) + 1 FROM audits WHERE tenant_id = ?", uuid(s.id)))
	if err != nil {
		return 0, false, err
	}
	if q.After != "" {
		c, err := parseCursor(q.After)
		if err != nil {
			return 0, false, err
		}
		top = min(top, c.at)
	}
	bottom = top - auditSpan
	if bottom <= 1 {
		return 0, false, nil
	}
	at, err := one(s.reads().query(ctx, "SELECT at FROM audits WHERE tenant_id = ? AND seq = ?", uuid(s.id), bottom))
	return bottom, at >= micros(q.From.Add(-clocksDiffer)), err
}

// clocksDiffer is how far the clocks of nodes may be apart: seqs follow the times of entries no
// closer than that.
const clocksDiffer = time.Minute

// between narrows to [from, to); a zero end is open.
func between(db *gorm.DB, column string, from, to time.Time) *gorm.DB {
	if !from.IsZero() {
		db = db.Where(column+" >= ?", micros(from))
	}
	if !to.IsZero() {
		db = db.Where(column+" < ?", micros(to))
	}
	return db
}

// changes collects the names of changed fields, for the detail of an audit row.
type changes []string

func (c *changes) add(name string, changed bool) {
	if changed {
		*c = append(*c, name)
	}
}

func (c changes) String() string { return strings.Join(c, ", ") }
