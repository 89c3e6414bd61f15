// Package tenants holds Carillon's types and rules: tenants, devices, credentials, agents, keys,
// rings with their attempts and facts, and the function that turns facts into states. It imports
// the standard library only, does no I/O and reads no clock: time is an argument.
//
// Start reading at ring.go (what a ring is), fact.go (what can happen to it) and fold.go (what that
// means).
package tenants
