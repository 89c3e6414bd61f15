package connections

import (
	"context"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Event is what a connection is sent.
type Event struct {
	ID   string // webhook-id: the same over retries and replays of one delivery
	Kind tenants.EventKind
	At   time.Time
	Ring tenants.RingID // "" = of no ring; deliveries of one ring to one connection go in order
	Body []byte         // {"type","timestamp","data":{…}}
}

// Answer is what the far end said to one attempt.
type Answer struct {
	Status     int // of HTTP; 0 = it said nothing
	Body       []byte
	Took       time.Duration
	RetryAfter time.Duration     // how long it asked us to wait; 0 = it did not
	Sent       map[string]string // the headers of our request; the tenant's own values are hidden
	Done       bool              // there is nothing more to do, whatever the status; Body says why
}

// keptAnswer is how many bytes of an answer are kept.
const keptAnswer = 1 << 10

// Secrets are the opened secrets of a connection, for one attempt.
type Secrets = store.ConnectionSecrets

// Role brings events to a tenant's system.
type Role interface {
	// Deliver makes one attempt; the engine retries. An error means that there was no answer; its
	// sentence for the tenant is outbound.Cause, or that of a *tenants.Error. A status outside of
	// 200 to 299 is a failure too.
	Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error)
}

// Roles has the role of each connection that takes events.
type Roles map[tenants.ConnectionRole]Role

// CheckAddress refuses a connection whose address d does not connect to, before it is stored.
func CheckAddress(d *outbound.Dialer, c tenants.Connection) error {
	schemes := []string{"https"}
	if c.Role == tenants.RoleAudit {
		schemes = append(schemes, "syslog+tls")
	}
	field, err := "url", d.CheckURL(c.URL, schemes...)
	if err == nil && c.Lookup != nil && c.Lookup.URL != "" {
		field, err = "lookup.url", d.CheckURL(c.Lookup.URL, "https")
	}
	if err == nil {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "The connection's address cannot be used.", Err: err,
		Fields: []tenants.Field{{Name: field, Message: err.Error()}}}
}
