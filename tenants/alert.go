package tenants

import (
	"fmt"
	"strings"
	"time"
)

// AlertKind is a fault that the tenant's people should know of before rings fail.
type AlertKind string

// The closed list of alerts, each with what its target names.
const (
	AlertTokensRefused AlertKind = "tokens_refused"      // credential: Apple refuses many of its tokens at once
	AlertCredential    AlertKind = "credential_refused"  // credential: Apple refuses it
	AlertExpiry        AlertKind = "credential_expiry"   // credential: its certificate ends soon
	AlertTooOften      AlertKind = "pushed_too_often"    // credential: Apple finds that we push, or sign, too often
	AlertBlocked       AlertKind = "app_blocked"         // app version: iOS has probably stopped waking it on several phones
	AlertUnshown       AlertKind = "app_does_not_report" // app version: it wakes and shows no call on several phones
	AlertPhone         AlertKind = "phone_shows_no_call" // device: its latest rings were not shown, and its app version is not the cause
	AlertAgent         AlertKind = "agent_not_attached"  // agent: it could not be attached to several of its latest calls
	AlertConnection    AlertKind = "connection_failing"  // connection: nothing arrives there
	AlertConnectionOff AlertKind = "connection_disabled" // connection: nothing is sent there any more
	AlertCalendar      AlertKind = "calendar_unread"     // connection: its calendar could not be read several times
	AlertDuty          AlertKind = "nobody_on_duty"      // group: nobody of it is on duty
	AlertKeyExpiry     AlertKind = "key_expiry"          // key: it expires soon
	AlertOfRule        AlertKind = "rule"                // alert rule: its figure passed the threshold
	AlertTargetFails   AlertKind = "target_failing"      // alert target: no alert reaches it
	AlertUsage         AlertKind = "plan_usage"          // "rings_80", "devices_100" …: so much of the plan is used
	AlertDomain        AlertKind = "domain_unproved"     // domain of the sign-in provider: its record is gone
	AlertTrial         AlertKind = "trial_cut"           // nothing: the tenant's trial ends early, because its card had one before
)

// AlertKinds lists every kind.
var AlertKinds = []AlertKind{AlertTokensRefused, AlertCredential, AlertExpiry, AlertTooOften, AlertBlocked, AlertUnshown, AlertPhone,
	AlertAgent, AlertConnection, AlertConnectionOff, AlertCalendar, AlertDuty, AlertKeyExpiry, AlertOfRule, AlertTargetFails, AlertTrial,
	AlertUsage, AlertDomain}

var alertTitles = map[AlertKind]string{
	AlertTokensRefused: "Apple refuses many device tokens of one credential",
	AlertCredential:    "Apple refuses a credential",
	AlertExpiry:        "A certificate is about to expire",
	AlertTooOften:      "Apple asks for fewer pushes",
	AlertBlocked:       "iOS has probably stopped waking the app",
	AlertUnshown:       "The app wakes but shows no call",
	AlertPhone:         "A phone does not show its calls",
	AlertAgent:         "An agent does not take its calls",
	AlertConnection:    "A connection does not take events",
	AlertConnectionOff: "A connection was disabled",
	AlertCalendar:      "A calendar cannot be read",
	AlertDuty:          "Nobody is on duty for a group",
	AlertKeyExpiry:     "An API key is about to expire",
	AlertOfRule:        "A figure passed its threshold",
	AlertTargetFails:   "Alerts do not reach a target",
	AlertUsage:         "The plan is nearly used up",
	AlertDomain:        "A domain is no longer verified",
	AlertTrial:         "The trial ends early: its card had one before",
}

// Title returns the kind as a short sentence for people.
func (k AlertKind) Title() string { return alertTitles[k] }

// Alert is one fault. There is one for each kind and target; raising it again increases Count.
type Alert struct {
	Tenant     TenantID
	Kind       AlertKind
	Target     string
	Detail     string // the latest: cause and cure in a sentence or two
	FirstAt    time.Time
	LastAt     time.Time
	Count      int64
	ResolvedAt time.Time // zero while it is open
	ToldAt     time.Time // when the last mail about it was sent; zero = never
}

// The limits that keep one mistake from disabling many devices: with a wrong environment or bundle
// id, Apple refuses all tokens of a credential, though the tokens are fine.
const (
	TokensRefusedWindow = 10 * time.Minute
	tokensRefusedLeast  = 10
	tokensRefusedShare  = 5 // one in five
)

// ManyTokensRefused reports whether the credential is at fault rather than its tokens: of the
// tokens pushed to within TokensRefusedWindow, at least ten and more than a fifth were refused.
func ManyTokensRefused(refused, pushed int) bool {
	return refused >= tokensRefusedLeast && refused*tokensRefusedShare > pushed
}

// AttachmentsJudged is how many of an agent's latest calls are looked at.
const AttachmentsJudged = 10

// attachFailuresLeast is how many of them must have begun without the agent for an alert.
const attachFailuresLeast = 3

// AgentFails reports whether an agent that could not be attached to so many of its last
// AttachmentsJudged calls needs somebody's attention.
func AgentFails(failed int) bool { return failed >= attachFailuresLeast }

// AgentWarning says in a sentence or two that an agent fails. cause is of the latest call.
func AgentWarning(name, cause string) string {
	return fmt.Sprintf("“%s” could not be attached to at least %d of its last %d calls. The latest cause: %s.", name, attachFailuresLeast,
		AttachmentsJudged, strings.TrimSuffix(cause, "."))
}

// ConnectionWarning says in a sentence or two that a connection fails.
func ConnectionWarning(name string, until time.Time) string {
	return fmt.Sprintf("Nothing has been delivered to “%s” for a day. Look at its attempts for the cause. If nothing arrives until "+
		"%s, it is "+
		"disabled.", name, until.UTC().Format("2 January 2006, 15:04 UTC"))
}

// ConnectionStopped says that a connection gets no more events. why is a sentence.
func ConnectionStopped(name, why string) string {
	return fmt.Sprintf("“%s” gets no more events. %s Once its receiver works again, make it active and send again what failed.",
		name, why)
}

// ExpirySteps are the days before a certificate expires on which its tenant is warned, the last
// first.
var ExpirySteps = []int{1, 7, 14, 30, 60}

// ExpiryStep returns the last warning step that a credential has passed: 60, 30, 14, 7 or 1 days,
// and 0 once it has expired. ok is false if it expires later than that, or never.
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

// Covers reports whether a credential can push to devices of its app in an environment. Auto covers
// both, and a device whose environment is not known is tried in both.
func (c Credential) Covers(host Environment) bool {
	return c.Environment == Auto || host == Auto || c.Environment == host
}

// Host returns the environment that a push with c to d is sent to first. A device whose environment
// is not known is tried only where c is valid.
func (c Credential) Host(d Device) Environment {
	if host := d.Host(); host != Auto {
		return host
	}
	return c.Environment
}

// DevicesLeftSilent counts the devices that cannot be rung without c. reach is the number of active
// devices of its app by environment; all are the tenant's credentials. A credential that does not
// outlast c does not count as a replacement.
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

// ExpiryWarning returns the warning of an ExpiryStep as a sentence for people.
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
		return fmt.Sprintf("The certificate of %s %s, and 1 device goes silent. Upload a new one, or better a .p8 key, which does not "+
			"expire.", c.Bundle, when)
	}
	return fmt.Sprintf("The certificate of %s %s, and %s devices go silent. Upload a new one, or better a .p8 key, which does not "+
		"expire.",
		c.Bundle, when, FormatCount(devices))
}
