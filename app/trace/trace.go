// Package trace sends one OpenTelemetry trace per ring to a collector: from the request to Apple's
// answer, and the phone's reports while this process remembers the attempt.
//
// It knows spans, not rings or tenants. A trace holds times, step names, ring ids, hops,
// environments, statuses and reasons. It never holds a tenant's text, names or tokens, so the
// collector may belong to a third party. A caller's tracestate is dropped for the same reason; its
// traceparent is used (W3C Trace Context, 3.2).
//
// A nil *Tracer and the zero Span do nothing and allocate nothing, so callers need not check
// whether tracing is on. Start reading at New.
package trace

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	otel "go.opentelemetry.io/otel/trace"
)

// Config says where traces go. Everything else (headers, certificates, sampling, batches) the SDK
// reads from the OTEL_* variables that its specification names.
type Config struct {
	URL  string       // where the collector takes OTLP over HTTP, such as http://127.0.0.1:4318/v1/traces
	JSON bool         // as JSON; false = as protobuf
	Log  *slog.Logger // gets a warning when traces could not be delivered
}

// flushTime bounds the last delivery when the process ends.
const flushTime = 5 * time.Second

// Tracer makes spans and delivers them in the background. Close delivers what is left.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	attempts attemptTraces
}

// CheckURL returns an error if s cannot be Config.URL.
func CheckURL(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("%q is not an http:// or https:// address", s)
	}
	return nil
}

// New starts the delivery. It does not contact the collector: an unreachable collector loses traces
// but does not delay a ring.
func New(ctx context.Context, c Config) (*Tracer, error) {
	if c.Log == nil {
		return nil, errors.New("trace: Log is required")
	}
	if err := CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "carillon")),
		resource.WithTelemetrySDK(), resource.WithFromEnv())
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	coding := otlptracehttp.EncodingProtobuf
	if c.JSON {
		coding = otlptracehttp.EncodingJSON
	}
	out, err := otlptracehttp.New(ctx, otlptracehttp.WithEndpointURL(c.URL), otlptracehttp.WithEncoding(coding))
	if err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	p := sdk.NewTracerProvider(sdk.WithBatcher(&exporter{SpanExporter: out, log: c.Log}), sdk.WithResource(about))
	return &Tracer{provider: p, tracer: p.Tracer("carillon")}, nil
}

// Close delivers the remaining spans within flushTime and drops the rest. On a nil Tracer it does
// nothing.
func (t *Tracer) Close() error {
	if t == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTime)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return fmt.Errorf("trace: %w", err)
	}
	return nil
}

// Span is one step of a ring. The zero Span does nothing.
type Span struct {
	t *Tracer
	s otel.Span // nil = not sampled
}

// Request begins the span of a request. It continues the caller's trace if traceparent is valid,
// and starts a new trace otherwise.
func (t *Tracer) Request(traceparent, name string) Span {
	if t == nil {
		return Span{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return t.begin(ctx, name, otel.SpanKindServer)
}

// Start begins a trace that does not belong to a request.
func (t *Tracer) Start(name string) Span {
	if t == nil {
		return Span{}
	}
	return t.begin(context.Background(), name, otel.SpanKindInternal)
}

func (t *Tracer) begin(ctx context.Context, name string, kind otel.SpanKind) Span {
	_, s := t.tracer.Start(ctx, name, otel.WithSpanKind(kind))
	if !s.IsRecording() {
		return Span{t: t}
	}
	return Span{t, s}
}

// Step begins a step of s in this process.
func (s Span) Step(name string) Span { return s.child(name, otel.SpanKindInternal) }

// Ask begins a step of s that is a request to another server.
func (s Span) Ask(name string) Span { return s.child(name, otel.SpanKindClient) }

func (s Span) child(name string, kind otel.SpanKind) Span {
	if s.s == nil {
		return s
	}
	return s.t.begin(otel.ContextWithSpan(context.Background(), s.s), name, kind)
}

// Decided says whether the sampling decision was made, also when it was no.
func (s Span) Decided() bool { return s.t != nil }

// The names of attributes. There are no others.
const (
	keyRing        = "carillon.ring.id"
	keyHop         = "carillon.hop"
	keyEnvironment = "carillon.environment"
	keyReason      = "carillon.reason"
	keyStatus      = "http.response.status_code"
)

// Ring sets the ring id.
func (s Span) Ring(id string) {
	if s.s != nil {
		s.s.SetAttributes(attribute.String(keyRing, id))
	}
}

// Answered sets the status of an HTTP answer (0 = no answer) and its reason, one of a fixed list.
// Status 0 and 5xx mark the span as an error.
func (s Span) Answered(status int, reason string) {
	if s.s == nil {
		return
	}
	if status != 0 {
		s.s.SetAttributes(attribute.Int(keyStatus, status))
	}
	if reason != "" {
		s.s.SetAttributes(attribute.String(keyReason, safeWord(reason)))
	}
	if status == 0 || status >= 500 {
		s.s.SetStatus(codes.Error, "")
	}
}

// Environment sets the APNs environment.
func (s Span) Environment(e string) {
	if s.s != nil {
		s.s.SetAttributes(attribute.String(keyEnvironment, safeWord(e)))
	}
}

// Failed marks the step as an error.
func (s Span) Failed() {
	if s.s != nil {
		s.s.SetStatus(codes.Error, "")
	}
}

// Event adds an event to the step.
func (s Span) Event(name string) {
	if s.s != nil {
		s.s.AddEvent(name)
	}
}

// End ends the step. Its child steps may end later.
func (s Span) End() {
	if s.s != nil {
		s.s.End()
	}
}

// safeWord returns s if it looks like a word of a fixed list, otherwise "other", so that outside
// text cannot leave in a trace.
func safeWord(s string) string {
	if len(s) > 64 {
		return "other"
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_') {
			return "other"
		}
	}
	return s
}

type spanKey struct{}

// With returns a context that carries s, or ctx itself for the zero Span.
func With(ctx context.Context, s Span) context.Context {
	if s.t == nil {
		return ctx
	}
	return context.WithValue(ctx, spanKey{}, s)
}

// From returns the span that ctx carries, or the zero Span.
func From(ctx context.Context) Span {
	s, _ := ctx.Value(spanKey{}).(Span)
	return s
}
