package views

import (
	"time"

	"github.com/a-h/templ"
)

// Sample is one page with made-up data, for the storybook, for tests and for looking at.
type Sample struct {
	Name string // "ring-answered"; a name that ends in "-empty" has nothing in its lists
	Page templ.Component
}

// Samples is every page, at least once full and once empty. now is the moment the made-up times lie
// before.
func Samples(now time.Time) []Sample {
	s := sampler{now: now}
	var all []Sample
	for _, some := range [][]Sample{
		s.doors(), s.overviews(), s.analyticsPages(), s.ringPages(), s.testPages(), s.devicePages(), alertSampler{s}.healthPages(),
		s.credentialPages(), s.agentPages(), connectionSampler{s}.connectionPages(), s.keyPages(), s.peoplePages(), s.confirmPages(),
		s.billingPages(), s.auditPages(), s.otherPages(), publicSampler{s}.publicPages(), s.partnerPages(),
	} {
		all = append(all, some...)
	}
	return all
}

// sampler makes up data around one moment.
type sampler struct{ now time.Time }

func (s sampler) ago(d time.Duration) Time { return At(s.now.Add(-d), time.UTC) }

func (s sampler) hop(d time.Duration) Time { return AtSecond(s.now.Add(-12*time.Minute+d), time.UTC) }

// Ids of the made-up rows.
const (
	sampleRing   = "019ab2f4-6c1e-7d3a-9f24-1b7f0c9de210"
	sampleDevice = "019a8c11-02aa-7c55-8d1e-77a2f0f1b0c4"
)

func (s sampler) shell(title string, current Nav, crumbs ...Link) Shell {
	return Shell{
		Title: title, Current: current, Crumbs: crumbs,
		Tenant: "Lindenhof Dental", Industry: "Dental clinic",
		Tenants: []Choice{{"t1", "Lindenhof Dental", true}, {"t2", "Hart & Okafor Law", false}, {"t3", "Salon Mirabelle", false}},
		User:    "Ana Ruiz", Email: "ana@lindenhof.example", Role: "Owner", MayRing: true, MayPair: true,
		Environment: EnvBoth, Theme: ThemeAuto, Dev: true, TimeZone: "Europe/Berlin", Alerts: 4,
	}
}

func (s sampler) doors() []Sample {
	return []Sample{
		{"signin", SignIn(SignInPage{Dev: "Dev mode: ana@lindenhof.example, password “bells in the morning”."})},
		{"signin-refused", SignIn(SignInPage{Email: "ana@lindenhof.example", Next: "/rings",
			Error: "The email or password is wrong. Try again, or choose “Forgot password?”."})},
		{"welcome", Welcome(WelcomePage{Tenant: "Lindenhof Dental", Email: "jonas@lindenhof.example", Token: "w_7Jm2",
			Action: "/welcome"})},
		{"welcome-gone", Welcome(WelcomePage{Gone: true})},
		{"welcome-known", Welcome(WelcomePage{Tenant: "Lindenhof Dental", Email: "jonas@lindenhof.example", Token: "w_7Jm2",
			Action: "/welcome", Known: true})},
		{"welcome-shown", Welcome(WelcomePage{Tenant: "Lindenhof Dental", Email: "jonas@lindenhof.example", Token: "w_7Jm2",
			Action: "/welcome", Shown: true})},
		{"forgot", Forgot(ForgotPage{})},
		{"forgot-sent", Forgot(ForgotPage{Email: Field{Value: "jonas@lindenhof.example"}, Sent: true})},
		{"forgot-off", Forgot(ForgotPage{Off: true})},
		{"reset", Reset(ResetPage{Email: "jonas@lindenhof.example", Action: "/forgot/x"})},
		{"reset-gone", Reset(ResetPage{Gone: true})},
		{"error-404", Error(ErrorPage{Status: 404, Title: "Page not found", Cause: "The address is wrong, or the page was removed.",
			Cure: "Go to the overview.", RequestID: "req_8f2c01d4"})},
		{"error-403", ErrorIn(s.shell("Not allowed", ""), ErrorPage{Status: 403,
			Cause: "Your role is viewer (read only). You cannot make this change.", Cure: "Ask an owner of your organisation.",
			Missing: "devices:write", RequestID: "req_2c01d48f"})},
		{"error-500", Error(ErrorPage{Status: 500, Title: "Something broke on our side",
			Cause:     "The page could not be put together. Nothing you did was lost.",
			Cure:      "Try again in a minute. If it happens again, send this request ID to the operator of this server.",
			RequestID: "req_1b7f0c9d"})},
	}
}

func (s sampler) overviews() []Sample {
	return []Sample{
		{"overview", Overview(s.overview())},
		{"overview-empty", Overview(OverviewPage{
			Shell: s.with(s.shell("Overview", NavOverview), EnvNone), Checklist: s.checklist(1),
			Stats: []Stat{{Label: "Rings today", Value: "0", Note: "none yet"},
				{Label: "Answered", Value: "–", Note: "nothing to measure yet"},
				{Label: "Time until it rings", Value: "–", Note: "nothing to measure yet"},
				{Label: "Devices", Value: "0", Note: "pair the first one"}},
		})},
	}
}

func (s sampler) with(shell Shell, e Environment) Shell {
	shell.Environment, shell.Tenants, shell.Dev, shell.Alerts = e, nil, false, 0
	return shell
}

func (s sampler) checklist(done int) *Checklist {
	c := &Checklist{Title: "Get started", Steps: []Step{
		{Text: "Your organisation is set up", Why: "Name, time zone and who may sign in.", Href: PathSettings, Action: "View"},
		{Text: "Add your Apple key", Why: "Apple requires a key to send call notifications. It is one file from your developer account.",
			Href: PathCredAdd, Action: "Add key"},
		{Text: "Pair a phone", Why: "Scan a code with your app. It takes one minute.", Href: PathPair, Action: "Pair"},
		{Text: "Ring this phone", Why: "Press one button, answer, and hear the bells.", Href: PathTestRing, Action: "Start test ring"},
		{Text: "Invite a colleague", Why: "So someone can help when you are away.", Href: PathPersonAdd, Action: "Add"},
	}}
	for i := range c.Steps {
		c.Steps[i].Done = i < done
	}
	return c
}

func (s sampler) overview() OverviewPage {
	p := OverviewPage{
		Shell: s.shell("Overview", NavOverview), Checklist: s.checklist(4), HasRings: true, CanRing: true,
		Alerts:     alertSampler{s}.alertRows()[:2],
		MoreAlerts: 2,
		Stats: []Stat{
			{Label: "Rings today", Value: "128", Note: "12 more than last Tuesday", Tone: ToneGood, Href: PathRings,
				Days: []int{61, 74, 70, 92, 88, 41, 37, 95, 104, 99, 116, 121, 60, 128}},
			{Label: "Answered", Value: "84 %", Note: "107 of 128 picked up", Days: []int{78, 80, 79, 82, 81, 70, 74, 82, 83, 85, 82, 84,
				80, 84}},
			{Label: "Time until it rings", Value: "0.41 s", Note: "median", Days: []int{52, 48, 47, 49, 44, 43, 45, 42, 44, 41, 43, 40,
				42, 41}},
			{Label: "Devices ready", Value: "23 of 24", Note: "1 has not been seen for 9 days", Tone: ToneWarn, Href: PathDevices},
		},
		Periods: []Tab{{"24 hours", PathOverview + "?period=day", false}, {"7 days", PathOverview + "?period=week", true},
			{"30 days", PathOverview + "?period=month", false}},
		Funnel: s.funnel(), Outcomes: s.outcomes(), Latency: s.latency(), Calls: s.callFigures(),
		Chart:  s.analytics().Chart,
		Recent: s.ringRows()[:6],
		Health: []Health{
			{"Patient app key", CredentialPath("c1"), ToneGood, "Working", "Apple last accepted it", s.ago(3 * time.Minute)},
			{"Old test certificate", CredentialPath("c2"), ToneWarn, "Ends in 12 days",
				"Upload a key before 6 Dec, or sandbox phones stop ringing.", Time{}},
			{"Apple’s push service", "", ToneGood, "Reachable", "answers in 46 ms, checked", s.ago(20 * time.Second)},
		},
	}
	return p
}

func (s sampler) funnel() Funnel {
	return Funnel{Period: "the last 7 days", Steps: []FunnelStep{
		{"Placed", "a program or person asked for it", 818, 971, ""},
		{"Accepted", "Apple accepted the push", 812, 960, PathRings + "?state=failed"},
		{"Woke", "the phone started the app", 797, 921, PathRings + "?state=missed"},
		{"Shown", "the call was on the screen", 774, 889, PathRings + "?state=missed"},
		{"Answered", "a person picked up", 689, 689, PathRings + "?state=missed"},
		{"Voice", "both could hear each other", 685, 685, PathRings + "?state=failed"},
	}}
}

func (s sampler) outcomes() Outcomes {
	return Outcomes{Period: "the last 7 days", Groups: []OutcomeGroup{
		{"The phone silenced the call", ToneWarn, []Outcome{
			{"A Focus such as Do Not Disturb is on.", "Ask the person to allow calls from your app in the phone’s Focus settings.",
				"do_not_disturb", 21},
			{"The caller is on the phone’s block list.", "Ask the person to take the caller off the block list.", "block_list", 2},
		}},
		{"The phone refused the call", ToneBad, []Outcome{{"The phone’s data is locked: it was not unlocked since it was switched on.",
			"Ask the person to unlock the phone once.", "protected", 4}}},
		{"Apple refused the push", ToneBad, []Outcome{{"The phone no longer has the app.",
			"Remove the device, or let its person install the app again.", "Unregistered", 6}}},
	}}
}

func (s sampler) latency() Latency {
	return Latency{Period: "the last 7 days", Hops: []HopLatency{
		{"Request to accepted by Apple", 48, 112, 236, 812},
		{"Time to wake the phone", 204, 870, 2350, 797},
		{"Awake to call on screen", 61, 140, 410, 774},
		{"On screen to picked up", 4200, 14_800, 24_100, 689},
		{"Picked up to first sound", 310, 680, 1240, 685},
	}}
}

// confirmPages are the questions before something is removed that no other group has.
func (s sampler) confirmPages() []Sample {
	ask := func(title, button, action, back, says string) Confirm {
		return Confirm{ID: "sample", Title: title, Button: button, Action: action, Back: back, Consequence: []string{says}}
	}
	return []Sample{
		{"credential-remove", ConfirmPage(s.shell("Remove a credential", NavCredentials), ask("Remove Key ABC123DEFG?", "Remove credential",
			CredentialRemovePath("c1"), CredentialPath("c1"), "Its secret is deleted. It cannot be restored."))},
		{"agent-remove", ConfirmPage(s.shell("Remove an agent", NavAgents), ask("Remove Reception?", "Remove agent",
			AgentRemovePath("a1"), AgentPath("a1"), "Rings that use this agent are refused."))},
		{"key-revoke", ConfirmPage(s.shell("Revoke an API key", NavKeys), ask("Revoke Booking?", "Revoke key",
			KeyRevokePath("k1"), PathKeys, "A revoked key cannot be restored."))},
		{"pair-here", PairHere(ThemeAuto)},
	}
}
