package console

import (
	"slices"
	"strconv"
	"time"

	"carillon/tenants"
	"carillon/views"
)

const (
	graphMost = 120 // points of a graph
	rowsMost  = 30  // rows of the table beside it
)

// soundOf is how a call sounded over its time; nil if there are no samples.
func soundOf(q *tenants.CallQuality) *views.Sound {
	if q == nil || len(q.Samples) == 0 {
		return nil
	}
	points := q.AtMost(graphMost)
	out := &views.Sound{Each: each(points)}
	for _, s := range points {
		out.Agent = out.Agent || s.Agent != (tenants.LegQuality{})
		out.Stream = out.Stream || s.Agent.Queued > 0 || s.Agent.Underruns > 0
	}
	for _, k := range graphs {
		out.Graphs = append(out.Graphs, k.draw(points, out.Agent))
	}
	for _, s := range q.AtMost(rowsMost) {
		out.Rows = append(out.Rows, views.SoundRow{
			At: seconds(s.At), MOS: rating(s.Phone.MOS), Loss: percent(lossOf(s.Phone)), Jitter: millis(jitterOf(s.Phone)),
			Trip: measured(s.Phone.RoundTrip), AgentMOS: rating(s.Agent.MOS), AgentTrip: measured(s.Agent.RoundTrip),
			Late: strconv.Itoa(s.Agent.Underruns),
		})
	}
	return out
}

// each is the longest time between two points.
func each(points []tenants.QualitySample) string {
	longest, last := time.Duration(0), time.Duration(0)
	for _, s := range points {
		longest, last = max(longest, s.At-last), s.At
	}
	return seconds(longest)
}

// seconds is a time in whole seconds.
func seconds(d time.Duration) string {
	if d = d.Round(time.Second); d >= time.Minute {
		return millis(d)
	}
	return strconv.Itoa(int(d.Seconds())) + " s"
}

// graph is one figure of a leg that is drawn over time.
type graph struct {
	title   string
	of      func(tenants.LegQuality) float64
	words   func(float64) string
	foot    float64
	top     float64 // at least
	lowest  bool    // the lowest value is the worst
	skipped bool    // 0 = not measured
}

var graphs = []graph{
	{title: "Quality", of: func(l tenants.LegQuality) float64 { return l.MOS }, words: rating, foot: 1, top: 4.5,
		lowest: true, skipped: true},
	{title: "Packet loss", of: lossOf, words: percent, top: 0.05},
	{title: "Jitter", of: func(l tenants.LegQuality) float64 { return float64(jitterOf(l)) }, words: durationWords,
		top: float64(30 * time.Millisecond)},
	{title: "Latency", of: func(l tenants.LegQuality) float64 { return float64(l.RoundTrip) }, words: durationWords,
		top: float64(200 * time.Millisecond), skipped: true},
}

func lossOf(l tenants.LegQuality) float64 { return max(l.LossIn, l.LossOut) }

func jitterOf(l tenants.LegQuality) time.Duration { return max(l.JitterIn, l.JitterOut) }

// draw draws the graph of points. A point of silence interrupts its line.
func (g graph) draw(points []tenants.QualitySample, agent bool) views.SoundGraph {
	top, worst, any := g.top, 0.0, false
	for _, s := range points {
		for _, l := range []tenants.LegQuality{s.Phone, s.Agent} {
			v := g.of(l)
			if g.gap(l) {
				continue
			}
			top = max(top, v)
			if !any || g.lowest == (v < worst) {
				worst, any = v, true
			}
		}
	}
	out := views.SoundGraph{Title: g.title, Now: g.words(worst), Top: g.words(top), Foot: g.words(g.foot)}
	if !any {
		out.Now = "–"
	}
	place := func(s tenants.QualitySample, l tenants.LegQuality) views.SoundPoint {
		return views.SoundPoint{X: float64(s.At) / float64(points[len(points)-1].At), Y: (g.of(l) - g.foot) / (top - g.foot), Gap: g.gap(l)}
	}
	for _, s := range points {
		out.Phone = append(out.Phone, place(s, s.Phone))
		if agent {
			out.Agent = append(out.Agent, place(s, s.Agent))
		}
	}
	return out
}

func (g graph) gap(l tenants.LegQuality) bool { return l.MOS == 0 || g.skipped && g.of(l) == 0 }

func millis(d time.Duration) string {
	return views.Millis(int(d.Round(time.Millisecond).Milliseconds()))
}

func durationWords(v float64) string { return millis(time.Duration(v)) }

// measured is a time, where 0 means that it was not measured.
func measured(d time.Duration) string {
	if d == 0 {
		return "–"
	}
	return millis(d)
}

func rating(mos float64) string {
	if mos == 0 {
		return "–"
	}
	return strconv.FormatFloat(mos, 'f', 1, 64)
}

func percent(share float64) string { return strconv.FormatFloat(100*share, 'f', 1, 64) + " %" }

// addSound fills in what the samples say about the whole call.
func addSound(v *views.Quality, q *tenants.CallQuality) {
	if q == nil {
		return
	}
	if q.FirstAudio > 0 {
		v.FirstAudio = millis(q.FirstAudio)
	}
	if len(q.BargeIns) > 0 {
		sorted := slices.Sorted(slices.Values(q.BargeIns))
		v.Interrupted = "after " + millis(sorted[len(sorted)/2])
	}
	if average, ok := q.Phone(); ok {
		v.MOS = rating(average.MOS)
	}
}

// callFigureWords is how the overview shows a figure of calls.
var callFigureWords = map[tenants.CallFigure]struct {
	name, means string
	words       func(float64) string
}{
	tenants.FigureMOS:        {"Quality", "mean opinion score, 1 (bad) to 4.4 (the best)", rating},
	tenants.FigureFirstAudio: {"Agent’s first sound", "after the answer", millisWords},
	tenants.FigureBargeIn:    {"Agent stops when interrupted", "after the person’s first word", millisWords},
	tenants.FigureRoundTrip:  {"Latency", "round trip", millisWords},
	tenants.FigureJitter:     {"Jitter", "", millisWords},
	tenants.FigureLoss:       {"Packet loss", "", percent},
}

func millisWords(ms float64) string { return views.Millis(int(ms + 0.5)) }

// callFiguresOf are the percentiles of calls.
func callFiguresOf(counts map[tenants.CallFigure]map[int]int64, words string) views.CallFigures {
	out := views.CallFigures{Period: words}
	for _, f := range tenants.CallFigures {
		w := callFigureWords[f]
		row := views.CallFigure{Name: w.name, Means: w.means}
		for _, n := range counts[f] {
			row.Calls += int(n)
		}
		if half, ok := tenants.PercentileBucket(counts[f], 0.5); ok {
			worst, _ := tenants.PercentileBucket(counts[f], 0.95)
			row.P50, row.P95 = w.words(f.Value(half)), w.words(f.Value(worst))
		}
		out.Rows = append(out.Rows, row)
	}
	return out
}
