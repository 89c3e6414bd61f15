package tenants

import (
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"maps"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"
)

// ConnectionRole is what a connection does for its tenant.
type ConnectionRole string

// The closed list of roles.
const (
	RoleWebhook    ConnectionRole = "webhook"    // signed events over HTTPS
	RoleCRM        ConnectionRole = "crm"        // events, and who is calling before a ring
	RoleMLS        ConnectionRole = "mls"        // the same, for listings of real estate
	RoleCalendar   ConnectionRole = "calendar"   // an iCalendar feed becomes a schedule
	RoleSMS        ConnectionRole = "sms"        // one text after a missed ring
	RoleAudit      ConnectionRole = "audit"      // every change, over HTTPS or syslog
	RoleTranscript ConnectionRole = "transcript" // notes of agents
)

// ConnectionRoles lists the roles, in the order in which people are offered them.
var ConnectionRoles = []ConnectionRole{RoleWebhook, RoleCRM, RoleMLS, RoleCalendar, RoleSMS, RoleAudit, RoleTranscript}

// EventKind is something that a tenant's own systems can be told of.
type EventKind string

// The closed list of events.
const (
	EventRingPlaced         EventKind = "ring.placed"
	EventRingAccepted       EventKind = "ring.accepted"
	EventRingShown          EventKind = "ring.shown"
	EventRingAnswered       EventKind = "ring.answered"
	EventRingEnded          EventKind = "ring.ended"
	EventCallConnected      EventKind = "call.connected"
	EventCallEnded          EventKind = "call.ended"
	EventNoteAdded          EventKind = "note.added"
	EventDeviceRegistered   EventKind = "device.registered"
	EventDeviceRemoved      EventKind = "device.removed"
	EventCredentialExpiring EventKind = "credential.expiring"
	EventAlertOpened        EventKind = "alert.opened"
	EventAlertResolved      EventKind = "alert.resolved"
)

// EventKinds lists every event.
var EventKinds = []EventKind{EventRingPlaced, EventRingAccepted, EventRingShown, EventRingAnswered, EventRingEnded, EventCallConnected,
	EventCallEnded, EventNoteAdded, EventDeviceRegistered, EventDeviceRemoved, EventCredentialExpiring, EventAlertOpened,
	EventAlertResolved}

// roleEvents are the events that a role can take; a role that is not here takes none of them.
var roleEvents = map[ConnectionRole][]EventKind{
	RoleWebhook:    EventKinds,
	RoleCRM:        EventKinds,
	RoleMLS:        EventKinds,
	RoleSMS:        {EventRingEnded},
	RoleTranscript: {EventNoteAdded},
}

// Takes lists the events that a role can take.
func (r ConnectionRole) Takes() []EventKind { return roleEvents[r] }

// ConnectionState says whether a connection is used.
type ConnectionState string

// The states of a connection. What happens while it is paused or ended is not sent later. What
// happens in the first ConnectionHears after it was disabled is kept for DeliveriesKept, the newest
// DeliveriesMost, and is sent only if somebody replays it. RoleAudit is different, because a log is
// of use only if it is complete: once active again it is sent each entry since it stopped.
const (
	ConnectionActive   ConnectionState = "active"
	ConnectionPaused   ConnectionState = "paused"   // by a person or a key
	ConnectionDisabled ConnectionState = "disabled" // nothing arrived for ConnectionDisableAfter
	ConnectionEnded    ConnectionState = "ended"    // the receiver answered 410 Gone
)

// When a connection that fails is mailed about, and when it is disabled. How long after that events
// are still written for it: one that nobody mends must not cost writes for ever.
const (
	ConnectionWarnAfter    = 24 * time.Hour
	ConnectionDisableAfter = 5 * 24 * time.Hour
	ConnectionHears        = 30 * 24 * time.Hour
)

// SecretOverlap is how long the old signing secret of a connection is used beside a new one.
const SecretOverlap = 24 * time.Hour

// Connection is a system of the tenant's own to which we send what happens.
type Connection struct {
	ID     ConnectionID
	Tenant TenantID
	Name   string
	Role   ConnectionRole
	URL    string      // https://…; of the role audit also syslog+tls://host:port
	Events []EventKind // which events are sent; empty = all that the role takes

	// Headers are sent with each request. The store gives their names only, each with an empty
	// value; on the way in an empty value keeps the stored one.
	Headers map[string]string

	// Token is a password of the role, such as the auth token of an SMS service. It is only on the
	// way in: nil leaves the stored one, "" removes it.
	Token    *string
	HasToken bool

	// The settings of one role; the others are nil.
	Lookup     *LookupSettings // of crm and mls
	Calendar   *CalendarSettings
	SMS        *SMSSettings
	Audit      *AuditSettings
	Transcript *TranscriptSettings

	State         ConnectionState
	CreatedAt     time.Time
	FailingSince  time.Time // the first failure since the last delivery; zero = none
	DisabledAt    time.Time
	LastDelivered time.Time
	OldSecretEnds time.Time // while two secrets sign; zero = one does
}

const (
	// maxConnectionToken bounds a role's password, in characters.
	maxConnectionToken = 512
	// signingBytes is the length of a signing secret. Standard Webhooks takes 24 to 64 bytes.
	signingBytes = 32
)

// NewSigningSecret makes a secret as Standard Webhooks writes it: whsec_ and base64.
func NewSigningSecret() Secret {
	var b [signingBytes]byte
	rand.Read(b[:]) // never fails since Go 1.24
	return Secret("whsec_" + base64.StdEncoding.EncodeToString(b[:]))
}

// Wants reports whether the connection is sent events of the kind while it is active.
func (c Connection) Wants(k EventKind) bool {
	return slices.Contains(c.Role.Takes(), k) && (len(c.Events) == 0 || slices.Contains(c.Events, k))
}

// Clean returns the connection in its stored form: defaults for what is left out, the names of
// headers as HTTP writes them, and no settings of another role.
func (c Connection) Clean() Connection {
	c.Name, c.URL = TrimLabel(c.Name), strings.TrimSpace(c.URL)
	if c.Role == "" {
		c.Role = RoleWebhook
	}
	if c.State == "" {
		c.State = ConnectionActive
	}
	c.Events = cleanEvents(c.Events)
	headers := map[string]string{}
	for _, name := range slices.Sorted(maps.Keys(c.Headers)) {
		headers[textproto.CanonicalMIMEHeaderKey(strings.TrimSpace(name))] = strings.TrimSpace(c.Headers[name])
	}
	c.Headers = headers
	return c.cleanRole()
}

// cleanEvents brings events into the order of EventKinds, each once. Unknown ones stay for Check.
func cleanEvents(events []EventKind) []EventKind {
	var out []EventKind
	for _, e := range events {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b EventKind) int { return slices.Index(EventKinds, a) - slices.Index(EventKinds, b) })
	return out
}

// Check refuses a connection whose fields break a rule, naming every wrong one. It expects what
// Clean returned. Whether the address may be reached is the dialer's to say.
func (c Connection) Check() error {
	var f faults
	f.add(ValidText(c.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(slices.Contains(ConnectionRoles, c.Role), "role", "one of "+listed(ConnectionRoles))
	f.add(slices.Contains([]ConnectionState{ConnectionActive, ConnectionPaused, ConnectionDisabled, ConnectionEnded}, c.State), "state",
		"active or paused")
	f.add(c.validURL(), "url", c.wantedURL())
	f.add(c.validEvents(), "events", c.wantedEvents())
	f.add(validHeaders(c.filledHeaders()) && !reservedHeader(c.Headers), "headers", fmt.Sprintf(
		"at most %d. A name has 1 to 64 letters, digits and -, and is not one that we set ourselves, such as Host, User-Agent, "+
			"Content-Type or one that begins with Webhook-. A value has 1 to %d ASCII characters", maxHeaders, maxHeader))
	f.add(c.Token == nil || ValidText(*c.Token, 0, maxConnectionToken), "token",
		fmt.Sprintf("at most %d characters, no control characters", maxConnectionToken))
	c.checkRole(&f)
	return f.err()
}

func (c Connection) validURL() bool {
	u, err := url.Parse(c.URL)
	if err != nil || len(c.URL) > maxAgentURL || u.Host == "" {
		return false
	}
	return u.Scheme == "https" || u.Scheme == "http" || c.Role == RoleAudit && u.Scheme == "syslog+tls" && u.Port() != ""
}

func (c Connection) wantedURL() string {
	if c.Role == RoleAudit {
		return "a complete address such as https://example.com/audit or syslog+tls://example.com:6514, at most 2,048 characters"
	}
	return "a complete address such as https://example.com/hooks/carillon, at most 2,048 characters"
}

func (c Connection) validEvents() bool {
	for _, e := range c.Events {
		if !slices.Contains(c.Role.Takes(), e) {
			return false
		}
	}
	return true
}

func (c Connection) wantedEvents() string {
	if takes := c.Role.Takes(); len(takes) > 0 {
		return "some of " + listed(takes) + "; none = all of them"
	}
	return "none: a connection of this role takes no events"
}

// SendsElsewhere reports whether the connection sends to a scheme, host or port to which it did not
// before. What is secret was given for the old one only.
func (c Connection) SendsElsewhere(before Connection) bool {
	known := before.origins()
	return slices.ContainsFunc(c.origins(), func(o string) bool { return !slices.Contains(known, o) })
}

// origins are the scheme, host and port of each address of the connection.
func (c Connection) origins() (all []string) {
	addresses := []string{c.URL}
	if c.Lookup != nil && c.Lookup.URL != "" {
		addresses = append(addresses, c.Lookup.URL)
	}
	for _, a := range addresses {
		u, err := url.Parse(a)
		if err != nil { // was refused by Check
			continue
		}
		port := u.Port()
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		all = append(all, u.Scheme+"://"+strings.ToLower(u.Hostname())+":"+port)
	}
	return all
}

// filledHeaders are the headers with something in place of the values that stay as stored.
func (c Connection) filledHeaders() map[string]string {
	filled := maps.Clone(c.Headers)
	for name, value := range filled {
		if value == "" {
			filled[name] = "stored"
		}
	}
	return filled
}

func reservedHeader(all map[string]string) bool {
	for name := range all {
		if low := strings.ToLower(name); strings.HasPrefix(low, "webhook-") || low == "user-agent" || low == "content-encoding" {
			return true
		}
	}
	return false
}
