package views

import (
	"fmt"
	"slices"
	"strings"
)

// Sound is how a call sounded over its time.
type Sound struct {
	Each   string // how much of the call a point is about, "5 s"
	Graphs []SoundGraph
	Rows   []SoundRow // the same as the graphs
	Agent  bool       // the agent has a leg of its own
	Stream bool       // the agent's sound comes over a stream, which may come too late
}

// SoundGraph is one figure over time, up to two lines.
type SoundGraph struct {
	Title string
	Now   string // the worst value, in words
	Top   string // label of the upper edge
	Foot  string // label of the lower edge
	Phone []SoundPoint
	Agent []SoundPoint
}

// SoundPoint is a place in a graph: shares of its width, and of its height from below. A point
// without a value interrupts the line.
type SoundPoint struct {
	X, Y float64
	Gap  bool
}

// SoundRow is one sample in words.
type SoundRow struct {
	At                        string
	MOS, Loss, Jitter, Trip   string // of the phone
	AgentMOS, AgentTrip, Late string
}

// line is the path of a graph's points, in a box of 100 by 40.
func (SoundGraph) line(points []SoundPoint) string {
	var d strings.Builder
	pen := false
	for i, p := range points {
		if p.Gap {
			pen = false
			continue
		}
		x, y := 100*p.X, 38-36*min(max(p.Y, 0), 1)
		switch {
		case pen:
			fmt.Fprintf(&d, "L%.1f %.1f", x, y)
		case i+1 == len(points) || points[i+1].Gap: // alone: a short dash
			fmt.Fprintf(&d, "M%.1f %.1fh1", max(0, x-1), y)
		default:
			fmt.Fprintf(&d, "M%.1f %.1f", x, y)
		}
		pen = true
	}
	return d.String()
}

// CallFigures are figures over the calls of a time.
type CallFigures struct {
	Period string
	Rows   []CallFigure
}

// Measured reports whether any call was measured.
func (f CallFigures) Measured() bool {
	return slices.ContainsFunc(f.Rows, func(r CallFigure) bool { return r.Calls > 0 })
}

// CallFigure is one figure's percentiles. Calls 0 means nothing was measured.
type CallFigure struct {
	Name, Means string
	P50, P95    string
	Calls       int
}
