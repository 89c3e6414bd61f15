package tenants

import (
	"strings"
	"testing"
	"time"
)

func rate(above bool, threshold float64) AlertRule {
	return AlertRule{Name: "Rate", Metric: "answer_rate", Above: above, Threshold: threshold, Window: time.Hour, Least: 10,
		Quiet:  time.Hour,
		Active: true}
}

// TestRuleJudges: a rule fires past its threshold, closes a tenth behind it, stays quiet between
// two alerts, and says nothing of too few.
func TestRuleJudges(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	of := func(n, of int64) RuleFigure { return rate(false, 1).Figure([]RuleSample{{N: n, Of: of}}) }
	firing := RuleState{Firing: true, FiredAt: now.Add(-time.Minute)}
	for name, c := range map[string]struct {
		rule  AlertRule
		state RuleState
		f     RuleFigure
		want  bool
	}{
		"below":                         {rate(false, 40), RuleState{}, of(39, 100), true},
		"at the threshold":              {rate(false, 40), RuleState{}, of(40, 100), false},
		"above":                         {rate(true, 40), RuleState{}, of(41, 100), true},
		"too few":                       {rate(false, 40), RuleState{}, of(0, 9), false},
		"nothing":                       {rate(false, 40), RuleState{}, of(0, 0), false},
		"quiet":                         {rate(false, 40), RuleState{FiredAt: now.Add(-59 * time.Minute)}, of(0, 100), false},
		"quiet no more":                 {rate(false, 40), RuleState{FiredAt: now.Add(-time.Hour)}, of(0, 100), true},
		"open, back but near":           {rate(false, 40), firing, of(43, 100), true},
		"open, back":                    {rate(false, 40), firing, of(44, 100), false},
		"open above, near":              {rate(true, 10), firing, of(95, 1000), true},
		"open above, back":              {rate(true, 10), firing, of(9, 100), false},
		"open near 100 %":               {rate(false, 99), firing, of(100, 100), false},
		"open, fewer than needed":       {rate(false, 40), firing, of(0, 6), true},
		"open, less than half of needs": {rate(false, 40), firing, of(0, 5), false},
	} {
		c.rule.RuleState = c.state
		if got := c.rule.Judge(c.f, now); got.Firing != c.want || got.Firing && !c.state.Firing && !got.FiredAt.Equal(now) {
			t.Errorf("%s: %+v", name, got)
		}
	}
	count := AlertRule{Metric: "rings", Threshold: 1, Window: 4 * time.Hour}
	if !count.Judge(count.Figure(nil), now).Firing {
		t.Error("no ring at all is below 1")
	}
	slow := AlertRule{Metric: "step_p95", Detail: "woke", Above: true, Threshold: 4000, Window: time.Hour, Least: 3}
	f := slow.Figure([]RuleSample{{Buckets: map[int]int64{Bucket(time.Second): 1, Bucket(9 * time.Second): 9}}})
	if f.Of != 10 || f.Value < 8000 || f.Value > 10000 || !slow.Judge(f, now).Firing {
		t.Errorf("%+v", f)
	}
}

// TestRuleReplays: a rule would have fired when its figure passed the threshold in a window.
func TestRuleReplays(t *testing.T) {
	t.Parallel()
	r := rate(false, 50)
	r.Quiet = 0
	at := time.Date(2026, 11, 20, 8, 0, 0, 0, time.UTC)
	var samples []RuleSample
	for i := range 96 { // a good hour, two bad ones, five good ones
		x := RuleSample{At: at.Add(time.Duration(i) * 5 * time.Minute), N: 4, Of: 4}
		if i >= 12 && i < 36 {
			x.N = 0
		}
		samples = append(samples, x)
	}
	got := r.Replay(samples, at, at.Add(8*time.Hour))
	if len(got) != 1 {
		t.Fatalf("%+v", got)
	}
	// The window is an hour and the slot under way: 13 slots, of which seven bad ones fire, and
	// eight good ones close.
	from, until := at.Add(time.Hour+35*time.Minute), at.Add(3*time.Hour+40*time.Minute)
	if !got[0].From.Equal(from) || !got[0].Until.Equal(until) {
		t.Errorf("%v to %v", got[0].From, got[0].Until)
	}
	live := r.Figure(samples[13:26])
	if begin, end := r.Span(samples[25].At); !begin.Equal(samples[13].At) || !end.Equal(samples[25].At.Add(5*time.Minute)) {
		t.Errorf("%v to %v", begin, end)
	}
	if live.Of != 52 {
		t.Errorf("%+v", live)
	}
}

func TestRuleChecks(t *testing.T) {
	t.Parallel()
	good := rate(false, 40)
	for want, change := range map[string]func(*AlertRule){
		"":          func(*AlertRule) {},
		"name":      func(r *AlertRule) { r.Name = " " },
		"metric":    func(r *AlertRule) { r.Metric = "profit" },
		"threshold": func(r *AlertRule) { r.Threshold = 101 },
		"window":    func(r *AlertRule) { r.Window = time.Minute },
		"quiet":     func(r *AlertRule) { r.Quiet = time.Minute },
		"least":     func(r *AlertRule) { r.Least = -1 },
		"detail":    func(r *AlertRule) { r.Metric, r.Detail, r.Threshold = "step_p95", "slept", 4000 },
		"cut":       func(r *AlertRule) { r.Cut = Cut{By: "colour"} },
	} {
		r := good
		change(&r)
		if got := wrong(t, r.Clean().Check()); got != want && !(want == "cut" && strings.HasPrefix(got, "cut")) {
			t.Errorf("%q is wrong, not %q", got, want)
		}
	}
	keyed := AlertRule{Name: "x", Metric: "step_p95", Detail: "woke", Above: true, Threshold: 1, Window: time.Hour, Cut: Cut{By: SplitKey}}
	if wrong(t, keyed.Check()) != "cut" {
		t.Error("times are not counted by key")
	}
}

// TestIndustriesRules: each industry's file makes rules that pass their own check.
func TestIndustriesRules(t *testing.T) {
	t.Parallel()
	n := 0
	for _, f := range BuiltinIndustries().List() {
		for _, r := range f.NewAlertRules(Tenant{ID: "t"}, time.Now()) {
			if err := r.Check(); err != nil {
				t.Errorf("%s: %v", f.Slug, err)
			}
			n++
		}
	}
	if n < 12 {
		t.Errorf("%d rules", n)
	}
}

// TestOneIsNotMany: every figure has a word for one of what it is counted of.
func TestOneIsNotMany(t *testing.T) {
	t.Parallel()
	for _, m := range AlertMetrics {
		if m.Counts != "" && (m.Counted(2) != m.Counts || m.Counted(1) == m.Counts || m.Counted(0) != m.Counts) {
			t.Errorf("%s: 1 %s, 2 %s", m.Name, m.Counted(1), m.Counted(2))
		}
	}
	if got := (AlertMetric{Counts: "rings that ended"}).Counted(1); got != "ring that ended" {
		t.Error(got)
	}
}
