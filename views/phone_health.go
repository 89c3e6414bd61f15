package views

import "math"

// PhoneHealthPage is how the versions of the app and the phones do when a push wakes them.
type PhoneHealthPage struct {
	Shell    Shell
	Tone     Tone
	Word     string // the whole in a few words
	Why      string
	Span     string // "the last 7 days"
	Delegate string // the first iOS that tells the app if it must show a call
	Versions []HealthVersion
	Table    Table
	Phones   []HealthPhone
	Late     Late
}

// HealthVersion is one version of the app.
type HealthVersion struct {
	Name       string // "4.2.0"
	Registered int    // phones that have it
	Rung       int    // of those that were rung
	Silent     int
	Unshown    int
	Delegate   int // phones that have it and an iOS with the delegate
	Tone       Tone
	Verdict    string // "Fine"
	Cause      string
	Cure       string
}

// HealthPhone is one phone's latest rings.
type HealthPhone struct {
	ID      string
	Name    string
	App     string
	OS      string
	Tone    Tone
	Verdict string
	Silent  int // rings in a row
	Unshown int
	Last    Time
}

// recent says how many rings in a row went wrong, and how.
func (p HealthPhone) recent() string {
	switch {
	case p.Silent > 0 && p.Unshown > 0:
		return Plural(p.Unshown, "ring", "rings") + " not shown, then " + Count(p.Silent) + " without a response"
	case p.Silent == 1:
		return "No response to the last ring"
	case p.Unshown == 1:
		return "The last ring woke the app but showed no call"
	case p.Silent > 0:
		return Plural(p.Silent, "ring", "rings") + " in a row without a response"
	case p.Unshown > 0:
		return Plural(p.Unshown, "ring", "rings") + " in a row that woke the app but showed no call"
	}
	return "The app reported the last call"
}

// Late is how many pushes woke an app after their ring had expired, and how late.
type Late struct {
	Period string
	Total  int
	Half   string // half of them came at most so late
	Steps  []LateStep
}

// LateStep is one column of the histogram.
type LateStep struct {
	Label string // "up to 5 s"
	Count int
}

// tall is a column's height, of 100; one that counts is never invisible.
func (l Late) tall(s LateStep) float64 {
	most := 1
	for _, x := range l.Steps {
		most = max(most, x.Count)
	}
	if s.Count == 0 {
		return 0
	}
	return math.Max(4, 100*float64(s.Count)/float64(most))
}

func (l Late) x(i int) string { return pct(float64(i)*l.step() + l.step()*0.12) }

func (l Late) width() string { return pct(l.step() * 0.76) }

func (l Late) step() float64 { return 100 / float64(max(1, len(l.Steps))) }

func (l Late) y(s LateStep) string { return pct(100 - l.tall(s)) }

func (l Late) height(s LateStep) string { return pct(l.tall(s)) }

// WakeHistory is how a phone's latest rings came out, oldest first, and what they mean.
type WakeHistory struct {
	Tone    Tone
	Verdict string
	Cause   string
	Cure    string
	Marks   []WakeMark
}

// WakeMark is one ring.
type WakeMark struct {
	Tone Tone
	Icon Icon
	Word string // "The call was shown"
	When Time
	Href string
}

func (s Shell) alertWords() string {
	if s.Alerts == 0 {
		return "Alerts: none open"
	}
	return Plural(s.Alerts, "open alert", "open alerts")
}

func (s Shell) alertCount() string {
	if s.Alerts > 99 {
		return "99+"
	}
	return Plain(s.Alerts)
}

// share of a part as a width.
func share(part, whole int) string {
	if whole <= 0 {
		return "0%"
	}
	return pct(math.Min(100, 100*float64(part)/float64(whole)))
}
