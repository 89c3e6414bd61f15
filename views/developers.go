package views

// DeveloperGuides are the pages of the documentation that the console leads to. A test of package
// docs looks whether they are there.
var DeveloperGuides = []DocGroup{
	{"Agents", []DocLink{
		guideTo("quickstart", "Ring from your agent", "The first ring in five minutes"),
		guideTo("libraries", "Client libraries", "Go, TypeScript and Python"),
		guideTo("agents", "Connect an agent", "OpenAI, pipecat, your own program"),
		guideTo("telephone-bots", "Telephone bots, unchanged", "Made for Twilio, Telnyx, Plivo or Vonage"),
		guideTo("webhooks", "Webhooks", "Hear in your own system what happens"),
		guideTo("mcp", "Model Context Protocol", "Let a language model ring people"),
	}},
	{"Phones", []DocLink{
		guideTo("ios", "iOS", "CarillonKit, PushKit, CallKit, WebRTC"),
		guideTo("react-native", "React Native", "The lines that an existing app needs"),
		guideTo("flutter", "Flutter", "The lines that an existing app needs"),
		guideTo("api/phone", "API of phones", "Every request of your app"),
		guideTo("ios#common-problems", "Common problems", "A phone that does not ring, or has no sound"),
	}},
	{"Reference", []DocLink{
		guideTo("api", "API", "Every operation, with a form that sends it"),
		guideTo("errors", "Errors", "Each code, its cause and what to do"),
		guideTo("limits", "Limits", "What is allowed, and how often"),
		guideTo("search", "Search", "All guides, operations and errors"),
	}},
}

func guideTo(slug, text, hint string) DocLink {
	return DocLink{Link: Link{Text: text, Href: DocPath(slug), Hint: hint}}
}
