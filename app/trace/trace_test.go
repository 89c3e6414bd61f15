package trace_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/trace"
	"carillon/app/trace/tracetest"
)

const (
	parent    = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
	unsampled = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00"
)

func open(t *testing.T, c *tracetest.Collector, log *slog.Logger) *trace.Tracer {
	t.Helper()
	tracer, err := trace.New(t.Context(), trace.Config{URL: c.Endpoint() + "/v1/traces", Log: log})
	if err != nil {
		t.Fatal(err)
	}
	return tracer
}

// traceRing takes every step that a ring takes.
func traceRing(t *trace.Tracer, ctx context.Context, traceparent string) {
	ring := t.Request(traceparent, "POST /v1/rings")
	ctx = trace.With(ctx, ring)
	s := trace.From(ctx)
	s.Ring("r1")
	step := s.Step("commit")
	step.End()
	push := s.Step("push")
	t.Follow("a1", s, push)
	ask := trace.From(trace.With(ctx, push)).Ask("apns")
	ask.Environment("production")
	ask.Answered(200, "")
	ask.End()
	push.End()
	s.Answered(201, "")
	s.End()
	t.Fact(trace.Fact{Attempt: "a1", Ring: "r1", Hop: "woke", At: time.Unix(1800000000, 0)})
}

// TestNoCollectorAllocatesNothing: without a collector a ring's whole way allocates nothing.
func TestNoCollectorAllocatesNothing(t *testing.T) {
	ctx := t.Context()
	if n := testing.AllocsPerRun(1000, func() { traceRing(nil, ctx, parent) }); n != 0 {
		t.Errorf("%v allocations without a collector", n)
	}
	if err := (*trace.Tracer)(nil).Close(); err != nil {
		t.Error(err)
	}
}

func BenchmarkNoCollector(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		traceRing(nil, b.Context(), parent)
	}
}

func TestOneTrace(t *testing.T) {
	t.Parallel()
	c := tracetest.New()
	defer c.Close()
	tracer := open(t, c, slog.New(slog.DiscardHandler))
	traceRing(tracer, t.Context(), parent)
	if a, b := tracer.TraceID("a1"), tracer.TraceID("a2"); a != parent[3:35] || b != "" || (*trace.Tracer)(nil).TraceID("a1") != "" {
		t.Errorf("the attempt is in trace %q, an unknown one in %q", a, b)
	}
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	byName := map[string]tracetest.Span{}
	for _, s := range c.Spans() {
		byName[s.Name] = s
		if s.Trace != parent[3:35] {
			t.Errorf("%s is in trace %s", s.Name, s.Trace)
		}
	}
	root := byName["POST /v1/rings"]
	for name, want := range map[string]string{
		"POST /v1/rings": parent[36:52], "commit": root.ID, "push": root.ID, "apns": byName["push"].ID, "woke": root.ID,
	} {
		if byName[name].Parent != want {
			t.Errorf("%s has parent %s, want %s", name, byName[name].Parent, want)
		}
	}
	if l := byName["woke"].Links; len(byName) != 5 || len(l) != 1 || l[0] != byName["push"].ID ||
		!byName["woke"].End.Equal(time.Unix(1800000000, 0)) {
		t.Errorf("%+v", byName)
	}
	if len(c.Faults()) > 0 {
		t.Error(c.Faults())
	}
}

// TestCallersSamplingIsHonoured: a caller who samples nothing gets nothing, and one whose
// traceparent cannot be read gets a trace of its own.
func TestCallersSamplingIsHonoured(t *testing.T) {
	t.Parallel()
	c := tracetest.New()
	defer c.Close()
	tracer := open(t, c, slog.New(slog.DiscardHandler))
	traceRing(tracer, t.Context(), unsampled)
	if s := tracer.Request(unsampled, "x"); !s.Decided() {
		t.Error("that nobody samples is a decision too")
	}
	if (trace.Span{}).Decided() || trace.From(t.Context()).Decided() {
		t.Error("nobody has decided anything")
	}
	for _, odd := range []string{"", "00-0-0-01", "zz-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", strings.Repeat("a", 9000)} {
		tracer.Request(odd, "odd").End()
	}
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	spans := c.Spans()
	if len(spans) != 4 {
		t.Fatalf("%+v", spans)
	}
	for _, s := range spans {
		if s.Parent != "" || s.Trace == parent[3:35] {
			t.Errorf("%+v", s)
		}
	}
}

// TestTenantsWordsDoNotLeave: what is no word of a list is not told.
func TestTenantsWordsDoNotLeave(t *testing.T) {
	t.Parallel()
	c := tracetest.New()
	defer c.Close()
	tracer := open(t, c, slog.New(slog.DiscardHandler))
	for _, reason := range []string{"BadDeviceToken", "Anna Smith", "é", strings.Repeat("a", 65)} {
		s := tracer.Start("push")
		s.Answered(400, reason)
		s.End()
	}
	failed := tracer.Start("failed")
	failed.Event("again")
	failed.Answered(0, "no_answer")
	failed.End()
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, s := range c.Spans() {
		counts[fmt.Sprint(s.Name, " ", s.Attributes["carillon.reason"], " ", s.Failed, " ", s.Events)]++
	}
	if len(counts) != 3 || counts["push BadDeviceToken false []"] != 1 || counts["push other false []"] != 3 ||
		counts["failed no_answer true [again]"] != 1 {
		t.Errorf("%v", counts)
	}
}

// TestRememberedAttemptsAreBounded: the facts of attempts long ago are told no more, and memory
// does not grow.
func TestRememberedAttemptsAreBounded(t *testing.T) {
	t.Parallel()
	c := tracetest.New()
	defer c.Close()
	tracer := open(t, c, slog.New(slog.DiscardHandler))
	ring := tracer.Start("ring")
	push := ring.Step("push")
	for i := range 1 << 17 {
		tracer.Follow(fmt.Sprint(i), ring, push)
	}
	tracer.Fact(trace.Fact{Attempt: "0", Hop: "woke", At: time.Now()})
	tracer.Fact(trace.Fact{Attempt: fmt.Sprint(1<<17 - 1), Hop: "shown", At: time.Now()})
	tracer.Fact(trace.Fact{Attempt: fmt.Sprint(1<<17 - 1<<15 - 1), Hop: "answered", At: time.Now()}) // of the generation before
	if err := tracer.Close(); err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range c.Spans() {
		names = append(names, s.Name)
	}
	if got := strings.Join(names, " "); got != "shown answered" {
		t.Errorf("told: %s", got)
	}
}

// safe is a buffer that a log may write to.
type safe struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *safe) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// TestCollectorAway: nothing waits for a collector that refuses, and the log says so once.
func TestCollectorAway(t *testing.T) {
	t.Parallel()
	c := tracetest.New()
	defer c.Close()
	c.Refuse(400)
	var log safe
	tracer := open(t, c, slog.New(slog.NewTextHandler(&log, nil)))
	for range 2000 {
		traceRing(tracer, t.Context(), "")
	}
	if err := tracer.Close(); err != nil {
		t.Error(err)
	}
	if n := strings.Count(log.text.String(), "did not accept the spans"); n != 1 || len(c.Spans()) > 0 {
		t.Errorf("%d spans, and the log says:\n%s", len(c.Spans()), log.text.String())
	}
}

func TestNewRefuses(t *testing.T) {
	t.Parallel()
	log := slog.New(slog.DiscardHandler)
	for _, c := range []trace.Config{
		{Log: log}, {URL: "collector:4318", Log: log}, {URL: "grpc://collector", Log: log},
		{URL: "http://", Log: log}, {URL: "http://collector"},
	} {
		if _, err := trace.New(t.Context(), c); err == nil {
			t.Errorf("%q is accepted", c.URL)
		}
	}
}
