package app

import (
	"testing"

	"carillon/tenants/store/storetest"
)

// databases gives the flags of a fresh SQLite folder and of a fresh PostgreSQL database.
func databases(t *testing.T) map[string][]string {
	t.Helper()
	return map[string][]string{
		"sqlite":   {"--data", t.TempDir()},
		"postgres": {"--database-url", storetest.Postgres(t)},
	}
}
