// Package trace tells an OpenTelemetry collector what became of each ring: one trace from the
// request to Apple's answer, and on to what the phone reports while this process remembers the
// ring.
//
// It knows spans and nothing of what they stand for. What leaves the process is times, our own
// names of steps, ring ids, hops, environments, statuses and reasons: no tenant's words, names or
// tokens, so that a collector may belong to somebody else. The tracestate of a caller is dropped
// for the same reason; its traceparent is honoured (W3C Trace Context, 3.2).
//
// A nil *Tracer and the zero Span do nothing and cost nothing, so that callers need not ask whether
// anybody listens. Start reading at New.
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
	Log  *slog.Logger // told of traces that could not be delivered
}

// flushTime bounds the last delivery when the process ends.
const flushTime = 5 * time.Second

// Tracer makes spans and delivers them in the background. Close delivers what is left.
type Tracer struct {
	provider *sdk.TracerProvider
	tracer   otel.Tracer
	trails   trails
}

// CheckURL says what is wrong with an address for Config.URL.
func CheckURL(s string) error {
	if u, err := url.Parse(s); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.RawQuery != "" {
		return fmt.Errorf("%q is no http:// or https:// address", s)
	}
	return nil
}

// New starts to deliver. It asks nothing of the collector: one that is away costs traces, never a
// ring.
func New(ctx context.Context, c Config) (*Tracer, error) {
	if c.Log == nil {
		return nil, errors.New("trace: Log is required")
	}
	if err := CheckURL(c.URL); err != nil {
		return nil, fmt.Errorf("trace: %w", err)
	}
	about, err := resource.New(ctx, resource.WithAttributes(attribute.String("service.name", "carillon")), resource.WithTelemetrySDK(), resource.WithFromEnv())
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

// Close delivers what is left, for a few seconds at most. A nil Tracer has nothing left.
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
	s otel.Span // nil = nobody wants this trace
}

// Request begins the trace of a request that came with a traceparent, or with none: then the trace
// is its own.
func (t *Tracer) Request(traceparent, name string) Span {
	if t == nil {
		return Span{}
	}
	ctx := propagation.TraceContext{}.Extract(context.Background(), propagation.MapCarrier{"traceparent": traceparent})
	return t.begin(ctx, name, otel.SpanKindServer)
}

// Start begins a trace that no request asked for.
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

// Ask begins a step of s that asks another server.
func (s Span) Ask(name string) Span { return s.child(name, otel.SpanKindClient) }

func (s Span) child(name string, kind otel.SpanKind) Span {
	if s.s == nil {
		return s
	}
	return s.t.begin(otel.ContextWithSpan(context.Background(), s.s), name, kind)
}

// Decided says whether somebody has begun a trace, or decided that there shall be none.
func (s Span) Decided() bool { return s.t != nil }

// The names of attributes. There are no others.
const (
	keyRing        = "carillon.ring.id"
	keyHop         = "carillon.hop"
	keyEnvironment = "carillon.environment"
	keyReason      = "carillon.reason"
	keyStatus      = "http.response.status_code"
)

// Ring says which ring it is about.
func (s Span) Ring(id string) {
	if s.s != nil {
		s.s.SetAttributes(attribute.String(keyRing, id))
	}
}

// Answered says how an HTTP request was answered: 0 is not at all. A reason is a word of a fixed
// list.
func (s Span) Answered(status int, reason string) {
	if s.s == nil {
		return
	}
	if status != 0 {
		s.s.SetAttributes(attribute.Int(keyStatus, status))
	}
	if reason != "" {
		s.s.SetAttributes(attribute.String(keyReason, word(reason)))
	}
	if status == 0 || status >= 500 {
		s.s.SetStatus(codes.Error, "")
	}
}

// Environment says which of Apple's worlds was asked.
func (s Span) Environment(e string) {
	if s.s != nil {
		s.s.SetAttributes(attribute.String(keyEnvironment, word(e)))
	}
}

// Failed marks a step that did not do what it should.
func (s Span) Failed() {
	if s.s != nil {
		s.s.SetStatus(codes.Error, "")
	}
}

// Event notes something that happened during the step.
func (s Span) Event(name string) {
	if s.s != nil {
		s.s.AddEvent(name)
	}
}

// End ends the step. Steps of it may outlast it.
func (s Span) End() {
	if s.s != nil {
		s.s.End()
	}
}

// word lets through what can be a word of a list and hides what a stranger may have written.
func word(s string) string {
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

// With carries a span in a context; the zero Span needs no carrying.
func With(ctx context.Context, s Span) context.Context {
	if s.t == nil {
		return ctx
	}
	return context.WithValue(ctx, spanKey{}, s)
}

// From is the span that ctx carries, or the zero one.
func From(ctx context.Context) Span {
	s, _ := ctx.Value(spanKey{}).(Span)
	return s
}
