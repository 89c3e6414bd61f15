package store

import (
	"context"
	"errors"
	"fmt"
	"strings"
)

// CheckIsolation returns an error for the operator if row-level security does not keep tenants
// apart in this PostgreSQL; nil if it does, and on SQLite, which has none. Carillon works either
// way: its statements name the tenant themselves.
func (s *Store) CheckIsolation(ctx context.Context) error {
	if !s.db.dialect.guarded() {
		return nil
	}
	var faults []error
	for _, ask := range []struct{ query, fault string }{
		{"SELECT rolname FROM pg_roles WHERE rolname = current_user AND (rolsuper OR rolbypassrls)",
			"the database role %s bypasses row-level security: serve as one that is neither superuser nor BYPASSRLS (README, PostgreSQL)"},
		{"SELECT s FROM current_setting('app.tenant', true) s WHERE s <> ''",
			"app.tenant is %q before anybody sets it: take that out of the settings of the role, the database and the server"},
		{"SELECT string_agg(c.relname, ', ' ORDER BY c.relname) FROM pg_class c WHERE c.relkind IN ('r', 'p') AND " +
			"pg_table_is_visible(c.oid) " +
			"AND (c.relname = 'tenants' OR EXISTS (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id' " +
			"AND NOT " +
			"a.attisdropped)) " +
			"AND NOT (c.relrowsecurity AND c.relforcerowsecurity AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND " +
			"p.polname = " +
			"'isolation')) " +
			"HAVING COUNT(*) > 0",
			"row-level security is off for %s: for each, ALTER TABLE … ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY, and SELECT " +
				"carillon_isolation()"},
	} {
		rows, err := s.db.through(noTenant).query(ctx, ask.query)
		found, err := collect(rows, err, func(s *string) []any { return []any{s} })
		if err != nil {
			return translate(err)
		}
		if len(found) > 0 {
			faults = append(faults, fmt.Errorf(ask.fault, strings.Join(found, ", ")))
		}
	}
	return errors.Join(faults...)
}
