package store

import (
	"cmp"
	"context"
	"slices"

	"gorm.io/gorm"

	"carillon/tenants"
)

// List lists rings with attempts, facts and calls. They can be sorted by "created". Where no index
// leads to them, and where a search has very many hits, it looks through bounds.look rings at a
// time: a page may have fewer rows than it could, or none, and still lead to a next one.
func (s Rings) List(ctx context.Context, q RingQuery) (rings []*tenants.Ring, next string, err error) {
	p := Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit}
	r, err := ringOrders.reading(p)
	if err != nil {
		return nil, "", err
	}
	q.oldest = r.up
	var fresh, rows []ringRow
	if walks := q.Device != "" && q.Search == ""; walks && s.s.db.dialect.isFile() {
		// First, for they may be filed meanwhile. Together nothing could walk along them in order.
		q.rung = rungNew
		if fresh, _, err = s.rows(ctx, q, p, r); err != nil {
			return nil, "", err
		}
		q.rung = rungFiled
	}
	rows, beyond, err := s.rows(ctx, q, p, r)
	if err != nil {
		return nil, "", err
	}
	if len(fresh) > 0 {
		rows = merged(fresh, rows, r.up)
	}
	rows, next = r.cut(rows[:min(len(rows), limit(p.Limit)+1)], limit(p.Limit))
	if next == "" {
		next = beyond
	}
	rings = nouns(rows, ringRow.noun)
	if err := s.fill(ctx, s.reads(), rings); err != nil {
		return nil, "", translate(err)
	}
	return rings, next, nil
}

// merged are rows of two statements in the order of both, each ring once.
func merged(a, b []ringRow, up bool) []ringRow {
	all := append(a, b...)
	slices.SortFunc(all, func(a, b ringRow) int {
		if !up {
			a, b = b, a
		}
		return cmp.Compare(a.ID, b.ID)
	})
	return slices.CompactFunc(all, func(a, b ringRow) bool { return a.ID == b.ID })
}

// rows reads a page of rings and one more. beyond leads on where the bound of what is looked
// through ended the page.
func (s Rings) rows(ctx context.Context, q RingQuery, p Page, r reading[ringRow]) (rows []ringRow, beyond string, err error) {
	db, how, err := s.narrow(ctx, s.read(ctx, "rings").Select(ringColumns), q)
	if err != nil {
		return nil, "", err
	}
	switch {
	case how.collected:
		db = db.Order(s.s.db.dialect.collected("id", r.up))
	case how.walked:
		// The device's index begins there; by the ids of the rings alone it is read from its end.
		if db, err = r.behind(placedIn(db, "rung", q), p, "rung"); err != nil {
			return nil, "", err
		}
		way := " DESC"
		if r.up {
			way = ""
		}
		db = db.Order("rung" + way)
	}
	var bound lookedAt
	switch {
	case how.hits.few():
		if db, bound, err = how.hits.page(ctx, s, db, pageOf{q, p, r}); err != nil {
			return nil, "", err
		}
	case how.hits.many() || q.looks():
		if bound, err = s.looked(ctx, q, p, r); err != nil {
			return nil, "", err
		}
		db = bound.narrow(db, r)
	}
	rows, err = r.rows(db, p)
	return rows, bound.next, err
}

// Total counts the rings that List finds. Where no index leads to them it counts among the newest
// totalMost rings only, and where looking at each would cost more than the page it does not count:
// 0, and more.
func (s Rings) Total(ctx context.Context, q RingQuery) (Total, error) {
	only := RingQuery{Device: q.Device, Search: q.Search, From: q.From, To: q.To}
	if q.Device != "" && q.Search == "" && q.At(Page{}) == only {
		rung, args := s.rungOnce(q)
		return totalOf(placedIn(s.reads().gorm(ctx).Table(rung, args...), "rung", q))
	}
	db, how, err := s.narrow(ctx, s.read(ctx, "rings"), q)
	switch {
	case err != nil:
		return Total{}, err
	case how.hits.all:
		return how.hits.counted(ctx, s, q)
	case how.hits.few():
		return how.hits.total(ctx, s, db)
	case !how.scanned:
		return totalOf(db)
	case how.hits.many() || q.Device != "":
		return Total{More: true}, nil
	}
	const asked = "tenant_id, id, state, to_person, agent_id, by_kind, by_id, created_at, ended_at"
	newest := placedIn(s.read(ctx, "rings").Select(asked), "id", q).
		Order("id DESC").Limit(totalMost + 1)
	looked, err := totalOf(newest.Session(&gorm.Session{}))
	if err != nil {
		return Total{}, err
	}
	if db, _, err = s.narrow(ctx, s.reads().gorm(ctx).Table("(?) AS rings", newest), q); err != nil {
		return Total{}, err
	}
	t, err := totalOf(db)
	return Total{t.N, looked.More}, err
}

// found is how a query finds its rings.
type found struct {
	collected bool // by another index than the list's order: few rows, to be collected and sorted
	walked    bool // along the rings of a device, in the order of their ids, which "rung" has
	scanned   bool // by looking through the rings
	hits      hits // by these
}

// narrow leaves the rings that q asks for.
func (s Rings) narrow(ctx context.Context, db *gorm.DB, q RingQuery) (_ *gorm.DB, how found, err error) {
	for _, c := range []struct{ column, want string }{{"state", string(q.State)}, {"to_person", q.Person}} {
		if c.want != "" {
			db = db.Where(c.column+" = ?", c.want)
		}
	}
	how.scanned = q.Person != "" || q.Agent != "" || q.State != ""
	if q.Agent != "" {
		db = db.Where("agent_id = ?", uuid(q.Agent))
	}
	if q.State.Terminal() && q.State != "" {
		db = db.Where("ended_at > 0") // true of each; it is what rings_ended asks for
		how.scanned = q.Person != "" || q.Agent != ""
	}
	if q.Cut.By != "" {
		where, args, err := s.cutting(q.Cut)
		if err != nil {
			return nil, how, err
		}
		db, how.scanned = db.Where(where, args...), true
	}
	if q.Clock != nil {
		where, args := q.clocked(s.s.now())
		db, how.scanned = db.Where(where, args...), true
	}
	if q.Device != "" {
		often, err := s.often(ctx, q.Device)
		if err != nil {
			return nil, how, err
		}
		how.scanned = often
		switch {
		case q.Search == "":
			rung, args := s.rungBy(q)
			how.walked, db = true, db.Table(rung+" CROSS JOIN rings", args...).Where("rings.id = rung")
		case often:
			db = db.Where("EXISTS (SELECT 1 FROM attempts WHERE tenant_id = ? AND device_id = ? AND ring_id = rings.id)",
				uuid(s.id), uuid(q.Device))
		default:
			db = db.Where("id IN (SELECT ring_id FROM "+s.s.db.dialect.rung()+" WHERE tenant_id = ? AND device_id = ?)", uuid(s.id),
				uuid(q.Device))
			how.collected = true
		}
	}
	if q.live() {
		how.collected, how.scanned = true, false
		db, err = s.alive(ctx, db, q)
		return placedIn(db, "id", q), how, err
	}
	if how.hits, err = s.hits(ctx, q); err != nil {
		return nil, how, err
	}
	if how.hits.many() {
		db = how.hits.look(db)
	}
	how.collected, how.scanned = how.collected || how.hits.few(), how.scanned || how.hits.many()
	return placedIn(db, "id", q), how, nil
}

// placedIn leaves the rings of the span of time that q asks for; column has their ids.
func placedIn(db *gorm.DB, column string, q RingQuery) *gorm.DB {
	if !q.From.IsZero() {
		db = db.Where(column+" >= ?", uuid(tenants.FirstID[tenants.RingID](q.From)))
	}
	if !q.To.IsZero() {
		db = db.Where(column+" < ?", uuid(tenants.FirstID[tenants.RingID](q.To)))
	}
	return db
}

// Live are the tenant's rings that have not ended and ring, or have as their call, the device.
func (s Rings) Live(ctx context.Context, d tenants.DeviceID) ([]tenants.RingID, error) {
	rows, err := s.reads().query(ctx, "SELECT r.id FROM "+s.s.db.dialect.rung()+" a JOIN rings r ON r.tenant_id = a.tenant_id AND "+
		"r.id = a.ring_id WHERE a.tenant_id = ? AND a.device_id = ? AND r.ended_at = 0", uuid(s.id), uuid(d))
	found, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	return found, translate(err)
}
