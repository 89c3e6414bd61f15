package tenants

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"time"
)

// EventAuditRecorded is the event of connections of the role audit: an entry of the record of
// changes. Nobody else gets it.
const EventAuditRecorded EventKind = "audit.recorded"

// EventAuditHead is the event of connections of the role audit: a signed head of the chain. Kept
// away from this server, it shows later whether the chain was written again.
const EventAuditHead EventKind = "audit.head"

// AuditHeadData is a signed head as it leaves.
type AuditHeadData struct {
	Tenant    TenantID `json:"tenant"`
	Seq       int64    `json:"seq"`
	Hash      string   `json:"hash"`
	Anchor    bool     `json:"anchor"`
	Key       string   `json:"key"`
	Signature string   `json:"signature"` // base64
}

// AuditHeadEvent is a head as the body of an event.
func AuditHeadEvent(t TenantID, h AuditHead) EventBody {
	return EventBody{EventAuditHead, h.At, AuditHeadData{t, h.Seq, h.Hash.String(), h.Anchor, h.Key,
		base64.StdEncoding.EncodeToString(h.Signature)}}
}

// AuditData is an entry of the record of changes as it leaves.
type AuditData struct {
	Seq       int64      `json:"seq"`
	Tenant    TenantID   `json:"tenant"`
	Actor     AuditActor `json:"actor"`
	Action    string     `json:"action"`
	Target    string     `json:"target,omitempty"`
	Name      string     `json:"target_name,omitempty"`
	Detail    string     `json:"detail,omitempty"`
	Changes   []Change   `json:"changes,omitempty"`
	Refused   bool       `json:"refused,omitempty"`
	Hash      string     `json:"hash,omitempty"` // of the row in the chain
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
		Seq: a.Seq, Tenant: t, Actor: AuditActor(a.Actor), Action: a.Action, Target: a.Target, Name: a.TargetName,
		Detail: a.Detail, Changes: a.Changes, Refused: a.Refused, Hash: hashShown(a.Hash), IP: a.IP,
		RequestID: a.RequestID,
	}}
}

func hashShown(h AuditHash) string {
	if h == (AuditHash{}) {
		return ""
	}
	return h.String()
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
