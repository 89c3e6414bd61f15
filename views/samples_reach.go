package views

import (
	"strings"
	"time"
)

func (s sampler) deviceRows() []DeviceRow {
	return []DeviceRow{
		{ID: sampleDevice, Name: "Ana’s iPhone", Person: "Ana Ruiz", Model: "iPhone 15 Pro", OS: "iOS 26.1", App: "4.2.0",
			Environment: EnvProduction, Tone: ToneGood, Health: "Ready", Seen: s.ago(4 * time.Minute),
			Tags: []string{"reception", "north"}},
		{ID: "d2", Name: "Front desk iPhone", Person: "Front desk", Model: "iPhone 12", OS: "iOS 25.4", App: "4.1.3",
			Environment: EnvSandbox, Tone: ToneWarn, Health: "Silent for 9 days", Seen: s.ago(9 * 24 * time.Hour)},
		{ID: "d3", Name: "Miriam’s iPhone", Person: "Dr. Miriam Kaya", Model: "iPhone 16", OS: "iOS 26.1", App: "4.2.0",
			Environment: EnvProduction, Tone: ToneGood, Health: "Ready", Seen: s.ago(50 * time.Minute), Tags: []string{"doctors"}},
		{ID: "d4", Name: "Jonas’ iPad", Person: "Jonas Weber", Model: "iPad Air", OS: "iPadOS 26.0", App: "4.2.0",
			Environment: EnvProduction, Tone: ToneGood, Health: "Ready", Seen: s.ago(3 * time.Hour)},
		{ID: "d5", Name: "Old work phone", Person: "Piotr Nowak", Model: "iPhone XR", OS: "iOS 18.7", App: "3.9.8",
			Environment: EnvProduction, Tone: ToneBad, Health: "App was removed", Seen: s.ago(31 * 24 * time.Hour)},
	}
}

func (s sampler) deviceTable(rows int) Table {
	return Table{
		Name: "Devices", Action: PathDevices, Search: "Name, person or model", Rows: rows,
		Filters: []Filter{
			{"health", "Health", []Choice{{"", "Any health", true}, {"ready", "Ready", false}, {"silent", "Silent for 7 days", false},
				{"gone", "App was removed", false}}},
			{"environment", "Environment", []Choice{{"", "Any environment", true}, {"production", "Production", false},
				{"sandbox", "Sandbox", false}}},
		},
		CSV: PathDevicesCSV, Total: "24 devices",
		Empty: Empty{Icon: IconDevice, Text: "No phone is paired yet.", Action: Button{Text: "Pair a device", Href: PathPair,
			Icon: IconQR, Kind: Primary}},
	}
}

func (s sampler) devicePages() []Sample {
	up := Link{Text: "Devices", Href: PathDevices}
	remove := Confirm{ID: "remove-device", Title: "Remove Ana’s iPhone?", TypeName: "Ana’s iPhone", Button: "Remove device",
		Action: DeviceRemovePath(sampleDevice), Back: DevicePath(sampleDevice),
		Consequence: []string{"It stops ringing at once.", "Ana Ruiz has 1 other phone that can be rung.",
			"Its 212 rings stay in the list."}}
	wrong := remove
	wrong.Error = "The name does not match. Type it exactly as shown above."
	return []Sample{
		{"devices", Devices(DevicesPage{s.shell("Devices", NavDevices), s.deviceTable(5), s.deviceRows()})},
		{"devices-empty", Devices(DevicesPage{s.shell("Devices", NavDevices), s.deviceTable(0), nil})},
		{"device", Device(DevicePage{
			Shell: s.shell("Ana’s iPhone", NavDevices, up), ID: sampleDevice, Name: "Ana’s iPhone", Tone: ToneGood, Health: "Ready",
			Facts: []Row{{Name: "Belongs to", Text: "Ana Ruiz"}, {Name: "Model", Text: "iPhone 15 Pro, iOS 26.1"},
				{Name: "App", Text: "4.2.0 (com.lindenhof.patients)"},
				{Name: "Environment", Text: "Production, detected automatically"}, {Name: "Last seen", When: s.ago(4 * time.Minute)},
				{Name: "Push token renewed", When: s.ago(6 * 24 * time.Hour)},
				{Name: "Paired", When: s.ago(212 * 24 * time.Hour)}, {Name: "Device id", Text: sampleDevice, Copy: true}},
			Form: DeviceForm{Name: Field{Name: "name", Label: "Name", Value: "Ana’s iPhone", Max: 80},
				Person: Field{Name: "person", Label: "Belongs to", Value: "Ana Ruiz", Optional: true,
					Help: "A ring to a person reaches all their phones."},
				Number: Field{Name: "phone_number", Label: "Phone number", Type: "tel", Optional: true},
				Environment: []Choice{{"auto", "Detected automatically", true}, {"production", "Production", false},
					{"sandbox", "Sandbox", false}}},
			Wakes: alertSampler{s}.wakes(), Rings: s.ringRows()[:5],
			AllRings: PathRings + "?device=" + sampleDevice, CanEdit: true, Remove: remove,
			Earlier: []EarlierDevice{{"d3", "Ana’s old iPhone", s.ago(400 * 24 * time.Hour), s.ago(90 * 24 * time.Hour),
				PathRings + "?device=d3"}},
		})},
		{"device-silent-empty", Device(DevicePage{
			Shell: s.shell("Front desk iPhone", NavDevices, up), ID: "d2", Name: "Front desk iPhone", Tone: ToneWarn,
			Health: "Silent for 9 days", Facts: []Row{{Name: "Model", Text: "iPhone 12"}},
			Problem: &Callout{Tone: ToneWarn, Title: "This phone has not been seen for 9 days",
				Cause: "The app was not opened, and no ring reached it.",
				Cure:  "Open the app on the phone once. If it was replaced, remove it here."},
		})},
		{"view-remove", ConfirmPage(s.shell("Remove a view", NavRings), Confirm{ID: "remove-view", Title: "Remove the view “Missed today”?",
			Button: "Remove view", Action: ViewRemovePath("v1"), Back: PathRings,
			Consequence: []string{"It disappears from everybody’s menu.", "What it shows stays as it is."}})},
		{"devices-import", Import(ImportPage{Shell: s.shell("Import devices", NavDevices, up), Check: &ImportCheck{Rows: 120, New: 117,
			Known: 1, Text: "token,bundle_id", Unused: []string{"phone"}, AllFaults: 2, Faults: []ImportFault{
				{"14", "token", "This value is not allowed.", "It must be hexadecimal, 64 to 200 digits, an even number."},
				{"203–1260, 1262", "bundle_id", "It is missing.", "It must be the app’s bundle ID, such as com.example.app."}}}})},
		{"devices-alike", AlikeDevices(AlikePage{s.shell("Registered twice", NavDevices, up),
			[]AlikePair{{s.deviceRows()[4], s.deviceRows()[0]}}, true})},
		{"devices-alike-empty", AlikeDevices(AlikePage{Shell: s.shell("Registered twice", NavDevices, up)})},
		{"device-merge", ConfirmPage(s.shell("Merge two entries", NavDevices, up), Confirm{ID: "merge-device",
			Title: "Merge the older entry into Ana’s iPhone?", Button: "Merge", Action: DeviceMergePath("d2", sampleDevice),
			Back: PathDevicesAlike, Consequence: []string{"Its rings stay."}})},
		{"device-remove", ConfirmPage(s.shell("Remove a device", NavDevices, up), wrong)},
		{"pair-empty", Pair(PairPage{Shell: s.shell("Pair a device", NavDevices, up),
			Person: Field{Name: "person", Label: "Name of the person", Optional: true,
				Help: "A ring to a person reaches all their phones. Leave it empty for a shared phone.", Max: 80}})},
		{"pair", Pair(PairPage{Shell: s.shell("Pair a device", NavDevices, up), Code: "BELL-7K2M-QX4T", QR: sampleDots(),
			For: "Jonas Weber", Expires: At(s.now.Add(9*time.Minute+41*time.Second), time.UTC)})},
	}
}

// sampleDots looks like a QR code and says nothing.
func sampleDots() [][]bool {
	const n = 29
	dots := make([][]bool, n)
	seed := uint32(7)
	for y := range dots {
		dots[y] = make([]bool, n)
		for x := range dots[y] {
			seed = seed*1664525 + 1013904223
			dots[y][x] = seed>>28&1 == 1
			for _, corner := range [][2]int{{0, 0}, {n - 7, 0}, {0, n - 7}} {
				cx, cy := x-corner[0], y-corner[1]
				if cx >= -1 && cx <= 7 && cy >= -1 && cy <= 7 {
					ring := max(max(cx, 6-cx), max(cy, 6-cy))
					dots[y][x] = ring == 6 || ring <= 4
				}
			}
		}
	}
	return dots
}

func (s sampler) credentialTable(rows int) Table {
	return Table{Name: "Apple credentials", Action: PathCredentials, Rows: rows,
		Empty: Empty{Icon: IconCredential, Text: "Apple requires a key to send call notifications.",
			Action: Button{Text: "Add a credential", Href: PathCredAdd, Icon: IconUpload, Kind: Primary}}}
}

func (s sampler) credentialPages() []Sample {
	up := Link{Text: "Apple credentials", Href: PathCredentials}
	envs := []Choice{{"both", "Both", true}, {"production", "Production", false}, {"sandbox", "Sandbox", false}}
	add := CredentialAddPage{
		Shell: s.shell("Add a credential", NavCredentials, up), Environment: envs,
		Team: Field{Name: "team_id", Label: "Team id", Mono: true, Max: 10, Pattern: "[A-Za-z0-9]{10}", Placeholder: "9ABCDE1234",
			Help: "Ten letters and digits."},
		Key: Field{Name: "key_id", Label: "Key id", Mono: true, Max: 10, Pattern: "[A-Za-z0-9]{10}",
			Help: "Read from a file named AuthKey_….p8."},
		Bundle: Field{Name: "bundle_id", Label: "Bundle id of your app", Mono: true, Placeholder: "com.example.app",
			Help: "As in Xcode, without “.voip” at the end."},
		Password: Field{Name: "password", Label: "Password of the .p12", Type: "password", Optional: true, Autocomplete: "off"},
	}
	replace := add
	replace.Bundle.Value, replace.Team.Value = "com.lindenhof.patients", "9ABCDE1234"
	replace.Replaces = &Callout{Tone: ToneInfo, Title: "This replaces Key 7QX2M4K9TZ",
		Cause: "23 phones are called with it in production and sandbox. They keep ringing. The new file is used as soon as it is added.",
		Cure:  "If they stop, press “Roll back” on its page. The old one is kept for this."}
	replace.Present = []CredentialRow{{ID: "c1", Name: "Key 7QX2M4K9TZ", Bundle: "com.lindenhof.patients", Environment: EnvBoth}}
	sent := add
	sent.Error, sent.File = "The credential was not added.",
		"This is not an Apple key: it holds an RSA key, and Apple makes elliptic ones. Download the .p8 again from your developer account."
	sent.Team.Value, sent.Team.Error = "9ABC", "A team id has ten letters and digits; this one has four."
	return []Sample{
		{"credentials", Credentials(CredentialsPage{s.shell("Apple credentials", NavCredentials), s.credentialTable(4), []CredentialRow{
			{"c1", "Key 7QX2M4K9TZ", "Key (.p8)", "com.lindenhof.patients", "9ABCDE1234", EnvBoth, ToneGood, "Working", "",
				s.ago(3 * time.Minute), false},
			{"c2", "Old test certificate", "Certificate (.p12)", "com.lindenhof.patients", "9ABCDE1234", EnvSandbox, ToneWarn,
				"Ends in 12 days", "and 3 phones stop ringing", s.ago(26 * time.Hour), false},
			{"c3", "Key of the pilot app", "Key (.p8)", "com.lindenhof.pilot", "9ABCDE1234", EnvProduction, ToneBad, "Refused by Apple",
				"InvalidProviderToken", s.ago(40 * 24 * time.Hour), false},
			{"c4", "Key 2MM4K9TZ7Q", "Key (.p8)", "com.lindenhof.patients", "9ABCDE1234", EnvBoth, ToneNeutral, "Kept for rollback",
				"until you remove it", s.ago(70 * 24 * time.Hour), true},
		}, true})},
		{"credentials-empty", Credentials(CredentialsPage{s.shell("Apple credentials", NavCredentials), s.credentialTable(0), nil, true})},
		{"credential-add", CredentialAdd(add)},
		{"credential-replace", CredentialAdd(replace)},
		{"credential-add-refused", CredentialAdd(sent)},
		{"credential", Credential(CredentialPage{
			Shell: s.shell("Key of the pilot app", NavCredentials, up), ID: "c3", Tone: ToneBad, State: "Refused by Apple", CanEdit: true,
			Problem: &Callout{Tone: ToneBad, Title: "Apple refuses this key",
				Cause:  "Apple’s reason: InvalidProviderToken: the key was revoked, or team id and key id do not belong together.",
				Cure:   "Look the key up in your developer account. If it is gone, create a new one and add it here.",
				Action: Button{Text: "Add a new key", Href: PathCredAdd}},
			Facts: []Row{{Name: "Kind", Text: "Key (.p8), elliptic curve P-256"}, {Name: "Team id", Text: "9ABCDE1234", Copy: true},
				{Name: "Key id", Text: "4TZK9QX2M7", Copy: true}, {Name: "Bundle id", Text: "com.lindenhof.pilot", Copy: true},
				{Name: "Environment", Text: "Production"}, {Name: "Added", When: s.ago(80 * 24 * time.Hour)},
				{Name: "Added by", Text: "Ana Ruiz"}, {Name: "Apple last accepted it", When: s.ago(40 * 24 * time.Hour)}},
			Devices: []Row{{Name: "Production", Text: "12 phones"}},
			Profile: Pick{Name: "profile", Label: "Your app uses", Help: "It applies from the next ring.", Choices: []Choice{
				{Value: "carillon", Text: "Carillon: CarillonKit or your own code"},
				{Value: "callkeep", Text: "React Native: react-native-callkeep", Selected: true}}},
			Remove: Confirm{ID: "remove-credential", Title: "Remove the key of the pilot app?", TypeName: "4TZK9QX2M7",
				Button: "Remove credential", Action: CredentialRemovePath("c3"), Back: CredentialPath("c3"),
				Consequence: []string{"12 phones stop ringing, because no other credential reaches their app.",
					"The file is deleted and cannot be restored."}},
		})},
		{"credential-probed", Credential(s.probed(up))},
		{"credential-rollback", ConfirmPage(s.shell("Roll back", NavCredentials, up), s.rollback())},
		{"credential-bare-empty", Credential(CredentialPage{Shell: s.shell("Key", NavCredentials, up)})},
	}
}

// openAIForm is the form of an agent that is a model of OpenAI, with what was typed wrong.
func (s sampler) openAIForm(p AgentFormPage) AgentFormPage {
	p.Kind, p.Name.Value = "OpenAI voice model", "Nova"
	p.OpenAI = &OpenAIFields{
		Key: Field{Name: "api_key", Label: "OpenAI API key", Type: "password", Optional: true,
			Help: "A key is stored. Leave this empty to keep it."},
		Model: Field{Name: "model", Label: "Model", Value: "gpt-realtime", Optional: true, Mono: true},
		Voice: Field{Name: "voice", Label: "Voice", Value: strings.Repeat("marin", 13), Optional: true, Mono: true,
			Error: "At most 64 characters, such as marin."},
		Instructions: Field{Name: "instructions", Label: "Instructions", Optional: true,
			Value: "You call for Lakeside Clinic.\nSay who you are, then confirm the appointment."},
	}
	p.When = &Pick{Name: "attach", Label: "Connect",
		Choices: []Choice{{"", "When the person answers", true}, {"shown", "While the phone rings", false}}}
	p.Attach = &Field{Name: "attach_s", Label: "Seconds to connect", Value: "5", Optional: true}
	p.When = &Pick{Name: "attach", Label: "Connect the agent", Choices: []Choice{{"answered", "When the person picks up", true},
		{"shown", "While the phone rings", false}}}
	return p
}

func (s sampler) agentPages() []Sample {
	up := Link{Text: "Agents", Href: PathAgents}
	table := Table{Name: "Agents", Action: PathAgents, Rows: 2,
		Empty: Empty{Icon: IconAgent, Text: "Only the built-in bells are available so far.",
			Action: Button{Text: "Add agent", Href: PathAgentAdd, Icon: IconPlus, Kind: Primary}}}
	none := table
	none.Rows = 0
	groups := table
	groups.Name, groups.Action, groups.Rows = "Groups", PathGroups, 1
	form := AgentFormPage{Shell: s.shell("Add an agent", NavAgents, up), CanEdit: true,
		Name: Field{Name: "name", Label: "Name", Placeholder: "Reception", Max: 64,
			Help: "Shown in this console only. Callers do not see it."},
		Kinds: []Choice{{"builtin", "Bells and echo (built in)", true}},
		Picks: []Pick{{Name: "next1", Label: "Next agent", Choices: []Choice{{"", "No other agent", true}},
			Help: "It takes the call when this agent cannot be reached in time, or breaks off during the call."}},
		Default: Tick{Name: "default", Value: "1", Label: "Use as default agent"}}
	edit := form
	edit.Shell, edit.ID, edit.Kinds, edit.Kind = s.shell("Reception", NavAgents, up), "a1", nil, "Bells and echo (built in)"
	edit.Sound = &SoundUpload{Length: "24.5 s"}
	edit.Name.Value, edit.Default.Checked = "Reception", true
	edit.Remove = &Confirm{ID: "remove-agent", Title: "Remove Reception?", TypeName: "Reception", Button: "Remove agent",
		Action: AgentRemovePath("a1"), Back: AgentPath("a1"), Consequence: []string{"Rings that use this agent are refused.",
			"It is the default agent. Rings without an agent will use the built-in bells."}}
	return []Sample{
		{"groups", Duty(DutyPage{s.shell("Groups", NavGroups), "A group rings several persons.", "Group", "name", "Way", "way", groups,
			[]DutyRow{{GroupPath("g1"), "Night line", "dr-okafor, dr-lind", "One after the other", s.ago(30 * 24 * time.Hour), true}},
			Button{}})},
		{"group-add", DutyFormOf(groupSampler{s}.groupForm())},
		{"group", DutyFormOf(groupSampler{s}.group())},
		{"group-remove", ConfirmPage(s.shell("Remove a group", NavGroups, Link{Text: "Groups", Href: PathGroups}),
			Confirm{ID: "remove-group",
				Title: "Remove Night line?", TypeName: "Night line", Button: "Remove group", Action: GroupRemovePath("g1"),
				Back:        GroupPath("g1"),
				Consequence: []string{"Rings to this group are refused."}})},
		{"schedules", Duty(DutyPage{s.shell("Schedules", NavSchedules), "A schedule says when persons are on duty.", "Schedule", "name",
			"Used by", "", Table{Name: "Schedules", Action: PathSchedules, Rows: 1}, []DutyRow{{SchedulePath("h1"), "Office hours",
				"Mon–Fri 08:00–12:00, 13:00–17:00 · Europe/Berlin", "Night line", s.ago(30 * 24 * time.Hour), false}}, Button{}})},
		{"schedule-add", ScheduleForm(groupSampler{s}.scheduleForm())},
		{"schedule", ScheduleForm(groupSampler{s}.schedule())},
		{"schedule-remove", ConfirmPage(s.shell("Remove a schedule", NavSchedules, Link{Text: "Schedules", Href: PathSchedules}),
			Confirm{ID: "remove-schedule", Title: "Remove Office hours?", TypeName: "Office hours", Button: "Remove schedule",
				Action: ScheduleRemovePath("h1"), Back: SchedulePath("h1"),
				Consequence: []string{"No group uses it. Nobody’s hours change."}})},
		{"consents", Consents(ConsentsPage{s.shell("Consents", NavConsents), "A person without a recorded consent is not called.",
			Table{Name: "Consents", Action: PathConsents, Rows: 1}, []ConsentListRow{{ConsentPath("k1"),
				"ana.ruiz", ToneNeutral, "Withdrawn",
				s.ago(24 * time.Hour), s.ago(31 * 24 * time.Hour), "Form 7", "Ana Ruiz", s.ago(30 * 24 * time.Hour)}}, Button{}})},
		{"consent-add", DutyFormOf(groupSampler{s}.consentForm())},
		{"consent", Consent(groupSampler{s}.consent())},
		{"consent-withdraw", ConfirmPage(s.shell("Withdraw a consent", NavConsents, Link{Text: "Consents", Href: PathConsents}),
			Confirm{ID: "withdraw-consent", Title: "Withdraw the consent of ana.ruiz?", Button: "Withdraw consent",
				Action: ConsentWithdrawPath("k1"), Back: ConsentPath("k1"), Consequence: []string{"The record stays, as withdrawn."}})},
		{"agents", Agents(AgentsPage{s.shell("Agents", NavAgents), table, []AgentRow{
			{"a1", "Reception", "Built in", "Plays bells and repeats what you say", true, ToneGood, "Ready", "412 in 7 days",
				s.ago(30 * 24 * time.Hour)},
			{"a2", "Reminder", "Built in", "Plays bells and repeats what you say", false, ToneGood, "Ready", "400 in 7 days",
				s.ago(9 * 24 * time.Hour)},
		}, true})},
		{"agents-empty", Agents(AgentsPage{s.shell("Agents", NavAgents), none, nil, true})},
		{"agent-add-empty", AgentForm(form)},
		{"agent", AgentForm(edit)},
		{"agent-openai", AgentForm(s.openAIForm(edit))},
	}
}

// groupSampler makes up the forms of groups.
type groupSampler struct{ sampler }

func (s groupSampler) groupForm() DutyForm {
	return DutyForm{Shell: s.shell("Add a group", NavGroups, Link{Text: "Groups", Href: PathGroups}), Title: "Group", Action: PathGroupAdd,
		Button: "Save", CanEdit: true, Fields: []Field{{Name: "name", Label: "Name", Max: 80, Placeholder: "Night line"},
			{Name: "step_s", Label: "Seconds for each step", Type: "number", Value: "30"}},
		Picks: []Pick{{Name: "way", Label: "Who rings", Choices: []Choice{{"simultaneous", "All at once", true}}}},
		Areas: []Field{{Name: "members", Label: "Members, in order", Help: "One person a line."}}}
}

func (s groupSampler) consentForm() DutyForm {
	return DutyForm{Shell: s.shell("Record a consent", NavConsents, Link{Text: "Consents", Href: PathConsents}), Title: "Consent",
		Action: PathConsentAdd, Button: "Record consent", CanEdit: true, Fields: []Field{{Name: "person", Label: "Person", Max: 64},
			{Name: "given_at", Label: "Given on", Type: "date"}},
		Areas: []Field{{Name: "evidence", Label: "Where it can be found"}}}
}

func (s groupSampler) consent() ConsentPage {
	return ConsentPage{Shell: s.shell("Consent of ana.ruiz", NavConsents, Link{Text: "Consents", Href: PathConsents}), Tone: ToneGood,
		Word: "Holds", Facts: []Row{{Name: "Person", Text: "ana.ruiz"}, {Name: "Given", When: s.ago(30 * 24 * time.Hour)}},
		Withdraw: ConsentWithdrawPath("k1"), History: []Row{{Name: "3 Nov 2026", Text: "Given on 3 Nov 2026"}}}
}

func (s groupSampler) scheduleForm() SchedulePage {
	p := SchedulePage{Shell: s.shell("Add a schedule", NavSchedules, Link{Text: "Schedules", Href: PathSchedules}), CanEdit: true,
		Action: PathScheduleAdd, Name: Field{Name: "name", Label: "Name", Max: 80, Placeholder: "Office hours"},
		Zone:     Pick{Name: "time_zone", Label: "Time zone", Choices: []Choice{{"Europe/Berlin", "Europe/Berlin", true}}},
		Calendar: Pick{Name: "calendar", Label: "Who is on duty", Choices: []Choice{{"", "By the hours below", true}}},
		Dates:    []HoursDate{{Name: "Exception 1", Key: "x0", Spans: []HoursSpan{{Name: "x0-0", Of: "Exception 1", N: 1}}}}}
	for i, day := range []string{"Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"} {
		key := "d" + Plain((i+1)%7)
		p.Days = append(p.Days, HoursDay{Name: day, Key: key, Spans: []HoursSpan{{Name: key + "-0", Of: day, N: 1}}})
	}
	return p
}

func (s groupSampler) schedule() SchedulePage {
	p := s.scheduleForm()
	p.Shell, p.Action = s.shell("Office hours", NavSchedules, Link{Text: "Schedules", Href: PathSchedules}), SchedulePath("h1")
	p.Remove, p.Name.Value, p.Zoned = ScheduleRemovePath("h1"), "Office hours", "Times in Europe/Berlin."
	p.Days[0].Spans = []HoursSpan{{Name: "d1-0", Of: "Monday", N: 1, From: "08:00", To: "12:00"}, {Name: "d1-1", Of: "Monday", N: 2}}
	p.Dates[0].Date, p.Dates[0].Note = "2026-12-24", "Christmas Eve"
	p.Ahead = []Row{{Name: "Mon 30 Nov", Text: "08:00–12:00"}, {Name: "Tue 1 Dec", Text: "Off"}}
	p.Uses = []Row{{Name: "dr-okafor", Text: "Night line", Href: GroupPath("g1")}}
	p.Roster = &RosterCard{Tone: ToneBad, Word: "Cannot be read", Facts: []Row{{Name: "Last read", When: s.ago(time.Minute)}},
		Problem: &Callout{Tone: ToneBad, Title: "The server answered with status 404.", Cause: "Its last good copy counts for 24 hours."},
		Read:    ScheduleReadPath("h1")}
	return p
}

func (s groupSampler) group() DutyForm {
	f := s.groupForm()
	f.Shell, f.Action = s.shell("Night line", NavGroups, Link{Text: "Groups", Href: PathGroups}), GroupPath("g1")
	f.Remove, f.Removal = GroupRemovePath("g1"), "Remove group"
	f.Rings = &WhoRings{Path: GroupPath("g1"), At: Field{Name: "at", Label: "Moment", Type: "datetime-local", Prefix: "who-",
		Optional: true},
		Steps: []StepRow{{"dr-okafor", "", ToneWarn, "Left out", "dr-okafor is off until Monday 08:00."},
			{"dr-lind", "at once, for 20 s", ToneNeutral, "Rings", "dr-lind is always on duty."}}}
	return f
}

func (s sampler) rollback() Confirm {
	return Confirm{ID: "roll-back", Title: "Go back to Key 2MM4K9TZ7Q?", Button: "Roll back", Action: CredentialRollbackPath("c1"),
		Back: CredentialPath("c1"),
		Consequence: []string{"23 phones of com.lindenhof.patients are called with it from now on.",
			"Key 7QX2M4K9TZ is in use now and will be kept, so you can switch back."}}
}

func (s sampler) probed(up Link) CredentialPage {
	back := s.rollback()
	return CredentialPage{
		Shell: s.shell("Key 7QX2M4K9TZ", NavCredentials, up), ID: "c1", Tone: ToneGood, State: "Working", CanEdit: true, Back: &back,
		Facts: []Row{{Name: "Kind", Text: "Key (.p8)"}, {Name: "Bundle id", Text: "com.lindenhof.patients", Copy: true},
			{Name: "Key id", Text: "7QX2M4K9TZ", Copy: true}},
		Probe: &Probe{ToneWarn, "Apple takes this credential in production, and not in sandbox. The key is for the other environment.",
			s.ago(4 * time.Second), []ProbeHost{
				{EnvProduction, ToneGood, "Accepted", "", "Apple takes this credential for com.lindenhof.patients.voip in production.", ""},
				{EnvSandbox, ToneBad, "Refused", "BadEnvironmentKeyIdInToken", "The key is for the other environment.",
					"Create a key for both environments in your developer account, or add one for the sandbox."},
			}},
		Devices: []Row{{Name: "Production", Text: "23 phones"}},
		Remove: Confirm{ID: "remove-credential", Title: "Remove Key 7QX2M4K9TZ?", TypeName: "7QX2M4K9TZ", Button: "Remove credential",
			Action: CredentialRemovePath("c1"), Back: CredentialPath("c1"), Consequence: []string{"23 phones stop ringing."}},
	}
}
