package console

import (
	"slices"
	"strconv"
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// streamAgent names the kind for people.
const streamAgent = "Your program (WebSocket)"

// agentKinds are how an agent speaks, in words.
var agentKinds = map[tenants.AgentKind]string{tenants.Builtin: builtinAgent, tenants.Stream: streamAgent}

// streamFields are the fields of a stream agent. A stored token is never shown.
func streamFields(a tenants.Agent, w page.Wrong) *views.StreamFields {
	s := tenants.StreamAgent{}
	if a.Stream != nil {
		s = *a.Stream
	}
	f := &views.StreamFields{
		URL: views.Field{Name: "url", Label: "Address", Value: page.Shown(s.URL, 2048), Max: 2048, Mono: true,
			Error: w.Fields["url"], Placeholder: "wss://bot.example.com/stream",
			Help: "Carillon connects here when the person answers."},
		Dialect: views.Pick{Name: "dialect", Label: "Protocol", Error: w.Fields["dialect"], Choices: dialectChoices(s.Dialect),
			Help: "What your program was written for. Carillon plays the vendor’s part. Vonage’s carries the best sound."},
		Token: views.Field{Name: "auth_token", Label: "Secret token", Type: "password", Max: 512, Optional: true,
			Autocomplete: "new-password", Error: w.Fields["auth_token"],
			Help: "Signs the request that opens the connection, so that your program can refuse everybody else."},
		Parameters: views.Field{Name: "parameters", Label: "Parameters", Value: parametersText(s.Parameters), Optional: true,
			Error: w.Fields["parameters"],
			Help:  "One a line, as name=value. Your program gets them at the start of each call, with the ring’s id and reference."},
		Attach: views.Field{Name: "attach_s", Label: "Seconds to connect", Value: attachText(a), Max: 2, Optional: true,
			Error: w.Fields["attach_s"], Help: "From the answer on. After that the call ends."},
	}
	if a.ID == "" {
		f.URL.NeededFor = string(tenants.Stream) // the browser must not ask for it while it is hidden
	}
	if a.HasSecret {
		f.Token.Help = "A token is stored. Leave this empty to keep it."
		f.Forget = &views.Tick{Name: "forget_token", Value: "1", Label: "Remove the stored token"}
	}
	return f
}

// dialectNames are the protocols, in words.
var dialectNames = map[tenants.Dialect]string{
	tenants.Twilio: "Twilio Media Streams", tenants.Telnyx: "Telnyx media streaming", tenants.Plivo: "Plivo audio streaming",
	tenants.Vonage: "Vonage WebSocket",
}

func dialectChoices(chosen tenants.Dialect) []views.Choice {
	all := make([]views.Choice, len(tenants.Dialects))
	for i, d := range tenants.Dialects {
		all[i] = page.Choice(string(d), dialectNames[d])
	}
	return page.Choose(string(chosen), all...)
}

func attachText(a tenants.Agent) string {
	if a.AttachSeconds == 0 {
		return ""
	}
	return strconv.Itoa(a.AttachSeconds)
}

func parametersText(p map[string]string) string {
	lines := make([]string, 0, len(p))
	for name, value := range p {
		lines = append(lines, name+"="+value)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// readStream reads the fields of a stream agent. What is not a number or has no name is left for
// tenants.Agent.Check to refuse.
func readStream(f page.Form, a *tenants.Agent) {
	s := tenants.StreamAgent{URL: f.Text("url"), Dialect: tenants.Dialect(f.Text("dialect")), Parameters: map[string]string{}}
	for line := range strings.Lines(f.Raw("parameters")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		s.Parameters[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	a.Stream, a.AttachSeconds = &s, 0
	if text := f.Text("attach_s"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			n = -1
		}
		a.AttachSeconds = n
	}
	switch token := f.Text("auth_token"); {
	case token != "":
		a.Secret = &token
	case f.Text("forget_token") != "":
		a.Secret = new(string)
	}
}
