package app

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"carillon/app/push/apnstest"
	"carillon/gateway/phonetest"
)

// The attacks on a real server, in a process of its own, on SQLite and on PostgreSQL. Each is one
// principal who takes what all share, beside a stranger: a tenant that goes on ringing. What is
// asserted is no timer: the attack meets a bound, every ring of the stranger is accepted and
// pushed, and the process lives. How late those rings were is logged.

// scene is a server under attack.
type scene struct {
	*server
	apple    *apnstest.Apple
	stranger besieged
	attacker besieged
	owner    createdTenant // of the stranger
}

// besieged is a tenant with one phone, as its programs reach it.
type besieged struct {
	*server
	device furnished
}

func TestAttacks(t *testing.T) {
	t.Parallel()
	for name, db := range databases(t) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := besiege(t, 0, db)
			idle := s.rings(t, 20)
			for _, a := range []struct {
				name string
				run  func(*scene, *testing.T)
			}{
				{"streams", (*scene).floodStreams}, {"sign-in", (*scene).floodSignIn},
				{"malformed", (*scene).sendMalformed}, {"media", (*scene).floodMedia},
			} {
				t.Run(a.name, func(t *testing.T) {
					var late []time.Duration
					calm := make(chan struct{})
					var rings sync.WaitGroup
					rings.Go(func() {
						for stop := false; !stop; {
							select {
							case <-calm:
								stop = true // and once more, after the attack
							default:
							}
							late = append(late, s.rings(t, 5)...)
						}
					})
					a.run(s, t)
					close(calm)
					rings.Wait()
					t.Logf("a stranger's ring is pushed within p99 %s of %d; idle %s", worst(late), len(late), worst(idle))
				})
			}
			if code := s.stop(); code != 0 {
				t.Errorf("exit code %d", code)
			}
		})
	}
}

// TestFewDescriptors: strangers hold more connections than the server may open files, idle ones and
// requests that never end, over HTTP and over the TCP port of voice. The server refuses them, says
// so in /readyz, and rings on.
func TestFewDescriptors(t *testing.T) {
	t.Parallel()
	const files, networks, each = 200, 8, 40
	voice := freeAddr(t)
	s := besiege(t, files, []string{"--data", t.TempDir()}, "--rtc-tcp-addr", voice)
	at := strings.TrimPrefix(s.ready.URL, "http://")
	s.hold(t, at, networks, each, "")
	s.hold(t, voice, networks, each, "")
	s.rings(t, 3)
	var held []net.Conn
	fill := func() {
		for _, c := range held {
			_ = c.Close()
		}
		held = s.hold(t, at, networks, each, "POST /v1/rings HTTP/1.1\r\n")
		for _, c := range held[:each] { // room for those who ask
			_ = c.Close()
		}
	}
	fill()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.Now().Add(time.Minute); ; <-tick.C {
		a, err := http.Get(s.ready.URL + "/readyz")
		if err == nil {
			text, _ := io.ReadAll(a.Body)
			_ = a.Body.Close()
			if a.StatusCode == http.StatusServiceUnavailable && strings.Contains(string(text), "connections_full") {
				break
			}
			err = fmt.Errorf("%d %s", a.StatusCode, text)
			fill() // on a slow machine the answer can come after the seconds that count
		}
		if time.Now().After(deadline) {
			t.Fatalf("/readyz does not say that connections were refused: %v", err)
		}
	}
	s.rings(t, 3)
	for _, c := range held { // the server waits for requests that have begun
		_ = c.Close()
	}
	if code := s.stop(); code != 0 {
		t.Errorf("exit code %d", code)
	}
}

// hold opens connections from so many networks, and says the first words of something on each. The
// server may close them.
func (s *scene) hold(t *testing.T, at string, networks, each int, words string) (held []net.Conn) {
	t.Helper()
	for i := range networks {
		from := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, 0, byte(2+i))}, Timeout: 10 * time.Second}
		for range each {
			c, err := from.DialContext(t.Context(), "tcp", at)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = c.Close() })
			_, _ = io.WriteString(c, words)
			held = append(held, c)
		}
	}
	return held
}

// besiege starts a server with two tenants, which may open so many files; 0 = as many as this
// process.
func besiege(t *testing.T, files int, db []string, more ...string) *scene {
	t.Helper()
	apple, err := apnstest.New(apnstest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = apple.Close() })
	command := func(args ...string) []byte {
		var out, errs bytes.Buffer
		if code := Run(t.Context(), append(args, db...), &out, &errs); code != 0 {
			t.Fatalf("%v: %s", args, errs.String())
		}
		return out.Bytes()
	}
	command("migrate", "up")
	var made [2]createdTenant
	for i, slug := range []string{"elm", "oak"} {
		if err := json.Unmarshal(command("tenant", "create", "--name", slug, "--slug", slug, "--industry", "real-estate",
			"--email", "owner@"+slug+".example", "--json"), &made[i]); err != nil {
			t.Fatal(err)
		}
	}
	s := &scene{apple: apple, owner: made[0]}
	s.server = apart(t, files, serveArgs(t, db, apple, append([]string{"--trusted-proxies", "127.0.0.1", "--device-spacing", "0s",
		"--rings-per-second", "0"}, more...)...))
	for i, b := range []*besieged{&s.stranger, &s.attacker} {
		own := *s.server
		b.server = &own
		n := strconv.Itoa(i)
		b.device = own.furnishAs(apple, made[i], "TEAM00000"+n, "KEYKEY000"+n, strings.Repeat("a"+n, 32))
	}
	return s
}

// apart runs a server in a process of its own, which may open so many files; 0 = as many as this
// one.
func apart(t *testing.T, files int, args []string) *server {
	t.Helper()
	limit := "true"
	if files > 0 {
		limit = "ulimit -n " + strconv.Itoa(files)
	}
	child := exec.Command("sh", append([]string{"-c", limit + ` && exec "$0" "$@"`, os.Args[0]}, args...)...)
	var errs lines
	child.Stderr = &errs
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	s := &server{t: t, signal: func() { _ = child.Process.Signal(syscall.SIGTERM) }}
	ended := make(chan struct{})
	s.stop = sync.OnceValue(func() int {
		s.signal()
		select {
		case <-ended:
		case <-time.After(2 * time.Minute):
			t.Error("the server does not stop")
			_ = child.Process.Kill()
			<-ended
		}
		if code := child.ProcessState.ExitCode(); code != 0 {
			t.Errorf("the server ended with %s: %s", child.ProcessState, last(errs.String(), 4000))
		}
		return child.ProcessState.ExitCode()
	})
	said := bufio.NewReader(out)
	for s.ready.URL == "" {
		line, err := said.ReadString('\n')
		if err != nil {
			t.Fatalf("the server did not start: %v %s %v", err, errs.String(), child.Wait())
		}
		if at, ok := strings.CutPrefix(line, "metrics at "); ok {
			s.metrics = strings.TrimSpace(at)
		} else if _, addr, ok := strings.Cut(line, " on "); ok {
			s.ready.URL = "http://" + strings.TrimSpace(addr)
		}
	}
	go func() {
		defer close(ended)
		_, _ = io.Copy(io.Discard, said)
		_ = child.Wait() // what it says is in ProcessState
	}()
	t.Cleanup(func() { s.stop() })
	return s
}

func last(text string, n int) string { return text[max(0, len(text)-n):] }

// rings places rings for the stranger, one after the other, and gives how long each took until it
// was pushed.
func (s *scene) rings(t *testing.T, n int) (took []time.Duration) {
	t.Helper()
	for range n {
		start := time.Now()
		var r toldRing
		if status := s.stranger.call("POST", "/v1/rings", s.stranger.ready.APIKey, `{"to":{"person":"front-desk"}}`, &r); status != 201 {
			t.Errorf("a stranger's ring: %d", status)
			return took
		}
		tick := time.NewTicker(2 * time.Millisecond)
		for r.State == "placed" && time.Since(start) < 20*time.Second {
			<-tick.C
			s.stranger.call("GET", "/v1/rings/"+r.ID, s.stranger.ready.APIKey, "", &r)
		}
		tick.Stop()
		if r.State != "pushed" {
			t.Errorf("a stranger's ring is %s", r.State)
		}
		took = append(took, time.Since(start))
	}
	return took
}

// worst is the 99th percentile.
func worst(took []time.Duration) time.Duration {
	if len(took) == 0 {
		return 0
	}
	took = slices.Sorted(slices.Values(took))
	return took[len(took)*99/100].Round(time.Millisecond)
}

// send sends a request and gives its status and Retry-After; hold leaves the answer open until the
// test ends.
func (s *server) send(q *http.Request, client *http.Client, hold bool) (status int, after string) {
	s.t.Helper()
	a, err := client.Do(q)
	if err != nil {
		s.t.Fatal(err)
	}
	if hold && a.StatusCode == http.StatusOK {
		s.t.Cleanup(func() { _ = a.Body.Close() })
	} else {
		_, _ = io.Copy(io.Discard, a.Body)
		_ = a.Body.Close()
	}
	return a.StatusCode, a.Header.Get("Retry-After")
}

// bounded repeats an attack until it is refused, at most so many times.
func bounded(t *testing.T, what string, most int, try func() (status int, after string)) {
	t.Helper()
	var status int
	var after string
	for i := range most {
		status, after = try()
		switch {
		case status == http.StatusTooManyRequests && after != "":
			t.Logf("%s: refused after %d", what, i)
			return
		case status >= 500 || status == http.StatusTooManyRequests:
			t.Errorf("%s: %d with Retry-After %q", what, status, after)
			return
		}
	}
	t.Errorf("%s: no bound within %d; the last answer is %d", what, most, status)
}

// floodStreams opens event streams with one device credential and with one key.
func (s *scene) floodStreams(t *testing.T) {
	a := s.attacker
	r := a.place(`{"to":{"person":"front-desk"},"ttl_s":60}`)
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	for what, c := range map[string]struct{ path, bearer string }{
		"streams of a device": {"/v1/phone/rings/" + r.ID + "/events", a.device.Credential},
		"streams of a key":    {"/v1/rings/" + r.ID + "/events", a.ready.APIKey},
	} {
		bounded(t, what, 1000, func() (int, string) {
			return a.send(request(ctx, http.MethodGet, a.ready.URL+c.path, c.bearer, ""), client, true)
		})
	}
}

// request makes a request that cannot be wrong.
func request(ctx context.Context, method, address, bearer, body string) *http.Request {
	q, err := http.NewRequestWithContext(ctx, method, address, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if bearer != "" {
		q.Header.Set("Authorization", "Bearer "+bearer)
	}
	return q
}

// floodSignIn guesses at the owner's password from many networks, while the owner signs in with a
// browser that did so before.
func (s *scene) floodSignIn(t *testing.T) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		t.Fatal(err)
	}
	known := &http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	const password = "four plain words here"
	post := func(client *http.Client, path, from string, form url.Values) (int, string) {
		q := request(t.Context(), http.MethodPost, s.ready.URL+path, "", form.Encode())
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		if from != "" {
			q.Header.Set("X-Forwarded-For", from)
		}
		return s.send(q, client, false)
	}
	invitation, err := url.Parse(s.owner.Invitation)
	if err != nil {
		t.Fatal(err)
	}
	if status, _ := post(known, invitation.Path, "", url.Values{"name": {"Ada"}, "password": {password}}); status != http.StatusSeeOther {
		t.Fatalf("the owner's account: %d", status)
	}
	const email = "owner@elm.example"
	guesses := make(chan int, 400)
	var flood sync.WaitGroup
	stranger := &http.Client{CheckRedirect: known.CheckRedirect}
	for worker := range 4 {
		flood.Go(func() {
			for i := range 40 {
				status, _ := post(stranger, "/signin", fmt.Sprintf("198.%d.%d.7", 18+worker, i), url.Values{"email": {email},
					"password": {"a guess of a stranger"}})
				guesses <- status
			}
		})
	}
	for range 3 {
		if status, after := post(known, "/signin", "203.0.113.9", url.Values{"email": {email}, "password": {password}}); status !=
			http.StatusSeeOther {
			t.Errorf("the owner in a known browser: %d, Retry-After %s", status, after)
		}
	}
	flood.Wait()
	close(guesses)
	counts := map[int]int{}
	for status := range guesses {
		counts[status]++
	}
	t.Logf("guesses: %v", counts)
	if counts[http.StatusTooManyRequests] == 0 || counts[http.StatusSeeOther] > 0 || counts[http.StatusInternalServerError] > 0 {
		t.Errorf("guesses were answered %v", counts)
	}
	form := url.Values{"email": {email}, "password": {password}}
	if status, _ := post(known, "/signin", "203.0.113.9", form); status != http.StatusSeeOther {
		t.Errorf("the owner after the flood: %d", status)
	}
}

// sendMalformed sends what two readers could read in two ways; app/web has the whole list.
func (s *scene) sendMalformed(t *testing.T) {
	const post = "POST /v1/rings HTTP/1.1\r\nHost: x\r\n"
	for _, text := range []string{
		post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
		post + "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ",
		post + "Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
		post + "Transfer-Encoding: chunked\r\n\r\n0x2\r\n{}\r\n0\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
		"GET /healthz HTTP/1.1\r\nHost: x\r\nA: b\r\n folded\r\n\r\n",
		"GET /healthz HTTP/1.1\r\n\r\n",
	} {
		for range 5 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(s.ready.URL, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			_ = conn.SetDeadline(time.Now().Add(time.Minute))
			_, _ = io.WriteString(conn, text+"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
			answer, err := io.ReadAll(conn) // until it is closed
			_ = conn.Close()
			if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.1 400 ") || strings.Count(string(answer), "HTTP/1.1 ") != 1 {
				t.Errorf("%q was answered %q, %v", text, answer, err)
				break
			}
		}
	}
}

// floodMedia answers one ring again and again, while the stranger has a call.
func (s *scene) floodMedia(t *testing.T) {
	a := s.attacker
	r := a.place(`{"to":{"person":"front-desk"},"ttl_s":60}`)
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		t.Fatal(err)
	}
	offer, err := iphone.Offer(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	bounded(t, "answers of a ring", 100, func() (int, string) {
		q := request(t.Context(), http.MethodPost, a.ready.URL+"/v1/phone/rings/"+r.ID+"/answer", a.device.Credential, offer)
		q.Header.Set("Content-Type", "application/sdp")
		return a.send(q, http.DefaultClient, false)
	})
	mine := s.stranger.place(`{"to":{"person":"front-desk"}}`)
	leg := &phonetest.Leg{URL: s.ready.URL, Ring: mine.ID, Credential: s.stranger.device.Credential, Client: http.DefaultClient}
	call, err := iphone.Call(t.Context(), leg.Answer)
	if err != nil {
		t.Fatalf("a stranger's call: %v", err)
	}
	defer call.HangUp()
	select {
	case <-call.Heard():
	case <-time.After(time.Minute):
		t.Error("a stranger's call has no sound")
	}
}
