package storetest

import (
	"reflect"
	"time"

	"carillon/tenants"
)

// testQualities: what is stored of a call's sound comes back; an ended call is counted once; both
// go with retention.
func testQualities(b *bench) {
	ctx := b.Context()
	const ms = time.Millisecond
	s, other := b.tenant(), b.tenant()
	r := b.ring(s, b.device(s, "ana"))
	got, err := s.Qualities().Get(ctx, r.ID)
	if err != nil || got != nil {
		b.Errorf("before anything was measured: %+v, %v", got, err)
	}
	leg := tenants.LegQuality{MOS: 4.2, JitterIn: 3 * ms, JitterOut: 4 * ms, LossIn: 0.01, LossOut: 0.02, RoundTrip: 40 * ms}
	q := &tenants.CallQuality{FirstAudio: 300 * ms, BargeIns: []time.Duration{200 * ms, 250 * ms}, Samples: []tenants.QualitySample{
		{At: 5 * time.Second, Phone: leg},
		{At: 10 * time.Second, Phone: leg, Agent: tenants.LegQuality{MOS: 4, RoundTrip: 9 * ms, Queued: 120 * ms, Underruns: 2}},
	}}
	b.must(s.Qualities().Set(ctx, r.ID, q, false))
	figures, err := s.Analytics().Figures(ctx, b.clock.Now().Add(-time.Hour), time.Time{})
	b.must(err)
	equal(b, len(figures), 0, "figures of a call that lasts")
	for range 2 {
		b.must(s.Qualities().Set(ctx, r.ID, q, true))
	}
	b.must(s.Qualities().Set(ctx, r.ID, q, false)) // late: it stays counted
	b.must(s.Qualities().Set(ctx, r.ID, q, true))
	got, err = s.Qualities().Get(ctx, r.ID)
	if err != nil || !reflect.DeepEqual(got, q) {
		b.Errorf("read back: %+v, %v; want %+v", got, err, q)
	}
	count := func() (n int64) {
		b.Helper()
		figures, err := s.Analytics().Figures(ctx, time.Time{}, time.Time{})
		b.must(err)
		for _, buckets := range figures {
			for _, times := range buckets {
				n += times
			}
		}
		return n
	}
	equal(b, count(), 7, "values counted") // two barge-ins, and one of each other figure
	figures, err = s.Analytics().Figures(ctx, b.clock.Now().Add(-time.Hour), time.Time{})
	b.must(err)
	equal(b, len(figures), len(tenants.CallFigures), "figures")
	for f, want := range map[tenants.CallFigure]float64{tenants.FigureMOS: 4.2, tenants.FigureLoss: 0.02, tenants.FigureJitter: 4} {
		at, ok := tenants.PercentileBucket(figures[f], 0.5)
		if v := f.Value(at); !ok || v < want*0.9 || v > want*1.1 {
			b.Errorf("%s: %v, want about %v", f, v, want)
		}
	}
	b.refused(other.Qualities().Set(ctx, r.ID, q, true), tenants.Unknown, "another tenant's call")

	b.clock.set(b.clock.Now().Add(401 * 24 * time.Hour))
	_, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	if got, err := s.Qualities().Get(ctx, r.ID); err != nil || got == nil {
		b.Errorf("the ring is still due, so its call stays: %v, %v", got, err)
	}
	r = b.record(s, r, 0, tenants.FactDeclined, b.clock.Now())
	_, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	if got, err := s.Qualities().Get(ctx, r.ID); err != nil || got != nil {
		b.Errorf("after its ring: %v, %v", got, err)
	}
	equal(b, count(), 7, "values after the ring is gone")
	b.clock.set(b.clock.Now().Add(400 * 24 * time.Hour))
	_, err = b.s.Jobs().Retire(ctx, b.clock.Now())
	b.must(err)
	equal(b, count(), 0, "values after two years")
}
