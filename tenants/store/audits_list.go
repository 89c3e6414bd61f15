package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// AuditQuery asks for a page of the record of changes.
type AuditQuery struct {
	Search   string            // words of the actor, the target or the detail; an id; an address
	Action   string            // exact, or a noun with its dot: "device."
	Kind     tenants.ActorKind // who: a kind of actor; empty = all
	Refused  bool              // only what was refused
	Folded   bool              // without the changes of rings
	From, To time.Time
	Sort     Sort // "created"
	After    string
	Upto     string
	Limit    int
}

// At is the query for a page.
func (q AuditQuery) At(p Page) AuditQuery {
	q.Search, q.Sort, q.After, q.Upto, q.Limit = p.Search, p.Sort, p.After, p.Upto, p.Limit
	return q
}

func (q AuditQuery) page() Page {
	return Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit}
}

var auditOrders = orders[auditRow]{"created", map[Sort]order[auditRow]{
	"created": by("seq", func(r auditRow) []any { return []any{r.Seq} }),
}}

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

	TargetName string
	Changes    string
	Result     string

	Salts, Erased, Hash []byte
}

// auditColumns are those of fields.
const auditColumns = "seq, at, actor_kind, actor_id, actor_name, action, target, detail, ip, request_id, times, last_at, target_name, " +
	"changes, result, salts, erased, hash"

func (r *auditRow) fields() []any {
	return []any{&r.Seq, &r.At, &r.ActorKind, &r.ActorID, &r.ActorName, &r.Action, &r.Target, &r.Detail, &r.IP, &r.RequestID, &r.Times,
		&r.LastAt, &r.TargetName, &r.Changes, &r.Result, &r.Salts, &r.Erased, &r.Hash}
}

func (r auditRow) noun() tenants.Audit {
	a := tenants.Audit{
		Seq: r.Seq, At: moment(r.At), Actor: tenants.Actor{Kind: tenants.ActorKind(r.ActorKind), ID: string(r.ActorID), Name: r.ActorName},
		Action: r.Action, Target: r.Target, Detail: r.Detail, IP: r.IP, RequestID: r.RequestID,
		Times: r.Times, LastAt: moment(r.LastAt), TargetName: r.TargetName, Changes: readChanges(r.Changes),
		Refused: r.Result == tenants.AuditRefused,
	}
	r.proofs(&a)
	return a
}

// List lists changes; they can be sorted by "created". A search, a span of time and the changes of
// rings are looked for among the next auditSpan entries: a page may have fewer rows than it could,
// or none, and still lead to a next one.
func (s Audits) List(ctx context.Context, q AuditQuery) ([]tenants.Audit, string, error) {
	r, err := auditOrders.reading(q.page())
	if err != nil {
		return nil, "", err
	}
	db := s.narrowed(ctx, q)
	bound, err := s.part(ctx, q, r)
	if err != nil {
		return nil, "", err
	}
	if bound.low > 0 {
		db = db.Where("seq >= ?", bound.low)
	}
	if bound.high > 0 {
		db = db.Where("seq <= ?", bound.high)
	}
	rows, next, err := list(db, q.page(), auditOrders)
	if err == nil && next == "" && bound.more {
		next = r.cursor([]any{bound.next})
	}
	return nouns(rows, auditRow.noun), next, err
}

func (s Audits) narrowed(ctx context.Context, q AuditQuery) *gorm.DB {
	db := s.read(ctx, "audits")
	if index := q.index(); index != "" {
		db = db.Table("audits" + s.s.db.dialect.by(index))
	}
	if q.Search != "" {
		named, args := s.s.db.dialect.alike(q.Search, "actor_name", "target", "target_name", "detail")
		found := db.Session(&gorm.Session{NewDB: true}).Where("("+named+")", args...).
			Or("request_id = ?", q.Search).Or("ip = ?", q.Search)
		if actor, ok := tenants.ParseID[uuid](q.Search); ok {
			found = found.Or("actor_id = ?", actor)
		}
		db = db.Where(found)
	}
	if q.Kind != "" {
		db = db.Where("actor_kind = ?", string(q.Kind))
	}
	if q.Refused {
		db = db.Where("result = 'refused'") // as audits_refused has it
	}
	if q.Folded {
		db = db.Where(withoutRings)
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
	return between(db, "at", q.From, q.To)
}

// Total counts the changes that List finds. Of those that List looks for part by part nobody knows
// how many there are: 0, and more.
func (s Audits) Total(ctx context.Context, q AuditQuery) (Total, error) {
	if q.inParts() {
		return Total{More: true}, nil
	}
	if q.Action != "" || q.Folded || q.Refused {
		return totalOf(s.narrowed(ctx, q))
	}
	n, err := s.lastSeq(ctx)
	if err != nil {
		return Total{}, err
	}
	gone, err := s.anchor(ctx) // rows are removed up to the anchor, and no others
	return Total{N: n - gone.Seq}, err
}

func (s *scope) lastSeq(ctx context.Context) (int64, error) {
	return one(s.reads().query(ctx, "SELECT COALESCE(MAX(seq), 0) FROM audits WHERE tenant_id = ?", uuid(s.id)))
}

// Removed gives the names that devices, agents, credentials, keys and people had when they were
// removed, by id.
func (s Audits) Removed(ctx context.Context, ids []string) (map[string]string, error) {
	names := map[string]string{}
	if len(ids) == 0 {
		return names, nil
	}
	var rows []auditRow
	err := s.read(ctx, "audits").Table("audits"+s.s.db.dialect.by("audits_rare")).Where("action IN ?", removals).
		Where("action <> 'ring.place' AND target IN ?", ids). // the first half is what audits_rare asks for
		Select("target, detail").Find(&rows).Error
	for _, r := range rows {
		if !tenants.Role(r.Detail).Known() { // an old entry about a person has only the role
			names[r.Target] = r.Detail
		}
	}
	return names, translate(err)
}

// withoutRings leaves out the changes of rings, in the words of the index audits_changes.
const withoutRings = "substr(action, 1, 5) <> 'ring.'"

// auditSpan is how many entries one page looks through. No index finds a part of a word, and a text
// index would cost every ring.
const auditSpan = 12_000

// index leads to the entries that q asks for; empty is the order of the log itself.
func (q AuditQuery) index() string {
	switch {
	case q.Refused:
		return "audits_refused"
	case q.Action != "" && !strings.HasPrefix(q.Action, "ring."):
		return "audits_rare"
	case q.Folded && q.Action == "":
		return "audits_changes"
	}
	return ""
}

// inParts reports that no index leads to the entries: none does to what is searched for, and there
// may be a million entries of one kind.
func (q AuditQuery) inParts() bool {
	narrowed := q.Search != "" || q.Kind != "" || q.Action != "" || !q.From.IsZero() || !q.To.IsZero()
	return narrowed && (q.Search != "" || !q.Refused && q.index() != "audits_rare")
}

// auditPart is the entries that a page looks through: from the seq low to high, where 0 is open.
// more says that there is more to look through behind them, and next is the seq in the cursor that
// leads there.
type auditPart struct {
	low, high int64
	more      bool
	next      int64
}

func (s *scope) part(ctx context.Context, q AuditQuery, r reading[auditRow]) (auditPart, error) {
	if !q.inParts() {
		return auditPart{}, nil
	}
	last, err := s.lastSeq(ctx)
	if err != nil {
		return auditPart{}, err
	}
	gone, err := s.anchor(ctx) // rows are removed up to the anchor, and no others
	if err != nil {
		return auditPart{}, err
	}
	first := gone.Seq + 1
	from, err := s.partFrom(ctx, q, r, first, last)
	if err != nil {
		return auditPart{}, err
	}
	if r.up {
		p := auditPart{low: from, high: from + auditSpan - 1}
		if p.high >= last {
			p.high = 0
			return p, nil
		}
		at, err := s.auditAt(ctx, p.high)
		p.more = q.To.IsZero() || at <= micros(q.To.Add(clocksDiffer))
		p.next = p.high
		if r.back { // the cursor's own row is on the next page
			p.next++
		}
		return p, err
	}
	p := auditPart{low: from - auditSpan + 1, high: from}
	if p.low <= first {
		p.low = 0
		return p, nil
	}
	at, err := s.auditAt(ctx, p.low)
	p.more = at >= micros(q.From.Add(-clocksDiffer))
	p.next = p.low
	if r.back {
		p.next--
	}
	return p, err
}

// partFrom is the first seq that a page looks at. The rows that are there have the seqs first to
// last.
func (s *scope) partFrom(ctx context.Context, q AuditQuery, r reading[auditRow], first, last int64) (int64, error) {
	switch at := q.After + q.Upto; {
	case at != "":
		values, err := r.parse(at)
		if err != nil {
			return 0, err
		}
		seq := values[0].(int64)
		if !r.back && r.up {
			seq++
		} else if !r.back {
			seq--
		}
		return max(first-1, min(seq, last)), nil
	case !r.up:
		return last, nil
	case q.From.IsZero():
		return first, nil
	}
	return s.firstFrom(ctx, first, last, q.From.Add(-clocksDiffer))
}

func (s *scope) auditAt(ctx context.Context, seq int64) (int64, error) {
	return one(s.reads().query(ctx, "SELECT at FROM audits WHERE tenant_id = ? AND seq = ?", uuid(s.id), seq))
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
