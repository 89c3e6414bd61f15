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
	phones(17, "r", "5.0") // three of twenty
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
	c := tenants.Credential{ID: "c", Bundle: "a.b", Environment: tenants.Auto, State: tenants.CredentialActive, NotAfter: now.Add(30 * day)}
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
