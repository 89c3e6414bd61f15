package views

import "time"

func (s sampler) ringRows() []RingRow {
	return []RingRow{
		{ID: sampleRing, State: RingRinging, To: "Ana Ruiz", Devices: "Ana’s iPhone", Agent: "Reception", Reference: "appt-20418",
			Placed: s.ago(9 * time.Second), Reason: "ringing for 9 seconds"},
		{ID: "019ab2f1-1c11-7d3a-9f24-1b7f0c9de211", State: RingAnswered, To: "Jonas Weber", Devices: "2 devices", Agent: "Reception",
			Reference: "appt-20417", Placed: s.ago(2 * time.Minute), Reason: "on the phone"},
		{ID: "019ab2ee-1c11-7d3a-9f24-1b7f0c9de212", State: RingEnded, To: "Dr. Miriam Kaya", Devices: "Miriam’s iPhone",
			Agent: "Reception", Reference: "appt-20412", Placed: s.ago(14 * time.Minute), Reason: "the person hung up",
			Duration: "1 min 48 s"},
		{ID: "019ab2e9-1c11-7d3a-9f24-1b7f0c9de213", State: RingMissed, To: "Piotr Nowak", Devices: "Work phone", Agent: "Reminder",
			Reference: "recall-881", Placed: s.ago(31 * time.Minute), Reason: "no answer in 30 seconds"},
		{ID: "019ab2d7-1c11-7d3a-9f24-1b7f0c9de214", State: RingFailed, To: "Front desk", Devices: "Front desk iPhone",
			Agent: "Reception", Placed: s.ago(52 * time.Minute), Reason: "Apple does not know this device", Sandbox: true, Test: true},
		{ID: "019ab2c0-1c11-7d3a-9f24-1b7f0c9de215", State: RingDeclined, To: "Leonie Brandt", Devices: "Leonie’s iPhone",
			Agent: "Reminder", Reference: "recall-880", Placed: s.ago(70 * time.Minute), Reason: "declined after 6 seconds"},
		{ID: "019ab2b2-1c11-7d3a-9f24-1b7f0c9de216", State: RingCancelled, To: "Ana Ruiz", Devices: "Ana’s iPhone", Agent: "Reception",
			Reference: "appt-20399", Placed: s.ago(3 * time.Hour), Reason: "cancelled by the API key Booking"},
		{ID: "019ab2a4-1c11-7d3a-9f24-1b7f0c9de217", State: RingPushed, To: "Samuel Adeyemi", Devices: "iPad of the lab",
			Agent: "Reception", Placed: s.ago(4 * time.Hour), Reason: "waiting for the phone"},
	}
}

func (s sampler) ringTable(rows int) Table {
	return Table{
		Name: "Rings", Action: PathRings, Search: "Ring id, device, person or reference", Rows: rows,
		Filters: []Filter{
			{"state", "State", []Choice{{"", "Any state", true}, {"ended", "Answered", false}, {"missed", "Missed", false},
				{"declined", "Declined", false}, {"failed", "Failed", false}}},
			{"device", "Device", []Choice{{"", "Any device", true}, {sampleDevice, "Ana’s iPhone", false}}},
			{"agent", "Agent", []Choice{{"", "Any agent", true}, {"a1", "Reception", false}, {"a2", "Reminder", false}}},
			{"period", "Period", []Choice{{"week", "Last 7 days", true}, {"day", "Last 24 hours", false},
				{"month", "Last 30 days", false}}},
		},
		CSV: PathRingsCSV + "?period=week", Total: "812 rings in the last 7 days", Older: PathRings + "?after=019ab2a4",
		Empty: Empty{Icon: IconRing, Text: "No rings yet.", Action: Button{Text: "Start test ring", Href: PathTestRing, Icon: IconRing,
			Kind: Primary}},
	}
}

func (s sampler) ringPages() []Sample {
	filtered := s.ringTable(0)
	filtered.Query, filtered.Filtered = "nobody", true
	empty := s.ringTable(0)
	going := s.ring()
	going.State, going.Going, going.CanCancel, going.Ended, going.Quality = RingRinging, true, true, Time{}, nil
	going.Reason = "The phone shows the call. No answer yet."
	going.Lanes = []Lane{{Device: "Ana’s iPhone", Href: DevicePath(sampleDevice), Model: "iPhone 15 Pro, iOS 26.1", Tone: ToneBrand,
		Result: "Ringing", Hops: s.liveHops(), Pushes: s.pushes()[:1]}}
	return []Sample{
		{"rings", Rings(RingsPage{s.shell("Rings", NavRings), s.ringTable(8), s.ringRows(), true})},
		{"rings-none-found-empty", Rings(RingsPage{s.shell("Rings", NavRings), filtered, nil, false})},
		{"rings-empty", Rings(RingsPage{s.shell("Rings", NavRings), empty, nil, false})},
		{"ring-answered", Ring(s.ring())},
		{"ring-ringing", Ring(going)},
		{"ring-failed", Ring(s.ringFailed())},
		{"ring-lanes", Ring(s.ringLanes())},
		{"ring-cancel", ConfirmPage(s.shell("Stop ringing", NavRings), RingCancel(going))},
		{"ring-call", Ring(s.ringInCall())},
		{"ring-transfer", Transfer(s.transfer())},
		{"ring-transfer-none-empty", Transfer(TransferPage{Shell: s.ringShell("Transfer the call with Ana Ruiz"), ID: sampleRing,
			Refused: "This ring is not in a call, so there is nothing to transfer."})},
		{"ring-notes-closed", Ring(s.ringClosed())},
		{"ring-erase", ConfirmPage(s.shell("Erase notes", NavRings), NotesErase(*s.notes()))},
	}
}

// ringInCall is a ring whose call is up.
func (s sampler) ringInCall() RingPage {
	p := s.ring()
	p.State, p.Going, p.CanCancel, p.CanTransfer, p.Ended, p.Quality, p.Again = RingAnswered, true, true, true, Time{}, nil, ""
	p.Reason = "The person and the agent are talking."
	return p
}

func (s sampler) transfer() TransferPage {
	return TransferPage{Shell: s.ringShell("Transfer the call with Ana Ruiz"), ID: sampleRing,
		Agents:    []Choice{{Value: "a1", Text: "Reception"}, {Value: "a2", Text: "Dr. Okafor’s assistant"}},
		AgentHelp: []string{"The agent that talks now leaves. The person hears a tone until this one takes the call."},
		People:    []Choice{{Value: "dr-okafor", Text: "dr-okafor"}},
		PersonHelp: []string{"All devices of this person ring, as a ring of its own. It counts like any other.",
			"Who answers is connected with the call. If nobody answers, the call goes back to the agent of its ring."}}
}

func (s sampler) ringShell(title string) Shell {
	return s.shell(title, NavRings, Link{Text: "Rings", Href: PathRings})
}

func (s sampler) ring() RingPage {
	return RingPage{
		Shell: s.ringShell("Ring to Ana Ruiz"), ID: sampleRing, State: RingEnded, To: "Ana Ruiz", ToHref: PathDevices + "?q=ana",
		Agent: "Reception", AgentHref: AgentPath("a1"), Caller: "Lindenhof Dental", Reference: "appt-20418", PlacedBy: "API key Booking",
		Placed: s.ago(12 * time.Minute), Expires: s.ago(11 * time.Minute), Ended: s.ago(10 * time.Minute),
		Reason: "Ana picked up after 4.9 seconds and talked for 1 minute 48 seconds. She hung up.",
		Again:  PathTestRing + "?device=" + sampleDevice,
		Lanes: []Lane{{Device: "Ana’s iPhone", Href: DevicePath(sampleDevice), Model: "iPhone 15 Pro, iOS 26.1, app 4.2.0",
			Tone: ToneGood, Result: "Answered",
			Hops:   append(s.doneHops(), Hop{"The person hung up", HopDone, s.hop(113420 * time.Millisecond), "1 min 48 s", ""}),
			Pushes: s.pushes()[:1]}},
		Quality: &Quality{Duration: "1 min 48 s", Setup: "312 ms", Jitter: "4 ms", Loss: "0.1 %", Trip: "38 ms", Verdict: "Clear",
			Tone: ToneGood, Ended: "the person hung up", FirstAudio: "420 ms", Interrupted: "240 ms", MOS: "4.3"},
		Recording: &Recording{Ring: sampleRing, Length: "1 min 42 s", Consent: "the person pressed 1", Ending: "ogg"},
		Notes:     s.notes(), Sound: s.sound(),
	}
}

func (s sampler) notes() *Notes {
	said := func(agent bool, offset, text string) NoteRow {
		return NoteRow{agent, offset, s.ago(11 * time.Minute), text}
	}
	return &Notes{Ring: sampleRing, Summary: "Ana confirmed the appointment on Friday at 9:30 and asked for parking.", Total: 4,
		CanErase: true, Person: "ana.ruiz", Lines: []NoteRow{
			said(true, "0:02", "Good morning, this is Lindenhof Dental. Is Friday at 9:30 still fine?"),
			said(false, "0:09", "Yes, that works. Is there parking?"), said(true, "0:12", "There is, in the yard."),
			said(false, "0:15", "Thank you. Goodbye.")}}
}

// ringClosed is a ring whose notes are shown only when somebody asks.
func (s sampler) ringClosed() RingPage {
	p := s.ring()
	p.Notes = &Notes{Ring: sampleRing, Closed: true}
	return p
}

func (s sampler) doneHops() []Hop {
	return []Hop{
		{"Ring was placed", HopDone, s.hop(0), "", ""},
		{"Sent to Apple", HopDone, s.hop(4 * time.Millisecond), "4 ms", ""},
		{"Apple accepted the push", HopDone, s.hop(52 * time.Millisecond), "48 ms", "Apple accepts pushes even when the phone is off."},
		{"The phone woke the app", HopDone, s.hop(268 * time.Millisecond), "216 ms", ""},
		{"The call was on the screen", HopDone, s.hop(331 * time.Millisecond), "63 ms", ""},
		{"Ana picked up", HopDone, s.hop(4911 * time.Millisecond), "4.58 s", ""},
		{"Both could hear each other", HopDone, s.hop(5223 * time.Millisecond), "312 ms", ""},
	}
}

func (s sampler) liveHops() []Hop {
	s.now = s.now.Add(12*time.Minute - 4*time.Second)
	hops := s.doneHops()[:5:5]
	return append(hops, Hop{Label: "Picked up", State: HopNow}, Hop{Label: "Both can hear each other", State: HopWaiting})
}

func (s sampler) callingHops() []Hop {
	s.now = s.now.Add(12*time.Minute - time.Second)
	return append(s.doneHops()[:3:3], Hop{Label: "The phone wakes the app", State: HopNow},
		Hop{Label: "The call is on the screen", State: HopWaiting},
		Hop{Label: "A person picks up", State: HopWaiting}, Hop{Label: "Both can hear each other", State: HopWaiting})
}

func (s sampler) pushes() []Push {
	return []Push{
		{ApnsID: "7b1f9a52-40d0-4ac1-9d7e-0d7c1a1f5e21", Status: 200, Environment: EnvProduction, Sent: s.hop(4 * time.Millisecond),
			Answered: s.hop(52 * time.Millisecond), Took: "48 ms", Meaning: "Apple accepted the push and forwards it."},
		{ApnsID: "0d7c1a1f-40d0-4ac1-9d7e-7b1f9a525e22", Status: 400, Reason: "BadDeviceToken", Environment: EnvSandbox,
			Sent: s.hop(5 * time.Millisecond), Answered: s.hop(61 * time.Millisecond), Took: "56 ms",
			Meaning: "Apple’s sandbox does not know this phone. Its app was most likely installed from the App Store, which needs " +
				"production."},
	}
}

func (s sampler) problem() *Callout {
	return &Callout{Tone: ToneBad, Title: "Stopped at Apple: this phone belongs to the other environment",
		Cause: "The phone is registered for the sandbox, but its app was installed from TestFlight or the App Store, which use " +
			"production.",
		Cure:   "Set the device to “detected automatically” and ring again. If it stays, let the app register once more by opening it.",
		Action: Button{Text: "Change the device", Href: DevicePath(sampleDevice), Kind: Quiet, Icon: IconEdit}}
}

func (s sampler) failedHops() []Hop {
	return []Hop{
		{"Ring was placed", HopDone, s.hop(0), "", ""},
		{"Sent to Apple", HopDone, s.hop(5 * time.Millisecond), "5 ms", ""},
		{"Apple refused the push", HopFailed, s.hop(61 * time.Millisecond), "56 ms", "Apple’s reason: BadDeviceToken."},
		{"The phone woke the app", HopSkipped, Time{}, "", ""},
		{"The call was on the screen", HopSkipped, Time{}, "", ""},
	}
}

func (s sampler) ringFailed() RingPage {
	p := s.ring()
	p.Shell = s.ringShell("Ring to the front desk")
	p.State, p.To, p.Reason, p.Quality, p.Problem = RingFailed, "Front desk",
		"Apple refused to ring the only device, so the ring ended at once.", nil, s.problem()
	p.Lanes = []Lane{{Device: "Front desk iPhone", Href: DevicePath(sampleDevice), Model: "iPhone 12, iOS 25.4", Tone: ToneBad,
		Result: "Refused by Apple", Hops: s.failedHops(), Pushes: s.pushes()[1:]}}
	return p
}

func (s sampler) ringLanes() RingPage {
	p := s.ring()
	p.Shell = s.ringShell("Ring to Jonas Weber")
	p.To, p.Reason = "Jonas Weber", "Jonas picked up on his iPhone; his iPad was told so."
	p.Lanes = []Lane{
		{Device: "Jonas’ iPhone", Href: DevicePath(sampleDevice), Model: "iPhone 16, iOS 26.1", Tone: ToneGood, Result: "Answered",
			Hops: s.doneHops(), Pushes: s.pushes()[:1]},
		{Device: "Jonas’ iPad", Href: DevicePath("d2"), Model: "iPad Air, iPadOS 26.0", Tone: ToneNeutral, Result: "Answered elsewhere",
			Hops: append(s.doneHops()[:5:5], Hop{"Stopped: answered on another device", HopEnded, s.hop(4933 * time.Millisecond),
				"4.60 s", ""}), Pushes: s.pushes()[:1]},
		{Device: "Reception phone", Href: DevicePath("d3"), Model: "iPhone SE, iOS 26.1", Tone: ToneWarn, Result: "Silenced by Focus",
			Hops: append(s.doneHops()[:4:4], Hop{"Focus kept it silent", HopFailed, s.hop(410 * time.Millisecond), "142 ms",
				"A Focus such as Do Not Disturb was on. Allow calls from your app in the phone’s Focus settings."}),
			Pushes: s.pushes()[:1]},
	}
	return p
}

func (s sampler) testPages() []Sample {
	live := func(name string, p TestLivePage) Sample {
		p.Shell = s.shell("Test ring to Ana’s iPhone", NavTest, Link{Text: "Test ring", Href: PathTestRing})
		p.ID, p.Device, p.DeviceID, p.Model = sampleRing, "Ana’s iPhone", sampleDevice, "iPhone 15 Pro"
		p.Caller, p.Tenant, p.CanRing = "Lindenhof reception", p.Shell.Tenant, true
		return Sample{name, TestLive(p)}
	}
	return []Sample{
		{"test-ring", TestRing(TestRingPage{Shell: s.shell("Test ring", NavTest), Recent: s.ringRows()[2:5],
			Agents: []Choice{{"", "Bells and echo (built in)", true}, {"a1", "Reception", false}},
			Devices: []TestDevice{
				{sampleDevice, "Ana’s iPhone", "Ana Ruiz", "iPhone 15 Pro, iOS 26.1", EnvProduction, true, "", ""},
				{"d2", "Front desk iPhone", "Front desk", "iPhone 12, iOS 25.4", EnvSandbox, false, "not seen for 9 days", ""},
				{"d3", "Virtual phone", "Dev mode", "This browser", EnvSandbox, false, "", PhonePath("lindenhof")},
			}})},
		{"test-ring-empty", TestRing(TestRingPage{Shell: s.shell("Test ring", NavTest)})},
		live("test-live-calling", TestLivePage{State: RingPushed, Headline: "Calling Ana’s iPhone…", Hops: s.callingHops()}),
		live("test-live-ringing", TestLivePage{State: RingRinging, Headline: "Ringing Ana’s iPhone…", Hops: s.liveHops()}),
		live("test-live-answered", TestLivePage{State: RingAnswered, Headline: "The call was answered.",
			Hops: append(s.doneHops(), Hop{Label: "The call is over", State: HopWaiting})}),
		live("test-live-missed", TestLivePage{State: RingMissed, Headline: "The phone rang and nobody answered",
			Hops:    append(s.doneHops()[:5:5], Hop{Label: "A person picks up", State: HopFailed, Note: "Not reached in time."}),
			Elapsed: "331 ms"}),
		live("test-live-works", TestLivePage{State: RingEnded, Headline: "It works. You heard the bells.", Hops: s.doneHops(),
			Elapsed: "331 ms"}),
		live("test-live-failed", TestLivePage{State: RingFailed, Headline: "Stopped at Apple", Hops: s.failedHops(), Problem: s.problem()}),
	}
}
