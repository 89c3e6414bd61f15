package views

import "time"

// alertSampler makes up what alerts and the health of phones are about.
type alertSampler struct{ sampler }

func (s alertSampler) alertRows() []AlertRow {
	return []AlertRow{
		{"app_blocked", "4.1.3", "iOS has probably stopped waking the app", ToneBad,
			"4 of 9 phones with version 4.1.3 of the app do not respond when Apple accepts a push.",
			"iOS stops waking an app that did not show its calls. This happens on each phone separately, without a message.",
			"Ask people to open the app once, which removes the block. Send your developer to the page “Phone health”.",
			Link{Text: "Version 4.1.3", Href: PathPhoneHealth + "?q=4.1.3"}, s.ago(3 * time.Hour), s.ago(9 * time.Minute), 6,
			Time{}, Link{}},
		{"credential_expiry", "c2", "A certificate is about to expire", ToneWarn,
			"The certificate of com.lindenhof.patients expires within 14 days, on 2026-12-06, and 3 devices go silent. Upload a new " +
				"one, or better a .p8 key, which does not expire.",
			"After it expires, Apple refuses every push that uses it.", "Choose “Replace key” on its page.",
			Link{Text: "Certificate of com.lindenhof.patients", Href: CredentialPath("c2")}, s.ago(26 * time.Hour), s.ago(26 * time.Hour),
			1, Time{}, Link{}},
		{"credential_refused", "c3", "Apple refuses a credential", ToneBad,
			"InvalidProviderToken: the key was revoked, or team id and key id do not belong together.",
			"Phones with this app do not ring until this is fixed.",
			"Open it and choose “Test with Apple now”. The result shows what is wrong: key, team, app or environment.",
			Link{Text: "Key 4TZK9QX2M7", Href: CredentialPath("c3")}, s.ago(40 * 24 * time.Hour), s.ago(2 * time.Hour), 12, Time{}, Link{}},
		{"trial_cut", "", "The trial ends early: its card had one before", ToneBad,
			"The card that was added had its trial with another organisation, and there is one trial for each card. So this one ends on " +
				"19 November 2026 at 09:30 UTC; until then phones ring. Nothing was charged, and everything you set up stays. To keep " +
				"phones ringing, subscribe under Billing: the first payment is due at once.",
			"When the trial ends, phones stop ringing.", "Subscribe before then, so that phones keep ringing.",
			Link{Text: "Billing", Href: PathBilling}, s.ago(2 * time.Hour), s.ago(2 * time.Hour), 1, Time{}, Link{}},
		{"pushed_too_often", "c9", "Apple asks for fewer pushes", ToneWarn,
			"TooManyProviderTokenUpdates: the key was signed with too often.", "", "",
			Link{Text: "A credential that was removed"}, s.ago(60 * 24 * time.Hour), s.ago(60 * 24 * time.Hour), 2,
			s.ago(59 * 24 * time.Hour), Link{}},
	}
}

func (s alertSampler) healthPages() []Sample {
	table := Table{Name: "Alerts", Action: PathAlerts, Search: "Problem, place or detail", Rows: 5, CSV: PathAlertsCSV,
		Total:   "4 open alerts",
		Filters: []Filter{{"state", "State", []Choice{{"", "Open", true}, {"closed", "Closed", false}, {"all", "Open and closed", false}}}},
		Empty: Empty{Icon: IconDone, Text: "No open alerts.", Action: Button{Text: "View phone health", Href: PathPhoneHealth,
			Kind: Quiet}}}
	calm := table
	calm.Rows, calm.CSV, calm.Total = 0, "", ""
	return []Sample{
		{"alerts", Alerts(AlertsPage{s.shell("Alerts", NavAlerts), table, s.alertRows(), true})},
		{"alerts-empty", Alerts(AlertsPage{s.with(s.shell("Alerts", NavAlerts), EnvBoth), calm, nil, true})},
		{"alert-rules", Watch(s.alertRules(NavAlerts))},
		{"alert-rule-add", RuleForm(s.ruleForm("Add a rule"))},
		{"alert-rule", RuleForm(s.ruleForm("Few answers"))},
		{"alert-rule-remove", ConfirmPage(s.shell("Remove a rule", NavAlerts, Link{Text: "Alert rules", Href: PathAlertRules}),
			Confirm{ID: "remove-rule", Title: "Remove Few answers?", Button: "Remove rule", Action: AlertRuleRemovePath("r1"),
				Back: AlertRulePath("r1"), Consequence: []string{"No alert is raised by it any more."}})},
		{"alert-targets", Watch(s.alertTargets())},
		{"alert-target-add", TargetForm(s.targetForm(true))},
		{"alert-target", TargetForm(s.targetForm(false))},
		{"alert-target-remove", ConfirmPage(s.shell("Remove a target", NavAlerts, Link{Text: "Alert targets", Href: PathAlertTargets}),
			Confirm{ID: "remove-target", Title: "Remove On-call channel?", Button: "Remove target", Action: AlertTargetRemovePath("t1"),
				Back: AlertTargetPath("t1"), Consequence: []string{"It gets no more alerts."}})},
		{"digest", DigestPreview(DigestPage{Shell: s.shell("Weekly email", NavAlerts, Link{Text: "Alerts", Href: PathAlerts}),
			Lead: "This mail would go now.", Subject: "Carillon: the week of Lindenhof",
			Text: "Rings\n- 412 rings, 398 the week before."})},
		{"digest-off", DigestOff(DigestOffPage{Tenant: "Lindenhof", Action: DigestOffPath("x")})},
		{"phone-health", PhoneHealth(s.phoneHealth())},
		{"phone-health-empty", PhoneHealth(PhoneHealthPage{Shell: s.with(s.shell("Phone health", NavHealth), EnvBoth), Tone: ToneNeutral,
			Word: "No data yet",
			Why:  "No ring ended in the last 7 days. Start a test ring to get data.", Late: Late{Period: "the last 7 days"},
			Table: Table{Name: "Phones", Action: PathPhoneHealth, Empty: Empty{Icon: IconActivity, Text: "No rings in the last 7 days.",
				Action: Button{Text: "Start test ring", Href: PathTestRing, Icon: IconRing, Kind: Primary}}}})},
	}
}

func (s alertSampler) phoneHealth() PhoneHealthPage {
	return PhoneHealthPage{
		Shell: s.shell("Phone health", NavHealth), Tone: ToneBad, Word: "1 app version has a problem",
		Why:  "Version 4.1.3 no longer wakes on 4 phones. Fix this version before more phones are affected.",
		Span: "the last 7 days", Delegate: "26.4",
		Versions: []HealthVersion{
			{"Version 4.1.3", 9, 9, 4, 0, 2, ToneBad, "Probably blocked",
				"iOS has probably blocked this app from waking: Apple accepted the pushes and the phone did not respond. The phone may " +
					"also be off, offline or without the app.",
				"Open the app on the phone, or delete and install it again, which removes the block. Then ring it once."},
			{"Version 4.2.0", 24, 21, 0, 0, 18, ToneGood, "Wakes", "The app wakes and reports its calls.", ""},
			{"Version 4.3.0", 2, 0, 0, 0, 2, ToneNeutral, "No rings yet", "No ring has ended on this phone yet.", ""},
		},
		Table: Table{Name: "Phones", Action: PathPhoneHealth, Search: "Device, version of app or iOS", Rows: 4, CSV: PathPhoneHealthCSV,
			Total: "30 phones",
			Filters: []Filter{{"verdict", "Status", []Choice{{"", "Any status", true}, {"trouble", "Problems", false},
				{"fine", "Fine", false}}}}},
		Phones: []HealthPhone{
			{"d2", "Front desk iPhone", "4.1.3", "iOS 25.4", ToneBad, "Probably blocked", 5, 0, s.ago(9 * time.Minute)},
			{"d7", "Leonie’s iPhone", "4.1.3", "iOS 26.0", ToneBad, "Probably blocked", 3, 2, s.ago(50 * time.Minute)},
			{"d8", "Lab iPad", "4.1.3", "iPadOS 26.0", ToneWarn, "Shows no call", 0, 2, s.ago(3 * time.Hour)},
			{sampleDevice, "Ana’s iPhone", "4.2.0", "iOS 26.4", ToneGood, "Wakes", 0, 0, s.ago(12 * time.Minute)},
		},
		Late: Late{"the last 30 days", 41, "3.10 s", []LateStep{{"1 s", 9}, {"5 s", 17}, {"15 s", 8}, {"1 min", 4}, {"5 min", 2},
			{"15 min", 1}, {"later", 0}}},
	}
}

func (s alertSampler) wakes() *WakeHistory {
	w := &WakeHistory{Tone: ToneGood, Verdict: "Wakes", Cause: "The app wakes and reports its calls."}
	for i := range 14 {
		m := WakeMark{ToneGood, IconCheck, "The call was shown", s.ago(time.Duration(14-i) * 5 * time.Hour), RingPath(sampleRing)}
		switch i {
		case 3:
			m.Tone, m.Icon, m.Word = ToneBad, IconPower, "Apple accepted the push, but the phone did not respond"
		case 8:
			m.Tone, m.Icon, m.Word = ToneWarn, IconBellOff, "The app woke but showed no call"
		}
		w.Marks = append(w.Marks, m)
	}
	return w
}
