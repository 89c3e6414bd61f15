package web

import (
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"
)

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
