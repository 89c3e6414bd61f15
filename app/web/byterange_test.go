package web

import (
	"errors"
	"io"
	"strings"
	"testing"
)

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
