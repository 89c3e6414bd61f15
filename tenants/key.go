package tenants

import (
	"slices"
	"time"
)

// Key is an API key without its secret.
type Key struct {
	ID          KeyID
	Tenant      TenantID
	Name        string
	Test        bool   // rings sandbox devices only, unmetered
	Last4       string // the last four characters of the secret, to recognize the key
	Permissions []Permission
	PerSecond   int // rings a second that it may place; 0 = the tenant's limit
	CreatedAt   time.Time
	LastUsedAt  time.Time // to the minute
	RevokedAt   time.Time // zero while it works
}

// May reports whether the key has the permission.
func (k Key) May(p Permission) bool { return slices.Contains(k.Permissions, p) }

// Check refuses a key whose fields break a rule.
func (k Key) Check() error {
	var f faults
	f.add(ValidText(k.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	ok := len(k.Permissions) > 0
	for _, p := range k.Permissions {
		ok = ok && slices.Contains(Scopes(), p)
	}
	f.add(ok, "scopes", "at least one of "+scopeNames())
	f.add(k.PerSecond >= 0 && k.PerSecond <= 1000, "per_second", "0 to 1000 rings a second; 0 = as many as the account")
	return f.err()
}
