package views

import "slices"

// Kind is the weight of a button.
type Kind string

// The kinds.
const (
	Primary Kind = "primary" // the one thing to do here
	Quiet   Kind = "quiet"   // everything else
	Bare    Kind = "bare"    // no frame
	Danger  Kind = "danger"  // cannot be undone
)

// Button is a link when it has an Href, else a submit button of the form around it.
type Button struct {
	Text string
	Href string
	Icon Icon
	Kind Kind
	Open string // id of a dialog it opens when scripts run; Href is the same question as a page
	Live bool   // a call or ring is placed by it: drawn larger

	Disabled bool // not for the person who looks
}

func (b Button) class() string {
	class := "btn"
	switch b.Kind {
	case Primary:
		class += " btn-primary"
	case Danger:
		class += " btn-danger"
	case Bare:
		class += " btn-bare"
	case Quiet, "":
		class += " btn-quiet"
	}
	if b.Live {
		class += " btn-live"
	}
	return class
}

// RingState is where a ring stands.
type RingState string

// The states, as the API names them.
const (
	RingPlaced    RingState = "placed"
	RingPushed    RingState = "pushed"
	RingRinging   RingState = "ringing"
	RingAnswered  RingState = "answered"
	RingEnded     RingState = "ended"
	RingDeclined  RingState = "declined"
	RingMissed    RingState = "missed"
	RingCancelled RingState = "cancelled"
	RingFailed    RingState = "failed"
)

// look is how a state shows: colour, sign and word.
type look struct {
	tone Tone
	icon Icon
	word string
}

var ringLooks = map[RingState]look{
	RingPlaced:    {ToneNeutral, IconClock, "Placed"},
	RingPushed:    {ToneInfo, IconSend, "Sent"},
	RingRinging:   {ToneBrand, IconRing, "Ringing"},
	RingAnswered:  {ToneGood, IconPhoneCall, "In call"},
	RingEnded:     {ToneGood, IconCheck, "Answered"},
	RingDeclined:  {ToneNeutral, IconPhoneX, "Declined"},
	RingMissed:    {ToneWarn, IconBellOff, "Missed"},
	RingCancelled: {ToneNeutral, IconBan, "Cancelled"},
	RingFailed:    {ToneBad, IconWarn, "Failed"},
}

func (s RingState) look() look {
	if l, ok := ringLooks[s]; ok {
		return l
	}
	return look{ToneNeutral, IconPending, "Unknown"}
}

var envLooks = map[Environment]look{
	EnvProduction: {ToneGood, IconWorld, "Production"},
	EnvSandbox:    {ToneWarn, IconCode, "Sandbox"},
	EnvBoth:       {ToneInfo, IconWorld, "Production and sandbox"},
	EnvAuto:       {ToneNeutral, IconRefresh, "Detected automatically"},
	EnvNone:       {ToneNeutral, IconPending, "No credential yet"},
}

func (e Environment) look() look {
	if l, ok := envLooks[e]; ok {
		return l
	}
	return envLooks[EnvNone]
}

// Callout says what is wrong (or good to know), why, and what to do about it.
type Callout struct {
	Tone   Tone
	Title  string
	Cause  string
	Cure   string
	Action Button // optional, when Text is set
}

// Empty is a table or page without anything in it: one sentence, one action.
type Empty struct {
	Icon   Icon
	Text   string
	Action Button
}

// Stat is one figure with its name.
type Stat struct {
	Label string
	Value string
	Note  string // small text under it
	Tone  Tone   // colours the note
	Href  string
	Days  []int // small bars behind it, oldest first
}

// moves tells whether there is anything to draw: a flat line says nothing.
func (s Stat) moves() bool {
	return len(s.Days) > 0 && slices.Max(s.Days) > slices.Min(s.Days)
}

// Tab is one entry of a row of tabs that are pages of their own.
type Tab struct {
	Text    string
	Href    string
	Current bool
}

// Step is one line of a checklist.
type Step struct {
	Text   string
	Why    string
	Href   string
	Action string
	Done   bool
}

// Checklist is what is left to do before rings work.
type Checklist struct {
	Title string
	Steps []Step
}

func (c Checklist) done() int {
	n := 0
	for _, s := range c.Steps {
		if s.Done {
			n++
		}
	}
	return n
}

// next is the first step that is not done, or -1.
func (c Checklist) next() int {
	for i, s := range c.Steps {
		if !s.Done {
			return i
		}
	}
	return -1
}

// Row of a list of facts: a name and its value.
type Row struct {
	Name string
	Text string
	Mono bool // an identifier
	Own  bool // somebody’s own words, which no language changes
	Copy bool // with a button to copy it
	When Time // drawn instead of Text when set
	Href string
}
