package deploy

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
)

// Alert is a rule of Prometheus. Expr is in PromQL; the page /docs/metrics explains it under the
// anchor of its name.
type Alert struct {
	Name, Expr, For, Severity string
	Summary, Cause, Cure      string
}

// Alerts lists the rules. Severity critical means that rings or calls fail now; warning, that they
// will, or that some do. Rules about shares need a number of events, so that one failure at night
// wakes nobody, and a trend needs an hour: minutes after a start say nothing about a day.
var Alerts = []Alert{
	{"CarillonDown", `absent(carillon_room)`, "2m", "critical",
		"Prometheus reads no metrics of Carillon",
		"The server does not run, or CARILLON_METRICS_ADDR is not reachable from Prometheus.",
		"Look at the process and its log. If it runs, check CARILLON_METRICS_ADDR and the target in Prometheus."},
	{"CarillonDatabaseDown", `carillon_database_up == 0`, "1m", "critical",
		"The database of {{ $labels.instance }} does not answer",
		"PostgreSQL is away or has no free connection, or the SQLite file cannot be read. No ring can be placed.",
		"Run `carillon doctor` with the server's settings. Start the database, or free its disk."},
	{"CarillonWritesWait", `carillon_store_queue_oldest_seconds > 2`, "1m", "critical",
		"A change has waited {{ $value | humanizeDuration }} for the database of {{ $labels.instance }}",
		"Commits are slower than changes come: a slow or full disk, or a lock in PostgreSQL.",
		"Look at the disk's latency and at long transactions in PostgreSQL. Rings are answered after their commit, so they wait too."},
	{"CarillonShedsLoad", `carillon_room == 0`, "1m", "critical",
		"{{ $labels.instance }} refuses new work to stay alive",
		"Descriptors, disk or memory run out. /readyz says which.",
		"Raise the limit that /readyz names: LimitNOFILE or ulimits, the volume, or the memory of the container."},
	{"CarillonNATSDown", `carillon_nats_connected == 0`, "1m", "critical",
		"{{ $labels.instance }} does not reach NATS",
		"The NATS servers of CARILLON_NATS_URL are away, or the network to them is. Rings go out and calls go on, but requests " +
			"about calls of other nodes are refused with 503.",
		"Start NATS, or look at the network between it and the node. The connection comes back by itself."},
	{"CarillonClocksDiffer", `clamp_min(max(carillon_clock_off_seconds), 0) - clamp_max(min(carillon_clock_off_seconds), 0) > 1`,
		"5m", "warning",
		"The clocks of nodes and the database are {{ $value | humanizeDuration }} apart",
		"A machine's clock is not synchronised. Rings follow the database's clock, but Apple may refuse tokens, and one-time passwords " +
			"and logs do not fit.",
		"Synchronise the clocks, for example with chrony. `carillon doctor` names the node."},
	{"CarillonVersionsDiffer", `max(carillon_node_programs) > 1`, "1h", "warning",
		"{{ $value }} versions of Carillon run on one database",
		"A rolling upgrade was not brought to its end, or an old server was started again.",
		"Upgrade the servers that are left, or stop them. `carillon doctor` names them."},
	{"CarillonDiskFull", `carillon_disk_free_bytes < 1073741824` +
		` or (carillon_disk_free_bytes and predict_linear(carillon_disk_free_bytes[6h], 86400) < 0` +
		` and carillon_disk_free_bytes offset 1h)`, "10m", "warning",
		"The disk of {{ $labels.instance }} has {{ $value | humanize1024 }}B left, or will be full within a day",
		"The database, backups or something else fills the volume. Rings are refused below 16 MiB.",
		"Make room or enlarge the volume. Shorter retention of a plan makes the database smaller over time."},
	{"CarillonDescriptors", `process_open_fds / process_max_fds > 0.8 and on (job, instance) carillon_room`, "5m", "warning",
		"{{ $labels.instance }} uses {{ $value | humanizePercentage }} of its file descriptors",
		"Each connection and event stream needs one. At the limit new connections are refused.",
		"Raise the limit to 65536: LimitNOFILE (systemd), ulimits (Docker)."},
	{"CarillonMemory", `increase(carillon_memory_refused_total[10m]) > 0`, "", "warning",
		"{{ $labels.instance }} refused {{ $value | humanize }} requests because memory runs out",
		"The heap is near its limit, which follows the limit of the container or GOMEMLIMIT.",
		"Give the container more memory."},
	{"CarillonRingsFail", `sum(rate(carillon_rings_ended_total{state="failed"}[10m])) / sum(rate(carillon_rings_ended_total[10m])) > 0.1` +
		` and sum(increase(carillon_rings_ended_total[10m])) > 20`, "5m", "warning",
		"{{ $value | humanizePercentage }} of the rings fail",
		"Apple refuses pushes, phones refuse to show the call, or calls carry no sound: see the reasons on the dashboard of rings.",
		"refused: the tenant's Apple credential. failed_to_show: the app. broken: the voice port and the firewall."},
	{"CarillonPhonesSilent", `sum(rate(carillon_facts_total{fact="shown"}[30m]))` +
		` / sum(rate(carillon_facts_total{fact="accepted"}[30m])) < 0.5` +
		` and sum(increase(carillon_facts_total{fact="accepted"}[30m])) > 20`, "10m", "warning",
		"Only {{ $value | humanizePercentage }} of the pushes that Apple took are shown by a phone",
		"Phones cannot reach the public address to report, or an app does not show its pushes, and iOS stops waking it.",
		"Check that the public address answers from outside. Then look at the page Phone health of the tenants with most rings."},
	{"CarillonAppleErrors", `sum(rate(carillon_pushes_total{status=~"0|5.."}[5m])) / sum(rate(carillon_pushes_total[5m])) > 0.05` +
		` and sum(increase(carillon_pushes_total[5m])) > 10`, "2m", "critical",
		"Apple does not answer, or with an error of its own, for {{ $value | humanizePercentage }} of the pushes",
		"Apple's push service has a fault, or this server cannot reach it on port 443.",
		"Run `carillon doctor`, and look at Apple's system status. Pushes are repeated while their ring lives."},
	{"CarillonAppleRefuses", `sum(rate(carillon_pushes_total{status="403"}[15m])) / sum(rate(carillon_pushes_total[15m])) > 0.1` +
		` and sum(increase(carillon_pushes_total[15m])) > 10`, "5m", "warning",
		"Apple refuses the credentials of {{ $value | humanizePercentage }} of the pushes",
		"A tenant's key was revoked or its certificate has expired, or this server's clock is wrong.",
		"`carillon doctor` compares the clock. The alerts of the tenants name the credential and what to do."},
	{"CarillonAppleSlow", `histogram_quantile(0.99, sum by (le) (rate(carillon_push_seconds_bucket[10m]))) > 2`, "5m", "warning",
		"One push in a hundred takes longer than {{ $value | humanizeDuration }}",
		"The way to Apple is slow, or connections to Apple are lost: see carillon_apns_lost_total and carillon_apns_failed_dials_total.",
		"Look at the network of the server, and at a proxy or firewall that cuts idle connections."},
	{"CarillonSweepLate", `histogram_quantile(0.99, sum by (le) (rate(carillon_sweep_late_seconds_bucket[10m]))) > 2`, "5m", "warning",
		"Unanswered rings end up to {{ $value | humanizeDuration }} late",
		"The sweep cannot keep up: the database is slow, or the machine has no processor time left.",
		"Look at CarillonWritesWait, at carillon_loop_seconds of the sweep, and at the processor."},
	{"CarillonLoopFails", `sum by (instance, loop) (increase(carillon_loop_errors_total[15m])) > 3`, "15m", "warning",
		"The loop {{ $labels.loop }} of {{ $labels.instance }} fails again and again",
		"A background task meets the same error each time; the log says which.",
		"Read the log for the name of the loop. It tries again by itself once the cause is gone."},
	{"CarillonCertificateExpires", `carillon_certificate_expiry_timestamp_seconds > 0` +
		` and carillon_certificate_expiry_timestamp_seconds - time() < 14 * 86400`, "1h", "warning",
		"An Apple certificate in use expires in less than 14 days, or has expired",
		"A tenant uses a .p12 certificate, which is valid for 13 months. The tenant's owners got mails too.",
		"Ask the tenant to upload a .p8 key, which does not expire, or a new certificate."},
	{"CarillonAgentsFail", `sum(rate(carillon_facts_total{fact="agent_failed"}[15m]))` +
		` / sum(rate(carillon_facts_total{fact=~"agent_failed|agent_attached"}[15m])) > 0.2` +
		` and sum(increase(carillon_facts_total{fact="agent_failed"}[15m])) > 5`, "5m", "warning",
		"{{ $value | humanizePercentage }} of the agents cannot be attached to their call",
		"Tenants' programs are away or answer too late, or this server cannot connect outwards.",
		"If it is one tenant, its page Agents says why. If it is all, check DNS and the firewall of this server, with UDP outwards."},
	{"CarillonDeliveriesWait", `max by (role) (carillon_delivery_queue_age_seconds) > 300`, "5m", "warning",
		"Deliveries to connections of the role {{ $labels.role }} are {{ $value | humanizeDuration }} late",
		"More events come than the server sends: the database is slow, or receivers answer so slowly that all senders wait for them.",
		"Look at CarillonWritesWait and at the time of an attempt on the dashboard of connections. Nothing is lost; rings do not wait."},
	{"CarillonDeliveriesFail", `sum by (role) (rate(carillon_deliveries_total{outcome!="delivered"}[15m]))` +
		` / sum by (role) (rate(carillon_deliveries_total[15m])) > 0.5` +
		` and sum by (role) (increase(carillon_deliveries_total[15m])) > 20`, "15m", "warning",
		"{{ $value | humanizePercentage }} of the deliveries to connections of the role {{ $labels.role }} fail",
		"Tenants' systems are away or refuse, or this server cannot connect outwards.",
		"If it is one tenant, it gets mails by itself. If it is all, check DNS, the firewall and CARILLON_ALLOW_PRIVATE_TARGETS."},
	{"CarillonBadSound", `sum by (leg) (rate(carillon_call_mos_bucket{le="3.6"}[15m]))` +
		` / sum by (leg) (rate(carillon_call_mos_count[15m])) > 0.2` +
		` and sum by (leg) (increase(carillon_call_mos_count[15m])) > 50`, "10m", "warning",
		"{{ $value | humanizePercentage }} of the time, calls sound bad on the leg of the {{ $labels.leg }}",
		"Packets are lost or late between this server and phones or agents.",
		"Look at loss and jitter on the dashboard of calls. On both legs: this server's network or processor."},
	{"CarillonProxyUnknown", `increase(carillon_forwarded_untrusted_total[15m]) > 0`, "15m", "warning",
		"Requests come through a proxy that {{ $labels.instance }} does not trust",
		"CARILLON_TRUSTED_PROXIES does not name the proxy's address, so all clients behind it share one limit.",
		"Set CARILLON_TRUSTED_PROXIES to the address that the proxy's requests come from."},
	{"CarillonStripeFault", `increase(carillon_stripe_alerts_total[1h]) > 0`, "", "warning",
		"Stripe needs the operator",
		"A price, a webhook or a key at Stripe is not as Carillon needs it; the log says which.",
		"Run `carillon doctor`: it names what is wrong at Stripe."},
}

// Anchor is the alert's place on the page /docs/metrics.
func (a Alert) Anchor() string { return strings.ToLower(a.Name) }

// Rules returns the alerts as a rules file of Prometheus, which is also the spec of a
// PrometheusRule. publicURL is where their explanations are.
func Rules(publicURL string) []byte {
	var b bytes.Buffer
	b.WriteString("groups:\n  - name: carillon\n    rules:\n")
	for _, a := range Alerts {
		fmt.Fprintf(&b, "      - alert: %s\n        expr: %s\n", a.Name, quoted(a.Expr))
		if a.For != "" {
			fmt.Fprintf(&b, "        for: %s\n", a.For)
		}
		fmt.Fprintf(&b, "        labels: {severity: %s}\n        annotations:\n", a.Severity)
		for _, x := range [][2]string{{"summary", a.Summary}, {"cause", a.Cause}, {"cure", a.Cure},
			{"runbook_url", strings.TrimRight(publicURL, "/") + "/docs/metrics#" + a.Anchor()}} {
			fmt.Fprintf(&b, "          %s: %s\n", x[0], quoted(x[1]))
		}
	}
	return b.Bytes()
}

// quoted is a string of YAML: one of JSON is one.
func quoted(s string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	_ = e.Encode(s) // a string can always be encoded
	return strings.TrimSpace(b.String())
}
