package store

import (
	"context"
	"strings"
	"time"

	"carillon/tenants"
)

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
