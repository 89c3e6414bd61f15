package views

import (
	"strconv"
	"strings"
	"time"
)

// PlanCard is one plan as it is sold.
type PlanCard struct {
	Name   string
	Month  string // "$149"
	Year   string // "$1,490"
	Saving string // "two months free"
	For    string // "For one team and its phones."
	Limits []Row
	Marked bool // drawn as the recommended plan
}

// aYear follows the price of a year.
func (c PlanCard) aYear() string {
	if c.Saving == "" {
		return " a year"
	}
	return " a year, " + c.Saving
}

// PricingPage is what Carillon costs on this server.
type PricingPage struct {
	Front     Front
	Plans     []PlanCard
	TrialDays string // "14 days"
	Grace     string // "7 days"
	Saving    string // "2 months free", if that holds for a year of every plan
	NoStripe  bool   // this server takes no payments: its operator assigns plans
	NoTrial   bool   // nobody can sign up: mail is not set up
}

// asks are questions about billing.
func (p PricingPage) asks() []Row {
	list := []Row{
		{Name: "What counts as a ring?", Text: "One request that Apple accepted for at least one phone. Ringing a person with three " +
			"phones is one ring. Test rings from the console, and rings with a test key, are free."},
		{Name: "What happens at the limit?", Text: "The console warns you at 80 % and at 100 %. After that, rings are refused with " +
			"error 402 and an explanation, unless you allow overage. A request is never ignored without an answer."},
		{Name: "What happens when the trial ends?", Text: "Without a card, rings pause. Nothing is deleted: your devices, credentials " +
			"and history stay."},
		{Name: "Who gets a trial?", Text: "One trial per company (by email domain) and per card. If your card has had a trial before, " +
			"the new trial ends within a day. You are not charged."},
		{Name: "What if a payment fails?", Text: "The console tells you, and phones keep ringing for " + p.Grace + "."},
		{Name: "How do I cancel?", Text: "On the billing page, with a few clicks. Your plan works until the end of the paid period."},
		{Name: "Can I use my own voice agent?", Text: "Yes. Connect it over a WebSocket or WebRTC, or use pipecat or a model of OpenAI. " +
			"A built-in agent is there for tests."},
	}
	if p.NoStripe {
		list = append([]Row{{Name: "How do I pay on this server?",
			Text: "This server does not take payments. Ask its operator to assign you a plan."}}, list...)
	}
	return list
}

// legal is a text in sections.
type legal struct{ title, text string }

var terms = []legal{
	{"Who we are", "[Company name, address, register number and contact of the operator of this server.]"},
	{"What you get", "You can use Carillon on this server within the limits of your plan: to ring phones with your own app and to carry " +
		"the calls. Neither Apple nor we can guarantee that a phone rings. Do not build emergency services on it alone."},
	{"What you must do", "Ring only people who agreed to it. Keep your API keys, Apple credentials and passwords secret, and tell us if " +
		"one becomes known to others. Follow Apple’s rules for VoIP pushes: each push must show a call."},
	{"What is not allowed", "Calls that harass or deceive people, or advertise to people who did not ask. Accessing the data of others. " +
		"Overloading the service on purpose."},
	{"Trial, price and payment", "The trial needs no card and ends by itself. There is one trial per company and per card. If the card " +
		"has had a trial before, the trial ends one day after the card was added, and you are not charged. Prices are those of the " +
		"pricing page on the day you subscribe, plus tax where it applies. Subscriptions renew until they are cancelled; cancelling " +
		"takes effect at the end of the period."},
	{"Partners", "Partners refer customers with a link or a code and earn a share of what those customers pay. The share, its duration " +
		"and the hold are those on the partner page on the day a customer’s trial begins. It is calculated on the net amount: without " +
		"discounts, tax, refunds and chargebacks. You earn nothing on your own address, company, account or card. Do not pretend to " +
		"be us, do not advertise with our name, do not send email to people who did not ask for it, and say that you are paid. " +
		"We may end a partnership at any time. What you earned, and what your existing customers still bring, stays yours " +
		"unless you broke these terms. Payouts are made [monthly] by the operator of this server. You pay the taxes " +
		"on them."},
	{"Your data", "Your data stays yours. The privacy notice says how we use it. [Agreement on processing on behalf, where the law asks " +
		"for one.]"},
	{"Ending", "You may end at any time. We may end with [30] days’ notice, or immediately for a serious breach of these terms. You can " +
		"get your data for [30] days after the end."},
	{"Liability", "[Limits of liability as your law allows. To be written by a lawyer.]"},
	{"Law and place", "[Governing law and courts.]"},
}

var privacy = []legal{
	{"Who is responsible", "[Name and contact of the operator of this server, and of a data protection officer if there is one.]"},
	{"Visiting these pages", "These pages use no analytics, no advertising and nothing from other servers. If you came through a " +
		"partner’s link, a cookie stores the partner’s code for the time stated on the partner page, so that the partner is paid " +
		"if you subscribe. We count the click, without data about you. Your IP address is kept in memory for a few minutes, " +
		"so that one visitor is counted once. The log contains the route, the status, the duration and a " +
		"random request ID. It does not contain your IP address, IDs or form data."},
	{"The demo", "The sound from your microphone is sent encrypted to this server and comes back one second later. It is not decoded, " +
		"recorded or stored. A call ends after 60 seconds at most. Your IP address is kept in memory to limit how often the demo runs."},
	{"Cookies", "None is for advertising or analytics. “theme” stores the colour scheme, “language” the language that " +
		"you chose, and “via” the partner’s code. “carillon” keeps " +
		"you signed in for seven days at most, and “carillon-partner” keeps a partner signed in for thirty days. “signup” connects " +
		"your sign-up with this browser for 24 hours. “carillon-known” marks a browser in which you signed in, with random bits and " +
		"no name, for 180 days after the last sign-in, so that strangers who guess at your password cannot lock you out there. " +
		"“carillon-half”, “carillon-passkey” and “carillon-oidc” exist for some minutes while you sign in with a second step, a " +
		"passkey or your organisation’s provider. “carillon-look” is set only for operators of this server who look at a console. " +
		"“flash” says for a minute that a change was saved. “checklist” remembers for a year that you closed the first steps. " +
		"Over HTTPS, the names that begin with “carillon” have “__Host-” in front."},
	{"Signing up and signing in", "We store your name, email, organisation, industry and time zone. Your password is stored only as an " +
		"argon2id hash. For each sign-in we store the time, IP address and browser, so that you can see it and end it. A sign-up that " +
		"is not confirmed is deleted after 24 hours. After a trial we keep the email and the company’s domain, because each company " +
		"gets one trial. If you add a card, we keep a keyed hash of it to recognise the card. The card number cannot be " +
		"calculated from it."},
	{"Rings", "We store who your organisation rings, on which device, when, and the result, and a caller label and a reference if your " +
		"program sends them. We store push tokens, because Apple needs them to reach a phone. Apple receives the token and the push. " +
		"The security page lists what a push contains."},
	{"Calls", "We store when a call started and ended, why it ended, its audio quality, and the notes that a voice agent sends. " +
		"The sound is stored only if the organisation that rings has turned recording on. " +
		"The person hears an announcement first, or agrees by pressing 1. Recordings and notes are encrypted. " +
		"They are deleted when the organisation’s plan or its own rule says so, whichever is sooner, or when the organisation " +
		"erases them."},
	{"Payments", "If this server takes payments, Stripe processes them. Card numbers never reach this server."},
	{"Partners", "For partners we store name, email, payout details and the ledger of what they earned, for as long as the law " +
		"requires. A partner sees that a referred customer started a trial, when the customer pays and the commission, but never who " +
		"the customer is. We keep which partner referred an organisation, even after its account is deleted."},
	{"How long", "Sign-ins are kept for seven days, sign-ins of partners for thirty days, and idempotency keys for 24 hours. Rings, " +
		"with their calls and events, are deleted after at most {rings} days; an organisation can choose fewer days. " +
		"Counts, which contain no person and no phone, are deleted after {counts} days. The audit log is deleted after the period " +
		"that the organisation chooses: six years at first, and never less than one year. " +
		"Of each API key the latest 100 requests are kept with their IP addresses, for 90 days at first, and never for more than 400. " +
		"Billing records stay. [Periods of backups and of other records.]"},
	{"Your rights", "[Access, correction, deletion, portability, objection and complaint, as your law words them.]"},
}

// LegalPage is terms or privacy: a template that the operator completes.
type LegalPage struct {
	Front Front
	text  []legal
}

// TermsPage is the template of the terms.
func TermsPage(f Front) LegalPage { return LegalPage{f, terms} }

// PrivacyPage is the template of the privacy notice. It says how long rings and counts are kept.
func PrivacyPage(f Front, rings, counts time.Duration) LegalPage {
	days := func(d time.Duration) string { return strconv.Itoa(int(d / (24 * time.Hour))) }
	fill := strings.NewReplacer("{rings}", days(rings), "{counts}", days(counts))
	text := make([]legal, len(privacy))
	for i, s := range privacy {
		text[i] = legal{s.title, fill.Replace(s.text)}
	}
	return LegalPage{f, text}
}

// Check is the result of checking one part of the server.
type Check struct {
	Name string
	Text string // what it does
	OK   bool
}

// StatusPage shows whether each part of this server works now.
type StatusPage struct {
	Front  Front
	Checks []Check
	At     Time
}

func (p StatusPage) bad() int {
	n := 0
	for _, c := range p.Checks {
		if !c.OK {
			n++
		}
	}
	return n
}

func (p StatusPage) title() string {
	switch n := p.bad(); {
	case len(p.Checks) == 0:
		return "No checks are set up"
	case n == 0:
		return "All systems operational"
	case n == len(p.Checks):
		return "No system is available"
	}
	return Plural(p.bad(), "part is not available", "parts are not available")
}

// clock writes seconds as a countdown: "1:00".
func clock(seconds int) string {
	return strconv.Itoa(seconds/60) + ":" + strconv.Itoa(seconds%60/10) + strconv.Itoa(seconds%10)
}
