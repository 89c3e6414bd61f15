package app

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"carillon/app/switchboard"
	"carillon/app/trace"
	"carillon/tenants"
)

// Tracing is where the traces of rings are sent, in the variables of OpenTelemetry's specification.
// Its SDK reads the variables that are not here: headers, certificates, compression, sampler,
// batches, resource.
type Tracing struct {
	OTLPEndpoint       string `name:"otlp-endpoint" help:"Such as http://127.0.0.1:4318; empty = no traces." env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPTracesEndpoint string `name:"otlp-traces-endpoint" help:"The whole URL." env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
	OTLPProtocol       string `name:"otlp-protocol" help:"http/protobuf or http/json." env:"OTEL_EXPORTER_OTLP_TRACES_PROTOCOL,OTEL_EXPORTER_OTLP_PROTOCOL" default:"http/protobuf"`
	TracesExporter     string `help:"otlp, or none for no traces whatever else is set." env:"OTEL_TRACES_EXPORTER" default:"otlp"`
	OTelDisabled       string `name:"otel-disabled" help:"true = no traces whatever else is set." env:"OTEL_SDK_DISABLED"`
}

// url is where traces are sent; empty = no traces.
func (t Tracing) url() string {
	if strings.EqualFold(t.OTelDisabled, "true") || t.TracesExporter == "none" {
		return ""
	}
	if t.OTLPTracesEndpoint != "" {
		return t.OTLPTracesEndpoint
	}
	if t.OTLPEndpoint == "" {
		return ""
	}
	joined, err := url.JoinPath(t.OTLPEndpoint, "v1/traces") // the specification of the OTLP exporter, "Endpoint URLs for OTLP/HTTP"
	if err != nil {
		return t.OTLPEndpoint // which check refuses
	}
	return joined
}

func (t Tracing) check(fault func(string, error)) {
	address := t.url()
	if address == "" {
		return
	}
	name := "OTEL_EXPORTER_OTLP_ENDPOINT"
	if t.OTLPTracesEndpoint != "" {
		name = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	}
	fault(name, trace.CheckURL(address))
	if p := t.OTLPProtocol; p != "" && p != "http/protobuf" && p != "http/json" {
		fault("OTEL_EXPORTER_OTLP_PROTOCOL", errors.New("must be http/protobuf or http/json; collectors take OTLP over HTTP on port 4318"))
	}
	if e := t.TracesExporter; e != "" && e != "otlp" {
		fault("OTEL_TRACES_EXPORTER", errors.New("must be otlp or none"))
	}
}

// open returns the tracer, or nil if traces are off.
func (t Tracing) open(ctx context.Context, log *slog.Logger) (*trace.Tracer, error) {
	if t.url() == "" {
		return nil, nil
	}
	return trace.New(ctx, trace.Config{URL: t.url(), JSON: t.OTLPProtocol == "http/json", Log: log})
}

var _ switchboard.Audience = traceAudience{}

// traceAudience adds to a ring's trace what happened after Apple's answer. The steps before it are
// in the trace already: the switchboard makes a span for each.
type traceAudience struct{ tracer *trace.Tracer }

// Recorded adds a span for each fact that a phone or the gateway caused.
func (t traceAudience) Recorded(r *tenants.Ring, facts []tenants.Fact) {
	for i := range facts {
		f := &facts[i]
		reason := ""
		switch f.Kind {
		case tenants.FactPlaced, tenants.FactSent, tenants.FactAccepted, tenants.FactRefused:
			continue
		case tenants.FactFailedToShow, tenants.FactSilenced:
			reason = f.Detail // the name of a CallKit code; other details may hold what a person typed
		}
		t.tracer.Fact(trace.Fact{
			Attempt: string(f.Attempt), Ring: string(r.ID), Hop: string(f.Kind), Reason: reason,
			From: hopBefore(r, f), At: f.At,
		})
	}
}

// hopBefore returns the time of the hop before the fact's. It is zero if that is unknown, or if the
// fact is no hop.
func hopBefore(r *tenants.Ring, f *tenants.Fact) time.Time {
	for _, h := range tenants.Hops {
		if h.Fact != f.Kind || h.From == "" {
			continue
		}
		for i := range r.Attempts {
			a := &r.Attempts[i]
			if a.ID != f.Attempt {
				continue
			}
			for _, before := range a.Facts {
				if before.Kind == h.From {
					return before.At
				}
			}
		}
	}
	return time.Time{}
}
