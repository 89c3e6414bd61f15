package web

import (
	"bytes"
	"context"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// noTimeout turns off the one-second limit of Fiber's app.Test, which a busy machine may exceed.
const noTimeout = -1

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

// serving starts the app on a free port and returns its address. The end of the test shuts it down
// and checks that.
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
		case <-time.After(time.Minute):
			t.Error("Serve did not end")
		}
	})
	return "http://" + ln.Addr().String()
}

func do(t *testing.T, r *http.Request) (*http.Response, string) {
	t.Helper()
	client := &http.Client{Transport: &http.Transport{DisableCompression: true, DisableKeepAlives: true}, Timeout: time.Minute}
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

func TestLogHasNoSecrets(t *testing.T) {
	t.Parallel()
	var j journal
	app := New(Config{Log: j.log()})
	app.Post("/v1/things/:id", func(c *fiber.Ctx) error { return c.SendString("CANARY-answer") })
	resp, err := app.Test(request(t, "POST", "http://x/v1/things/CANARY-path?q=CANARY-query", "CANARY-body",
		"Authorization", "Bearer CANARY-key", "X-Request-Id", "CANARY-id"), noTimeout)
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

// TestRequestStringsAreCopies checks that strings stay the same when later requests on the
// connection reuse the buffers.
func TestRequestStringsAreCopies(t *testing.T) {
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
		"from the proxy":            {"0.0.0.0/32", []string{"203.0.113.7"}, "203.0.113.7"},
		"forged by the client":      {"0.0.0.0/32", []string{"9.9.9.9, 203.0.113.7"}, "203.0.113.7"},
		"in two headers":            {"0.0.0.0/32", []string{"9.9.9.9", "203.0.113.7"}, "203.0.113.7"},
		"two proxies":               {"0.0.0.0/8", []string{"9.9.9.9, 203.0.113.7, 0.0.0.9"}, "203.0.113.7"},
		"rubbish":                   {"0.0.0.0/32", []string{"203.0.113.7, rubbish"}, UnknownIP},
		"only rubbish":              {"0.0.0.0/32", []string{"rubbish"}, UnknownIP},
		"rubbish behind the client": {"0.0.0.0/32", []string{"rubbish, 203.0.113.7"}, "203.0.113.7"},
		"a hidden client":           {"0.0.0.0/32", []string{"_hidden"}, UnknownIP},
		"port":                      {"0.0.0.0/32", []string{"203.0.113.7:51234"}, "203.0.113.7"},
		"port of letters":           {"0.0.0.0/32", []string{"203.0.113.7:http"}, UnknownIP},
		"brackets":                  {"0.0.0.0/32", []string{"[2001:DB8::7]"}, "2001:db8::7"},
		"brackets and port":         {"0.0.0.0/32", []string{"[2001:db8::7]:51234"}, "2001:db8::7"},
		"half a bracket":            {"0.0.0.0/32", []string{"[2001:db8::7"}, UnknownIP},
		"text behind a bracket":     {"0.0.0.0/32", []string{"[2001:db8::7]x"}, UnknownIP},
		"IPv6 and port, bare":       {"0.0.0.0/32", []string{"2001:db8:0:0:0:0:0:7:51234"}, "2001:db8::7"},
		"zone":                      {"0.0.0.0/32", []string{"fe80::7%eth0"}, "fe80::7"},
		"quotes":                    {"0.0.0.0/32", []string{`"203.0.113.7"`}, "203.0.113.7"},
		"quotes, brackets, port":    {"0.0.0.0/32", []string{`"[2001:db8::7]:51234"`}, "2001:db8::7"},
		"trailing comma":            {"0.0.0.0/32", []string{"203.0.113.7,"}, "203.0.113.7"},
		"commas and blanks":         {"0.0.0.0/32", []string{", ,203.0.113.7 ,\t, "}, "203.0.113.7"},
		"only commas":               {"0.0.0.0/32", []string{", ,"}, "0.0.0.0"},
		"ports of two proxies":      {"0.0.0.0/8", []string{"203.0.113.7:5, 0.0.0.9:80"}, "203.0.113.7"},
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
		resp, err := app.Test(r, noTimeout)
		if err != nil {
			t.Fatal(err)
		}
		if body, _ := io.ReadAll(resp.Body); string(body) != tc.want {
			t.Errorf("%s: %s, want %s", name, body, tc.want)
		}
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
	if _, err := app.Test(request(t, "GET", "http://x/", ""), noTimeout); err != nil {
		t.Fatal(err)
	}
}

// TestProxyIsReported: what is wrong with a proxy is logged once and counted.
func TestProxyIsReported(t *testing.T) {
	t.Parallel()
	proxy := []netip.Prefix{netip.MustParsePrefix("0.0.0.0/32")}
	for name, tc := range map[string]struct {
		trusted   []netip.Prefix
		forwarded string
		logged    string
		counts    [2]int64 // untrusted, unreadable
	}{
		"untrusted":  {nil, "203.0.113.7", "CARILLON_TRUSTED_PROXIES does not name", [2]int64{3, 0}},
		"unreadable": {proxy, strings.Repeat("rubbish", 20), "cannot be read", [2]int64{0, 3}},
		"good":       {proxy, "203.0.113.7", "", [2]int64{}},
		"no proxy":   {nil, "", "", [2]int64{}},
	} {
		var j journal
		var counts Counts
		app := New(Config{Log: j.log(), TrustedProxies: tc.trusted, Counts: &counts})
		app.Get("/", func(c *fiber.Ctx) error { return c.SendString(IP(c)) })
		for range 3 {
			r := request(t, "GET", "http://x/", "")
			if tc.forwarded != "" {
				r.Header.Set("X-Forwarded-For", tc.forwarded)
			}
			if _, err := app.Test(r, noTimeout); err != nil {
				t.Fatal(err)
			}
		}
		if got := [2]int64{counts.ForwardedUntrusted.Load(), counts.ForwardedUnreadable.Load()}; got != tc.counts {
			t.Errorf("%s: counted %v, want %v", name, got, tc.counts)
		}
		warned := strings.Count(j.String(), `"level":"WARN"`)
		if tc.logged == "" && warned != 0 || tc.logged != "" && (warned != 1 || !strings.Contains(j.String(), tc.logged)) {
			t.Errorf("%s: %s", name, j.String())
		}
	}
}
