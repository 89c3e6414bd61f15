package site

import (
	"carillon/tenants"
)

// heading is the title of a public page, and its description for search engines and link previews.
type heading struct{ title, description string }

// The headings of the public pages.
var (
	homeHeading = heading{"Carillon",
		"One API call becomes a real incoming call on an iPhone, even when the app is closed. Your voice agent talks, and you see " +
			"every step."}
	industriesHeading = heading{"Industries",
		"How each industry uses Carillon, what the lock screen shows, and which systems it connects."}
	securityHeading = heading{"Security",
		"How Carillon separates customers, encrypts secrets and keeps calls private, and what it does not do."}
	termsHeading   = heading{"Terms", "The terms of this server: a template for its operator."}
	privacyHeading = heading{"Privacy", "What this server stores about you: a template for its operator."}
	statusHeading  = heading{"Status", "Shows if the database, pushes and calls of this server work now."}
	pricingHeading = heading{"Pricing", "What Carillon costs, what each plan includes, and what happens at its limits."}
	demoHeading    = heading{"Hear it",
		"Call the built-in agent from your browser. It plays bells and repeats what you say. One click, no sign-up."}
	trialHeading   = heading{"Start a trial", "Try all features of Carillon with your own account and your own phones. No card."}
	confirmHeading = heading{"Confirm the trial", "The last step of signing up for a trial."}
	joinHeading    = heading{"Partners",
		"Refer teams whose agents should ring iPhones, and earn a share of what they pay. How much, for how long, and how it is " +
			"calculated."}
	enterHeading     = heading{"Your partner dashboard", "Sign in as a partner."}
	dashboardHeading = heading{"Your partner dashboard", "Your link, your customers and what you earned."}
	customersHeading = heading{"Your customers", "Every customer that you referred, and what you earned with each."}
	ledgerHeading    = heading{"Your ledger", "Every commission and clawback."}
)

// suits says for whom a plan is, by its number of calls at once.
func suits(p tenants.Plan) string {
	switch {
	case p.Calls == 0 || p.Calls > 50:
		return "For many teams, or for many customers of your own."
	case p.Calls > 10:
		return "For an organisation that rings all day."
	}
	return "For one team and its phones."
}

// What the pages say below their fields.
const (
	keptLabel   = "Recordings and notes kept"
	wrongFields = "Please correct the fields below."
	wrongText   = "1 to 80 characters, no control characters."
	wrongEmail  = "Enter an email address, such as you@example.com."
	wrongCode   = "This code does not exist. Correct it or leave it empty."
	brokenLink  = "This link is not complete. Copy the whole link from the email."
	tooMany     = "Too many attempts. Wait a few minutes and try again."
)

// mailBusy is the refusal of what needs a mail while too many wait to be sent.
func mailBusy(err error) error {
	return &tenants.Error{Kind: tenants.Unavailable, Code: "mail_busy",
		Msg: "We cannot send email right now. Try again in a few minutes.", Err: err}
}

// The refusals of the demo.
var (
	errDemoClosed error = tenants.Refuse(tenants.Unavailable, "no_demo", "The operator of this server has closed the demo.")
	errNoVoice    error = tenants.Refuse(tenants.Unavailable, "no_voice", "This server cannot carry calls right now.")
	errNotSDP     error = tenants.Refuse(tenants.Unsupported, "unsupported", "Send the offer as application/sdp.")
)

const (
	demoTooOften    = "Too many demo calls from here. Wait a moment and try again."
	demoNetworkFull = "Your network has as many demo calls as it may have at this moment. Try again in a minute."
	demoFull        = "All demo lines are busy. Try again in a minute."
)

// peopleLabel names the limit of people in the table of plans.
const peopleLabel = "People in the console"

// docsSearchSummary says what a search in the documentation looks through.
const docsSearchSummary = "All guides, operations and errors."
