package tenants_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// outcome of one letter: s silent, u woke and not shown, r reported, q reported and kept quiet,
// p not over yet, x refused by
// Apple.
func outcome(c rune, device, app string, at time.Time) tenants.Outcome {
	o := tenants.Outcome{Device: tenants.DeviceID(device), AppVersion: app, OSVersion: "26.1", At: at, Status: 200, Over: true}
	switch c {
	case 'u':
		o.Woke = true
	case 'r':
		o.Woke, o.Reported = true, true
	case 'q':
		o.Woke, o.Reported, o.Quiet = true, true, true
	case 'p':
		o.Over = false
	case 'x':
		o.Status, o.Reason = 400, "BadDeviceToken"
	}
	return o
}

func story(letters, device, app string) (list []tenants.Outcome) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for i, c := range letters {
		list = append(list, outcome(c, device, app, at.Add(-time.Duration(i)*time.Minute)))
	}
	return list
}

func TestWakeHistories(t *testing.T) {
	t.Parallel()
	for letters, want := range map[string]struct {
		silent, unshown int
		verdict         tenants.Verdict
	}{
		"":        {0, 0, tenants.Untested},
		"p":       {0, 0, tenants.Untested},
		"xx":      {0, 0, tenants.Untested},
		"r":       {0, 0, tenants.Fine},
		"ss":      {2, 0, tenants.Fine},
		"sss":     {3, 0, tenants.Blocked},
		"psxssr":  {3, 0, tenants.Blocked},
		"rsss":    {0, 0, tenants.Fine},
		"u":       {0, 1, tenants.Fine},
		"su":      {1, 1, tenants.Fine},
		"uu":      {0, 2, tenants.Unshown},
		"suu":     {1, 2, tenants.Unshown}, // it has begun
		"sssuu":   {3, 2, tenants.Blocked},
		"uurrr":   {0, 2, tenants.Unshown},
		"ususu":   {0, 1, tenants.Fine},
		"rrruuuu": {0, 0, tenants.Fine},
	} {
		s := tenants.WakeHistoryOf(story(letters, "d", "1"))
		if s.Silent != want.silent || s.Unshown != want.unshown || s.Verdict != want.verdict {
			t.Errorf("%q: %d silent, %d unshown, %s; want %+v", letters, s.Silent, s.Unshown, s.Verdict, want)
		}
		if v, cause, _ := s.Describe(); s.Verdict == tenants.Fine && (v == tenants.Fine) != (s.Silent+s.Unshown == 0) || cause == "" {
			t.Errorf("%q: is said to be %s: %s", letters, v, cause)
		}
		if s.Verdict.Cause() == "" || (s.Verdict.Cure() == "") != (s.Verdict == tenants.Fine || s.Verdict == tenants.Untested) {
			t.Errorf("%s says %q, cure %q", s.Verdict, s.Verdict.Cause(), s.Verdict.Cure())
		}
	}
	s := tenants.WakeHistoryOf(append(story("ss", "d", "2"), story("sss", "d", "1")...))
	if s.Silent != 2 || s.AppVersion != "2" {
		t.Errorf("a new version starts with the old one's streak: %+v", s)
	}
}

func TestOutcomes(t *testing.T) {
	t.Parallel()
	for letters, want := range map[rune]struct{ silent, unshown bool }{'s': {true, false}, 'u': {false, true}, 'r': {}, 'q': {}, 'p': {},
		'x': {}} {
		o := outcome(letters, "d", "1", time.Time{})
		if o.Silent() != want.silent || o.Unshown() != want.unshown {
			t.Errorf("%c: silent %t, unshown %t", letters, o.Silent(), o.Unshown())
		}
	}
	if running := (tenants.Outcome{Status: 200, Woke: true}); running.Silent() || running.Unshown() {
		t.Error("an attempt is judged while it runs")
	}
}

// The phone with the most failed rings in a row comes first, then the one that was rung last.
func TestWakeHistoriesAreSorted(t *testing.T) {
	t.Parallel()
	var all []tenants.Outcome
	for _, x := range [][2]string{{"fine", "r"}, {"late", "xuu"}, {"one", "s"}, {"four", "ssuu"}, {"early", "uu"}, {"three", "sss"},
		{"running", "p"}} {
		all = append(all, story(x[1], x[0], "1")...)
	}
	var got []string
	for _, h := range tenants.WakeHistories(all) {
		got = append(got, string(h.Device))
	}
	if strings.Join(got, " ") != "four three early late one fine" {
		t.Errorf("%q", got)
	}
}

// The version with the most failing phones comes first, then the one with the most phones, then the
// newest.
func TestVersionsAreSortedAndWarnOf(t *testing.T) {
	t.Parallel()
	h := func(app string, verdict tenants.Verdict, n int) (list []tenants.WakeHistory) {
		for range n {
			list = append(list, tenants.WakeHistory{AppVersion: app, Verdict: verdict})
		}
		return list
	}
	streaks := slices.Concat(h("both", tenants.Blocked, 2), h("both", tenants.Unshown, 2), h("both", tenants.Fine, 1), h("blocked",
		tenants.Blocked, 3),
		h("blocked", tenants.Fine, 12), h("", tenants.Unshown, 3), h("", tenants.Fine, 12), h("most", tenants.Fine, 1), h("5.0",
			tenants.Fine, 1),
		h("4.0", tenants.Fine, 1), []tenants.WakeHistory{{AppVersion: "4.0", Verdict: tenants.Fine, Silent: 1, Unshown: 1}})
	list := tenants.WakeHealthByVersion(streaks, []tenants.Version{{App: "most", OS: "26.4", Devices: 9}, {App: "blocked",
		OS: "26.4", Devices: 8}})
	got, of := []string{}, map[string]tenants.WakeHealth{}
	for _, a := range list {
		got, of[a.AppVersion] = append(got, a.AppVersion), a
	}
	if strings.Join(got, " ") != "both blocked  most 5.0 4.0" {
		t.Errorf("in the order %q", got)
	}
	if v := of["most"].Verdict; v != tenants.Fine {
		t.Errorf("a version whose one phone shows its calls is %s", v)
	}
	if a := of["4.0"]; a.Shown != 1 || a.Devices != 2 {
		t.Errorf("one phone of two showed its latest ring: %+v", a)
	}
	if v, cause, _ := of["both"].Describe(); v != tenants.Fine || !strings.Contains(cause, "most phones") {
		t.Errorf("two blocked and two that show nothing: %s, %s", v, cause)
	}
	for app, want := range map[string]string{
		"blocked": "3 of 15 phones with version blocked of the app stay silent when Apple takes a push. Open the app",
		"":        "3 of 15 phones with an app that does not report its version wake and do not report the call to CallKit. Call reportNew",
	} {
		if got := of[app].Warning(); !strings.HasPrefix(got, want) {
			t.Errorf("%q: %s", app, got)
		}
	}
}

func TestAnAppVersionIsJudgedBySeveralPhones(t *testing.T) {
	t.Parallel()
	var all []tenants.Outcome
	phones := func(n int, letters, app string) {
		for i := range n {
			all = append(all, story(letters, fmt.Sprint(app, letters, i), app)...)
		}
	}
	phones(3, "sss", "3.0")
	phones(9, "r", "3.0")
	phones(2, "sss", "2.0") // two phones are off
	phones(3, "uu", "4.0")
	phones(3, "sss", "5.0")
	phones(13, "r", "5.0") // three of sixteen
	streaks := tenants.WakeHistories(all)
	if streaks[0].Verdict == tenants.Fine {
		t.Error("the worst does not come first")
	}
	got := map[string]tenants.WakeHealth{}
	for _, a := range tenants.WakeHealthByVersion(streaks, []tenants.Version{{"3.0", "26.4", 5}, {"3.0", "26.3.9", 3}, {"3.0", "27.0", 2},
		{"9.0", "18.7", 1}}) {
		got[a.AppVersion] = a
	}
	for app, want := range map[string]tenants.Verdict{"3.0": tenants.Blocked, "2.0": tenants.Fine, "4.0": tenants.Unshown,
		"5.0": tenants.Fine, "9.0": tenants.Untested} {
		if got[app].Verdict != want {
			t.Errorf("app %s: %+v, want %s", app, got[app], want)
		}
	}
	for app, want := range map[string]struct {
		verdict tenants.Verdict
		words   string
	}{
		"2.0": {tenants.Untested, "had no result"}, "3.0": {tenants.Blocked, "probably blocked"}, "5.0": {tenants.Fine, "most phones"},
		"9.0": {tenants.Untested, "yet"}, "6.0": {tenants.Fine, "reports its calls."},
	} {
		a := got[app]
		if app == "6.0" {
			a = tenants.WakeHealth{Devices: 1, Shown: 1, Verdict: tenants.Fine}
		}
		if v, cause, _ := a.Describe(); v != want.verdict || !strings.Contains(cause, want.words) {
			t.Errorf("of app %s is said: %s, %s", app, v, cause)
		}
	}
	if a := got["3.0"]; a.Registered != 10 || a.Delegate != 7 || a.Devices != 12 || a.Blocked != 3 {
		t.Errorf("%+v", a)
	}
}

func TestVersionAtLeast(t *testing.T) {
	t.Parallel()
	for version, want := range map[string]bool{"26.4": true, "26.4.1": true, "27": true, "26.10": true, "26": false, "26.3.9": false,
		"18.7": false, "": false, "beta": false} {
		if tenants.VersionAtLeast(version, "26.4") != want {
			t.Errorf("%q at least 26.4: %v", version, !want)
		}
	}
}

func TestManyTokensRefusedNeedsTenAndAFifth(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		refused, pushed int
		want            bool
	}{{9, 9, false}, {10, 10, true}, {10, 49, true}, {10, 50, false}, {201, 1000, true}, {200, 1000, false}} {
		if tenants.ManyTokensRefused(c.refused, c.pushed) != c.want {
			t.Errorf("%d of %d: %v", c.refused, c.pushed, !c.want)
		}
	}
}

func TestExpiry(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	day := 24 * time.Hour
	for left, want := range map[time.Duration]int{
		61 * day: -1, 60 * day: 60, 31 * day: 60, 30 * day: 30, 15 * day: 30, 14 * day: 14,
		7 * day: 7, 2 * day: 7, day: 1, time.Hour: 1, 0: 0, -day: 0,
	} {
		days, ok := tenants.ExpiryStep(now.Add(left), now)
		if ok != (want >= 0) || ok && days != want {
			t.Errorf("%v before the end: %d %v, want %d", left, days, ok, want)
		}
	}
	if _, ok := tenants.ExpiryStep(time.Time{}, now); ok {
		t.Error("a key without an end has one")
	}
	c := tenants.Credential{ID: "c", Bundle: "a.b", Environment: tenants.Auto, State: tenants.CredentialActive,
		NotAfter: now.Add(30 * day)}
	reach := map[tenants.Environment]int{tenants.Production: 10, tenants.Sandbox: 3}
	other := func(env tenants.Environment, s tenants.CredentialState, bundle string, notAfter time.Time) tenants.Credential {
		return tenants.Credential{ID: "o", Bundle: bundle, Environment: env, State: s, NotAfter: notAfter}
	}
	for name, x := range map[string]struct {
		all  []tenants.Credential
		want int
	}{
		"alone":                 {[]tenants.Credential{c}, 13},
		"a key for both":        {[]tenants.Credential{c, other(tenants.Auto, tenants.CredentialActive, "a.b", time.Time{})}, 0},
		"a key for one":         {[]tenants.Credential{c, other(tenants.Production, tenants.CredentialActive, "a.b", time.Time{})}, 3},
		"another app's":         {[]tenants.Credential{c, other(tenants.Auto, tenants.CredentialActive, "a.c", time.Time{})}, 13},
		"one that is refused":   {[]tenants.Credential{c, other(tenants.Auto, tenants.CredentialDisabled, "a.b", time.Time{})}, 13},
		"one that ends earlier": {[]tenants.Credential{c, other(tenants.Auto, tenants.CredentialActive, "a.b", now.Add(day))}, 13},
		"one that ends later":   {[]tenants.Credential{c, other(tenants.Auto, tenants.CredentialActive, "a.b", now.Add(99*day))}, 0},
	} {
		if got := tenants.DevicesLeftSilent(c, x.all, reach); got != x.want {
			t.Errorf("%s: %d devices go silent, want %d", name, got, x.want)
		}
	}
	both := map[tenants.Environment]int{tenants.Production: 10, tenants.Sandbox: 3, tenants.Auto: 1}
	c.Environment = tenants.Production
	if got := tenants.DevicesLeftSilent(c, nil, both); got != 11 { // what Auto is, it is tried in both
		t.Errorf("of a credential for production: %d devices go silent", got)
	}
	for _, x := range []struct{ credential, device, learnt, want tenants.Environment }{
		{tenants.Production, tenants.Auto, "", tenants.Production}, {tenants.Auto, tenants.Auto, "", tenants.Auto},
		{tenants.Production, tenants.Sandbox, "", tenants.Sandbox}, {tenants.Production, tenants.Auto, tenants.Sandbox, tenants.Sandbox},
	} {
		c := tenants.Credential{Environment: x.credential}
		if got := c.Host(tenants.Device{Environment: x.device, Learnt: x.learnt}); got != x.want {
			t.Errorf("%+v: pushed to %s first", x, got)
		}
	}
	for days, want := range map[int]string{0: "expired on 2026-03-31", 1: "expires within a day, on 2026-03-31",
		7: "expires within 7 days, on 2026-03-31"} {
		if got := tenants.ExpiryWarning(c, days, 2); !strings.Contains(got, want) || !strings.Contains(got, "2 devices go silent") {
			t.Errorf("%d days: %s", days, got)
		}
	}
	said := []string{}
	for _, days := range append([]int{0}, tenants.ExpirySteps...) {
		for _, n := range []int{0, 1, 120} {
			said = append(said, tenants.ExpiryWarning(c, days, n))
		}
	}
	slices.Sort(said)
	if n := len(slices.Compact(said)); n != 18 {
		t.Errorf("%d different warnings of 18: %q", n, said)
	}
	for _, k := range tenants.AlertKinds {
		if k.Title() == "" {
			t.Errorf("%s has no title", k)
		}
	}
}
