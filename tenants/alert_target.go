package tenants

import (
	"net/url"
	"slices"
	"strings"
	"time"
)

// TargetKind is how alerts reach somebody.
type TargetKind string

// The closed list of kinds.
const (
	TargetMail    TargetKind = "email"   // the members with some roles
	TargetWebhook TargetKind = "webhook" // JSON, signed as Standard Webhooks
	TargetChat    TargetKind = "chat"    // an incoming webhook of Slack, or of a service that takes the same JSON
)

// TargetKinds lists the kinds, in the order in which people are offered them.
var TargetKinds = []TargetKind{TargetMail, TargetWebhook, TargetChat}

// Name is the kind for people.
func (k TargetKind) Name() string {
	switch k {
	case TargetMail:
		return "Email"
	case TargetWebhook:
		return "Webhook"
	}
	return "Slack-compatible"
}

// AlertTarget is where alerts are sent.
type AlertTarget struct {
	ID        AlertTargetID
	Tenant    TenantID
	Kind      TargetKind
	Name      string
	Roles     []Role // of an email target
	All       bool   // gets every alert; else those of the rules that name it
	Shown     string // what of the address may be shown: scheme and host
	CreatedAt time.Time

	TriedAt time.Time // zero = never
	Answer  string    // what the far end answered, as a sentence
	Good    bool      // the last try arrived
}

// Check refuses a target whose fields break a rule, naming every wrong one. address is that of a
// webhook or chat target.
func (t AlertTarget) Check(address string) error {
	var f faults
	f.add(ValidText(t.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(slices.Contains(TargetKinds, t.Kind), "kind", "one of "+listed(TargetKinds))
	if t.Kind == TargetMail {
		f.add(len(t.Roles) > 0, "roles", "at least one role")
		for _, r := range t.Roles {
			f.add(r.May(AlertsRead), "roles", "roles that may read alerts")
		}
		return f.err()
	}
	u, err := url.Parse(address)
	f.add(err == nil && u.Host != "" && len(address) <= maxAgentURL && (u.Scheme == "https" || u.Scheme == "http"), "url",
		"a complete address such as https://example.com/alerts, at most 2,048 characters")
	return f.err()
}

// ShownAddress is what may be shown of an address: its path is often a secret.
func ShownAddress(address string) string {
	u, err := url.Parse(address)
	if err != nil {
		return ""
	}
	return strings.ToLower(u.Scheme + "://" + u.Host)
}

// AlertNews is what is sent to a target: an alert was opened, or closed.
type AlertNews struct {
	ID     string    `json:"id"` // the same over retries
	State  string    `json:"state"`
	Alert  AlertKind `json:"alert"`
	Target string    `json:"target,omitempty"`
	Title  string    `json:"title"`
	Detail string    `json:"detail,omitempty"`
	At     time.Time `json:"at"`
	Test   bool      `json:"test,omitempty"`
}

// Retries of a send to a target, and how long each waits. After the last it is given up.
var targetPauses = []time.Duration{30 * time.Second, 2 * time.Minute, 10 * time.Minute, 30 * time.Minute, 2 * time.Hour}

// TargetPause is how long a send waits after so many tries; false = it is given up.
func TargetPause(tries int) (time.Duration, bool) {
	if tries < 1 || tries > len(targetPauses) {
		return 0, false
	}
	return targetPauses[tries-1], true
}

// targetFails is after how many tries a target counts as failing.
const targetFails = 2

// TargetFails reports whether a target that failed so often in a row needs somebody's attention.
func TargetFails(tries int) bool { return tries >= targetFails }

// TargetWarning says in a sentence or two that a target gets no alerts.
func TargetWarning(name, cause string) string {
	return "Alerts do not reach “" + name + "”. The latest cause: " + strings.TrimSuffix(cause, ".") + "."
}
