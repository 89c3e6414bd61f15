package switchboard_test

import (
	"context"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// TestHowACallSoundsIsStored: every 30 s and at the end, on a loop of its own, and once.
func TestHowACallSoundsIsStored(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	counts := &meter{}
	w.config.Meter = counts
	w.open()
	w.clock.Stop()
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	sample := func(s gateway.Sample) {
		w.clock.Pass(5 * time.Second)
		m.on(gateway.Event{Kind: gateway.Sampled, At: w.clock.Now(), Sample: s})
	}
	leg := gateway.LegSample{MOS: 4.2, JitterIn: 3 * time.Millisecond, RoundTrip: 40 * time.Millisecond}
	stored := func() *tenants.CallQuality {
		t.Helper()
		must(t, w.board.SaveQuality(t.Context()))
		q, err := w.scope.Qualities().Get(t.Context(), r.ID)
		must(t, err)
		return q
	}
	sample(gateway.Sample{Phone: leg, FirstAudio: 300 * time.Millisecond})
	if q := stored(); q != nil {
		t.Errorf("stored after 5 s: %+v", q)
	}
	for range 5 {
		sample(gateway.Sample{Phone: leg, BargeIns: []time.Duration{200 * time.Millisecond}})
	}
	q := stored()
	if q == nil || len(q.Samples) != 6 || q.FirstAudio != 300*time.Millisecond || len(q.BargeIns) != 5 ||
		q.Samples[0].At != 5*time.Second || q.Samples[0].Phone.MOS != 4.2 {
		t.Fatalf("stored after 30 s: %+v", q)
	}
	sample(gateway.Sample{Phone: leg, Agent: gateway.LegSample{MOS: 3, Underruns: 2}})
	if q := stored(); len(q.Samples) != 6 {
		t.Errorf("stored again after 5 s: %d samples", len(q.Samples))
	}
	end := func() {
		m.on(gateway.Event{Kind: gateway.Ended, Reason: gateway.PhoneHungUp, At: w.clock.Now()})
	}
	end()
	if q := stored(); len(q.Samples) != 7 || q.Samples[6].Agent.Underruns != 2 {
		t.Errorf("stored at the end: %+v", q)
	}
	if n := len(counts.samples); n != 7 {
		t.Errorf("%d samples were counted", n)
	}
	figures := func() (n int64) {
		t.Helper()
		all, err := w.scope.Analytics().Figures(t.Context(), time.Time{}, time.Time{})
		must(t, err)
		for _, n1 := range all[tenants.FigureMOS] {
			n += n1
		}
		return n
	}
	end() // the gateway says it once, and a second time would change nothing
	stored()
	if n := figures(); n != 1 {
		t.Errorf("the call counts %d times", n)
	}

	// Another call ends while the board is closed: nobody runs the loop any more.
	r = w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	sample(gateway.Sample{Phone: leg})
	must(t, w.board.Close(context.Background()))
	sample(gateway.Sample{Phone: leg})
	end()
	q, err := w.scope.Qualities().Get(t.Context(), r.ID)
	if must(t, err); q == nil || len(q.Samples) != 2 || figures() != 2 {
		t.Errorf("stored after Close: %+v", q)
	}
}

// TestASilentSideIsAFact: with the side, once for each side.
func TestASilentSideIsAFact(t *testing.T) {
	t.Parallel()
	w, m := silent(t)
	d := w.device("")
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	must(t, answerError(w, d, r))
	for _, side := range []gateway.Side{gateway.AgentSide, gateway.PhoneSide} {
		m.on(gateway.Event{Kind: gateway.OneWay, Silent: side, At: w.clock.Now()})
	}
	w.board.StoreSoon(r.ID)
	got := w.state(r.ID, tenants.Answered)
	var details []string
	for _, f := range got.Facts() {
		if f.Kind == tenants.FactOneWay {
			details = append(details, f.Detail)
		}
	}
	if len(details) != 2 || details[0] != "agent" || details[1] != "phone" {
		t.Errorf("facts of the silence: %q in %+v", details, got.Facts())
	}
}
