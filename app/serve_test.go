package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/deploy"
	"carillon/app/push/apnstest"
)

// TestProductionFromNothing follows the README: a key, a schema, a tenant, a server; then a
// credential, a device and a ring that reaches Apple. On SQLite and on PostgreSQL.
func TestProductionFromNothing(t *testing.T) {
	t.Parallel()
	for name, db := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			apple, err := apnstest.New(apnstest.Config{})
			if err != nil {
				t.Fatal(err)
			}
			defer apple.Close()
			s, m := produce(t, db, apple)
			device := s.furnish(apple, m)
			r := s.place(`{"to":{"person":"front-desk"},"caller":"Elm Dental"}`)
			s.until(r.ID, func(r toldRing) bool { return r.State == "pushed" })
			pushes := apple.Delivered()
			for _, p := range pushes { // one, which a machine that stands still may send again
				if p.APNsID != pushes[0].APNsID || p.Token != device.token || p.Expiration != "0" ||
					bytes.Contains(p.Payload, []byte("Elm")) {
					t.Errorf("Apple got %+v", pushes)
				}
			}
			if len(pushes) == 0 {
				t.Error("Apple got nothing")
			}
			if v := apple.Violations(); len(v) > 0 {
				t.Errorf("%+v", v)
			}
			if status := s.call("POST", "/v1/phone/rings/"+r.ID+"/facts", device.Credential,
				`{"kind":"declined","at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}`, nil); status != 200 {
				t.Errorf("the phone's word is refused: %d", status)
			}
			if r = s.until(r.ID, func(r toldRing) bool { return r.EndReason != "" }); r.State != "declined" {
				t.Errorf("ended %s", r.State)
			}
			s.measured(m, r.ID)
		})
	}
}

// furnished is the one phone of a production server.
type furnished struct{ ID, Credential, token string }

// furnish gives the server a credential that Apple takes, and a phone.
func (s *server) furnish(apple *apnstest.Apple, m createdTenant) (device furnished) {
	s.t.Helper()
	return s.furnishAs(apple, m, "ABCDE12345", "KEYKEY1234", strings.Repeat("a1", 32))
}

// furnishAs does so with another team, key and phone.
func (s *server) furnishAs(apple *apnstest.Apple, m createdTenant, team, keyID, token string) (device furnished) {
	s.t.Helper()
	account, p8, err := apnstest.NewKey(team, keyID)
	if err != nil {
		s.t.Fatal(err)
	}
	if err := apple.Register(account); err != nil {
		s.t.Fatal(err)
	}
	if status, body := s.upload(m.APIKey, team, "AuthKey_"+keyID+".p8", p8); status != 201 {
		s.t.Fatalf("the credential is refused: %d %s", status, body)
	}
	device.token = token
	if status := s.call("POST", "/v1/devices", m.APIKey,
		`{"token":"`+device.token+`","bundle_id":"com.example.elm","person":"front-desk"}`, &device); status != 201 {
		s.t.Fatalf("the device is refused: %d", status)
	}
	s.ready.APIKey = m.APIKey
	return device
}

// produce sets up and starts `carillon serve`.
func produce(t *testing.T, db []string, apple *apnstest.Apple, more ...string) (*server, createdTenant) {
	t.Helper()
	run := func(args ...string) string {
		var out, errs bytes.Buffer
		if code := Run(t.Context(), append(args, db...), &out, &errs); code != 0 {
			t.Fatalf("%v: %s", args, errs.String())
		}
		return out.String()
	}
	run("migrate", "up")
	var m createdTenant
	if err := json.Unmarshal([]byte(run("tenant", "create", "--name", "Elm Dental", "--slug", "elm", "--industry",
		"healthcare", "--email", "ada@example.com", "--json")), &m); err != nil {
		t.Fatal(err)
	}
	return serves(t, db, apple, more...), m
}

// serves starts `carillon serve` on a database that is there.
func serves(t *testing.T, db []string, apple *apnstest.Apple, more ...string) *server {
	t.Helper()
	return servesAt(t, time.Now, db, apple, more...)
}

// testMasterKey is one for all tests: a server that is started again on a database needs the same.
const testMasterKey = "k0:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"

// serveArgs is the command line of a server on free ports of this machine.
func serveArgs(t *testing.T, db []string, apple *apnstest.Apple, more ...string) []string {
	t.Helper()
	dir := t.TempDir()
	key, ca := filepath.Join(dir, "master.key"), filepath.Join(dir, "apple.pem")
	for file, text := range map[string][]byte{key: []byte(testMasterKey), ca: apple.CAPEM()} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return append([]string{"serve", "--addr", "127.0.0.1:0", "--public-url", "http://127.0.0.1", "--master-key-file",
		key, "--apns-ca-file", ca,
		"--apns-production-url", apple.URL(apnstest.Production), "--apns-sandbox-url", apple.URL(apnstest.Sandbox),
		"--rtc-udp-addr", "127.0.0.1:0", "--metrics-addr", "127.0.0.1:0", "--drain", "0s"}, append(more, db...)...)
}

// servesAt starts it with a clock of its own.
func servesAt(t *testing.T, now func() time.Time, db []string, apple *apnstest.Apple, more ...string) *server {
	t.Helper()
	args := serveArgs(t, db, apple, more...)
	ctx, cancel := context.WithCancel(context.Background())
	out, in := io.Pipe()
	var errs lines
	ended := make(chan int, 1)
	go func() {
		code := run(ctx, args, terminal{in, &errs, now})
		in.Close()
		ended <- code
	}()
	stop := sync.OnceValue(func() int {
		cancel()
		select {
		case code := <-ended:
			if code != 0 {
				t.Errorf("exit code %d: %s", code, errs.String())
			}
			return code
		case <-time.After(2 * time.Minute):
			t.Error("the server does not stop")
			return -1
		}
	})
	t.Cleanup(func() { stop() })
	said := bufio.NewReader(out)
	var told [2]string
	for i := range told {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("the server did not start: %v %s", err, errs.String())
		}
		told[i] = strings.TrimSpace(line)
	}
	go io.Copy(io.Discard, out)
	_, addr, _ := strings.Cut(told[1], " on ")
	s := &server{t: t, stop: stop, signal: cancel, metrics: strings.TrimPrefix(told[0], "metrics at ")}
	s.ready.URL = "http://" + addr
	return s
}

// TestMetricsMove: what rings do is seen in the metrics of a running server, and they name nobody.
func TestMetricsMove(t *testing.T) {
	t.Parallel()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer apple.Close()
	s, m := produce(t, []string{"--data", t.TempDir()}, apple)
	device := s.furnish(apple, m)
	ring := func(body string, over func(toldRing) bool) string {
		t.Helper()
		r := s.place(body)
		s.until(r.ID, over)
		return r.ID
	}
	ended := func(r toldRing) bool { return r.EndReason != "" }
	apple.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("TopicDisallowed"), Count: 1})
	ids := []string{ring(`{"to":{"person":"front-desk"}}`, ended), ring(`{"to":{"person":"front-desk"},"ttl_s":10}`, ended)}
	ids = append(ids, ring(`{"to":{"person":"front-desk"}}`, func(r toldRing) bool { return r.State == "pushed" }))
	for i, kinds := range map[int][]string{1: {"woke"}, 2: {"woke", "shown"}} {
		for _, kind := range kinds {
			body := `{"kind":"` + kind + `","at":"2026-01-01T00:00:00Z","sent_at":"2026-01-01T00:00:00Z"}`
			if status := s.call("POST", "/v1/phone/rings/"+ids[i]+"/facts", device.Credential, body, nil); status != 200 {
				t.Fatalf("%s gave %d", kind, status)
			}
		}
	}
	text := s.counts(
		`carillon_pushes_total{environment="production",reason="TopicDisallowed",status="400"} 1`,
		`carillon_pushes_total{environment="production",reason="",status="200"} 2`,
		`carillon_rings_ended_total{reason="refused",state="failed"} 1`, `carillon_rings_ended_total{reason="never_woke",state="missed"} 1`,
		`carillon_hop_seconds_count{hop="woke"} 2`, `carillon_hop_seconds_count{hop="shown"} 1`,
		`carillon_hop_seconds_bucket{hop="accepted",le="60"} 2`,
		"carillon_late_arrival_seconds_count 1", `carillon_late_arrival_seconds_bucket{le="300"} 1`,
		`carillon_facts_total{fact="expired"} 1`,
	)
	table := metricTable()
	for _, family := range regexp.MustCompile(`(?m)^# TYPE (\S+) (\S+)$`).FindAllStringSubmatch(text, -1) {
		if !slices.ContainsFunc(table, func(x deploy.Metric) bool { return x.Name == family[1] && x.Type == family[2] }) {
			t.Errorf("/metrics has the %s %s, which the page of metrics does not list", family[2], family[1])
		}
	}
	for _, secret := range append(ids, string(m.TenantID), device.ID, device.token, "elm", "front-desk", "tenant") {
		if strings.Contains(strings.ReplaceAll(text, "no tenant", ""), secret+`"`) || strings.Contains(text, `="`+secret) {
			t.Errorf("a label names %q", secret)
		}
	}
}

// counts waits until the metrics have these lines, and gives all of them: what is committed is
// counted a moment later.
func (s *server) counts(lines ...string) (text string) {
	s.t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		_, text = s.get(s.metrics)
		missing := slices.DeleteFunc(slices.Clone(lines), func(line string) bool { return strings.Contains(text, line+"\n") })
		if len(missing) == 0 {
			return text
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("the metrics do not say %s", strings.Join(missing, ", "))
		}
	}
}

// measured looks at the metrics after that one ring: the figures are there, and name nobody.
func (s *server) measured(m createdTenant, ring string) {
	s.t.Helper()
	text := s.counts(
		`carillon_pushes_total{environment="production",reason="",status="200"} 1`,
		`carillon_push_seconds_count{environment="production"} 1`,
		"carillon_rings_placed_total 1", `carillon_rings_ended_total{reason="declined",state="declined"} 1`,
		`carillon_facts_total{fact="accepted"} 1`,
		`carillon_hop_seconds_count{hop="accepted"} 1`, "carillon_rings_limited_total 0", "carillon_apns_pools 1", "carillon_calls 0",
	)
	for _, want := range []string{"carillon_store_commits_total", `carillon_loop_seconds_count{loop="sweep"}`} {
		if !strings.Contains(text, want) {
			s.t.Errorf("the metrics do not say %s", want)
		}
	}
	for _, secret := range []string{string(m.TenantID), ring, "elm", "Elm", m.APIKey} {
		if strings.Contains(text, secret) {
			s.t.Errorf("the metrics name %q", secret)
		}
	}
	if status, text := s.get(s.ready.URL + "/metrics"); status != 404 || strings.Contains(text, "carillon_") {
		s.t.Errorf("the public address answers /metrics with %d", status)
	}
}

func (s *server) get(url string) (int, string) {
	s.t.Helper()
	q, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, url, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// upload posts a credential as a form with a file.
func (s *server) upload(key, team, name string, file []byte) (int, string) {
	s.t.Helper()
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", name)
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := part.Write(file); err != nil {
		s.t.Fatal(err)
	}
	for field, value := range map[string]string{"bundle_id": "com.example.elm", "environment": "auto", "team_id": team} {
		if err := form.WriteField(field, value); err != nil {
			s.t.Fatal(err)
		}
	}
	if err := form.Close(); err != nil {
		s.t.Fatal(err)
	}
	q, err := http.NewRequestWithContext(s.t.Context(), "POST", s.ready.URL+"/v1/credentials", &body)
	if err != nil {
		s.t.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+key)
	q.Header.Set("Content-Type", form.FormDataContentType())
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return a.StatusCode, string(text)
}

// lines is a buffer that a server logs to while the test may read it.
type lines struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
