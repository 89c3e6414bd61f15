package tenants

import (
	"math"
	"testing"
	"time"
)

func TestQualityIsBounded(t *testing.T) {
	t.Parallel()
	const s = time.Second
	var q CallQuality
	worst := 4.4
	for i := range 3000 {
		l := LegQuality{MOS: 4, RoundTrip: 40 * time.Millisecond, Underruns: 1}
		if i == 1234 {
			l.MOS, l.LossIn, worst = 2, 0.3, 2
		}
		if i == 17 {
			l = LegQuality{Underruns: 1} // silence does not hide its neighbour
		}
		q.Add(QualitySample{At: time.Duration(i+1) * 5 * s, Phone: l})
		q.AddBargeIns([]time.Duration{s})
		if len(q.Samples) > MaxSamples || len(q.BargeIns) > MaxBargeIns {
			t.Fatalf("%d samples, %d barge-ins", len(q.Samples), len(q.BargeIns))
		}
	}
	underruns, last, seen := 0, time.Duration(0), 5.0
	for i, x := range q.Samples {
		if x.At <= last || x.Phone.MOS == 0 {
			t.Errorf("sample %d: %+v after %v", i, x, last)
		}
		last, seen = x.At, min(seen, x.Phone.MOS)
		underruns += x.Phone.Underruns
	}
	if last != 15000*s || underruns != 3000 || seen != worst {
		t.Errorf("ends at %v with %d underruns, the worst is %v", last, underruns, seen)
	}
}

func TestAtMost(t *testing.T) {
	t.Parallel()
	var q CallQuality
	for i := range 11 {
		q.Add(QualitySample{At: time.Duration(i+1) * time.Second, Phone: LegQuality{MOS: 4, Underruns: 1}})
	}
	for n, want := range map[int]int{20: 11, 11: 11, 10: 6, 5: 3, 0: 1} {
		got := q.AtMost(n)
		underruns := 0
		for _, s := range got {
			underruns += s.Phone.Underruns
		}
		if len(got) != want || underruns != 11 || got[len(got)-1].At != 11*time.Second {
			t.Errorf("at most %d: %+v", n, got)
		}
	}
	if len(q.Samples) != 11 || len((&CallQuality{}).AtMost(5)) != 0 {
		t.Error("the samples themselves changed")
	}
}

// TestMeasures: a call is counted by its averages, and silence is left out.
func TestMeasures(t *testing.T) {
	t.Parallel()
	const ms = time.Millisecond
	q := CallQuality{FirstAudio: 250 * ms, BargeIns: []time.Duration{100 * ms, 0}, Samples: []QualitySample{
		{Phone: LegQuality{MOS: 4.4, JitterIn: 2 * ms, RoundTrip: 30 * ms}},
		{Phone: LegQuality{MOS: 4.0, JitterIn: 4 * ms, LossIn: 0.02}},
		{},
	}}
	want := map[CallFigure]float64{FigureFirstAudio: 250, FigureBargeIn: 100, FigureMOS: 4.2, FigureJitter: 3, FigureRoundTrip: 30,
		FigureLoss: 0.01}
	got := q.Measures()
	if len(got) != len(want) {
		t.Errorf("%+v", got)
	}
	for _, m := range got {
		if v := m.Figure.Value(m.Bucket); math.Abs(v-want[m.Figure]) > want[m.Figure]/10 {
			t.Errorf("%s: %v, want %v", m.Figure, v, want[m.Figure])
		}
	}
	if got := (&CallQuality{}).Measures(); len(got) != 0 {
		t.Errorf("nothing was measured: %+v", got)
	}
	terrible := (&CallQuality{Samples: []QualitySample{{Phone: LegQuality{MOS: 1, LossIn: 1}}}}).Measures()
	for _, m := range terrible {
		if m.Bucket > lastBucket {
			t.Errorf("%+v is beyond the last bucket", m)
		}
	}
}
