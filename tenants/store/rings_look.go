package store

import (
	"context"
	"strconv"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// lookMost is how many rings are looked at for a page of those with a property that no index knows.
const lookMost = 20_000

// looks reports whether no index leads to the rings.
func (q RingQuery) looks() bool {
	live := q.State != "" && !q.State.Terminal()
	return (q.Cut.By != "" || q.Clock != nil || q.Agent != "" || live) && q.Device == "" && q.Search == "" && q.Person == ""
}

// lookedAt is where looking ends: at the ring with the id last. next is the cursor of the rest.
type lookedAt struct {
	last uuid
	next string
}

// looked finds the last of the next lookMost rings, by the key alone.
func (s Rings) looked(ctx context.Context, q RingQuery, p Page, r reading[ringRow]) (lookedAt, error) {
	db, err := r.from(placedIn(s.read(ctx, "rings").Select("id"), "id", q), p)
	if err != nil {
		return lookedAt{}, err
	}
	return lookedUpTo(db, r, lookMost)
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
