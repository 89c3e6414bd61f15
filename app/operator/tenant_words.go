package operator

import (
	"strconv"
	"time"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
	pages "carillon/views/operator"
)

const (
	stateLabel     = "State"
	noPlan         = "No plan, no limits"
	trialPlan      = "A trial of the smallest plan"
	suspendTitle   = "Suspend"
	resumeTitle    = "Resume"
	lookTitle      = "Open the console"
	whyLabel       = "Reason"
	whyHelp        = "The people of the tenant read it in their console."
	wrongUntil     = "Give a day that is still to come, or leave the field empty."
	wrongPlan      = "There is no such plan. Choose one of the list."
	withoutConsent = "without its consent"
	paysStripe     = "This tenant pays through Stripe. Cancel that subscription there first."
)

var tenantWords = page.Words{
	Name: "Tenants", Path: pages.PathTenants, CSV: pages.PathTenantsCSV, File: "tenants",
	Search: "Name, plan, industry, id or an owner’s email", One: "tenant", Many: "tenants",
	Sorts: []page.Sort{{Key: "name", Text: "Name, A to Z"}, {Key: "-name", Text: "Name, Z to A"},
		{Key: "-rings", Text: "Most rings first"}, {Key: "-calls", Text: "Most calls first"},
		{Key: "answered", Text: "Fewest answered first"}, {Key: "-devices", Text: "Most devices first"},
		{Key: "-last", Text: "Last ring first"}, {Key: "-alerts", Text: "Most alerts first"}, {Key: "-created", Text: "Newest first"},
		{Key: "plan", Text: "Plan, A to Z"}, {Key: "-plan", Text: "Plan, Z to A"}},
	Empty: views.Empty{Icon: views.IconWorld, Text: "No tenants yet. Make one with “carillon tenant create”, or let people sign up."},
}

func stateChoices() []views.Choice {
	return []views.Choice{{Value: "", Text: "Any state"}, {Value: string(tenants.TenantActive), Text: "Active"},
		{Value: string(tenants.TenantSuspended), Text: "Suspended"}, {Value: "trouble", Text: "Plan ended"}}
}

// standings say what a subscription allows.
var standings = map[tenants.Standing]string{
	tenants.StandingOpen: "No limits", tenants.StandingTrial: "Trial", tenants.StandingPaid: "Active",
	tenants.StandingGrace: "Payment failed", tenants.StandingEnding: "Cancelled", tenants.StandingOver: "Ended",
}

func planName(t overview) string {
	if t.Subscription == nil {
		return "No plan"
	}
	if t.may.Plan.Name == "" {
		return t.Subscription.Plan
	}
	return t.may.Plan.Name
}

func planCode(t overview) string {
	if t.Subscription == nil {
		return "none"
	}
	return t.Subscription.Plan
}

func stateOfTenant(t tenants.Tenant) pages.State {
	if t.State == tenants.TenantActive {
		return pages.State{Word: "Active", Tone: views.ToneGood, Icon: views.IconCheck}
	}
	return pages.State{Word: "Suspended", Tone: views.ToneBad, Icon: views.IconBan}
}

func count(n int64) string { return tenants.FormatCount(n) }

func plain(n int64) string { return strconv.FormatInt(n, 10) }

func percentCell(c tenants.Counts) string {
	if c.Over() == 0 {
		return ""
	}
	return strconv.FormatFloat(100*share(c), 'f', 1, 64)
}

// tenantStats are the sums over all tenants.
func tenantStats(all []overview) []views.Stat {
	var sum tenants.Counts
	var devices, alerts, suspended int64
	for _, t := range all {
		sum = sum.Add(t.Counts)
		devices += t.Devices
		alerts += t.Alerts
		if t.Tenant.State != tenants.TenantActive {
			suspended++
		}
	}
	return []views.Stat{
		{Label: "Tenants", Value: count(int64(len(all))), Note: count(suspended) + " suspended, " + count(devices) + " devices"},
		{Label: "Rings this month", Value: count(sum.Rings), Note: "of all tenants, since the first, UTC"},
		{Label: "Answered", Value: views.Percent(int(sum.Answered), int(sum.Over())), Note: count(sum.Answered) + " calls"},
		{Label: "Open alerts", Value: count(alerts), Note: "of all tenants", Href: pages.PathTenants + "?sort=-alerts"},
	}
}

// statsOf are the figures of a tenant this month.
func statsOf(t overview) []views.Stat {
	return []views.Stat{
		{Label: "Rings this month", Value: count(t.Counts.Rings), Note: "since the first, UTC"},
		{Label: "Calls", Value: count(t.Counts.Answered), Note: views.Percent(int(t.Counts.Answered), int(t.Counts.Over())) + " answered"},
		{Label: "Refused by Apple", Value: count(t.Counts.Refused), Note: "of " + count(t.Counts.Refused+t.Counts.Accepted) + " pushes"},
		{Label: "Devices", Value: count(t.Devices), Note: "active"},
	}
}

func noticesOf(t tenants.Tenant, may tenants.Entitlement) (all []views.Callout) {
	if t.State != tenants.TenantActive {
		n := views.Callout{Tone: views.ToneBad, Title: "This tenant is suspended.", Cure: "Choose “Resume” when the reason is gone."}
		if t.SuspendedWhy != "" {
			n.Cause = "Its people read: " + page.Sentence(t.SuspendedWhy)
		}
		all = append(all, n)
	}
	for _, w := range may.Warnings() {
		n := views.Callout{Tone: views.ToneWarn, Title: w.Text}
		if w.Hard {
			n.Tone = views.ToneBad
		}
		all = append(all, n)
	}
	return all
}

func factsOf(t overview) []views.Row {
	return []views.Row{
		{Name: "State", Text: stateOfTenant(t.Tenant).Word}, {Name: "Industry", Text: t.Tenant.File().Name},
		{Name: "Short name", Text: t.Tenant.Slug, Mono: true}, {Name: "Time zone", Text: t.Tenant.TimeZone},
		{Name: "People", Text: count(t.People)}, {Name: "Operators may look", Text: lookShown(t.Tenant)},
		{Name: "Created", When: at(t.Tenant.CreatedAt)}, lastRing(t),
		{Name: "ID", Text: string(t.Tenant.ID), Copy: true},
	}
}

func lastRing(t overview) views.Row {
	if t.LastRing.IsZero() {
		return views.Row{Name: "Last ring", Text: "never"}
	}
	return views.Row{Name: "Last ring", When: at(t.LastRing)}
}

func planRows(t overview, may tenants.Entitlement) []views.Row {
	rows := []views.Row{{Name: "Plan", Text: planName(t)}, {Name: "State", Text: standings[may.Standing]}}
	if t.Subscription == nil {
		return rows
	}
	if !may.Until.IsZero() {
		rows = append(rows, views.Row{Name: "Until", When: at(may.Until)})
	}
	of := func(used, most int64) string {
		if most == 0 {
			return count(used) + ", no limit"
		}
		return count(used) + " of " + count(most)
	}
	rows = append(rows, views.Row{Name: "Counted rings", Text: of(may.Usage.Rings, may.Plan.Rings)},
		views.Row{Name: "Devices", Text: of(may.Usage.Devices, may.Plan.Devices)},
		views.Row{Name: "People", Text: of(may.Usage.People, may.Plan.People)})
	if t.Subscription.Customer != "" {
		rows = append(rows, views.Row{Name: "Customer at Stripe", Text: t.Subscription.Customer, Copy: true})
	} else {
		rows = append(rows, views.Row{Name: "Given by", Text: "an operator"})
	}
	return rows
}

// ownersOf names the owners, so that an operator knows whom to write to.
func ownersOf(all []tenants.Member) (rows []views.Row) {
	for _, m := range all {
		if m.Role == tenants.Owner {
			rows = append(rows, views.Row{Name: m.Name, Text: m.Email, Copy: true})
		}
	}
	return rows
}

// healthOf says which Apple credentials work, without naming an app.
func healthOf(all []tenants.Credential, now time.Time) []views.Row {
	active, failed, ending := 0, 0, 0
	for _, c := range all {
		if c.State != tenants.CredentialActive {
			continue
		}
		active++
		if c.LastError != "" && c.LastErrorAt.After(c.LastUsedAt) {
			failed++
		}
		if !c.NotAfter.IsZero() && c.NotAfter.Sub(now) < endsSoon {
			ending++
		}
	}
	return []views.Row{{Name: "Apple credentials", Text: count(int64(active)) + " active"},
		{Name: "Last push refused", Text: count(int64(failed))}, {Name: "Expire within 30 days", Text: count(int64(ending))}}
}

// endsSoon is from when on a certificate is shown as about to end.
const endsSoon = 30 * 24 * time.Hour

func alertRows(all []tenants.Alert) (rows []views.Row) {
	for _, a := range all {
		rows = append(rows, views.Row{Name: a.Kind.Title(), When: at(a.FirstAt)})
	}
	return rows
}

func consequenceOf(t overview) []string {
	return []string{
		views.Plural(int(t.Devices), "device stops", "devices stop") + " ringing at once.",
		"Its keys are refused, and its people see only the reason.",
		"Nothing is deleted. “Resume” brings everything back.",
		"Both audit logs say that you did it.",
	}
}

func resumeQuestion(t tenants.Tenant) views.Confirm {
	return views.Confirm{ID: "resume", Title: "Resume " + t.Name + "?",
		Consequence: []string{"Its keys, phones and people work again at once.", "Both audit logs say that you did it."},
		Action:      pages.ResumePath(string(t.ID)), Button: "Resume", Back: pages.TenantPath(string(t.ID))}
}

// standingShown is what the list says of a plan; nothing where there is none, or all is well.
func standingShown(t overview) string {
	switch t.may.Standing {
	case tenants.StandingOpen, tenants.StandingPaid:
		return ""
	}
	return standings[t.may.Standing]
}

// lookShown says whether the tenant let operators look at its console.
func lookShown(t tenants.Tenant) string {
	if t.LookUntil.IsZero() {
		return "no"
	}
	return "until " + t.LookUntil.UTC().Format("2 Jan 2006, 15:04")
}
