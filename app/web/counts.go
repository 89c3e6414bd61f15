package web

import "sync/atomic"

// Counts are what the edge counts for the operator. The zero value works.
type Counts struct {
	ForwardedUntrusted  atomic.Int64 // requests with X-Forwarded-For from an address that is not trusted
	ForwardedUnreadable atomic.Int64 // requests of a trusted proxy whose X-Forwarded-For cannot be read
	AcceptsFailed       atomic.Int64 // connections that could not be accepted, for want of descriptors
	RefusedNetwork      atomic.Int64 // connections refused because their network has too many
	RefusedFull         atomic.Int64 // connections refused because all are in use
	RefusedForMemory    atomic.Int64 // requests refused because memory runs out
	IdleClosed          atomic.Int64 // idle connections closed to make room
}
