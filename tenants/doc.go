// Package tenants holds Carillon's nouns and rules: tenants, devices, credentials, agents, keys, rings, their attempts and
// facts, and the fold that turns facts into states. It imports the standard library only, does no I/O and reads no clock:
// time arrives as an argument.
//
// Start reading at ring.go (what a ring is), fact.go (what can happen to it) and fold.go (what that means).
package tenants
