package views

import "strconv"

// PlanCard is one plan as it is sold.
type PlanCard struct {
	Name   string
	Month  string // "$149"
	Year   string // "$1,490"
	Saving string // "two months free"
	For    string // whom it suits
	Limits []Row
	Marked bool // the middle one
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
	NoStripe  bool   // nobody takes money here: the operator gives plans by hand
	NoTrial   bool   // nobody can sign up here: mail is not set up
}

// asks are questions about money.
func (p PricingPage) asks() []Row {
	list := []Row{
		{Name: "What counts as a ring?", Text: "One request that Apple accepted for at least one phone. Ringing a person with three phones is one ring. Test rings from the console, and rings with a test key, are free."},
		{Name: "What happens at the limit?", Text: "The console warns at 80 % and at 100 %. Past it a ring is refused with 402 and a sentence that says so, unless you chose to go on ringing past the plan. A request is never dropped in silence."},
		{Name: "What happens when the trial ends?", Text: "Without a card your rings pause, and nothing is lost: devices, credentials and history wait for you."},
		{Name: "Who gets a trial?", Text: "Each company once: we go by its mail domain, and by the card when one is first added. If your card had its trial with another organisation, yours ends a day later instead of on its last day. Nothing is charged then; you see the price and decide."},
		{Name: "What if a payment fails?", Text: "The console says so, and phones go on ringing for " + p.Grace + ". Rings are the last thing to stop."},
		{Name: "How do I leave?", Text: "On the same page, with as many clicks as it took to subscribe. What you paid for works until the period ends."},
		{Name: "Can it speak with my own agent?", Text: "Not yet. Today the far end of every line is the built-in agent, which plays bells and repeats what it hears, so that you can prove the whole way. The connection for your own agent is being built."},
	}
	if p.NoStripe {
		list = append([]Row{{Name: "How do I pay on this server?", Text: "This server does not take payments. Whoever runs it assigns plans by hand; write to them."}}, list...)
	}
	return list
}

// legal is a text in sections.
type legal struct{ title, text string }

var terms = []legal{
	{"Who we are", "[Company name, address, register number and contact of the operator of this server.]"},
	{"What you get", "Use of Carillon on this server within the limits of your plan: ringing phones with your own app, and a line for the call. A push is best effort: neither Apple nor we promise that a phone rings. Do not build emergency services on it alone."},
	{"What you must do", "Ring only people who agreed to be rung. Keep your API keys, your Apple credentials and your people’s sign-ins to yourself, and tell us when one leaked. Keep Apple’s rules for VoIP pushes: each push shows a call."},
	{"What is not allowed", "Calls that harass, deceive or advertise to people who did not ask; breaking into others’ data; loading the service beyond your plan on purpose."},
	{"Trial, price and payment", "The trial needs no card and ends by itself. There is one for each company and for each card; a trial with a card that had one elsewhere ends a day after the card was added, and nothing is charged for it. Prices are those of the pricing page on the day you subscribe, plus tax where it applies. Subscriptions renew until they are cancelled; cancelling takes effect at the end of the period."},
	{"Partners", "Whoever brings customers by a link or code earns the share, for the time and after the hold, that the partner page says on the day a customer’s trial begins: of what arrives net of discounts, tax, refunds and money that a bank took back. Nothing is earned on oneself: one’s own address, company, account or card. Do not pose as us, do not advertise on our name, do not send mail to people who did not ask, and say that you are paid. We may end a partnership at any time; what was earned until then, and what customers brought before still earn, stays yours unless it was got by breaking these terms. Payouts are made [monthly] by whoever runs this server; taxes on them are the partner’s."},
	{"Your data", "It stays yours. How we treat it is in the privacy notice. [Agreement on processing on behalf, where the law asks for one.]"},
	{"Ending", "You may end at any time. We may end with [30] days’ notice, or at once when these terms are broken badly. After the end you can have your data for [30] days."},
	{"Liability", "[Limits of liability as your law allows. To be written by a lawyer.]"},
	{"Law and place", "[Governing law and courts.]"},
}

var privacy = []legal{
	{"Who is responsible", "[Name and contact of the operator of this server, and of a data protection officer if there is one.]"},
	{"Visiting these pages", "No analytics, no advertising, nothing from other servers. One cookie remembers the colour scheme if you choose one. If a partner’s link led you here, another one holds that partner’s code for as long as the partner page says, so that they are paid if you subscribe; of the click itself a number is counted, and nothing about you. Your network address is kept in memory for some minutes, so that one visitor counts once. The log holds the route, the status, the time taken and a random request id; it holds no address of yours, no path with ids and no form."},
	{"The demo", "Your microphone’s sound goes encrypted to this server and comes back to you a second later. It is not decoded, recorded or kept. A call ends after 60 seconds at most. Your network address is kept in memory, to limit how often the demo runs."},
	{"Signing up and signing in", "Name, mail address, organisation, industry and time zone, and a password that is kept only as an argon2id hash. Each sign-in keeps its time, network address and browser, so that you can see and end it. A sign-up that nobody confirms is deleted after 24 hours. After a trial we keep the mail address and the company’s domain, so that it is offered once; of a card that was added, a keyed hash by which it is recognised and which nobody can turn back."},
	{"Rings", "Whom your organisation rings, on which device, when, and what became of it; a caller label and a reference if your program sends them. Push tokens are kept so that Apple can be asked to ring. Apple gets the token and the push; its content is on the security page."},
	{"Calls", "Sound passes through and is kept nowhere. What is kept is when a call began and ended, why, and figures of its quality."},
	{"Payments", "If this server takes payments, Stripe processes them. Card numbers never reach this server."},
	{"Partners", "Of partners we keep name and mail address, how they want to be paid, and the ledger of what they earned, for as long as the law asks for such records. A partner sees that a customer whom they brought began a trial, when it pays and what that earns; never who it is. Of which partner brought an organisation a row is kept, also after the organisation’s account is deleted."},
	{"How long", "Sign-ins seven days, those of partners thirty, idempotency keys 24 hours. Rings and the audit log stay until your organisation’s account is deleted. [Periods of backups and of other records.]"},
	{"Your rights", "[Access, correction, deletion, portability, objection and complaint, as your law words them.]"},
}

// LegalPage is terms or privacy: a template that whoever runs the server completes.
type LegalPage struct {
	Front Front
	text  []legal
}

// TermsPage is the template of the terms.
func TermsPage(f Front) LegalPage { return LegalPage{f, terms} }

// PrivacyPage is the template of the privacy notice.
func PrivacyPage(f Front) LegalPage { return LegalPage{f, privacy} }

// Check is one part of the server as it is now.
type Check struct {
	Name string
	Text string // what it does
	OK   bool
}

// StatusPage is whether this server works now.
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
