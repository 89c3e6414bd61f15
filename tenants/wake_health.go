package tenants

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Outcome is how one attempt came out, as far as CallKit is concerned.
type Outcome struct {
	Ring       RingID
	Device     DeviceID
	At         time.Time // when the ring was placed
	AppVersion string
	OSVersion  string
	Token      string
	Status     int    // Apple's last answer; 0 = none
	Reason     string // Apple's, empty on 200
	Over       bool   // the ring has ended, or should have
	Woke       bool   // the phone said anything at all
	Reported   bool   // the app reported the call to CallKit: shown, silenced, busy, declined, refused by CallKit, answered
}

// Silent: Apple took the push, the ring is over, and the phone never said a word.
func (o Outcome) Silent() bool { return o.Status == 200 && o.Over && !o.Woke }

// Unshown: the app woke, the ring is over, and CallKit never heard of it. iOS stops waking an app that does this repeatedly
// (developer.apple.com/documentation/pushkit/responding_to_voip_notifications_from_pushkit).
func (o Outcome) Unshown() bool { return o.Over && o.Woke && !o.Reported }

// Verdict is what a streak of outcomes means.
type Verdict string

// The verdicts.
const (
	Fine       Verdict = "fine"
	Blocked    Verdict = "blocked"       // silent again and again
	Unshown    Verdict = "not_reporting" // awake again and again, and no call shown
	Untested   Verdict = "untested"      // nothing is known yet
	blockedIn          = 3               // silent attempts in a row
	unshownIn          = 2               // iOS forgives few
	severalOf          = 3               // devices that make it the app's fault
	DelegateOS         = "26.4"          // from here on PushKit tells the app whether it must report
)

var verdicts = map[Verdict]struct{ cause, cure string }{
	Fine:     {"The app wakes and shows its calls.", ""},
	Untested: {"No push has come to an end on this phone yet.", ""},
	Blocked: {"iOS has probably blocked this app from waking: Apple took the pushes and the phone stayed silent. It may also be off, offline, or without the app.",
		"Open the app on the phone, or delete and install it again, which lifts the block; then ring once. If several phones of one app version are silent, that version does not report every push to CallKit before its PushKit delegate returns: fix that first."},
	Unshown: {"The app wakes but does not report to CallKit; iOS will stop waking it.",
		"Call reportNewIncomingCall for every VoIP push before the PushKit delegate returns, also for a ring that is over, and end the call at once then. From iOS 26.4 the delegate with metadata says when that may be left out."},
}

// Cause is the verdict in a sentence.
func (v Verdict) Cause() string { return verdicts[v].cause }

// Cure is what to do about it; empty when nothing is.
func (v Verdict) Cure() string { return verdicts[v].cure }

// WakeHistory is what a device's latest attempts say.
type WakeHistory struct {
	Device     DeviceID
	AppVersion string
	OSVersion  string
	Silent     int // attempts in a row, up to the latest, that Apple took and the phone said nothing of
	Unshown    int // likewise, that woke the app and showed no call
	LastAt     time.Time
	Verdict    Verdict
}

// Describe is what is said of the device: a phone whose latest rings came to nothing, though too few to judge by, is not called fine.
func (s WakeHistory) Describe() (v Verdict, cause, cure string) {
	if n := s.Silent + s.Unshown; s.Verdict == Fine && n > 0 {
		return Untested, "Its latest ring came to nothing. That happens when a phone is off; a few in a row mean that iOS has stopped waking the app.",
			"Open the app once on the phone, and ring it again."
	}
	return s.Verdict, s.Verdict.Cause(), s.Verdict.Cure()
}

// WakeHistoryOf judges one device by its attempts, newest first. Attempts that are under way, or that Apple did not take, say nothing;
// a new version of the app starts anew.
func WakeHistoryOf(outcomes []Outcome) WakeHistory {
	s := WakeHistory{Verdict: Untested}
	silent, unshown := true, true
	for _, o := range outcomes {
		if o.Status != 200 && !o.Woke || !o.Over && !o.Reported {
			continue
		}
		if s.LastAt.IsZero() {
			s.Device, s.AppVersion, s.OSVersion, s.LastAt, s.Verdict = o.Device, o.AppVersion, o.OSVersion, o.At, Fine
		}
		if o.AppVersion != s.AppVersion {
			break
		}
		// Silence does not end a streak of calls that were not shown: it is what comes of it.
		if silent = silent && o.Silent(); silent {
			s.Silent++
			continue
		}
		if unshown = unshown && o.Unshown(); !unshown {
			break
		}
		s.Unshown++
	}
	switch {
	case s.Silent >= blockedIn:
		s.Verdict = Blocked
	case s.Unshown >= unshownIn:
		s.Verdict = Unshown
	}
	return s
}

// WakeHistories judges every device by its attempts; outcomes are of all devices, newest first. The worst come first.
func WakeHistories(outcomes []Outcome) []WakeHistory {
	of, order := map[DeviceID][]Outcome{}, []DeviceID{}
	for _, o := range outcomes {
		if _, seen := of[o.Device]; !seen {
			order = append(order, o.Device)
		}
		of[o.Device] = append(of[o.Device], o)
	}
	list := make([]WakeHistory, 0, len(order))
	for _, d := range order {
		if s := WakeHistoryOf(of[d]); s.Verdict != Untested {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b WakeHistory) int {
		return cmp.Or(cmp.Compare(b.Silent+b.Unshown, a.Silent+a.Unshown), b.LastAt.Compare(a.LastAt))
	})
	return list
}

// WakeHealth is what the phones with one version of the app say together.
type WakeHealth struct {
	AppVersion string
	Devices    int // rung lately
	Shown      int // of them: the latest ring was shown
	Blocked    int
	Unshown    int
	Registered int // living devices with this version
	Delegate   int // of those, with an iOS that has the delegate of 26.4
	Verdict    Verdict
}

// Version counts the living devices with one version of the app on one version of iOS.
type Version struct {
	App, OS string
	Devices int
}

// WakeHealthByVersion judges every version of the app: it is at fault when three of its phones or more, and at least a fifth of those that were
// rung, are in the same trouble. The worst come first, then the most used.
func WakeHealthByVersion(streaks []WakeHistory, versions []Version) []WakeHealth {
	of := map[string]*WakeHealth{}
	app := func(name string) *WakeHealth {
		if of[name] == nil {
			of[name] = &WakeHealth{AppVersion: name, Verdict: Untested}
		}
		return of[name]
	}
	for _, v := range versions {
		a := app(v.App)
		a.Registered += v.Devices
		if VersionAtLeast(v.OS, DelegateOS) {
			a.Delegate += v.Devices
		}
	}
	for _, s := range streaks {
		a := app(s.AppVersion)
		a.Devices++
		switch s.Verdict {
		case Fine:
			if s.Silent+s.Unshown == 0 {
				a.Shown++
			}
		case Blocked:
			a.Blocked++
		case Unshown:
			a.Unshown++
		}
	}
	list := make([]WakeHealth, 0, len(of))
	for _, a := range of {
		a.judge()
		list = append(list, *a)
	}
	slices.SortFunc(list, func(a, b WakeHealth) int {
		return cmp.Or(cmp.Compare(b.Blocked+b.Unshown, a.Blocked+a.Unshown), cmp.Compare(b.Registered, a.Registered), cmp.Compare(b.AppVersion, a.AppVersion))
	})
	return list
}

func (a *WakeHealth) judge() {
	several := func(n int) bool { return n >= severalOf && n*5 >= a.Devices }
	switch {
	case several(a.Unshown):
		a.Verdict = Unshown
	case several(a.Blocked):
		a.Verdict = Blocked
	case a.Devices > 0:
		a.Verdict = Fine
	}
}

// Describe is what is said of the version: where none of its phones shows calls, and there are too few to blame it, it is not called fine.
func (a WakeHealth) Describe() (v Verdict, cause, cure string) {
	switch {
	case a.Verdict == Untested:
		return Untested, "No push has come to an end on a phone with this version yet.", ""
	case a.Verdict != Fine:
	case a.Shown == 0:
		return Untested, "The latest ring of each of its phones came to nothing: too few to tell whether the version is at fault.",
			"Open the app once on one of them, and ring it again."
	case a.Blocked+a.Unshown > 0:
		return Fine, "It wakes and shows its calls on most phones; those that do not are too few for the version to be at fault.", ""
	}
	return a.Verdict, a.Verdict.Cause(), a.Verdict.Cure()
}

// VersionAtLeast compares versions such as 26.4.1 number by number; what is no number counts as zero.
func VersionAtLeast(version, least string) bool {
	a, b := strings.Split(version, "."), strings.Split(least, ".")
	for i := range max(len(a), len(b)) {
		if x, y := part(a, i), part(b, i); x != y {
			return x > y
		}
	}
	return true
}

func part(version []string, i int) int {
	if i >= len(version) {
		return 0
	}
	n, err := strconv.Atoi(strings.TrimSpace(version[i]))
	if err != nil {
		return 0
	}
	return n
}

// Warning is an app version's trouble in a sentence, with its cure.
func (a WakeHealth) Warning() string {
	n, what := a.Blocked, "stay silent when Apple takes a push"
	if a.Verdict == Unshown {
		n, what = a.Unshown, "wake and do not report the call to CallKit"
	}
	name := "version " + a.AppVersion + " of the app"
	if a.AppVersion == "" {
		name = "an app that does not tell its version"
	}
	return FormatCount(n) + " of " + FormatCount(a.Devices) + " phones with " + name + " " + what + ". " + a.Verdict.Cure()
}
