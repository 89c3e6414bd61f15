package console

import (
	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

const (
	targetsLead = "A target gets alerts when they are opened and when they are closed: people by email, your own system by a signed " +
		"webhook, or a chat that takes Slack’s incoming webhooks."
	everyHelp    = "Also the alerts that Carillon raises by itself. Otherwise it gets the alerts of the rules that name it."
	targetFailed = "The latest try did not arrive."
	addressHelp  = "For a webhook or a chat. It is stored encrypted and not shown again. For another address, add another target."
)

// digestLead is what the page of the weekly mail says of it.
const digestLead = "Everybody who may read figures and alerts gets this email on Mondays at 8:00, in the time zone of the " +
	"organisation. It is about the week before. Each person can turn it off."

var alertTargetWords = page.Words{
	Name: "Alert targets", Path: views.PathAlertTargets, CSV: views.PathAlertTargetsCSV, File: "alert-targets",
	Search: "Name, kind or host", One: "target", Many: "targets",
	Empty: views.Empty{Icon: views.IconSend, Text: "A target gets alerts by email, webhook or chat."},
	Add:   views.Button{Text: "Add target", Href: views.PathAlertTargetAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "kind", Text: "By kind"}, page.Sort{Key: "-tried", Text: "Tried last"}, page.Sort{Key: "tried",
			Text: "Tried longest ago"}),
}

func targetNote(t tenants.AlertTarget) string {
	if t.Kind == tenants.TargetMail {
		text := t.Kind.Name() + " to"
		for i, r := range t.Roles {
			if i > 0 {
				text += ","
			}
			text += " " + r.Name()
		}
		return text
	}
	return t.Kind.Name() + " at " + t.Shown
}

func targetState(t tenants.AlertTarget) (views.Tone, string) {
	switch {
	case t.TriedAt.IsZero():
		return views.ToneNeutral, "Not tried yet"
	case t.Good:
		return views.ToneGood, "Arrives"
	}
	return views.ToneBad, "Fails"
}

func targetRows(t tenants.AlertTarget, v *page.Visitor) []views.Row {
	rows := []views.Row{{Name: "Kind", Text: t.Kind.Name()}}
	if t.Shown != "" {
		rows = append(rows, views.Row{Name: "Host", Text: t.Shown, Mono: true})
	}
	_, state := targetState(t)
	rows = append(rows, views.Row{Name: "State", Text: state})
	if !t.TriedAt.IsZero() {
		rows = append(rows, views.Row{Name: "Latest answer", Text: t.Answer}, views.Row{Name: "Last try", Text: v.At(t.TriedAt).Text})
	}
	return rows
}

// targetGoes is what happens when a target is removed.
func targetGoes(rules int) []string {
	out := []string{"It gets no more alerts, also those that wait to be sent."}
	if rules > 0 {
		out = append(out, views.Plural(rules, "rule names it and sends elsewhere only.", "rules name it and send elsewhere only."))
	}
	return out
}
