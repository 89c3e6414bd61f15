package tenants

import (
	"strings"
	"testing"
	"time"
)

func TestSubscriptionKinds(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		s                 Subscription
		byHand, live, odd bool
	}{
		"given by the operator": {s: Subscription{State: SubActive}, byHand: true},
		"a trial of ours":       {s: Subscription{State: SubTrialing}},
		"at Stripe":             {s: Subscription{State: SubActive, Stripe: "sub", Quantity: 1}, live: true},
		"two of it":             {s: Subscription{State: SubActive, Stripe: "sub", Quantity: 2}, live: true, odd: true},
		"none of it":            {s: Subscription{State: SubPastDue, Stripe: "sub"}, live: true, odd: true},
		"trial at Stripe":       {s: Subscription{State: SubTrialing, Stripe: "sub", Quantity: 1}, live: true},
		"cancelled, two of it":  {s: Subscription{State: SubCancelled, Stripe: "sub", Quantity: 2}},
		"incomplete":            {s: Subscription{State: SubIncomplete, Stripe: "sub", Quantity: 2}},
	} {
		if c.s.ByHand() != c.byHand || c.s.Live() != c.live || c.s.OddQuantity() != c.odd {
			t.Errorf("%s: by hand %t, live %t, odd quantity %t", name, c.s.ByHand(), c.s.Live(), c.s.OddQuantity())
		}
	}
}

// A trial whose card had one before ends a day later. A trial that ends within a day anyway, one
// that was cut already and one that is over stay as they are.
func TestCutTrial(t *testing.T) {
	t.Parallel()
	day := 24 * time.Hour
	trial := BuiltinPlans().Trial("t", "starter", noon)
	trial.CancelAtEnd = true
	s := trial
	s.CutTrial(noon.Add(3 * day))
	end := noon.Add(4 * day)
	if s.State != SubCancelled || !s.TrialCut.Equal(end) || !s.TrialEnd.Equal(end) || !s.PeriodEnd.Equal(end) || s.CancelAtEnd ||
		!s.WasCut() {
		t.Errorf("a trial that was cut: %+v", s)
	}
	e := Entitle(&s, starter(t), Usage{}, noon.Add(3*day))
	w := e.Warnings()
	if e.Standing != StandingEnding || e.Ring(false) != nil || len(w) != 1 || w[0].Code != "trial_card" || w[0].Hard ||
		!strings.Contains(w[0].Text, "ends on 5 March 2026 at 12:00 UTC") {
		t.Errorf("the day before its end: %s %v %+v", e.Standing, e.Ring(false), w)
	}
	if over := Entitle(&s, starter(t), Usage{}, end); code(t, over.Ring(false)) != "trial_card" || over.Refusal() == nil {
		t.Errorf("after its end: %v", over.Refusal())
	}
	if text := s.CutNotice(); !strings.Contains(text, "5 March 2026 at 12:00 UTC") {
		t.Errorf("the mail does not say when: %s", text)
	}
	for name, c := range map[string]struct {
		change func(*Subscription)
		after  time.Duration
	}{
		"ends within a day": {func(*Subscription) {}, 13 * day},
		"is not a trial":    {func(s *Subscription) { s.State = SubActive }, 0},
		"was cut before":    {func(s *Subscription) { s.TrialCut = noon }, 0},
	} {
		s := trial
		c.change(&s)
		before := s
		if s.CutTrial(noon.Add(c.after)); s != before {
			t.Errorf("one that %s is cut: %+v", name, s)
		}
	}
	s = trial
	if s.CutTrial(noon.Add(13*day - 1)); !s.WasCut() {
		t.Error("one that ends a moment after a day is not cut")
	}
	s.Stripe, s.PeriodEnd = "sub", end.AddDate(0, 1, 0)
	if s.WasCut() {
		t.Error("what was bought after the cut counts as the trial")
	}
	if (Subscription{State: SubCancelled}).WasCut() || (Subscription{State: SubActive, TrialCut: end, PeriodEnd: end}).WasCut() {
		t.Error("a subscription counts as a trial that was cut")
	}
}

func TestMonthOfUsageInOtherZones(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	hawaii := time.FixedZone("Hawaii", -10*3600)
	from, to := Subscription{State: SubActive, PeriodStart: first}.Month(time.Date(2026, 1, 31, 20, 0, 0, 0, hawaii))
	if want := first.AddDate(0, 1, 0); !from.Equal(want) || !to.Equal(first.AddDate(0, 2, 0)) {
		t.Errorf("1 February in UTC, 31 January in Hawaii: [%v, %v)", from, to)
	}
	// A trial became a subscription, and Stripe's message about it has not arrived yet.
	paid := Subscription{State: SubActive, Interval: Monthly, PeriodStart: first, PeriodEnd: first.AddDate(0, 0, 14)}
	if from, to := paid.Month(first.AddDate(0, 0, 19)); !from.Equal(paid.PeriodEnd) || !to.Equal(paid.PeriodEnd.AddDate(0, 1, 0)) {
		t.Errorf("after a period of 14 days: [%v, %v)", from, to)
	}
	// The months of a year begin on the day on which the year began, also in the year after.
	leap := time.Date(2024, 2, 29, 0, 0, 0, 0, time.UTC)
	year := Subscription{State: SubActive, Interval: Yearly, PeriodStart: leap, PeriodEnd: time.Date(2025, 2, 28, 0, 0, 0, 0, time.UTC)}
	if from, to := year.Month(time.Date(2025, 3, 28, 12, 0, 0, 0, time.UTC)); from.Day() != 28 || from.Month() != 2 || to.Day() != 29 {
		t.Errorf("a year from 29 February: [%v, %v)", from, to)
	}
	// A free day at the end makes a period no month: 31 days and the hour of summer time are one.
	long := Subscription{State: SubActive, Interval: Monthly, PeriodStart: first, PeriodEnd: first.AddDate(0, 0, 32)}
	if _, to := long.Month(first.AddDate(0, 0, 3)); !to.Equal(first.AddDate(0, 1, 0)) {
		t.Errorf("a period of 32 days: until %v", to)
	}
}
