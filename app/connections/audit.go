package connections

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
)

// audit sends each entry of the record of changes: as JSON over HTTPS, signed like a webhook, or as
// a message of syslog over TLS.
type audit struct {
	*webhook
	dialer *outbound.Dialer
	host   string // this server, in syslog messages
}

// auditEntry is what is read of an event to write it as syslog.
type auditEntry struct {
	At   time.Time         `json:"timestamp"`
	Data tenants.AuditData `json:"data"`
}

// Deliver makes one attempt. Syslog has no answers: an entry is delivered once the receiver has
// closed the connection in order.
func (a audit) Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	if !strings.HasPrefix(c.URL, "syslog+tls://") {
		return a.webhook.Deliver(ctx, c, s, e)
	}
	entry, err := readEntry(e)
	if err != nil {
		return Answer{}, fmt.Errorf("connection %s: event %s: %w", c.ID, e.ID, err)
	}
	began := time.Now() // a length of time, not a moment
	err = sendSyslog(ctx, a.dialer, c.URL, syslogLine(*c.Audit, a.host, entry))
	return Answer{Done: err == nil, Took: time.Since(began)}, err
}

// readEntry reads what the event says. Of a signed head the hash is the target, and key and
// signature are the detail.
func readEntry(e Event) (entry auditEntry, err error) {
	if e.Kind != tenants.EventAuditHead {
		err = json.Unmarshal(e.Body, &entry)
		return entry, err
	}
	var head struct {
		At   time.Time             `json:"timestamp"`
		Data tenants.AuditHeadData `json:"data"`
	}
	err = json.Unmarshal(e.Body, &head)
	entry.At = head.At
	entry.Data = tenants.AuditData{Seq: head.Data.Seq, Tenant: head.Data.Tenant, Actor: tenants.AuditActor(tenants.System),
		Action: string(e.Kind), Target: head.Data.Hash, Detail: "key " + head.Data.Key + " signature " + head.Data.Signature}
	return entry, err
}
