package operator

import (
	"slices"
	"time"

	"carillon/views"
)

// sampler makes up data around one moment.
type sampler struct{ now time.Time }

func (s sampler) ago(d time.Duration) views.Time { return views.At(s.now.Add(-d), time.UTC) }

func (s sampler) shell(title string, current Nav, crumbs ...views.Link) Shell {
	return Shell{Title: title, Current: current, Name: "Sam Hill", Email: "sam@ring.example", Theme: views.ThemeAuto, Crumbs: crumbs,
		Billing: true}
}

// Samples are the pages of the operator console with made-up data, for the storybook and for tests
// of every page. now is the moment the made-up times lie before.
func Samples(now time.Time) []views.Sample {
	s := sampler{now}
	return slices.Concat(s.tenants(), s.server(), s.account(), s.money())
}

func (s sampler) acts() []AuditRow {
	return []AuditRow{
		{At: s.ago(2 * time.Hour), Actor: "Sam Hill", Action: "suspended the tenant", Target: "Harbor & Pine", Href: TenantPath("t1"),
			Fields: []views.AuditChange{{Field: "state", Before: "“active”", After: "“suspended”"}}, IP: "192.0.2.7"},
		{At: s.ago(26 * time.Hour), Actor: "Sam Hill", Action: "signed in", Detail: "with a wrong code", IP: "192.0.2.7", Failed: true},
	}
}

func (s sampler) tenants() []views.Sample {
	up := views.Link{Text: "Tenants", Href: PathTenants}
	active, off := State{"Active", views.ToneGood, views.IconCheck}, State{"Suspended", views.ToneBad, views.IconWarn}
	rows := []TenantRow{
		{ID: "t1", Name: "Harbor & Pine", Slug: "harbor-pine", Industry: "Real estate", Plan: "Growth", Standing: "Active", State: active,
			Rings: "12,804", Calls: "4,120", Answered: "62 %", Devices: "812", Last: s.ago(time.Minute), Alerts: 2},
		{ID: "t2", Name: "Lindenhof Dental", Slug: "lindenhof", Industry: "Dental clinic", Plan: "Starter", Standing: "A payment failed",
			Trouble: true, State: off, Rings: "0", Calls: "0", Answered: "–", Devices: "3", Last: s.ago(90 * 24 * time.Hour),
			Owners: "owner@lindenhof.example"},
	}
	table := views.Table{Name: "Tenants", Action: PathTenants, Search: "Name or short name", Rows: len(rows), CSV: PathTenantsCSV,
		Total: "2 tenants", Filters: []views.Filter{{Name: "state", Label: "State", Choices: []views.Choice{
			{Text: "Any state", Selected: true},
			{Value: "suspended", Text: "Suspended"}}}}}
	none := views.Table{Name: "Tenants", Action: PathTenants, Search: "Name or short name",
		Empty: views.Empty{Icon: views.IconWorld, Text: "No tenant yet."}}
	stats := []views.Stat{{Label: "Rings", Value: "12,804"}, {Label: "Answered", Value: "62 %"}}
	return []views.Sample{
		{Name: "operator-tenants", Page: Tenants(TenantsPage{s.shell("Tenants", NavTenants), stats, table, rows})},
		{Name: "operator-tenants-empty", Page: Tenants(TenantsPage{s.shell("Tenants", NavTenants), stats, none, nil})},
		{Name: "operator-tenant", Page: Tenant(TenantPage{Shell: s.shell("Harbor & Pine", NavTenants, up), ID: "t1", Stats: stats,
			Notices: []views.Callout{{Tone: views.ToneWarn, Title: "A payment failed.", Cure: "Its people were told."}},
			Facts:   []views.Row{{Name: "Industry", Text: "Real estate"}, {Name: "Since", When: s.ago(400 * 24 * time.Hour)}},
			Plan:    []views.Row{{Name: "Plan", Text: "Growth"}}, Owners: []views.Row{{Name: "Ana Ruiz", Text: "ana@harbor.example"}},
			Health: []views.Row{{Name: "Credentials", Text: "1 works"}}, Acts: s.acts(), Active: true,
			Alerts: []views.Row{{Name: "A certificate is about to expire", When: s.ago(time.Hour)}},
			Give:   PlanForm{Plans: []views.Choice{{Value: "starter", Text: "Starter"}, {Value: "growth", Text: "Growth", Selected: true}}},
			Look:   LookForm{Until: s.ago(-time.Hour)},
		})},
		{Name: "operator-suspend", Page: Suspend(SuspendPage{s.shell("Suspend", NavTenants, up), "t1", "Harbor & Pine",
			[]string{"Its keys, phones and people are refused at once."}, views.Field{Name: "why", Label: "Reason", Max: 300}})},
		{Name: "operator-look", Page: Look(LookPage{s.shell("Look", NavTenants, up), "Harbor & Pine", "/look/x", TenantPath("t1")})},
	}
}

func (s sampler) answers() []TeamRow {
	return []TeamRow{{Team: "TEAM123456", Hour: TeamSpan{"100", "10 %", "10 × 429", true},
		Day: TeamSpan{"1,000", "1 %", "10 × 429", false}, Budget: "20 %"}}
}

func (s sampler) failed() []MailRow {
	return []MailRow{{ID: "7", To: "ana@clinic.example", Subject: "Your invitation", Why: "450 try later", At: s.ago(time.Hour),
		Tries: "4 tries"}}
}

func (s sampler) server() []views.Sample {
	health := views.Link{Text: "Health", Href: PathHealth}
	operators := []OperatorRow{{Name: "Sam Hill", Email: "sam@ring.example", State: "Active", Steps: "app, 2 passkeys",
		Tone: views.ToneGood, Icon: views.IconCheck, Seen: s.ago(time.Minute), Since: s.ago(90 * 24 * time.Hour), Self: true}}
	return []views.Sample{
		{Name: "operator-health", Page: Health(HealthPage{Shell: s.shell("Health", NavHealth),
			Stats:  []views.Stat{{Label: "Calls", Value: "12"}, {Label: "Disk free", Value: "81 GB"}},
			Queues: []QueueRow{{Name: "Mails", Waiting: "3", Age: "2 minutes", Late: true, Note: "Invitations arrive late."}},
			Nodes: []NodeRow{{Name: "node-1", Build: "abc123def456", Schema: "68", Clock: "0.0 s", Started: s.ago(time.Hour)},
				{Name: "node-2", Build: "not known", Schema: "not known", Clock: "-2.3 s", Apart: true, Started: s.ago(48 * time.Hour)}},
			Teams: s.answers(), Mails: s.failed(), MoreTeams: More{"1 of 12 teams", PathTeams}, MoreMails: More{"1 email", PathMails},
			Server: []views.Row{{Name: "Version", Text: "1.0"}}, Writer: []views.Row{{Name: "Waiting", Text: "0"}},
			Apple: []views.Row{{Name: "Connections", Text: "2"}}, MoreEnding: More{"1 certificate", PathEnding},
			Ending: []views.Row{{Name: "Lindenhof Dental", Text: "in 6 days", Href: TenantPath("t2")}}})},
		{Name: "operator-teams", Page: Teams(TeamsPage{s.shell("Apple’s answers by team", NavHealth, health), views.Table{
			Name: "Apple’s answers by team", Action: PathTeams, Search: "Team id", Rows: 1, Total: "1 team", CSV: PathTeamsCSV},
			s.answers()})},
		{Name: "operator-mails", Page: Mails(MailsPage{s.shell("Emails that failed", NavHealth, health), views.Table{
			Name: "Emails that failed", Action: PathMails, Search: "Recipient, subject or reason", Rows: 1, Total: "1 email",
			CSV: PathMailsCSV}, s.failed()})},
		{Name: "operator-certificates", Page: Ending(EndingPage{s.shell("Certificates", NavHealth, health),
			[]views.Stat{{Label: "Ended", Value: "0"}, {Label: "Within 30 days", Value: "1"}}, views.Table{Name: "Certificates",
				Action: PathEnding, Search: "Tenant, id or environment", Rows: 1, Total: "1 certificate", CSV: PathEndingCSV},
			[]EndingRow{{Tenant: "Lindenhof Dental", Href: TenantPath("t2"), Environment: "Production", Ends: s.ago(-6 * 24 * time.Hour),
				Left: "in 6 days", Soon: true}}})},
		{Name: "operator-operators", Page: Operators(OperatorsPage{s.shell("Operators", NavOperators),
			views.Table{Name: "Operators", Action: PathOperators, Rows: 1, Total: "1 operator", CSV: PathOperatorsCSV}, operators})},
		{Name: "operator-audit", Page: Audit(AuditPage{s.shell("Audit log", NavAudit), views.Table{Name: "Audit log", Action: PathAudit,
			Search: "Operator, action or tenant", Rows: 2, Total: "2 entries", CSV: PathAuditCSV}, s.acts(),
			&views.Callout{Tone: views.ToneGood, Title: "The record is whole."}})},
	}
}

func (s sampler) account() []views.Sample {
	return []views.Sample{
		{Name: "operator-signin", Page: SignIn(SignInPage{Email: "sam@ring.example", Passkeys: true,
			Error: "The email or password is wrong."})},
		{Name: "operator-second", Page: Second(SecondPage{SecondAsk: views.SecondAsk{Passkeys: true, Error: "This code is wrong."}})},
		{Name: "operator-account", Page: Account(AccountPage{Shell: s.shell("Your account", ""),
			Steps: views.Steps{On: true, App: true, Kept: true, Left: "9", Codes: PathCodes},
			Facts: []views.Row{{Name: "Name", Text: "Sam Hill", Own: true}, {Name: "Email", Text: "sam@ring.example", Own: true}},
			Passkeys: views.Passkeys{Rows: []views.PasskeyRow{{ID: "p1", Name: "Safari on macOS", Added: s.ago(50 * 24 * time.Hour),
				Used: s.ago(time.Hour)}, {ID: "p2", Name: "Security key", Added: s.ago(40 * 24 * time.Hour), Unused: true}}},
			SignIns: []views.SignInRow{{From: "192.0.2.7", With: "Safari on macOS", Since: s.ago(time.Hour), Here: true},
				{From: "192.0.2.8", With: "Firefox on Linux", Since: s.ago(5 * time.Hour)}}})},
		{Name: "operator-passkey-add", Page: PasskeyAdd(PasskeyAddPage{s.shell("Add a passkey", ""), views.PasskeyNew{
			Name: views.Field{Name: "name", Label: "Name", Value: "Safari on macOS", Max: 60}}})},
		{Name: "operator-app", Page: App(AppPage{s.shell("Connect an authenticator app", ""), views.AppNew{Seed: "JBSWY3DPEHPK3PXP"},
			true})},
		{Name: "operator-password", Page: Password(PasswordPage{Shell: s.shell("Change your password", ""),
			Current: "The current password is wrong."})},
		{Name: "operator-confirm", Page: ConfirmMe(ConfirmMePage{s.shell("Confirm that it is you", ""), views.ProofAsk{
			Next: PathTenants, Again: true, Passkey: true}})},
		{Name: "operator-welcome", Page: Welcome(WelcomePage{Email: "sam@ring.example", Action: WelcomePath("x"), Passkeys: true,
			AppNew: views.AppNew{Seed: "JBSWY3DPEHPK3PXP"}})},
		{Name: "operator-welcome-passkey", Page: Welcome(WelcomePage{Email: "sam@ring.example", Action: WelcomePath("x"),
			Begin: WelcomeAskPath("x")})},
		{Name: "operator-welcome-gone", Page: Welcome(WelcomePage{Gone: true})},
		{Name: "operator-codes", Page: Codes(CodesPage{Codes: []string{"bell-7k2m-qx4t", "bell-9d3n-ab7c"}})},
	}
}

func (s sampler) money() []views.Sample {
	events, partners := views.Link{Text: "Stripe events", Href: PathEvents}, views.Link{Text: "Partners", Href: PathPartners}
	done := State{"Processed", views.ToneGood, views.IconCheck}
	rows := []EventRow{{ID: "evt_1", Type: "invoice.paid", Object: "in_1", At: s.ago(time.Hour), State: done, Tries: "1"},
		{ID: "evt_2", Type: "customer.subscription.updated", Object: "sub_1", At: s.ago(2 * time.Hour),
			State: State{"Failed", views.ToneBad, views.IconWarn}, Tries: "4", Error: "No tenant has this customer."}}
	stats := []views.Stat{{Label: "Held", Value: "$109.78"}, {Label: "Payable", Value: "$32.78"}}
	return []views.Sample{
		{Name: "operator-events", Page: Events(EventsPage{s.shell("Stripe events", NavEvents), views.Table{Name: "Events",
			Action: PathEvents, Search: "Event, type or object", Rows: 2, Total: "2 events", CSV: PathEventsCSV}, rows})},
		{Name: "operator-event", Page: Event(EventPage{Shell: s.shell("invoice.paid", NavEvents, events), ID: "evt_1",
			Notice: &views.Callout{Tone: views.ToneBad, Title: "It failed.", Cause: "No tenant has this customer."},
			Facts:  []views.Row{{Name: "Event", Text: "evt_1", Copy: true}}, Payload: "{\n  \"object\": \"invoice\"\n}"})},
		{Name: "operator-partners", Page: Partners(PartnersPage{s.shell("Partners", NavPartners), stats, views.Table{Name: "Partners",
			Action: PathPartners, Search: "Name, email or code", Rows: 1, Total: "1 partner", CSV: PathPartnersCSV},
			[]PartnerRow{{ID: "p1", Name: "Nora Lind", Email: "nora@partner.example", Code: "nora", Stopped: true, Held: "$109.78",
				Payable: "$32.78", Paid: "$0", Owed: true, Since: s.ago(60 * 24 * time.Hour)}}})},
		{Name: "operator-partner", Page: Partner(PartnerPage{Shell: s.shell("Nora Lind", NavPartners, partners), ID: "p1", Stats: stats,
			Facts: []views.Row{{Name: "Code", Text: "nora"}}, Payee: []views.Row{{Name: "Account", Text: "DE00 1234"}}, Payable: "$32.78",
			Amount: "32.78", Reference: views.Field{Name: "reference", Label: "Reference of the transfer", Max: 80},
			Payouts: []PayoutRow{{s.ago(24 * 24 * time.Hour), "Bank 2026-11-01", "$12.00"}}, Paid: "$12.00"})},
	}
}
