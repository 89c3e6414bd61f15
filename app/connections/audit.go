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
	var entry auditEntry
	if err := json.Unmarshal(e.Body, &entry); err != nil {
		return Answer{}, fmt.Errorf("connection %s: event %s: %w", c.ID, e.ID, err)
	}
	began := time.Now() // a length of time, not a moment
	err := sendSyslog(ctx, a.dialer, c.URL, syslogLine(*c.Audit, a.host, entry))
	return Answer{Done: err == nil, Took: time.Since(began)}, err
}
