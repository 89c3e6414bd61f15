package tenants

import (
	"math"
	"time"
)

// LegQuality is how one leg of a call sounded for some seconds. In is the sound that we received on
// the leg, Out what we sent. A figure that was not measured is 0.
type LegQuality struct {
	MOS                 float64 // 1 to 4.4, of the worse direction; 0 = there was no sound
	JitterIn, JitterOut time.Duration
	LossIn, LossOut     float64 // share, 0 to 1
	RoundTrip           time.Duration
	Queued              time.Duration // what a stream agent sent and the person had not heard yet
	Underruns           int           // how often a stream agent's sound came too late
}

// QualitySample is how a call sounded in the seconds before At.
type QualitySample struct {
	At           time.Duration // since the phone answered
	Phone, Agent LegQuality
}

// CallQuality is how a call sounded from its beginning to its end.
type CallQuality struct {
	FirstAudio time.Duration   // from the answer to the agent's first sound; 0 = none
	BargeIns   []time.Duration // how long the agent talked on each time the person spoke over it
	Samples    []QualitySample
}

// Bounds of a CallQuality.
const (
	MaxSamples  = 240 // 20 minutes of samples of 5 s; a longer call keeps pairs as one
	MaxBargeIns = 64  // of a call
)

// Add adds a sample. When there are MaxSamples, each two become one that keeps the worse figures.
func (q *CallQuality) Add(s QualitySample) {
	if len(q.Samples) >= MaxSamples {
		q.Samples = halved(q.Samples)
	}
	q.Samples = append(q.Samples, s)
}

// AtMost returns the samples, so many of them made one that at most n are left.
func (q *CallQuality) AtMost(n int) []QualitySample {
	all := q.Samples
	for len(all) > max(1, n) {
		all = halved(all)
	}
	return all
}

// halved makes each two samples one.
func halved(all []QualitySample) []QualitySample {
	half := make([]QualitySample, 0, (len(all)+1)/2+1)
	for i := 0; i < len(all); i += 2 {
		s := all[i]
		if i+1 < len(all) {
			b := all[i+1]
			s = QualitySample{At: b.At, Phone: s.Phone.worse(b.Phone), Agent: s.Agent.worse(b.Agent)}
		}
		half = append(half, s)
	}
	return half
}

// AddBargeIns adds what was measured, up to MaxBargeIns.
func (q *CallQuality) AddBargeIns(all []time.Duration) {
	q.BargeIns = append(q.BargeIns, all[:min(len(all), MaxBargeIns-len(q.BargeIns))]...)
}

// worse holds the worse figure of both.
func (l LegQuality) worse(m LegQuality) LegQuality {
	w := LegQuality{
		MOS: min(l.MOS, m.MOS), JitterIn: max(l.JitterIn, m.JitterIn), JitterOut: max(l.JitterOut, m.JitterOut),
		LossIn: max(l.LossIn, m.LossIn), LossOut: max(l.LossOut, m.LossOut), RoundTrip: max(l.RoundTrip, m.RoundTrip),
		Queued: max(l.Queued, m.Queued), Underruns: l.Underruns + m.Underruns,
	}
	if l.MOS == 0 || m.MOS == 0 {
		w.MOS = max(l.MOS, m.MOS)
	}
	return w
}

// CallFigure is something that is counted of each call.
type CallFigure string

// The figures of calls, those of sound for the phone's leg.
const (
	FigureFirstAudio CallFigure = "first_audio"
	FigureBargeIn    CallFigure = "barge_in"
	FigureMOS        CallFigure = "mos"
	FigureLoss       CallFigure = "loss"
	FigureJitter     CallFigure = "jitter"
	FigureRoundTrip  CallFigure = "round_trip"
)

// CallFigures lists the figures in the order of pages.
var CallFigures = []CallFigure{FigureMOS, FigureFirstAudio, FigureBargeIn, FigureRoundTrip, FigureJitter, FigureLoss}

// A higher bucket is worse in every figure, so that the 95th percentile is of the bad calls. Times
// have the buckets of Bucket.
const (
	bestMOS     = 4.5
	mosBuckets  = 50   // a MOS
	lossBuckets = 1000 // of a loss of 1
)

// Measure is one measured value of a figure, by bucket.
type Measure struct {
	Figure CallFigure
	Bucket int
}

// Measures are the values of a call that ended: its averages, and each barge-in.
func (q *CallQuality) Measures() []Measure {
	var out []Measure
	timed := func(f CallFigure, d time.Duration) {
		if d > 0 {
			out = append(out, Measure{f, Bucket(d)})
		}
	}
	timed(FigureFirstAudio, q.FirstAudio)
	for _, d := range q.BargeIns {
		timed(FigureBargeIn, d)
	}
	m, ok := q.Phone()
	if !ok {
		return out
	}
	timed(FigureRoundTrip, m.RoundTrip)
	timed(FigureJitter, max(m.JitterIn, m.JitterOut))
	return append(out, Measure{FigureMOS, int(math.Ceil(max(0, bestMOS-m.MOS) * mosBuckets))},
		Measure{FigureLoss, min(lastBucket, int(math.Ceil(max(m.LossIn, m.LossOut)*lossBuckets)))})
}

// Phone is the average of the phone's leg over the samples with sound; false if there are none.
func (q *CallQuality) Phone() (LegQuality, bool) {
	var sum LegQuality
	n, trips := 0, 0
	for _, s := range q.Samples {
		p := s.Phone
		if p.MOS == 0 {
			continue
		}
		n++
		sum.MOS += p.MOS
		sum.JitterIn += p.JitterIn
		sum.JitterOut += p.JitterOut
		sum.LossIn += p.LossIn
		sum.LossOut += p.LossOut
		if p.RoundTrip > 0 {
			trips++
			sum.RoundTrip += p.RoundTrip
		}
	}
	if n == 0 {
		return LegQuality{}, false
	}
	share, of := float64(n), time.Duration(n)
	return LegQuality{
		MOS: sum.MOS / share, JitterIn: sum.JitterIn / of, JitterOut: sum.JitterOut / of,
		LossIn: sum.LossIn / share, LossOut: sum.LossOut / share, RoundTrip: sum.RoundTrip / time.Duration(max(1, trips)),
	}, true
}

// Value is what a bucket of the figure stands for: a MOS, a share, or milliseconds.
func (f CallFigure) Value(bucket int) float64 {
	switch f {
	case FigureMOS:
		return max(1, bestMOS-float64(bucket)/mosBuckets)
	case FigureLoss:
		return float64(bucket) / lossBuckets
	}
	return float64(BucketTop(bucket)) / float64(time.Millisecond)
}
