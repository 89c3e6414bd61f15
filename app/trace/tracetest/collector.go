// Package tracetest is a trace collector inside this process. It accepts OTLP over HTTP as
// protobuf, keeps the spans, and records each breach of the protocol
// (opentelemetry.io/docs/specs/otlp). Start reading at New.
package tracetest

import (
	"compress/gzip"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"

	collect "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	wire "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"
)

// Span is one step of a trace, as it arrived.
type Span struct {
	Trace, ID, Parent string // hex; no parent = empty
	Name, Kind        string // kind: internal, server, client
	Start, End        time.Time
	Attributes        map[string]any // strings and whole numbers
	Resource          map[string]any // of the process
	Events            []string
	Links             []string // ids of spans
	Failed            bool
}

// Collector keeps spans until Close.
type Collector struct {
	server *httptest.Server

	mu     sync.Mutex // guards the rest
	refuse int        // status to refuse with; 0 = accept
	spans  []Span
	faults []string
}

// New starts a collector on a free port of this machine.
func New() *Collector {
	c := &Collector{}
	c.server = httptest.NewServer(http.HandlerFunc(c.serve))
	return c
}

// Endpoint is what OTEL_EXPORTER_OTLP_ENDPOINT is set to.
func (c *Collector) Endpoint() string { return c.server.URL }

// Refuse answers every later request with the status; 0 accepts them again.
func (c *Collector) Refuse(status int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.refuse = status
}

// Close stops the collector.
func (c *Collector) Close() { c.server.Close() }

// Spans returns the spans received so far.
func (c *Collector) Spans() []Span {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]Span(nil), c.spans...)
}

// Faults returns the breaches of the protocol so far.
func (c *Collector) Faults() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]string(nil), c.faults...)
}

func (c *Collector) serve(w http.ResponseWriter, q *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.refuse != 0 {
		w.WriteHeader(c.refuse)
		return
	}
	if err := c.readRequest(q); err != nil {
		c.faults = append(c.faults, err.Error())
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	answer, err := proto.Marshal(&collect.ExportTraceServiceResponse{})
	if err == nil {
		_, err = w.Write(answer)
	}
	if err != nil {
		c.faults = append(c.faults, err.Error())
	}
}

// readRequest reads one request. Called with mu held.
func (c *Collector) readRequest(q *http.Request) error {
	kind, _, err := mime.ParseMediaType(q.Header.Get("Content-Type"))
	if err != nil || kind != "application/x-protobuf" || q.Method != http.MethodPost || q.URL.Path != "/v1/traces" {
		return fmt.Errorf("%s %s with %q", q.Method, q.URL.Path, q.Header.Get("Content-Type"))
	}
	body := io.Reader(q.Body)
	if q.Header.Get("Content-Encoding") == "gzip" {
		if body, err = gzip.NewReader(q.Body); err != nil {
			return err
		}
	}
	text, err := io.ReadAll(io.LimitReader(body, 4<<20))
	if err != nil {
		return err
	}
	var sent collect.ExportTraceServiceRequest
	if err := proto.Unmarshal(text, &sent); err != nil {
		return err
	}
	if len(sent.ProtoReflect().GetUnknown()) > 0 || len(sent.ResourceSpans) == 0 {
		return fmt.Errorf("a request with %d resources, or with unknown fields", len(sent.ResourceSpans))
	}
	for _, r := range sent.ResourceSpans {
		about := attributes(r.GetResource().GetAttributes())
		if name, _ := about["service.name"].(string); name == "" {
			return fmt.Errorf("a resource without service.name: %v", about)
		}
		for _, scope := range r.ScopeSpans {
			for _, s := range scope.Spans {
				span, err := c.checkSpan(s, about)
				if err != nil {
					return fmt.Errorf("span %q: %w", s.Name, err)
				}
				c.spans = append(c.spans, span)
			}
		}
	}
	return nil
}

// checkSpan checks one span. Called with mu held.
func (c *Collector) checkSpan(s *wire.Span, about map[string]any) (Span, error) {
	x := Span{
		Trace: hex.EncodeToString(s.TraceId), ID: hex.EncodeToString(s.SpanId), Parent: hex.EncodeToString(s.ParentSpanId), Name: s.Name,
		Kind:  strings.ToLower(strings.TrimPrefix(s.Kind.String(), "SPAN_KIND_")),
		Start: time.Unix(0, int64(s.StartTimeUnixNano)), End: time.Unix(0, int64(s.EndTimeUnixNano)),
		Attributes: attributes(s.Attributes), Resource: about, Failed: s.GetStatus().GetCode() == wire.Status_STATUS_CODE_ERROR,
	}
	for _, e := range s.Events {
		x.Events = append(x.Events, e.Name)
	}
	for _, l := range s.Links {
		x.Links = append(x.Links, hex.EncodeToString(l.SpanId))
	}
	switch {
	case len(s.TraceId) != 16 || strings.Trim(x.Trace, "0") == "", len(s.SpanId) != 8 || strings.Trim(x.ID, "0") == "":
		return x, fmt.Errorf("ids %s and %s", x.Trace, x.ID)
	case len(s.ParentSpanId) != 0 && len(s.ParentSpanId) != 8:
		return x, fmt.Errorf("parent %s", x.Parent)
	case s.Name == "" || s.StartTimeUnixNano == 0 || x.End.Before(x.Start):
		return x, fmt.Errorf("from %s to %s", x.Start, x.End)
	case s.DroppedAttributesCount+s.DroppedEventsCount+s.DroppedLinksCount > 0:
		return x, fmt.Errorf("something was dropped of it")
	case s.TraceState != "" || s.GetStatus().GetMessage() != "":
		return x, fmt.Errorf("tracestate %q and message %q may hold a stranger's words", s.TraceState, s.GetStatus().GetMessage())
	}
	for _, other := range c.spans {
		if other.ID == x.ID {
			return x, fmt.Errorf("came twice")
		}
	}
	return x, nil
}

func attributes(list []*common.KeyValue) map[string]any {
	all := map[string]any{}
	for _, a := range list {
		switch v := a.GetValue().GetValue().(type) {
		case *common.AnyValue_StringValue:
			all[a.Key] = v.StringValue
		case *common.AnyValue_IntValue:
			all[a.Key] = v.IntValue
		default:
			all[a.Key] = fmt.Sprint(v)
		}
	}
	return all
}
