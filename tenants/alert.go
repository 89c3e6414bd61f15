package tenants

import (
	"fmt"
	"time"
)

// AlertKind is something that is wrong and that somebody of the tenant should hear of before it is felt.
type AlertKind string

// The closed list of alerts, each with what its target names.
const (
	AlertTokensRefused AlertKind = "tokens_refused"      // credential: Apple refuses many of its tokens at once
	AlertCredential    AlertKind = "credential_refused"  // credential: Apple refuses it
	AlertExpiry        AlertKind = "credential_expiry"   // credential: its certificate ends soon
	AlertTooOften      AlertKind = "pushed_too_often"    // credential: Apple finds that we push, or sign, too often
	AlertBlocked       AlertKind = "app_blocked"         // app version: iOS has probably stopped waking it on several phones
	AlertUnshown       AlertKind = "app_does_not_report" // app version: it wakes and shows no call on several phones
	AlertTrial         AlertKind = "trial_cut"           // nothing: the tenant's trial ends early, because its card had one before
)

// AlertKinds lists every kind.
var AlertKinds = []AlertKind{AlertTokensRefused, AlertCredential, AlertExpiry, AlertTooOften, AlertBlocked, AlertUnshown, AlertTrial}

var alertTitles = map[AlertKind]string{
	AlertTokensRefused: "Apple refuses many device tokens of one credential",
	AlertCredential:    "Apple refuses a credential",
	AlertExpiry:        "A certificate is about to expire",
	AlertTooOften:      "Apple asks for fewer pushes",
	AlertBlocked:       "iOS has probably stopped waking the app",
	AlertUnshown:       "The app wakes and shows no call",
	AlertTrial:         "The trial ends early: its card had one before",
}

// Title is the kind as a person reads it.
func (k AlertKind) Title() string { return alertTitles[k] }

// Alert is one thing that is wrong. Raised again it grows; there is one for each kind and target.
type Alert struct {
	Tenant     TenantID
	Kind       AlertKind
	Target     string
	Detail     string // the latest: cause and cure in a sentence or two
	FirstAt    time.Time
	LastAt     time.Time
	Count      int64
	ResolvedAt time.Time // zero while it is open
	ToldAt     time.Time // when the tenant's people were last written to of it; zero = never
}

// The rule of the breaker against disabling many devices for one mistake: a wrong environment or bundle id makes Apple refuse all
// tokens of a credential, and none of them is to blame.
const (
	TokensRefusedWindow = 10 * time.Minute
	tokensRefusedLeast  = 10
	tokensRefusedShare  = 5 // one in five
)

// ManyTokensRefused reports whether so many of the tokens that were pushed to within TokensRefusedWindow were refused that the fault is the
// credential's: at least ten, and more than a fifth.
func ManyTokensRefused(refused, pushed int) bool {
	return refused >= tokensRefusedLeast && refused*tokensRefusedShare > pushed
}

// ExpirySteps are the days before a certificate's end at which its tenant is told, the last first.
var ExpirySteps = []int{1, 7, 14, 30, 60}

// ExpiryStep is the nearest step that a credential has passed on its way to its end: 60, 30, 14, 7, 1, and 0 when it is over. ok is
// false for one that has time, or no end.
func ExpiryStep(notAfter, now time.Time) (days int, ok bool) {
	if notAfter.IsZero() {
		return 0, false
	}
	left := notAfter.Sub(now)
	if left <= 0 {
		return 0, true
	}
	for _, d := range ExpirySteps {
		if left <= time.Duration(d)*24*time.Hour {
			return d, true
		}
	}
	return 0, false
}

// Covers reports whether a credential pushes to a device of its app that lives in an environment; auto covers both, and a device
// that has not told its own is tried in both.
func (c Credential) Covers(host Environment) bool {
	return c.Environment == Auto || host == Auto || c.Environment == host
}

// Host is where a push with c to d goes first: a device that has not told where it lives is looked for only where c may.
func (c Credential) Host(d Device) Environment {
	if host := d.Host(); host != Auto {
		return host
	}
	return c.Environment
}

// DevicesLeftSilent counts the devices that nothing would ring any more without c: reach is the number of living devices of its app by
// environment, all are the tenant's credentials. One that ends no later than c is no replacement.
func DevicesLeftSilent(c Credential, all []Credential, reach map[Environment]int) (devices int) {
	for host, n := range reach {
		if !c.Covers(host) {
			continue
		}
		covered := false
		for _, o := range all {
			lasts := o.NotAfter.IsZero() || !c.NotAfter.IsZero() && o.NotAfter.After(c.NotAfter)
			covered = covered || o.ID != c.ID && o.Bundle == c.Bundle && o.State == CredentialActive && o.Covers(host) && lasts
		}
		if !covered {
			devices += n
		}
	}
	return devices
}

// ExpiryWarning is the warning of a step, for a person.
func ExpiryWarning(c Credential, days, devices int) string {
	when := fmt.Sprintf("expires within %d days, on %s", days, c.NotAfter.Format(time.DateOnly))
	switch days {
	case 0:
		when = "expired on " + c.NotAfter.Format(time.DateOnly)
	case 1:
		when = "expires within a day, on " + c.NotAfter.Format(time.DateOnly)
	}
	switch devices {
	case 0:
		return fmt.Sprintf("The certificate of %s %s. Every device is covered by another credential.", c.Bundle, when)
	case 1:
		return fmt.Sprintf("The certificate of %s %s, and 1 device goes silent. Upload a new one, or better a .p8 key, which does not expire.", c.Bundle, when)
	}
	return fmt.Sprintf("The certificate of %s %s, and %s devices go silent. Upload a new one, or better a .p8 key, which does not expire.", c.Bundle, when, FormatCount(devices))
}
