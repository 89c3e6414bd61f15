package web

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/language"
	"carillon/tenants"
)

// TestTitlesOfErrorsAreInSpanish: pages of errors have the title of the problem as their heading.
func TestTitlesOfErrorsAreInSpanish(t *testing.T) {
	t.Parallel()
	spanish, ok := language.In("es")
	if !ok {
		t.Fatal("no Spanish")
	}
	said := []string{}
	for _, v := range verdicts {
		said = append(said, v.title)
	}
	for _, r := range refusals {
		said = append(said, r.title, r.detail)
	}
	for _, s := range said {
		if _, ok := spanish.Line(s); !ok {
			t.Errorf("no Spanish for %q", s)
		}
	}
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
		"invalid": {tenants.Refuse(tenants.Invalid, "", "no"), 400, "invalid", [2]string{}},
		"unauthorized": {tenants.Refuse(tenants.Unauthorized, "key_malformed", "no"), 401, "key_malformed",
			[2]string{"WWW-Authenticate", `Bearer realm="carillon"`}},
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
		"too many": {&tenants.Error{Kind: tenants.TooMany, Msg: "no", RetryAfter: 1500 * time.Millisecond}, 429,
			"too_many", [2]string{"Retry-After", "2"}},
		"unavailable": {&tenants.Error{Kind: tenants.Unavailable, Msg: "no", Err: secret}, 503, "unavailable",
			[2]string{"Retry-After", "1"}},
		"internal":     {&tenants.Error{Msg: "hunter2", Err: secret}, 500, "internal", [2]string{}},
		"wrapped":      {fmt.Errorf("ring 1: hunter2: %w", tenants.NoSuch("ring")), 404, "not_found", [2]string{}},
		"foreign":      {secret, 500, "internal", [2]string{}},
		"deadline":     {fmt.Errorf("hunter2: %w", context.DeadlineExceeded), 503, "unavailable", [2]string{"Retry-After", "1"}},
		"unknown kind": {&tenants.Error{Kind: 200, Msg: "hunter2"}, 500, "internal", [2]string{}},
		"fiber":        {fiber.NewError(418, "hunter2"), 400, "invalid", [2]string{}},
		"fiber 500":    {fiber.NewError(507, "hunter2"), 500, "internal", [2]string{}},
	}
	var j journal
	app := New(Config{Log: j.log(), PublicURL: "https://ring.example/"})
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
		if resp.StatusCode != tc.status || p.Status != tc.status || p.Type != "https://ring.example/docs/errors#"+tc.code ||
			p.Title == "" || p.Detail == "" {
			t.Errorf("%s: %d %+v, want %d %s", name, resp.StatusCode, p, tc.status, tc.code)
		}
		if resp.Header.Get("Content-Type") != "application/problem+json" || p.RequestID == "" ||
			p.RequestID != resp.Header.Get("X-Request-Id") {
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

func TestRefusalsOfFiberAreProblems(t *testing.T) {
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
		"secret in the query of a page": {request(t, "GET", at+"/page?x="+string(tenants.NewSecret(tenants.DevicePrefix)),
			""), 400, "key_in_query"},
	}
	for name, tc := range cases {
		resp, body := do(t, tc.r)
		var p problem
		if err := json.Unmarshal([]byte(body), &p); err != nil {
			t.Errorf("%s: %d %v in %q", name, resp.StatusCode, err, body)
			continue
		}
		if resp.StatusCode != tc.status || p.Type != "/docs/errors#"+tc.code || p.RequestID == "" {
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
		resp, err := app.Test(request(t, "GET", "http://x"+path, ""), noTimeout)
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
