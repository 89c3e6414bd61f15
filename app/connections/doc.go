// Package connections sends what happens to tenants' own systems: signed webhooks, and the other
// roles of a connection. It knows nothing of HTTP routes and pages, and it dials through
// app/outbound only.
//
// What happens becomes a delivery: a row for each connection that wants it, written in the
// transaction that moves the cursor behind the facts (feed.go), or in that of the change itself
// (tenants/store). The Engine (engine.go) makes attempts of what is due, at least once and in the
// order of each ring, and writes down how each went. Nothing on the path of a ring waits for a
// connection.
//
// Start reading at role.go, then engine.go.
package connections
