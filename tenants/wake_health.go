package tenants

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Outcome is the result of one attempt, as far as waking the app and CallKit are concerned.
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
	Woke       bool   // the phone sent any report
	Reported   bool   // the app reported the call to CallKit: shown, silenced, busy, declined, refused by CallKit, answered
	Quiet      bool   // Reported, and the phone kept the call quiet or refused to show it
}

// Silent reports whether Apple accepted the push, the ring is over, and the phone sent no report.
func (o Outcome) Silent() bool { return o.Status == 200 && o.Over && !o.Woke }

// Unshown reports whether the app woke and the ring ended without a report to CallKit. iOS stops
// waking an app that does this repeatedly
// (developer.apple.com/documentation/pushkit/responding_to_voip_notifications_from_pushkit).
func (o Outcome) Unshown() bool { return o.Over && o.Woke && !o.Reported }

// Verdict is what a device's latest outcomes mean.
type Verdict string

// The verdicts.
const (
	Fine       Verdict = "fine"
	Blocked    Verdict = "blocked"       // silent several times in a row
	Unshown    Verdict = "not_reporting" // woke several times in a row and showed no call
	Untested   Verdict = "untested"      // nothing is known yet
	blockedIn          = 3               // silent attempts in a row
	unshownIn          = 2               // unshown attempts in a row; iOS tolerates few
	severalOf          = 3               // devices that make it the app's fault
	DelegateOS         = "26.4"          // from this iOS on, PushKit tells the app whether it must report
)

var verdicts = map[Verdict]struct{ cause, cure string }{
	Fine:     {"The app wakes and reports its calls.", ""},
	Untested: {"No push to this phone has finished yet.", ""},
	Blocked: {"iOS has probably blocked this app from waking: Apple accepted the pushes and the phone stayed silent. It may also be off, " +
		"offline, or without the app.",
		"Open the app on the phone, or delete and install it again, which removes the block. Then ring it once. If several phones of " +
			"one app " +
			"version are silent, that version does not report every push to CallKit before its PushKit delegate returns: fix that first."},
	Unshown: {"The app wakes but does not report to CallKit; iOS will stop waking it.",
		"Call reportNewIncomingCall for every VoIP push before the PushKit delegate returns, also for a ring that is over, and end the " +
			"call " +
			"at once then. From iOS 26.4 the delegate with metadata says when that may be left out."},
}

// Cause returns the verdict as a sentence.
func (v Verdict) Cause() string { return verdicts[v].cause }

// Cure returns what to do about it; empty if nothing is needed.
func (v Verdict) Cure() string { return verdicts[v].cure }

// WakeHistory sums up a device's latest attempts.
type WakeHistory struct {
	Device     DeviceID
	AppVersion string
	OSVersion  string
	Silent     int // latest attempts in a row that Apple accepted and the phone did not report
	Unshown    int // latest attempts in a row that woke the app and showed no call
	Quiet      int // latest attempts in a row that the app reported and the phone kept quiet
	LastAt     time.Time
	Verdict    Verdict
}

// Describe returns what to show for the device. A phone whose latest rings failed, but too few to
// judge by, is Untested rather than Fine.
func (s WakeHistory) Describe() (v Verdict, cause, cure string) {
	if n := s.Silent + s.Unshown; s.Verdict == Fine && n > 0 {
		return Untested, "Its latest ring had no result. That happens when a phone is off; a few in a row mean that iOS has stopped " +
				"waking " +
				"the app.",
			"Open the app once on the phone, and ring it again."
	}
	return s.Verdict, s.Verdict.Cause(), s.Verdict.Cure()
}

// WakeHistoryOf judges one device by its attempts, newest first. Attempts that are still running,
// or that Apple did not accept, are ignored. A new version of the app starts a new history.
func WakeHistoryOf(outcomes []Outcome) WakeHistory {
	s := WakeHistory{Verdict: Untested}
	silent, unshown, quiet := true, true, true
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
		// Silence does not end a run of unshown calls: it is their result.
		if silent = silent && o.Silent(); silent {
			s.Silent++
			continue
		}
		if unshown = unshown && o.Unshown(); unshown {
			s.Unshown++
			continue
		}
		if quiet = quiet && o.Quiet && s.Silent+s.Unshown == 0; !quiet {
			break
		}
		s.Quiet++
	}
	switch {
	case s.Silent >= blockedIn:
		s.Verdict = Blocked
	case s.Unshown >= unshownIn:
		s.Verdict = Unshown
	}
	return s
}

// WakeHistories judges every device by its attempts. outcomes are those of all devices, newest
// first. The result is sorted, the worst device first.
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

// WakeHealth sums up the phones with one version of the app.
type WakeHealth struct {
	AppVersion string
	Devices    int // rung recently
	Shown      int // of them: the app reported the latest ring to CallKit
	Blocked    int
	Unshown    int
	Registered int // active devices with this version
	Delegate   int // of those, on an iOS that has the PushKit delegate of 26.4
	Verdict    Verdict
}

// Version counts the active devices with one version of the app on one version of iOS.
type Version struct {
	App, OS string
	Devices int
}

// WakeHealthByVersion judges every version of the app. A version is at fault if at least three of
// its phones, and at least a fifth of those that were rung, have the same fault. The worst come
// first, then the most used.
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
		return cmp.Or(cmp.Compare(b.Blocked+b.Unshown, a.Blocked+a.Unshown), cmp.Compare(b.Registered, a.Registered),
			cmp.Compare(b.AppVersion, a.AppVersion))
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

// Describe returns what to show for the version. If none of its phones shows calls, but there are
// too few of them to blame the version, it is Untested rather than Fine.
func (a WakeHealth) Describe() (v Verdict, cause, cure string) {
	switch {
	case a.Verdict == Untested:
		return Untested, "No push to a phone with this version has finished yet.", ""
	case a.Verdict != Fine:
	case a.Shown == 0:
		return Untested, "The latest ring of each of its phones had no result: too few to tell whether the version is at fault.",
			"Open the app once on one of them, and ring it again."
	case a.Blocked+a.Unshown > 0:
		return Fine, "It wakes and reports its calls on most phones. The app version is probably not the cause on the others.", ""
	}
	return a.Verdict, a.Verdict.Cause(), a.Verdict.Cure()
}

// VersionAtLeast compares versions such as 26.4.1 number by number. A part that is not a number
// counts as 0.
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

// Warning returns what is wrong with the version in a sentence, and what to do.
func (a WakeHealth) Warning() string {
	n, what := a.Blocked, "stay silent when Apple takes a push"
	if a.Verdict == Unshown {
		n, what = a.Unshown, "wake and do not report the call to CallKit"
	}
	name := "version " + a.AppVersion + " of the app"
	if a.AppVersion == "" {
		name = "an app that does not report its version"
	}
	return FormatCount(n) + " of " + FormatCount(a.Devices) + " phones with " + name + " " + what + ". " + a.Verdict.Cure()
}
