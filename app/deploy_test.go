package app

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/promql/parser"

	"carillon/app/deploy"
	"carillon/tenants"
)

// deployed are the files of Compose and of the chart, with the program's own settings.
func deployed(t *testing.T) (list []deploy.File) {
	t.Helper()
	settings, err := serveSettings(t.Context())
	if err != nil || len(settings) < 25 {
		t.Fatalf("serve has %d settings, %v", len(settings), err)
	}
	for _, files := range []func([]deploy.Setting, string) ([]deploy.File, error){deploy.Compose, deploy.Chart} {
		some, err := files(settings, "https://ring.example.com")
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, some...)
	}
	return list
}

// composeOwn are variables that only compose.yaml reads.
var composeOwn = []string{"CARILLON_DOMAIN", "CARILLON_PUBLIC_IP", "CARILLON_IMAGE", "CARILLON_MEMORY", "CARILLON_DATABASE_PASSWORD"}

// TestDeployNamesWhatExists: each variable and each command of ours in the files is the program's.
func TestDeployNamesWhatExists(t *testing.T) {
	t.Parallel()
	settings, err := serveSettings(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?:command|args): \[([^\]]*)\]|test: \[CMD, /carillon, ([a-z]+)\]|` +
		`(?:-- /carillon|run --rm carillon) ([^\n]*)|` + "`carillon ([^`]*)`")
	commands := 0
	for _, f := range deployed(t) {
		for _, name := range regexp.MustCompile(`CARILLON_[A-Z_]+`).FindAllString(string(f.Data), -1) {
			known := slices.ContainsFunc(settings, func(s deploy.Setting) bool { return s.Name == name })
			if !known && !slices.Contains(composeOwn, name) {
				t.Errorf("%s names %s, which serve does not read", f.Name, name)
			}
		}
		if strings.HasSuffix(f.Name, ".json") {
			continue
		}
		for _, m := range command.FindAllStringSubmatch(string(f.Data), -1) {
			line := strings.ReplaceAll(m[1], ",", "") + m[2] + m[3] + m[4]
			if strings.HasPrefix(line, "-c ") { // coturn's
				continue
			}
			args := regexp.MustCompile(`"[^"]*"|[^\s\]]+`).FindAllString(line, -1)
			for i := range args {
				args[i] = strings.Trim(args[i], `"`)
			}
			commands++
			parser, err := grammar(t.Context(), terminal{io.Discard, io.Discard, time.Now})
			if err != nil {
				t.Fatal(err)
			}
			if _, err := parser.Parse(args); err != nil {
				t.Errorf("%s runs %q: %v", f.Name, args, err)
			}
		}
	}
	if commands < 8 {
		t.Errorf("only %d commands", commands)
	}
}

// TestQueriesReadWhatExists looks up each metric, label and fixed value of a label that alerts and
// dashboards name.
func TestQueriesReadWhatExists(t *testing.T) {
	t.Parallel()
	table := metricTable()
	queries := map[string]string{}
	for _, a := range deploy.Alerts {
		queries[a.Name] = a.Expr
	}
	for _, d := range deploy.Dashboards {
		for _, p := range d.Panels {
			for _, q := range p.Queries {
				queries[d.Title+": "+p.Title+": "+q.Legend] = strings.ReplaceAll(q.PromQL(), "$__rate_interval", "5m")
			}
		}
	}
	for of, query := range queries {
		expr, err := parser.ParseExpr(query)
		if err != nil {
			t.Errorf("%s: %v", of, err)
			continue
		}
		var known []string // labels of the metrics in the query
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if v, ok := n.(*parser.VectorSelector); ok {
				known = append(known, selects(t, of, v, table)...)
			}
			return nil
		})
		parser.Inspect(expr, func(n parser.Node, _ []parser.Node) error {
			if a, ok := n.(*parser.AggregateExpr); ok {
				for _, l := range a.Grouping {
					if !slices.Contains(known, l) {
						t.Errorf("%s groups by %s, which its metrics do not have", of, l)
					}
				}
			}
			return nil
		})
	}
}

// selects checks one selector, and returns the labels that its series have.
func selects(t *testing.T, of string, v *parser.VectorSelector, table []deploy.Metric) []string {
	t.Helper()
	name, part := v.Name, ""
	i := slices.IndexFunc(table, func(m deploy.Metric) bool { return m.Name == name })
	if i < 0 {
		part = regexp.MustCompile(`_(bucket|count|sum)$`).FindString(name)
		name = strings.TrimSuffix(name, part)
		i = slices.IndexFunc(table, func(m deploy.Metric) bool { return m.Name == name && m.Type == "histogram" })
	}
	if i < 0 {
		t.Errorf("%s reads %s, which does not exist", of, v.Name)
		return nil
	}
	known := append([]string{"instance", "job"}, table[i].Labels...)
	if part == "_bucket" {
		known = append(known, "le")
	}
	for _, m := range v.LabelMatchers {
		if m.Name == "__name__" || m.Name == "instance" {
			continue
		}
		if !slices.Contains(known, m.Name) {
			t.Errorf("%s: %s has no label %s", of, v.Name, m.Name)
		}
		for _, value := range strings.Split(m.Value, "|") {
			if !isValue(name, m.Name, value) {
				t.Errorf("%s: the label %s of %s is never %q", of, m.Name, v.Name, value)
			}
		}
	}
	return known
}

// isValue reports whether a label can have the value. Those of Apple are Apple's.
func isValue(metric, label, value string) bool {
	switch label {
	case "fact":
		return slices.Contains(tenants.FactKinds, tenants.FactKind(value))
	case "state":
		return tenants.State(value).Terminal()
	case "outcome":
		return slices.Contains([]string{"delivered", "refused", "no_answer"}, value)
	case "status":
		return regexp.MustCompile(`^(0|[2-5](\d\d|\.\.))$`).MatchString(value)
	case "le":
		return metric == "carillon_call_mos" && value == "3.6" && slices.Contains(ratings, 3.6)
	}
	return false
}

// TestMetricTable: each metric says what it is and in which unit; the page of metrics knows all.
func TestMetricTable(t *testing.T) {
	t.Parallel()
	table := metricTable()
	if len(table) < 80 {
		t.Errorf("%d metrics", len(table))
	}
	for _, m := range table {
		if m.Help == "" || m.Unit() == "" {
			t.Errorf("%s has the help %q and the unit %q; end its name with a unit, or add it to deploy.without", m.Name, m.Help, m.Unit())
		}
		if (m.Type == "counter") != strings.HasSuffix(m.Name, "_total") {
			t.Errorf("%s is a %s; only the names of counters end in _total", m.Name, m.Type)
		}
	}
}

func TestDeployCommands(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	wants(t, 0, "compose.yaml", "deploy", "compose", "--out", dir, "--public-url", "https://ring.elm.example")
	rules, err := os.ReadFile(filepath.Join(dir, "alerts.yml"))
	if err != nil || !bytes.Contains(rules, []byte("https://ring.elm.example/docs/metrics#")) {
		t.Errorf("%v %s", err, rules)
	}
	env, caddy := filepath.Join(dir, ".env"), filepath.Join(dir, "Caddyfile")
	for name, want := range map[string]os.FileMode{env: 0o600, caddy: 0o644, filepath.Join(dir, "grafana"): 0o755} {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != want {
			t.Errorf("%s: %v %v, want %o", name, info, err, want)
		}
	}
	for _, name := range []string{env, caddy} {
		if err := os.WriteFile(name, []byte("mine"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	again := []string{"deploy", "compose", "--out", dir, "--public-url", "https://ring.elm.example"}
	wants(t, 1, "other versions of Caddyfile; nothing was written", again...)
	wants(t, 0, "Kept .env", append(again, "--force")...)
	if kept, err := os.ReadFile(env); err != nil || string(kept) != "mine" {
		t.Errorf("the passwords in .env were lost: %q %v", kept, err)
	}
	wants(t, 0, "name: carillon", "deploy", "compose")
	wants(t, 0, "groups:", "deploy", "alerts")
	wants(t, 0, `"uid": "carillon-calls"`, "deploy", "grafana")
	wants(t, 0, `"uid": "carillon-calls"`, "deploy", "grafana", "carillon-calls")
	wants(t, 2, "there are carillon-rings, ", "deploy", "grafana", "nope")
	wants(t, 0, "carillon.tgz", "deploy", "helm", "--out", filepath.Join(dir, "carillon.tgz"))
	wants(t, 0, "_helpers.tpl", "deploy", "helm", "--out", filepath.Join(dir, "chart"))
	wants(t, 0, "\x1f\x8b", "deploy", "helm")
}
