// Package connections sends what happens to tenants' own systems: signed webhooks, and the other
// roles of a connection. It knows nothing of HTTP routes and pages, and it dials through
// app/outbound only.
//
// Start reading at role.go.
package connections
