package trace

import (
	"context"
	"log/slog"
	"sync"
	"time"

	sdk "go.opentelemetry.io/otel/sdk/trace"
)

// quiet is how long failures to deliver are not repeated in the log.
const quiet = time.Minute

// exporter says once a minute, in our log, that traces are lost; the SDK itself would tell a logger
// of the whole process.
type exporter struct {
	sdk.SpanExporter
	log *slog.Logger

	mu   sync.Mutex // guards both
	lost int
	said time.Time
}

// ExportSpans delivers, after the retries of the protocol, or counts what is lost.
func (e *exporter) ExportSpans(ctx context.Context, spans []sdk.ReadOnlySpan) error {
	err := e.SpanExporter.ExportSpans(ctx, spans)
	if err == nil {
		return nil
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.lost += len(spans)
	if time.Since(e.said) < quiet {
		return nil
	}
	e.log.Warn("the collector of traces did not take them", "spans_lost", e.lost, "err", err)
	e.lost, e.said = 0, time.Now()
	return nil
}
