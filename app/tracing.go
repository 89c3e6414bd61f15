package app

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"

	"carillon/app/trace"
)

// Tracing is where the traces of rings are sent, in the variables of OpenTelemetry's specification.
// Its SDK reads the variables that are not here: headers, certificates, compression, sampler,
// batches, resource.
type Tracing struct {
	OTLPEndpoint       string `name:"otlp-endpoint" help:"Collector of OpenTelemetry traces, OTLP over HTTP, such as http://127.0.0.1:4318; empty = no traces, at no cost. The other OTEL_* variables hold too." env:"OTEL_EXPORTER_OTLP_ENDPOINT"`
	OTLPTracesEndpoint string `name:"otlp-traces-endpoint" help:"The same, whole: nothing is added to it." env:"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"`
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
	whole, err := url.JoinPath(t.OTLPEndpoint, "v1/traces") // the specification of the OTLP exporter, "Endpoint URLs for OTLP/HTTP"
	if err != nil {
		return t.OTLPEndpoint // which check refuses
	}
	return whole
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
