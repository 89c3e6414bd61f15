package web

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/a-h/templ"
	"github.com/gofiber/fiber/v2"
)

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
	for _, want := range []string{"default-src 'self'", "frame-ancestors 'none'", "base-uri 'none'", "worker-src 'self'",
		"form-action 'self'"} {
		if !strings.Contains(csp, want) {
			t.Errorf("the policy lacks %s: %s", want, csp)
		}
	}
	for range 2 { // the second time with a reused writer
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
			t.Errorf("Accept-Encoding %q: compressed", accept)
		}
	}
	if resp, body = do(t, request(t, "GET", at+"/broken", "")); resp.StatusCode != 500 || strings.Contains(body, "HALF") {
		t.Errorf("broken: %d %q", resp.StatusCode, body)
	}
}

// TestSpeak: a page is in the language that was named, and otherwise the same bytes as ever.
func TestSpeak(t *testing.T) {
	t.Parallel()
	const page = `<!DOCTYPE html><html lang="en"><time datetime="2026-12-10">10 Dec 2026</time>`
	drawn := templ.ComponentFunc(func(_ context.Context, w io.Writer) error {
		_, err := io.WriteString(w, page)
		return err
	})
	app := New(Config{})
	app.Get("/", func(c *fiber.Ctx) error {
		if tag := Query(c, "in"); tag != "" {
			Speak(c, tag)
		}
		return Page(c, drawn, 200)
	})
	at := serving(t, app)
	for tag, want := range map[string]string{"": page, "en": page, "de": page,
		"es": `<!DOCTYPE html><html lang="es"><time datetime="2026-12-10">10 dic 2026</time>`} {
		if resp, body := do(t, request(t, "GET", at+"/?in="+tag, "")); body != want || resp.Header.Get("Content-Language") != tag {
			t.Errorf("%q: %s %v", tag, body, resp.Header)
		}
	}
}

func TestQR(t *testing.T) {
	t.Parallel()
	svg, err := QR("https://carillon.example/pair#ABCDE-23456")
	if err != nil || !strings.HasPrefix(svg, "<svg") || strings.Count(svg, "<path") != 2 || len(svg) > 12<<10 ||
		strings.Contains(svg, "style") {
		t.Errorf("%v, %d bytes: %.200s", err, len(svg), svg)
	}
	if _, err := QR(strings.Repeat("x", 5000)); err == nil {
		t.Error("more than a code holds was drawn")
	}
}
