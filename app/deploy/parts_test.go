package deploy_test

import (
	"fmt"
	"maps"
	"regexp"
	"strings"
	"testing"
)

// containersOf are the containers of an object's pods by name, also those that run before.
func containersOf(one map[string]any) map[string]map[string]any {
	found := map[string]map[string]any{}
	for _, kind := range []string{"initContainers", "containers"} {
		list, _ := in(one, "spec", "template", "spec", kind).([]any)
		for _, c := range list {
			its := c.(map[string]any)
			found[its["name"].(string)] = its
		}
	}
	return found
}

// envOf is the environment of a container: values, and what else they come from, as text.
func envOf(container map[string]any) map[string]string {
	env := map[string]string{}
	list, _ := container["env"].([]any)
	for _, e := range list {
		one := e.(map[string]any)
		if env[one["name"].(string)] = fmt.Sprint(one["value"]); one["value"] == nil {
			env[one["name"].(string)] = fmt.Sprint(one["valueFrom"])
		}
	}
	return env
}

// TestChartOfParts: with the secrets alone there are three servers, and the addresses and passwords
// that they are given are those of the chart's PostgreSQL, NATS and relay.
func TestChartOfParts(t *testing.T) {
	t.Parallel()
	all, err := rendered(t, needed(nil))
	if err != nil {
		t.Fatal(err)
	}
	d := all["Deployment elm-carillon"]
	servers := containersOf(d)
	env := envOf(servers["carillon"])
	secret := func(key string) string { return "map[secretKeyRef:map[key:" + key + " name:pw]]" }
	for name, want := range map[string]string{
		"CARILLON_DATABASE_URL":      "postgres://carillon:$(CARILLON_DATABASE_PASSWORD)@elm-carillon-postgres:5432/carillon?sslmode=disable",
		"CARILLON_DATABASE_PASSWORD": secret("database"),
		"CARILLON_NATS_URL":          "nats://carillon:$(NATS_PASSWORD)@elm-carillon-nats:4222",
		"NATS_PASSWORD":              secret("nats"),
		"CARILLON_RTC_PUBLIC_IPS":    "$(HOST_IP),$(POD_IP)",
		"CARILLON_RTC_ICE_SERVERS":   "turn:$(HOST_IP):30479?transport=tcp",
		"CARILLON_RTC_TURN_SECRET":   secret("turn"),
	} {
		if env[name] != want {
			t.Errorf("%s is %q, want %q", name, env[name], want)
		}
	}
	if in(d, "spec", "replicas") != 3 || all["PersistentVolumeClaim elm-carillon-data"] != nil ||
		all["PodDisruptionBudget elm-carillon"] == nil {
		t.Errorf("%v", d)
	}
	nats := containersOf(all["Deployment elm-carillon-nats"])["nats"]
	if args := fmt.Sprint(nats["args"]); !strings.Contains(args, "--port=4222 ") ||
		!strings.Contains(args, "--user=carillon --pass=$(NATS_PASSWORD)") ||
		envOf(nats)["NATS_PASSWORD"] != secret("nats") {
		t.Errorf("servers are given %q, and NATS is %v", env["CARILLON_NATS_URL"], nats)
	}
	pg := containersOf(all["StatefulSet elm-carillon-postgres"])["postgres"]
	if its := envOf(pg); its["POSTGRES_PASSWORD"] != secret("postgres") || its["CARILLON_DATABASE_PASSWORD"] != secret("database") {
		t.Errorf("PostgreSQL has %v", its)
	}
	relay := servers["turn"]
	args := fmt.Sprint(relay["command"])
	for _, want := range []string{"--listening-port=30479 ", "--static-auth-secret=$(TURN_SECRET) ", "--allowed-peer-ip=$(POD_IP)]",
		"--realm=ring.elm.example "} {
		if !strings.Contains(args, want) {
			t.Errorf("the relay lacks %q: %s", want, args)
		}
	}
	if relay["restartPolicy"] != "Always" || envOf(relay)["TURN_SECRET"] != secret("turn") {
		t.Errorf("the relay ends before the calls through it: %v", relay)
	}
	service := all["Service elm-carillon-turn"]
	port := in(service, "spec", "ports").([]any)[0].(map[string]any)
	if port["nodePort"] != 30479 || port["targetPort"] != 30479 || in(service, "spec", "externalTrafficPolicy") != "Local" {
		t.Errorf("phones are given port 30479, and the service has %v", port)
	}
	before := fmt.Sprint(in(d, "spec", "template", "spec", "initContainers"))
	if wait, migrate := strings.Index(before, "name:wait"), strings.Index(before, "name:migrate"); wait < 0 || migrate < wait {
		t.Error("the migration does not wait for PostgreSQL")
	}
}

// TestChartFindsItsPods: services, policies and budgets select the pods of one workload, with the
// ports that they name.
func TestChartFindsItsPods(t *testing.T) {
	t.Parallel()
	all, err := rendered(t, needed(map[string]any{"ingress": off, "caddy": map[string]any{"enabled": true, "http3": true}}))
	if err != nil {
		t.Fatal(err)
	}
	kinds := map[string]bool{"Service": true, "NetworkPolicy": true, "PodDisruptionBudget": true}
	seen := 0
	for name, one := range all {
		kind, _ := one["kind"].(string)
		if !kinds[kind] {
			continue
		}
		seen++
		var selector map[string]any
		for _, path := range [][]string{{"selector", "matchLabels"}, {"podSelector", "matchLabels"}, {"selector"}} {
			if selector == nil {
				selector, _ = in(one, append([]string{"spec"}, path...)...).(map[string]any)
			}
		}
		var found []string
		ports := ""
		for other, workload := range all {
			labels, ok := in(workload, "spec", "template", "metadata", "labels").(map[string]any)
			if !ok || !maps.Equal(labels, selector) {
				continue
			}
			found = append(found, other)
			for _, c := range containersOf(workload) {
				ports += fmt.Sprint(c["ports"])
			}
		}
		if len(found) != 1 {
			t.Errorf("%s selects %v with %v", name, found, selector)
		}
		for _, m := range regexp.MustCompile(`(?:targetPort|port):([a-z]+\w*)`).FindAllStringSubmatch(fmt.Sprint(one["spec"]), -1) {
			if !strings.Contains(ports, "name:"+m[1]) {
				t.Errorf("%s names the port %s, and %v has %s", name, m[1], found, ports)
			}
		}
	}
	if seen != 11 {
		t.Errorf("%d services, policies and budgets", seen)
	}
}

// TestChartIsCareful: no container of the chart has more rights than it needs, every workload
// has probes and limits, and no password is in the objects.
func TestChartIsCareful(t *testing.T) {
	t.Parallel()
	all, err := rendered(t, needed(map[string]any{"ingress": off, "caddy": map[string]any{"enabled": true}}))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for name, one := range all {
		pod, ok := in(one, "spec", "template", "spec").(map[string]any)
		if !ok {
			continue
		}
		if in(pod, "securityContext", "runAsNonRoot") != true || pod["automountServiceAccountToken"] != false ||
			in(pod, "securityContext", "seccompProfile", "type") != "RuntimeDefault" {
			t.Errorf("%s may do more than it needs", name)
		}
		volumes := fmt.Sprint(pod["volumes"]) + fmt.Sprint(in(one, "spec", "volumeClaimTemplates"))
		for of, c := range containersOf(one) {
			seen++
			may, _ := c["securityContext"].(map[string]any)
			if may["allowPrivilegeEscalation"] != false || may["readOnlyRootFilesystem"] != true ||
				!strings.Contains(fmt.Sprint(may["capabilities"]), "drop:[ALL]") {
				t.Errorf("%s: %s may do more than it needs", name, of)
			}
			if of != "wait" && of != "migrate" && (c["livenessProbe"] == nil || in(c, "resources", "limits", "memory") == nil) {
				t.Errorf("%s: %s has no probe or no limit", name, of)
			}
			mounts, _ := c["volumeMounts"].([]any)
			for _, m := range mounts {
				volume := fmt.Sprint(m.(map[string]any)["name"])
				if !strings.Contains(volumes, "name:"+volume+"]") && !strings.Contains(volumes, "name:"+volume+" ") {
					t.Errorf("%s: %s mounts %s, which is not in %s", name, of, volume, volumes)
				}
			}
			for variable, value := range envOf(c) {
				if strings.Contains(variable, "PASSWORD") || strings.Contains(variable, "SECRET") {
					if !strings.HasPrefix(value, "map[secretKeyRef") {
						t.Errorf("%s: %s has %s as a plain value", name, of, variable)
					}
				}
			}
		}
	}
	if seen != 7 {
		t.Errorf("%d containers", seen)
	}
}

// TestChartIsLikeCompose: what both run has the same image and the same files.
func TestChartIsLikeCompose(t *testing.T) {
	t.Parallel()
	files := compose(t)
	doc := documents(t, "compose.yaml", files["compose.yaml"])[0]
	all, err := rendered(t, needed(map[string]any{"ingress": off, "caddy": map[string]any{"enabled": true}}))
	if err != nil {
		t.Fatal(err)
	}
	for service, workload := range map[string]string{"nats": "Deployment elm-carillon-nats", "caddy": "StatefulSet elm-carillon-caddy",
		"postgres": "StatefulSet elm-carillon-postgres", "coturn": "Deployment elm-carillon"} {
		its := containersOf(all[workload])[strings.Replace(service, "coturn", "turn", 1)]
		if want := in(doc, "services", service, "image"); its["image"] != want || !strings.Contains(fmt.Sprint(want), ":") {
			t.Errorf("%s is %v in Compose, and %v in the chart", service, want, its["image"])
		}
	}
	if got := in(all["ConfigMap elm-carillon-postgres"], "data", "carillon.sh"); got != string(files["postgres-init.sh"]) {
		t.Errorf("the role of Carillon is made by\n%s", got)
	}
	caddy := fmt.Sprint(in(all["ConfigMap elm-carillon-caddy"], "data", "Caddyfile"))
	want := strings.Replace(string(files["Caddyfile"]), "carillon:8080", "elm-carillon:80", 1)
	if !strings.HasSuffix(caddy, want) || !strings.Contains(want, "elm-carillon:80") || !strings.HasPrefix(caddy, "{\n\tservers {") {
		t.Errorf("Caddy reads\n%s", caddy)
	}
	// Each line is in the chart's file or, where a value is of the place, among the arguments.
	conf := fmt.Sprint(in(all["ConfigMap elm-carillon-turn"], "data", "carillon.conf"))
	args := fmt.Sprint(containersOf(all["Deployment elm-carillon"])["turn"]["command"])
	content := fmt.Sprint(in(doc, "configs", "coturn", "content"))
	for line := range strings.Lines(content) {
		option, _, _ := strings.Cut(strings.TrimSpace(line), "=")
		ours := strings.Contains(line, "${") || option == "listening-port"
		if option == "external-ip" { // phones reach no port of the relay but the one they connect to
			continue
		}
		if ours && !strings.Contains(args, " --"+option+"=") || !ours && !strings.Contains("\n"+conf, "\n"+line) {
			t.Errorf("the relay of the chart lacks %q:\n%s\n%s", line, conf, args)
		}
	}
	if strings.Contains(conf, "${") || !strings.Contains(conf, "denied-peer-ip=0.0.0.0-255.255.255.255\n") {
		t.Errorf("%s", conf)
	}
}

// TestChartRefuses: values that contradict each other are named, and parts that are off are not
// there.
func TestChartRefuses(t *testing.T) {
	t.Parallel()
	url := map[string]any{"name": "n", "key": "k"}
	for _, x := range []struct {
		set  map[string]any
		want string
	}{
		{map[string]any{"database": map[string]any{"secret": "pg"}}, "set postgres.enabled to false"},
		{map[string]any{"nats": map[string]any{"url": "nats://nats:4222"}}, "set nats.enabled to false"},
		{map[string]any{"secretEnv": map[string]any{"CARILLON_NATS_URL": url}}, "set nats.enabled to false"},
		{map[string]any{"postgres": off, "replicas": 1}, "set nats.enabled to false"},
		{map[string]any{"env": map[string]any{"CARILLON_RTC_ICE_SERVERS": "stun:stun.example.com"}}, "set turn.enabled to false"},
		{map[string]any{"caddy": map[string]any{"enabled": true}}, "set one of them to false"},
		{map[string]any{"replicas": 1, "voice": map[string]any{"mode": "loadBalancer"}}, "turn.host is missing"},
	} {
		if _, err := rendered(t, needed(x.set)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%v: %v, want %q", x.set, err, x.want)
		}
	}
	all, err := rendered(t, alone(nil))
	if err != nil {
		t.Fatal(err)
	}
	for name, one := range all {
		if regexp.MustCompile(`-(nats|postgres|turn|caddy)$`).MatchString(name) || strings.Contains(fmt.Sprint(one), "PASSWORD") {
			t.Errorf("%s is there, and all parts are off", name)
		}
	}
}

// TestChartRelays: phones are given the relay on the addresses of voice, and it sends to the
// servers where the mode of voice has them.
func TestChartRelays(t *testing.T) {
	t.Parallel()
	for _, x := range []struct {
		set                  map[string]any
		addresses, relays    string
		allowed, serviceType string
	}{
		{map[string]any{"voice": map[string]any{"publicIPs": []any{"198.51.100.7", "2001:db8::7"}}}, "198.51.100.7,2001:db8::7,$(POD_IP)",
			"turn:198.51.100.7:30479?transport=tcp,turn:[2001:db8::7]:30479?transport=tcp", "--allowed-peer-ip=$(POD_IP)]", "NodePort"},
		{map[string]any{"voice": map[string]any{"mode": "hostNetwork", "publicIPs": []any{"198.51.100.7"}},
			"turn": map[string]any{"port": 3478}},
			"198.51.100.7", "turn:198.51.100.7:3478?transport=tcp", "--allowed-peer-ip=$(POD_IP) --allowed-peer-ip=198.51.100.7]", ""},
		{map[string]any{"replicas": 1, "voice": map[string]any{"mode": "loadBalancer", "publicIPs": []any{"198.51.100.7"}},
			"turn": map[string]any{"port": 443, "host": "turn.elm.example"}}, "198.51.100.7,$(POD_IP)",
			"turn:turn.elm.example:443?transport=tcp", "--allowed-peer-ip=$(POD_IP)]", "LoadBalancer"},
	} {
		all, err := rendered(t, needed(x.set))
		if err != nil {
			t.Fatal(err)
		}
		its := containersOf(all["Deployment elm-carillon"])
		env := envOf(its["carillon"])
		if env["CARILLON_RTC_PUBLIC_IPS"] != x.addresses || env["CARILLON_RTC_ICE_SERVERS"] != x.relays ||
			!strings.HasSuffix(fmt.Sprint(its["turn"]["command"]), x.allowed) {
			t.Errorf("%v: phones are given %q and %q, and the relay is %v", x.set, env["CARILLON_RTC_PUBLIC_IPS"],
				env["CARILLON_RTC_ICE_SERVERS"], its["turn"]["command"])
		}
		if kind, _ := in(all["Service elm-carillon-turn"], "spec", "type").(string); kind != x.serviceType {
			t.Errorf("%v: the service is %q", x.set, kind)
		}
		from := fmt.Sprint(in(all["NetworkPolicy elm-carillon-postgres"], "spec", "ingress"))
		if host := x.serviceType == ""; strings.Contains(from, "podSelector") == host {
			t.Errorf("%v: PostgreSQL is reached by %s", x.set, from)
		}
	}
}
