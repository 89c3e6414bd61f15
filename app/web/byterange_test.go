package web

import (
	"errors"
	"fmt"
	"io"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// TestPartsOfAFile: its size is learned once. A file that cannot be made, or whose making panics,
// gives back its slot.
func TestPartsOfAFile(t *testing.T) {
	t.Parallel()
	var sizes Sizes
	fault, made, ended := "", 0, 0
	app := fiber.New()
	app.Get("/", func(c *fiber.Ctx) error {
		write := func(w io.Writer) error {
			made++
			switch fault {
			case "panic":
				panic("test")
			case "error":
				return errors.New("test")
			}
			_, err := io.WriteString(w, "0123456789")
			return err
		}
		return SendFile(c, File{ETag: `"` + fault + `"`, Write: write}, &sizes, func(error) { ended++ })
	})
	for i, row := range []struct {
		fault  string
		status int
		made   int
	}{{"", 206, 2}, {"", 206, 1}, {"error", 500, 1}, {"panic", 500, 1}, {"", 206, 1}} {
		fault, made = row.fault, 0
		r := httptest.NewRequest("GET", "/", nil)
		r.Header.Set("Range", "bytes=3-5")
		answer, err := app.Test(r, -1)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(answer.Body)
		if err != nil || answer.StatusCode != row.status || row.status == 206 && string(text) != "345" {
			t.Errorf("%d: %d %s %v", i, answer.StatusCode, text, err)
		}
		if made != row.made || ended != i+1 {
			t.Errorf("%d: made %d times, want %d; ended %d times", i, made, row.made, ended)
		}
	}
	for i := range 2 * sizesMost {
		if _, err := sizes.of(File{ETag: fmt.Sprint(i), Write: func(io.Writer) error { return nil }}); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(sizes.known); n > sizesMost {
		t.Errorf("%d sizes are kept", n)
	}
}

// TestByteRange: what RFC 9110 14.1.2 and 14.2 say of one part, and what is ignored.
func TestByteRange(t *testing.T) {
	t.Parallel()
	for header, want := range map[string]string{
		"bytes=0-": "0123456789", "bytes=3-5": "345", "bytes=3-99": "3456789", "bytes=-4": "6789", "bytes=-99": "0123456789",
		"Bytes=9-": "9", "bytes=0-0": "0", "bytes=9-9": "9",
		"bytes=10-": "none", "bytes=99-100": "none", "bytes=-0": "none",
		"bytes=5-3": "ignored", "bytes=0-1,4-5": "ignored", "items=0-1": "ignored", "bytes=": "ignored", "bytes=-": "ignored",
		"bytes=a-b": "ignored", "bytes=1": "ignored", "bytes=-1-2": "ignored", "bytes=99999999999999999999-": "ignored",
	} {
		from, to, ok := byteRange(header, 10)
		got := "ignored"
		if ok {
			got = "none"
		}
		if ok && from < to {
			var b strings.Builder
			p := &part{w: &b, from: from, to: to}
			for i := range 10 { // in pieces, as files are made
				if _, err := io.WriteString(p, "0123456789"[i:i+1]); err != nil {
					if !errors.Is(err, errCut) {
						t.Fatal(err)
					}
					break
				}
			}
			got = b.String()
		}
		if got != want {
			t.Errorf("%s: %s, want %s", header, got, want)
		}
	}
}
