package tenants

import "time"

// Audit is one row of a tenant's record of changes, written in the same transaction as the change.
type Audit struct {
	Seq        int64
	At         time.Time
	Actor      Actor
	Action     string // noun.verb, such as device.remove
	Target     string // id of what was changed
	TargetName string // what it was called at that moment; empty = it has no name
	Detail     string // names of the changed fields, never their secrets
	Changes    []Change
	Refused    bool // it was asked for and not done; Detail says why
	IP         string
	RequestID  string
	Times      int64     // how often the actor did the same in a short time; At is the first time
	LastAt     time.Time // the last time; zero if Times is 1

	// What the row needs to enter the chain; see Chained.
	Salts  AuditSalts
	Erased AuditErased
	Hash   AuditHash
}

// Change is a field of what was changed, with its value before and after. It never holds a secret:
// of one it says "set" or nothing.
type Change struct {
	Field  string `json:"field"`
	Before string `json:"before"`
	After  string `json:"after"`
}
