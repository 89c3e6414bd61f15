package tenants

import (
	"slices"
	"strings"
	"time"
)

// SignupTTL is how long the link of a sign-up works.
const SignupTTL = 24 * time.Hour

// Signup is somebody who would like to try, and whose address is not proven yet.
type Signup struct {
	Hash      Hash // of the secret in the link
	Browser   Hash // of the secret that the signing browser keeps: it need not ask for the password again
	Email     string
	Name      string
	Password  string // argon2id, in PHC form
	Company   string
	Industry  Industry
	TimeZone  string
	Code      string // of the partner who brought it; empty = nobody
	CreatedAt time.Time
	ExpiresAt time.Time
}

// TrialKey is what may have one trial: the company's domain, or the whole address where the domain is one that strangers share. What
// follows a plus sign in an address is its owner's own note and makes no other person. domain is the registrable one of the address.
func (p Plans) TrialKey(email, domain string) string {
	if !slices.Contains(p.PublicMails, domain) {
		return domain
	}
	local, host, _ := strings.Cut(email, "@")
	local, _, _ = strings.Cut(local, "+")
	return local + "@" + host
}

// Slug makes a slug out of a name: "Hart & Okafor Law" is hart-okafor-law. A name without letters gives "tenant".
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
