package views

// industry is the page for one kind of customer.
type industry struct {
	Slug, Name string
	Opaque     bool   // pushes carry ids only
	Short      string // for the list
	Title      string
	Lead       string
	Steps      []Row // how one ring works, in order
	Policy     string
	Caller     string // on the lock screen
	Asked      string // caller in the request, if the push must not contain it
	App        string
	Reference  string
	Asks       []Row // questions of customers in this industry
}

const (
	opaquePolicy = "A notification contains only the ring’s ID and two times. The caller’s name stays on this server. " +
		"The app wakes, signs in with its own credential and reads the name. This is a rule for the industry: " +
		"no request and no setting can put a name into the push."
	labelledPolicy = "A notification may contain a caller label of at most 64 characters, so the lock screen can show who is calling. " +
		"Without a label, only IDs are sent."
)

// industries in the order of the console.
var industries = []industry{
	{
		Slug: "real-estate", Name: "Real estate",
		Short: "Connect a new lead with a free agent while the lead is still on your website.",
		Title: "Call new leads back in seconds.",
		Lead: "Your voice agent talks to the lead first. Then it rings the sales agent on duty, " +
			"on all of that person’s phones, until one answers.",
		Steps: []Row{
			{Name: "A lead asks for a viewing", Text: "Your voice agent talks to the lead and decides that a person should take over."},
			{Name: "Three phones ring", Text: "One request rings all phones of the agent on duty. The lock screen shows “Northgate, new " +
				"lead”."},
			{Name: "One answers, two stop", Text: "The app on the other phones learns over its own connection that the call was " +
				"answered. " +
				"No second push is needed."},
		},
		Policy: labelledPolicy, Caller: "Northgate, new lead", App: "Northgate", Reference: "lead-2041",
		Asks: []Row{
			{Name: "What if nobody can answer?", Text: "After 30 seconds, or the time you set, the ring ends as missed. " +
				"Your voice agent gets this result at once."},
			{Name: "Can I compare lead sources?", Text: "Yes. Send the source’s ID as the reference and filter your rings by it. " +
				"The reference is never part of the push."},
		},
	},
	{
		Slug: "healthcare", Name: "Healthcare", Opaque: true,
		Short: "Reach a patient or the doctor on call. The lock screen shows only your app’s name.",
		Title: "Call patients and keep it private.",
		Lead: "The name of a clinic on a lock screen can reveal a diagnosis. So the call shows the name of your app. " +
			"The app reads the caller’s name after it wakes, with its own credential.",
		Steps: []Row{
			{Name: "An appointment becomes free", Text: "Your voice agent rings the next patient on the list. " +
				"The request may name a caller. The push does not contain the name."},
			{Name: "The phone shows your app", Text: "Apple receives an ID and two times. " +
				"The app asks this server who is calling, with its device credential."},
			{Name: "You keep the record", Text: "Every step of the ring is stored in the database of this server, in your account."},
		},
		Policy: opaquePolicy, Caller: "Your clinic’s app", Asked: "Dr. Ruiz, Lindenhof", App: "Clinic", Reference: "appt-20418",
		Asks: []Row{
			{Name: "Are you certified?", Text: "No. Carillon has no certificate. " +
				"The security page describes what the program does, so that you can review it yourself."},
			{Name: "Is the conversation recorded?", Text: "Only if an owner of your account turns that on and writes down why. " +
				"The patient then hears an announcement first. Otherwise no sound is stored."},
		},
	},
	{
		Slug: "behavioral-health", Name: "Behavioral health", Opaque: true,
		Short: "A check-in call that looks like any other call to people nearby.",
		Title: "Check-in calls that look like any other call.",
		Lead: "People in therapy or recovery are often not alone. The push never contains a name or a reason. " +
			"If the person declines, nobody can see what the call was about.",
		Steps: []Row{
			{Name: "The evening check-in", Text: "Your voice agent rings at the agreed time. " +
				"Your own program chooses the time and knows the person’s time zone."},
			{Name: "An ordinary call", Text: "The lock screen shows the name of your app. It does not show a program, a therapist or a " +
				"reason."},
			{Name: "Each result is different", Text: "Carillon tells you if the person declined, if a Focus silenced the call, " +
				"or if nobody answered. You decide what to do next."},
		},
		Policy: opaquePolicy, Caller: "Your program’s app", Asked: "Evening check-in", App: "Harbor", Reference: "checkin-771",
		Asks: []Row{
			{Name: "Is this an emergency service?", Text: "No. A push does not always arrive: a phone can be off, offline or silenced. " +
				"Do not use it as your only way to reach someone in a crisis."},
			{Name: "Who in our organisation sees the rings?", Text: "The people you add under People. " +
				"The audit log records every change they make."},
		},
	},
	{
		Slug: "legal", Name: "Legal", Opaque: true,
		Short: "Reach the lawyer on duty. The push does not show that there is a case.",
		Title: "Client calls stay confidential.",
		Lead: "A client’s name on a lock screen shows that there is a case. So your firm’s pushes contain only IDs. " +
			"The app reads the name after it wakes, with its own credential.",
		Steps: []Row{
			{Name: "A client calls at night", Text: "Your voice agent writes down the facts and decides that a lawyer should speak to " +
				"the client now."},
			{Name: "The phone of the lawyer on duty rings", Text: "You send your case number as the reference. " +
				"Only that phone can read it, and only after it wakes."},
			{Name: "A complete record", Text: "You see who was called, when, and the result, with a time for each step."},
		},
		Policy: opaquePolicy, Caller: "Your firm’s app", Asked: "Night intake", App: "Hart & Okafor", Reference: "intake-3307",
		Asks: []Row{
			{Name: "Can another organisation see our rings?", Text: "No. If another organisation asks for one of your IDs, " +
				"it gets the same answer as for an ID that does not exist. A test checks this on every address."},
			{Name: "Can we run it ourselves?", Text: "Yes. You need one program and one database, on your own machine."},
		},
	},
	{
		Slug: "salon", Name: "Salon",
		Short: "Fill a cancelled appointment from your waiting list.",
		Title: "Fill a cancelled appointment in minutes.",
		Lead: "A client cancels at noon. Your booking agent rings the people on the waiting list, one after the other, " +
			"and offers them the free appointment.",
		Steps: []Row{
			{Name: "A client cancels", Text: "Your booking agent rings the first person on the list. The person has 20 seconds to answer."},
			{Name: "The client sees why you call", Text: "The lock screen shows “Mirabelle: a slot today”, even before the app has " +
				"started."},
			{Name: "No answer: the next person", Text: "Your booking agent learns at once that the ring has ended, and rings the next " +
				"person."},
		},
		Policy: labelledPolicy, Caller: "Mirabelle: a slot today", App: "Mirabelle", Reference: "slot-1400",
		Asks: []Row{
			{Name: "Will this annoy clients?", Text: "Ring each client once and then go to the next person. " +
				"If a client uses a Focus such as Do Not Disturb, the phone stays silent, and the console shows this."},
			{Name: "Do clients need a new app?", Text: "They need your app. Your developers add about 100 lines for PushKit and CallKit. " +
				"The docs contain them."},
		},
	},
	{
		Slug: "insurance", Name: "Insurance",
		Short: "Reach a claims adjuster while the customer is still at the scene.",
		Title: "Reach an adjuster during the first call.",
		Lead: "Your voice agent takes the claim. If a person must decide, it rings the adjuster on duty. " +
			"The adjuster answers and speaks with your voice agent.",
		Steps: []Row{
			{Name: "A claim comes in", Text: "Your voice agent asks for the place, the time and the damage. Then it rings the adjuster " +
				"for that region."},
			{Name: "No queue and no transfer", Text: "The push wakes the app. When the adjuster answers, the call connects to your " +
				"voice agent."},
			{Name: "Numbers for your reports", Text: "See how many rings woke the phone, showed a call and were answered, " +
				"how long each step took, and which rings were slowest."},
		},
		Policy: labelledPolicy, Caller: "Claims desk: new first notice", App: "Meridian", Reference: "fnol-88120",
		Asks: []Row{
			{Name: "How many calls can run at once?", Text: "Your plan sets the limit; see the pricing page. " +
				"To measure what your own machine can carry, run “carillon bench”."},
			{Name: "What if an adjuster has two phones?", Text: "Ring the person, not the device. Both phones ring, and the first " +
				"answer wins."},
		},
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

// label is the industry's payload policy in a few words.
func (i industry) label() string {
	if i.Opaque {
		return "IDs only"
	}
	return "Can show the caller"
}

// push is the body that Apple receives.
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

// request is the API request of a customer in this industry.
func (i industry) request() string {
	return `POST /v1/rings
{
  "to": {"person": "on-duty"},
  "caller": "` + i.asked() + `",
  "reference": "` + i.Reference + `",
  "ttl_s": 30
}`
}

// asked is the caller in the request. With opaque ids it never leaves this server.
func (i industry) asked() string {
	if i.Opaque {
		return i.Asked
	}
	return i.Caller
}
