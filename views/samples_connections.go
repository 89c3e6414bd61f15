package views

import "time"

// sampleConnection is the id of the connection that samples show.
const sampleConnection = "019ab300-1d4e-7a21-8c02-5b6e1a90ff31"

// connectionSampler makes up data about connections.
type connectionSampler struct{ sampler }

func (s connectionSampler) connectionTable(rows int) Table {
	return Table{Name: "Connections", Action: PathConnections, Search: "Name or address", Rows: rows, CSV: PathConnectionsCSV,
		Total: "4 connections",
		Filters: []Filter{
			{"role", "Type", []Choice{{"", "Any type", true}, {"webhook", "Webhook", false}, {"crm", "CRM", false}}},
			{"state", "State", []Choice{{"", "Any state", true}, {"active", "On", false}, {"paused", "Paused", false}}},
		},
		Empty: Empty{Icon: IconPlug, Text: "Nothing is connected yet.", Action: Button{Text: "Add connection", Href: PathConnectionAdd,
			Icon: IconPlus, Kind: Primary}}}
}

func (s connectionSampler) pod() []PodRow {
	return []PodRow{
		{Role: "Calendar feed", Tone: ToneGood, Word: "Working", Name: "Practice calendar", Href: ConnectionPath("c2")},
		{Role: "Text messages", Tone: ToneBad, Word: "Failing", When: s.ago(26 * time.Hour), Name: "Twilio", Href: ConnectionPath("c3")},
		{Role: "Audit log", Tone: ToneNeutral, Word: "Not connected", Add: true, Href: ConnectionAddPath("audit"),
			Why: "Keep a record of every change outside this server, as rules on patient data often ask."},
	}
}

func (s connectionSampler) deliveryRows() []DeliveryRow {
	return []DeliveryRow{
		{"e1", "ring.ended", sampleRing, sampleConnection, s.ago(3 * time.Minute), ToneWarn, "Trying again", "503 Service Unavailable",
			"2 attempts", s.ago(-4 * time.Minute)},
		{"e2", "call.ended", sampleRing, sampleConnection, s.ago(4 * time.Minute), ToneGood, "Delivered", "200 OK", "1 attempt", Time{}},
		{"e3", "ring.placed", sampleRing, sampleConnection, s.ago(7 * time.Minute), ToneGood, "Delivered", "204 No Content", "1 attempt",
			Time{}},
		{"e4", "device.removed", "", sampleConnection, s.ago(9 * 24 * time.Hour), ToneBad, "Failed", "no answer", "19 attempts", Time{}},
	}
}

func (s connectionSampler) attempts() []DeliveryAttempt {
	request := "POST /hooks/carillon HTTP/1.1\nContent-Type: application/json\nwebhook-id: 019ab300\nwebhook-timestamp: 1764000000\n" +
		"webhook-signature: v1,…\n\n{\"type\":\"ring.ended\",\"data\":{\"ring\":\"" + sampleRing + "\"}}"
	return []DeliveryAttempt{
		{ID: "a2", At: s.ago(2 * time.Minute), Tone: ToneBad, Status: "503", Took: "1.21 s", Request: request, Answer: "upstream is busy",
			Cause: "Your system answered 503.", Cure: "Carillon tries again. Look into the log of your system at this time."},
		{ID: "a1", At: s.ago(3 * time.Minute), Tone: ToneBad, Status: "no answer", Took: "10.0 s", Request: request,
			Cause: "No answer within 10 seconds.", Cure: "Answer at once with 200, and do the work afterwards."},
	}
}

func (s connectionSampler) connectionFacts() []Row {
	return []Row{{Name: "Type", Text: "Webhook"}, {Name: "Address", Text: "https://crm.lindenhof.example/hooks/carillon", Copy: true},
		{Name: "Events", Text: "All events"}, {Name: "Headers", Text: "Authorization"},
		{Name: "Last delivered", When: s.ago(4 * time.Minute)},
		{Name: "Added", When: s.ago(40 * 24 * time.Hour)}, {Name: "Connection id", Text: sampleConnection, Copy: true}}
}

func (s connectionSampler) traffic() Traffic {
	t := Traffic{Zone: "Europe/Berlin", Stats: []Stat{{Label: "Delivered", Value: "1,204", Note: "of 1,219 attempts"},
		{Label: "Failed", Value: "1 %", Note: "15 attempts"}, {Label: "p50", Value: "96 ms", Note: "half are faster"},
		{Label: "p95", Value: "410 ms", Note: "95% are faster"}}}
	start := s.now.Truncate(time.Hour).Add(-23 * time.Hour)
	for i := range 24 {
		at := start.Add(time.Duration(i) * time.Hour)
		hour := TrafficHour{Label: at.Format("15:04"), ISO: at.Format(time.RFC3339), Delivered: 20 + 37*i%61, P50: 90 + i, P95: 300 + 9*i}
		if i == 16 {
			hour.Failed = 15
		}
		t.Hours = append(t.Hours, hour)
	}
	return t
}

func (s connectionSampler) connectionPages() []Sample {
	up, here := Link{Text: "Connections", Href: PathConnections}, Link{Text: "CRM", Href: ConnectionPath(sampleConnection)}
	remove := Confirm{ID: "remove-connection", Title: "Remove CRM?", TypeName: "CRM", Button: "Remove connection",
		Action: ConnectionRemovePath(sampleConnection), Back: ConnectionPath(sampleConnection),
		Consequence: []string{"1 event that waits is not sent.", "Rings go on as before."}}
	rotate := Confirm{ID: "rotate-secret", Title: "Rotate the signing secret?", Button: "Rotate secret",
		Action: ConnectionSecretPath(sampleConnection), Back: ConnectionPath(sampleConnection),
		Consequence: []string{"The new secret is shown once.", "Both secrets work for 24 hours. After that the old one signs nothing."}}
	full := ConnectionPage{Shell: s.shell("CRM", NavConnections, up), ID: sampleConnection, Tone: ToneGood, State: "Working",
		Facts: s.connectionFacts(), Traffic: s.traffic(), Sends: true, Test: "Sends one event now and shows what your system answers.",
		TestButton: "Send a test event", Deliveries: s.deliveryRows(), Waiting: "1 event waits.",
		Verify: "import hmac\n…", Active: true, CanEdit: true, Rotate: &rotate, Remove: remove,
		OnAgain: "New events are sent again.", OnPause: "Nothing is sent while it is paused."}
	failing := full
	failing.Tone, failing.State = ToneBad, "Off"
	failing.Problem = &Callout{Tone: ToneBad, Title: "Off since 3 days: your system answered nothing for 5 days",
		Cause: "The last answer was 503.", Cure: "Mend your system, turn the connection on again, and send what it missed."}
	failing.Active, failing.Resume, failing.Result = false, true, &DeliveryPage{Attempts: s.attempts()[:1]}
	form := ConnectionFormPage{Shell: s.shell("Add a webhook", NavConnections, up), Role: "webhook", Kind: "Webhook",
		Text:    "Sends an HTTPS request to your program for each event.",
		Name:    Field{Name: "name", Label: "Name", Max: 80},
		Address: Field{Name: "url", Label: "Address", Mono: true, Placeholder: "https://example.com/hooks/carillon"},
		Parts: []FormPart{{Input: &Field{Name: "from", Label: "From", Optional: true}}, {Area: &Field{Name: "template", Label: "Text"}},
			{Pick: &Pick{Name: "zone", Label: "Zone", Choices: []Choice{{"a", "A", true}}}},
			{Tick: &Tick{Name: "lookup", Value: "1", Label: "Ask before a ring"}}, {Note: "A note."},
			{Ticks: []Tick{{Name: "field", Value: "x", Label: "X"}}, Legend: "Fields"}},
		Events: []EventGroup{{"Rings", []Tick{{Name: "event", Value: "ring.placed", Label: "ring.placed"}, {Name: "event",
			Value: "ring.ended", Label: "ring.ended", Checked: true}}}, {"Devices", []Tick{{Name: "event", Value: "device.removed",
			Label: "device.removed"}}}},
		Headers: &Field{Name: "headers", Label: "Headers", Optional: true}, Forget: &Tick{Name: "forget", Value: "1", Label: "Remove them"}}
	edit := form
	edit.ID, edit.Wrong, edit.Error = sampleConnection, "Choose at least one.", "The connection was not saved."
	edit.Shell = s.shell("Edit CRM", NavConnections, up, here)
	choose := ConnectionFormPage{Shell: s.shell("Add a connection", NavConnections, up), Cards: []RoleCard{
		{"webhook", "Webhook", "Sends an HTTPS request to your program for each event.", ""},
		{"sms", "Text messages", "Sends one text after a missed ring.", "A text tells the patient who called."}}}
	replay := ReplayPage{Shell: s.shell("Send events again", NavConnections, up, here), ID: sampleConnection,
		Which: []Choice{{"failed", "Only what did not arrive", true}, {"all", "Everything", false}},
		From:  Field{Name: "from", Label: "From", Type: "datetime-local", Value: "2026-11-23T08:00"},
		To:    Field{Name: "to", Label: "To", Type: "datetime-local", Value: "2026-11-24T08:00"}, Counted: true, Count: 212,
		Says: []string{"They are sent in their old order, ring by ring."}, Hidden: []Choice{{"failed", "which", false}}}
	delivery := DeliveryPage{Shell: s.shell("ring.ended", NavConnections, up, here), ID: "e1", Tone: ToneInfo, State: "Waiting",
		Facts: []Row{{Name: "Event", Text: "ring.ended", Mono: true}, {Name: "Happened", When: s.ago(3 * time.Minute)}},
		Body:  "{\n  \"type\": \"ring.ended\"\n}", Attempts: s.attempts(), CanSend: true, Send: "Send now",
		Problem: &Callout{Tone: ToneWarn, Title: "The next attempt is in 4 minutes"}}
	table := Table{Name: "Events", Action: DeliveriesPath(sampleConnection), Rows: 4,
		CSV: DeliveriesCSVPath(sampleConnection), Total: "4 events",
		Newest: true}
	none := table
	none.Rows, none.Empty = 0, Empty{Icon: IconSend, Text: "No event was sent yet."}
	return []Sample{
		{"connections", Connections(ConnectionsPage{s.shell("Connections", NavConnections), s.connectionTable(3), []ConnectionRow{
			{sampleConnection, "CRM", "Webhook", "https://crm.lindenhof.example/hooks/carillon", "All events", ToneGood, "Working", Time{},
				"1 %", "410 ms", s.ago(4 * time.Minute)},
			{"c3", "Twilio", "Text messages", "https://api.twilio.com", "Missed rings", ToneBad, "Failing", s.ago(26 * time.Hour), "100 %",
				"10.0 s", s.ago(27 * time.Hour)},
			{"c4", "Old CRM", "Webhook", "https://old.lindenhof.example", "2 of 13 events", ToneNeutral, "Paused", Time{}, "–", "–",
				Time{}},
		}, s.pod(), true})},
		{"connections-empty", Connections(ConnectionsPage{Shell: s.shell("Connections", NavConnections), Table: s.connectionTable(0),
			CanEdit: true})},
		{"connection-choose", ConnectionForm(choose)}, {"connection-add", ConnectionForm(form)}, {"connection-edit", ConnectionForm(edit)},
		{"connection", Connection(full)}, {"connection-off", Connection(failing)},
		{"connection-new-empty", Connection(ConnectionPage{Shell: s.shell("CRM", NavConnections, up), ID: sampleConnection,
			Tone: ToneNeutral, State: "Not used yet", Sends: true,
			Extra: &ConnectionExtra{Title: "Schedule", None: "The feed was not read yet."}})},
		{"connection-remove", ConfirmPage(s.shell("Remove a connection", NavConnections, up), remove)},
		{"connection-secret", ConfirmPage(s.shell("Rotate the signing secret", NavConnections, up), rotate)},
		{"connection-secret-shown", SecretOnce(SecretPage{s.shell("Your signing secret", NavConnections, up), Secret{
			Title: "Your signing secret", Text: "whsec_Zm9yIHRoZSBzdG9yeWJvb2sgb25seSwgbm90aGluZyE=", Note: "We cannot show it again.",
			Next: ConnectionPath(sampleConnection), CodeTitle: "Check a signature (Python)", Code: "import hmac\n…"}})},
		{"connection-replay", Replay(replay)},
		{"deliveries", Deliveries(DeliveriesPage{s.shell("Events", NavConnections, up, here), table, s.deliveryRows(),
			ConnectionReplayPath(sampleConnection)})},
		{"deliveries-empty", Deliveries(DeliveriesPage{Shell: s.shell("Events", NavConnections, up, here), Table: none})},
		{"delivery", Delivery(delivery)},
	}
}
