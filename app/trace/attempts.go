package trace

import (
	"context"
	"sync"
	"time"

	"go.opentelemetry.io/otel/attribute"
	otel "go.opentelemetry.io/otel/trace"
)

// maxAttempts bounds the remembered attempts of one generation; there are two generations.
const maxAttempts = 1 << 15

// attemptTraces remembers the trace of each attempt, so that later reports of the phone join it. It
// forgets the oldest attempts when it is full; their facts are still in the database. The zero
// value is ready to use.
type attemptTraces struct {
	mu         sync.Mutex // guards both
	young, old map[string]attemptTrace
}

// attemptTrace holds the spans of one attempt: its facts join the ring's trace and link to the
// push.
type attemptTrace struct{ ring, push otel.SpanContext }

func (t *attemptTraces) put(attempt string, x attemptTrace) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.young == nil || len(t.young) >= maxAttempts {
		t.old, t.young = t.young, map[string]attemptTrace{}
	}
	t.young[attempt] = x
}

func (t *attemptTraces) get(attempt string) (attemptTrace, bool) {
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
	t.attempts.put(attempt, attemptTrace{ring.s.SpanContext(), push.s.SpanContext()})
}

// TraceID returns the trace of an attempt's ring in hexadecimal. It is empty if nobody samples the
// trace, or if this process no longer remembers the attempt.
func (t *Tracer) TraceID(attempt string) string {
	if t == nil {
		return ""
	}
	if x, ok := t.attempts.get(attempt); ok && x.ring.IsSampled() {
		return x.ring.TraceID().String()
	}
	return ""
}

// Fact is something that happened to an attempt after its push.
type Fact struct {
	Attempt, Ring string
	Hop           string    // what happened
	Reason        string    // one of a fixed list, or empty
	From, At      time.Time // time of the previous hop (zero = unknown), and of this one
}

// Fact adds a span from the previous hop to the fact. It does nothing if this process no longer
// remembers the attempt.
func (t *Tracer) Fact(f Fact) {
	if t == nil {
		return
	}
	x, ok := t.attempts.get(f.Attempt)
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
		s.SetAttributes(attribute.String(keyReason, safeWord(f.Reason)))
	}
	s.End(otel.WithTimestamp(f.At))
}
