package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"carillon/app/deploy"
)

// series are values by the name of a series.
type series map[string]string

// firing is a course of metrics and the alert that fires in it after an hour. Series are in the
// notation of promtool: the first value, the step of each minute, and how many steps.
type firing struct {
	alert   string
	series  series
	labels  map[string]string // of the alert, beside its severity
	summary string            // empty = it does not fire
}

// onA are the labels of an alert about the instance a.
var onA = map[string]string{"instance": "a"}

var firings = []firing{
	{"CarillonDown", series{`up`: "0x120"}, nil, "Prometheus reads no metrics of Carillon"},
	{"CarillonDown", series{`carillon_room{instance="a"}`: "1x120"}, nil, ""},
	{"CarillonDatabaseDown", series{`carillon_database_up{instance="a"}`: "0x120"}, onA,
		"The database of a does not answer"},
	{"CarillonWritesWait", series{`carillon_store_queue_oldest_seconds{instance="a"}`: "3x120"}, onA,
		"A change has waited 3s for the database of a"},
	{"CarillonShedsLoad", series{`carillon_room{instance="a"}`: "0x120"}, onA,
		"a refuses new work to stay alive"},
	{"CarillonNATSDown", series{`carillon_nats_connected{instance="a"}`: "0x120"}, onA, "a does not reach NATS"},
	{"CarillonNATSDown", series{`carillon_nats_connected{instance="a"}`: "1x120"}, nil, ""},
	{"CarillonClocksDiffer", series{`carillon_clock_off_seconds{instance="a"}`: "-1.5x120",
		`carillon_clock_off_seconds{instance="b"}`: "0.5x120"}, nil, "The clocks of nodes and the database are 2s apart"},
	{"CarillonClocksDiffer", series{`carillon_clock_off_seconds{instance="a"}`: "0.9x120"}, nil, ""},
	{"CarillonVersionsDiffer", series{`carillon_node_programs{instance="a"}`: "2x120"}, nil,
		"2 versions of Carillon run on one database"},
	{"CarillonVersionsDiffer", series{`carillon_node_programs{instance="a"}`: "1x120"}, nil, ""},
	{"CarillonDiskFull", series{`carillon_disk_free_bytes{instance="a"}`: "536870912x120"}, onA,
		"The disk of a has 512MiB left, or will be full within a day"},
	{"CarillonDiskFull", series{`carillon_disk_free_bytes{instance="a"}`: "10737418240-10000000x120"},
		onA, "The disk of a has 9.302GiB left, or will be full within a day"},
	{"CarillonDiskFull", series{`carillon_disk_free_bytes{instance="a"}`: "_x40 10737418240-10000000x80"}, nil, ""}, // a short trend
	{"CarillonDescriptors", series{`process_open_fds{instance="a", job="c"}`: "90x120", `process_max_fds{instance="a", job="c"}`: "100x120",
		`carillon_room{instance="a", job="c"}`: "1x120"}, map[string]string{"instance": "a", "job": "c"},
		"a uses 90% of its file descriptors"},
	{"CarillonDescriptors", series{`process_open_fds{instance="b", job="d"}`: "90x120", `process_max_fds{instance="b", job="d"}`: "100x120",
		`carillon_room{instance="a", job="c"}`: "1x120"}, nil, ""},
	{"CarillonMemory", series{`carillon_memory_refused_total{instance="a"}`: "0+1x120"}, onA,
		"a refused 10 requests because memory runs out"},
	{"CarillonRingsFail", series{`carillon_rings_ended_total{state="failed"}`: "0+5x120",
		`carillon_rings_ended_total{state="ended"}`: "0+15x120"}, nil, "25% of the rings fail"},
	{"CarillonRingsFail", series{`carillon_rings_ended_total{state="failed"}`: "0+1x120"}, nil, ""}, // too few to say
	{"CarillonPhonesSilent", series{`carillon_facts_total{fact="shown"}`: "0+1x120",
		`carillon_facts_total{fact="accepted"}`: "0+10x120"}, nil, "Only 10% of the pushes that Apple took are shown by a phone"},
	{"CarillonAppleErrors", series{`carillon_pushes_total{status="503"}`: "0+10x120", `carillon_pushes_total{status="200"}`: "0+90x120"},
		nil, "Apple does not answer, or with an error of its own, for 10% of the pushes"},
	{"CarillonAppleRefuses", series{`carillon_pushes_total{status="403"}`: "0+20x120", `carillon_pushes_total{status="200"}`: "0+80x120"},
		nil, "Apple refuses the credentials of 20% of the pushes"},
	{"CarillonAppleSlow", series{`carillon_push_seconds_bucket{le="5"}`: "0+10x120", `carillon_push_seconds_bucket{le="2.5"}`: "0x120",
		`carillon_push_seconds_bucket{le="+Inf"}`: "0+10x120"}, nil, "One push in a hundred takes longer than 4.975s"},
	{"CarillonSweepLate", series{`carillon_sweep_late_seconds_bucket{le="5"}`: "0+10x120",
		`carillon_sweep_late_seconds_bucket{le="+Inf"}`: "0+10x120"}, nil, "Unanswered rings end up to 4.95s late"},
	{"CarillonLoopFails", series{`carillon_loop_errors_total{instance="a", loop="sweep"}`: "0+1x120"},
		map[string]string{"instance": "a", "loop": "sweep"}, "The loop sweep of a fails again and again"},
	{"CarillonCertificateExpires", series{`carillon_certificate_expiry_timestamp_seconds`: "86400x120"}, nil,
		"An Apple certificate in use expires in less than 14 days, or has expired"},
	{"CarillonCertificateExpires", series{`carillon_certificate_expiry_timestamp_seconds`: "0x120"}, nil, ""},
	{"CarillonAgentsFail", series{`carillon_facts_total{fact="agent_failed"}`: "0+1x120",
		`carillon_facts_total{fact="agent_attached"}`: "0+1x120"}, nil, "50% of the agents cannot be attached to their call"},
	{"CarillonDeliveriesWait", series{`carillon_delivery_queue_age_seconds{role="webhook"}`: "600x120"},
		map[string]string{"role": "webhook"}, "Deliveries to connections of the role webhook are 10m 0s late"},
	{"CarillonDeliveriesFail", series{`carillon_deliveries_total{outcome="refused", role="crm"}`: "0+6x120",
		`carillon_deliveries_total{outcome="delivered", role="crm"}`: "0+4x120"}, map[string]string{"role": "crm"},
		"60% of the deliveries to connections of the role crm fail"},
	{"CarillonBadSound", series{`carillon_call_mos_bucket{le="3.6", leg="phone"}`: "0+5x120",
		`carillon_call_mos_count{leg="phone"}`: "0+10x120"}, map[string]string{"leg": "phone"},
		"50% of the time, calls sound bad on the leg of the phone"},
	{"CarillonProxyUnknown", series{`carillon_forwarded_untrusted_total{instance="a"}`: "0+1x120"}, onA,
		"Requests come through a proxy that a does not trust"},
	{"CarillonStripeFault", series{`carillon_stripe_alerts_total`: "0+1x120"}, nil, "Stripe needs the operator"},
}

// TestRulesFire has promtool run the rules over courses of metrics, where it is installed (Debian's
// package prometheus). Elsewhere it only holds that each alert has its course.
func TestRulesFire(t *testing.T) {
	t.Parallel()
	for _, a := range deploy.Alerts {
		if !slices.ContainsFunc(firings, func(f firing) bool { return f.alert == a.Name && f.summary != "" }) {
			t.Errorf("no course of metrics makes %s fire", a.Name)
		}
	}
	promtool, err := exec.LookPath("promtool")
	if err != nil {
		return
	}
	dir := t.TempDir()
	var b bytes.Buffer
	b.WriteString("rule_files: [alerts.yml]\nevaluation_interval: 1m\ntests:\n")
	for _, f := range firings {
		b.WriteString("  - interval: 1m\n    input_series:\n")
		for name, values := range f.series {
			fmt.Fprintf(&b, "      - {series: %s, values: %s}\n", inYAML(t, name), inYAML(t, values))
		}
		fmt.Fprintf(&b, "    alert_rule_test:\n      - eval_time: 75m\n        alertname: %s\n        exp_alerts:", f.alert)
		if f.summary == "" {
			b.WriteString(" []\n")
			continue
		}
		a := deploy.Alerts[slices.IndexFunc(deploy.Alerts, func(a deploy.Alert) bool { return a.Name == f.alert })]
		labels := map[string]string{"severity": a.Severity}
		for k, v := range f.labels {
			labels[k] = v
		}
		fmt.Fprintf(&b, "\n          - {exp_labels: %s, exp_annotations: %s}\n", inYAML(t, labels), inYAML(t, map[string]string{
			"summary": f.summary, "cause": a.Cause, "cure": a.Cure, "runbook_url": "https://ring.elm.example/docs/metrics#" + a.Anchor()}))
	}
	for name, text := range map[string][]byte{"alerts.yml": deploy.Rules("https://ring.elm.example"), "test.yml": b.Bytes()} {
		if err := os.WriteFile(filepath.Join(dir, name), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "test.yml"}} {
		run := exec.CommandContext(t.Context(), promtool, args...)
		run.Dir = dir
		if said, err := run.CombinedOutput(); err != nil {
			t.Errorf("promtool %s: %v\n%s", strings.Join(args, " "), err, said)
		}
	}
}

// inYAML is a value as JSON, which YAML contains.
func inYAML(t *testing.T, v any) string {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
