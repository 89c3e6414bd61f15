package views

// industry is the page for one kind of customer.
type industry struct {
	Slug, Name string
	Opaque     bool   // pushes carry ids only
	Short      string // for the list
	Title      string
	Lead       string
	Steps      []Row // the story of one ring
	Policy     string
	Caller     string // on the lock screen
	Asked      string // caller of the request, where it stays here
	App        string
	Reference  string
	Asks       []Row // questions people of this trade ask
}

const (
	opaquePolicy   = "Your notification contains the ring’s ID and two times. The caller’s name stays on this server until the app wakes and reads it with its own credential. This is a rule for the industry: no request and no setting can put a name into the push."
	labelledPolicy = "A notification may contain a caller label of at most 64 characters, so the lock screen can show who is calling. Without a label, only IDs are sent."
)

// industries in the order of the console.
var industries = []industry{
	{
		Slug: "real-estate", Name: "Real estate", Short: "A new lead, on the phone of the agent who is free, while the lead is still on the page.",
		Title: "The lead is warm for five minutes.", Lead: "Your voice agent qualifies the lead, then rings the human who can sell: on every phone they own, until the first one answers.",
		Steps: []Row{
			{Name: "A lead asks for a viewing", Text: "Your agent talks to the lead and decides that a person should take over."},
			{Name: "Three phones ring", Text: "One request rings all phones of the duty agent. “Northgate, new lead” stands on the lock screen."},
			{Name: "One answers, two stop", Text: "The others are told “answered elsewhere” over the app’s own connection, not by another push."},
		},
		Policy: labelledPolicy, Caller: "Northgate, new lead", App: "Northgate", Reference: "lead-2041",
		Asks: []Row{{Name: "What if they are in a showing?", Text: "After 30 seconds, or the time you set, the ring ends as missed and your agent is notified at once over the event stream."}, {Name: "Can I tell which lead source reaches people?", Text: "Put the source’s id into reference and filter rings by it; it never travels in the push."}},
	},
	{
		Slug: "healthcare", Name: "Healthcare", Opaque: true, Short: "Reach a patient or the doctor on call without a word on the lock screen.",
		Title: "Say nothing until they pick up.", Lead: "A practice’s name next to a person’s phone can be a diagnosis. Your app rings under its own name; who calls is read after it woke, with its own credential.",
		Steps: []Row{
			{Name: "A slot opens", Text: "Your agent rings the next patient on the list. The request may name a caller; the push does not."},
			{Name: "The phone shows your app", Text: "Apple carries an id and two times. The app asks this server for the caller with its device credential."},
			{Name: "The record stays yours", Text: "Every step of the ring lies in your database, on your server, under your tenant."},
		},
		Policy: opaquePolicy, Caller: "Your clinic’s app", Asked: "Dr. Ruiz, Lindenhof", App: "Clinic", Reference: "appt-20418",
		Asks: []Row{{Name: "Are you certified?", Text: "No. Carillon holds no certificate. What the code does is on the security page, so that your own review can check it."}, {Name: "Is the conversation recorded?", Text: "No. Sound passes through this server as encrypted packets on either side and is written nowhere."}},
	},
	{
		Slug: "behavioral-health", Name: "Behavioral health", Opaque: true, Short: "A check-in that looks like any other call to a person next to the phone.",
		Title: "A call that gives nobody away.", Lead: "For people in recovery and in therapy, who is nearby matters. Rings are opaque by rule, and declining one says nothing about what it was.",
		Steps: []Row{
			{Name: "The evening check-in", Text: "Your agent rings at the agreed time, in the person’s own time zone as your program knows it."},
			{Name: "An ordinary call", Text: "The lock screen shows your app’s name. No program, no clinician, no reason."},
			{Name: "Declined is an answer too", Text: "A decline, a Focus and a missed call are told apart, so that your protocol can react to each."},
		},
		Policy: opaquePolicy, Caller: "Your program’s app", Asked: "Evening check-in", App: "Harbor", Reference: "checkin-771",
		Asks: []Row{{Name: "Is this an emergency service?", Text: "No. A push is best effort: a phone may be off, without network or silenced. Do not build crisis response on it alone."}, {Name: "Who at our organisation sees the rings?", Text: "People you add under People. Every change they make is written into the audit log in the same transaction."}},
	},
	{
		Slug: "legal", Name: "Legal", Opaque: true, Short: "Intake reaches the attorney on duty, and the push tells nobody that there is a case.",
		Title: "Privileged means the push as well.", Lead: "A client’s name on a lock screen tells that there is a matter. Your firm’s rings carry ids only; the app reads the name after it woke, with its own credential.",
		Steps: []Row{
			{Name: "Night intake", Text: "Your agent takes the facts and decides that counsel should hear this one now."},
			{Name: "The duty attorney’s phone rings", Text: "Your matter number travels as reference, readable only after waking, by that device."},
			{Name: "A record that holds up", Text: "Who rang whom, when, and what became of it, with a time for each step."},
		},
		Policy: opaquePolicy, Caller: "Your firm’s app", Asked: "Night intake", App: "Hart & Okafor", Reference: "intake-3307",
		Asks: []Row{{Name: "Can another tenant see our rings?", Text: "No row is reached without its tenant, and another tenant’s id is answered as if it did not exist. A test tries it on every address."}, {Name: "Can we run it ourselves?", Text: "Yes: one program and one database, on your own machine."}},
	},
	{
		Slug: "salon", Name: "Salon", Short: "A free chair at two, and a client who takes it before it is empty.",
		Title: "The chair is free at two.", Lead: "A cancellation at noon is money by one if someone knows about it. Your booking agent rings the waiting list, one after the other, and talks.",
		Steps: []Row{
			{Name: "Somebody cancels", Text: "Your booking agent takes the first name on the list and rings them with 20 seconds to answer."},
			{Name: "“Mirabelle: a slot today”", Text: "The label tells what it is about, before the app has loaded anything."},
			{Name: "No answer, next one", Text: "The end of each ring arrives on the event stream, so that the agent moves on without guessing."},
		},
		Policy: labelledPolicy, Caller: "Mirabelle: a slot today", App: "Mirabelle", Reference: "slot-1400",
		Asks: []Row{{Name: "Will clients feel hunted?", Text: "A Focus keeps the call silent, and the console says so. Leave it at one ring; the list is long."}, {Name: "Do clients need a new app?", Text: "They need yours, with some 60 lines for PushKit and CallKit. The docs have them."}},
	},
	{
		Slug: "insurance", Name: "Insurance", Short: "The adjuster, from the roadside, while the pictures can still be taken.",
		Title: "First notice, first minute.", Lead: "Your agent takes the claim by voice. When it needs a human eye, it rings the adjuster on call, and the line is there when they slide.",
		Steps: []Row{
			{Name: "A claim comes in", Text: "Your agent takes place, time and damage, and rings the adjuster for that region."},
			{Name: "Two seconds, not two rings of a switchboard", Text: "No queue and no transfer: the push wakes the app, and the agent is on the line when it connects."},
			{Name: "Numbers you can stand behind", Text: "How many rings woke, showed and were answered, by hop, with the slowest ones in view."},
		},
		Policy: labelledPolicy, Caller: "Claims desk: new first notice", App: "Meridian", Reference: "fnol-88120",
		Asks: []Row{{Name: "How many calls at once?", Text: "As many as your plan says; the pricing page lists them. What a machine carries, the built-in benchmark measures on yours."}, {Name: "What about adjusters with two phones?", Text: "Ring the person, not the device: both ring, the first answer wins."}},
	},
}

// industryOf finds an industry by its slug.
func industryOf(slug string) (industry, bool) {
	for _, i := range industries {
		if i.Slug == slug {
			return i, true
		}
	}
	return industry{}, false
}

func industryLinks() []Link {
	var out []Link
	for _, i := range industries {
		out = append(out, Link{Text: i.Name, Href: IndustryPath(i.Slug)})
	}
	return out
}

// label is the industry's payload policy in two words.
func (i industry) label() string {
	if i.Opaque {
		return "Ids only"
	}
	return "May name the caller"
}

// push is what Apple carries.
func (i industry) push() string {
	body := `{
  "v": 1,
  "call_id": "019ab2f4-6c1e-7d3a-9f24-1b7f0c9de210",
  "iat": 1795510200,
  "exp": 1795510230`
	if !i.Opaque {
		body += `,
  "from": "` + i.Caller + `"`
	}
	return body + "\n}"
}

// request is how a program of that trade rings.
func (i industry) request() string {
	return `POST /v1/rings
{
  "to": {"person": "on-duty"},
  "caller": "` + i.asked() + `",
  "reference": "` + i.Reference + `",
  "ttl_s": 30
}`
}

// asked is the caller of the request: with opaque ids it stays here.
func (i industry) asked() string {
	if i.Opaque {
		return i.Asked
	}
	return i.Caller
}
