package deploy_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"text/template"

	"go.yaml.in/yaml/v3"

	"carillon/app/deploy"
)

// charted is the chart's files as Helm gives them to templates.
type charted map[string][]byte

func (c charted) Get(name string) string { return string(c[name]) }

func (c charted) Glob(pattern string) map[string][]byte {
	found := map[string][]byte{}
	for name, text := range c {
		if ok, _ := path.Match(pattern, name); ok {
			found[name] = text
		}
	}
	return found
}

// rendered renders the chart with the few functions of Helm that it uses. Helm's own engine would
// bring the client of Kubernetes into every build of the tests. Values are merged one level deep.
func rendered(t *testing.T, set map[string]any) (map[string]map[string]any, error) {
	t.Helper()
	files := named(t, deploy.Chart)
	values := documents(t, "values.yaml", files["values.yaml"])[0]
	for key, v := range set {
		if old, ok := values[key].(map[string]any); ok {
			for k, v := range v.(map[string]any) {
				old[k] = v
			}
			continue
		}
		values[key] = v
	}
	tree := template.New("").Option("missingkey=error")
	yamlOf := func(v any) (string, error) {
		b, err := yaml.Marshal(v)
		return strings.TrimSuffix(string(b), "\n"), err
	}
	indent := func(n int, s string) string { return strings.ReplaceAll("\n"+s, "\n", "\n"+strings.Repeat(" ", n)) }
	tree.Funcs(template.FuncMap{
		"include": func(name string, v any) (string, error) {
			var b bytes.Buffer
			err := tree.ExecuteTemplate(&b, name, v)
			return b.String(), err
		},
		"toYaml": yamlOf, "nindent": indent, "quote": func(v any) string { return fmt.Sprintf("%q", fmt.Sprint(v)) },
		"default": func(other, v string) string {
			if v == "" {
				return other
			}
			return v
		},
		"required": func(why string, v string) (string, error) {
			if v == "" {
				return "", errors.New(why)
			}
			return v, nil
		},
		"join": func(by string, list []any) string {
			var words []string
			for _, v := range list {
				words = append(words, fmt.Sprint(v))
			}
			return strings.Join(words, by)
		},
		"add": func(list ...any) (sum int) {
			for _, n := range list {
				sum += n.(int)
			}
			return sum
		},
		"fail":       func(why string) (string, error) { return "", errors.New(why) },
		"list":       func(v ...any) []any { return v },
		"replace":    func(old, by, s string) string { return strings.ReplaceAll(s, old, by) },
		"trimPrefix": func(start, s string) string { return strings.TrimPrefix(s, start) },
		"base":       path.Base, "contains": func(part, s string) bool { return strings.Contains(s, part) },
		"trunc":      func(n int, s string) string { return s[:min(n, len(s))] },
		"trimSuffix": func(end, s string) string { return strings.TrimSuffix(s, end) },
	})
	for name, text := range files {
		if strings.HasPrefix(name, "templates/") {
			template.Must(tree.New(name).Parse(string(text)))
		}
	}
	objects := map[string]map[string]any{}
	data := map[string]any{"Values": values, "Files": charted(files), "Chart": map[string]any{"Name": "carillon", "Version": "0.1.0"},
		"Release": map[string]any{"Name": "elm", "Namespace": "voice", "Service": "Helm"}}
	for name := range files {
		if !strings.HasPrefix(name, "templates/") || path.Base(name)[0] == '_' {
			continue
		}
		var b bytes.Buffer
		if err := tree.ExecuteTemplate(&b, name, data); err != nil {
			return nil, err
		}
		if strings.HasSuffix(name, ".txt") {
			continue
		}
		for _, one := range documents(t, name, b.Bytes()) {
			objects[fmt.Sprint(one["kind"], " ", in(one, "metadata", "name"))] = one
		}
	}
	return objects, nil
}

// needed are the values without which the chart refuses to render.
func needed(more map[string]any) map[string]any {
	set := map[string]any{"publicURL": "https://ring.elm.example", "masterKey": map[string]any{"secret": "key"},
		"ingress": map[string]any{"host": "ring.elm.example"}, "passwords": map[string]any{"secret": "pw"}}
	maps.Copy(set, more)
	return set
}

var off = map[string]any{"enabled": false}

// alone are the values of one server on SQLite.
func alone(more map[string]any) map[string]any {
	set := needed(map[string]any{"replicas": 1, "postgres": off, "nats": off, "turn": off})
	delete(set, "passwords")
	maps.Copy(set, more)
	return set
}

func TestChart(t *testing.T) {
	t.Parallel()
	all, err := rendered(t, alone(map[string]any{"monitoring": map[string]any{"enabled": true},
		"podDisruptionBudget": map[string]any{"enabled": true}, "env": map[string]any{"CARILLON_LOG_FORMAT": "json"},
		"secretEnv": map[string]any{"CARILLON_SMTP_URL": map[string]any{"name": "smtp", "key": "url"}}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Deployment elm-carillon", "Service elm-carillon", "Service elm-carillon-voice",
		"PersistentVolumeClaim elm-carillon-data", "Ingress elm-carillon", "NetworkPolicy elm-carillon", "PodDisruptionBudget elm-carillon",
		"ServiceMonitor elm-carillon", "PrometheusRule elm-carillon", "ConfigMap elm-carillon-dashboards"} {
		if all[want] == nil {
			t.Errorf("there is no %s", want)
		}
	}
	d := all["Deployment elm-carillon"]
	pod, _ := in(d, "spec", "template", "spec").(map[string]any)
	server := pod["containers"].([]any)[0].(map[string]any)
	env := map[string]any{}
	for _, e := range server["env"].([]any) {
		one := e.(map[string]any)
		env[one["name"].(string)] = one["value"]
	}
	if in(d, "spec", "strategy", "type") != "Recreate" || pod["terminationGracePeriodSeconds"] != 635 || env["CARILLON_DRAIN"] != "600s" ||
		env["CARILLON_LOG_FORMAT"] != "json" || env["CARILLON_RTC_UDP_ADDR"] != ":30478" || env["CARILLON_DATA"] != "/data/carillon" {
		t.Errorf("%v in %v", env, pod)
	}
	if _, given := env["CARILLON_SMTP_URL"]; !given || in(server, "securityContext", "readOnlyRootFilesystem") != true ||
		in(pod, "securityContext", "runAsUser") != 65532 || in(pod, "volumes") == nil ||
		in(server, "livenessProbe", "httpGet", "path") != "/healthz" || in(server, "readinessProbe", "httpGet", "path") != "/readyz" {
		t.Errorf("%v", server)
	}
	for _, p := range server["ports"].([]any) {
		one := p.(map[string]any)
		name := map[any]string{"http": "CARILLON_ADDR", "metrics": "CARILLON_METRICS_ADDR", "voice": "CARILLON_RTC_UDP_ADDR"}[one["name"]]
		if env[name] != fmt.Sprint(":", one["containerPort"]) {
			t.Errorf("the port %v is %v, and the server listens on %v", one["name"], one["containerPort"], env[name])
		}
	}
	port := in(all["Service elm-carillon-voice"], "spec", "ports").([]any)[0].(map[string]any)
	if port["nodePort"] != 30478 || port["port"] != 30478 || port["protocol"] != "UDP" {
		t.Errorf("phones are given port 30478, and the service has %v", port)
	}
	if n := len(in(all["ConfigMap elm-carillon-dashboards"], "data").(map[string]any)); n != len(deploy.Dashboards) {
		t.Errorf("%d dashboards of %d", n, len(deploy.Dashboards))
	}
	mayAsk := false // NodeLocal DNSCache is in the network of metadata addresses
	for _, rule := range in(all["NetworkPolicy elm-carillon"], "spec", "egress").([]any) {
		one := rule.(map[string]any)
		mayAsk = mayAsk || one["to"] == nil && strings.Contains(fmt.Sprint(one["ports"]), "port:53 protocol:UDP")
	}
	if !mayAsk {
		t.Errorf("the server cannot ask a DNS cache of its node: %v", all["NetworkPolicy elm-carillon"])
	}
	groups, ok := in(all["PrometheusRule elm-carillon"], "spec", "groups").([]any)
	if !ok || len(groups) != 1 {
		t.Errorf("the rules are %v", all["PrometheusRule elm-carillon"])
	}
}

// TestChartModes: PostgreSQL has no volume, the node's own network no service for voice, and what
// is missing is named.
func TestChartModes(t *testing.T) {
	t.Parallel()
	all, err := rendered(t, alone(map[string]any{"database": map[string]any{"secret": "pg"},
		"voice": map[string]any{"mode": "hostNetwork", "port": 3478}}))
	if err != nil {
		t.Fatal(err)
	}
	if all["PersistentVolumeClaim elm-carillon-data"] != nil || all["Service elm-carillon-voice"] != nil ||
		in(all["Deployment elm-carillon"], "spec", "template", "spec", "hostNetwork") != true {
		t.Errorf("%v", all)
	}
	all, err = rendered(t, alone(map[string]any{"voice": map[string]any{"mode": "loadBalancer", "port": 3478,
		"publicIPs": []any{"203.0.113.7"}}}))
	if err != nil || in(all["Service elm-carillon-voice"], "spec", "type") != "LoadBalancer" {
		t.Errorf("%v %v", all["Service elm-carillon-voice"], err)
	}
	for key, want := range map[string]string{"publicURL": "publicURL is missing", "masterKey": "masterKey.secret is missing",
		"ingress": "ingress.host is missing", "passwords": "passwords.secret is missing"} {
		set := needed(nil)
		delete(set, key)
		if _, err := rendered(t, set); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("without %s: %v", key, err)
		}
	}
}

// TestChartOfNodes: several servers are on nodes of their own, are replaced one after the other,
// and need PostgreSQL and NATS.
func TestChartOfNodes(t *testing.T) {
	t.Parallel()
	set := func(more map[string]any) map[string]any {
		more["replicas"] = 3
		return alone(more)
	}
	pg, nats := map[string]any{"secret": "pg"}, map[string]any{"enabled": false, "url": "nats://nats:4222"}
	all, err := rendered(t, set(map[string]any{"database": pg, "nats": nats}))
	if err != nil {
		t.Fatal(err)
	}
	d := all["Deployment elm-carillon"]
	pod, _ := in(d, "spec", "template", "spec").(map[string]any)
	apart, _ := in(pod, "affinity", "podAntiAffinity").(map[string]any)
	if in(d, "spec", "replicas") != 3 || in(d, "spec", "strategy", "rollingUpdate", "maxSurge") != 0 || len(apart) != 1 ||
		in(all["PodDisruptionBudget elm-carillon"], "spec", "maxUnavailable") != 1 {
		t.Errorf("%v", d)
	}
	env := fmt.Sprint(pod["containers"].([]any)[0].(map[string]any)["env"])
	if !strings.Contains(env, "name:CARILLON_NATS_URL value:nats://nats:4222") || !strings.Contains(env, "fieldPath:metadata.name") {
		t.Errorf("%s", env)
	}
	_, err = rendered(t, set(map[string]any{"database": pg, "nats": off}))
	if err == nil || !strings.Contains(err.Error(), "nats.url is missing") {
		t.Errorf("without NATS: %v", err)
	}
	_, err = rendered(t, set(map[string]any{"nats": nats}))
	if err == nil || !strings.Contains(err.Error(), "database.secret is missing") {
		t.Errorf("without PostgreSQL: %v", err)
	}
}

// TestSchema: each value of the chart has its type, and only settings that exist may be set.
func TestSchema(t *testing.T) {
	t.Parallel()
	files := named(t, deploy.Chart)
	var schema struct {
		Properties map[string]struct {
			Properties map[string]any
			Additional any `json:"additionalProperties"`
		}
	}
	if err := json.Unmarshal(files["values.schema.json"], &schema); err != nil {
		t.Fatal(err)
	}
	for key, value := range documents(t, "values.yaml", files["values.yaml"])[0] {
		known, ok := schema.Properties[key]
		if !ok {
			t.Errorf("the schema refuses %s of values.yaml", key)
		}
		nested, _ := value.(map[string]any)
		for inner := range nested {
			if known.Additional == false && known.Properties[inner] == nil {
				t.Errorf("the schema refuses %s.%s of values.yaml", key, inner)
			}
		}
	}
	env := schema.Properties["env"]
	var names []string
	for name := range env.Properties {
		names = append(names, name)
	}
	slices.Sort(names)
	want := []string{"CARILLON_LOG_FORMAT", "CARILLON_SMTP_URL", "CARILLON_TRUSTED_PROXIES"}
	if env.Additional != false || !slices.Equal(names, want) {
		t.Errorf("env takes %v, want %v: the chart sets CARILLON_ADDR itself", names, want)
	}
}
