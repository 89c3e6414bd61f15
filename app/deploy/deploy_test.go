package deploy_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"
	"go.yaml.in/yaml/v3"

	"carillon/app/deploy"
)

// some are settings of a program; the true ones are compared with the files in package app.
var some = []deploy.Setting{{Name: "CARILLON_ADDR", Help: "Address."},
	{Name: "CARILLON_LOG_FORMAT", Help: "text or json.", Default: "text"},
	{Name: "CARILLON_TRUSTED_PROXIES", Help: "Proxies."}, {Name: "CARILLON_SMTP_URL", Help: "Mail."}}

func compose(t *testing.T) map[string][]byte {
	t.Helper()
	return named(t, deploy.Compose)
}

func named(t *testing.T, list func([]deploy.Setting, string) ([]deploy.File, error)) map[string][]byte {
	t.Helper()
	files, err := list(some, "https://ring.elm.example/")
	if err != nil {
		t.Fatal(err)
	}
	byName := map[string][]byte{}
	for _, f := range files {
		byName[f.Name] = f.Data
	}
	return byName
}

// documents parses YAML, which may hold several documents.
func documents(t *testing.T, name string, text []byte) (list []map[string]any) {
	t.Helper()
	for d := yaml.NewDecoder(bytes.NewReader(text)); ; {
		var one map[string]any
		err := d.Decode(&one)
		if err == io.EOF {
			return list
		}
		if err != nil {
			t.Fatalf("%s: %v\n%s", name, err, text)
		}
		if one != nil {
			list = append(list, one)
		}
	}
}

// in walks into nested maps.
func in(m map[string]any, path ...string) any {
	var at any = m
	for _, key := range path {
		next, _ := at.(map[string]any)
		at = next[key]
	}
	return at
}

func TestFilesParse(t *testing.T) {
	t.Parallel()
	for name, text := range compose(t) {
		switch {
		case strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"):
			documents(t, name, text)
		case strings.HasSuffix(name, ".json") && !json.Valid(text):
			t.Errorf("%s is no JSON", name)
		}
	}
}

// TestCompose holds what one place of the file says against what another needs.
func TestCompose(t *testing.T) {
	t.Parallel()
	files := compose(t)
	doc := documents(t, "compose.yaml", files["compose.yaml"])[0]
	server, _ := in(doc, "services", "carillon").(map[string]any)
	environment, _ := server["environment"].(map[string]any)
	drain, err := time.ParseDuration(environment["CARILLON_DRAIN"].(string))
	if err != nil {
		t.Fatal(err)
	}
	grace, err := time.ParseDuration(server["stop_grace_period"].(string))
	if err != nil || grace < drain+30*time.Second {
		t.Errorf("Docker kills the server after %s, and calls may take %s: %v", grace, drain, err)
	}
	if server["read_only"] != true || !slices.Contains(server["security_opt"].([]any), any("no-new-privileges:true")) ||
		!slices.Contains(server["cap_drop"].([]any), any("ALL")) || in(server, "ulimits", "nofile") != 65536 {
		t.Errorf("the server may do more than it needs: %v", server)
	}
	proxy := in(doc, "services", "caddy", "networks", "default", "ipv4_address")
	if proxy == nil || environment["CARILLON_TRUSTED_PROXIES"] != proxy {
		t.Errorf("Carillon trusts %v, and Caddy is %v", environment["CARILLON_TRUSTED_PROXIES"], proxy)
	}
	network := in(doc, "networks", "default", "ipam", "config").([]any)[0].(map[string]any)
	others, err := netip.ParsePrefix(fmt.Sprint(network["ip_range"]))
	subnet, _ := netip.ParsePrefix(fmt.Sprint(network["subnet"]))
	its, _ := netip.ParseAddr(fmt.Sprint(proxy))
	if err != nil || !subnet.Contains(its) || !subnet.Contains(others.Addr()) || others.Contains(its) {
		t.Errorf("Docker may give Caddy's address %v to another container, which starts first: %v %v", proxy, network, err)
	}
	udp, _ := environment["CARILLON_RTC_UDP_ADDR"].(string)
	if port := strings.TrimPrefix(udp, ":"); !slices.Contains(server["ports"].([]any), any(port+":"+port+"/udp")) {
		t.Errorf("voice is on %q, and published are %v", udp, server["ports"])
	}
	metrics, _ := environment["CARILLON_METRICS_ADDR"].(string)
	if strings.Contains(string(files["compose.yaml"]), strings.TrimPrefix(metrics, ":")+`:`) ||
		!strings.Contains(string(files["prometheus.yml"]), "carillon"+metrics) {
		t.Errorf("metrics on %q are published, or Prometheus does not read them", metrics)
	}
	if at, _ := environment["CARILLON_ADDR"].(string); !strings.Contains(string(files["Caddyfile"]), "reverse_proxy carillon"+at+" {") {
		t.Errorf("Carillon listens on %q, and Caddy asks elsewhere:\n%s", at, files["Caddyfile"])
	}
	nodes := []string{"carillon"}
	for _, name := range []string{"carillon-2", "carillon-3"} {
		one, _ := in(doc, "services", name).(map[string]any)
		its, _ := one["environment"].(map[string]any)
		udp, _ := its["CARILLON_RTC_UDP_ADDR"].(string)
		port := strings.TrimPrefix(udp, ":")
		if !slices.Contains(one["ports"].([]any), any(port+":"+port+"/udp")) || its["CARILLON_NODE"] != name ||
			its["CARILLON_TRUSTED_PROXIES"] != proxy || one["read_only"] != true || in(one, "ulimits", "nofile") != 65536 ||
			!slices.Contains(one["profiles"].([]any), any("nodes")) || in(doc, "services", "nats", "ports") != nil {
			t.Errorf("%s: %v", name, one)
		}
		nodes = append(nodes, name)
	}
	ask := "reverse_proxy " + strings.Join(nodes, ":8080 ") + ":8080 {"
	if proxy := string(files["Caddyfile.nodes"]); !strings.Contains(proxy, ask) || !strings.Contains(proxy, "health_uri /readyz") {
		t.Errorf("Caddy asks other servers than %v:\n%s", nodes, files["Caddyfile.nodes"])
	}
	for _, mounted := range regexp.MustCompile(`"\./([^:"]+):`).FindAllStringSubmatch(string(files["compose.yaml"]), -1) {
		found := false
		for name := range files {
			found = found || name == mounted[1] || strings.HasPrefix(name, mounted[1]+"/")
		}
		if !found {
			t.Errorf("compose.yaml mounts %s, which is not among the files", mounted[1])
		}
	}
	for _, v := range regexp.MustCompile(`\$\{([A-Z_]+)`).FindAllStringSubmatch(string(files["compose.yaml"]), -1) {
		if !regexp.MustCompile(`(?m)^#?` + v[1] + `=`).Match(files[".env"]) {
			t.Errorf("compose.yaml reads %s, which .env does not explain", v[1])
		}
	}
	env := string(files[".env"])
	if !strings.Contains(env, "\nCARILLON_DOMAIN=ring.elm.example\n") || strings.Contains(env, "example.com") {
		t.Errorf("the name in .env is not that of the public address:\n%s", env)
	}
	if !strings.Contains(env, "# text or json.\n#CARILLON_LOG_FORMAT=text\n") || strings.Contains(env, "CARILLON_ADDR") {
		t.Errorf(".env says\n%s", env)
	}
}

func TestRules(t *testing.T) {
	t.Parallel()
	doc := documents(t, "alerts.yml", deploy.Rules("https://ring.elm.example/"))[0]
	rules := in(doc["groups"].([]any)[0].(map[string]any), "rules").([]any)
	if len(rules) != len(deploy.Alerts) {
		t.Fatalf("%d rules of %d alerts", len(rules), len(deploy.Alerts))
	}
	seen := map[string]bool{}
	for i, a := range deploy.Alerts {
		rule := rules[i].(map[string]any)
		if rule["alert"] != a.Name || rule["expr"] != a.Expr || in(rule, "annotations", "summary") != a.Summary ||
			in(rule, "annotations", "runbook_url") != "https://ring.elm.example/docs/metrics#"+a.Anchor() {
			t.Errorf("%s became %v", a.Name, rule)
		}
		if _, err := parser.ParseExpr(a.Expr); err != nil {
			t.Errorf("%s: %v", a.Name, err)
		}
		if a.Summary == "" || a.Cause == "" || a.Cure == "" || a.Severity != "critical" && a.Severity != "warning" || seen[a.Name] {
			t.Errorf("%s lacks something, or is there twice: %+v", a.Name, a)
		}
		seen[a.Name] = true
	}
}

func TestDashboards(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, d := range deploy.Dashboards {
		board, err := d.Grafana()
		if err != nil {
			t.Fatal(err)
		}
		var read struct {
			UID    string
			Panels []struct {
				ID      int
				GridPos struct{ X, Y, W, H int }
				Targets []struct{ Expr string }
			}
		}
		if err := json.Unmarshal(board, &read); err != nil || read.UID != d.Slug || seen[d.Slug] || len(read.Panels) != len(d.Panels) {
			t.Errorf("%s: %v", d.Slug, err)
		}
		seen[d.Slug] = true
		for _, p := range read.Panels {
			place := [2]int{p.GridPos.X, p.GridPos.Y}
			if p.ID == 0 || p.GridPos.W != 12 || place != [2]int{(p.ID - 1) % 2 * 12, (p.ID - 1) / 2 * 8} {
				t.Errorf("%s: panel %d is at %v", d.Slug, p.ID, p.GridPos)
			}
			for _, q := range p.Targets {
				if _, err := parser.ParseExpr(strings.ReplaceAll(q.Expr, "$__rate_interval", "5m")); err != nil || len(p.Targets) == 0 {
					t.Errorf("%s: %s: %v", d.Slug, q.Expr, err)
				}
			}
		}
	}
}

func TestUses(t *testing.T) {
	t.Parallel()
	alerts, panels := deploy.Uses("carillon_push_seconds")
	if len(alerts) != 1 || alerts[0].Name != "CarillonAppleSlow" || !slices.Contains(panels, "Carillon: pushes: Time to Apple's answer") {
		t.Errorf("%v %v", alerts, panels)
	}
	if alerts, panels := deploy.Uses("carillon_push"); alerts != nil || panels != nil {
		t.Errorf("the beginning of a name counts as the name: %v %v", alerts, panels)
	}
}

// TestPage: every metric and alert has its place, and what Prometheus fills in is not shown.
func TestPage(t *testing.T) {
	t.Parallel()
	page := deploy.Page([]deploy.Metric{
		{Name: "carillon_push_seconds", Type: "histogram", Help: "From | to.", Labels: []string{"environment"}},
		{Name: "process_open_fds", Type: "gauge", Help: "Files"},
	})
	for _, want := range []string{
		"- `carillon_push_seconds`: From | to. *Histogram, seconds, by `environment`.* Read by [CarillonAppleSlow](#carillonappleslow)," +
			" the dashboard of pushes.\n",
		"- `process_open_fds`: Files. *Gauge, descriptors.* Read by [CarillonDescriptors](#carillondescriptors)," +
			" the dashboard of server.\n",
		"### CarillonDatabaseDown\n\n*Critical.* The database of (instance) does not answer.\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q:\n%s", want, page)
		}
	}
	for _, a := range deploy.Alerts {
		if !strings.Contains(page, "\n### "+a.Name+"\n") {
			t.Errorf("%s has no section", a.Name)
		}
	}
	if strings.Contains(page, "{{") || strings.Index(page, "`process_open_fds`") < strings.Index(page, "## Go and the process") {
		t.Error("the page shows a template, or mixes the metrics of Go with ours")
	}
}
