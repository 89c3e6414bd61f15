package web

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// journal is a log that tests read.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(p []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(p)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func (j *journal) log() *slog.Logger { return slog.New(slog.NewJSONHandler(j, nil)) }

// serving starts the app on a port of its own and gives its address; it is shut down, and that is checked, with the test.
func serving(t *testing.T, app *fiber.App) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- Serve(ctx, app, ln) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Errorf("Serve: %v", err)
			}
		case <-time.After(15 * time.Second):
			t.Error("Serve did not end")
		}
	})
	return "http://" + ln.Addr().String()
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: 10 * time.Second}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

func request(t *testing.T, method, url, body string, headers ...string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		r.Header.Add(headers[i], headers[i+1])
	}
	return r
}

func TestEveryErrorBecomesAProblem(t *testing.T) {
	t.Parallel()
	secret := errors.New("pq: password of db.internal is hunter2")
	cases := map[string]struct {
		err    error
		status int
		code   string
		header [2]string
	}{
		"invalid":       {tenants.Refuse(tenants.Invalid, "", "no"), 400, "invalid", [2]string{}},
		"unauthorized":  {tenants.Refuse(tenants.Unauthorized, "key_malformed", "no"), 401, "key_malformed", [2]string{"WWW-Authenticate", `Bearer realm="carillon"`}},
		"unpaid":        {tenants.Refuse(tenants.Unpaid, "quota", "no"), 402, "quota", [2]string{}},
		"forbidden":     {tenants.Refuse(tenants.Forbidden, "", "no"), 403, "forbidden", [2]string{}},
		"unknown":       {tenants.NoSuch("ring"), 404, "not_found", [2]string{}},
		"conflict":      {tenants.Refuse(tenants.Conflict, "", "no"), 409, "conflict", [2]string{}},
		"gone":          {tenants.Refuse(tenants.Gone, "", "no"), 410, "gone", [2]string{}},
		"stale":         {tenants.Refuse(tenants.Stale, "", "no"), 412, "stale", [2]string{}},
		"too large":     {tenants.Refuse(tenants.TooLarge, "", "no"), 413, "too_large", [2]string{}},
		"unsupported":   {tenants.Refuse(tenants.Unsupported, "", "no"), 415, "unsupported", [2]string{}},
		"unprocessable": {tenants.Refuse(tenants.Unprocessable, "", "no"), 422, "unprocessable", [2]string{}},
		"unmatched":     {tenants.Refuse(tenants.Unmatched, "", "no"), 428, "if_match_required", [2]string{}},
		"too many":      {&tenants.Error{Kind: tenants.TooMany, Msg: "no", RetryAfter: 1500 * time.Millisecond}, 429, "too_many", [2]string{"Retry-After", "2"}},
		"unavailable":   {&tenants.Error{Kind: tenants.Unavailable, Msg: "no", Err: secret}, 503, "unavailable", [2]string{"Retry-After", "1"}},
		"internal":      {&tenants.Error{Msg: "hunter2", Err: secret}, 500, "internal", [2]string{}},
		"wrapped":       {fmt.Errorf("ring 1: hunter2: %w", tenants.NoSuch("ring")), 404, "not_found", [2]string{}},
		"foreign":       {secret, 500, "internal", [2]string{}},
		"deadline":      {fmt.Errorf("hunter2: %w", context.DeadlineExceeded), 503, "unavailable", [2]string{"Retry-After", "1"}},
		"unknown kind":  {&tenants.Error{Kind: 200, Msg: "hunter2"}, 500, "internal", [2]string{}},
		"fiber":         {fiber.NewError(418, "hunter2"), 400, "invalid", [2]string{}},
		"fiber 500":     {fiber.NewError(507, "hunter2"), 500, "internal", [2]string{}},
	}
	var j journal
	app := New(Config{Log: j.log()})
	for name, tc := range cases {
		app.Get("/v1/"+strings.ReplaceAll(name, " ", "_"), func(*fiber.Ctx) error { return tc.err })
	}
	app.Get("/v1/panic", func(*fiber.Ctx) error { panic("hunter2") })
	at := serving(t, app)
	cases["panic"] = struct {
		err    error
		status int
		code   string
		header [2]string
	}{nil, 500, "internal", [2]string{}}
	for name, tc := range cases {
		resp, body := do(t, request(t, "GET", at+"/v1/"+strings.ReplaceAll(name, " ", "_"), ""))
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Fatalf("%s: %v in %q", name, err, body)
		}
		if resp.StatusCode != tc.status || p.Status != tc.status || p.Type != "urn:carillon:problem:"+tc.code || p.Title == "" || p.Detail == "" {
			t.Errorf("%s: %d %+v, want %d %s", name, resp.StatusCode, p, tc.status, tc.code)
		}
		if resp.Header.Get("Content-Type") != "application/problem+json" || p.RequestID == "" || p.RequestID != resp.Header.Get("X-Request-Id") {
			t.Errorf("%s: headers %v, request id %q", name, resp.Header, p.RequestID)
		}
		if tc.header[0] != "" && resp.Header.Get(tc.header[0]) != tc.header[1] {
			t.Errorf("%s: %s is %q, want %q", name, tc.header[0], resp.Header.Get(tc.header[0]), tc.header[1])
		}
		if strings.Contains(body, "hunter2") {
			t.Errorf("%s: a cause was shown: %s", name, body)
		}
		if n := strings.Count(j.String(), `"request failed"`); tc.status >= 500 && n == 0 {
			t.Errorf("%s: the cause is not in the log", name)
		}
	}
	if n := strings.Count(j.String(), `"request failed"`); n != 7 {
		t.Errorf("%d failures logged, want each of 7 once:\n%s", n, j.String())
	}
}

func TestServersOwnRefusals(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Post("/v1/things", func(c *fiber.Ctx) error { return c.SendString("ok") })
	at := serving(t, app)
	cases := map[string]struct {
		r      *http.Request
		status int
		code   string
	}{
		"unknown path":   {request(t, "GET", at+"/v1/nothing<script>", ""), 404, "not_found"},
		"wrong method":   {request(t, "GET", at+"/v1/things", ""), 405, "method_not_allowed"},
		"unknown method": {request(t, "BREW", at+"/v1/things", ""), 400, "invalid"},
		"large body":     {request(t, "POST", at+"/v1/things", strings.Repeat("x", 1<<20)), 413, "too_large"},
		"packed body":    {request(t, "POST", at+"/v1/things", "x", "Content-Encoding", "gzip"), 415, "content_encoding"},
		"large header":   {request(t, "GET", at+"/v1/things", "", "X-Large", strings.Repeat("x", 20<<10)), 431, "headers_too_large"},
		"key in query":   {request(t, "POST", at+"/v1/things?api_key=x", ""), 400, "key_in_query"},
		"Key in query":   {request(t, "POST", at+"/v1/things?Access_Token=x", ""), 400, "key_in_query"},
		"secret in query": {request(t, "POST", at+"/v1/things?id="+string(tenants.NewSecret(tenants.LivePrefix)), ""), 400,
			"key_in_query"},
		"secret in the query of a page": {request(t, "GET", at+"/page?x="+string(tenants.NewSecret(tenants.DevicePrefix)), ""), 400, "key_in_query"},
	}
	for name, tc := range cases {
		resp, body := do(t, tc.r)
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %d %v in %q", name, resp.StatusCode, err, body)
			continue
		}
		if resp.StatusCode != tc.status || p.Type != "urn:carillon:problem:"+tc.code || p.RequestID == "" {
			t.Errorf("%s: %d %+v, want %d %s", name, resp.StatusCode, p, tc.status, tc.code)
		}
		if strings.Contains(body, "script") {
			t.Errorf("%s: the request was echoed: %s", name, body)
		}
		if tc.status == 405 && resp.Header.Get("Allow") != "POST" {
			t.Errorf("%s: Allow is %q", name, resp.Header.Get("Allow"))
		}
	}
}

func TestErrorPageOutsideTheAPI(t *testing.T) {
	t.Parallel()
	mode := "draw"
	app := New(Config{ErrorPage: func(c *fiber.Ctx, status int, title, detail, id string) error {
		switch mode {
		case "fail":
			return errors.New("template")
		case "panic":
			panic("template")
		}
		return c.SendString(fmt.Sprintf("page %d %s %s", status, title, id))
	}})
	app.Get("/page", func(*fiber.Ctx) error { return tenants.NoSuch("page") })
	get := func(path string) (int, string) {
		resp, err := app.Test(request(t, "GET", "http://x"+path, ""))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body)
	}
	if status, body := get("/page"); status != 404 || !strings.HasPrefix(body, "page 404 Not found") {
		t.Errorf("a page's error: %d %q", status, body)
	}
	if status, body := get("/v1/page"); status != 404 || !strings.HasPrefix(body, "{") {
		t.Errorf("an API error: %d %q", status, body)
	}
	for _, mode = range []string{"fail", "panic"} {
		if status, body := get("/page"); status != 404 || !strings.HasPrefix(body, "{") {
			t.Errorf("%s: %d %q", mode, status, body)
		}
	}
}

func TestLogTellsNoSecrets(t *testing.T) {
	t.Parallel()
	var j journal
	app := New(Config{Log: j.log()})
	app.Post("/v1/things/:id", func(c *fiber.Ctx) error { return c.SendString("CANARY-answer") })
	resp, err := app.Test(request(t, "POST", "http://x/v1/things/CANARY-path?q=CANARY-query", "CANARY-body",
		"Authorization", "Bearer CANARY-key", "X-Request-Id", "CANARY-id"))
	if err != nil {
		t.Fatal(err)
	}
	if id := resp.Header.Get("X-Request-Id"); id == "" || id == "CANARY-id" || !strings.Contains(j.String(), id) {
		t.Errorf("request id %q, log %s", id, j.String())
	}
	if strings.Contains(j.String(), "CANARY") || !strings.Contains(j.String(), `"route":"/v1/things/:id"`) {
		t.Errorf("log: %s", j.String())
	}
}

// TestCopies keeps strings over later requests on the same connection, which reuse the buffers they came from.
func TestCopies(t *testing.T) {
	t.Parallel()
	var kept []string
	app := New(Config{})
	app.Get("/:name", func(c *fiber.Ctx) error {
		kept = append(kept, Param(c, "name"), Query(c, "q"), Header(c, "X-Name"))
		return nil
	})
	at := serving(t, app)
	client := &http.Client{Transport: &http.Transport{MaxConnsPerHost: 1}}
	defer client.CloseIdleConnections()
	for _, s := range []string{"AAAA", "BBBB", "CCCC"} {
		resp, err := client.Do(request(t, "GET", at+"/"+s+"?q="+s, "", "X-Name", s))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	if got := strings.Join(kept, " "); got != "AAAA AAAA AAAA BBBB BBBB BBBB CCCC CCCC CCCC" {
		t.Errorf("kept %s", got)
	}
}

func TestIP(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		trusted   string
		forwarded []string
		want      string
	}{
		"no proxy is trusted":       {"", []string{"9.9.9.9"}, "0.0.0.0"},
		"the proxy's word":          {"0.0.0.0/32", []string{"203.0.113.7"}, "203.0.113.7"},
		"the client's word before":  {"0.0.0.0/32", []string{"9.9.9.9, 203.0.113.7"}, "203.0.113.7"},
		"in two headers":            {"0.0.0.0/32", []string{"9.9.9.9", "203.0.113.7"}, "203.0.113.7"},
		"two proxies":               {"0.0.0.0/8", []string{"9.9.9.9, 203.0.113.7, 0.0.0.9"}, "203.0.113.7"},
		"rubbish":                   {"0.0.0.0/32", []string{"203.0.113.7, rubbish"}, "0.0.0.0"},
		"nothing from the proxy":    {"0.0.0.0/32", nil, "0.0.0.0"},
		"IPv4 in IPv6 is unwrapped": {"0.0.0.0/32", []string{"::ffff:203.0.113.7"}, "203.0.113.7"},
	} {
		var trusted []netip.Prefix
		if tc.trusted != "" {
			trusted = append(trusted, netip.MustParsePrefix(tc.trusted))
		}
		app := New(Config{TrustedProxies: trusted})
		app.Get("/", func(c *fiber.Ctx) error { return c.SendString(IP(c)) })
		r := request(t, "GET", "http://x/", "")
		for _, f := range tc.forwarded {
			r.Header.Add("X-Forwarded-For", f)
		}
		resp, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != tc.want {
			t.Errorf("%s: %s, want %s", name, body, tc.want)
		}
	}
}

func TestPage(t *testing.T) {
	t.Parallel()
	text := func(s string, err error) templ.Component {
		return templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
			if _, e := io.WriteString(w, s); e != nil {
				return e
			}
			return err
		})
	}
	long := strings.Repeat("bells ", 500)
	app := New(Config{})
	app.Get("/short", func(c *fiber.Ctx) error { return Page(c, text("short", nil), 200) })
	app.Get("/long", func(c *fiber.Ctx) error { return Page(c, text(long, nil), 201) })
	app.Get("/broken", func(c *fiber.Ctx) error { return Page(c, text("HALF", errors.New("template")), 200) })
	at := serving(t, app)

	resp, body := do(t, request(t, "GET", at+"/short", "", "Accept-Encoding", "gzip"))
	if body != "short" || resp.Header.Get("Content-Encoding") != "" {
		t.Errorf("short: %q %v", body, resp.Header)
	}
	for name, want := range map[string]string{
		"Content-Type": "text/html; charset=utf-8", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
		"Referrer-Policy": "same-origin", "Vary": "Accept-Encoding", "Server": "",
	} {
		if got := resp.Header.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	csp := resp.Header.Get("Content-Security-Policy")
	for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %s: %s", want, csp)
		}
	}
	for range 2 { // the second time with a writer that was used before
		resp, body = do(t, request(t, "GET", at+"/long", "", "Accept-Encoding", "br, gzip;q=0.5"))
		r, err := gzip.NewReader(strings.NewReader(body))
		if err != nil {
			t.Fatalf("%v, %v", err, resp.Header)
		}
		if plain, err := io.ReadAll(r); err != nil || string(plain) != long || resp.StatusCode != 201 {
			t.Errorf("long: %d bytes, %v, %d", len(plain), err, resp.StatusCode)
		}
	}
	for _, accept := range []string{"", "br", "gzip;q=0", "gzip; q=0.000"} {
		if _, body := do(t, request(t, "GET", at+"/long", "", "Accept-Encoding", accept)); body != long {
			t.Errorf("Accept-Encoding %q: packed", accept)
		}
	}
	if resp, body = do(t, request(t, "GET", at+"/broken", "")); resp.StatusCode != 500 || strings.Contains(body, "HALF") {
		t.Errorf("broken: %d %q", resp.StatusCode, body)
	}
}

func TestCrossSite(t *testing.T) {
	t.Parallel()
	guard, err := CrossSite("https://carillon.example")
	if err != nil {
		t.Fatal(err)
	}
	app := New(Config{})
	app.Use(guard)
	app.All("/form", func(c *fiber.Ctx) error { return c.SendString("ok") })
	for _, tc := range []struct {
		method, site, origin string
		want                 int
	}{
		{"GET", "cross-site", "https://evil.example", 200},
		{"POST", "same-origin", "", 200},
		{"POST", "none", "", 200},
		{"POST", "cross-site", "", 403},
		{"POST", "same-site", "", 403},
		{"DELETE", "cross-site", "https://evil.example", 403},
		{"POST", "cross-site", "https://carillon.example", 200},
		{"POST", "", "https://evil.example", 403},
		{"POST", "", "null", 403},
		{"POST", "", "http://here.example", 200},
		{"POST", "", "https://carillon.example", 200},
		{"POST", "", "", 200},
	} {
		r := request(t, tc.method, "http://here.example/form", "")
		if tc.site != "" {
			r.Header.Set("Sec-Fetch-Site", tc.site)
		}
		if tc.origin != "" {
			r.Header.Set("Origin", tc.origin)
		}
		resp, err := app.Test(r)
		if err != nil {
			t.Fatal(err)
		}
		if resp.StatusCode != tc.want {
			t.Errorf("%+v: %d", tc, resp.StatusCode)
		}
	}
	if _, err := CrossSite("not an origin"); err == nil {
		t.Error("a wrong origin was taken")
	}
}

func TestLimiter(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	l, err := NewLimiter(time.Second, 3, func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		if _, ok := l.Take("a"); !ok {
			t.Fatalf("take %d refused", i)
		}
	}
	if wait, ok := l.Take("a"); ok || wait != time.Second {
		t.Errorf("the fourth: %v, wait %v", ok, wait)
	}
	if _, ok := l.Take("b"); !ok {
		t.Error("another key was refused")
	}
	now = now.Add(time.Second)
	if _, ok := l.Take("a"); !ok {
		t.Error("after a second: refused")
	}
	if _, ok := l.Take("a"); ok {
		t.Error("two tokens after a second")
	}
	now = now.Add(time.Hour)
	l.Take("c")
	if len(l.buckets) != 1 {
		t.Errorf("%d keys kept after an hour", len(l.buckets))
	}
	if _, err := NewLimiter(0, 1, time.Now); err == nil {
		t.Error("a limiter without an interval was made")
	}
}

func TestQR(t *testing.T) {
	t.Parallel()
	svg, err := QR("https://carillon.example/pair#ABCDE-23456")
	if err != nil || !strings.HasPrefix(svg, "<svg") || strings.Count(svg, "<path") != 2 || len(svg) > 12<<10 || strings.Contains(svg, "style") {
		t.Errorf("%v, %d bytes: %.200s", err, len(svg), svg)
	}
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("more than a code holds was drawn")
	}
}

func TestDeadline(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Get("/", func(c *fiber.Ctx) error {
		ctx, cancel := Deadline(c)
		defer cancel()
		at, ok := ctx.Deadline()
		if left := time.Until(at); !ok || left > handlerTime || left < handlerTime/2 {
			t.Errorf("%v left", left)
		}
		return nil
	})
	if _, err := app.Test(request(t, "GET", "http://x/", "")); err != nil {
		t.Fatal(err)
	}
}

// events reads an event stream, an event a line.
func events(t *testing.T, body io.Reader) <-chan string {
	t.Helper()
	out := make(chan string, 100)
	go func() {
		defer close(out)
		s := bufio.NewScanner(body)
		var lines []string
		for s.Scan() {
			if s.Text() != "" {
				lines = append(lines, s.Text())
				continue
			}
			out <- strings.Join(lines, "|")
			lines = nil
		}
	}()
	return out
}

func next(t *testing.T, from <-chan string) string {
	t.Helper()
	select {
	case e, ok := <-from:
		if !ok {
			t.Fatal("the stream ended")
		}
		return e
	case <-time.After(5 * time.Second):
		t.Fatal("no event in time")
	}
	return ""
}

func TestStream(t *testing.T) {
	t.Parallel()
	more, left := make(chan string), make(chan error, 1)
	app := New(Config{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return stream(c, 20*time.Millisecond, func(ctx context.Context, s *Stream) error {
			if err := s.Send("7", "first", "last was "+s.Last); err != nil {
				return err
			}
			for {
				select {
				case text := <-more:
					if err := s.Send("", "more", text); err != nil {
						left <- err
						return err
					}
				case <-ctx.Done():
					left <- ctx.Err()
					return ctx.Err()
				}
			}
		})
	})
	at := serving(t, app)
	ctx, hangUp := context.WithCancel(t.Context())
	r := request(t, "GET", at+"/v1/events", "", "Last-Event-ID", "6").WithContext(ctx)
	resp, err := (&http.Client{Transport: &http.Transport{}}).Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.Header.Get("Content-Type") != "text/event-stream" || resp.Header.Get("Cache-Control") != "no-store" {
		t.Errorf("headers %v", resp.Header)
	}
	from := events(t, resp.Body)
	if got := next(t, from); got != ":" {
		t.Errorf("the stream begins with %q", got)
	}
	for got := next(t, from); got != "id: 7|event: first|data: last was 6"; got = next(t, from) {
		if got != ":" {
			t.Fatalf("got %q", got)
		}
	}
	more <- "two\nlines\r\nthree"
	for got := next(t, from); got != "event: more|data: two|data: lines|data: three"; got = next(t, from) {
		if got != ":" {
			t.Fatalf("got %q", got)
		}
	}
	if got := next(t, from); got != ":" {
		t.Errorf("a heartbeat reads %q", got)
	}
	hangUp()
	select {
	case <-left:
	case <-time.After(5 * time.Second):
		t.Fatal("the stream outlived its client")
	}
}

func TestStreamRefusesBrokenLines(t *testing.T) {
	t.Parallel()
	s := &Stream{w: bufio.NewWriter(io.Discard), stop: func() {}}
	if s.Send("1\ndata: x", "", "") == nil || s.Send("1", "a\rb", "") == nil || s.Send("1\x00", "", "") == nil {
		t.Error("an event broke out of its line")
	}
}

// TestShutdownEndsStreams: a stream must not keep the server from ending.
func TestShutdownEndsStreams(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	ended := make(chan struct{})
	app.Get("/v1/events", func(c *fiber.Ctx) error {
		return SSE(c, func(ctx context.Context, s *Stream) error {
			defer close(ended)
			<-ctx.Done()
			return ctx.Err()
		})
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, app, ln) }()
	resp, err := http.Get("http://" + ln.Addr().String() + "/v1/events")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if got := next(t, events(t, resp.Body)); got != ":" {
		t.Fatalf("got %q", got)
	}
	start := time.Now()
	cancel()
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(8 * time.Second):
		t.Fatal("the stream kept the server")
	}
	<-ended
	if took := time.Since(start); took > 5*time.Second {
		t.Errorf("shutdown took %v", took)
	}
}

// TestShutdownWaitsAndThenCuts: a request under way may finish, one that never does is cut off.
func TestShutdownWaitsAndThenCuts(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	in, out := make(chan string, 2), map[string]chan struct{}{"short": make(chan struct{}), "long": make(chan struct{})}
	app.Get("/:name", func(c *fiber.Ctx) error {
		name := Param(c, "name")
		in <- name
		<-out[name]
		return c.SendString(name)
	})
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- serve(ctx, app, ln, 500*time.Millisecond) }()
	answers := map[string]chan error{}
	for name := range out {
		got := make(chan error, 1)
		answers[name] = got
		go func() {
			resp, err := http.Get("http://" + ln.Addr().String() + "/" + name)
			if err == nil {
				resp.Body.Close()
			}
			got <- err
		}()
		<-in
	}
	cancel()
	close(out["short"])
	if err := <-answers["short"]; err != nil {
		t.Errorf("a request under way was cut off: %v", err)
	}
	select {
	case err := <-served:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Second):
		t.Fatal("Serve waits for ever")
	}
	if err := <-answers["long"]; err == nil {
		t.Error("a request was answered that had not finished")
	}
	close(out["long"])
}

func TestServeEndsWhenToldBefore(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := Serve(ctx, New(Config{}), ln); err != nil {
		t.Error(err)
	}
	ln2, err := net.Listen("tcp", ln.Addr().String())
	if err != nil {
		t.Fatalf("the port is still taken: %v", err)
	}
	ln2.Close()
}

// TestRefusalReachesWhoIsStillSending: a connection that is closed with bytes unread is reset, and a reset overtakes the answer.
func TestRefusalReachesWhoIsStillSending(t *testing.T) {
	t.Parallel()
	app := New(Config{})
	app.Post("/v1/things", func(c *fiber.Ctx) error { return c.SendString("ok") })
	at := serving(t, app)
	body := strings.Repeat("x", 3<<20)
	for i := range 10 {
		r := request(t, "POST", at+"/v1/things", body)
		if i%2 == 1 { // of unknown length: in chunks
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), -1
		}
		if resp, text := do(t, r); resp.StatusCode != 413 || !strings.Contains(text, "too_large") {
			t.Errorf("%d %s", resp.StatusCode, text)
		}
	}
}
