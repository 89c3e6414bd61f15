package app

import (
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/app/trace/tracetest"
)

const (
	agentTrace  = "4bf92f3577b34da6a3ce929d0e0e4736"
	agentParent = "00f067aa0ba902b7"
)

// TestOneTraceForEachRing: an agent's trace goes on through the request, the commit, the push and
// Apple's answer to what the phone said; it is delivered when the server stops, and names nobody.
func TestOneTraceForEachRing(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	collector := tracetest.New()
	defer collector.Close()
	s, m := produce(t, []string{"--data", t.TempDir()}, apple, "--otlp-endpoint", collector.Endpoint())
	device := s.furnish(apple, m)

	ring := s.placeTraced(t, `{"to":{"person":"front-desk"},"caller":"Elm Dental","reference":"lead-7"}`, 201)
	s.until(ring, func(r toldRing) bool { return r.State == "pushed" })
	for _, body := range []string{`"kind":"woke"`, `"kind":"failed_to_show","code":3`, `"kind":"shown"`} {
		if status := s.call("POST", "/v1/phone/rings/"+ring+"/facts", device.Credential,
			`{"at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z",`+body+`}`, nil); status != 200 {
			t.Fatalf("%s gave %d", body, status)
		}
	}
	s.until(ring, func(r toldRing) bool { return r.EndReason != "" })
	s.placeTraced(t, `{"to":{"person":"nobody-here"}}`, 422)
	s.exemplars(t)
	if s.stop() != 0 {
		t.Fatal("the server ended badly")
	}

	if f := collector.Faults(); len(f) > 0 {
		t.Error(f)
	}
	spans := collector.Spans()
	checkTree(t, spans, ring)
	for _, x := range spans {
		if x.Resource["service.name"] != "carillon" {
			t.Errorf("%+v", x.Resource)
		}
		said := strings.ToLower(fmt.Sprint(x.Name, x.Attributes, x.Events, x.Resource))
		for _, secret := range []string{string(m.TenantID), "elm", "lead-7", "front-desk", "nobody", device.ID,
			device.token, device.Credential, m.APIKey, "keykey1234", "abcde12345"} {
			if strings.Contains(said, strings.ToLower(secret)) {
				t.Errorf("%s tells %q: %s", x.Name, secret, said)
			}
		}
	}
}

// exemplars waits until the histograms of pushes and rings name the agent's trace, to a client that
// accepts OpenMetrics, and to no other.
func (s *server) exemplars(t *testing.T) {
	t.Helper()
	scrape := func(accept string) string {
		q, err := http.NewRequestWithContext(t.Context(), "GET", s.metrics, nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Header.Set("Accept", accept)
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		text, err := io.ReadAll(a.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	named := func(series string) *regexp.Regexp {
		return regexp.MustCompile(`(?m)^` + series + `[^}]*\} \d+ # \{trace_id="` + agentTrace + `"\} `)
	}
	wanted := []*regexp.Regexp{named(`carillon_push_seconds_bucket\{environment="production"`),
		named(`carillon_hop_seconds_bucket\{hop="accepted"`), named(`carillon_hop_seconds_bucket\{hop="woke"`)}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		text := scrape("application/openmetrics-text; version=1.0.0")
		missing := slices.DeleteFunc(slices.Clone(wanted), func(r *regexp.Regexp) bool { return r.MatchString(text) })
		if len(missing) == 0 && strings.HasSuffix(text, "# EOF\n") {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%v is not in\n%s", missing, text)
		}
	}
	if text := scrape("text/plain"); strings.Contains(text, agentTrace) {
		t.Error("the plain format has no exemplars")
	}
}

// checkTree looks at every span of the ring and of the refused request.
func checkTree(t *testing.T, spans []tracetest.Span, ring string) {
	t.Helper()
	var root, push tracetest.Span
	for _, x := range spans {
		if x.Trace != agentTrace {
			t.Errorf("%s is in trace %s", x.Name, x.Trace)
		}
		switch {
		case x.Name == "POST /v1/rings" && x.Attributes["carillon.ring.id"] == ring:
			root = x
		case x.Name == "push":
			push = x
		}
	}
	tree := map[string]int{}
	for _, x := range spans {
		under := map[string]string{root.ID: "root", push.ID: "push", agentParent: "agent"}[x.Parent]
		tree[fmt.Sprintf("%s > %s %s env=%v status=%v hop=%v reason=%v failed=%v", under, x.Kind, x.Name,
			x.Attributes["carillon.environment"], x.Attributes["http.response.status_code"],
			x.Attributes["carillon.hop"], x.Attributes["carillon.reason"], x.Failed)]++
		if id := x.Attributes["carillon.ring.id"]; id != ring && x.Name != "apns" && x.Attributes["carillon.reason"] != "no_devices" {
			if under == "root" || under == "agent" {
				t.Errorf("%s is about ring %v", x.Name, id)
			}
		}
		if hop := x.Attributes["carillon.hop"]; hop != nil && (len(x.Links) != 1 || x.Links[0] != push.ID) {
			t.Errorf("%s is linked to %v, want the push %s", hop, x.Links, push.ID)
		}
	}
	for _, want := range []string{
		"agent > server POST /v1/rings env=<nil> status=201 hop=<nil> reason=<nil> failed=false",
		"root > internal commit env=<nil> status=<nil> hop=<nil> reason=<nil> failed=false",
		"root > internal push env=production status=200 hop=<nil> reason=<nil> failed=false",
		"push > client apns env=production status=200 hop=<nil> reason=<nil> failed=false",
		"push > internal commit env=<nil> status=<nil> hop=<nil> reason=<nil> failed=false",
		"root > internal woke env=<nil> status=<nil> hop=woke reason=<nil> failed=false",
		"root > internal shown env=<nil> status=<nil> hop=shown reason=<nil> failed=false",
		"root > internal failed_to_show env=<nil> status=<nil> hop=failed_to_show reason=do_not_disturb failed=false",
		"agent > server POST /v1/rings env=<nil> status=422 hop=<nil> reason=no_devices failed=false",
	} {
		if tree[want] != 1 {
			t.Errorf("%d times: %s", tree[want], want)
		}
		delete(tree, want)
	}
	if len(tree) > 0 {
		t.Errorf("and more: %v", tree)
	}
}

// placeTraced places a ring as an agent that traces its own work.
func (s *server) placeTraced(t *testing.T, body string, want int) (ring string) {
	t.Helper()
	q, err := http.NewRequestWithContext(t.Context(), "POST", s.ready.URL+"/v1/rings", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+s.ready.APIKey)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("traceparent", "00-"+agentTrace+"-"+agentParent+"-01")
	q.Header.Set("tracestate", "elm=secret")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		t.Fatal(err)
	}
	defer a.Body.Close()
	if a.StatusCode != want {
		t.Fatalf("placing gave %d, want %d", a.StatusCode, want)
	}
	return strings.TrimPrefix(a.Header.Get("Location"), "/v1/rings/")
}

// TestTracingConfig: what the standard variables say, and their faults with their names.
func TestTracingConfig(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		t          Tracing
		url, fault string
	}{
		{Tracing{}, "", ""},
		{Tracing{OTLPEndpoint: "http://c:4318"}, "http://c:4318/v1/traces", ""},
		{Tracing{OTLPEndpoint: "https://c/otlp/"}, "https://c/otlp/v1/traces", ""},
		{Tracing{OTLPEndpoint: "http://c", OTLPTracesEndpoint: "http://d/x"}, "http://d/x", ""},
		{Tracing{OTLPEndpoint: "http://c", OTelDisabled: "TRUE"}, "", ""},
		{Tracing{OTLPEndpoint: "http://c", TracesExporter: "none"}, "", ""},
		{Tracing{OTLPEndpoint: "c:4318"}, "c:4318", "OTEL_EXPORTER_OTLP_ENDPOINT"},
		{Tracing{OTLPTracesEndpoint: "d"}, "d", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"},
		{Tracing{OTLPEndpoint: "http://c", OTLPProtocol: "grpc"}, "http://c/v1/traces", "OTEL_EXPORTER_OTLP_PROTOCOL"},
		{Tracing{OTLPEndpoint: "http://c", TracesExporter: "zipkin"}, "http://c/v1/traces", "OTEL_TRACES_EXPORTER"},
	} {
		fault := ""
		x.t.check(func(name string, err error) {
			if err != nil {
				fault += name
			}
		})
		if got := x.t.url(); got != x.url || fault != x.fault {
			t.Errorf("%+v: %q, fault in %q", x.t, got, fault)
		}
	}
}
