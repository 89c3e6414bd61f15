package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

// raw sends bytes unchanged and reads one answer.
func raw(t *testing.T, at, text string) (*http.Response, string) {
	t.Helper()
	c, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go io.WriteString(c, text) // the server may answer and close before all of it is sent
	resp, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("%.80q: %v", text, err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(body)
}

// TestBrokenRequestsToTheAPI checks that requests refused before any handler runs are answered as
// problem documents too.
func TestBrokenRequestsToTheAPI(t *testing.T) {
	t.Parallel()
	app := New(Config{ErrorPage: func(c *fiber.Ctx, status int, title, _, _ string) error {
		c.Response().Header.SetContentType("text/html")
		return c.SendString("<html>" + title)
	}})
	app.Post("/v1/things", func(c *fiber.Ctx) error { return c.SendString("ok") })
	at := serving(t, app)
	post := "POST /v1/things HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 32<<10, strings.Repeat("x", 32<<10))
	for name, row := range map[string]struct {
		text   string
		status int
	}{
		"chunks over the limit":   {post + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 6) + "0\r\n\r\n", 413},
		"a length over the limit": {post + "Content-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000), 413},
		"a long query":            {"GET /v1/things?q=" + strings.Repeat("x", 20<<10) + " HTTP/1.1\r\nHost: x\r\n\r\n", 431},
		"a long header":           {post + "X-Long: " + strings.Repeat("x", 20<<10) + "\r\n\r\n", 431},
		"a negative length":       {post + "Content-Length: -5\r\n\r\n", 400},
		"two lengths":             {post + "Content-Length: 2\r\nContent-Length: 3\r\n\r\n{} ", 400},
		"a length and chunks":     {post + "content-length: 2\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n", 400},
		"not a number":            {post + "Content-Length: five\r\n\r\n", 400},
		"broken chunks":           {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n\r\n", 400},
		"another protocol":        {"GET /v1/things SPDY/9\r\nHost: x\r\n\r\n", 400},
		"a NUL in the path":       {"GET /v1/\x00 HTTP/1.1\r\nHost: x\r\n\r\n", 400},
		"expects too much":        {post + "Expect: 101-wait\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000), 413},
	} {
		resp, body := raw(t, at, row.text)
		var p problem
		err := json.Unmarshal([]byte(body), &p)
		if err != nil || resp.StatusCode != row.status || p.Status != row.status ||
			resp.Header.Get("Content-Type") != "application/problem+json" ||
			p.RequestID == "" || p.RequestID != resp.Header.Get("X-Request-Id") {
			t.Errorf("%s: %d %v %.200s (%v)", name, resp.StatusCode, resp.Header, body, err)
		}
	}
	// Outside /v1 the error page is sent.
	large := "POST /page HTTP/1.1\r\nHost: x\r\nContent-Length: 200000\r\n\r\n" + strings.Repeat("x", 200000)
	if resp, body := raw(t, at, large); resp.StatusCode != 413 || !strings.HasPrefix(body, "<html>") {
		t.Errorf("a page: %d %.200s", resp.StatusCode, body)
	}
}
