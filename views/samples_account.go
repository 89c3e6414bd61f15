package views

import "time"

func (s sampler) revoke(id, name string, text string) Confirm {
	return Confirm{ID: "revoke-" + id, Title: "Revoke " + name + "?", TypeName: name, Button: "Revoke key", Action: KeyRevokePath(id),
		Back: PathKeys, Consequence: []string{text, "A revoked key cannot be restored."}}
}

func (s sampler) keyPages() []Sample {
	up := Link{Text: "API keys", Href: PathKeys}
	table := Table{Name: "API keys", Action: PathKeys, Rows: 3, Search: "Name or last four characters",
		Empty: Empty{Icon: IconKey, Text: "No API keys yet.", Action: Button{Text: "Create API key", Href: PathKeyAdd, Icon: IconPlus,
			Kind: Primary}}}
	none := table
	none.Rows, none.Search = 0, ""
	return []Sample{
		{"keys", Keys(KeysPage{s.shell("API keys", NavKeys), table, []KeyRow{
			{ID: "k1", Name: "Booking", Shown: "crl_live_…x7Qp", Live: true, Rate: "20 rings a second",
				Limits: []string{"2 addresses"},
				Scopes: []string{"Ring phones", "Read rings"}, May: "2 of 16 permissions",
				Used: s.ago(9 * time.Second), Created: s.ago(120 * 24 * time.Hour),
				By: "Ana Ruiz", Expires: s.ago(-10 * 24 * time.Hour), Tone: ToneWarn, State: "Expires soon"},
			{ID: "k2", Name: "Developer laptop", Shown: "crl_test_…0Lm2", Scopes: []string{"Ring phones", "Read rings", "Read devices"},
				May:  "3 of 16 permissions",
				Used: s.ago(26 * time.Hour), Created: s.ago(14 * 24 * time.Hour), By: "Jonas Weber"},
			{ID: "k3", Name: "Pilot", Shown: "crl_live_…Zz91", Live: true, Scopes: []string{"Ring phones"}, May: "1 of 16 permissions",
				Used: s.ago(60 * 24 * time.Hour), Created: s.ago(200 * 24 * time.Hour), By: "Ana Ruiz", State: "Revoked",
				Tone: ToneNeutral, Ended: true},
		}, true})},
		{"keys-empty", Keys(KeysPage{s.shell("API keys", NavKeys), none, nil, true})},
		{"key", Key(s.keyPage())},
		{"key-add", KeyForm(s.keyForm(s.shell("Create an API key", NavKeys, up), ""))},
		{"key-edit", KeyForm(s.keyForm(s.shell("Edit an API key", NavKeys, up), "k1"))},
		{"key-rotate", KeyRotate(KeyRotatePage{Shell: s.shell("Rotate Booking", NavKeys, up), ID: "k1", Name: "Booking",
			Used: "The old key was last used on 27 Nov 2026, 14:02.",
			Overlap: Pick{Name: "overlap", Label: "The old key works for", Help: "Until then both keys work.",
				Choices: []Choice{{"now", "Stop now", false}, {"15m", "15 minutes", false}, {"1h", "1 hour", true},
					{"24h", "24 hours", false}}}})},
		{"key-created", SecretOnce(SecretPage{s.shell("API keys", NavKeys),
			Secret{Title: "Your new API key", Text: "crl_live_4tYb7Qk2LmVx9RzN0pWc3HdS8fGjKa5e_x7Qp", Next: PathKeys,
				Note: "Copy it into your program now. We cannot show it again.",
				Rows: []Row{{Name: "Name", Text: "Booking"}, {Name: "May", Text: "ring phones, read rings"},
					{Name: "Later shown as", Text: "crl_live_…x7Qp", Mono: true}}}})},
	}
}

func (s sampler) keyForm(shell Shell, id string) KeyFormPage {
	p := KeyFormPage{Shell: shell, ID: id,
		Name: Field{Name: "name", Label: "Name", Placeholder: "Booking", Help: "Name of the program", Max: 64},
		Rate: Field{Name: "per_second", Label: "Rings a second", Type: "number", Optional: true,
			Help: "Leave empty to use the limit of your organisation: 20 a second."},
		Expires: Pick{Name: "expires", Label: "Expires", Choices: []Choice{{"never", "Never", true}, {"30", "In 30 days", false},
			{"90", "In 90 days", false}, {"date", "On a date", false}}},
		Until:    Field{Name: "until", Label: "Last day", Type: "date", Optional: true},
		Networks: Field{Name: "networks", Label: "Addresses", Optional: true, Placeholder: "203.0.113.7"},
		Devices:  Field{Name: "devices", Label: "Devices and people", Optional: true},
		Scopes: []Tick{
			{Name: "scope", Value: "rings:write", Label: "Ring phones", Checked: true},
			{Name: "scope", Value: "rings:read", Label: "Read rings", Checked: true},
			{Name: "scope", Value: "devices:write", Label: "Add and remove devices"},
			{Name: "scope", Value: "devices:read", Label: "Read devices"},
			{Name: "scope", Value: "agents:write", Label: "Change agents"},
			{Name: "scope", Value: "analytics:read", Label: "Read figures"},
			{Name: "scope", Value: "credentials:write", Label: "Add Apple credentials", Help: "Rarely needed by a program."},
		}}
	if id == "" {
		p.Kinds = []Choice{{"live", "Live", true}, {"test", "Test", false}}
	}
	return p
}

func (s sampler) keyPage() KeyPage {
	row := func(ago time.Duration, method, route string, status int, tone Tone, took string) KeyRequestRow {
		return KeyRequestRow{At: s.ago(ago), Method: method, Route: route, Status: status, Tone: tone, IP: "203.0.113.7",
			ID: "0f8e5c1a9b7d4e22", Took: took}
	}
	return KeyPage{Shell: s.shell("Booking", NavKeys, Link{Text: "API keys", Href: PathKeys}), ID: "k1", CanEdit: true,
		Notice: &Callout{Tone: ToneWarn, Title: "This key was rotated. Its successor works already.",
			Cause:  "Both keys work until 27 Nov 2026, 16:02.",
			Action: Button{Text: "Open the new key", Href: KeyPath("k2"), Kind: Quiet}},
		Facts: []Row{{Name: "Key", Text: "crl_live_…x7Qp", Mono: true}, {Name: "Permissions", Text: "Ring phones, Read rings"},
			{Name: "Expires", When: s.ago(-10 * 24 * time.Hour)}, {Name: "Addresses", Text: "203.0.113.7, 2001:db8::/32"},
			{Name: "May ring", Text: "every device"}, {Name: "Created by", Text: "Ana Ruiz"}},
		Table: Table{Name: "Latest requests", Action: KeyPath("k1"), Rows: 3, Search: "Route, status, address or request ID",
			Total: "3 requests", CSV: KeyRequestsCSVPath("k1")},
		Requests: []KeyRequestRow{row(9*time.Second, "POST", "/v1/rings", 201, ToneGood, "4 ms"),
			row(10*time.Second, "GET", "/v1/rings/:id", 200, ToneGood, "< 1 ms"),
			row(time.Hour, "POST", "/v1/rings", 403, ToneWarn, "2 ms")},
		Revoke: s.revoke("k1", "Booking", "It was last used a moment ago.")}
}

func (s sampler) peoplePages() []Sample {
	up := Link{Text: "People", Href: PathPeople}
	roles := func(now string) []Choice {
		all := []Choice{{"owner", "Owner", false}, {"admin", "Administrator", false}, {"operator", "Operator", false},
			{"viewer", "Viewer", false}}
		for i := range all {
			all[i].Selected = all[i].Value == now
		}
		return all
	}
	remove := func(id, name string) Confirm {
		return Confirm{ID: "remove-" + id, Title: "Remove " + name + "?", Button: "Remove person", Action: PersonRemovePath(id),
			Back: PathPeople, Consequence: []string{"They are signed out immediately and lose access.",
				"Their past actions stay in the audit log."}}
	}
	return []Sample{
		{"provider", Provider(ProviderPage{Shell: s.shell("Sign-in", NavSettings, Link{Text: "Settings", Href: PathSettings}), Set: true,
			Callback: "https://carillon.example" + PathOIDCBack, Start: "https://carillon.example" + OIDCPath("lindenhof"),
			Issuer: Field{Name: "issuer", Label: "Issuer", Value: "https://login.lindenhof.example"},
			Client: Field{Name: "client_id", Label: "Client ID", Value: "carillon"},
			Secret: Field{Name: "secret", Label: "Client secret", Type: "password",
				Help: "Leave empty to keep the secret that is stored."},
			Domains: Field{Name: "domains", Label: "Email domains", Value: "lindenhof.example, lindenhof-praxis.example"},
			Claims: []DomainRow{{Domain: "lindenhof.example", State: "Verified", Verified: true, At: s.ago(50 * time.Hour)},
				{Domain: "lindenhof-praxis.example", State: "Not verified: admits nobody new",
					Record: "carillon-domain=6f1c2a9e-7d80-4b52-9a10-2f0d3c4b5a69"}},
			Role: Pick{Name: "role", Label: "Role at the first sign-in", Choices: []Choice{{"viewer", "Viewer", true}}},
			Only: Tick{Name: "only", Value: "1", Label: "Only through this provider"}})},
		{"provider-remove", ConfirmPage(s.shell("Remove the provider", NavSettings), Confirm{ID: "remove-provider",
			Title: "Remove the provider?", Button: "Remove provider", Action: PathProviderOff, Back: PathProvider,
			Consequence: []string{"Everybody who signed in through it is signed out immediately."}})},
		{"signin-organisation", Organisation(OrganisationPage{Email: Field{Name: "email", Label: "Email", Type: "email"}})},
		{"signin-provider", ProviderStart(ProviderStartPage{Tenant: "Lindenhof Medical", Action: OIDCPath("lindenhof")})},
		{"signin-leave", ProviderLeave(ProviderLeavePage{Tenant: "Lindenhof Medical", To: "https://login.lindenhof.example/authorize"})},
		{"roles", Roles(RolesPage{Shell: s.shell("What each role may do", NavPeople, Link{Text: "People", Href: PathPeople}),
			Roles: []RoleColumn{{"owner", "Owner", "Full access, manages owners", true, false},
				{"viewer", "Viewer", "Read only", false, true}},
			Grants: []GrantRow{{"Read rings", []bool{true, true}}, {"Ring phones and transfer calls", []bool{true, false}}}})},
		{"people", People(PeoplePage{Shell: s.shell("People", NavPeople), CanEdit: true, Table: Table{Name: "People", Action: PathPeople,
			Rows: 3},
			People: []PersonRow{
				{"u1", "Ana Ruiz", "ana@lindenhof.example", "Owner", roles("owner"), true, false, false, false, s.ago(time.Minute),
					Confirm{}, ""},
				{"u2", "Jonas Weber", "jonas@lindenhof.example", "Operator", roles("operator"), false, false, false, false,
					s.ago(5 * time.Hour), remove("u2", "Jonas Weber"), ""},
				{"u3", "Miriam Kaya", "miriam@lindenhof.example", "Viewer", roles("viewer"), false, true, false, true, Time{},
					remove("u3", "Miriam Kaya"), PersonResendPath("u3")},
			},
			Roles: []Row{{Name: "Owner", Text: "Full access, manages owners"}, {Name: "Administrator", Text: "Full access except owners"},
				{Name: "Operator", Text: "Rings and devices"}, {Name: "Viewer", Text: "Read only"}}})},
		{"people-empty", People(PeoplePage{Shell: s.shell("People", NavPeople), Table: Table{Name: "People", Action: PathPeople,
			Empty: Empty{Icon: IconPeople, Text: "No other people yet.", Action: Button{Text: "Invite person", Href: PathPersonAdd,
				Kind: Primary}}}})},
		{"person-add", PersonAdd(PersonAddPage{Shell: s.shell("Invite person", NavPeople, up),
			Email: Field{Name: "email", Label: "Email", Type: "email", Autocomplete: "off", Focus: true},
			Says:  []Row{{Name: "Owner", Text: "Full access, manages owners"}, {Name: "Viewer", Text: "Read only"}},
			Roles: roles("operator"), Mailed: true})},
		{"person-remove", ConfirmPage(s.shell("Remove a person", NavPeople, up), remove("u2", "Jonas Weber"))},
	}
}

func (s sampler) auditPages() []Sample {
	table := Table{Name: "Audit log", Action: PathAudit, Search: "Person, key, target or request id", Rows: 5, CSV: PathAuditCSV,
		Older: PathAudit + "?after=5",
		Filters: []Filter{
			{"actor", "Who", []Choice{{"", "Anyone", true}, {"u1", "Ana Ruiz", false}, {"k1", "Booking (key)", false}}},
			{"action", "What", []Choice{{"", "Anything", true}, {"device", "Devices", false}, {"credential", "Credentials", false},
				{"key", "API keys", false}, {"person", "People", false}}},
			{"period", "Period", []Choice{{"", "All time", true}, {"week", "Last 7 days", false}}},
		}, Empty: Empty{Icon: IconAudit, Text: "No changes yet.", Action: Button{Text: "Go to the overview", Href: PathOverview}}}
	none := table
	none.Rows = 0
	return []Sample{
		{"audit", Audit(AuditPage{s.shell("Audit log", NavAudit), table, []AuditRow{
			{ID: "5", At: s.ago(4 * time.Minute), Actor: "Ana Ruiz", Action: "created the API key", Target: "Booking", Own: true,
				Href: PathKeys, From: "203.0.113.7", Request: "req_8f2c01d4"},
			{ID: "4", At: s.ago(2 * time.Hour), Actor: "Booking", Program: true, Action: "cancelled the ring to", Target: "Ana Ruiz",
				Own: true, Href: RingPath(sampleRing), From: "198.51.100.20", Request: "req_7ab1c0de"},
			{ID: "3", At: s.ago(26 * time.Hour), Actor: "Jonas Weber", Action: "changed the device", Target: "Front desk iPhone", Own: true,
				Href: DevicePath("d2"), Changed: "name, environment", From: "203.0.113.7", Request: "req_55aa0101",
				Fields: []AuditChange{{Field: "name", Before: "“Desk”", After: "“Front desk iPhone”"}}},
			{ID: "2", At: s.ago(27 * time.Hour), Actor: "Jonas Weber", Action: "tried to remove the credential", Target: "Key 7QX2M4K9TZ",
				Href: CredentialPath("c1"), From: "203.0.113.7", Request: "req_55aa00f3", Refused: true},
			{ID: "1", At: s.ago(80 * 24 * time.Hour), Actor: "Ana Ruiz", Action: "added the person", Target: "Jonas Weber", Own: true,
				From: "203.0.113.7", Request: "req_01020304"},
		}, PathAuditLines})},
		{"audit-empty", Audit(AuditPage{s.shell("Audit log", NavAudit), none, nil, PathAuditLines})},
		{"audit-review", AuditReview(AuditReviewPage{
			Shell: s.shell("Verify and review", NavAudit, Link{Text: "Audit log", Href: PathAudit}), MaySign: true, New: true, Upto: "1204",
			State: Callout{Tone: ToneGood, Title: "1,204 entries are whole; signed up to entry 1,204. Verified by Ana Ruiz."},
			Chain: []Row{{Name: "Newest entry", Text: "1,204"}, {Name: "Signed up to entry", Text: "1,204"},
				{Name: "Public key", Text: "qzR9dY2bq1e3kW0b9w1l9fJmJm0Z9z8o6f3vYc1q2aE=", Mono: true, Copy: true}},
			Due: Callout{Tone: ToneWarn, Title: "A review is due. In your industry the audit log is reviewed every week."},
			Fresh: []Row{{Name: "New entries", Text: "37 since entry 1,167, calls left out"}, {Name: "By people", Text: "21"},
				{Name: "By programs and phones", Text: "14"}, {Name: "Refused attempts", Text: "2"}},
			Note:    Field{Name: "note", Label: "What you found", Max: 1000},
			Signed:  []AuditReviewRow{{s.ago(7 * 24 * time.Hour), "Ana Ruiz", "up to entry 1,167", "Nothing unusual."}},
			From:    Field{Name: "from", Label: "From", Type: "date", Value: "2026-10-27"},
			To:      Field{Name: "to", Label: "To", Type: "date", Value: "2026-11-27"},
			Command: "carillon audit verify --file rows.jsonl --key qzR9dY2bq1e3kW0b9w1l9fJmJm0Z9z8o6f3vYc1q2aE="})},
	}
}

func (s sampler) otherPages() []Sample {
	flashed := s.shell("Settings", NavSettings)
	flashed.Flash = &Flash{ToneGood, "Saved."}
	return []Sample{
		{"settings", Settings(SettingsPage{Shell: flashed, CanEdit: true,
			Recording: RecordingForm{MayChange: true, Sensitive: true, Sound: "A sound of 4 s is uploaded.",
				Policy: Pick{Name: "policy", Label: "Record calls", Choices: []Choice{{"off", "No", false},
					{"announce", "Yes, after an announcement", false}, {"consent", "If the person presses 1", true}}},
				File:   Field{Name: "file", Label: "Announcement", Optional: true, Help: "Ogg Opus, at most 2 MiB and one minute."},
				Reason: Field{Name: "reason", Label: "Reason", Optional: true, Value: "Required by our insurer, contract 7 of 2026"}},
			Name: Field{Name: "name", Label: "Name", Value: "Lindenhof Dental", Max: 80},
			Zone: Pick{Name: "time_zone", Label: "Time zone", Choices: []Choice{{"Europe/Berlin", "Europe/Berlin", true},
				{"Europe/London", "Europe/London", false}, {"America/New_York", "America/New York", false}}},
			TTL: Field{Name: "ttl_s", Label: "How long a phone rings", Type: "number", Value: "30",
				Help: "5 to 60 seconds. A single ring can use a different time."},
			Agent: Pick{Name: "agent", Label: "Default agent", Choices: []Choice{{"", "Bells and echo (built in)", false},
				{"a1", "Reception", true}}},
			Payload: Callout{Tone: ToneGood, Title: "IDs only, no names",
				Cause: "You are a healthcare organisation, so your notifications never contain a name or label. The lock screen shows " +
					"your app’s name until the app has read who is calling."},
			Facts: []Row{{Name: "Tenant id", Text: "019a7700-11aa-7c55-8d1e-77a2f0f1b0c4", Copy: true},
				{Name: "Short name", Text: "lindenhof", Mono: true}, {Name: "Industry", Text: "Healthcare"},
				{Name: "Since", When: s.ago(240 * 24 * time.Hour)}}})},
		{"rules", Rules(sampleRules(s.shell("Rules", NavSettings)))},
		{"data", Data(s.data())},
		{"data-erase", ConfirmPage(s.shell("Erase a person", NavSettings), Confirm{ID: "erase", Title: "Erase ana-7?", TypeName: "ana-7",
			Button: "Erase person", Action: PathDataErase + "?who=ana-7", Back: PathData,
			Consequence: []string{"Their phones, consents, notes and recordings are deleted.", "This cannot be undone."}})},
		{"data-delete", ConfirmPage(s.shell("Delete this organisation", NavSettings), Confirm{ID: "delete",
			Title: "Delete Lindenhof Dental?", TypeName: "Lindenhof Dental",
			Button: "Delete organisation", Action: PathDataDelete, Back: PathData,
			Consequence: []string{"Everybody is locked out and no phone rings from now on."}})},
		{"data-keep", ConfirmPage(s.shell("Keep this organisation", NavSettings), Confirm{ID: "keep", Title: "Keep Lindenhof Dental?",
			Button: "Keep organisation", Action: PathDataKeep, Back: PathDataKeep,
			Consequence: []string{"It will be deleted on 11 December."}})},
		{"data-empty", Data(DataPage{Shell: s.shell("Data", NavSettings)})},
		{"data-export-remove", ConfirmPage(s.shell("Remove the export", NavSettings), Confirm{ID: "export-remove",
			Title: "Remove the export?", Button: "Remove export", Action: PathDataExportOff, Back: PathData,
			Consequence: []string{"The file is deleted. Your data stays as it is."}})},
		{"settings-viewer-empty", Settings(SettingsPage{Shell: s.shell("Settings", NavSettings), Name: Field{Name: "name", Label: "Name"},
			Zone: Pick{Name: "time_zone", Label: "Time zone"}, TTL: Field{Name: "ttl_s", Label: "How long a phone rings"},
			Agent: Pick{Name: "agent", Label: "Default agent"},
			Recording: RecordingForm{Policy: Pick{Name: "policy", Label: "Record calls"}, File: Field{Name: "file", Label: "Announcement"},
				Reason: Field{Name: "reason", Label: "Reason"}}})},
		{"account", Account(AccountPage{Shell: s.shell("Your account", ""), Passkeys: Passkeys{Rows: []PasskeyRow{
			{ID: "p1", Name: "Safari on macOS", Added: s.ago(40 * 24 * time.Hour), Used: s.ago(3 * time.Hour)}}},
			Mail:  true,
			Name:  Field{Name: "name", Label: "Your name", Value: "Ana Ruiz", Max: 80, Autocomplete: "name"},
			Email: Field{Name: "email", Label: "New email address", Type: "email", Max: 254, Autocomplete: "email"},
			SignIns: []SignInRow{{"1", "203.0.113.7", "Firefox on Linux", s.ago(2 * time.Hour), s.ago(time.Minute), true},
				{"2", "203.0.113.9", "Safari on iPhone", s.ago(50 * time.Hour), s.ago(26 * time.Hour), false}}})},
		{"account-empty", Account(AccountPage{Shell: s.shell("Your account", ""), Name: Field{Name: "name", Label: "Your name"},
			Email: Field{Name: "email", Label: "New email address", Type: "email"}})},
		{"second", Second(SecondPage{SecondAsk: SecondAsk{Next: PathOverview}})},
		{"app", App(AppPage{Shell: s.shell("Set up an authenticator app", ""), Required: true,
			AppNew: AppNew{Seed: "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ", QR: sampleDots()}})},
		{"app-remove", ConfirmPage(s.shell("Remove your app", ""), Confirm{ID: "app-remove", Title: "Remove your authenticator app?",
			Button: "Remove app", Action: PathAppRemove, Back: PathAccount})},
		{"recovery", Recovery(RecoveryPage{Shell: s.shell("Recovery codes", ""), Codes: []string{"ABCDE-FGHIJ-KLMNO",
			"BCDEF-GHIJK-LMNOP"}})},
		{"look", Look(LookPage{Tenant: "Harbor & Pine Realty", Name: "Sam Hill", Action: "/look/x"})},
		{"look-gone", Look(LookPage{Gone: true})},
		{"email-change", EmailChange(EmailChangePage{Email: "ana@new.example", Action: "/email/x"})},
		{"email-change-gone", EmailChange(EmailChangePage{Gone: true})},
		{"confirm-me", ConfirmMe(ConfirmMePage{s.shell("Confirm that it is you", ""), ProofAsk{Next: PathKeyAdd, Again: true,
			Password: "ana@lindenhof.example"}})},
		{"confirm-me-code", ConfirmMe(ConfirmMePage{s.shell("Confirm that it is you", ""), ProofAsk{Next: PathKeyAdd, Passkey: true}})},
		{"passkey-add", PasskeyAdd(PasskeyAddPage{Shell: s.shell("Add a passkey", "", Link{Text: "Your account", Href: PathAccount}),
			PasskeyNew: PasskeyNew{Name: Field{Name: "name", Label: "Name", Value: "Safari on macOS", Max: 60,
				Help: "So that you know it again, such as the name of the device."}}})},
		{"passkey-remove", ConfirmPage(s.shell("Remove a passkey", ""), Confirm{ID: "passkey-remove",
			Title: "Remove the passkey “Safari on macOS”?", Button: "Remove passkey", Action: PasskeyRemovePath("p1"), Back: PathAccount,
			Consequence: []string{"It no longer signs in here. Delete it in your browser or password manager too."}})},
		{"developers", Developers(DevelopersPage{Shell: s.shell("For developers", NavDevelopers),
			BaseURL: "https://ring.lindenhof.example", Bundle: "com.lindenhof.patients", Device: sampleDevice, CanMake: true,
			Samples: []DocExample{{Name: "curl", Text: "curl https://ring.lindenhof.example/v1/rings"},
				{Name: "Python", Text: "import carillon"}},
			Tries: []DocOperation{{ID: "place", Method: "POST", Path: "/v1/rings", Summary: "Ring the device", Body: DocBody{
				Type: "application/json", Examples: []DocExample{{Text: "{}"}}}}}})},
		{"storybook", Storybook(s.storybook())},
		{"phone", PhoneOf(PhonePage{Name: "Ana’s iPhone", Tenant: "Lindenhof Dental", API: "", Credential: "sample",
			Slug: "alpha"})},
	}
}

func (s sampler) data() DataPage {
	return DataPage{Shell: s.shell("Data", NavSettings), May: true, Kept: []DataKept{
		{"Rings with their facts and calls", "400 days", "more than 10,000", s.ago(399 * 24 * time.Hour), s.ago(10 * time.Minute)},
		{"Recordings", "30 days", "1,204", s.ago(29 * 24 * time.Hour), s.ago(time.Hour)},
		{"Notes", "400 days", "0", Time{}, Time{}}},
		Who: Field{Name: "who", Label: "Email address, or reference of a person whose phone rings"}, Erasing: 1,
		Export: DataExport{Some: true, Under: true, State: Callout{Tone: ToneInfo, Title: "Writing the file",
			Cause: "You can leave this page. We write to you when it is ready."},
			Facts: []Row{{Name: "Asked for", When: s.ago(time.Minute)}, {Name: "Rows so far", Text: "120,400"},
				{Name: "Now", Text: "attempts.jsonl", Mono: true}}}}
}

func sampleRules(shell Shell) RulesPage {
	return RulesPage{Shell: shell, Industry: "Healthcare", CanEdit: true, Groups: []RuleGroup{
		{"What a notification shows", []RuleRow{{ID: "payload", Title: "Caller in the push", Now: "IDs only, no names", By: "Law",
			Tone: ToneInfo, Icon: IconLock, Why: "A caller’s name on a lock screen can show that someone is a patient.",
			Cite: "45 CFR 164.530(c)", Fixed: "This cannot be loosened."}}},
		{"How long data is kept", []RuleRow{{ID: "retention.rings", Title: "Rings", Now: "90 days", By: "Changed by you", Tone: ToneWarn,
			Icon: IconEdit, Why: "A year, and time to compare it with the year before.", Back: "400 days",
			Parts: []FormPart{{Input: &Field{Name: "days", Label: "Days", Type: "number", Value: "90", Prefix: "rings-"}}}}}},
	}}
}
