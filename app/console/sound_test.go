package console

import (
	"math"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/views"
)

// TestRingShowsHowItsCallSounded: as graphs, as a table, and in the list beside it; the overview
// shows the percentiles of all calls.
func TestRingShowsHowItsCallSounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.full("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/overview").Want(200).Has("How calls sounded", "No call was measured in the last 24 hours.")
	w.Get("/rings/"+string(a.ring)).Want(200).Lacks("Sound over time", "NaN")
	leg := tenants.LegQuality{MOS: 4.3, LossIn: 0.01, JitterOut: 7 * time.Millisecond, RoundTrip: 48 * time.Millisecond}
	bad := tenants.LegQuality{MOS: 2.4, LossOut: 0.21, JitterIn: 44 * time.Millisecond, RoundTrip: 310 * time.Millisecond}
	q := tenants.CallQuality{FirstAudio: 1234 * time.Millisecond, BargeIns: []time.Duration{90 * time.Millisecond, 260 * time.Millisecond,
		300 * time.Millisecond}}
	for i, l := range []tenants.LegQuality{leg, leg, bad, {}, leg} {
		q.Add(tenants.QualitySample{At: time.Duration(i+1) * 5 * time.Second, Phone: l,
			Agent: tenants.LegQuality{MOS: 4.1, Underruns: i, RoundTrip: 9 * time.Millisecond}})
	}
	err := h.Store.For(a.Id).Qualities().Set(t.Context(), a.ring, &q, true)
	if err != nil {
		t.Fatal(err)
	}
	w.Get("/rings/"+string(a.ring)).Want(200).Has("Sound over time", "up to 5 s", "Show as table", "Quality, worst: 2.4",
		"Packet loss, worst: 21.0 %", "Jitter, worst: 44 ms", "Latency, worst: 310 ms", ">10 s<", "Agent’s quality",
		"Agent too late").Lacks("NaN", "Inf")
	w.Get("/overview").Want(200).Has("Agent’s first sound", "1.33 s")
}

// TestGraph: the worst value is named, silence interrupts the line, and points stay in the box.
func TestGraph(t *testing.T) {
	t.Parallel()
	points := []tenants.QualitySample{
		{At: 5 * time.Second, Phone: tenants.LegQuality{MOS: 4.4}},
		{At: 10 * time.Second},
		{At: 20 * time.Second, Phone: tenants.LegQuality{MOS: 1, LossIn: 1, JitterIn: 3 * time.Second, RoundTrip: 9 * time.Second}},
	}
	for _, g := range graphs {
		got := g.draw(points, true)
		if len(got.Phone) != 3 || len(got.Agent) != 3 || !got.Phone[1].Gap || !got.Agent[2].Gap || got.Phone[2].X != 1 {
			t.Errorf("%s: %+v", g.title, got)
		}
		for _, p := range got.Phone {
			if !p.Gap && (p.Y < 0 || p.Y > 1 || math.IsNaN(p.Y)) {
				t.Errorf("%s: a point at %v", g.title, p.Y)
			}
		}
	}
	if got := graphs[0].draw(points, false); got.Now != "1.0" || got.Agent != nil {
		t.Errorf("%+v", got)
	}
	if got := graphs[0].draw(points[1:2], false); got.Now != "–" {
		t.Errorf("of silence: %+v", got)
	}
	if soundOf(nil) != nil || soundOf(&tenants.CallQuality{}) != nil {
		t.Error("nothing was measured, and something is drawn")
	}
}

// TestEveryCallFigureHasWords, as each fact has.
func TestEveryCallFigureHasWords(t *testing.T) {
	t.Parallel()
	for _, f := range tenants.CallFigures {
		if w := callFigureWords[f]; w.name == "" || w.words == nil {
			t.Errorf("%s has no words", f)
		}
	}
}

// TestASilentSideIsOnTheTimeline: which side it was, and what to do.
func TestASilentSideIsOnTheTimeline(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for side, want := range map[string]string{"phone": "microphone", "agent": "agent’s server"} {
		a := tenants.Attempt{ID: "a", State: tenants.Answered, Facts: []tenants.Fact{{Attempt: "a", Kind: tenants.FactPlaced, At: at},
			{Attempt: "a", Kind: tenants.FactAnswered, At: at}, {Attempt: "a", Kind: tenants.FactOneWay, At: at, Detail: side}}}
		found := ""
		for _, h := range hopsOf(&a, time.UTC) {
			if h.Label == "Only one side could be heard" && h.State == views.HopFailed {
				found = h.Note
			}
		}
		if !strings.Contains(found, want) {
			t.Errorf("%s: %q", side, found)
		}
	}
}
