package store

import (
	"context"
	"strings"
	"unicode"

	"gorm.io/gorm"
)

// searchMost is how many hits are collected by index and sorted. With more of them, looking through
// the rings from the newest finds a page of hits sooner.
const searchMost = 5000

// search narrows rings to those whose id, reference, person or caller begins with text, or that
// rang a device with text in its name. text is in lower case. few says that an index leads to the
// hits.
func (s *scope) search(ctx context.Context, db *gorm.DB, text string) (_ *gorm.DB, few bool, err error) {
	tenant := uuid(s.id)
	name := like("%", text, "%")
	// The ways to a ring, each by an index.
	type way struct {
		query string
		args  []any
	}
	ways := []way{
		{"SELECT id FROM rings WHERE tenant_id = ? AND reference <> '' AND " + s.begins("reference"), []any{tenant, text, beyond(text)}},
		{"SELECT id FROM rings WHERE tenant_id = ? AND to_person <> '' AND " + s.begins("to_person"), []any{tenant, text, beyond(text)}},
		{"SELECT id FROM rings WHERE tenant_id = ? AND caller <> '' AND " + s.begins("caller"), []any{tenant, text, beyond(text)}},
		{"SELECT ring_id FROM attempts WHERE tenant_id = ? AND device_id IN (SELECT id FROM devices WHERE tenant_id = ? AND LOWER(name) " +
			"LIKE " +
			"? ESCAPE '\\')",
			[]any{tenant, tenant, name}},
	}
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
	begin := like("", text, "%")
	found := db.Session(&gorm.Session{NewDB: true}).Where(`(LOWER(reference) LIKE ? ESCAPE '\' OR LOWER(to_person) LIKE ? ESCAPE '\'`+
		` OR LOWER(caller) LIKE ? ESCAPE '\' OR EXISTS (SELECT 1 FROM attempts a`+
		` JOIN devices d ON d.tenant_id = a.tenant_id AND d.id = a.device_id`+
		` WHERE a.tenant_id = ? AND a.ring_id = rings.id AND LOWER(d.name) LIKE ? ESCAPE '\'))`, begin, begin, begin, tenant, name)
	if id {
		found = found.Or("id BETWEEN ? AND ?", low, high)
	}
	return db.Where(found), false, nil
}

// begins is a range of a column in lower case, as its index has it: byte by byte on both databases.
func (s *scope) begins(column string) string {
	lower := s.s.db.dialect.lower(column)
	return lower + " >= ? AND " + lower + " < ?"
}

// beyond is the end of the range of what begins with text: no character is higher.
func beyond(text string) string { return text + string(unicode.MaxRune) }
