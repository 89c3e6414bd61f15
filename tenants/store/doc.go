// Package store keeps Carillon's data in SQLite or PostgreSQL. A tenant's rows are reached through
// Store.For(tenant) → *Scope and in no other way, so an unknown row and another tenant's row give
// the same error: tenants.NoSuch.
//
// The methods hang on facets, one file each: scope.Rings().Add is in rings.go, scope.Devices().Get
// in devices.go. A facet is a small value that costs nothing to make. What looks across tenants
// hangs on facets of Store: store.Tenants(), Users(), SignIns(), SignUps(), Partners(), Ledger(),
// StripeEvents() and Jobs().
//
// Every write goes through one queue (writer.go): writes that wait at the same moment share one
// transaction and one durable commit, and each caller gets its own result. A change writes its
// audit row in the same transaction.
//
// The package knows nothing of HTTP, Apple and the fold: rules arrive as functions. gorm is used
// here and nowhere else; the statements of a ring's hot path are written by hand (rings.go,
// batch.go).
//
// Start reading at store.go, then writer.go, then rings.go.
package store
