package tenants

import (
	_ "embed" // the list of public mail domains
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

// Provider is a tenant's own OpenID provider, through which its people sign in.
type Provider struct {
	Issuer    string // its address, as it names itself in every token
	ClientID  string
	Secret    Secret   // of the client
	Domains   []string // of the addresses that it may vouch for, in lower case
	Role      Role     // at the first sign-in of somebody without an invitation
	OnlyWay   bool     // nobody but owners signs in with a password
	UpdatedAt time.Time
	Claims    []DomainClaim // one for each of Domains, as stored
}

// DomainClaim is a domain that a tenant says is theirs, and the proof. Until it is verified, the
// provider admits nobody new with its addresses.
type DomainClaim struct {
	Domain     string
	Token      string    // what the record must hold
	VerifiedAt time.Time // zero = the record was not found yet, or is gone
	LostAt     time.Time // since when the record counts as gone; zero = it does not
}

// DomainAnswer is what the DNS said about the record of a claim that was proved before.
type DomainAnswer int

// The answers.
const (
	DomainSilent   DomainAnswer = iota // the DNS did not answer, which says nothing about the record
	DomainProved                       // the record is there
	DomainUnproved                     // it is not
)

// DomainChecks are the checks of a proved domain that failed in a row, and when the next is due.
type DomainChecks struct {
	Failures int64
	Since    time.Time // the first of them; zero = none
	Next     time.Time
	Lost     bool // it counts as not verified from now on
}

// A domain that was sold may be verified by its new owner only when the old one has lost it. So it
// is looked up each week. A mistake in a DNS zone is seldom older than some days.
const (
	domainCheckEvery  = 7 * 24 * time.Hour
	domainCheckSoon   = 36 * time.Hour // after a failure, so that the third is three days after the first
	domainCheckSilent = time.Hour
	domainFailures    = 3
	domainFailing     = 3 * 24 * time.Hour
)

// Then is the checks with one more.
func (c DomainChecks) Then(a DomainAnswer, now time.Time) DomainChecks {
	switch a {
	case DomainProved:
		return DomainChecks{Next: now.Add(domainCheckEvery)}
	case DomainUnproved:
		if c.Failures == 0 {
			c.Since = now
		}
		c.Failures++
		c.Next = now.Add(domainCheckSoon)
		c.Lost = c.Failures >= domainFailures && now.Sub(c.Since) >= domainFailing
	default:
		c.Next = now.Add(domainCheckSilent)
	}
	return c
}

// DomainWarning says that a domain counts as not verified any more, and what to do.
func DomainWarning(d DomainClaim) string {
	return "The TXT record that proves " + d.Domain + " was not found in 3 checks over 3 days. Your sign-in provider admits nobody new " +
		"with its addresses; members sign in as before. Add the record " + d.Record() + " to the DNS of " + d.Domain +
		" again, then choose “Check” under Settings, Sign-in."
}

// Record is the TXT record that proves the claim.
func (d DomainClaim) Record() string { return "carillon-domain=" + d.Token }

// Proves reports whether one of the domain's TXT records is the one of the claim.
func (d DomainClaim) Proves(records []string) bool {
	return d.Token != "" && slices.ContainsFunc(records, func(r string) bool { return strings.TrimSpace(r) == d.Record() })
}

// Identity is what a provider says about a person, after the answer was checked.
type Identity struct {
	Issuer  string
	Subject string // the provider's name of the person, which never changes
	Email   string // in its stored form; the provider says that it is verified
	Name    string
	At      time.Time // when the person last proved who they are to the provider; zero = it did not say
}

//go:embed public_mail.txt
var publicMailFile string

// publicMail are domains whose addresses anybody can have: they say nothing about an organisation.
var publicMail = strings.Fields(publicMailFile)

// isPublicMail reports whether the domain is one of publicMail, or below one.
func isPublicMail(domain string) bool {
	return slices.ContainsFunc(publicMail, func(p string) bool { return domain == p || strings.HasSuffix(domain, "."+p) })
}

var domainForm = regexp.MustCompile(`^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]$`)

// DomainOf is what follows the @ of an address in its stored form.
func DomainOf(email string) string { return email[strings.LastIndexByte(email, '@')+1:] }

// Takes reports whether the provider may vouch for the address.
func (p Provider) Takes(email string) bool {
	return strings.Contains(email, "@") && slices.Contains(p.Domains, DomainOf(email))
}

// Check refuses a provider whose fields break a rule. Whether its address may be reached is the
// dialer's to say.
func (p Provider) Check() error {
	var f faults
	u, err := url.Parse(p.Issuer)
	f.add(err == nil && u.Host != "" && u.RawQuery == "" && u.Fragment == "" && u.User == nil && len(p.Issuer) <= 300, "issuer",
		"the address of your provider, such as https://login.example.com, without a query")
	f.add(ValidText(p.ClientID, 1, 300), "client_id", "1 to 300 characters")
	f.add(len(p.Secret) >= 8 && len(p.Secret) <= 1000, "secret", "8 to 1,000 characters")
	f.add(len(p.Domains) > 0 && len(p.Domains) <= 20, "domains", "1 to 20 domains, such as example.com")
	for _, d := range p.Domains {
		f.add(len(d) <= 253 && domainForm.MatchString(d), "domains", "“"+d+"” is not a domain, such as example.com")
		f.add(!isPublicMail(d), "domains", "anybody can have an address at "+d+"; name a domain of your organisation")
	}
	f.add(p.Role.Known() && p.Role != Owner, "role", "a role of the list, but not owner")
	return f.err()
}
