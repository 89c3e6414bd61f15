package web

import "sync/atomic"

// Counts are what the edge counts for the operator. The zero value works.
type Counts struct {
	ForwardedUntrusted  atomic.Int64 // requests with X-Forwarded-For from an address that is not trusted
	ForwardedUnreadable atomic.Int64 // requests of a trusted proxy whose X-Forwarded-For cannot be read
}
