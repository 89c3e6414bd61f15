package trace

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otel "go.opentelemetry.io/otel/trace"
)

// trailsMost bounds the attempts that are remembered in one generation; there are two.
const trailsMost = 1 << 15

// trails remember to which trace an attempt belongs, so that what its phone says later finds it.
// When many attempts came since, the eldest are forgotten: their facts are in the database, only no
// longer in a trace. The zero value is ready.
type trails struct {
	mu         sync.Mutex // guards both
	young, old map[string]trail
}

// trail is where an attempt's facts belong: into the trace of its ring, linked to its push.
type trail struct{ ring, push otel.SpanContext }

func (t *trails) put(attempt string, x trail) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.young == nil || len(t.young) >= trailsMost {
		t.old, t.young = t.young, map[string]trail{}
	}
	t.young[attempt] = x
}

func (t *trails) get(attempt string) (trail, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	x, ok := t.young[attempt]
	if !ok {
		x, ok = t.old[attempt]
	}
	return x, ok
}

// Follow remembers that the facts of an attempt belong to the trace of ring, and are linked to
// push.
func (t *Tracer) Follow(attempt string, ring, push Span) {
	if t == nil || ring.s == nil || push.s == nil {
		return
	}
	t.trails.put(attempt, trail{ring.s.SpanContext(), push.s.SpanContext()})
}

// Fact is something that happened to an attempt after its push.
type Fact struct {
	Attempt, Ring string
	Hop           string    // what happened
	Reason        string    // a word of a fixed list, or empty
	From, At      time.Time // since the hop before, which may be unknown, and when
}

// Fact adds a span that lasts from the hop before to the fact, if this process still knows the
// attempt's trace.
func (t *Tracer) Fact(f Fact) {
	if t == nil {
		return
	}
	x, ok := t.trails.get(f.Attempt)
	if !ok {
		return
	}
	from := f.From
	if from.IsZero() || from.After(f.At) {
		from = f.At
	}
	_, s := t.tracer.Start(otel.ContextWithSpanContext(context.Background(), x.ring), f.Hop,
		otel.WithTimestamp(from), otel.WithLinks(otel.Link{SpanContext: x.push}),
		otel.WithAttributes(attribute.String(keyRing, f.Ring), attribute.String(keyHop, f.Hop)))
	if f.Reason != "" {
		s.SetAttributes(attribute.String(keyReason, word(f.Reason)))
	}
	s.End(otel.WithTimestamp(f.At))
}
