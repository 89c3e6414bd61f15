package deploy

import "strings"

// Dashboard is one dashboard of Grafana.
type Dashboard struct {
	Slug, Title string
	Panels      []Panel
}

// Panel is one chart over time. Half of them fill a row.
type Panel struct {
	Title   string
	Unit    string // of Grafana: s, short, percentunit, ops, bytes
	Queries []Query
}

// Query is one line, or one for each set of labels, of a panel. In Expr, $i stands for the chosen
// instances and $r for the range that fits the zoom.
type Query struct{ Expr, Legend string }

// PromQL returns the query in PromQL, with Grafana's variables.
func (q Query) PromQL() string {
	return strings.NewReplacer("$i", `instance=~"$instance"`, "$r", "$__rate_interval").Replace(q.Expr)
}

// quantiles are the median, p95 and p99 of a histogram; by names labels to keep, or is empty.
func quantiles(metric, by string) (list []Query) {
	labels, legend := "le", ""
	if by != "" {
		labels, legend = "le, "+by, "{{"+by+"}} "
	}
	for _, q := range [][2]string{{"0.5", "p50"}, {"0.95", "p95"}, {"0.99", "p99"}} {
		rate := "sum by (" + labels + ") (rate(" + metric + "_bucket{$i}[$r]))"
		list = append(list, Query{"histogram_quantile(" + q[0] + ", " + rate + ")", legend + q[1]})
	}
	return list
}

// rates are the rates of counters, named without carillon_ and _total.
func rates(counters ...string) (list []Query) {
	for _, c := range counters {
		list = append(list, Query{"sum(rate(carillon_" + c + "_total{$i}[$r]))", strings.ReplaceAll(c, "_", " ")})
	}
	return list
}

// rateBy is the rate of a counter for each set of values of its labels.
func rateBy(counter string, labels ...string) []Query {
	return []Query{{"sum by (" + strings.Join(labels, ", ") + ") (rate(carillon_" + counter + "_total{$i}[$r]))",
		"{{" + strings.Join(labels, "}} {{") + "}}"}}
}

// now is a gauge as it is, for each instance.
func now(metric, legend string) Query { return Query{metric + "{$i}", legend + " {{instance}}"} }

// Dashboards lists them, the one to look at first first.
var Dashboards = []Dashboard{
	{"carillon-rings", "Carillon: rings", []Panel{
		{"Rings placed and refused", "ops", rates("rings_placed", "rings_limited")},
		{"Rings that ended, by state", "ops", rateBy("rings_ended", "state")},
		{"Why rings ended", "ops", rateBy("rings_ended", "reason")},
		{"Share of rings that failed", "percentunit", []Query{{
			`sum(rate(carillon_rings_ended_total{$i, state="failed"}[$r])) / sum(rate(carillon_rings_ended_total{$i}[$r]))`, "failed"}}},
		{"Time of each hop, p95", "s", []Query{{
			`histogram_quantile(0.95, sum by (le, hop) (rate(carillon_hop_seconds_bucket{$i}[$r])))`, "{{hop}}"}}},
		{"Steps of attempts", "ops", rateBy("facts", "fact")},
		{"How late unanswered rings end", "s", quantiles("carillon_sweep_late_seconds", "")},
		{"How long after the end phones woke", "s", quantiles("carillon_late_arrival_seconds", "")},
	}},
	{"carillon-pushes", "Carillon: pushes", []Panel{
		{"Pushes by status", "ops", rateBy("pushes", "environment", "status")},
		{"Refusals by reason", "ops", []Query{{
			`sum by (environment, reason) (rate(carillon_pushes_total{$i, status!="200"}[$r]))`, "{{environment}} {{reason}}"}}},
		{"Time to Apple's answer", "s", quantiles("carillon_push_seconds", "environment")},
		{"Pushes under way", "short", []Query{now("carillon_pushes_under_way", "")}},
		{"Times that pushes were written", "ops", rates("push_tries", "apns_resent", "apns_hedged")},
		{"Connections to Apple", "short", []Query{now("carillon_apns_connections", "connections"),
			now("carillon_apns_pools", "credentials")}},
		{"Connections made and lost", "ops", rates("apns_dials", "apns_failed_dials", "apns_goaways", "apns_lost", "apns_evicted")},
		{"Streams refused by Apple", "ops", rates("apns_refused_streams")},
	}},
	{"carillon-calls", "Carillon: calls and agents", []Panel{
		{"Calls", "short", []Query{now("carillon_calls", "")}},
		{"Sound (MOS), median and worst tenth", "short", []Query{
			{"histogram_quantile(0.5, sum by (le, leg) (rate(carillon_call_mos_bucket{$i}[$r])))", "{{leg}} p50"},
			{"histogram_quantile(0.1, sum by (le, leg) (rate(carillon_call_mos_bucket{$i}[$r])))", "{{leg}} p10"}}},
		{"Lost packets", "percentunit", quantiles("carillon_call_loss_ratio", "leg")},
		{"Jitter", "s", quantiles("carillon_call_jitter_seconds", "leg")},
		{"Round trip", "s", quantiles("carillon_call_round_trip_seconds", "leg")},
		{"Answer to the agent's first sound", "s", quantiles("carillon_call_first_audio_seconds", "")},
		{"Interrupted, until the agent is silent", "s", quantiles("carillon_call_barge_in_seconds", "")},
		{"Agents attached, failed and lost", "ops", []Query{{
			`sum by (fact) (rate(carillon_facts_total{$i, fact=~"agent_attached|agent_failed|agent_lost"}[$r]))`, "{{fact}}"}}},
	}},
	{"carillon-connections", "Carillon: connections", []Panel{
		{"Attempts to deliver, by outcome", "ops", rateBy("deliveries", "outcome")},
		{"Attempts to deliver, by role", "ops", rateBy("deliveries", "role")},
		{"Time of an attempt", "s", quantiles("carillon_delivery_seconds", "role")},
		{"How long the oldest delivery has been due", "s", []Query{{
			"max by (role) (carillon_delivery_queue_age_seconds{$i})", "{{role}}"}}},
	}},
	{"carillon-server", "Carillon: server", []Panel{
		{"Open connections", "short", []Query{now("carillon_connections", "")}},
		{"Refused and closed connections", "ops", rates("connections_refused_network", "connections_refused_full",
			"accepts_failed", "idle_closed")},
		{"Room, and the database answers (1 = yes)", "short", []Query{now("carillon_room", "room"),
			now("carillon_database_up", "database")}},
		{"NATS answers (1 = yes)", "short", []Query{now("carillon_nats_connected", "")}},
		{"Nodes, and versions of the program", "short", []Query{{"max(carillon_nodes{$i})", "nodes"},
			{"max(carillon_node_programs{$i})", "versions"}}},
		{"How far clocks are ahead of the database's", "s", []Query{now("carillon_clock_off_seconds", "")}},
		{"Hints and requests between nodes", "ops", rates("bus_hints_sent", "bus_hints_heard", "bus_hints_dropped", "bus_requests_sent",
			"bus_requests_answered")},
		{"Agents' WebSockets between nodes", "short", []Query{{"sum by (end) (carillon_pipes{$i})", "{{end}}"}}},
		{"Their bytes", "Bps", rateBy("pipe_bytes", "way")},
		{"Their gaps and refusals", "ops", append(rates("pipe_gaps"), rateBy("pipes_refused", "bound")...)},
		{"Requests refused because memory runs out", "ops", rates("memory_refused")},
		{"Changes and commits", "ops", rates("store_writes", "store_commits")},
		{"Changes that wait", "short", []Query{now("carillon_store_queue", "")}},
		{"How long the oldest change waits", "s", []Query{now("carillon_store_queue_oldest_seconds", "")}},
		{"Disk left", "bytes", []Query{now("carillon_disk_free_bytes", "")}},
		{"Background loops, p95", "s", []Query{{
			"histogram_quantile(0.95, sum by (le, loop) (rate(carillon_loop_seconds_bucket{$i}[$r])))", "{{loop}}"}}},
		{"Background loops that failed", "ops", rateBy("loop_errors", "loop")},
		{"Processor", "short", []Query{{"rate(process_cpu_seconds_total{$i}[$r])", "cores {{instance}}"}}},
		{"Memory", "bytes", []Query{now("process_resident_memory_bytes", "resident"), now("go_memstats_heap_inuse_bytes", "heap")}},
		{"File descriptors", "short", []Query{now("process_open_fds", "open"), now("process_max_fds", "most")}},
		{"Goroutines", "short", []Query{now("go_goroutines", "")}},
		{"Until the next certificate expires", "s", []Query{{
			"carillon_certificate_expiry_timestamp_seconds{$i} - time() > -3e7", "{{instance}}"}}},
		{"Proxies that are not trusted or not understood", "ops", rates("forwarded_untrusted", "forwarded_unreadable")},
		{"Faults at Stripe", "ops", rates("stripe_alerts")},
	}},
}

// Grafana returns the dashboard as JSON to import. It asks which Prometheus to read.
func (d Dashboard) Grafana() ([]byte, error) {
	source := object{"type": "prometheus", "uid": "${datasource}"}
	var panels []object
	for i, p := range d.Panels {
		var targets []object
		for n, q := range p.Queries {
			targets = append(targets, object{"refId": string(rune('A' + n)), "expr": q.PromQL(), "legendFormat": q.Legend,
				"datasource": source, "exemplar": strings.Contains(q.Expr, "_bucket{")})
		}
		panels = append(panels, object{
			"id": i + 1, "type": "timeseries", "title": p.Title, "datasource": source, "targets": targets,
			"gridPos": object{"x": i % 2 * 12, "y": i / 2 * 8, "w": 12, "h": 8},
			"fieldConfig": object{"overrides": []any{}, "defaults": object{"unit": p.Unit, "min": 0,
				"custom": object{"fillOpacity": 10, "showPoints": "never"}}},
			"options": object{"tooltip": object{"mode": "multi", "sort": "desc"}},
		})
	}
	return indented(object{
		"uid": d.Slug, "title": d.Title, "tags": []string{"carillon"}, "schemaVersion": 39, "editable": true, "refresh": "30s",
		"time":   object{"from": "now-6h", "to": "now"},
		"panels": panels,
		"links":  []object{{"type": "dashboards", "tags": []string{"carillon"}, "title": "Carillon", "asDropdown": true, "keepTime": true}},
		"templating": object{"list": []object{
			{"name": "datasource", "type": "datasource", "query": "prometheus", "label": "Prometheus"},
			{"name": "instance", "type": "query", "datasource": source, "query": "label_values(carillon_room, instance)",
				"refresh": 2, "multi": true, "includeAll": true, "allValue": ".*", "current": object{"text": "All", "value": "$__all"}},
		}},
	})
}
