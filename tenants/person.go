package tenants

import (
	"net/mail"
	"strings"
	"time"
)

// Role is what a member of a tenant may do in the console.
type Role string

const (
	Owner  Role = "owner"  // everything, and who else is an owner
	Admin  Role = "admin"  // everything but owners
	Viewer Role = "viewer" // looks, changes nothing
)

// May reports whether the role may change things.
func (r Role) May() bool { return r == Owner || r == Admin }

// User is a human with a sign-in. Users are global; a Member joins one to a tenant.
type User struct {
	ID         UserID
	Email      string // lower case
	Name       string
	Password   string // argon2id, in PHC form; empty until the invitation is taken
	Theme      string // auto, light or dark
	CreatedAt  time.Time
	DisabledAt time.Time
}

// Member is a user's place in a tenant.
type Member struct {
	Tenant    TenantID
	User      UserID
	Role      Role
	Email     string
	Name      string
	CreatedAt time.Time
}

// ParseEmail brings an address to its stored form; ok is false when it is none.
func ParseEmail(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return "", false
	}
	return s, true
}

// Actor is who did something: a person, an API key, a phone, or Carillon itself.
type Actor struct {
	Kind string // user, key, device, system
	ID   string
	Name string
}

// System is Carillon acting by itself.
var System = Actor{Kind: "system", Name: "Carillon"}

// Audit is one row of a tenant's record of changes, written in the same transaction as the change.
type Audit struct {
	Seq       int64
	At        time.Time
	Actor     Actor
	Action    string // noun.verb, such as device.remove
	Target    string // id of what was changed
	Detail    string // names of the changed fields, never their secrets
	IP        string
	RequestID string
}
