package console

import (
	"strconv"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

const (
	wrongDays           = "Enter a whole number of days. 0 means for ever, where that is allowed."
	wrongQuiet          = "Enter two times of day that differ, such as 21:00 and 08:00, and tick at least one day."
	unconfirmedDeletion = "Older data would be deleted, and cannot be brought back. Tick the box to confirm."
)

// dataNames say the kinds of data for people.
var dataNames = map[tenants.DataKind]string{
	tenants.DataRings: "Rings", tenants.DataRecordings: "Recordings", tenants.DataNotes: "Notes", tenants.DataAudits: "Audit log",
	tenants.DataRequests: "Requests of API keys",
}

// ruleDraw draws the rules of a tenant.
type ruleDraw struct {
	set     tenants.RuleSet
	is      tenants.Rules // what holds
	changes *tenants.RuleChanges
	edit    ruleEdit
	most    int // days for which rings are stored at most
}

func (d ruleDraw) groups() []views.RuleGroup {
	keep := views.RuleGroup{Title: "How long data is kept"}
	for _, kind := range tenants.DataKinds {
		keep.Rules = append(keep.Rules, d.retention(kind))
	}
	return []views.RuleGroup{
		{Title: "What a notification shows", Rules: []views.RuleRow{d.payload()}},
		{Title: "Who is rung, and when", Rules: []views.RuleRow{d.quiet(), d.consent()}},
		{Title: "Recordings", Rules: []views.RuleRow{d.reason()}},
		keep,
	}
}

// staleRule explains a stored change that the file of the industry does not allow any more.
const staleRule = "You changed this rule earlier. Your change is outside of what your industry allows now, so the default holds. " +
	"Save another value, or go back to the default."

// row is a rule's title, value and where it comes from.
func (d ruleDraw) row(id, title, now string, law, changed bool, why, cite, back string) views.RuleRow {
	r := views.RuleRow{ID: id, Title: title, Now: now, By: "Industry default", Tone: views.ToneNeutral, Icon: views.IconCheck, Why: why,
		Cite: cite}
	if law {
		r.By, r.Tone, r.Icon = "Law", views.ToneInfo, views.IconLock
	}
	if changed {
		r.By, r.Tone, r.Icon, r.Back = "Changed by you", views.ToneWarn, views.IconEdit, back
	}
	if one := d.changes.Each()[id]; one != nil {
		if err := d.set.Check(one); err != nil {
			r.By, r.Stale = "Your change has no effect", staleRule
		}
	}
	if d.edit.id == id {
		r.Error = d.edit.wrong.Msg
		for _, text := range d.edit.wrong.Fields {
			r.Error = text
		}
	}
	return r
}

// shown are the rules in the form of a rule: as typed where it was refused.
func (d ruleDraw) shown(id string) tenants.Rules {
	if d.edit.id == id && d.edit.wrong.Msg != "" {
		return d.edit.typed
	}
	return d.is
}

func pickPart(id, label, chosen string, choices ...views.Choice) []views.FormPart {
	return []views.FormPart{{Pick: &views.Pick{Name: id, Label: label, Prefix: "rule-", Choices: page.Choose(chosen, choices...)}}}
}

var (
	payloadNames = map[tenants.Payload]string{tenants.PayloadLabel: "IDs and a caller label", tenants.PayloadOpaque: "IDs only, no names"}
	consentNames = map[tenants.Consent]string{tenants.ConsentNone: "Everybody can be rung",
		tenants.ConsentRecorded: "Only people whose consent is recorded"}
)

func (d ruleDraw) payload() views.RuleRow {
	rule := d.set.Payload
	r := d.row("payload", "Caller in the push", payloadNames[d.is.Payload], rule.Law, d.changes != nil && d.changes.Payload != nil,
		rule.Why, rule.Source, payloadNames[rule.Value])
	if rule.Law {
		r.Fixed = "This cannot be loosened: with a name in the push, a locked phone would show it to anyone."
		return r
	}
	r.Parts = pickPart("payload", "A push contains", string(d.shown("payload").Payload),
		page.Choice(string(tenants.PayloadLabel), payloadNames[tenants.PayloadLabel]),
		page.Choice(string(tenants.PayloadOpaque), payloadNames[tenants.PayloadOpaque]))
	return r
}

func (d ruleDraw) consent() views.RuleRow {
	rule := d.set.Consent
	r := d.row("consent", "Consent", consentNames[d.is.Consent], rule.Law, d.changes != nil && d.changes.Consent != nil, rule.Why,
		rule.Source, consentNames[rule.Value])
	if rule.Law {
		r.Fixed = "This cannot be loosened."
		return r
	}
	r.Parts = pickPart("consent", "Before a person is rung", string(d.shown("consent").Consent),
		page.Choice(string(tenants.ConsentNone), consentNames[tenants.ConsentNone]),
		page.Choice(string(tenants.ConsentRecorded), consentNames[tenants.ConsentRecorded]))
	return r
}

func reasonName(needed bool) string {
	if needed {
		return "A written reason is needed to record calls"
	}
	return "No reason is needed to record calls"
}

func (d ruleDraw) reason() views.RuleRow {
	rule := d.set.Reason
	r := d.row("recording_reason", "Reason for recordings", reasonName(d.is.Reason), rule.Law, d.changes != nil && d.changes.Reason != nil,
		rule.Why, rule.Source, reasonName(rule.Value))
	if rule.Law {
		r.Fixed = "This cannot be loosened."
		return r
	}
	chosen := "no"
	if d.shown("recording_reason").Reason {
		chosen = "yes"
	}
	r.Parts = pickPart("recording_reason", "A reason is needed", chosen, page.Choice("yes", "Yes"), page.Choice("no", "No"))
	return r
}

func quietName(q tenants.QuietHours) string {
	if q.None() {
		return "No quiet hours"
	}
	return "Nobody is rung " + q.String()
}

func (d ruleDraw) quiet() views.RuleRow {
	rule := d.set.Quiet
	r := d.row("quiet_hours", "Quiet hours", quietName(d.is.Quiet), rule.Law, d.changes != nil && d.changes.Quiet != nil, rule.Why,
		rule.Source, quietName(rule.Value))
	q := d.shown("quiet_hours").Quiet
	on, from, to := !q.None(), "21:00", "08:00"
	if on {
		from, to = tenants.Clock(q.From), tenants.Clock(q.To)
	} else {
		q.Days = tenants.EveryDay
	}
	days := views.FormPart{Legend: "On these days"}
	for i := range 7 {
		day := time.Weekday((i + 1) % 7) // weeks begin on Monday
		days.Ticks = append(days.Ticks, views.Tick{Name: "day", Value: strconv.Itoa(int(day)), Label: day.String()[:3],
			Checked: q.Days.Has(day)})
	}
	r.Parts = []views.FormPart{
		{Tick: &views.Tick{Name: "quiet", Value: "1", Checked: on, Label: "Ring nobody in these hours",
			Help: "By the clock of the person who would be rung."}},
		{Input: &views.Field{Name: "from", Label: "From", Type: "time", Value: from}},
		{Input: &views.Field{Name: "to", Label: "Until", Type: "time", Value: to}},
		days,
	}
	return r
}

func daysName(n int) string {
	if n == 0 {
		return "For ever"
	}
	return views.Plural(n, "day", "days")
}

// byMonth and byDay explain keptName.
const (
	byMonth = "Rings that are kept for 400 days are removed a month at a time, up to 32 days later."
	byDay   = "With fewer days, each ring is removed on its day."
)

// keptName is how long a kind of data is kept by a rule of n days, where rings are stored for most
// days at most: a time to the day, or from the rule up to the end of the month.
func keptName(kind tenants.DataKind, n, most int) string {
	if kind == tenants.DataRings && n == daysOf(store.RingsKept) && n < most {
		return strconv.Itoa(n) + " to " + strconv.Itoa(most) + " days"
	}
	return daysName(n)
}

func daysOf(d time.Duration) int { return int(d / (24 * time.Hour)) }

func (d ruleDraw) retention(kind tenants.DataKind) views.RuleRow {
	id, keep := "retention."+string(kind), d.set.Retention[kind]
	changed := false
	if d.changes != nil {
		_, changed = d.changes.Retention[kind]
	}
	why := keep.Why
	if kind == tenants.DataRings && d.most > daysOf(store.RingsKept) {
		why += " " + byMonth
		why += " " + byDay
	}
	r := d.row(id, dataNames[kind], keptName(kind, d.is.Retention[kind], d.most), keep.Law, changed, why, keep.Source, daysName(keep.Days))
	help := "From " + strconv.Itoa(keep.Least) + " to " + strconv.Itoa(keep.Most) + ". Your plan can keep recordings and notes shorter."
	switch {
	case keep.Most == 0:
		help = "At least " + strconv.Itoa(keep.Least) + ". 0 means for ever."
	case kind != tenants.DataRecordings && kind != tenants.DataNotes:
		help = "From " + strconv.Itoa(keep.Least) + " to " + strconv.Itoa(keep.Most) + "."
	}
	r.Parts = []views.FormPart{{Input: &views.Field{Name: "days", Label: "Days", Type: "number", Prefix: id + "-", Help: help,
		Value: strconv.Itoa(d.shown(id).Retention[kind])}}}
	if d.edit.id == id && d.edit.delete {
		r.Parts = append(r.Parts, views.FormPart{Tick: &views.Tick{Name: "delete", Value: "1", Prefix: id + "-",
			Label: "Delete what is older than " + daysName(d.edit.typed.Retention[kind])}})
	}
	return r
}
