package store_test

import (
	"testing"

	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T, c store.Config) *store.Store { return storetest.OpenConfig(t, c) })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	storetest.Run(t, func(t *testing.T, c store.Config) *store.Store {
		c.URL = server.Database(t)
		return storetest.OpenConfig(t, c)
	})
}
