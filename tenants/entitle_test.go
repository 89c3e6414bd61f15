package tenants

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func starter(t *testing.T) Plan {
	t.Helper()
	p, ok := BuiltinPlans().Plan("starter")
	if !ok {
		t.Fatal("no plan starter")
	}
	return p
}

func TestBuiltinPlans(t *testing.T) {
	t.Parallel()
	p := BuiltinPlans()
	if p.TrialDays != 14 || p.GraceDays != 7 || p.Affiliate.Percent != 22 || p.Affiliate.Months != 12 || len(p.PublicMails) < 10 {
		t.Errorf("%+v", p)
	}
	want := map[string][8]int64{ // month, year, devices, rings, calls, people, retention, overage
		"starter": {14900, 149000, 100, 5000, 5, 3, 7, 3000},
		"growth":  {49900, 499000, 1000, 50000, 25, 15, 30, 1200},
		"scale":   {149900, 1499000, 10000, 500000, 150, 0, 365, 400},
	}
	for code, w := range want {
		x, ok := p.Plan(code)
		got := [8]int64{x.Cents(Monthly), x.Cents(Yearly), x.Devices, x.Rings, x.Calls, x.People, x.Retention, x.Overage}
		if !ok || got != w || x.Grace != 7*24*time.Hour {
			t.Errorf("%s: %v %v", code, got, x.Grace)
		}
		if x.YearCents != 10*x.MonthCents {
			t.Errorf("%s: a year is %d, not ten months", code, x.YearCents)
		}
	}
	if _, ok := p.Plan("gold"); ok {
		t.Error("an unknown plan is found")
	}
}

func TestPlansFileNamesEveryFault(t *testing.T) {
	t.Parallel()
	_, err := ParsePlans([]byte(`{"currency":"USD","trial_days":-1,"plans":[
		{"code":"A b","name":""},{"code":"ok","name":"Ok","rings":-1},{"code":"ok","name":"Ok"}]}`))
	for _, want := range []string{"currency", "trial_days", `"A b"`, "name", "below 0", "twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
	for _, bad := range []string{"", "{}", `{"pans":[]}`, string(plansFile) + "{}"} {
		if _, err := ParsePlans([]byte(bad)); err == nil {
			t.Errorf("%.20q passes", bad)
		}
	}
}

// asked is what the table looks at.
type asked struct{ ring, test, device, person string } // codes of refusals, "" = yes

func TestEntitle(t *testing.T) {
	t.Parallel()
	const d = 24 * time.Hour
	trial := BuiltinPlans().Trial("t", "starter", noon)
	paid := Subscription{Plan: "starter", State: SubActive, Interval: Monthly, Stripe: "sub_1", PeriodStart: noon,
		PeriodEnd: noon.AddDate(0, 1, 0)}
	with := func(s Subscription, change func(*Subscription)) Subscription { change(&s); return s }
	all := func(code string) asked { return asked{code, code, code, code} }
	for name, c := range map[string]struct {
		s    Subscription
		u    Usage
		at   time.Duration
		want Standing
		asked
		warns string
	}{
		"trial":               {s: trial, at: 13 * d, want: StandingTrial},
		"trial's last moment": {s: trial, at: 14*d - 1, want: StandingTrial},
		"trial over":          {s: trial, at: 14 * d, want: StandingOver, asked: all("trial_ended"), warns: "trial_ended"},
		"trial has limits": {s: trial, u: Usage{Rings: 5000, Devices: 100, People: 3}, want: StandingTrial,
			asked: asked{"ring_quota", "", "device_quota", "people_quota"}, warns: "rings_100 devices_100 people_100"},
		"trial at Stripe": {s: with(trial, func(s *Subscription) { s.Stripe = "sub" }), at: 14*d + time.Hour, want: StandingPaid},
		"trial at Stripe, silence": {s: with(trial, func(s *Subscription) { s.Stripe = "sub" }), at: 18 * d, want: StandingOver,
			asked: all("trial_ended"), warns: "trial_ended"},
		"trial, paying fails": {s: with(trial, func(s *Subscription) { s.State = SubIncomplete }), at: d, want: StandingTrial},
		"trial, cancelled":    {s: with(trial, func(s *Subscription) { s.CancelAtEnd = true }), at: d, want: StandingEnding},
		"incomplete": {s: with(paid, func(s *Subscription) { s.State = SubIncomplete }), want: StandingOver,
			asked: all("payment_incomplete"), warns: "payment_incomplete"},
		"paused": {s: with(paid, func(s *Subscription) { s.State = SubPaused }), want: StandingOver,
			asked: all("trial_ended"), warns: "trial_ended"},
		"paid":                   {s: paid, at: d, want: StandingPaid},
		"paid, renewal not told": {s: paid, at: 32 * d, want: StandingPaid},
		"paid, long silence": {s: paid, at: 35 * d, want: StandingOver, asked: all("subscription_unconfirmed"),
			warns: "subscription_unconfirmed"},
		"below 80": {s: paid, u: Usage{Rings: 3999, Devices: 79}, want: StandingPaid},
		"80":       {s: paid, u: Usage{Rings: 4000, Devices: 80}, want: StandingPaid, warns: "rings_80 devices_80"},
		"100":      {s: paid, u: Usage{Rings: 5000}, want: StandingPaid, asked: asked{ring: "ring_quota"}, warns: "rings_100"},
		"100 and overage": {s: with(paid, func(s *Subscription) { s.Overage = true }), u: Usage{Rings: 9000}, want: StandingPaid,
			warns: "rings_100"},
		"overage in a trial": {s: with(trial, func(s *Subscription) { s.Overage, s.Stripe = true, "sub" }), u: Usage{Rings: 5000},
			want: StandingTrial, asked: asked{ring: "ring_quota"}, warns: "rings_100"},
		"overage given by hand": {s: with(paid, func(s *Subscription) { s.Overage, s.Stripe = true, "" }), u: Usage{Rings: 5000},
			want: StandingPaid, asked: asked{ring: "ring_quota"}, warns: "rings_100"},
		"calls": {s: paid, u: Usage{Calls: 5}, want: StandingPaid, asked: asked{ring: "calls_at_once"}},
		"grace": {s: with(paid, func(s *Subscription) { s.State, s.PastDueSince = SubPastDue, noon }), at: 7*d - 1,
			want: StandingGrace, asked: asked{device: "payment_failed", person: "payment_failed"}, warns: "payment_failed"},
		"grace over": {s: with(paid, func(s *Subscription) { s.State, s.PastDueSince = SubPastDue, noon }), at: 7 * d,
			want: StandingOver, asked: all("payment_failed"), warns: "payment_failed"},
		"cancelled": {s: with(paid, func(s *Subscription) { s.CancelAtEnd = true }), at: 27 * d, want: StandingEnding},
		"cancelled, over": {s: with(paid, func(s *Subscription) { s.CancelAtEnd = true }), at: 31 * d, want: StandingOver,
			asked: all("subscription_ended"), warns: "subscription_ended"},
		"deleted, paid until the end": {s: with(paid, func(s *Subscription) { s.State = SubCancelled }), at: 27 * d,
			want: StandingEnding},
		"deleted, over": {s: with(paid, func(s *Subscription) { s.State = SubCancelled }), at: 31 * d, want: StandingOver,
			asked: all("subscription_ended"), warns: "subscription_ended"},
		"given for ever": {s: BuiltinPlans().Assigned("t", "starter", noon, time.Time{}), at: 9000 * d, want: StandingPaid},
		"given until": {s: BuiltinPlans().Assigned("t", "starter", noon, noon.Add(d)), at: d, want: StandingOver,
			asked: all("subscription_ended"), warns: "subscription_ended"},
		"nobody knows": {s: with(paid, func(s *Subscription) { s.State = "odd" }), want: StandingOver,
			asked: all("subscription_unknown"), warns: "subscription_unknown"},
	} {
		e := Entitle(&c.s, starter(t), c.u, noon.Add(c.at))
		got := asked{code(t, e.Ring(false)), code(t, e.Ring(true)), code(t, e.Device()), code(t, e.Person())}
		if e.Standing != c.want || got != c.asked {
			t.Errorf("%s: %s %+v, want %s %+v", name, e.Standing, got, c.want, c.asked)
		}
		var warns []string
		for _, w := range e.Warnings() {
			warns = append(warns, w.Code)
		}
		if got := strings.Join(warns, " "); got != c.warns {
			t.Errorf("%s: warns of %q, want %q", name, got, c.warns)
		}
	}
	if e := Entitle(nil, Plan{Rings: 1, Devices: 1}, Usage{Rings: 9, Devices: 9, People: 9, Calls: 9}, noon); e.Ring(false) != nil ||
		e.Device() != nil || e.Person() != nil || e.Warnings() != nil {
		t.Error("without a subscription something is refused")
	}
}

// code is that of a refusal; calls at once are TooMany, everything else is Unpaid, and each says
// what to do.
func code(t *testing.T, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("%v is no refusal", err)
	}
	kind := Unpaid
	if e.Code == "calls_at_once" {
		kind = TooMany
	}
	if e.Kind != kind || kind == TooMany && e.RetryAfter == 0 {
		t.Errorf("%s: kind %d, retry after %v", e.Code, e.Kind, e.RetryAfter)
	}
	if !strings.Contains(e.Msg, "Billing") && e.Code != "subscription_unknown" {
		t.Errorf("%s has no cure: %s", e.Code, e.Msg)
	}
	return e.Code
}

func TestTrialDaysAreDaysAcrossSummerTime(t *testing.T) {
	t.Parallel()
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	start := time.Date(2026, 3, 20, 18, 0, 0, 0, berlin) // summer time begins on the 29th
	s := BuiltinPlans().Trial("t", "starter", start)
	if got := s.TrialEnd.Sub(start); got != 14*24*time.Hour {
		t.Errorf("a trial of %v", got)
	}
	for after, want := range map[time.Duration]int{0: 14, time.Second: 14, 24 * time.Hour: 13, 14*24*time.Hour - 1: 1,
		14 * 24 * time.Hour: 0} {
		if got := Entitle(&s, starter(t), Usage{}, start.Add(after)).TrialDays(); got != want {
			t.Errorf("after %v: %d days left, want %d", after, got, want)
		}
	}
}

func TestMonthsOfUsage(t *testing.T) {
	t.Parallel()
	at := func(s string) time.Time {
		x, err := time.Parse("2006-01-02", s)
		if err != nil {
			t.Fatal(err)
		}
		return x
	}
	for name, c := range map[string]struct {
		s        Subscription
		at       string
		from, to string
	}{
		"a month": {Subscription{PeriodStart: at("2026-02-28"), PeriodEnd: at("2026-03-31")}, "2026-03-30", "2026-02-28",
			"2026-03-31"},
		"renewed, not told": {Subscription{State: SubActive, PeriodStart: at("2026-02-10"), PeriodEnd: at("2026-03-10")}, "2026-03-12",
			"2026-03-10", "2026-04-10"},
		"before it": {Subscription{PeriodStart: at("2026-02-10"), PeriodEnd: at("2026-03-10")}, "2026-02-09", "2026-01-10",
			"2026-02-10"},
		"a year": {Subscription{Interval: Yearly, PeriodStart: at("2026-01-31"), PeriodEnd: at("2027-01-31")}, "2026-02-28",
			"2026-02-28", "2026-03-31"},
		"a year's first": {Subscription{Interval: Yearly, PeriodStart: at("2026-01-31"), PeriodEnd: at("2027-01-31")}, "2026-02-27",
			"2026-01-31", "2026-02-28"},
		"given, without an end": {Subscription{State: SubActive, PeriodStart: at("2024-01-15")}, "2026-11-14", "2026-10-15",
			"2026-11-15"},
		"given, with a far end": {Subscription{State: SubActive, PeriodStart: at("2026-01-15"), PeriodEnd: at("2027-06-01")},
			"2026-11-20",
			"2026-11-15", "2026-12-15"},
		"a trial that has run out": {Subscription{State: SubTrialing, PeriodStart: at("2026-01-01"), PeriodEnd: at("2026-01-15")},
			"2026-01-20", "2026-01-01", "2026-02-01"},
	} {
		from, to := c.s.Month(at(c.at))
		if !from.Equal(at(c.from)) || !to.Equal(at(c.to)) {
			t.Errorf("%s: [%s, %s)", name, from.Format(time.DateOnly), to.Format(time.DateOnly))
		}
	}
	s := Subscription{Interval: Yearly, PeriodStart: time.Date(2024, 2, 29, 23, 59, 59, 5, time.UTC)}
	last := time.Time{}
	for d := range 3000 {
		x := s.PeriodStart.Add(time.Duration(d) * 17 * time.Hour)
		from, to := s.Month(x)
		if x.Before(from) || !x.Before(to) || !last.IsZero() && from.After(last) {
			t.Fatalf("%v is not in [%v, %v), or a gap before it at %v", x, from, to, last)
		}
		last = to
	}
}

func TestWarningsSayWhatToDo(t *testing.T) {
	t.Parallel()
	paid := Subscription{Plan: "starter", State: SubActive, Interval: Monthly, Stripe: "sub_1", PeriodStart: noon,
		PeriodEnd: noon.AddDate(0, 1, 0)}
	trial := BuiltinPlans().Trial("t", "starter", noon)
	sold := starter(t)
	unsold := sold
	unsold.Overage = 0
	const overage = "Allow overage"
	for name, c := range map[string]struct {
		s       Subscription
		p       Plan
		u       Usage
		hard    string // codes of what is refused already
		overage bool   // overage is offered
	}{
		"all rings":               {paid, sold, Usage{Rings: 5000}, "rings_100", true},
		"80 % of the rings":       {paid, sold, Usage{Rings: 4000}, "", true},
		"no overage is sold":      {paid, unsold, Usage{Rings: 5000}, "rings_100", false},
		"nobody pays in a trial":  {trial, sold, Usage{Rings: 5000}, "rings_100", false},
		"80 % of the devices":     {paid, sold, Usage{Devices: 80}, "", false},
		"all devices":             {paid, sold, Usage{Devices: 100}, "devices_100", false},
		"all people":              {paid, sold, Usage{People: 3}, "people_100", false},
		"no limits, much in use":  {paid, Plan{}, Usage{Rings: 1e6, Devices: 1e6, People: 1e6, Calls: 1e6}, "", false},
		"no limits, none in use":  {paid, Plan{}, Usage{}, "", false},
		"everything below 80 %":   {paid, sold, Usage{Rings: 3999, Devices: 79, People: 2}, "", false},
		"a payment failed":        {pastDue(paid), sold, Usage{}, "", false},
		"a payment failed before": {pastDue(paid), Plan{}, Usage{}, "payment_failed", false},
	} {
		e := Entitle(&c.s, c.p, c.u, noon.Add(time.Hour))
		var hard []string
		for _, w := range e.Warnings() {
			if w.Hard {
				hard = append(hard, w.Code)
			}
			if c.p == (Plan{}) && e.Refusal() == nil {
				t.Errorf("%s: warns of a limit that there is not: %s", name, w.Text)
			}
			if w.Text == "" || w.Cure == "" && e.Refusal() == nil {
				t.Errorf("%s: %s says %q and %q", name, w.Code, w.Text, w.Cure)
			}
			if strings.HasSuffix(w.Code, "0") && !strings.Contains(w.Text, " "+FormatCount(w.Most)+" ") {
				t.Errorf("%s: %s does not name its limit of %d: %q", name, w.Code, w.Most, w.Text)
			}
			if strings.Contains(w.Cure, overage) != c.overage {
				t.Errorf("%s: %s offers overage: %q", name, w.Code, w.Cure)
			}
		}
		if got := strings.Join(hard, " "); got != c.hard {
			t.Errorf("%s: %q is refused, want %q", name, got, c.hard)
		}
		if err := e.Ring(false); err != nil && strings.Contains(err.Error(), overage) != c.overage {
			t.Errorf("%s: the refusal offers overage: %v", name, err)
		}
		if (e.Refusal() == nil) != (e.Standing != StandingOver) {
			t.Errorf("%s: %s, and the refusal is %v", name, e.Standing, e.Refusal())
		}
	}
	paid.Overage = true
	if e := Entitle(&paid, unsold, Usage{Rings: 5000}, noon); e.Overage || e.Ring(false) == nil {
		t.Error("rings past the limit are allowed where none are sold")
	}
}

func pastDue(s Subscription) Subscription {
	s.State, s.PastDueSince = SubPastDue, noon
	return s
}

func TestFormatCount(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 12804: "12,804", 100000: "100,000",
		1234567: "1,234,567", -1: "-1", -999: "-999", -1000: "-1,000", -123456: "-123,456"} {
		if got := FormatCount(n); got != want {
			t.Errorf("%d is written %q, want %q", n, got, want)
		}
	}
}

// TestPlansFileBounds: a plans file may go to each bound and not past it.
func TestPlansFileBounds(t *testing.T) {
	t.Parallel()
	type file = map[string]any
	affiliate := func(name string, n int) func(file) {
		return func(f file) { f["affiliate"].(file)[name] = n }
	}
	plan := func(name string, v any) func(file) {
		return func(f file) { f["plans"].([]any)[0].(file)[name] = v }
	}
	top := func(name string, v any) func(file) { return func(f file) { f[name] = v } }
	for _, c := range []struct {
		name string
		to   func(file)
		want string // in the error; empty = it passes
	}{
		{"as it is", func(file) {}, ""},
		{"an unknown name", top("pans", 1), "form"},
		{"an unknown name in a plan", plan("prize_cents", 1), "form"},
		{"currency EUR", top("currency", "EUR"), "currency"},
		{"currency euro", top("currency", "euro"), "currency"},
		{"no trial", top("trial_days", 0), ""}, {"trial of 730", top("trial_days", 730), ""},
		{"trial of 731", top("trial_days", 731), "trial_days"}, {"trial of -1", top("trial_days", -1), "trial_days"},
		{"no grace", top("grace_days", 0), ""}, {"grace of 60", top("grace_days", 60), ""},
		{"grace of 61", top("grace_days", 61), "grace_days"}, {"grace of -1", top("grace_days", -1), "grace_days"},
		{"no plans", top("plans", []any{}), "at least one"},
		{"0 percent", affiliate("percent", 0), ""}, {"100 percent", affiliate("percent", 100), ""},
		{"101 percent", affiliate("percent", 101), "percent"}, {"-1 percent", affiliate("percent", -1), "percent"},
		{"no months", affiliate("months", 0), ""}, {"-1 months", affiliate("months", -1), "affiliate"},
		{"no cookie", affiliate("cookie_days", 0), ""}, {"-1 cookie days", affiliate("cookie_days", -1), "affiliate"},
		{"no hold", affiliate("hold_days", 0), ""}, {"-1 hold days", affiliate("hold_days", -1), "affiliate"},
		{"a code in capitals", plan("code", "Starter"), `"Starter": code`},
		{"another's code", plan("code", "growth"), "twice"},
		{"no name", plan("name", ""), "name"}, {"a name of 40", plan("name", letterX(40)), ""},
		{"a name of 41", plan("name", letterX(41)), "name"},
		{"free", plan("month_cents", 0), ""}, {"-1 cents", plan("month_cents", -1), "below 0"},
		{"-1 cents a year", plan("year_cents", -1), "below 0"}, {"-1 devices", plan("devices", -1), "below 0"},
		{"-1 rings", plan("rings", -1), "below 0"}, {"-1 calls", plan("calls", -1), "below 0"},
		{"-1 people", plan("people", -1), "below 0"}, {"-1 days", plan("retention_days", -1), "below 0"},
		{"-1 overage", plan("overage_cents", -1), "below 0"},
	} {
		f := file{}
		if err := json.Unmarshal(plansFile, &f); err != nil {
			t.Fatal(err)
		}
		c.to(f)
		text, err := json.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ParsePlans(text); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", c.name, err, c.want)
		}
	}
}
