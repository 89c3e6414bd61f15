package console

import (
	"carillon/tenants"
	"carillon/views"
)

// billingInstead is what a role that reads no figures finds on the overview.
var billingInstead = views.Empty{Icon: views.IconCard, Text: "Your role reads the plan, the usage and the invoices.",
	Action: views.Button{Text: "Billing", Href: views.PathBilling, Kind: views.Primary}}

// statsOf are the figures of today.
func statsOf(days []day) []views.Stat {
	today, before := days[len(days)-1], days[len(days)-2]
	placed := func(d day) int { return d.counts.rings(tenants.FactPlaced) }
	rings := views.Stat{Label: "Rings today", Value: views.Count(placed(today)), Note: views.Count(placed(before)) + " yesterday",
		Href: views.PathRings + "?period=today"}
	answered := views.Stat{Label: "Answered", Value: "–", Note: "nothing to measure yet",
		Href: views.PathRings + "?period=today&state=" + string(tenants.Ended)}
	wait := views.Stat{Label: "Time to wake the phone", Value: "–", Note: "nothing to measure yet"}
	for _, d := range days {
		rings.Days = append(rings.Days, placed(d))
		answered.Days = append(answered.Days, share(d.answered(), placed(d)))
		wait.Days = append(wait.Days, percentile(d.counts[tenants.FactWoke], 0.5))
	}
	if n := placed(today); n > 0 {
		answered.Value = views.Percent(min(n, today.answered()), n)
		answered.Note = views.Count(today.answered()) + " of " + views.Count(n) + " picked up"
	}
	if ms := percentile(today.counts[tenants.FactWoke], 0.5); ms > 0 {
		wait.Value, wait.Note = views.Millis(ms), "median"
	}
	return []views.Stat{rings, answered, wait}
}

// devicesStat is how many devices can be rung.
func devicesStat(devices int) views.Stat {
	phones := views.Stat{Label: "Devices", Value: views.Count(devices), Note: "can be rung", Href: views.PathDevices}
	if devices == 0 {
		phones.Note, phones.Tone = "pair the first one", views.ToneWarn
	}
	return phones
}

// stepLinks are where a person does a step of the checklist, and the words of its button.
var stepLinks = map[tenants.StepCheck]views.Link{
	tenants.StepCredential:   {Href: views.PathCredAdd, Text: "Add key"},
	tenants.StepDevice:       {Href: views.PathPair, Text: "Pair"},
	tenants.StepPersonPhones: {Href: views.PathPair, Text: "Pair"},
	tenants.StepAnswered:     {Href: views.PathTestRing, Text: "Start test ring"},
	tenants.StepPeople:       {Href: views.PathPersonAdd, Text: "Add"},
	tenants.StepAgent:        {Href: views.PathAgentAdd, Text: "Add agent"},
	tenants.StepKey:          {Href: views.PathKeys, Text: "API keys"},
	tenants.StepRecording:    {Href: views.PathSettings, Text: "Decide"},
}

// setUp is the first step of each checklist, which is done.
func setUp(industry string) views.Step {
	return views.Step{Text: "Your organisation is set up", Why: "With the rules and agents for: " + industry + ".",
		Href: views.PathRules, Action: "Rules", Done: true}
}
