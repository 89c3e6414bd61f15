package views

import (
	"fmt"
	"math"
	"strings"
)

// Funnel counts rings at each hop, in order.
type Funnel struct {
	Period string // "the last 7 days"
	Steps  []FunnelStep
}

// FunnelStep is one hop of the funnel.
type FunnelStep struct {
	Name   string // "Woke"
	Means  string // "the phone started the app"
	Count  int    // rings
	Phones int    // a person with three phones is one ring
	Href   string // to the rings that were lost right before it
}

// rang tells whether some ring went to more than one phone, so that phones and rings must be told
// apart.
func (f Funnel) rang() bool {
	for _, s := range f.Steps {
		if s.Phones > s.Count {
			return true
		}
	}
	return false
}

// ribbon is one outline over all columns, 100 wide each: it stands as high as the step's share and
// slopes to the next.
func (f Funnel) ribbon() string {
	if len(f.Steps) == 0 {
		return ""
	}
	var d strings.Builder
	fmt.Fprintf(&d, "M0 100V%.1fH58", 100-f.height(0))
	for i := 1; i < len(f.Steps); i++ {
		x, here, there := float64(i*100), 100-f.height(i-1), 100-f.height(i)
		fmt.Fprintf(&d, "C%.0f %.1f %.0f %.1f %.0f %.1fH%.0f", x-18, here, x-24, there, x, there, x+58)
	}
	fmt.Fprintf(&d, "H%dV100Z", 100*len(f.Steps))
	return d.String()
}

// lines part the columns.
func (f Funnel) lines() string {
	var d strings.Builder
	for i := 1; i < len(f.Steps); i++ {
		fmt.Fprintf(&d, "M%d 0V100", i*100)
	}
	return d.String()
}

func (f Funnel) height(i int) float64 {
	if f.whole() == 0 {
		return 2
	}
	return math.Max(2, 100*float64(f.Steps[i].Count)/float64(f.whole()))
}

func (f Funnel) box() string { return fmt.Sprintf("0 0 %d 100", 100*len(f.Steps)) }

// whole is the count of the first step.
func (f Funnel) whole() int {
	if len(f.Steps) == 0 {
		return 0
	}
	return f.Steps[0].Count
}

// worst is the step before which most rings were lost; 0 when none were.
func (f Funnel) worst() int {
	worst := 0
	for i := range f.Steps {
		if f.lost(i) > f.lost(worst) {
			worst = i
		}
	}
	return worst
}

// lost is how many rings of the step before did not come to step i.
func (f Funnel) lost(i int) int {
	if i == 0 {
		return 0
	}
	return max(0, f.Steps[i-1].Count-f.Steps[i].Count)
}

// Latency is how long each hop took.
type Latency struct {
	Period string
	Hops   []HopLatency
}

// HopLatency is one hop's percentiles in milliseconds. Count 0 means nothing was measured.
type HopLatency struct {
	Name          string // "Placed → accepted"
	P50, P95, P99 int
	Count         int
}

// The axis is logarithmic, from 10 ms to a minute.
const (
	axisFrom = 10.0
	axisTo   = 60_000.0
)

// references are the push latencies that the field quotes: what a push takes on a good day, and
// what people notice as late.
var references = []struct {
	ms          int
	text, class string
}{{200, "200 ms", "ref-good"}, {1500, "1.5 s", "ref-noticed"}}

var axisTicks = []struct {
	ms   int
	text string
}{{10, "10 ms"}, {100, "100 ms"}, {1000, "1 s"}, {10_000, "10 s"}}

// across is where a span of milliseconds lies on the axis, as a percentage of the width.
func across(ms int) float64 {
	v := math.Min(math.Max(float64(ms), axisFrom), axisTo)
	return 1 + 97*math.Log(v/axisFrom)/math.Log(axisTo/axisFrom)
}

func at(ms int) string { return pct(across(ms)) }

func pct(p float64) string { return strings.TrimSuffix(fmt.Sprintf("%.2f", p), ".00") + "%" }

// wide is the width of a bar between two spans, never thinner than can be seen.
func wide(from, to int) string { return pct(math.Max(0.8, across(to)-across(from))) }

// bar is one coloured piece of a column, in per cent of the chart.
type bar struct{ class, x, y, width, height, title string }

// sparkPath is a line through the days in a box of 100 by 30.
func sparkPath(days []int, closed bool) string {
	most := 1
	for _, n := range days {
		most = max(most, n)
	}
	var d strings.Builder
	for i, n := range days {
		op := "L"
		if i == 0 {
			op = "M"
		}
		x := 100 * float64(i) / float64(max(1, len(days)-1))
		fmt.Fprintf(&d, "%s%.1f %.1f", op, x, 28-25*float64(n)/float64(most))
	}
	if closed {
		d.WriteString("L100 30L0 30Z")
	}
	return d.String()
}

// anchor keeps the first label of the axis inside the chart.
func anchor(ms int) string {
	if ms <= axisFrom {
		return "start"
	}
	return "middle"
}

// Outcomes is why phones showed no call, the ways apart.
type Outcomes struct {
	Period string
	Groups []OutcomeGroup
}

// OutcomeGroup is one way to come to nothing.
type OutcomeGroup struct {
	Title string
	Tone  Tone
	Rows  []Outcome
}

// Outcome is one reason, and on how many phones it came up.
type Outcome struct {
	Name  string
	Cure  string
	Code  string // Apple's word for it; empty when there is none
	Count int
}

func (g OutcomeGroup) total() int {
	n := 0
	for _, r := range g.Rows {
		n += r.Count
	}
	return n
}

// most is the largest count of all, so that bars of every group compare.
func (o Outcomes) most() int {
	n := 1
	for _, g := range o.Groups {
		for _, r := range g.Rows {
			n = max(n, r.Count)
		}
	}
	return n
}

func (o Outcomes) long(r Outcome) string {
	return pct(math.Max(0.8, 100*float64(r.Count)/float64(o.most())))
}
