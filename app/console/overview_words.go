package console

import (
	"carillon/tenants"
	"carillon/views"
)

// statsOf are the four figures of today.
func statsOf(days []day, devices int) []views.Stat {
	today, before := days[len(days)-1], days[len(days)-2]
	placed := func(d day) int { return d.counts.rings(tenants.FactPlaced) }
	rings := views.Stat{Label: "Rings today", Value: views.Count(placed(today)), Note: views.Count(placed(before)) + " yesterday",
		Href: views.PathRings + "?period=today"}
	answered := views.Stat{Label: "Answered", Value: "–", Note: "nothing to measure yet"}
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
	phones := views.Stat{Label: "Devices", Value: views.Count(devices), Note: "can be rung", Href: views.PathDevices}
	if devices == 0 {
		phones.Note, phones.Tone = "pair the first one", views.ToneWarn
	}
	return []views.Stat{rings, answered, wait, phones}
}

// firstSteps are what a new organisation does, and which of it is done.
func firstSteps(credential, device, answered, colleague bool) []views.Step {
	return []views.Step{
		{Text: "Your organisation is set up", Why: "Name, time zone and who may sign in.", Href: views.PathSettings, Action: "View",
			Done: true},
		{Text: "Add your Apple key", Why: "Apple requires a key to send call notifications. It is one file from your developer account.",
			Href: views.PathCredAdd, Action: "Add key", Done: credential},
		{Text: "Pair a phone", Why: "Scan a code with your app. It takes one minute.", Href: views.PathPair, Action: "Pair", Done: device},
		{Text: "Make a test ring", Why: "Press one button, answer, and hear the bells.", Href: views.PathTestRing,
			Action: "Start test ring", Done: answered},
		{Text: "Invite a colleague", Why: "So someone can help when you are away.", Href: views.PathPersonAdd, Action: "Add",
			Done: colleague},
	}
}
