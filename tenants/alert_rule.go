package tenants

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Unit is what a figure is counted in.
type Unit string

const (
	UnitPercent Unit = "percent"
	UnitCount   Unit = "count"
	UnitMillis  Unit = "ms"
)

// AlertMetric is a figure of analytics that a rule watches.
type AlertMetric struct {
	Name   string // "answer_rate"
	Title  string // "Answer rate"
	Counts string // for people: what it is counted of
	Unit   Unit
	Detail MetricDetail // what a rule must say beside

	part func(Counts) (n, of int64) // of ring counts; nil = counted elsewhere
}

// MetricDetail says what a rule about a metric must name.
type MetricDetail string

const (
	DetailNone   MetricDetail = ""
	DetailReason MetricDetail = "reason" // Apple's word or CallKit's code
	DetailStep   MetricDetail = "step"   // the name of a Hop
)

// AlertMetrics lists every metric, in the order of pages.
var AlertMetrics = []AlertMetric{
	{Name: "answer_rate", Title: "Answer rate", Counts: "rings that ended", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Answered, c.Over() }},
	{Name: "missed_rate", Title: "Missed rings", Counts: "rings that ended", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Missed, c.Over() }},
	{Name: "declined_rate", Title: "Declined rings", Counts: "rings that ended", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Declined, c.Over() }},
	{Name: "failed_rate", Title: "Failed rings", Counts: "rings that ended", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Failed, c.Over() }},
	{Name: "silent_rate", Title: "Answered calls without a sound", Counts: "answered rings", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Silent, c.Answered }},
	{Name: "refused_rate", Title: "Pushes that Apple refused", Counts: "pushes", Unit: UnitPercent,
		part: func(c Counts) (int64, int64) { return c.Refused, c.Accepted + c.Refused }},
	{Name: "shown_rate", Title: "Rings that a phone showed", Counts: "rings", Unit: UnitPercent},
	{Name: "reason_share", Title: "Phones that failed for a reason", Counts: "phones rung", Unit: UnitPercent, Detail: DetailReason},
	{Name: "step_p95", Title: "Time for a step, 95th percentile", Counts: "phones", Unit: UnitMillis, Detail: DetailStep},
	{Name: "rings", Title: "Number of rings", Unit: UnitCount, part: func(c Counts) (int64, int64) { return c.Rings, c.Rings }},
	{Name: "failed", Title: "Number of failed rings", Unit: UnitCount, part: func(c Counts) (int64, int64) { return c.Failed, c.Over() }},
	{Name: "refused", Title: "Number of refused pushes", Unit: UnitCount,
		part: func(c Counts) (int64, int64) { return c.Refused, c.Accepted + c.Refused }},
	{Name: "agent_failed", Title: "Number of calls without their agent", Unit: UnitCount,
		part: func(c Counts) (int64, int64) { return c.AgentFailed, c.Over() }},
}

// MetricNamed finds a metric.
func MetricNamed(name string) (AlertMetric, bool) {
	i := slices.IndexFunc(AlertMetrics, func(m AlertMetric) bool { return m.Name == name })
	if i < 0 {
		return AlertMetric{}, false
	}
	return AlertMetrics[i], true
}

// OfRings reports whether the metric is read from the counts of rings.
func (m AlertMetric) OfRings() bool { return m.part != nil }

// Part is the figure in counts of rings: n of so many.
func (m AlertMetric) Part(c Counts) (n, of int64) { return m.part(c) }

func metricNames() string {
	var all []string
	for _, m := range AlertMetrics {
		all = append(all, m.Name)
	}
	return strings.Join(all, ", ")
}

// AlertRule raises an alert when a figure of analytics passes a threshold.
type AlertRule struct {
	ID        AlertRuleID
	Tenant    TenantID
	Name      string
	Metric    string
	Detail    string // see MetricDetail
	Cut       Cut    // which rings; the zero Cut is all
	Above     bool   // fires above the threshold; else below it
	Threshold float64
	Window    time.Duration // one of RuleWindows
	Least     int64         // what must have been counted for a share or a time to mean anything
	Quiet     time.Duration // between two alerts; one of RuleQuiets
	Mail      bool          // owners and administrators get mail
	Targets   []AlertTargetID
	Active    bool
	CreatedAt time.Time
	RuleState
}

// RuleState is what a rule remembers between two looks.
type RuleState struct {
	Firing  bool
	FiredAt time.Time // zero = never
}

// RuleWindows are the spans of time that a rule can look back on, and RuleQuiets the pauses between
// two of its alerts.
var (
	RuleWindows = []time.Duration{15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 4 * time.Hour, 12 * time.Hour,
		24 * time.Hour, 7 * 24 * time.Hour}
	RuleQuiets = []time.Duration{0, time.Hour, 4 * time.Hour, 24 * time.Hour, 7 * 24 * time.Hour}
)

// ruleSlot is the length of the counts that short windows are made of.
const ruleSlot = 5 * time.Minute

// longestSlots is the longest window that is made of slots. Longer ones are made of hours.
const longestSlots = 4 * time.Hour

// Clean returns the rule in its stored form.
func (r AlertRule) Clean() AlertRule {
	r.Name, r.Detail = TrimLabel(r.Name), strings.TrimSpace(r.Detail)
	if m, ok := MetricNamed(r.Metric); ok && m.Detail == DetailNone {
		r.Detail = ""
	}
	if r.Cut.By == "" {
		r.Cut.Value = ""
	}
	slices.Sort(r.Targets)
	r.Targets = slices.Compact(r.Targets)
	return r
}

// Check refuses a rule whose fields break a rule, naming every wrong one.
func (r AlertRule) Check() error {
	var f faults
	f.add(ValidText(r.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	m, known := MetricNamed(r.Metric)
	f.add(known, "metric", "one of "+metricNames())
	most := 1e6
	if m.Unit == UnitPercent {
		most = 100
	}
	f.add(r.Threshold >= 0 && r.Threshold <= most, "threshold", fmt.Sprintf("a number from 0 to %s", FormatCount(int(most))))
	f.add(r.Threshold > 0 || r.Above, "threshold", "above 0: no figure is below 0")
	f.add(slices.Contains(RuleWindows, r.Window), "window", "one of the offered spans of time")
	f.add(slices.Contains(RuleQuiets, r.Quiet), "quiet", "one of the offered pauses")
	f.add(r.Least >= 0 && r.Least <= 1_000_000, "least", "a number from 0 to 1,000,000")
	f.add(r.Cut.By == "" || slices.Contains(Splits, r.Cut.By), "cut", "a property of rings, or none")
	f.add(len(r.Cut.Value) <= 200, "cut", "a value of at most 200 characters")
	f.add(!known || m.takes(r.Cut.By, r.Detail), "cut", "a property by which this figure is counted, or none")
	switch m.Detail {
	case DetailReason:
		f.add(ValidText(r.Detail, 1, 120), "detail", "a reason as the overview shows it, such as BadDeviceToken")
	case DetailStep:
		f.add(hopNamed(r.Detail).From != "", "detail", "a step of the funnel")
	}
	return f.err()
}

// takes reports whether the metric is counted by a split.
func (m AlertMetric) takes(by Split, detail string) bool {
	switch {
	case by == "" || m.OfRings():
		return true
	case m.Detail == DetailReason:
		return by == SplitAppVersion
	case m.Detail == DetailStep:
		fact := hopNamed(detail).Fact
		return by.Timed() && (fact == FactWoke || fact == FactAnswered)
	}
	return by != SplitKey
}

// hopNamed is the hop of a name; the zero Hop if there is none.
func hopNamed(name string) Hop {
	for _, h := range Hops {
		if h.Name == name {
			return h
		}
	}
	return Hop{}
}

// Hop is the step that a rule about times names.
func (r AlertRule) Hop() Hop { return hopNamed(r.Detail) }

// Step is how often the figure of a rule gets a new span of time.
func (r AlertRule) Step() time.Duration {
	m, _ := MetricNamed(r.Metric)
	if m.OfRings() && r.Window <= longestSlots {
		return ruleSlot
	}
	return time.Hour
}

// Span is what a rule looks at: the window, and what has passed of the step under way. Both ends
// are whole steps, so that the rule counts the same rows as the page of analytics.
func (r AlertRule) Span(now time.Time) (from, to time.Time) {
	step := r.Step()
	to = now.Truncate(step)
	return to.Add(-r.Window), to.Add(step)
}

// RuleSample is what was counted in one step.
type RuleSample struct {
	At      time.Time
	N, Of   int64
	Buckets map[int]int64 // of times
}

// RuleFigure is a figure of a rule: n of so many, or a time.
type RuleFigure struct {
	N, Of int64
	Value float64 // in the unit of the metric
}

// Known reports whether enough was counted for the figure to mean anything.
func (f RuleFigure) Known(r AlertRule) bool {
	m, _ := MetricNamed(r.Metric)
	return m.Unit == UnitCount || f.Of > 0 && f.Of >= r.Least
}

// ruleSum adds samples up, and takes them out again.
type ruleSum struct {
	n, of   int64
	buckets map[int]int64
}

func (s *ruleSum) add(x RuleSample, sign int64) {
	s.n, s.of = s.n+sign*x.N, s.of+sign*x.Of
	for b, n := range x.Buckets {
		s.buckets[b] += sign * n
		s.of += sign * n
	}
}

func (s *ruleSum) figure(r AlertRule) RuleFigure {
	m, _ := MetricNamed(r.Metric)
	f := RuleFigure{N: s.n, Of: s.of}
	switch m.Unit {
	case UnitCount:
		f.Value = float64(s.n)
	case UnitMillis:
		f.Value = float64(Percentile(s.buckets, 0.95).Microseconds()) / 1000
	default:
		if s.of > 0 {
			f.Value = 100 * float64(s.n) / float64(s.of)
		}
	}
	return f
}

// Figure adds the samples of a rule's span up.
func (r AlertRule) Figure(samples []RuleSample) RuleFigure {
	s := ruleSum{buckets: map[int]int64{}}
	for _, x := range samples {
		s.add(x, 1)
	}
	return s.figure(r)
}

// A figure that comes back must do so by a tenth of the threshold before its alert is closed, so
// that one that lies near the threshold does not open and close all day.
const ruleMargin = 0.1

// Judge says what a figure does to a rule: whether it fires from now on.
func (r AlertRule) Judge(f RuleFigure, now time.Time) RuleState {
	s := r.RuleState
	switch over := f.Value > r.Threshold; {
	case !s.Firing && f.Known(r) && (r.Above && over || !r.Above && f.Value < r.Threshold):
		if s.FiredAt.IsZero() || now.Sub(s.FiredAt) >= r.Quiet {
			s.Firing, s.FiredAt = true, now
		}
	case !s.Firing:
	case !f.Known(r):
		s.Firing = 2*f.Of > r.Least // half of what is needed is too little to keep the alert open
	case r.Above:
		s.Firing = f.Value > r.Threshold*(1-ruleMargin)
	default:
		s.Firing = f.Value < min(r.Threshold*(1+ruleMargin), r.top())
	}
	return s
}

// top is the highest value that the figure can have.
func (r AlertRule) top() float64 {
	if m, _ := MetricNamed(r.Metric); m.Unit == UnitPercent {
		return 100
	}
	return r.Threshold * (1 + ruleMargin)
}

// RuleFiring is one time that a rule fired, or would have.
type RuleFiring struct {
	From, Until time.Time // Until is zero while it still fires
	Figure      RuleFigure
}

// Replay says when a rule would have fired between two moments. samples begin a window earlier and
// are in order.
func (r AlertRule) Replay(samples []RuleSample, from, to time.Time) (firings []RuleFiring) {
	r.RuleState = RuleState{}
	s, step := ruleSum{buckets: map[int]int64{}}, r.Step()
	first, next := 0, 0
	for now := from.Truncate(step); now.Before(to); now = now.Add(step) {
		start, end := r.Span(now)
		for ; next < len(samples) && samples[next].At.Before(end); next++ {
			s.add(samples[next], 1)
		}
		for ; first < next && samples[first].At.Before(start); first++ {
			s.add(samples[first], -1)
		}
		figure := s.figure(r)
		state := r.Judge(figure, end)
		switch {
		case state.Firing && !r.Firing:
			firings = append(firings, RuleFiring{From: end, Figure: figure})
		case !state.Firing && r.Firing:
			firings[len(firings)-1].Until = end
		}
		r.RuleState = state
	}
	return firings
}

// Looks is how far back it can be said when a rule would have fired.
func (r AlertRule) Looks() time.Duration {
	if r.Step() == ruleSlot {
		return 8 * 24 * time.Hour // counts of five minutes are kept for nine days
	}
	return 30 * 24 * time.Hour
}

// Number writes a value in the unit of the metric: "31.5 %", "420 ms", "12".
func (m AlertMetric) Number(v float64) string {
	text := strings.TrimSuffix(fmt.Sprintf("%.1f", v), ".0")
	switch m.Unit {
	case UnitPercent:
		return text + " %"
	case UnitMillis:
		return text + " ms"
	}
	return text
}

// WindowText is a span of time in words: "4 hours".
func WindowText(d time.Duration) string {
	switch {
	case d < time.Hour:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	case d == time.Hour:
		return "1 hour"
	case d%(24*time.Hour) == 0 && d > 24*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
	return fmt.Sprintf("%d hours", d/time.Hour)
}

// Says is the rule in a sentence: "Answer rate below 40 % in 4 hours, from 20 on".
func (r AlertRule) Says() string {
	m, _ := MetricNamed(r.Metric)
	way := "below"
	if r.Above {
		way = "above"
	}
	title := m.Title
	if r.Detail != "" {
		title += " (" + r.Detail + ")"
	}
	text := fmt.Sprintf("%s %s %s in %s", title, way, m.Number(r.Threshold), WindowText(r.Window))
	if m.Unit != UnitCount && r.Least > 0 {
		text += fmt.Sprintf(", of at least %s %s", FormatCount(int(r.Least)), m.Counted(r.Least))
	}
	return text
}

// Counted names n of what the figure is counted of: "ring that ended" for 1, "rings" for others.
func (m AlertMetric) Counted(n int64) string {
	if n != 1 {
		return m.Counts
	}
	return counted.Replace(m.Counts)
}

// counted turns what an AlertMetric counts into one of it.
var counted = strings.NewReplacer("rings", "ring", "pushes", "push", "phones", "phone")

// Fired says in a sentence why a rule raised its alert.
func (r AlertRule) Fired(f RuleFigure) string {
	m, _ := MetricNamed(r.Metric)
	text := fmt.Sprintf("The figure was %s in %s.", m.Number(f.Value), WindowText(r.Window))
	if m.Unit != UnitCount {
		text = fmt.Sprintf("The figure was %s of %s %s in %s.", m.Number(f.Value), FormatCount(int(f.Of)), m.Counted(f.Of),
			WindowText(r.Window))
	}
	return text + " The rule: " + r.Says() + "."
}

// NewAlertRules are the rules of a new tenant.
func (f IndustryFile) NewAlertRules(t Tenant, now time.Time) []AlertRule {
	var all []AlertRule
	for i, a := range f.Alerts {
		m, ok := MetricNamed(a.Metric)
		if !ok {
			continue
		}
		r := AlertRule{ID: NewID[AlertRuleID](now.Add(time.Duration(i) * time.Millisecond)), Tenant: t.ID, Metric: a.Metric,
			Above: a.Above != nil, Window: windowOf(a.Window), Quiet: 4 * time.Hour, Mail: true, Active: true, CreatedAt: now}
		if m.Unit != UnitCount {
			r.Least = 20
		}
		way := "low"
		if bound := a.Below; r.Above {
			r.Threshold, way = *a.Above, "high"
		} else if bound != nil {
			r.Threshold = *bound
		}
		r.Name = m.Title + ": " + way
		all = append(all, r)
	}
	return all
}

// windowOf is the shortest window that holds so many minutes.
func windowOf(minutes int) time.Duration {
	for _, w := range RuleWindows {
		if w >= time.Duration(minutes)*time.Minute {
			return w
		}
	}
	return RuleWindows[len(RuleWindows)-1]
}
