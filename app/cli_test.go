package app

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/tenants/seal"
)

// TestServeNamesEveryFaultAtOnce gives nonsense for everything that can be given: each is named by
// its variable, with a cure, and nobody is shown what a parser of ours said.
func TestServeNamesEveryFaultAtOnce(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("nonsense"), 0o600); err != nil {
		t.Fatal(err)
	}
	code, said := say(t, "serve", "--addr", "nowhere", "--public-url", "http://ring.example.com", "--master-key-file",
		file, "--apns-production-url", "http://x",
		"--apns-sandbox-url", "x", "--apns-ca-file", file+".pem", "--rtc-udp-addr", ":99999", "--rtc-tcp-addr", "x:y",
		"--rtc-public-ips", "1.2.3.4,me,0.0.0.0",
		"--trusted-proxies", "x,10.0.0.0/99", "--log-format", "xml", "--metrics-addr", ":-1", "--rtc-ice-servers",
		"stun:,turn:turn.example.com", "--rings-per-second", "many", "--device-spacing", "5", "--plans-file", file, "--industries", file,
		"--stripe-key", "pk_live_x", "--stripe-webhook-secret", "x", "--stripe-api-url", "http://stripe.example",
		"--stripe-tax=perhaps", "--smtp-url", "mail", "--data", file)
	for _, want := range []string{
		`CARILLON_ADDR: "nowhere" is not host:port; give`,
		`CARILLON_PUBLIC_URL: "http://ring.example.com" must start with https://`, "CARILLON_MASTER_KEY_FILE: master key file, line 1",
		"CARILLON_APNS_PRODUCTION_URL: ", "CARILLON_APNS_SANDBOX_URL: ",
		"CARILLON_APNS_CA_FILE: there is no file " + file + ".pem; check", `CARILLON_RTC_UDP_ADDR: ":99999" is no`,
		"CARILLON_RTC_TCP_ADDR: ", `CARILLON_RTC_PUBLIC_IPS: "me" is not an IP address that a phone can reach; give`,
		`CARILLON_RTC_PUBLIC_IPS: "0.0.0.0"`,
		`CARILLON_TRUSTED_PROXIES: "x" is not an address or network; give`, `CARILLON_TRUSTED_PROXIES: "10.0.0.0/99"`,
		`CARILLON_LOG_FORMAT: "xml" is not a log format; use text or json`,
		`CARILLON_RTC_ICE_SERVERS: "stun:" is not a server; give`, "CARILLON_RTC_TURN_SECRET: is missing; give",
		"CARILLON_METRICS_ADDR: ", `CARILLON_RINGS_PER_SECOND: "many" cannot be read; give a number`,
		`CARILLON_DEVICE_SPACING: "5" cannot be read; give a time with its unit`,
		"CARILLON_PLANS_FILE: ", "CARILLON_INDUSTRIES: " + file + " is no folder",
		"CARILLON_STRIPE_KEY: ", "CARILLON_STRIPE_WEBHOOK_SECRET: ",
		"CARILLON_STRIPE_API_URL: ", `CARILLON_STRIPE_TAX: "perhaps" cannot be read; give true or false`,
		"CARILLON_SMTP_URL: ", "CARILLON_DATA: " + file + " is a file; give a folder",
	} {
		if !strings.Contains(said, want) {
			t.Errorf("it does not say %s", want)
		}
	}
	for _, raw := range []string{"ParseAddr", "strconv", "enum", "parsing"} {
		if strings.Contains(said, raw) {
			t.Errorf("it says %q", raw)
		}
	}
	if code != 1 || t.Failed() {
		t.Errorf("exit code %d:\n%s", code, said)
	}
	for _, flags := range [][]string{
		{"CARILLON_DATABASE_URL: must be a postgres://", "--database-url", "mysql://x"},
		{"CARILLON_DATABASE_URL: cannot be read; give", "--database-url", "postgres://u:se cret@[x"},
		{"CARILLON_MASTER_KEY_FILE: is missing; make one with `(umask 077; openssl rand"},
		{"CARILLON_PUBLIC_URL: is missing; give"}, {"or make one with `(umask 077; openssl rand", "--master-key-file", file + ".none"},
		{"CARILLON_RINGS_PER_SECOND: must be from 0", "--rings-per-second", "-1"},
		{"CARILLON_RINGS_PER_SECOND: must be", "--rings-per-second", "NaN"},
		{"CARILLON_DEVICE_SPACING: must be from 0s", "--device-spacing", "6s"},
		{"CARILLON_METRICS_ADDR: \":1\" is also the address of CARILLON_ADDR", "--addr", ":1", "--metrics-addr", ":1"},
		{"CARILLON_OPERATOR_ADDR: \":1\" is also the address of CARILLON_ADDR", "--addr", ":1", "--operator-addr", ":1"},
		{"CARILLON_OPERATOR_URL: is set, but CARILLON_OPERATOR_ADDR is not", "--operator-url", "https://ops.example"},
		{"CARILLON_STRIPE_WEBHOOK_SECRET: is set, but CARILLON_STRIPE_KEY is not", "--stripe-webhook-secret", "whsec_0123456789"},
	} {
		code, said := say(t, append([]string{"serve", "--data", t.TempDir()}, flags[1:]...)...)
		if code != 1 || !strings.Contains(said, flags[0]) || strings.Contains(said, "se cret") {
			t.Errorf("%v: %d\n%s", flags, code, said)
		}
	}
}

func TestTheCommandLine(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		words string
		code  int
		args  []string
	}{
		"help":            {"Rings iPhones", 0, []string{"--help"}},
		"verb's help":     {"CARILLON_DEVICE_SPACING", 0, []string{"serve", "--help"}},
		"an example":      {"carillon tenant create --name", 0, []string{"tenant", "create", "--help"}},
		"no such verb":    {"Run `carillon --help`", 2, []string{"invite"}},
		"no such flag":    {"Run `carillon dev --help`", 2, []string{"dev", "--nope"}},
		"no verb":         {"expected one of", 2, nil},
		"no port":         {"not host:port; give", 2, []string{"health", "--addr", "x"}},
		"no device":       {"missing flags", 2, []string{"ring"}},
		"no calls":        {"--calls must be from 1 to 1000, not 0", 2, []string{"bench", "calls", "--calls", "0"}},
		"calls below":     {"--calls must be from 1 to 1000, not -4", 2, []string{"bench", "calls", "--calls=10,-4"}},
		"too many calls":  {"--calls must be from 1 to 1000, not 5000", 2, []string{"bench", "calls", "--calls", "5000"}},
		"calls, no turn":  {"--turns must be from 1", 2, []string{"bench", "calls", "--turns", "0"}},
		"no window":       {"--window must be from 100ms to 1h0m0s, not 0s", 2, []string{"bench", "calls", "--window", "0s"}},
		"no churn":        {"--per-second must be from 1 to 100, not 0", 2, []string{"bench", "soak", "--per-second", "0"}},
		"churn backwards": {"--churn-for must be from 1m", 2, []string{"bench", "soak", "--churn-for=-1s"}},
		"too long a call": {"--for must be from 1m0s to 55m0s, not 1h0m0s", 2, []string{"bench", "soak", "--for", "1h"}},
		"no connections":  {"--concurrency must be from 1 to 10000, not 0", 2, []string{"bench", "rings", "--concurrency", "0"}},
		"no list":         {"--concurrency", 2, []string{"bench", "rings", "--concurrency="}},
		"no turns":        {"--turns must be from 1 to 1000, not 0", 2, []string{"bench", "rings", "--turns", "0"}},
		"endless turns":   {"--turns must be from 1 to 1000, not 1000000000", 2, []string{"bench", "rings", "--turns", "1000000000"}},
		"two at once":     {"--turn must be from 100ms to 1h0m0s, not 0s", 2, []string{"bench", "rings", "--turns", "0", "--turn", "0s"}},
		"no rings":        {"--rings must be from 1", 2, []string{"bench", "pages", "--rings", "0"}},
		"rings below":     {"--rings must be from 1", 2, []string{"bench", "pages", "--rings=-1"}},
		"never":           {"--times must be from 1", 2, []string{"bench", "pages", "--times", "0"}},
		"no pace":         {"--per-second must be from 1 to 10000, not 0", 2, []string{"bench", "sweep", "--per-second", "0"}},
		"no such fault":   {"GOAWAY every 300", 2, []string{"bench", "faults", "--only", "no such fault"}},
		"what is no int":  {"--turns", 2, []string{"bench", "rings", "--turns", "9999999999999999999999"}},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute) // a benchmark that starts would take long
		var out bytes.Buffer
		if code := Run(ctx, c.args, &out, &out); code != c.code || !strings.Contains(out.String(), c.words) {
			t.Errorf("%s: exit code %d, want %d and %q\n%s", name, code, c.code, c.words, out.String())
		}
		cancel()
	}
}

// TestAFileMayBeEmpty: a variable of a file that is set to nothing is not set, as in the .env of an
// installation where a rotation of the master key is over.
func TestAFileMayBeEmpty(t *testing.T) {
	names := []string{"CARILLON_MASTER_KEY_FILE_OLD", "CARILLON_NATS_CREDS_FILE", "CARILLON_PLANS_FILE", "CARILLON_APNS_CA_FILE"}
	for _, name := range names {
		t.Setenv(name, "")
	}
	_, said := say(t, "serve", "--addr", "nowhere", "--data", t.TempDir())
	for _, name := range names {
		if strings.Contains(said, name) {
			t.Errorf("it says of %s: %s", name, said)
		}
	}
	if !strings.Contains(said, "CARILLON_ADDR") {
		t.Errorf("it says %s", said)
	}
}

// TestMain lets the test binary be what a test kills, or runs from a shell.
func TestMain(m *testing.M) {
	private()                                                    // as in Run: folders of tests are closed to other users
	if len(os.Args) > 1 && !strings.HasPrefix(os.Args[1], "-") { // a verb; go test passes flags
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		context.AfterFunc(ctx, stop) // as in main.go
		os.Exit(Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// TestOneServerForADataFolder: a second one is refused in words, whichever kind it is; verbs work
// beside it; and a server that was killed leaves nothing that stops the next.
func TestOneServerForADataFolder(t *testing.T) {
	t.Parallel()
	data, key := t.TempDir(), filepath.Join(t.TempDir(), "master.key")
	if err := os.WriteFile(key, []byte(seal.Generate()), 0o600); err != nil {
		t.Fatal(err)
	}
	wants(t, 0, "applied", "migrate", "up", "--data", data)
	serve := []string{"serve", "--data", data, "--addr", "127.0.0.1:0", "--rtc-udp-addr", "127.0.0.1:0", "--public-url",
		"http://127.0.0.1", "--master-key-file", key}
	first := exec.CommandContext(t.Context(), os.Args[0], serve...)
	out, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	first.Stderr = os.Stderr
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = first.Process.Kill(); _ = first.Wait() }()
	if n, err := out.Read(make([]byte, 100)); n == 0 {
		t.Fatalf("the server does not start: %v", err)
	}
	refusal := "another carillon is running on the data folder " + data + "; stop it, or choose another folder"
	wants(t, 1, refusal, serve...)
	wants(t, 1, refusal, "dev", "--data", data, "--addr", "127.0.0.1:0")
	wants(t, 0, "up to date", "migrate", "up", "--data", data)
	wants(t, 0, "applied", "migrate", "status", "--data", data)
	wants(t, 0, "crl_live_", "tenant", "create", "--name", "Elm", "--slug", "elm", "--industry", "salon", "--email",
		"a@b.example", "--data", data)
	wants(t, 0, "has the plan growth", "tenant", "plan", "--slug", "elm", "--plan", "growth", "--data", data)
	wants(t, 0, "ok   the database is SQLite", append([]string{"doctor", "--data", data, "--public-url", "http://127.0.0.1",
		"--master-key-file", key}, outside(t)...)...)

	if err := first.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // that it was killed is no news
	unlock, err := lock(data)
	if err != nil {
		t.Fatalf("after a kill: %v", err)
	}
	if err := unlock(); err != nil {
		t.Fatal(err)
	}
	if start(t, "--data", t.TempDir()).ready.URL == "" { // another folder is free
		t.Error("no URL")
	}
}

// TestATakenAddressIsNamed starts a second server where the first one listens.
func TestATakenAddressIsNamed(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := strings.TrimPrefix(s.ready.URL, "http://")
	wants(t, 1, "--addr: another program listens on "+at+"; stop it, or give another", "dev", "--addr", at)
}

// TestDevStaysOnThisMachine: a page whose name points at 127.0.0.1 must not read dev mode's
// sign-in.
func TestDevStaysOnThisMachine(t *testing.T) {
	t.Parallel()
	wants(t, 1, "--addr: other machines reach 0.0.0.0:0", "dev", "--addr", "0.0.0.0:0")
	s := start(t)
	for host, want := range map[string]int{"evil.example": http.StatusForbidden, "localhost": http.StatusOK} {
		q, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.ready.URL+"/signin", nil)
		if err != nil {
			t.Fatal(err)
		}
		q.Host = host
		a, err := http.DefaultClient.Do(q)
		if err != nil {
			t.Fatal(err)
		}
		a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", host, a.StatusCode, want)
		}
	}
}

// TestRingFollowsARing rings a phone of dev mode from the command line, and says what to mend when
// that cannot be.
func TestRingFollowsARing(t *testing.T) {
	t.Parallel()
	s := start(t)
	at := []string{"--url", s.ready.URL, "--key", s.ready.APIKey}
	wants(t, 6, "declined: ", append([]string{"ring", "--person", "--to", "agent-jonas", "--ttl", "60"}, at...)...)
	wants(t, 3, "no registered device. Pair their phone", append([]string{"ring", "--person", "--to", "agent-nobody"}, at...)...)
	wants(t, 4, "There is no such device. Look up its id",
		append([]string{"ring", "--to", "01900000-0000-7000-8000-000000000000"}, at...)...)
	wants(t, 3, "ttl_s: ", append([]string{"ring", "--person", "--to", "agent-jonas", "--ttl", "1"}, at...)...)
	wants(t, 3, "CARILLON_API_KEY", "ring", "--to", "x", "--url", s.ready.URL, "--key", "crl_live_no")
	wants(t, 2, "is not the address of a server", "ring", "--to", "x", "--url", "ring", "--key", s.ready.APIKey)
	nobody := "http://" + freeAddr(t)
	wants(t, 5, "no server answers at "+nobody, "ring", "--to", "x", "--url", nobody, "--key", s.ready.APIKey)
}
