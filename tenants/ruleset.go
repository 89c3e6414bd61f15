package tenants

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
)

// RuleSet are the rules of an industry, as its file has them.
type RuleSet struct {
	Payload   Rule[Payload]     `json:"payload"`
	Quiet     Rule[QuietHours]  `json:"quiet_hours"`
	Consent   Rule[Consent]     `json:"consent"`
	Reason    Rule[bool]        `json:"recording_reason"`
	Retention map[DataKind]Keep `json:"retention"`
}

// Rule is one rule of an industry. What is law can only be made stricter by a tenant.
type Rule[T any] struct {
	Value  T      `json:"value"`
	Law    bool   `json:"law,omitempty"`
	Why    string `json:"why"`              // one sentence for people
	Source string `json:"source,omitempty"` // of the law, or of what the default follows
}

// Keep is how long a kind of data is kept. A tenant chooses between Least and Most.
type Keep struct {
	Days   int    `json:"days"` // 0 = for ever
	Least  int    `json:"least"`
	Most   int    `json:"most"` // 0 = no bound
	Law    bool   `json:"law,omitempty"`
	Why    string `json:"why"`
	Source string `json:"source,omitempty"`
}

// May reports whether so many days are within the bounds.
func (k Keep) May(days int) bool {
	if days == 0 {
		return k.Most == 0
	}
	return days >= k.Least && (k.Most == 0 || days <= k.Most)
}

// RuleChanges are the rules that a tenant has changed. They are stored as JSON.
type RuleChanges struct {
	Payload   *Payload         `json:"payload,omitempty"`
	Quiet     *QuietHours      `json:"quiet_hours,omitempty"`
	Consent   *Consent         `json:"consent,omitempty"`
	Reason    *bool            `json:"recording_reason,omitempty"`
	Retention map[DataKind]int `json:"retention,omitempty"`
}

// Empty reports whether nothing was changed.
func (c *RuleChanges) Empty() bool {
	return c == nil || c.Payload == nil && c.Quiet == nil && c.Consent == nil && c.Reason == nil && len(c.Retention) == 0
}

// Keep changes how many days a kind of data is kept.
func (c *RuleChanges) Keep(kind DataKind, days int) {
	if c.Retention == nil {
		c.Retention = map[DataKind]int{}
	}
	c.Retention[kind] = days
}

// Since leaves the changes that are others than before.
func (c *RuleChanges) Since(before *RuleChanges) *RuleChanges {
	var was, out RuleChanges
	if before != nil {
		was = *before
	}
	out.Payload = unlike(c.Payload, was.Payload)
	out.Quiet = unlike(c.Quiet, was.Quiet)
	out.Consent = unlike(c.Consent, was.Consent)
	out.Reason = unlike(c.Reason, was.Reason)
	for kind, days := range c.Retention {
		if old, ok := was.Retention[kind]; !ok || old != days {
			out.Keep(kind, days)
		}
	}
	return &out
}

// unlike is a, or nil where b says the same.
func unlike[T comparable](a, b *T) *T {
	if a != nil && b != nil && *a == *b {
		return nil
	}
	return a
}

// Each gives every change as one of its own, by the name of its rule.
func (c *RuleChanges) Each() map[string]*RuleChanges {
	out := map[string]*RuleChanges{}
	if c == nil {
		return out
	}
	for id, one := range map[string]*RuleChanges{"payload": {Payload: c.Payload}, "quiet_hours": {Quiet: c.Quiet},
		"consent": {Consent: c.Consent}, "recording_reason": {Reason: c.Reason}} {
		if !one.Empty() {
			out[id] = one
		}
	}
	for kind, days := range c.Retention {
		out["retention."+string(kind)] = &RuleChanges{Retention: map[DataKind]int{kind: days}}
	}
	return out
}

// strictChanges stand in for stored changes that cannot be read.
func strictChanges() *RuleChanges {
	opaque, consent, reason := PayloadOpaque, ConsentRecorded, true
	return &RuleChanges{Payload: &opaque, Consent: &consent, Reason: &reason}
}

// strictRules hold where the industry of a tenant is not known.
func strictRules() RuleSet {
	const why = "This server has no file for your industry."
	r := RuleSet{
		Payload: Rule[Payload]{Value: PayloadOpaque, Law: true, Why: why}, Quiet: Rule[QuietHours]{Why: why},
		Consent: Rule[Consent]{Value: ConsentNone, Why: why}, Reason: Rule[bool]{Value: true, Law: true, Why: why},
		Retention: map[DataKind]Keep{},
	}
	for _, kind := range DataKinds {
		r.Retention[kind] = Keep{Days: 400, Least: 400, Most: 400, Why: why}
	}
	r.Retention[DataAudits] = Keep{Why: why}
	return r
}

// Check refuses changes that are outside of what the rules allow. It names each one.
func (r RuleSet) Check(c *RuleChanges) error {
	var f faults
	if c == nil {
		return nil
	}
	if c.Payload != nil {
		f.add(slices.Contains(payloads, *c.Payload), "payload", "label or opaque")
		f.add(!r.Payload.Law || stricterPayload(*c.Payload, r.Payload.Value), "payload", r.Payload.kept("names must stay out of the push"))
	}
	if c.Quiet != nil {
		f.add(c.Quiet.valid(), "quiet_hours", "two times of day that differ, such as 21:00 and 08:00, and at least one day; or none")
		f.add(!r.Quiet.Law || c.Quiet.covers(r.Quiet.Value), "quiet_hours",
			r.Quiet.kept("the quiet hours can be made longer, not shorter"))
	}
	if c.Consent != nil {
		f.add(slices.Contains(consents, *c.Consent), "consent", "none or recorded")
		f.add(!r.Consent.Law || *c.Consent == r.Consent.Value || *c.Consent == ConsentRecorded, "consent",
			r.Consent.kept("consent must be recorded"))
	}
	f.add(c.Reason == nil || !r.Reason.Law || *c.Reason || !r.Reason.Value, "recording_reason", r.Reason.kept("a reason must be given"))
	for _, kind := range slices.Sorted(maps.Keys(c.Retention)) {
		keep, ok := r.Retention[kind]
		f.add(ok, "retention."+string(kind), "one of "+listed(DataKinds))
		f.add(!ok || keep.May(c.Retention[kind]), "retention."+string(kind), keep.bounds())
	}
	return f.err()
}

// kept says why a rule cannot be loosened.
func (r Rule[T]) kept(what string) string { return what + ": " + r.Why }

func (k Keep) bounds() string {
	switch {
	case k.Most == 0:
		return fmt.Sprintf("at least %d days, or 0 for ever: %s", k.Least, k.Why)
	case k.Least == k.Most:
		return fmt.Sprintf("%d days: %s", k.Most, k.Why)
	}
	return fmt.Sprintf("%d to %d days: %s", k.Least, k.Most, k.Why)
}

var (
	payloads = []Payload{PayloadLabel, PayloadOpaque}
	consents = []Consent{ConsentNone, ConsentRecorded}
)

func stricterPayload(a, than Payload) bool { return a == than || a == PayloadOpaque }

// With applies the changes that are within what the rules allow. A stored change that is not, for
// instance because the file was changed later, has no effect.
func (r RuleSet) With(c *RuleChanges) Rules {
	out := Rules{Payload: r.Payload.Value, Quiet: r.Quiet.Value, Consent: r.Consent.Value, Reason: r.Reason.Value,
		Retention: make(map[DataKind]int, len(r.Retention))}
	for kind, keep := range r.Retention {
		out.Retention[kind] = keep.Days
	}
	if c == nil {
		return out
	}
	may := func(one RuleChanges) bool { return r.Check(&one) == nil }
	if c.Payload != nil && may(RuleChanges{Payload: c.Payload}) {
		out.Payload = *c.Payload
	}
	if c.Quiet != nil && may(RuleChanges{Quiet: c.Quiet}) {
		out.Quiet = *c.Quiet
	}
	if c.Consent != nil && may(RuleChanges{Consent: c.Consent}) {
		out.Consent = *c.Consent
	}
	if c.Reason != nil && may(RuleChanges{Reason: c.Reason}) {
		out.Reason = *c.Reason
	}
	for kind, days := range c.Retention {
		if keep, ok := r.Retention[kind]; ok && keep.May(days) {
			out.Retention[kind] = days
		}
	}
	return out
}

// Text is what is stored; "" = nothing was changed.
func (c *RuleChanges) Text() string {
	if c.Empty() {
		return ""
	}
	text, err := json.Marshal(c)
	if err != nil {
		return "" // plain values always marshal
	}
	return string(text)
}

// ParseRuleChanges reads what Text wrote. For a text that cannot be read the strictest rules hold.
func ParseRuleChanges(text string) *RuleChanges {
	if text == "" {
		return nil
	}
	var c RuleChanges
	if len(readStrict([]byte(text), &c)) > 0 {
		return strictChanges()
	}
	return &c
}
