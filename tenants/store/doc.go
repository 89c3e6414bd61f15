// Package store keeps Carillon's nouns in SQLite or PostgreSQL. Whatever belongs to a tenant is reached through Store.For(tenant)
// → *Scope and in no other way, so that an unknown row and another tenant's row are the same: tenants.NoSuch. The few calls that
// look across tenants are methods of Store, each with a name that says so.
//
// Every write goes through one queue (writer.go): what waits at the same moment shares one transaction and one durable commit, and
// each caller gets its own answer. A change writes its audit row in the same transaction.
//
// It refuses to know HTTP, Apple and the fold: rules arrive as functions. gorm lives here and nowhere else; the statements of a
// ring's hot path are written by hand beside it (hot.go).
//
// Start reading at store.go, then writer.go, then ring.go.
package store
