package store

import (
	"context"
	"strings"

	"gorm.io/gorm"
)

// searchMost is how many hits are collected by index and sorted. With more of them, looking through
// the rings from the newest finds a page of hits sooner.
const searchMost = 5000

// search narrows rings to those whose id, reference, person or caller begins with text, or that
// rang a device with text in its name. text is in lower case. few says that an index leads to the
// hits.
func (s Rings) search(ctx context.Context, db *gorm.DB, text string) (_ *gorm.DB, few bool, err error) {
	tenant := uuid(s.id)
	starts, named := s.s.db.dialect.startsWith(text), s.s.db.dialect.contains(text)
	// The ways to a ring, each by an index.
	type way struct {
		query string
		args  []any
	}
	var ways []way
	for _, column := range []string{"reference", "to_person", "caller"} {
		begins, args := starts.ranges(column)
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND " + column + " <> '' AND " + begins,
			append([]any{tenant}, args...)})
	}
	ways = append(ways, way{"SELECT ring_id FROM attempts WHERE tenant_id = ? AND device_id IN " +
		"(SELECT id FROM devices WHERE tenant_id = ? AND " + named.in("name") + ")", []any{tenant, tenant, named.arg()}})
	low, high, id := beginning(text)
	if id {
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND id BETWEEN ? AND ?", []any{tenant, low, high}})
	}
	var parts []string
	var args []any
	for _, w := range ways {
		parts, args = append(parts, w.query), append(args, w.args...)
	}
	all := strings.Join(parts, " UNION ALL ")
	rows, err := s.reads().query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM ("+all+") hits LIMIT ?) few",
		append(args[:len(args):len(args)], searchMost)...)
	n, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	if err != nil {
		return nil, false, translate(err)
	}
	if n[0] < searchMost {
		return db.Where("id IN ("+all+")", args...), true, nil
	}
	begin, matched := starts.inAny("reference", "to_person", "caller")
	found := db.Session(&gorm.Session{NewDB: true}).Where("("+begin+` OR EXISTS (SELECT 1 FROM attempts a`+
		` JOIN devices d ON d.tenant_id = a.tenant_id AND d.id = a.device_id`+
		` WHERE a.tenant_id = ? AND a.ring_id = rings.id AND `+named.in("d.name")+`))`, append(matched, tenant, named.arg())...)
	if id {
		found = found.Or("id BETWEEN ? AND ?", low, high)
	}
	return db.Where(found), false, nil
}
