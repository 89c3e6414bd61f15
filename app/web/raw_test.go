package web

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
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

// TestFollows: a segment of a pattern that begins with a colon is any one segment of the path.
func TestFollows(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]bool{
		"/v1/rings/7/notes": true, "/v1/rings//notes": false, "/v1/rings/7/notes/": false, "/v1/rings/7": false,
		"/v1/rings/7/8/notes": false, "": false,
	} {
		if got := follows(path, "/v1/rings/:id/notes"); got != want {
			t.Errorf("%q: %v", path, got)
		}
	}
}

// TestUploads: the body of an upload is read by its handler, within the limit, and framed like any
// other one. What a handler leaves unread is not taken for the next request.
func TestUploads(t *testing.T) {
	t.Parallel()
	app := New(Config{Uploads: []string{"/v1/files", "/v1/things/:id/text"}})
	app.Post("/v1/things/:id/text", func(c *fiber.Ctx) error {
		leave, err := ReadDocument(c, Holder{Kind: KindKey, ID: "k", Tenant: "t"}, 200_000)
		if err != nil {
			return err
		}
		defer leave()
		return c.SendString(fmt.Sprint(len(c.Request().Body())))
	})
	app.Post("/v1/files", func(c *fiber.Ctx) error {
		if Query(c, "refused") != "" {
			return tenants.Refuse(tenants.Forbidden, "", "no")
		}
		leave, err := ReadUpload(c, Holder{Kind: KindKey, ID: "k", Tenant: "t"})
		if err != nil {
			return err
		}
		defer leave()
		return c.SendString(fmt.Sprint(len(c.Request().Body())))
	})
	at := strings.TrimPrefix(serving(t, app), "http://")
	const next = "POST /v1/files HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 32<<10, strings.Repeat("x", 32<<10))
	withLength := func(path string, n int) string {
		return fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", path, n, strings.Repeat("x", n))
	}
	chunked := func(body string) string {
		return "POST /v1/files HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + body
	}
	for name, row := range map[string]struct {
		text string
		want []int
	}{
		"small":                  {withLength("/v1/files", 10), []int{200, 200}},
		"as large as can be":     {withLength("/v1/files", MaxBody+envelope), []int{200, 200}},
		"too large":              {withLength("/v1/files", MaxBody+envelope+1), []int{413}},
		"far too large":          {withLength("/v1/files", 1<<20), []int{413}},
		"chunks":                 {chunked(chunk + chunk + "0\r\n\r\n"), []int{200, 200}},
		"chunks over the limit":  {chunked(strings.Repeat(chunk, 3) + "0\r\n\r\n"), []int{413}},
		"a broken chunk":         {chunked("zz\r\nno\r\n0\r\n\r\n"), []int{400}},
		"a length as a trailer":  {chunked("2\r\nno\r\n0\r\nContent-Length: 5\r\n\r\n"), []int{400}},
		"any trailer":            {chunked("2\r\nno\r\n0\r\nX-A: b\r\n\r\n"), []int{400}},
		"refused before reading": {withLength("/v1/files?refused=1", 40<<10), []int{403, 200}},
	} {
		var got []int
		for _, a := range exchange(t, at, row.text+next) {
			got = append(got, a.status)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", name, got, row.want)
		}
	}
	for name, row := range map[string]struct {
		n    int
		want []int
	}{"like others": {10, []int{200, 200}}, "larger": {200_000, []int{200, 200}}, "too large": {200_001, []int{413}}} {
		var got []int
		for _, a := range exchange(t, at, withLength("/v1/things/7/text", row.n)+next) {
			got = append(got, a.status)
		}
		if !slices.Equal(got, row.want) {
			t.Errorf("a document %s: %v, want %v", name, got, row.want)
		}
	}
	stops := strings.TrimSuffix(withLength("/v1/files", 50_000), "x")
	if resp, _ := raw(t, at, stops); resp.StatusCode != 408 {
		t.Errorf("a client that stops: %d", resp.StatusCode)
	}
}
