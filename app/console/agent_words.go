package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// The names of kinds, for people.
const (
	streamAgent = "Your program (WebSocket)"
	webrtcAgent = "Your program (WebRTC)"
)

// agentKinds are how an agent speaks, in words.
var agentKinds = map[tenants.AgentKind]string{
	tenants.Builtin: "Built in", tenants.Stream: streamAgent, tenants.OpenAI: "OpenAI voice model",
	tenants.Pipecat: "Pipecat bot (WebRTC)", tenants.WebRTC: webrtcAgent,
}

// programNames are what the built-in agent can do, in words.
var programNames = map[tenants.Program]string{
	tenants.Bells: "Bells, then an echo", tenants.Announcement: "Announcement",
	tenants.Menu: "Bells by keys", tenants.Probe: "Measure the line",
}

// kindText says in the list what an agent is.
func kindText(a tenants.Agent) string {
	if a.Kind == tenants.Builtin {
		return programNames[a.Program()] + " (built in)"
	}
	return agentKinds[a.Kind]
}

func programPick(a tenants.Agent, w page.Wrong) *views.Pick {
	all := make([]views.Choice, len(tenants.Programs))
	for i, program := range tenants.Programs {
		all[i] = page.Choice(string(program), programNames[program])
	}
	return &views.Pick{Name: "program", Label: "What it does", Error: w.Fields["program"],
		Choices: page.Choose(string(a.Program()), all...),
		Help: "Announcement: a sound that you upload on the agent’s page, once it is added. " +
			"Bells by keys: 1 to 9 ring that often, 0 plays the tune again, # hangs up. Measure the line: five bells; press a key " +
			"when you hear one. The result is on the page of the ring."}
}

// streamFields are the fields of a stream agent. A stored token is never shown.
func streamFields(a tenants.Agent, w page.Wrong) *views.StreamFields {
	s := tenants.StreamAgent{}
	if a.Stream != nil {
		s = *a.Stream
	}
	f := &views.StreamFields{
		URL: views.Field{Name: "url", Label: "Address", Value: page.Shown(s.URL, 2048), Max: 2048, Mono: true, Optional: true,
			Error: w.Fields["url"], Placeholder: "wss://bot.example.com/stream",
			Help: "Carillon connects to this address. Leave it empty if your program connects to Carillon with a join token. " +
				"A stored secret token is then deleted."},
		Dialect: views.Pick{Name: "dialect", Label: "Protocol", Error: w.Fields["dialect"], Choices: dialectChoices(s.Dialect),
			Help: "Choose the protocol that your program was written for. Vonage’s has the best sound quality."},
		Token: views.Field{Name: "auth_token", Label: "Secret token", Type: "password", Max: 512, Optional: true,
			Autocomplete: "new-password", Error: w.Fields["auth_token"],
			Help: "Signs the request that opens the connection, so that your program can refuse everybody else."},
		Parameters: views.Field{Name: "parameters", Label: "Parameters", Value: parametersText(s.Parameters), Optional: true,
			Error: w.Fields["parameters"],
			Help:  "One a line, as name=value. Your program gets them at the start of each call, with the ring’s id and reference."},
	}
	retype(&f.Token, a)
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

// openAIFields are the fields of a model of OpenAI. A stored key is never shown.
func openAIFields(a tenants.Agent, w page.Wrong) *views.OpenAIFields {
	s := tenants.OpenAIAgent{}
	if a.OpenAI != nil {
		s = *a.OpenAI
	}
	f := &views.OpenAIFields{
		Key: views.Field{Name: "api_key", Label: "OpenAI API key", Type: "password", Max: 512, Autocomplete: "new-password",
			Error: w.Fields["api_key"], Help: "Make one at platform.openai.com. OpenAI charges its account for each call."},
		Model: views.Field{Name: "model", Label: "Model", Value: page.Shown(s.Model, 100), Max: 100, Optional: true, Mono: true,
			Error: w.Fields["model"], Placeholder: "gpt-realtime", Help: "A model of the Realtime API. Empty means gpt-realtime."},
		Voice: views.Field{Name: "voice", Label: "Voice", Value: page.Shown(s.Voice, 64), Max: 64, Optional: true, Mono: true,
			Error: w.Fields["voice"], Placeholder: "marin", Help: "Such as marin or cedar. Empty means the model’s own."},
		Instructions: views.Field{Name: "instructions", Label: "Instructions", Value: page.Shown(s.Instructions, 16000), Optional: true,
			Error: w.Fields["instructions"],
			Help:  "Tell the model who it is, why it calls, and how to begin. It speaks first, as soon as the person can hear."},
	}
	retype(&f.Key, a)
	if a.ID == "" {
		f.Key.NeededFor = string(tenants.OpenAI)
	}
	if a.HasSecret {
		f.Key.Optional, f.Key.Help = true, "A key is stored. Leave this empty to keep it."
	}
	return f
}

// storedHeaders are the names of the headers that a pipecat bot is sent.
func storedHeaders(a tenants.Agent) []string {
	if a.Pipecat == nil {
		return nil
	}
	return a.Pipecat.Headers
}

// retype says that a secret must be typed again: a form that was refused comes back without it.
func retype(f *views.Field, a tenants.Agent) {
	if a.Secret != nil && *a.Secret != "" && f.Error == "" {
		f.Error = "Enter this again. It was not saved."
	}
}

// pipecatFields are the fields of a pipecat bot. The values of stored headers are never shown.
// stored are the names of those.
func pipecatFields(a tenants.Agent, stored []string, w page.Wrong) *views.PipecatFields {
	s := tenants.PipecatAgent{}
	if a.Pipecat != nil {
		s = *a.Pipecat
	}
	f := &views.PipecatFields{
		URL: views.Field{Name: "bot_url", Label: "Address of the bot", Value: page.Shown(s.URL, 2048), Max: 2048, Mono: true,
			Error: w.Fields["url"], Placeholder: "https://bot.example.com/api/offer",
			Help: "Where a bot with SmallWebRTCTransport takes offers."},
		Headers: views.Field{Name: "headers", Label: "Headers", Optional: true, Error: w.Fields["headers"],
			Placeholder: "Authorization: Bearer …",
			Help:        "One a line, as Name: value. Sent with each offer, so that the bot can refuse others."},
	}
	if a.ID == "" {
		f.URL.NeededFor = string(tenants.Pipecat)
	}
	retype(&f.Headers, a)
	if len(stored) > 0 && a.HasSecret {
		f.Headers.Help = "Stored: " + strings.Join(stored, ", ") + ". Leave this empty to keep them. What you enter replaces all."
		f.Forget = &views.Tick{Name: "forget_headers", Value: "1", Label: "Remove the stored headers"}
	}
	return f
}

func attachField(a tenants.Agent, w page.Wrong) *views.Field {
	return &views.Field{Name: "attach_s", Label: "Seconds to connect", Value: attachText(a), Max: 2, Optional: true,
		Error: w.Fields["attach_s"], Help: "Counted from the answer. After that, the next agent takes the call. If there is none, see " +
			"“If no agent can take the call”."}
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

// readKind reads the fields of the agent's kind.
func readKind(f page.Form, a *tenants.Agent) {
	switch a.Kind {
	case tenants.Builtin:
		s := tenants.BuiltinAgent{}
		if a.Builtin != nil {
			s = *a.Builtin
		}
		s.Program = tenants.Program(f.Text("program"))
		a.Builtin = &s
		return
	case tenants.Stream:
		readStream(f, a)
	case tenants.OpenAI:
		a.OpenAI = &tenants.OpenAIAgent{Model: f.Text("model"), Voice: f.Text("voice"), Instructions: f.Raw("instructions")}
		if key := f.Text("api_key"); key != "" {
			a.Secret = &key
		}
	case tenants.Pipecat:
		readPipecat(f, a)
	case tenants.WebRTC: // it has no fields of its own
	default:
		return
	}
	a.AttachSeconds = 0
	if text := f.Text("attach_s"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil {
			n = -1
		}
		a.AttachSeconds = n
	}
}

// readPipecat reads the fields of a pipecat bot. A header without a value is left for
// tenants.Agent.Check to refuse.
func readPipecat(f page.Form, a *tenants.Agent) {
	s := tenants.PipecatAgent{URL: f.Text("bot_url")}
	if a.Pipecat != nil {
		s.Headers = a.Pipecat.Headers
	}
	headers := map[string]string{}
	for line := range strings.Lines(f.Raw("headers")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, ":")
		headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	if len(headers) > 0 || f.Text("forget_headers") != "" {
		secret, names := tenants.WriteHeaders(headers)
		s.Headers, a.Secret = names, &secret
	}
	a.Pipecat = &s
}

// readStream reads the fields of a stream agent. What is not a number or has no name is left for
// tenants.Agent.Check to refuse.
func readStream(f page.Form, a *tenants.Agent) {
	s := tenants.StreamAgent{URL: f.Text("url"), Dialect: tenants.Dialect(f.Text("dialect")), Parameters: map[string]string{}}
	if s.URL == "" {
		s.Direction = tenants.DirectionAttach
	}
	for line := range strings.Lines(f.Raw("parameters")) {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		name, value, _ := strings.Cut(line, "=")
		s.Parameters[strings.TrimSpace(name)] = strings.TrimSpace(value)
	}
	a.Stream = &s
	switch token := f.Text("auth_token"); {
	case token != "":
		a.Secret = &token
	case f.Text("forget_token") != "":
		a.Secret = new(string)
	}
}

// handoverPicks are the fields that say who follows an agent.
func handoverPicks(ctx context.Context, v *page.Visitor, a tenants.Agent, w page.Wrong) ([]views.Pick, error) {
	all, _, err := v.Scope.Agents().List(ctx, store.Page{Limit: int(tenants.CapAgents.Most)})
	if err != nil {
		return nil, err
	}
	return append(nextPicks(all, a, w), views.Pick{Name: "lost", Label: "If no agent can take the call", Error: w.Fields["lost"],
		Help: "The message is: “Sorry, nobody can take this call right now. Please try again later.”",
		Choices: page.Choose(string(a.Lost), page.Choice(string(tenants.LostMessage), "Play a message, then hang up"),
			page.Choice(string(tenants.LostHangUp), "Hang up at once"))}), nil
}

// attachPick says when an agent is connected. The built-in one always is, so the field is not for
// it.
func attachPick(a tenants.Agent, w page.Wrong) *views.Pick {
	return &views.Pick{Name: "attach", Label: "Connect the agent", Error: w.Fields["attach"],
		Help: "“While the phone rings” makes the agent ready sooner. It is then also called for rings that nobody answers.",
		Choices: page.Choose(string(a.Attach), page.Choice(string(tenants.AttachAnswered), "When the person picks up"),
			page.Choice(string(tenants.AttachShown), "While the phone rings"))}
}

// nextLabels name the agents that follow; there is one for each.
var nextLabels = [tenants.MaxNext]string{"Backup agent 1", "Backup agent 2", "Backup agent 3"}

// nextPicks are the choices of the agents that follow; none while there is no other agent.
func nextPicks(all []tenants.Agent, a tenants.Agent, w page.Wrong) (picks []views.Pick) {
	others := slices.DeleteFunc(all, func(o tenants.Agent) bool { return o.ID == a.ID })
	if len(others) == 0 {
		return nil
	}
	for i, label := range nextLabels {
		choices, chosen := []views.Choice{page.Choice("", "No other agent")}, ""
		if i < len(a.Next) {
			chosen = string(a.Next[i])
		}
		for _, o := range others {
			choices = append(choices, page.Choice(string(o.ID), o.Name))
		}
		p := views.Pick{Name: nextName(i), Label: label, Choices: page.Choose(chosen, choices...)}
		if i == 0 {
			p.Error = w.Fields["next"]
			p.Help = "It takes the call when this agent does not connect in time, or when its connection is lost during the " +
				"call. Meanwhile the person hears a soft tone."
		}
		picks = append(picks, p)
	}
	return picks
}

func nextName(i int) string { return "next" + strconv.Itoa(i+1) }

// readHandover reads them. An id that no agent has is refused by the store.
func readHandover(f page.Form, a *tenants.Agent) {
	a.Attach, a.Lost, a.Next = tenants.Attach(f.Text("attach")), tenants.Lost(f.Text("lost")), nil
	for i := range tenants.MaxNext {
		if id := f.Text(nextName(i)); id != "" {
			a.Next = append(a.Next, tenants.AgentID(id))
		}
	}
}
