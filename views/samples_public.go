package views

import "time"

func (s sampler) front(title, path string) Front {
	f := Front{Title: title, Description: "What this page says, in one sentence.", Path: path, BaseURL: "https://ring.example"}
	for _, i := range sampleIndustries() {
		f.Industries = append(f.Industries, Link{Text: i.Name, Href: IndustryPath(i.Slug)})
	}
	return f
}

func sampleIndustries() []IndustryText {
	steps := []Row{{Name: "A client cancels", Text: "Your booking agent rings the first person on the list."},
		{Name: "The client sees why you call", Text: "The lock screen shows the label, even before the app has started."},
		{Name: "No answer: the next person", Text: "Your booking agent learns at once that the ring has ended."}}
	asks := []Row{{Name: "Do clients need a new app?", Text: "They need your app. Your developers add about 100 lines."}}
	return []IndustryText{
		{Slug: "salon", Name: "Salon", Short: "Fill a cancelled appointment from your waiting list.",
			Title: "Fill a cancelled appointment.",
			Lead:  "Your booking agent rings the people on the waiting list, one after the other.", Steps: steps, Asks: asks,
			Caller: "Mirabelle: a slot today", Asked: "Mirabelle: a slot today", App: "Mirabelle", Reference: "slot-1400",
			Person: "maya", TTL: 20},
		{Slug: "legal", Name: "Legal", Opaque: true, Short: "Reach the lawyer on duty.", Title: "Client calls stay confidential.",
			Lead: "A client’s name on a lock screen shows that there is a case.", Steps: steps, Asks: asks, Caller: "Your firm’s app",
			Asked: "Night intake", App: "Hart & Okafor", Reference: "intake-3307", Person: "on-duty", TTL: 30},
	}
}

// publicSampler makes up the pages that anybody may open.
type publicSampler struct{ sampler }

func (s publicSampler) publicPages() []Sample {
	rows := func(rings, devices, calls, people string) []Row {
		return []Row{{Name: "Rings a month", Text: rings}, {Name: "Devices", Text: devices}, {Name: "Calls at once", Text: calls},
			{Name: "People in the console", Text: people}}
	}
	plans := []PlanCard{
		{"Starter", "$149", "$1,490", "2 months free", "For one team and its phones.", rows("5,000", "100", "5", "3"), false},
		{"Growth", "$499", "$4,990", "2 months free", "For an organisation that rings all day.", rows("50,000", "1,000", "25", "15"), true},
		{"Scale", "$1,499", "$14,990", "2 months free", "For many teams.", rows("500,000", "10,000", "150", "Any number"), false},
	}
	known := s.front("Security", PathSecurity)
	known.SignedIn = true
	all := []Sample{
		{"home", Home(HomePage{Front: s.front("Carillon", PathHome), Trial: "14 days", Industries: sampleIndustries(),
			Prices: []Link{{Text: "Starter", Hint: "$149 a month"}, {Text: "Growth", Hint: "$499 a month"}}})},
		{"pricing", Pricing(PricingPage{Front: s.front("Pricing", PathPricing), Plans: plans, TrialDays: "14 days", Grace: "7 days"})},
		{"pricing-no-money", Pricing(PricingPage{Front: s.front("Pricing", PathPricing), Plans: plans[:1], TrialDays: "14 days",
			Grace: "7 days", Saving: "2 months free", NoStripe: true, NoTrial: true})},
		{"industries", Industries(IndustriesPage{s.front("Industries", PathIndustries), sampleIndustries()})},
		{"security", Security(SecurityPage{known})},
		{"docs", Docs(s.docs())},
		{"status", Status(StatusPage{s.front("Status", PathStatus), []Check{{"Database", "Stores rings and settings.", true},
			{"Voice", "Carries calls.", false}}, AtSecond(s.now, time.UTC)})},
		{"terms", Legal(TermsPage(s.front("Terms", PathTerms)))},
		{"privacy", Legal(PrivacyPage(s.front("Privacy", PathPrivacy), 400*24*time.Hour, 760*24*time.Hour))},
		{"demo", Demo(DemoPage{Front: s.front("Hear it", PathDemo), Seconds: 60})},
		{"demo-off", Demo(DemoPage{Front: s.front("Hear it", PathDemo), Seconds: 60, Off: true})},
	}
	for _, i := range sampleIndustries() {
		all = append(all, Sample{"industry-" + i.Slug, Industry(IndustryPage{s.front(i.Name, IndustryPath(i.Slug)), i,
			[]Row{{Name: "Calendar feed", Text: "The calendar says who is on call."}}})})
	}
	return append(all, s.trialPages()...)
}

func (s publicSampler) trialPages() []Sample {
	form := TrialPage{
		Front: s.front("Start a trial", PathTrial), Days: "14 days",
		Company: Field{Name: "company", Label: "Company", Autocomplete: "organization", Max: 80},
		Name:    Field{Name: "name", Label: "Your name", Autocomplete: "name", Max: 80},
		Email:   Field{Name: "email", Label: "Work email", Type: "email", Autocomplete: "username", Max: 254},
		Password: Field{Name: "password", Label: "Password", Type: "password", Autocomplete: "new-password",
			Help: "At least 12 characters."},
		Industries: Pick{Name: "industry", Label: "Industry", Choices: []Choice{{"legal", "Legal", true}, {"salon", "Salon", false}}},
		Zone:       Field{Name: "time_zone", Label: "Time zone", Value: "Europe/Berlin", Max: 64},
		Code: Field{Name: "code", Label: "Referral code", Value: "KMPR72XW", Max: 20, Optional: true, Mono: true,
			Help: "From the person who told you about Carillon."},
	}
	wrong := form
	wrong.Email.Error, wrong.Error = "Enter an email address, such as you@example.com.", "Please correct the fields below."
	return []Sample{
		{"trial", Trial(form)}, {"trial-wrong", Trial(wrong)},
		{"trial-off", Trial(TrialPage{Front: form.Front, Days: "14 days", Off: true})},
		{"trial-sent", TrialSent(TrialSentPage{form.Front, "ana@lindenhof.example", ""})},
		{"trial-sent-dev", TrialSent(TrialSentPage{form.Front, "ana@lindenhof.example", TrialPath("crl_trial_x")})},
		{"trial-confirm", TrialConfirm(TrialConfirmPage{Front: form.Front, Company: "Lindenhof Dental", Email: "ana@lindenhof.example",
			Action: TrialPath("x"), Days: "14 days"})},
		{"trial-confirm-elsewhere", TrialConfirm(TrialConfirmPage{Front: form.Front, Company: "Lindenhof Dental",
			Email: "ana@lindenhof.example", Action: TrialPath("x"), Days: "14 days", Ask: true,
			Error: "This is not the password you chose when you signed up. Try again."})},
		{"trial-gone", TrialConfirm(TrialConfirmPage{Front: form.Front, Gone: true})},
	}
}

// docs is a page of the documentation with everything that such a page may have.
func (s publicSampler) docs() DocPage {
	field := []DocField{{Name: "to.device", In: "query", Type: "UUID", Required: true, Text: "<p>Whom to ring.</p>"},
		{Name: "ring", In: "path", Type: "Ring", Object: "Ring"}}
	return DocPage{
		Front: s.front("Rings", PathDocs), Slug: "api/rings", Group: "Reference", Title: "Rings", Summary: "Reach someone.",
		Menu:     []DocGroup{{Title: "Reference", Links: []DocLink{{Link: Link{Text: "Rings", Href: PathDocs}, Current: true}}}},
		Headings: []Link{{Text: "Ring someone", Href: "#placeRing"}, {Text: "Ring", Href: "#Ring"}},
		Prev:     Link{Text: "API", Href: DocPath("api")}, Next: Link{Text: "Errors", Href: DocPath("errors")},
		Body: `<h2 id="words">Words</h2><p>A <strong>ring</strong> is one request to reach someone.</p>`,
		Operations: []DocOperation{{ID: "placeRing", Method: "POST", Path: "/v1/rings", Summary: "Ring someone", Text: "<p>Rings.</p>",
			Auth: "an API key", Scope: "rings:write", Params: field, Try: true,
			Body: DocBody{Type: "application/json", Fields: field, Text: "<p>One object.</p>",
				Examples: []DocExample{{Name: "One phone", Text: "{}"}}},
			Answers: []DocAnswer{{Status: "201", Text: "<p>Placed.</p>", Object: "Ring", Fields: field,
				Example: DocExample{Name: "Example", Text: `{"id": 5}`,
					Marked: `{<span class="code-word">"id"</span>: <span class="code-value">5</span>}`},
				Headers: []DocField{{Name: "Location", Text: "<p>The ring.</p>"}}}}}},
		Objects:  []DocObject{{Name: "Ring", Text: "<p>A ring.</p>", Fields: field, Example: DocExample{Name: "Ring", Text: "{}"}}},
		Problems: []DocProblems{{"group-rings", "Rings", []DocProblem{{"test_key", "403", "<p>Why.</p>", "<p>What to do.</p>"}}}},
	}
}
