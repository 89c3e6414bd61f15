package trace

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// warnEvery is the shortest time between two warnings in the log.
const warnEvery = time.Minute

// exporter logs lost traces at most once a minute in Config.Log. The SDK alone would use a logger
// that is global to the process.
type exporter struct {
	sdk.SpanExporter
	log *slog.Logger

	mu         sync.Mutex // guards both
	lost       int
	lastWarned time.Time
}

// ExportSpans delivers spans, with the protocol's retries, and counts those that are lost.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += len(spans)
	if time.Since(e.lastWarned) < warnEvery {
		return nil
	}
	e.log.Warn("the trace collector did not accept the spans", "spans_lost", e.lost, "err", err)
	e.lost, e.lastWarned = 0, time.Now()
	return nil
}
