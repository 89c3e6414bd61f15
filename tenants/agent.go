package tenants

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// AgentKind is the way in which Carillon reaches an agent.
type AgentKind string

const (
	Builtin AgentKind = "builtin" // bells, then an echo: speaks with nothing installed
	Stream  AgentKind = "stream"  // a program that talks over a WebSocket
	WebRTC  AgentKind = "webrtc"  // a program that connects to us with WebRTC
	OpenAI  AgentKind = "openai"  // a model of OpenAI that hears and speaks, over WebRTC
	Pipecat AgentKind = "pipecat" // a bot of pipecat, over WebRTC
)

// AgentKinds lists the kinds that work, in the order in which people are offered them.
var AgentKinds = []AgentKind{Builtin, Stream, WebRTC, OpenAI, Pipecat}

// Attach is when an agent is connected to a call.
type Attach string

const (
	AttachAnswered Attach = "answered" // when the phone answers
	AttachShown    Attach = "shown"    // while it rings, so that the agent is there when the person picks up
)

// Lost is what happens to a call that has no agent left.
type Lost string

const (
	LostMessage Lost = "message" // the person hears that nobody can take the call
	LostHangUp  Lost = "hang_up" // the call ends at once
)

// Agent is who speaks for the tenant.
type Agent struct {
	ID        AgentID
	Tenant    TenantID
	Name      string
	Kind      AgentKind
	Caller    string // label shown to the person when a ring gives none
	CreatedAt time.Time

	AttachSeconds int       // how long it may take to connect, from the answer on; 0 for the built-in one
	Attach        Attach    // when it is connected
	Next          []AgentID // who takes the call when this one does not, in order
	Lost          Lost      // what happens when none is left

	Builtin   *BuiltinAgent // of kind Builtin, otherwise nil
	Stream    *StreamAgent  // of kind Stream, otherwise nil
	OpenAI    *OpenAIAgent  // of kind OpenAI, otherwise nil
	Pipecat   *PipecatAgent // of kind Pipecat, otherwise nil
	HasSecret bool          // a secret of the agent is stored, sealed: a token, a key, or headers
	Secret    *string       // only on the way in: nil leaves the stored one, "" removes it
}

// Program is what the built-in agent does.
type Program string

// The programs.
const (
	Bells Program = "bells" // a tune, then an echo
	Probe Program = "probe" // measures how long sound takes to the person and back
	Menu  Program = "menu"  // rings as the keys say

	Announcement Program = "announcement" // plays an uploaded sound and hangs up
)

// Programs lists the programs, in the order in which people are offered them.
var Programs = []Program{Bells, Announcement, Menu, Probe}

// BuiltinAgent is what an agent of the kind Builtin does.
type BuiltinAgent struct {
	Program Program `json:"program"`
	SoundMS int64   `json:"sound_ms,omitempty"` // length of the uploaded announcement; 0 = there is none. The store sets it
}

// Program returns what an agent of the kind Builtin does.
func (a Agent) Program() Program {
	if a.Builtin == nil {
		return Bells
	}
	return a.Builtin.Program
}

// StreamAgent is how a program talks over a WebSocket.
type StreamAgent struct {
	Direction  Direction         `json:"direction,omitempty"` // "" in what was stored before there were two: Dial
	URL        string            `json:"url"`                 // wss://… for Dial
	Dialect    Dialect           `json:"dialect"`
	Parameters map[string]string `json:"parameters,omitempty"` // given to the program at the start of each call
}

// Direction is who opens a stream agent's connection.
type Direction string

const (
	DirectionDial   Direction = "dial"   // we connect to the agent's address
	DirectionAttach Direction = "attach" // the agent connects to us with a join token
)

// Dialect is the protocol that a stream agent speaks.
type Dialect string

// The dialects are named after the vendors whose bots speak them. All but Vonage's carry telephone
// sound at 8 kHz; Vonage's carries 16 kHz.
const (
	Twilio Dialect = "twilio"
	Telnyx Dialect = "telnyx"
	Plivo  Dialect = "plivo"
	Vonage Dialect = "vonage"
)

// Dialects lists the dialects that work, in the order in which people are offered them.
var Dialects = []Dialect{Twilio, Telnyx, Plivo, Vonage}

// MaxNext is how many agents may follow one that does not take a call.
const MaxNext = 3

const (
	// usualAttachSeconds is the time for an agent to connect that says nothing else.
	usualAttachSeconds = 5
	// maxAttachSeconds is the longest: a person who hears nothing for longer hangs up.
	maxAttachSeconds = 20
	// maxParameters and maxParameter bound what a tenant adds to the start of a call.
	maxParameters, maxParameter = 20, 500
	// maxAgentURL is the longest address, in bytes.
	maxAgentURL = 2048
	// maxAgentSecret is the longest token, in characters.
	maxAgentSecret = 512
)

// AttachWithin is how long the agent may take to connect, from the answer on.
func (a Agent) AttachWithin() time.Duration {
	if a.AttachSeconds == 0 {
		return usualAttachSeconds * time.Second
	}
	return time.Duration(a.AttachSeconds) * time.Second
}

// Joins reports whether the agent connects to us, with a join token.
func (a Agent) Joins() bool {
	return a.Kind == WebRTC || a.Kind == Stream && a.Stream != nil && a.Stream.Direction == DirectionAttach
}

// Clean returns the agent in its stored form: defaults for what is left out, and no settings of
// another kind.
func (a Agent) Clean() Agent {
	if a.Attach == "" || a.Kind == Builtin { // which is always there
		a.Attach = AttachAnswered
	}
	if a.Lost == "" {
		a.Lost = LostMessage
	}
	builtin, stream, openai, pipecat := a.Builtin, a.Stream, a.OpenAI, a.Pipecat
	a.Builtin, a.Stream, a.OpenAI, a.Pipecat = nil, nil, nil, nil
	switch a.Kind {
	case Stream:
		a.Stream = stream.clean()
		if a.Stream.Direction == DirectionAttach {
			a.Secret = new(string) // it signs what we dial
		}
	case OpenAI:
		a.OpenAI = openai.clean()
	case Pipecat:
		a.Pipecat = pipecat.clean()
	case WebRTC:
		a.Secret = new(string)
	default:
		if a.Kind == Builtin {
			a.Builtin = builtin.clean()
		}
		a.AttachSeconds, a.Secret = 0, new(string)
		return a
	}
	if a.AttachSeconds == 0 {
		a.AttachSeconds = usualAttachSeconds
	}
	return a
}

// clean returns the settings in their stored form. b may be nil.
func (b *BuiltinAgent) clean() *BuiltinAgent {
	if b == nil || b.Program == "" {
		return &BuiltinAgent{Program: Bells}
	}
	return b
}

// clean returns the settings in their stored form. s may be nil.
func (s *StreamAgent) clean() *StreamAgent {
	made := StreamAgent{}
	if s != nil {
		made = *s
	}
	made.URL = strings.TrimSpace(made.URL)
	if made.Dialect == "" {
		made.Dialect = Twilio
	}
	if made.Direction == "" {
		made.Direction = DirectionDial
	}
	if made.Direction == DirectionAttach {
		made.URL = ""
	}
	return &made
}

// Check refuses an agent whose fields break a rule, naming every wrong one. It expects what Clean
// returned. Whether the address may be reached is the dialer's to say.
func (a Agent) Check() error {
	var f faults
	f.add(ValidText(a.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(slices.Contains(AgentKinds, a.Kind), "kind", "one of "+listed(AgentKinds))
	f.add(ValidText(a.Caller, 0, 64), "caller", "at most 64 characters, not blank, no control characters")
	f.add(a.Attach == AttachAnswered || a.Attach == AttachShown, "attach", "answered or shown")
	f.add(a.Lost == LostMessage || a.Lost == LostHangUp, "lost", "message or hang_up")
	f.add(len(a.Next) <= MaxNext && distinct(a.Next) && !slices.Contains(a.Next, a.ID), "next", fmt.Sprintf(
		"at most %d other agents, each once", MaxNext))
	f.add(a.AttachSeconds >= 0 && a.AttachSeconds <= maxAttachSeconds, "attach_s", fmt.Sprintf("1 to %d seconds", maxAttachSeconds))
	f.add(a.Builtin == nil || slices.Contains(Programs, a.Builtin.Program), "program", "one of "+listed(Programs))
	a.OpenAI.check(&f, a)
	a.Pipecat.check(&f, a)
	if s := a.Stream; s != nil {
		f.add(a.Secret == nil || ValidText(*a.Secret, 0, maxAgentSecret), "auth_token",
			fmt.Sprintf("at most %d characters, no control characters", maxAgentSecret))
		u, err := url.Parse(s.URL)
		f.add(s.Direction == DirectionDial || s.Direction == DirectionAttach, "direction", "dial or attach")
		f.add(s.Direction == DirectionAttach || len(s.URL) <= maxAgentURL && err == nil && u.Host != "" &&
			(u.Scheme == "wss" || u.Scheme == "ws"), "url",
			"a complete address such as wss://bot.example.com/stream, at most 2,048 characters")
		f.add(slices.Contains(Dialects, s.Dialect), "dialect", "one of "+listed(Dialects))
		f.add(validParameters(s.Parameters), "parameters", fmt.Sprintf(
			"at most %d, with names of 1 to 64 letters, digits, - and _, and values of at most %d characters", maxParameters, maxParameter))
	}
	return f.err()
}

func distinct(ids []AgentID) bool {
	for i, id := range ids {
		if slices.Contains(ids[:i], id) {
			return false
		}
	}
	return true
}

func validParameters(p map[string]string) bool {
	for name, value := range p {
		if !validParameterName(name) || !ValidText(value, 0, maxParameter) {
			return false
		}
	}
	return len(p) <= maxParameters
}

func validParameterName(s string) bool {
	return len(s) >= 1 && len(s) <= 64 && strings.Trim(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") == ""
}

func listed[T ~string](all []T) string {
	words := make([]string, len(all))
	for i, w := range all {
		words[i] = string(w)
	}
	return strings.Join(words, ", ")
}
