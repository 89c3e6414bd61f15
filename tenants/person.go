package tenants

import (
	"net/mail"
	"strings"
	"time"
)

// User is a person who can sign in. A user can belong to several tenants; a Member joins the two.
type User struct {
	ID         UserID
	Email      string // lower case
	Name       string
	Password   string // argon2id, in PHC form; nobody signs in with an empty one
	Theme      string // auto, light or dark
	Language   string // of pages, such as es; empty = as the tenant has it, or as the browser asks
	CreatedAt  time.Time
	DisabledAt time.Time
	TwoSteps   bool // has an authenticator app or a passkey
	Unproven   bool // made by a link that the inviter saw: nobody proved that the address is this person's
}

// How long the link of a password reset works: one that was mailed, and one that the operator made.
const (
	ResetTTL         = 30 * time.Minute
	ResetTTLOperator = 24 * time.Hour
)

// EmailChangeTTL is how long the link to a new address works.
const EmailChangeTTL = 24 * time.Hour

// Member is a user's membership of a tenant.
type Member struct {
	Tenant    TenantID
	User      UserID
	Role      Role
	Email     string
	Name      string
	CreatedAt time.Time
}

// ParseEmail returns a mail address in its stored form: trimmed and in lower case. ok is false if
// it is not an address.
func ParseEmail(s string) (string, bool) {
	s = strings.ToLower(strings.TrimSpace(s))
	a, err := mail.ParseAddress(s)
	if err != nil || a.Address != s || len(s) > 254 {
		return "", false
	}
	return s, true
}

// ActorKind says what kind of principal made a change.
type ActorKind string

// The kinds of actors.
const (
	ActorUser   ActorKind = "user"   // a signed-in person
	ActorKey    ActorKind = "key"    // a program with an API key
	ActorDevice ActorKind = "device" // a phone with its credential
	ActorSystem ActorKind = "system" // Carillon itself, or its command line

	ActorOperator ActorKind = "operator" // a person who runs the server
)

// Actor is who did something: a person, an API key, a phone, or Carillon itself.
type Actor struct {
	Kind ActorKind
	ID   string
	Name string
}

// System is the actor of changes that Carillon makes by itself.
var System = Actor{Kind: ActorSystem, Name: "Carillon"}
