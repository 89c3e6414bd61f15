package store

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// hits are the rings that a search or a person leads to.
type hits struct {
	ways []way // empty = nobody searches
	n    int64 // how many they find together, each at most bounds.hits; a ring may be found twice
	most int64 // bounds.hits
	all  bool  // nothing else is asked of them
	look func(*gorm.DB) *gorm.DB
}

// few reports that an index leads to the hits.
func (h hits) few() bool { return len(h.ways) > 0 && h.n < h.most }

// many reports that the hits are found by looking through the rings.
func (h hits) many() bool { return len(h.ways) > 0 && h.n >= h.most }

// way is a statement of ids of hits, which finds them by an index.
type way struct {
	query string
	args  []any
	twice bool // may give an id twice
}

// hits finds what q searches for, and how much it is. Ways that find nothing are left out, but for
// the first.
func (s Rings) hits(ctx context.Context, q RingQuery) (hits, error) {
	if h, ok := s.s.found.last(s.id, q, s.s.now()); ok {
		return h, nil
	}
	h, err := s.ways(ctx, q)
	if err != nil || len(h.ways) == 0 {
		return h, err
	}
	h.most = int64(s.s.bounds.hits)
	var parts []string
	var args []any
	for i, w := range h.ways {
		parts = append(parts, "SELECT "+strconv.Itoa(i)+" AS way, COUNT(*) AS n FROM (SELECT 1 FROM ("+w.query+") hits LIMIT ?) few")
		args = append(append(args, w.args...), h.most)
	}
	type count struct{ way, n int64 }
	rows, err := s.reads().query(ctx, strings.Join(parts, " UNION ALL "), args...)
	counts, err := collect(rows, err, func(c *count) []any { return []any{&c.way, &c.n} })
	if err != nil {
		return h, translate(err)
	}
	var some []way
	for _, c := range counts {
		if c.n > 0 {
			some, h.n = append(some, h.ways[c.way]), h.n+c.n
		}
	}
	if len(some) == 0 {
		some = h.ways[:1]
	}
	h.ways = some
	if h.n >= manyHits {
		s.s.found.keep(s.id, q, s.s.now(), h)
	}
	return h, nil
}

// lastHits is what the last search found: the total behind a page asks again at once, and to count
// ten thousand hits takes as long as the page.
type lastHits struct {
	mu     sync.Mutex // guards the others
	tenant tenants.TenantID
	query  RingQuery
	at     time.Time
	hits   hits
}

// hitsFor is how long many hits stay counted: at least manyHits. Of few each new one is seen at
// once.
const (
	hitsFor  = time.Second
	manyHits = 1000
)

func (l *lastHits) last(t tenants.TenantID, q RingQuery, now time.Time) (hits, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	age := now.Sub(l.at)
	return l.hits, l.tenant == t && l.query == q.anyPage() && age >= 0 && age < hitsFor
}

func (l *lastHits) keep(t tenants.TenantID, q RingQuery, now time.Time, h hits) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.tenant, l.query, l.at, l.hits = t, q.anyPage(), now, h
}

// anyPage is the query without what says which of its rings make a page.
func (q RingQuery) anyPage() RingQuery {
	q.From, q.To, q.Sort, q.After, q.Upto, q.Limit, q.oldest, q.rung = time.Time{}, time.Time{}, "", "", "", 0, false, ""
	return q
}

// ways are those to what q searches for; without a search, to the rings of its person.
func (s Rings) ways(ctx context.Context, q RingQuery) (h hits, err error) {
	switch {
	case q.Search != "":
		if h.ways, h.look, err = s.search(ctx, strings.ToLower(q.Search)); err != nil {
			return h, err
		}
	case q.Person != "" && q.Device == "":
		h.ways = []way{{query: "SELECT id FROM rings WHERE tenant_id = ? AND to_person <> '' AND to_person = ? AND " +
			s.s.db.dialect.lower("to_person") + " = LOWER(?)", args: []any{uuid(s.id), q.Person, q.Person}}}
		h.look = func(db *gorm.DB) *gorm.DB { return db }
	default:
		return h, nil
	}
	h.all = q.State == "" && q.Agent == "" && q.Device == "" && q.Cut.By == "" && q.Clock == nil && (q.Search == "" || q.Person == "")
	return h, nil
}

// search are the ways to the rings whose id, reference, person or caller begins with text, or the
// apns-id of one of their pushes, or that rang a device with text in its name. text is in lower
// case. look leaves the same among rings that are looked through.
func (s Rings) search(ctx context.Context, text string) (ways []way, look func(*gorm.DB) *gorm.DB, err error) {
	tenant := uuid(s.id)
	starts, named := s.s.db.dialect.startsWith(text), s.s.db.dialect.contains(text)
	for _, column := range []string{"reference", "to_person", "caller"} {
		begins, args := starts.ranges(column)
		ways = append(ways, way{query: "SELECT id FROM rings WHERE tenant_id = ? AND " + column + " <> '' AND " + begins,
			args: append([]any{tenant}, args...)})
	}
	const devices = "SELECT id FROM devices WHERE tenant_id = ? AND "
	ways = append(ways, way{"SELECT ring_id AS id FROM " + s.s.db.dialect.rung() + " WHERE tenant_id = ? AND device_id IN " +
		"(" + devices + named.in("name") + ")", []any{tenant, tenant, named.arg()}, true})
	low, high, id := beginning(text)
	if id {
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND id BETWEEN ? AND ?", []any{tenant, low, high}, false})
	}
	pushed, err := s.pushed(ctx, text)
	if err != nil {
		return nil, nil, err
	}
	for _, ring := range pushed {
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND id = ?", []any{tenant, uuid(ring)}, false})
	}
	begin, matched := starts.inAny("reference", "to_person", "caller")
	return ways, func(db *gorm.DB) *gorm.DB {
		found := db.Session(&gorm.Session{NewDB: true}).Where("("+begin+" OR EXISTS (SELECT 1 FROM attempts a WHERE a.tenant_id = ? "+
			"AND a.ring_id = rings.id AND a.device_id IN ("+devices+named.in("name")+")))",
			append(matched, tenant, tenant, named.arg())...)
		if id {
			found = found.Or("id BETWEEN ? AND ?", low, high)
		}
		for _, ring := range pushed {
			found = found.Or("id = ?", uuid(ring))
		}
		return db.Where(found)
	}, nil
}

// pageOf is a page of rings that is being read.
type pageOf struct {
	RingQuery
	Page
	reading[ringRow]
}

// page leaves the rings of a page among few hits. Where they have to be something else besides it
// looks at bounds.ofHits of them, and bound says where that ended.
func (h hits) page(ctx context.Context, s Rings, db *gorm.DB, at pageOf) (*gorm.DB, lookedAt, error) {
	// Sorted by what no index gives: PostgreSQL would look for the newest hit along all rings.
	sorted := h.distinct(ctx, s).Order(s.s.db.dialect.collected("id", at.up))
	ids, err := at.from(placedIn(sorted, "id", at.RingQuery), at.Page)
	if err != nil {
		return nil, lookedAt{}, err
	}
	if h.all {
		return db.Where("id IN (?)", ids.Limit(limit(at.Page.Limit)+1)), lookedAt{}, nil
	}
	if h.n <= int64(s.s.bounds.ofHits) {
		return db.Where("id IN (?)", ids), lookedAt{}, nil
	}
	bound, err := lookedUpTo(ids.Session(&gorm.Session{}), at.reading, s.s.bounds.ofHits)
	return db.Where("id IN (?)", ids.Limit(s.s.bounds.ofHits)), bound, err
}

// distinct are the ids of few hits, each once.
func (h hits) distinct(ctx context.Context, s Rings) *gorm.DB {
	var parts []string
	var args []any
	for _, w := range h.ways {
		parts, args = append(parts, w.query), append(args, w.args...)
	}
	ids := strings.Join(parts, " UNION ALL ")
	if !h.once() {
		ids = "SELECT DISTINCT id FROM (" + ids + ") AS found"
	}
	return s.reads().gorm(ctx).Table("("+ids+") AS hits", args...).Select("id")
}

// once reports that no ring is found twice.
func (h hits) once() bool { return len(h.ways) == 1 && !h.ways[0].twice }

// counted counts hits of which nothing else is asked, few or many.
func (h hits) counted(ctx context.Context, s Rings, q RingQuery) (Total, error) {
	if h.once() && q.From.IsZero() && q.To.IsZero() {
		return Total{min(h.n, totalMost), h.n > totalMost}, nil
	}
	return totalOf(s.reads().gorm(ctx).Table("(?) AS rings", placedIn(h.distinct(ctx, s), "id", q)))
}

// total counts few hits, as far as that costs no more than a page of them.
func (h hits) total(ctx context.Context, s Rings, db *gorm.DB) (Total, error) {
	if h.n > int64(s.s.bounds.ofHits) {
		return Total{More: true}, nil
	}
	return totalOf(db.Where("id IN (?)", h.distinct(ctx, s)))
}
