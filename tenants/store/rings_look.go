package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// bounds are how many rings a page costs at most. Tests set small ones.
type bounds struct {
	look int // rings that are looked at for a page of those with a property that no index knows
	// hits is how many hits of a search are found by index and sorted, by their ids alone. With
	// more of them, looking through the rings from the newest finds a page of hits sooner.
	hits int
	// ofHits is how many hits are looked at for a page of those that are something else too, such
	// as missed.
	ofHits int
}

var usualBounds = bounds{look: 20_000, hits: 20_000, ofHits: 2000}

// looks reports whether no index leads to the rings.
func (q RingQuery) looks() bool {
	return (q.Cut.By != "" || q.Clock != nil || q.Agent != "") && q.Device == "" && q.Search == "" && q.Person == "" && !q.live()
}

// live reports whether the rings are among those that have not ended. They are few, and found by
// the moment at which the sweep looks at each, which a ring that has ended has not.
func (q RingQuery) live() bool {
	return q.State != "" && !q.State.Terminal() && (q.Device == "" || q.Search != "")
}

// alive leaves the rings that have not ended, and of them what q searches for.
func (s Rings) alive(ctx context.Context, db *gorm.DB, q RingQuery) (*gorm.DB, error) {
	if s.s.db.dialect.isFile() {
		db = db.Where("id IN (SELECT id FROM rings"+s.s.db.dialect.by("rings_due")+" WHERE tenant_id = ? AND due_at IS NOT NULL)",
			uuid(s.id))
	} else { // PostgreSQL may read all rings of the tenant for an IN
		db = db.Where("rings.due_at IS NOT NULL")
	}
	h, err := s.ways(ctx, q)
	if h.look != nil {
		db = h.look(db)
	}
	return db, err
}

// lookedAt is where looking ends: at the ring with the id last. next is the cursor of the rest.
type lookedAt struct {
	last uuid
	next string
}

// looked finds the last of the next bounds.look rings, by the key alone.
func (s Rings) looked(ctx context.Context, q RingQuery, p Page, r reading[ringRow]) (lookedAt, error) {
	db, err := r.from(placedIn(s.read(ctx, "rings").Select("id"), "id", q), p)
	if err != nil {
		return lookedAt{}, err
	}
	return lookedUpTo(db, r, s.s.bounds.look)
}

// lookedUpTo finds the last of the next most rows of db, which have ids.
func lookedUpTo(db *gorm.DB, r reading[ringRow], most int) (lookedAt, error) {
	var rows []ringRow
	if err := db.Offset(most - 1).Limit(2).Find(&rows).Error; err != nil {
		return lookedAt{}, translate(err)
	}
	if len(rows) < 2 {
		return lookedAt{}, nil
	}
	at := rows[0]
	if r.back { // a page up to a cursor holds its row
		at = rows[1]
	}
	return lookedAt{rows[0].ID, r.cursor(r.key(at))}, nil
}

// narrow leaves the rings that are looked at.
func (l lookedAt) narrow(db *gorm.DB, r reading[ringRow]) *gorm.DB {
	switch {
	case l.last == "":
		return db
	case r.up:
		return db.Where("id <= ?", l.last)
	}
	return db.Where("id >= ?", l.last)
}

// cutting is the condition of a cut.
func (s Rings) cutting(c tenants.Cut) (where string, args []any, err error) {
	switch c.By {
	case tenants.SplitAppVersion, tenants.SplitOSVersion, tenants.SplitEnvironment:
		return "EXISTS (SELECT 1 FROM attempts c WHERE c.tenant_id = ? AND c.ring_id = rings.id AND c." + string(c.By) + " = ?)",
			[]any{uuid(s.id), c.Value}, nil
	case tenants.SplitAgent:
		if c.Value == "" {
			return "agent_id = ?", []any{uuid("")}, nil
		}
		return "agent_id = ?", []any{known(c.Value)}, nil
	case tenants.SplitKey:
		if c.Value == "" {
			return "(by_kind <> 'key' OR by_id = ?)", []any{uuid("")}, nil
		}
		return "by_kind = 'key' AND by_id = ?", []any{known(c.Value)}, nil
	}
	return "", nil, tenants.Refuse(tenants.Invalid, "invalid", "Rings are not counted by %q.", c.By)
}

// clocked is the condition of a time of the week. The clocks of the zone are ahead of UTC by an
// offset that changes; rings of the hour that comes twice are in both.
func (q RingQuery) clocked(now time.Time) (where string, args []any) {
	from := q.From
	if from.IsZero() {
		from = now.Add(-RingsKept)
	}
	var spans []string
	for _, part := range offsets(from, q.To, now, q.Clock.Zone) {
		local := "(created_at + " + strconv.FormatInt(part.offset.Microseconds(), 10) + ")"
		one := "created_at >= ? AND created_at < ?"
		args = append(args, micros(part.from), until(part.to))
		if q.Clock.Hour >= 0 {
			one += " AND " + local + " / 3600000000 % 24 = ?"
			args = append(args, q.Clock.Hour)
		}
		if q.Clock.Weekday >= 0 { // 1 January 1970 was a Thursday
			one += " AND (" + local + " / 86400000000 + 4) % 7 = ?"
			args = append(args, q.Clock.Weekday)
		}
		spans = append(spans, "("+one+")")
	}
	return "(" + strings.Join(spans, " OR ") + ")", args
}
