package tenants

import (
	"slices"
	"strings"
	"time"
)

// SignupTTL is how long the link of a sign-up works.
const SignupTTL = 24 * time.Hour

// Signup is a request for a trial whose mail address is not confirmed yet.
type Signup struct {
	Hash      Hash // of the secret in the link
	Browser   Hash // of the secret in the browser that signed up: there the link works without the password
	Email     string
	Name      string
	Password  string // argon2id, in PHC form
	Company   string
	Industry  Industry
	TimeZone  string
	Code      string // of the partner who referred it; empty = nobody
	CreatedAt time.Time
	ExpiresAt time.Time
}

// TrialKey returns the key that can have one trial: the company's domain, or the whole address at a
// public mail domain. There a part after a plus sign is dropped, because it reaches the same
// person. domain is the registrable domain of the address.
func (p Plans) TrialKey(email, domain string) string {
	if !slices.Contains(p.PublicMails, domain) {
		return domain
	}
	local, host, _ := strings.Cut(email, "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + host
}

// Slug makes a slug from a name: "Hart & Okafor Law" gives "hart-okafor-law". A name without
// letters gives "tenant".
func Slug(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9' && b.Len() > 0:
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= 32 {
			break
		}
	}
	if s := strings.Trim(b.String(), "-"); len(s) >= 2 {
		return s
	}
	return "tenant"
}
