package tenants

import (
	"crypto/rand"
	"math/big"
	"strings"
	"time"
)

// PartnerLinkTTL is how long a partner's sign-in link works.
const PartnerLinkTTL = 24 * time.Hour

// PartnerSignInTTL is how long a partner stays signed in.
const PartnerSignInTTL = 30 * 24 * time.Hour

// Partner is a person who refers tenants and is paid for it. Partners belong to the installation,
// not to a tenant.
type Partner struct {
	ID        PartnerID
	Code      string // in links and on the form of a trial; eight letters
	Email     string // lower case, proven by a link or vouched for by the operator
	Name      string
	Key       string // the Plans.TrialKey of this address
	User      UserID // the console account that also opens the partner dashboard; empty = none
	Payee     Payee
	CreatedAt time.Time
	StoppedAt time.Time // the operator stopped the partnership: links stop counting, earnings stay; zero = active
}

// SelfReferral returns why a sign-up counts as the partner's own; empty if it is someone else's.
// key is the sign-up's Plans.TrialKey: at a public mail domain only the same address counts as the
// partner's. user is the account that signed up, if it is known.
func (p Partner) SelfReferral(key string, user UserID) Refusal {
	switch {
	case user != "" && user == p.User:
		return RefusedPerson
	case key != p.Key:
		return ""
	case strings.Contains(key, "@"):
		return RefusedAddress
	}
	return RefusedCompany
}

// NewPartnerCode makes a code of eight letters and digits that are not easily confused.
func NewPartnerCode() string {
	out := make([]byte, 8)
	for i := range out {
		n, err := rand.Int(rand.Reader, big.NewInt(int64(len(letters))))
		if err != nil {
			panic(err) // crypto/rand does not fail since Go 1.24
		}
		out[i] = letters[n.Int64()]
	}
	return string(out)
}

// ParsePartnerCode reads a code as people type it: in either case, with spaces around it. ok is
// false if it cannot be a code.
func ParsePartnerCode(s string) (string, bool) {
	s = strings.ToUpper(strings.TrimSpace(s))
	if len(s) != 8 || strings.Trim(s, letters) != "" {
		return "", false
	}
	return s, true
}

// PayBy is the way in which a partner wants to be paid.
type PayBy string

// The ways to pay. The operator pays outside of Carillon and may agree on another way by mail.
const (
	PayByIBAN   PayBy = "iban"
	PayByPayPal PayBy = "paypal"
	PayByMail   PayBy = "mail" // the operator asks
)

// Payee is the person or company to pay, and how.
type Payee struct {
	Name    string // as the bank has it
	By      PayBy  // empty = not said yet
	Account string // an IBAN without spaces, or PayPal's mail address; empty for mail
}

// Clean returns the payee in its stored form.
func (p Payee) Clean() Payee {
	p.Name = strings.TrimSpace(p.Name)
	switch p.By {
	case PayByIBAN:
		p.Account = strings.ToUpper(strings.Join(strings.Fields(p.Account), ""))
	case PayByPayPal:
		p.Account = strings.ToLower(strings.TrimSpace(p.Account))
	case PayByMail:
		p.Account = ""
	}
	return p
}

// Check refuses a payee that cannot be paid, naming every wrong field.
func (p Payee) Check() error {
	var f faults
	f.add(ValidText(p.Name, 2, 100), "payee", "2 to 100 characters, as your bank has it")
	switch p.By {
	case PayByIBAN:
		f.add(validIBAN(p.Account), "account", "this is not an IBAN; check for a wrong digit")
	case PayByPayPal:
		_, ok := ParseEmail(p.Account)
		f.add(ok, "account", "the mail address of your PayPal account")
	case PayByMail:
	default:
		f.add(false, "by", "iban, paypal or mail")
	}
	return f.err()
}

// validIBAN checks length and check digits (ISO 13616: the rotated number, letters as 10 to 35,
// leaves 1 when divided by 97).
func validIBAN(s string) bool {
	if len(s) < 15 || len(s) > 34 {
		return false
	}
	for i, c := range []byte(s) {
		letter, digit := c >= 'A' && c <= 'Z', c >= '0' && c <= '9'
		if !letter && !digit || i < 2 && !letter || (i == 2 || i == 3) && !digit {
			return false
		}
	}
	rest := 0
	for _, c := range []byte(s[4:] + s[:4]) {
		if c <= '9' {
			rest = (rest*10 + int(c-'0')) % 97
		} else {
			rest = (rest*100 + int(c-'A') + 10) % 97
		}
	}
	return rest == 1
}
