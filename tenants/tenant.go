package tenants

import "time"

// TenantState says whether a tenant may use the service.
type TenantState string

const (
	TenantActive    TenantState = "active"
	TenantSuspended TenantState = "suspended" // keys and people are refused; no data is deleted
)

// Tenant is one customer of this installation. Full access except owners belongs to exactly one
// tenant.
type Tenant struct {
	ID           TenantID
	Slug         string // [a-z0-9-]{2,40}, unique
	Name         string
	Industry     Industry
	State        TenantState
	TimeZone     string        // IANA name
	Language     string        // of pages, such as es; empty = as the browser asks
	RingTTL      time.Duration // default time to live of a ring
	DefaultAgent AgentID       // empty = the built-in agent
	TwoSteps     bool          // everybody must have a second step at sign-in
	CreatedAt    time.Time
	DeleteAt     time.Time    // when it is deleted, while it is suspended; zero = never
	LookUntil    time.Time    // until when operators of the server may look at the console; zero = not
	SuspendedWhy string       // what the operator gave as the reason, for the tenant's people; empty = none
	Changes      *RuleChanges // what it changed of its industry's rules; nil = nothing

	industries *Industries // where Industry is looked up; nil = the built-in ones. See Industries.Of
}

// The bounds of a ring's time to live.
const (
	MinTTL     = 5 * time.Second
	MaxTTL     = 60 * time.Second
	DefaultTTL = 30 * time.Second
)

// Check refuses a tenant whose fields break a rule, naming every wrong one.
func (t Tenant) Check() error {
	var f faults
	f.add(validSlug(t.Slug), "slug", "2 to 40 of a-z, 0-9 and '-', starting with a letter")
	f.add(ValidText(t.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	_, ok := t.known().File(t.Industry)
	f.add(ok, "industry", "one of "+listed(t.known().Slugs()))
	f.add(validZone(t.TimeZone), "time_zone", "an IANA time zone such as Europe/Berlin")
	f.add(t.RingTTL >= MinTTL && t.RingTTL <= MaxTTL, "ring_ttl_s", "5 to 60 seconds")
	return f.err()
}

func validSlug(s string) bool {
	if len(s) < 2 || len(s) > 40 || s[0] < 'a' || s[0] > 'z' {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-') {
			return false
		}
	}
	return true
}

// Zone is the tenant's time zone. It is UTC on a machine without the data of time zones.
func (t Tenant) Zone() *time.Location {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return time.UTC // zones were checked when they were set
	}
	return zone
}

func validZone(s string) bool {
	if s == "" || s == "Local" {
		return false
	}
	_, err := time.LoadLocation(s)
	return err == nil
}
