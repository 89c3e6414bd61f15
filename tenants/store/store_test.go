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
	storetest.Postgres(t) // holds the server for the whole suite
	storetest.Run(t, func(t *testing.T, c store.Config) *store.Store {
		c.URL = storetest.Postgres(t)
		return storetest.OpenConfig(t, c)
	})
}
