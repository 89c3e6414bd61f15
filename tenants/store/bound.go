package store

import (
	"context"
	"strconv"

	"carillon/tenants"
)

// most is SQLite's largest number of pages (sqlite.org/limits.html, 14).
const most = 4294967294

// Bound keeps SQLite's file from growing beyond what it has now, which is what a full disk does to
// it, or lets it grow again. Tests and drills use it; PostgreSQL has no such thing.
func (s *Store) Bound(ctx context.Context, full bool) error {
	if !s.db.dialect.isFile() {
		return tenants.Refuse(tenants.Unsupported, "unsupported", "Only SQLite's file can be bounded.")
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		pages := int64(most)
		if full {
			if err := t.row("PRAGMA page_count", nil, &pages); err != nil {
				return err
			}
		}
		var now int64
		return t.conn.QueryRowContext(context.Background(), "PRAGMA max_page_count = "+strconv.FormatInt(pages, 10)).Scan(&now)
	})
}
