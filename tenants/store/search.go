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

// pushed are the rings of the push with this apns-id, found by the time in it. It is empty where
// text is no id.
func (s Rings) pushed(text string) (query string, args []any, err error) {
	if !tenants.ValidID(text) {
		return "", nil, nil
	}
	all, err := s.s.pushIDs()
	if err != nil {
		return "", nil, err
	}
	var spans []string
	args = []any{uuid(s.id), uuid(text)}
	for _, ids := range all {
		at := ids.Placed(text)
		spans = append(spans, "ring_id BETWEEN ? AND ?")
		args = append(args, uuid(tenants.FirstID[tenants.RingID](at)), uuid(tenants.FirstID[tenants.RingID](at.Add(2*time.Millisecond))))
	}
	return "SELECT ring_id FROM attempts WHERE tenant_id = ? AND apns_id = ? AND (" + strings.Join(spans, " OR ") + ")", args, nil
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
	pushed, push, err := s.pushed(text)
	if err != nil {
		return nil, false, err
	}
	if pushed != "" {
		ways = append(ways, way{pushed, push})
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
	if pushed != "" {
		found = found.Or("id IN ("+pushed+")", push...)
	}
	return db.Where(found), false, nil
}
