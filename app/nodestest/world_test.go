package nodestest_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/app"
	"carillon/app/bus/natstest"
	"carillon/app/push/apnstest"
	"carillon/tenants/store/storetest"
)

// asNode makes this test binary a server: a node of a test is a process that can be killed.
const asNode = "CARILLON_TEST_NODE"

func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		code := app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr)
		stop()
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// world is one database, one NATS and one Apple, on which nodes run.
type world struct {
	*testing.T
	server   *storetest.Server
	nats     *natstest.Server
	apple    *apnstest.Apple
	env      []string
	database string
	before   string // the program of the previous release, in worldBefore
	key      string // of the tenant
	device   device
}

type device struct{ ID, Credential string }

func newWorld(t *testing.T) *world {
	t.Helper()
	server := storetest.StartPostgres(t)
	w := worldOn(t, server, server.Migrated(t))
	w.found("")
	return w
}

// worldBefore is a world whose schema and tenant the program of an earlier release has made.
func worldBefore(t *testing.T, program string) *world {
	t.Helper()
	server := storetest.StartPostgres(t)
	w := worldOn(t, server, server.Database(t))
	w.before = program
	w.run(program, "migrate", "up")
	w.found(program)
	return w
}

// worldOn is a world without a tenant.
func worldOn(t *testing.T, server *storetest.Server, database string) *world {
	t.Helper()
	w := &world{T: t, server: server, database: database}
	var err error
	if w.nats, err = natstest.New(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.nats.Stop)
	if w.apple, err = apnstest.New(apnstest.Config{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = w.apple.Close() })
	dir := t.TempDir()
	key, ca := filepath.Join(dir, "master.key"), filepath.Join(dir, "apple.pem")
	for file, text := range map[string][]byte{key: []byte("k0:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"), ca: w.apple.CAPEM()} {
		if err := os.WriteFile(file, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	w.env = append(os.Environ(), asNode+"=1", "CARILLON_ADDR=127.0.0.1:0", "CARILLON_PUBLIC_URL=http://127.0.0.1",
		"CARILLON_DATABASE_URL="+w.database, "CARILLON_MASTER_KEY_FILE="+key, "CARILLON_APNS_CA_FILE="+ca,
		"CARILLON_APNS_PRODUCTION_URL="+w.apple.URL(apnstest.Production), "CARILLON_APNS_SANDBOX_URL="+w.apple.URL(apnstest.Sandbox),
		"CARILLON_RTC_UDP_ADDR=127.0.0.1:0", "CARILLON_DRAIN=0s", "CARILLON_DEVICE_SPACING=0", "CARILLON_RINGS_PER_SECOND=0")
	return w
}

// found makes the tenant, with a program or with this one.
func (w *world) found(program string) {
	w.Helper()
	var made struct {
		APIKey string `json:"api_key"`
	}
	text := w.run(program, "tenant", "create", "--name", "Elm Dental", "--slug", "elm", "--industry", "healthcare",
		"--email", "ada@example.com", "--json")
	if err := json.Unmarshal(text, &made); err != nil {
		w.Fatal(err)
	}
	w.key = made.APIKey
}

// run runs a verb on the database, with a program or with this one, and gives what it prints.
func (w *world) run(program string, args ...string) []byte {
	w.Helper()
	args = append(args, "--database-url", w.database)
	var out, errs bytes.Buffer
	if program == "" {
		if code := app.Run(w.Context(), args, &out, &errs); code != 0 {
			w.Fatalf("%s: %s", args[0], errs.String())
		}
		return out.Bytes()
	}
	c := exec.CommandContext(w.Context(), program, args...)
	c.Stdout, c.Stderr = &out, &errs
	if err := c.Run(); err != nil {
		w.Fatalf("%s of the previous release: %v %s", args[0], err, errs.String())
	}
	return out.Bytes()
}

// node is a running server.
type node struct {
	w    *world
	url  string
	cmd  *exec.Cmd
	done chan struct{} // closed once it has ended
}

// start starts a node, or returns what it said when it did not start.
func (w *world) start(env ...string) (*node, string) {
	w.Helper()
	return w.startAs(os.Args[0], env...)
}

// startAs is start of a program.
func (w *world) startAs(program string, env ...string) (*node, string) {
	w.Helper()
	n := &node{w: w, cmd: exec.Command(program, "serve"), done: make(chan struct{})}
	n.cmd.Env = append(append([]string{}, w.env...), env...)
	var errs bytes.Buffer
	n.cmd.Stderr = &errs
	n.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := n.cmd.StdoutPipe()
	if err == nil {
		err = n.cmd.Start()
	}
	if err != nil {
		w.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		if _, at, ok := strings.Cut(lines.Text(), " on "); ok {
			n.url = "http://" + at
			break
		}
	}
	go func() {
		defer close(n.done)
		_, _ = io.Copy(io.Discard, out)
		_ = n.cmd.Wait()
	}()
	if n.url == "" {
		<-n.done
		return nil, errs.String()
	}
	w.Cleanup(func() {
		n.kill()
		if w.Failed() {
			w.Logf("the log of %s:\n%s", n.url, errs.String())
		}
	})
	return n, ""
}

// shared starts a node with NATS.
func (w *world) shared(name string) *node {
	w.Helper()
	return w.sharedAs(os.Args[0], name)
}

// sharedAs is shared of a program.
func (w *world) sharedAs(program, name string) *node {
	w.Helper()
	n, said := w.startAs(program, "CARILLON_NATS_URL="+w.nats.URL(), "CARILLON_NODE="+name)
	if n == nil {
		w.Fatal(said)
	}
	return n
}

// kill ends the node as a power cut would. Twice is fine.
func (n *node) kill() {
	_ = n.cmd.Process.Kill()
	<-n.done
}

// call makes a request and reads the answer into out, if that is not nil.
func (n *node) call(method, path, key, body string, out any) int {
	n.w.Helper()
	q, err := http.NewRequestWithContext(n.w.Context(), method, n.url+path, strings.NewReader(body))
	if err != nil {
		n.w.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+key)
	q.Header.Set("Content-Type", "application/json")
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		n.w.Fatal(err)
	}
	defer a.Body.Close()
	text, err := io.ReadAll(a.Body)
	if err == nil && out != nil && a.StatusCode < 300 {
		err = json.Unmarshal(text, out)
	}
	if err != nil {
		n.w.Fatalf("%s %s: %v: %s", method, path, err, text)
	}
	return a.StatusCode
}

// furnish gives the tenant a credential that Apple takes, and a phone.
func (n *node) furnish() {
	w := n.w
	w.Helper()
	account, p8, err := apnstest.NewKey("ABCDE12345", "KEYKEY1234")
	if err == nil {
		err = w.apple.Register(account)
	}
	if err != nil {
		w.Fatal(err)
	}
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "AuthKey_KEYKEY1234.p8")
	if err == nil {
		_, err = part.Write(p8)
	}
	if err != nil {
		w.Fatal(err)
	}
	for field, value := range map[string]string{"bundle_id": "com.example.elm", "environment": "auto", "team_id": "ABCDE12345"} {
		_ = form.WriteField(field, value) // a Buffer has no errors
	}
	_ = form.Close()
	q, err := http.NewRequestWithContext(w.Context(), "POST", n.url+"/v1/credentials", &body)
	if err != nil {
		w.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+w.key)
	q.Header.Set("Content-Type", form.FormDataContentType())
	a, err := http.DefaultClient.Do(q)
	if err != nil || a.StatusCode != 201 {
		w.Fatalf("the credential: %v %v", a, err)
	}
	_ = a.Body.Close()
	if status := n.call("POST", "/v1/devices", w.key, `{"token":"`+strings.Repeat("a1", 32)+`","bundle_id":"com.example.elm",`+
		`"person":"front-desk"}`, &w.device); status != 201 {
		w.Fatalf("the device is refused: %d", status)
	}
}

// ring is what a test reads of one.
type ring struct {
	ID, State string
	EndReason string `json:"end_reason"`
	Call      *struct {
		EndedBy string `json:"ended_by"`
	}
}

func (n *node) place() string {
	n.w.Helper()
	var r ring
	if status := n.call("POST", "/v1/rings", n.w.key, `{"to":{"person":"front-desk"}}`, &r); status != 201 {
		n.w.Fatalf("the ring is refused: %d", status)
	}
	return r.ID
}

// until asks for a ring until it is as wanted, and fails after the limit.
func (n *node) until(id, what string, limit time.Duration, is func(ring) bool) ring {
	n.w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(limit); ; {
		var r ring
		n.call("GET", "/v1/rings/"+id, n.w.key, "", &r)
		if is(r) {
			return r
		}
		select {
		case <-tick.C:
		case <-late:
			n.w.Fatalf("%s: the ring is %+v after %s", what, r, limit)
		}
	}
}

// events follows the facts of a ring; the channel gets each kind, and is closed at the end.
func (n *node) events(ctx context.Context, id string) <-chan string {
	n.w.Helper()
	q, err := http.NewRequestWithContext(ctx, "GET", n.url+"/v1/rings/"+id+"/events", nil)
	if err != nil {
		n.w.Fatal(err)
	}
	q.Header.Set("Authorization", "Bearer "+n.w.key)
	a, err := http.DefaultClient.Do(q)
	if err != nil || a.StatusCode != 200 {
		n.w.Fatalf("events: %v %v", a, err)
	}
	kinds := make(chan string, 100)
	go func() {
		defer close(kinds)
		defer a.Body.Close()
		lines := bufio.NewScanner(a.Body)
		for lines.Scan() {
			if kind, ok := strings.CutPrefix(lines.Text(), "event: "); ok {
				kinds <- kind
			}
		}
	}()
	return kinds
}

// hears waits for a kind of fact.
func (w *world) hears(kinds <-chan string, want string, limit time.Duration) {
	w.Helper()
	late := time.After(limit)
	var seen []string
	for {
		select {
		case kind, open := <-kinds:
			if kind == want {
				return
			}
			if seen = append(seen, kind); !open {
				w.Fatalf("the stream ended with %q, without %q", seen, want)
			}
		case <-late:
			w.Fatalf("%q did not come within %s, only %q", want, limit, seen)
		}
	}
}

// closedWithin waits until a channel is closed.
func closedWithin(c <-chan struct{}, limit time.Duration) error {
	select {
	case <-c:
		return nil
	case <-time.After(limit):
		return fmt.Errorf("not within %s", limit)
	}
}
