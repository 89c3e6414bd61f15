package tenants

import (
	"crypto/sha256"
	"fmt"
	"time"
)

// EventAuditRecorded is the event of connections of the role audit: an entry of the record of
// changes. Nobody else gets it.
const EventAuditRecorded EventKind = "audit.recorded"

// AuditData is an entry of the record of changes as it leaves.
type AuditData struct {
	Seq       int64      `json:"seq"`
	Tenant    TenantID   `json:"tenant"`
	Actor     AuditActor `json:"actor"`
	Action    string     `json:"action"`
	Target    string     `json:"target,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	IP        string     `json:"ip,omitempty"`
	RequestID string     `json:"request_id,omitempty"`
}

// AuditActor is who made a change.
type AuditActor struct {
	Kind ActorKind `json:"kind"`
	ID   string    `json:"id,omitempty"`
	Name string    `json:"name,omitempty"`
}

// AuditEvent is an entry as the body of an event.
func AuditEvent(t TenantID, a Audit) EventBody {
	return EventBody{EventAuditRecorded, a.At, AuditData{
		Seq: a.Seq, Tenant: t, Actor: AuditActor(a.Actor), Action: a.Action, Target: a.Target, Detail: a.Detail, IP: a.IP,
		RequestID: a.RequestID,
	}}
}

// AuditEventID returns the id of an entry for a connection: the same, however often it is found.
func AuditEventID(c ConnectionID, seq int64) string {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s audit %d", c, seq))
	return format([16]byte(sum[:16]), 8)
}

// AuditBacklog is how many entries wait for one connection at most; the rest is read when there is
// room again.
const AuditBacklog = 1000

// AuditEvery is how often new entries are looked for.
const AuditEvery = time.Second
