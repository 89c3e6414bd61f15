package views

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// AnalyticsPage shows rings over time, and apart by their properties.
type AnalyticsPage struct {
	Shell    Shell
	Ranges   []Tab
	Steps    []Tab  // by hour, day, week; empty where only one makes sense
	From, To string // dates of a chosen span, as a date field has them
	Keep     []Link // what the form of dates keeps of the address: name and value
	Cut      string // which rings these are: "App version 4.2.0"; empty = all
	CutClear string // address of all rings
	Words    string // "the last 7 days"
	Before   string // "the 7 days before"
	Figures  []Compared
	Chart    TimeChart
	Splits   []Tab
	Split    SplitTable
	Heat     HeatMap
	Hops     []Tab
	Times    TimesChart
	HasRings bool // in this span
}

// Compared is one figure beside the same one of the span before.
type Compared struct {
	Label  string
	Value  string
	Change string // "12 % more than in the 7 days before"
	Tone   Tone
	Href   string
}

// TimeChart is rings by hour, day or week, oldest first.
type TimeChart struct {
	Words, Before string
	Step          string // "Hour", "Day", "Week from"
	Zone          string
	CSV           string
	Bars          []TimeBar
}

// TimeBar is one column of the chart.
type TimeBar struct {
	Label   string
	ISO     string
	Rings   Number
	Ends    [5]Number // answered, missed, declined, cancelled, failed
	Earlier int       // rings of the same part of the span before; -1 = unknown
	Then    string    // where they are
}

// Number is a count that leads to its rings.
type Number struct {
	N    int
	Href string
}

// endNames are the heads of TimeBar.Ends.
var endNames = [5]string{"Answered", "Missed", "Declined", "Cancelled", "Failed"}

func (b TimeBar) unanswered() int { return b.Ends[1].N + b.Ends[2].N + b.Ends[3].N }

// open is how many rings are not over.
func (b TimeBar) open() int { return max(0, b.Rings.N-b.Ends[0].N-b.unanswered()-b.Ends[4].N) }

func (b TimeBar) title() string {
	s := b.Label + ": " + Plural(b.Rings.N, "ring", "rings") + ", " + Count(b.Ends[0].N) + " answered, " + Count(b.unanswered()) +
		" not answered, " + Count(b.Ends[4].N) + " failed"
	if b.Earlier >= 0 {
		s += ". Before: " + Count(b.Earlier)
	}
	return s
}

// top is a round number at or above every column.
func (c TimeChart) top() int {
	most := 1
	for _, b := range c.Bars {
		most = max(most, b.Rings.N, b.Earlier)
	}
	return roundUp(most)
}

// roundUp is the next number with four equal parts that are easy to read.
func roundUp(n int) int {
	if n <= 4 {
		return 4
	}
	for unit := 1; ; unit *= 10 {
		for _, m := range []int{4, 8, 12, 20, 40} {
			if m*unit >= n {
				return m * unit
			}
		}
	}
}

// drawn is a path of a chart in its colour.
type drawn struct{ class, d string }

// columns are the coloured pieces of every column in a box of 100 by 100: a path for each colour,
// because a week of hours has hundreds of pieces.
func (c TimeChart) columns() []drawn {
	paths := []drawn{{class: "bar-good"}, {class: "bar-warn"}, {class: "bar-bad"}, {class: "bar-open"}}
	step, top := 100/float64(max(1, len(c.Bars))), float64(c.top())
	for i, b := range c.Bars {
		y := 100.0
		for part, n := range []int{b.Ends[0].N, b.unanswered(), b.Ends[4].N, b.open()} {
			if n == 0 {
				continue
			}
			h := 100 * float64(n) / top
			y -= h
			paths[part].d += "M" + short(float64(i)*step+step*0.12) + " " + short(y) + "h" + short(step*0.76) + "v" + short(h) +
				"h-" + short(step*0.76) + "z"
		}
	}
	return slices.DeleteFunc(paths, func(p drawn) bool { return p.d == "" })
}

// short is a number of a path with at most two decimals.
func short(f float64) string { return strconv.FormatFloat(math.Round(100*f)/100, 'f', -1, 64) }

// hits are the whole columns: what a pointer meets.
func (c TimeChart) hits() []bar {
	step := 100 / float64(max(1, len(c.Bars)))
	out := make([]bar, len(c.Bars))
	for i, b := range c.Bars {
		out[i] = bar{"time-hit", pct(float64(i) * step), "0", pct(step), "100%", b.title()}
	}
	return out
}

// earlier is the line of the span before, in a box of 100 by 100.
func (c TimeChart) earlier() string {
	var d strings.Builder
	step, op := 100/float64(max(1, len(c.Bars))), "M"
	for i, b := range c.Bars {
		if b.Earlier < 0 {
			op = "M"
			continue
		}
		fmt.Fprintf(&d, "%s%.2f %.2f", op, (float64(i)+0.5)*step, 100-100*float64(b.Earlier)/float64(c.top()))
		op = "L"
	}
	return d.String()
}

// tick is a word at a place of an axis.
type tick struct{ at, text, anchor string }

// levels are the lines across, the highest first.
func (c TimeChart) levels() []tick {
	var out []tick
	for i := 4; i >= 0; i-- {
		out = append(out, tick{at: pct(100 - 25*float64(i)), text: Count(c.top() * i / 4)})
	}
	return out
}

// ticks are at most eight columns by name.
func (c TimeChart) ticks() []tick {
	labels := make([]string, len(c.Bars))
	for i, b := range c.Bars {
		labels[i] = b.Label
	}
	return ticksOf(labels)
}

func ticksOf(labels []string) []tick {
	var out []tick
	every := max(1, int(math.Ceil(float64(len(labels))/7)))
	step := 100 / float64(max(1, len(labels)))
	for i := 0; i < len(labels); i += every {
		x, anchor := (float64(i)+0.5)*step, "middle"
		switch {
		case x < 4:
			anchor = "start"
		case x > 96:
			anchor = "end"
		}
		out = append(out, tick{pct(x), labels[i], anchor})
	}
	return out
}

// SplitTable is rings apart by a property, most first.
type SplitTable struct {
	Head string // "App version"
	CSV  string
	Rows []SplitRow
	More int // values that are left out
	Note string
}

// SplitRow is one value.
type SplitRow struct {
	Name   string
	Own    bool   // somebody gave the name, or a phone the value
	Href   string // the page for these rings alone; empty = there is none
	Rings  Number
	Ends   [5]Number
	Rate   string // answered of those that are over
	Width  int    // per cent of the longest bar
	Change string
}

func (r SplitRow) bar() string { return pct(math.Max(0.8, float64(r.Width))) }

// HeatMap is the share of answered rings by weekday and hour.
type HeatMap struct {
	CSV  string
	Days []HeatDay
}

// HeatDay is one weekday.
type HeatDay struct {
	Name  string
	Cells []HeatCell // 24
}

// HeatCell is one hour of a weekday. Text is empty where no ring was over.
type HeatCell struct {
	Text  string // "84"
	Title string // "Monday, 09:00–10:00: 84 % of 25 rings answered"
	Href  string
	Level int // 0 to 9 by share; -1 = too few rings to say
}

func (c HeatCell) class() string {
	if c.Level < 0 {
		return "heat-few"
	}
	return fmt.Sprintf("heat-%d", min(9, c.Level))
}

// TimesChart is how long a step took, over time.
type TimesChart struct {
	Name   string // "Accepted → app awake"
	Zone   string // of its hours or days
	CSV    string
	Points []TimesPoint
	None   string // why there is nothing
}

// TimesPoint is one hour, day or week; milliseconds. N 0 = nothing was timed.
type TimesPoint struct {
	Label, ISO    string
	P50, P95, P99 int
	N             int
}

// line is one percentile in a box of 100 by 100, on the axis of milliseconds.
func (c TimesChart) line(of func(TimesPoint) int) string {
	var d strings.Builder
	step, op := 100/float64(max(1, len(c.Points))), "M"
	for i, p := range c.Points {
		if p.N == 0 {
			op = "M"
			continue
		}
		x, y := (float64(i)+0.5)*step, 100-across(of(p))
		fmt.Fprintf(&d, "%s%.2f %.2f", op, x, y)
		if op == "M" { // alone it would not be seen
			fmt.Fprintf(&d, "L%.2f %.2f", x+0.01, y)
		}
		op = "L"
	}
	return d.String()
}

func (p TimesPoint) median() int { return p.P50 }
func (p TimesPoint) p95() int    { return p.P95 }
func (p TimesPoint) p99() int    { return p.P99 }

func (c TimesChart) levels() []tick {
	var out []tick
	for _, t := range axisTicks {
		out = append(out, tick{at: pct(100 - across(t.ms)), text: t.text})
	}
	return out
}

func (c TimesChart) ticks() []tick {
	labels := make([]string, len(c.Points))
	for i, p := range c.Points {
		labels[i] = p.Label
	}
	return ticksOf(labels)
}
