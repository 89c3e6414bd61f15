package tenants

import (
	"strings"
	"time"
)

// Industry is a tenant's line of business, by the slug of its file. It sets the wording, the rules
// and the defaults of a new tenant; see IndustryFile.
type Industry string

// The industries whose files are built in. An operator may add more; see Industries.
const (
	RealEstate       Industry = "real-estate"
	Healthcare       Industry = "healthcare"
	BehavioralHealth Industry = "behavioral-health"
	Legal            Industry = "legal"
	Salon            Industry = "salon"
	Insurance        Industry = "insurance"
)

// IndustryFile is one industry: all that Carillon knows about it. Every field must be in the file,
// except those marked optional.
type IndustryFile struct {
	Slug        Industry         `json:"slug"`  // [a-z0-9-]{2,40}, and the name of the file
	Name        string           `json:"name"`  // for people
	Order       int              `json:"order"` // the smallest is shown first
	Caller      CallerWords      `json:"caller"`
	Rules       RuleSet          `json:"rules"`
	DefaultRole Role             `json:"default_role"` // offered for a colleague who is invited
	Agents      []SampleAgent    `json:"agents"`       // of a new tenant; the first is its default agent
	Script      string           `json:"script"`       // instructions for a model that speaks for the tenant
	Connections []Expected       `json:"connections"`  // what such organisations usually connect, the most useful first
	Alerts      []SampleAlert    `json:"alerts"`
	Checklist   []ChecklistStep  `json:"checklist"`
	Sample      SampleTenant     `json:"sample"`
	Page        IndustryPageText `json:"page"`
}

// CallerWords say how callers are named.
type CallerWords struct {
	Label string `json:"label"` // of a new tenant's agents; {tenant} is its name
	Help  string `json:"help"`  // one sentence for the person who writes a label
}

// SampleAgent is an agent of a new tenant. It works with nothing installed.
type SampleAgent struct {
	Name    string  `json:"name"`
	Program Program `json:"program"`
}

// SampleAlert is an alert rule of a new tenant: a figure above or below a bound, over a window.
type SampleAlert struct {
	Metric string   `json:"metric"`
	Above  *float64 `json:"above,omitempty"` // one of Above and Below
	Below  *float64 `json:"below,omitempty"`
	Window int      `json:"window_minutes"`
}

// ChecklistStep is one step of the list that a new tenant sees on its overview.
type ChecklistStep struct {
	Check StepCheck `json:"check"`
	Title string    `json:"title"`
	Text  string    `json:"text"`
}

// StepCheck is the data that says whether a step is done: one of StepChecks, or connection: with a
// role.
type StepCheck string

const (
	StepCredential   StepCheck = "credential"    // an Apple credential that works
	StepDevice       StepCheck = "device"        // a device is registered
	StepPersonPhones StepCheck = "second_device" // two devices are registered
	StepAnswered     StepCheck = "answered"      // a ring was answered
	StepPeople       StepCheck = "people"        // a colleague was invited
	StepAgent        StepCheck = "agent"         // an agent that is not built in
	StepKey          StepCheck = "key"           // an API key was used
	StepRecording    StepCheck = "recording"     // it was decided whether calls are recorded
)

// StepChecks lists the checks without an argument.
var StepChecks = []StepCheck{StepCredential, StepDevice, StepPersonPhones, StepAnswered, StepPeople, StepAgent, StepKey, StepRecording}

// Connection is the role of a step that asks for a connection.
func (c StepCheck) Connection() (ConnectionRole, bool) {
	role, ok := strings.CutPrefix(string(c), "connection:")
	return ConnectionRole(role), ok
}

// SampleTenant is the made-up tenant of dev mode.
type SampleTenant struct {
	Slug    string         `json:"slug"`
	Name    string         `json:"name"`
	Bundle  string         `json:"bundle"` // of its app
	Phone   string         `json:"phone"`  // whose phone the browser page plays
	Person  string         `json:"person"` // the same, as a reference
	Devices []SampleDevice `json:"devices"`
}

// SampleDevice is a simulated phone of dev mode.
type SampleDevice struct {
	Name   string `json:"name"`
	Model  string `json:"model"`
	OS     string `json:"os_version"`
	App    string `json:"app_version"`
	Person string `json:"person"`
	Habit  string `json:"habit"` // how it answers; see package dev
}

// IndustryPageText are the texts of the industry's public page.
type IndustryPageText struct {
	Short       string      `json:"short"`       // in the list of industries
	Description string      `json:"description"` // for search engines: 40 to 170 characters
	Title       string      `json:"title"`
	Lead        string      `json:"lead"`
	Steps       []NamedText `json:"steps"`     // how one ring works, in order
	Caller      string      `json:"caller"`    // on the lock screen
	Asked       string      `json:"asked"`     // the caller in the request
	App         string      `json:"app"`       // name of the app on the lock screen
	Reference   string      `json:"reference"` // in the request
	Person      string      `json:"person"`    // in the request: whom it rings
	TTL         int         `json:"ttl_s"`     // in the request: seconds that the phone rings
	Asks        []NamedText `json:"asks"`      // questions of customers
}

// Habits are how a simulated phone answers; package dev plays them.
var Habits = []string{"rings", "declines", "busy", "silent", "dozes", "unshown", "quiet", "liar"}

// NamedText is a text with a title.
type NamedText struct {
	Name string `json:"name"`
	Text string `json:"text"`
}

// Of is the label of a tenant's agents, cut to the length that an agent may have.
func (w CallerWords) Of(tenant string) string {
	label := []rune(strings.ReplaceAll(w.Label, "{tenant}", tenant))
	return strings.TrimSpace(string(label[:min(len(label), maxCaller)]))
}

// NewAgents are the agents of a new tenant, the default one first.
func (f IndustryFile) NewAgents(t Tenant, now time.Time) []Agent {
	agents := make([]Agent, len(f.Agents))
	for i, a := range f.Agents {
		agents[i] = Agent{ID: NewID[AgentID](now.Add(time.Duration(i) * time.Millisecond)), Tenant: t.ID, Name: a.Name, Kind: Builtin,
			Caller: f.Caller.Of(t.Name), Builtin: &BuiltinAgent{Program: a.Program}, CreatedAt: now}.Clean()
	}
	return agents
}

// maxCaller is the longest caller label, in characters.
const maxCaller = 64

// unknownIndustry is what holds for a tenant whose industry has no file any more: the strictest.
func unknownIndustry(i Industry) IndustryFile {
	return IndustryFile{Slug: i, Name: string(i), DefaultRole: Viewer, Rules: strictRules()}
}
