package web

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// TestLittleMemoryShedsLoad: while memory runs out, requests get 503 before anything is done, and
// checks of health are answered; once there is memory again, requests are too.
func TestLittleMemoryShedsLoad(t *testing.T) {
	t.Parallel()
	now, tight, looks := time.Unix(1_700_000_000, 0), false, 0
	var counts Counts
	app := New(Config{Now: func() time.Time { return now }, Counts: &counts, MemoryTight: func() bool { looks++; return tight },
		ErrorPage: func(c *fiber.Ctx, status int, _, _, _ string) error { return c.Status(status).SendString("a page") }})
	served := 0
	Health(app, func(context.Context) error { return &tenants.Error{Kind: tenants.Unavailable, Msg: "Memory runs out."} },
		func() string { return "" })
	app.Post("/v1/rings", func(c *fiber.Ctx) error { served++; return c.SendStatus(http.StatusCreated) })
	ask := func(method, path string, want int) *http.Response {
		t.Helper()
		a, err := app.Test(httptest.NewRequest(method, path, strings.NewReader("{}")), -1)
		if err != nil {
			t.Fatal(err)
		}
		defer a.Body.Close()
		if a.StatusCode != want {
			t.Errorf("%s: %d, want %d", path, a.StatusCode, want)
		}
		return a
	}
	ask("POST", "/v1/rings", http.StatusCreated)
	tight = true
	ask("POST", "/v1/rings", http.StatusCreated) // the last look is not old enough
	now = now.Add(time.Duration(memorySample))
	for range 3 {
		if a := ask("POST", "/v1/rings", http.StatusServiceUnavailable); a.Header.Get("Retry-After") != "5" {
			t.Errorf("Retry-After %q", a.Header.Get("Retry-After"))
		}
	}
	ask("GET", "/healthz", http.StatusOK)
	if a := ask("GET", "/readyz", http.StatusServiceUnavailable); a.Header.Get("Content-Type") != "application/problem+json" {
		t.Errorf("/readyz answers a program with %s", a.Header.Get("Content-Type"))
	}
	if counts.RefusedForMemory.Load() != 3 || served != 2 || looks != 2 {
		t.Errorf("%d refused, %d served, %d looks", counts.RefusedForMemory.Load(), served, looks)
	}
	tight, now = false, now.Add(time.Duration(tightSample))
	ask("POST", "/v1/rings", http.StatusCreated)
	tight, now = true, now.Add(-time.Hour) // the clock is set back: no old answer is kept
	ask("POST", "/v1/rings", http.StatusServiceUnavailable)
}

// TestTightIsAShareOfTheLimit: the limit is not reached before load is shed.
func TestTightIsAShareOfTheLimit(t *testing.T) {
	t.Parallel()
	for used, want := range map[uint64]bool{0: false, 84 << 20: false, 86 << 20: true, 200 << 20: true} {
		if tight(used, 100<<20) != want {
			t.Errorf("%d MiB of 100: %v", used>>20, !want)
		}
	}
}
