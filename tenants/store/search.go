package store

import (
	"context"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// searchMost is how many hits are collected by index and sorted. With more of them, looking through
// the rings from the newest finds a page of hits sooner.
const searchMost = 5000

// pushesLooked is how many of the newest attempts are looked through for an apns-id that was random
// in all its parts, as all were once. No index has them: it would slow every ring down.
const pushesLooked = 20_000

// pushed are the rings of the push with this apns-id, found by the time in it, or else among the
// newest pushesLooked attempts.
func (s Rings) pushed(ctx context.Context, text string) ([]tenants.RingID, error) {
	if !tenants.ValidID(text) || text[14] != '4' { // the ids of rings are of version 7
		return nil, nil
	}
	all, err := s.s.pushIDs()
	if err != nil {
		return nil, err
	}
	var spans []string
	args := []any{uuid(s.id), uuid(text)}
	for _, ids := range all {
		at := ids.Placed(text)
		spans = append(spans, "ring_id BETWEEN ? AND ?")
		args = append(args, uuid(tenants.FirstID[tenants.RingID](at)), uuid(tenants.FirstID[tenants.RingID](at.Add(2*time.Millisecond))))
	}
	found, err := s.ringsOf(ctx, "SELECT ring_id FROM attempts WHERE tenant_id = ? AND apns_id = ? AND ("+strings.Join(spans, " OR ")+")",
		args...)
	if err != nil || len(found) > 0 {
		return found, err
	}
	return s.ringsOf(ctx, "SELECT ring_id FROM (SELECT ring_id, apns_id FROM attempts WHERE tenant_id = ? "+
		"ORDER BY ring_id DESC, id DESC LIMIT ?) AS newest WHERE apns_id = ?", uuid(s.id), pushesLooked, uuid(text))
}

// ringsOf are the ids of rings that a statement finds.
func (s Rings) ringsOf(ctx context.Context, query string, args ...any) ([]tenants.RingID, error) {
	rows, err := s.reads().query(ctx, query, args...)
	found, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	return found, translate(err)
}

// PushIDs makes the apns-ids of pushes. All nodes make the same.
func (s *Store) PushIDs() (tenants.PushIDs, error) {
	all, err := s.pushIDs()
	if err != nil {
		return tenants.PushIDs{}, err
	}
	return all[0], nil
}

// pushIDs has one for each master key that ever was, the current key's first.
func (s *core) pushIDs() (all []tenants.PushIDs, err error) {
	keys := [][]byte{nil} // without secrets there is no key
	if s.seal != nil {
		if keys, err = s.seal.Marks("apns-id", "", s.removed...); err != nil {
			return nil, err
		}
	}
	for _, key := range keys {
		ids, err := tenants.NewPushIDs(key)
		if err != nil {
			return nil, err
		}
		all = append(all, ids)
	}
	return all, nil
}

// search narrows rings to those whose id, reference, person or caller begins with text, or the
// apns-id of one of their pushes, or that rang a device with text in its name. text is in lower
// case. few says that an index leads to the hits.
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
	ways = append(ways, way{"SELECT ring_id FROM " + s.s.db.dialect.rung() + " WHERE tenant_id = ? AND device_id IN " +
		"(SELECT id FROM devices WHERE tenant_id = ? AND " + named.in("name") + ")", []any{tenant, tenant, named.arg()}})
	low, high, id := beginning(text)
	if id {
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND id BETWEEN ? AND ?", []any{tenant, low, high}})
	}
	pushed, err := s.pushed(ctx, text)
	if err != nil {
		return nil, false, err
	}
	for _, ring := range pushed {
		ways = append(ways, way{"SELECT id FROM rings WHERE tenant_id = ? AND id = ?", []any{tenant, uuid(ring)}})
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
	for _, ring := range pushed {
		found = found.Or("id = ?", uuid(ring))
	}
	return db.Where(found), false, nil
}
