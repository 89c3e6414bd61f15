package views

import "time"

func (s alertSampler) alertRules(nav Nav) WatchPage {
	return WatchPage{Shell: s.shell("Alert rules", nav, Link{Text: "Alerts", Href: PathAlerts}),
		Lead: "A rule watches one figure of analytics.", Head: "Rule", Say: "Now", Key: "fired", When: "Last fired",
		Table: Table{Name: "Alert rules", Action: PathAlertRules, Search: "Name or figure", Rows: 3, CSV: PathAlertRulesCSV,
			Total: "3 rules"},
		Rows: []WatchRow{
			{AlertRulePath("r1"), "Few answers", "Answer rate below 40 % in 4 hours, of at least 20 rings that ended", ToneBad,
				"Alert open",
				"31.5 % of 52 rings that ended", s.ago(40 * time.Minute)},
			{AlertRulePath("r2"), "Failed rings", "Failed rings above 10 % in 1 hour", ToneGood, "Watching", "0 % of 52 rings that ended",
				Time{}},
			{AlertRulePath("r3"), "Slow to wake", "Time for a step, 95th percentile (woke) above 4000 ms in 24 hours", ToneNeutral,
				"Paused", "",
				s.ago(9 * 24 * time.Hour)},
		}, Add: Button{Text: "Add rule", Href: PathAlertRuleAdd, Icon: IconPlus, Kind: Primary},
		Other: Button{Text: "Targets", Href: PathAlertTargets, Icon: IconSend, Kind: Quiet}}
}

func (s alertSampler) ruleForm(title string) RuleFormPage {
	p := RuleFormPage{Shell: s.shell(title, NavAlerts, Link{Text: "Alert rules", Href: PathAlertRules}), Action: PathAlertRuleAdd,
		CanEdit: true,
		Name:    Field{Name: "name", Label: "Name", Max: 80, Placeholder: "Few answers at night"},
		What: []Pick{{Name: "metric", Label: "Figure", Choices: []Choice{{"answer_rate", "Answer rate", true}}},
			{Name: "cut", Label: "Rings", Choices: []Choice{{":", "All rings", true}}}},
		Detail: Field{Name: "detail", Label: "Reason or step", Optional: true},
		Bound: []Pick{{Name: "way", Label: "Alert when the figure is", Choices: []Choice{{"below", "Below", true}, {"above",
			"Above", false}}}},
		Number: Field{Name: "threshold", Label: "Threshold", Value: "40"},
		Window: Pick{Name: "window", Label: "Looks at the last", Choices: []Choice{{"14400", "4 hours", true}}},
		Least:  Field{Name: "least", Label: "Least count", Type: "number", Value: "20", Optional: true},
		Quiet:  Pick{Name: "quiet", Label: "At most one alert in", Choices: []Choice{{"14400", "4 hours", true}}},
		Mail:   Tick{Name: "mail", Value: "1", Label: "Email owners and administrators", Checked: true},
		Targets: []Tick{{Name: "target", Value: "t1", Label: "On-call channel", Help: "Slack-compatible at https://hooks.example.com",
			Checked: true}}}
	if title == "Add a rule" {
		return p
	}
	p.Name.Value, p.Action, p.Remove = title, AlertRulePath("r1"), AlertRuleRemovePath("r1")
	p.Pause = Button{Text: "Pause rule", Href: AlertRulePausePath("r1"), Icon: IconPause}
	p.Preview = &RulePreview{Now: "Now: 31.5 % of 52 rings that ended.", Lead: "It would have fired 2 times in the last 8 days.",
		Firings: []Firing{{s.ago(40 * time.Minute), Time{}, "31.5 % of 52 rings that ended", Link{Text: "Show these rings",
			Href: PathRings}},
			{s.ago(50 * time.Hour), s.ago(44 * time.Hour), "38 % of 21 rings that ended", Link{Text: "Show these rings", Href: PathRings}}}}
	return p
}

func (s alertSampler) alertTargets() WatchPage {
	p := s.alertRules(NavAlerts)
	p.Shell = s.shell("Alert targets", NavAlerts, Link{Text: "Alerts", Href: PathAlerts})
	p.Lead, p.Head, p.Say, p.Key, p.When = "A target gets alerts.", "Target", "Latest answer", "tried", "Last try"
	p.Table.Name, p.Table.Action, p.Table.CSV, p.Table.Rows, p.Table.Total = "Alert targets", PathAlertTargets, PathAlertTargetsCSV, 2,
		"2 targets"
	p.Rows = []WatchRow{
		{AlertTargetPath("t1"), "On-call channel", "Slack-compatible at https://hooks.example.com", ToneGood, "Arrives", "It answered 200 OK: ok.",
			s.ago(40 * time.Minute)},
		{AlertTargetPath("t2"), "Administrators", "Email to Owner, Administrator", ToneNeutral, "Not tried yet", "", Time{}},
	}
	p.Add = Button{Text: "Add target", Href: PathAlertTargetAdd, Icon: IconPlus, Kind: Primary}
	p.Other = Button{Text: "Rules", Href: PathAlertRules, Icon: IconChart, Kind: Quiet}
	return p
}

func (s alertSampler) targetForm(fresh bool) TargetFormPage {
	p := TargetFormPage{Shell: s.shell("Add a target", NavAlerts, Link{Text: "Alert targets", Href: PathAlertTargets}),
		Action: PathAlertTargetAdd, CanEdit: true, Name: Field{Name: "name", Label: "Name", Max: 80, Placeholder: "On-call channel"},
		All: Tick{Name: "all", Value: "1", Label: "Send every alert"}}
	if fresh {
		p.Kinds = Pick{Name: "kind", Label: "Kind", Choices: []Choice{{"email", "Email", true}, {"chat", "Slack-compatible", false}}}
		p.URL = Field{Name: "url", Label: "Address", Type: "url", Optional: true}
		p.Roles = []Tick{{Name: "role", Value: "owner", Label: "Owner", Checked: true}, {Name: "role", Value: "admin",
			Label: "Administrator"}}
		return p
	}
	p.Shell, p.Action = s.shell("On-call channel", NavAlerts, Link{Text: "Alert targets", Href: PathAlertTargets}), AlertTargetPath("t1")
	p.Name.Value, p.Test, p.Remove = "On-call channel", AlertTargetTestPath("t1"), AlertTargetRemovePath("t1")
	p.Rows = []Row{{Name: "Kind", Text: "Slack-compatible"}, {Name: "Host", Text: "https://hooks.example.com", Mono: true},
		{Name: "State", Text: "Fails"}, {Name: "Latest answer", Text: "It answered 404 Not Found: no_service."}}
	p.Answer = &Callout{Tone: ToneBad, Title: "The latest try did not arrive.", Cause: "It answered 404 Not Found: no_service."}
	return p
}
