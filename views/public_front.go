package views

import (
	"strings"

	"carillon/static"
)

// Front is the frame of a public page: title, description, links.
type Front struct {
	Title       string // of the page
	Description string // one sentence, for search engines and link previews
	Path        string // of the page
	BaseURL     string // scheme and host
	Theme       Theme
	SignedIn    bool // links to the console instead of signing in
	Industries  []Link
	Hidden      bool // search engines should leave it out
}

// url is the page's full address.
func (f Front) url() string { return f.BaseURL + f.Path }

// in tells whether the page is at an address or below it.
func (f Front) in(href string) bool { return f.Path == href || strings.HasPrefix(f.Path, href+"/") }

// about describes the site for programs (schema.org/SoftwareApplication).
func (f Front) about() map[string]any {
	return map[string]any{
		"@context": "https://schema.org", "@type": "SoftwareApplication", "name": "Carillon", "url": f.url(),
		"image":       f.BaseURL + static.Path("card.png"),
		"description": f.Description, "applicationCategory": "BusinessApplication", "operatingSystem": "iOS, Web",
	}
}

// whole is the title of the window.
func (f Front) whole() string {
	if f.Path == PathHome {
		return "Carillon: ring iPhones from your voice agent"
	}
	return f.Title + " · Carillon"
}

var frontNav = []Link{
	{Text: "Hear it", Href: PathDemo},
	{Text: "Industries", Href: PathIndustries},
	{Text: "Pricing", Href: PathPricing},
	{Text: "Security", Href: PathSecurity},
	{Text: "Docs", Href: PathDocs},
}

// agentsLine says who can speak on a call.
const agentsLine = "The built-in agent plays bells and repeats what it hears. Connect your own agent over WebSocket or WebRTC, " +
	"or use a model of OpenAI or a bot of pipecat."

// footColumn is a column at the foot of each public page.
type footColumn struct {
	title string
	links []Link
}

func (f Front) foot() []footColumn {
	return []footColumn{frontFoot[0], {"Industries", f.Industries}, frontFoot[1], frontFoot[2]}
}

// frontFoot are the columns that are the same on every server.
var frontFoot = []footColumn{
	{"Product", []Link{{Text: "Hear it", Href: PathDemo}, {Text: "Pricing", Href: PathPricing}, {Text: "Start a trial", Href: PathTrial},
		{Text: "Partners", Href: PathAffiliate}, {Text: "Sign in", Href: PathSignIn}}},
	{"Developers", []Link{{Text: "Docs", Href: PathDocs}, {Text: "OpenAPI file", Href: PathOpenAPI}, {Text: "Status", Href: PathStatus}}},
	{"Trust", []Link{{Text: "Security", Href: PathSecurity}, {Text: "Privacy", Href: PathPrivacy}, {Text: "Terms", Href: PathTerms}}},
}

// toll is one bell of the ring on the front page: a fact of the API, in the order in which they
// come.
type toll struct{ fact, who, at string }

// peal is a ring that was answered. The words are those of the API; the times are an example.
var peal = []toll{
	{"placed", "Your agent asks once", "0.00 s"},
	{"accepted", "Apple accepts the push", "0.09 s"},
	{"woke", "The closed app starts", "0.61 s"},
	{"shown", "CallKit shows the call", "0.74 s"},
	{"answered", "The person answers", "4.20 s"},
	{"connected", "Both can hear", "4.43 s"},
	{"hung_up", "The result is recorded", "96.1 s"},
}

// stop is a ring that was not answered, as the console describes it.
type stop struct {
	tone               Tone
	icon               Icon
	title, cause, cure string
}

var stops = []stop{
	{ToneBad, IconSend, "Stopped at Apple: BadDeviceToken", "The push token belongs to Apple’s other environment, or it is not valid.",
		"Nothing at first: Carillon tries the other environment once and remembers what worked."},
	{ToneBad, IconPhone, "Stopped in the app: the call was not shown", "The app woke but did not report the call to CallKit.",
		"Fix this in your app first. iOS stops waking apps that do not report their calls."},
	{ToneWarn, IconFocus, "The phone silenced the call", "A Focus such as Do Not Disturb is on.",
		"Ask the person to allow calls from your app."},
	{ToneWarn, IconBellOff, "The phone rang, but nobody answered", "The call was on the screen, but the person did not answer in time.",
		"Ring the person’s other phones, or try again later."},
}

// homeLane is a ring that a Focus kept silent, as the console draws it.
func homeLane() Lane {
	return Lane{Device: "Maya’s iPhone", Model: "iPhone 17 Pro, iOS 26.4, app 2.3.0", Tone: ToneWarn, Result: "Silenced by Focus",
		Hops: []Hop{
			{Label: "The ring was placed", State: HopDone},
			{Label: "Sent to Apple", State: HopDone, Delta: "4 ms"},
			{Label: "Apple accepted the push", State: HopDone, Delta: "48 ms", Note: "Apple accepts pushes even when the phone is off."},
			{Label: "The phone woke the app", State: HopDone, Delta: "216 ms"},
			{Label: "Focus kept it silent", State: HopFailed, Delta: "142 ms", Note: "Her other phone kept ringing."},
		}}
}

const frontCurl = `curl https://ring.example/v1/rings \
  -H "Authorization: Bearer $CARILLON_API_KEY" \
  -H "Idempotency-Key: lead-2041" \
  -H "Content-Type: application/json" \
  -d '{
    "to":     {"person": "maya"},
    "caller": "Northgate, new lead",
    "reference": "lead-2041",
    "ttl_s":  30
  }'`

var homeMarks = []Row{
	{Name: "One program", Text: "One binary with SQLite inside, or with PostgreSQL. You do not need a queue, a cache or another service."},
	{Name: "Audio stays encoded", Text: "Where phone and agent use the same codec, Carillon forwards the audio packets as they are."},
	{Name: "Try it without an account", Text: "“carillon dev” starts a simulated Apple service, sample organisations and a phone in " +
		"your browser. You do not need to install anything else."},
	{Name: "Measure it yourself", Text: "“carillon bench” measures rings, calls, pages and failures on your own machine, over real " +
		"network connections."},
}
