package page_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/app/web/webtest"
	"carillon/tenants"
)

// TestDownloadsAreBounded: a person who has two files under way is refused the next one before it
// is read, and gets it when one is complete.
func TestDownloadsAreBounded(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	f.tenant()
	began, goOn := make(chan struct{}, 10), make(chan struct{})
	app := web.New(web.Config{})
	app.Get("/enter", func(c *fiber.Ctx) error {
		return f.common.Admit(c.UserContext(), c, tenants.User{ID: f.user, Email: "ana@a.example", Name: "Ana"}, theTenant)
	})
	app.Get("/csv", func(c *fiber.Ctx) error {
		if _, err := f.common.Visitor(c.UserContext(), c); err != nil && web.Query(c, "stranger") == "" {
			return err
		}
		return f.common.SendSheet(c.UserContext(), c, page.Sheet{Name: "list", Head: []string{"n"},
			More: func(_ context.Context, after string) ([][]string, string, error) {
				if after == "" {
					return [][]string{{"1"}}, "1", nil
				}
				began <- struct{}{}
				<-goOn
				return [][]string{{"2"}}, "", nil
			}})
	})
	at := webtest.Serve(t, app)
	get := func(path string, cookies []*http.Cookie) *http.Response {
		t.Helper()
		req, err := http.NewRequestWithContext(t.Context(), "GET", at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, c := range cookies {
			req.AddCookie(c)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = res.Body.Close() })
		return res
	}
	text := func(res *http.Response) string {
		t.Helper()
		b, err := io.ReadAll(res.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	in := get("/enter", nil).Cookies()
	var open []*http.Response
	for range 2 {
		open = append(open, get("/csv", in))
		<-began
	}
	res := get("/csv", in)
	var p struct{ Type, Detail string }
	if err := json.Unmarshal([]byte(text(res)), &p); err != nil || res.StatusCode != 429 || res.Header.Get("Retry-After") == "" ||
		p.Type != "/docs/errors#too_many_exports" || p.Detail == "" {
		t.Errorf("the third: %d %v %+v, %v", res.StatusCode, res.Header, p, err)
	}
	open = append(open, get("/csv?stranger=1", nil)) // another holder
	<-began
	close(goOn)
	for i, res := range open {
		if got := text(res); res.StatusCode != 200 || got != "n\r\n1\r\n2\r\n" {
			t.Errorf("file %d: %d %q", i, res.StatusCode, got)
		}
	}
	if res := get("/csv", in); res.StatusCode != 200 || text(res) != "n\r\n1\r\n2\r\n" {
		t.Errorf("when they are complete: %s", fmt.Sprint(res.Status))
	}
}

// TestDownloadSaysThatItIsCut: whatever reading a later page ends with, the file says that it is
// not complete.
func TestDownloadSaysThatItIsCut(t *testing.T) {
	t.Parallel()
	f := triesFixture(t)
	app := web.New(web.Config{})
	more := func(fail func() error) fiber.Handler {
		return func(c *fiber.Ctx) error {
			return f.common.SendSheet(c.UserContext(), c, page.Sheet{Name: "list", Head: []string{"n"},
				More: func(_ context.Context, after string) ([][]string, string, error) {
					if after == "" {
						return [][]string{{"1"}}, "1", nil
					}
					return nil, "", fail()
				}})
		}
	}
	app.Get("/error", more(func() error { return tenants.Refuse(tenants.Unavailable, "busy", "Busy.") }))
	app.Get("/panic", more(func() error { panic("a later page") }))
	at := webtest.Serve(t, app)
	for _, path := range []string{"/error", "/panic", "/error"} {
		req, err := http.NewRequestWithContext(t.Context(), "GET", at+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		res, err := http.DefaultTransport.RoundTrip(req)
		if err != nil {
			t.Fatal(path, err)
		}
		b, err := io.ReadAll(res.Body)
		_ = res.Body.Close()
		want := "n\r\n1\r\nThis file is not complete: reading the rest failed. Download it again.\r\n"
		if err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", path, b, err)
		}
	}
}
