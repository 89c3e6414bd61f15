package store_test

import (
	"testing"

	"carillon/tenants/store/storetest"
)

func TestSQLite(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(*testing.T) string { return "" })
}

func TestPostgres(t *testing.T) {
	t.Parallel()
	server := storetest.StartPostgres(t)
	t.Run("agrees with SQLite", func(t *testing.T) { agree(t, server.Database(t)) })
	t.Run("loses connections", func(t *testing.T) { lose(t, server.Migrated(t)) })
	t.Run("two nodes", func(t *testing.T) { share(t, server.Migrated(t)) })
	t.Run("calls of every node", func(t *testing.T) { talk(t, server.Migrated(t)) })
	t.Run("writes that join others", func(t *testing.T) { joins(t, server.Migrated(t)) })
	t.Run("an id that is no UUID joins others", func(t *testing.T) { badID(t, server.Migrated(t)) })
	t.Run("a read that fails behind its first row", func(t *testing.T) { failsLate(t, server.Migrated(t)) })
	t.Run("a tenant whose row is held", func(t *testing.T) { rowHeld(t, server.Migrated(t)) })
	t.Run("one clock", func(t *testing.T) { oneClock(t, server.Migrated(t)) })
	t.Run("what a session sets", func(t *testing.T) { sessions(t, server.Migrated(t)) })
	t.Run("a heartbeat beside the writer", func(t *testing.T) { beatsBeside(t, server.Migrated(t)) })
	t.Run("agrees with other nodes", func(t *testing.T) { agreeOn(t, server.Migrated(t)) })
	t.Run("loops of two nodes", func(t *testing.T) { loopsOfTwo(t, server.Migrated(t)) })
	t.Run("the ledger only grows", func(t *testing.T) { grow(t, "pgx", server.Migrated(t)) })
	t.Run("rolls in the order of commits", func(t *testing.T) { rollInOrder(t, server.Migrated(t)) })
	t.Run("row-level security", func(t *testing.T) { guarded(t, server) })
	t.Run("missing row-level security", func(t *testing.T) { warned(t, server) })
	t.Run("isolation", func(t *testing.T) { isolation(t, server.Migrated(t)) })
	t.Run("isolation and indexes", func(t *testing.T) { indexed(t, server.Migrated(t)) })
	t.Run("carry", func(t *testing.T) { carry(t, server.Migrated(t)) })
	t.Run("through a pool", func(t *testing.T) { throughPool(t, server) })
	t.Run("copy from SQLite", func(t *testing.T) { moved(t, server) })
	t.Run("a copy that fails", func(t *testing.T) { movedBadly(t, server) })
	t.Run("a damaged schema", func(t *testing.T) { refusesDamagePostgres(t, server) })
	t.Run("steps beside servers", func(t *testing.T) { contracts(t, server.Migrated(t)) })
	t.Run("indexes", func(t *testing.T) { indexesOf(t, server.Migrated(t)) })
	t.Run("facts by month", func(t *testing.T) { months(t, server) })
	t.Run("rings by month", func(t *testing.T) { ringMonths(t, server) })
	t.Run("dump and restore", func(t *testing.T) { restored(t, server) })
	storetest.Run(t, func(t *testing.T) string { return server.Migrated(t) })
}

func TestPostgresGone(t *testing.T) {
	t.Parallel()
	away(t, storetest.StartPostgres(t))
}
