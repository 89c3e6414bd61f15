package views

// HopState is how far a hop came.
type HopState string

// The states of a hop.
const (
	HopDone    HopState = "done"
	HopNow     HopState = "now"     // waiting for it at this moment
	HopWaiting HopState = "waiting" // not yet its turn
	HopFailed  HopState = "failed"
	HopSkipped HopState = "skipped" // did not happen, and need not
	HopEnded   HopState = "ended"   // the last word, neither good nor bad: declined, cancelled
)

// Hop is one step of a ring's way to a phone and back.
type Hop struct {
	Label string // "Apple accepted the push"
	State HopState
	At    Time
	Delta string // since the hop before, such as "182 ms"; empty when unknown
	Note  string // a sentence: what it means, or that the phone said so late
}

func (h Hop) icon() Icon {
	switch h.State {
	case HopDone:
		return IconCheck
	case HopFailed:
		return IconX
	case HopEnded:
		return IconPhoneOff
	case HopSkipped:
		return IconBan
	case HopNow, HopWaiting:
	}
	return IconPending
}

func (h Hop) word() string {
	switch h.State {
	case HopDone, HopEnded:
		return "done"
	case HopFailed:
		return "failed"
	case HopSkipped:
		return "did not happen"
	case HopNow:
		return "waiting"
	case HopWaiting:
	}
	return "not yet"
}

// culprit is the last hop that failed, or -1.
func culprit(hops []Hop) int {
	for i := len(hops) - 1; i >= 0; i-- {
		if hops[i].State == HopFailed {
			return i
		}
	}
	return -1
}

// newest is the last hop that came to pass while another is awaited, or -1: the one that has just
// moved.
func newest(hops []Hop) int {
	for i, h := range hops {
		if h.State == HopNow {
			return i - 1
		}
	}
	return -1
}

// Lane is one device's part of a ring.
type Lane struct {
	Device string
	Href   string // of the device's page
	Model  string // "iPhone 15 Pro, iOS 26.1"
	Tone   Tone   // of the outcome
	Result string // "Answered", "Answered on another device", "Focus was on"
	Hops   []Hop
	Pushes []Push
}

// Push is one request to Apple and what Apple said.
type Push struct {
	ApnsID      string
	Status      int    // HTTP status, 0 while no answer came
	Reason      string // Apple's word, such as "BadDeviceToken"
	Meaning     string // the same in a sentence, with the cure
	Environment Environment
	Sent        Time
	Answered    Time
	Took        string // "48 ms"
}

func (p Push) tone() Tone {
	switch {
	case p.Status == 200:
		return ToneGood
	case p.Status == 0:
		return ToneNeutral
	}
	return ToneBad
}

func (p Push) word() string {
	switch p.Status {
	case 200:
		return "200 accepted"
	case 0:
		return "No answer yet"
	}
	return Plain(p.Status) + " " + p.Reason
}
