package operator

import (
	"math"
	"strconv"
	"time"

	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/push"
	"carillon/tenants"
	"carillon/views"
	pages "carillon/views/operator"
)

const noMail = "This server sends no email: CARILLON_SMTP_URL is empty."

var mailWords = page.Words{
	Name: "Emails that failed", Path: pages.PathMails, CSV: pages.PathMailsCSV, File: "failed-emails",
	Search: "Recipient, subject or reason", One: "email", Many: "emails",
	Sorts: []page.Sort{{Key: "-at", Text: "Newest first"}, {Key: "at", Text: "Oldest first"}, {Key: "to", Text: "Recipient, A to Z"},
		{Key: "-to", Text: "Recipient, Z to A"}, {Key: "-tries", Text: "Most tries first"}},
	Empty: views.Empty{Icon: views.IconCheck, Text: "No email failed in the last 24 hours."},
}

func mailRows(all []notify.Failed) (rows []pages.MailRow) {
	for _, m := range all {
		rows = append(rows, pages.MailRow{ID: m.ID, To: m.To, Subject: m.Subject, Why: m.Why, At: at(m.At),
			Tries: triesOf(m.Tries)})
	}
	return rows
}

// What the filter of certificates can be set to; empty is those that end within 60 days, and those
// that have ended.
const (
	endedOnly = "ended"
	endsIn30  = "30"
	endsEver  = "any"
)

const endsLabel = "Ends"

func endsChoices() []views.Choice {
	return []views.Choice{{Value: "", Text: "Within 60 days"}, {Value: endsIn30, Text: "Within 30 days"},
		{Value: endedOnly, Text: "Ended"}, {Value: endsEver, Text: "At any time"}}
}

var endingWords = page.Words{
	Name: "Certificates", Path: pages.PathEnding, CSV: pages.PathEndingCSV, File: "certificates",
	Search: "Tenant, id or environment", One: "certificate", Many: "certificates",
	Sorts: []page.Sort{{Key: "ends", Text: "First to end first"}, {Key: "-ends", Text: "Last to end first"},
		{Key: "name", Text: "Tenant, A to Z"}, {Key: "-name", Text: "Tenant, Z to A"}},
	Empty: views.Empty{Icon: views.IconCheck, Text: "No certificate ends within 60 days."},
}

var environments = map[tenants.Environment]string{
	tenants.Auto: "Both", tenants.Sandbox: "Sandbox", tenants.Production: "Production",
}

func endingStats(all []certificate, now time.Time) []views.Stat {
	n := func(rows []certificate) string { return views.Count(len(rows)) }
	chosen := func(word string) string { return pages.PathEnding + "?ends=" + word }
	return []views.Stat{
		{Label: "Ended", Value: n(within(all, now)), Note: "Apple refuses their pushes", Href: chosen(endedOnly)},
		{Label: "Within 30 days", Value: n(within(all, now.Add(endsSoon))), Note: "those that ended too", Href: chosen(endsIn30)},
		{Label: "Within 60 days", Value: n(within(all, now.Add(endsShown))), Note: "those that ended too", Href: pages.PathEnding},
		{Label: "In use", Value: n(all), Note: "keys (.p8) do not end", Href: chosen(endsEver)},
	}
}

// daysOf are the whole days of a time, below zero after its end.
func daysOf(d time.Duration) int64 { return int64(math.Floor(d.Hours() / 24)) }

// leftShown says how long a certificate still works.
func leftShown(d time.Duration) string {
	switch days := int(daysOf(d)); {
	case d <= 0:
		return "ended"
	case days == 0:
		return "today"
	default:
		return "in " + views.Plural(days, "day", "days")
	}
}

func endingRows(all []certificate, now time.Time) (rows []views.Row) {
	for _, x := range all {
		rows = append(rows, views.Row{Name: x.of.Name, Text: endsOn(x.NotAfter, now), Href: pages.TenantPath(string(x.Tenant))})
	}
	return rows
}

var teamWords = page.Words{
	Name: "Apple’s answers by team", Path: pages.PathTeams, CSV: pages.PathTeamsCSV, File: "apple-answers", Search: "Team id",
	One: "team", Many: "teams",
	Sorts: []page.Sort{{Key: "-hour", Text: "Most errors in the last hour first"}, {Key: "-day", Text: "Most errors in 24 hours first"},
		{Key: "-budget", Text: "Most of the budget used first"}, {Key: "-pushes", Text: "Most pushes first"},
		{Key: "team", Text: "Team, A to Z"}, {Key: "-team", Text: "Team, Z to A"}},
	Empty: views.Empty{Icon: views.IconActivity, Text: "No pushes in the last 24 hours."},
}

// badShare is the budget of errors that are the sender's: from this share of the pushes on, a team
// is marked.
const badShare = 0.05

// budgetUsed is how much of the budget of errors is used, 1 = all of it. An error of Apple's own,
// and no answer at all, say nothing about what the team sends.
func budgetUsed(a push.Answers) float64 {
	if a.Sum() == 0 {
		return 0
	}
	return float64(a.Limited+a.Refused) / float64(a.Sum()) / badShare
}

// budgetCell is budgetUsed as a file has it, in percent without the sign.
func budgetCell(used float64) string { return strconv.FormatFloat(100*used, 'f', 1, 64) }

func teamName(t push.TeamAnswers) string {
	if t.Team == "" {
		return "other teams"
	}
	return t.Team
}

func teamRows(all []push.TeamAnswers) (rows []pages.TeamRow) {
	for _, t := range all {
		rows = append(rows, pages.TeamRow{Team: teamName(t), Hour: teamSpan(t.Hour), Day: teamSpan(t.Day),
			Budget: views.Percent(int(math.Round(budgetUsed(t.Day)*1000)), 1000), Over: budgetUsed(t.Day) > 1})
	}
	return rows
}

func inUse(n int) string { return views.Plural(n, "certificate", "certificates") + " in use" }

// firstOf says how many rows of a list a page shows: "5 of 37 emails".
func firstOf(shown, all int, one, many string) string {
	if shown == all {
		return views.Plural(all, one, many)
	}
	return views.Count(shown) + " of " + views.Plural(all, one, many)
}
