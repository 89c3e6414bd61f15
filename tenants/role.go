package tenants

import (
	"slices"
	"strings"
)

// Role says what a member of a tenant may do in the console. Grants says what that is.
type Role string

// The closed list of roles.
const (
	Owner     Role = "owner"     // everything, including changes of owners
	Admin     Role = "admin"     // everything except changes of owners
	Developer Role = "developer" // rings, devices, agents, credentials, connections and keys; no people, no bills
	Analyst   Role = "analyst"   // reads calls, figures and the audit log, and sets alerts
	Billing   Role = "billing"   // the plan, the usage and the invoices; no call and no name
	Viewer    Role = "viewer"    // reads everything, changes nothing
)

// Roles lists every role, the one that may do most first.
var Roles = []Role{Owner, Admin, Developer, Analyst, Billing, Viewer}

// Known reports whether the role is one of Roles.
func (r Role) Known() bool { return slices.Contains(Roles, r) }

// Name is the role for people: "Administrator".
func (r Role) Name() string {
	switch r {
	case Owner:
		return "Owner"
	case Admin:
		return "Administrator"
	case Developer:
		return "Developer"
	case Analyst:
		return "Analyst"
	case Billing:
		return "Billing"
	case Viewer:
		return "Viewer"
	}
	return string(r)
}

// Permission is one thing that a role, or an API key, may do.
type Permission string

// The closed list of permissions. The API calls those that a key can have scopes.
const (
	RingsRead        Permission = "rings:read"
	RingsWrite       Permission = "rings:write"
	RingsEmergency   Permission = "rings:emergency"
	NotesRead        Permission = "notes:read"
	NotesWrite       Permission = "notes:write"
	AnalyticsRead    Permission = "analytics:read"
	AlertsRead       Permission = "alerts:read"
	AlertsWrite      Permission = "alerts:write"
	DevicesRead      Permission = "devices:read"
	DevicesWrite     Permission = "devices:write"
	AgentsRead       Permission = "agents:read"
	AgentsWrite      Permission = "agents:write"
	CredentialsRead  Permission = "credentials:read"
	CredentialsWrite Permission = "credentials:write"
	ConnectionsRead  Permission = "connections:read"
	ConnectionsWrite Permission = "connections:write"
	GroupsRead       Permission = "groups:read"
	GroupsWrite      Permission = "groups:write"
	KeysRead         Permission = "keys:read"
	KeysWrite        Permission = "keys:write"
	PeopleRead       Permission = "people:read"
	PeopleWrite      Permission = "people:write"
	OwnersWrite      Permission = "owners:write"
	AuditRead        Permission = "audit:read"
	AuditReview      Permission = "audit:write"
	BillingRead      Permission = "billing:read"
	BillingWrite     Permission = "billing:write"
	SettingsRead     Permission = "settings:read"
	SettingsWrite    Permission = "settings:write"
	RecordingWrite   Permission = "recording:write"
	ProviderWrite    Permission = "provider:write"
	LookWrite        Permission = "operator:write"
	DataWrite        Permission = "data:write"
)

// Grant is one row of the table of roles: a permission, what it allows in words, and who has it.
type Grant struct {
	Permission Permission
	Does       string // for people, such as "Read rings"
	Scope      bool   // an API key can have it
	Roles      []Role // owners have all, so they are not named here
}

// Grants is the table of roles and permissions. The routes of the console, its buttons, the scopes
// of API keys and the page of roles all come from it.
var Grants = []Grant{
	{RingsRead, "Read rings", true, []Role{Admin, Developer, Analyst, Viewer}},
	{RingsWrite, "Ring phones and transfer calls", true, []Role{Admin, Developer}},
	{RingsEmergency, "Ring phones in quiet hours", true, []Role{Admin, Developer}},
	{NotesRead, "Read notes and hear recordings", true, []Role{Admin, Developer, Viewer}},
	{NotesWrite, "Write and erase notes and recordings", true, []Role{Admin, Developer}},
	{AnalyticsRead, "Read figures", true, []Role{Admin, Developer, Analyst, Viewer}},
	{AlertsRead, "Read alerts", false, []Role{Admin, Developer, Analyst, Viewer}},
	{AlertsWrite, "Close alerts and set alert rules", false, []Role{Admin, Developer, Analyst}},
	{DevicesRead, "Read devices", true, []Role{Admin, Developer, Analyst, Viewer}},
	{DevicesWrite, "Add and change devices", true, []Role{Admin, Developer}},
	{AgentsRead, "Read agents", true, []Role{Admin, Developer, Analyst, Viewer}},
	{AgentsWrite, "Add and change agents", true, []Role{Admin, Developer}},
	{CredentialsRead, "Read Apple credentials, never their secrets", true, []Role{Admin, Developer, Viewer}},
	{CredentialsWrite, "Add and change Apple credentials", true, []Role{Admin, Developer}},
	{ConnectionsRead, "Read connections and what they sent", true, []Role{Admin, Developer, Viewer}},
	{GroupsRead, "Read groups, schedules and consents", true, []Role{Admin, Developer, Analyst, Viewer}},
	{GroupsWrite, "Change groups and schedules, record consents", true, []Role{Admin, Developer}},
	{ConnectionsWrite, "Add and change connections", true, []Role{Admin, Developer}},
	{KeysRead, "Read the list of API keys, never their secrets", false, []Role{Admin, Developer, Viewer}},
	{KeysWrite, "Create and revoke API keys", false, []Role{Admin, Developer}},
	{PeopleRead, "Read who is a member", false, []Role{Admin, Viewer}},
	{PeopleWrite, "Invite and remove people, change their roles", false, []Role{Admin}},
	{OwnersWrite, "Make and remove owners", false, nil},
	{AuditRead, "Read the audit log", false, []Role{Admin, Analyst, Viewer}},
	{AuditReview, "Sign off reviews of the audit log", false, []Role{Admin}},
	{BillingRead, "Read the plan, the usage and the invoices", false, []Role{Admin, Billing, Viewer}},
	{BillingWrite, "Change the plan and the payment", false, []Role{Admin, Billing}},
	{SettingsRead, "Read the settings", false, []Role{Admin, Developer, Viewer}},
	{SettingsWrite, "Change the settings", false, []Role{Admin}},
	{LookWrite, "Give the operator access for support", false, nil},
	{RecordingWrite, "Decide whether calls are recorded", false, nil},
	{ProviderWrite, "Set up signing in through a provider", false, []Role{Admin}},
	{DataWrite, "Export or delete everything", false, nil},
}

// May reports whether the role has the permission. A role or permission that does not exist may
// nothing.
func (r Role) May(p Permission) bool {
	for _, g := range Grants {
		if g.Permission == p {
			return g.May(r)
		}
	}
	return false
}

// May reports whether the role has the permission of this row.
func (g Grant) May(r Role) bool { return r == Owner || slices.Contains(g.Roles, r) }

// Covers reports whether r has every permission that other has. It is so for the role itself.
func (r Role) Covers(other Role) bool {
	return !slices.ContainsFunc(Grants, func(g Grant) bool { return g.May(other) && !g.May(r) })
}

// Does is the permission in words; empty if there is none of this name.
func (p Permission) Does() string {
	for _, g := range Grants {
		if g.Permission == p {
			return g.Does
		}
	}
	return ""
}

// Scopes lists the permissions that an API key can have, in the order of the table.
func Scopes() []Permission {
	var all []Permission
	for _, g := range Grants {
		if g.Scope {
			all = append(all, g.Permission)
		}
	}
	return all
}

// scopeNames is the list of scopes for a sentence.
func scopeNames() string {
	var all []string
	for _, p := range Scopes() {
		all = append(all, string(p))
	}
	return strings.Join(all, ", ")
}
