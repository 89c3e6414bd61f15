package static

import (
	"bytes"
	"compress/gzip"
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
)

func TestPathsAreHashed(t *testing.T) {
	t.Parallel()
	if len(Names()) < 8 {
		t.Fatalf("only %d files", len(Names()))
	}
	hashed := regexp.MustCompile(`^/static/[a-z-]+\.[0-9a-f]{10}\.(css|js|svg|png|woff2)$`)
	for _, name := range Names() {
		address := Path(name)
		if !hashed.MatchString(address) {
			t.Errorf("%s has the address %s", name, address)
		}
		a, ok := Open(strings.TrimPrefix(address, Prefix), "")
		if !ok || len(a.Content) == 0 || a.Encoding != "" || a.Type == "" || a.ETag == "" {
			t.Errorf("%s opens as %v %+v", name, ok, a.Type)
		}
	}
}

func TestUnknownNamesAreRefused(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"", "app.css", "app.0000000000.css", "../static.go", "static.go", "NOTICE", "app.css/", "%2e%2e/go.mod"} {
		if _, ok := Open(name, "gzip"); ok {
			t.Errorf("%q opened", name)
		}
	}
	if got := Path("nothing.css"); got != "/static/nothing.css" {
		t.Errorf("Path of an unknown name is %s", got)
	}
}

func TestEncodings(t *testing.T) {
	t.Parallel()
	name := strings.TrimPrefix(Path("app.css"), Prefix)
	plain, _ := Open(name, "")
	etags := map[string]bool{}
	for accept, want := range map[string]string{
		"": "", "identity": "", "gzip": "gzip", "gzip, deflate, br": "br", "GZIP": "gzip", "br;q=0, gzip;q=0.5": "gzip",
		"gzip;q=0": "", "brotli": "",
	} {
		a, ok := Open(name, accept)
		if !ok || a.Encoding != want {
			t.Errorf("Accept-Encoding %q is answered %q, want %q", accept, a.Encoding, want)
			continue
		}
		var r io.Reader = bytes.NewReader(a.Content)
		switch want {
		case "gzip":
			z, err := gzip.NewReader(r)
			if err != nil {
				t.Fatal(err)
			}
			r = z
		case "br":
			r = brotli.NewReader(r)
		}
		got, err := io.ReadAll(r)
		if err != nil || !bytes.Equal(got, plain.Content) {
			t.Errorf("%q does not decompress to the file: %v", accept, err)
		}
		etags[a.ETag] = true
	}
	if len(etags) != 3 {
		t.Errorf("the three forms have %d ETags", len(etags))
	}
	font, _ := Open(strings.TrimPrefix(Path("instrument-sans.woff2"), Prefix), "br, gzip")
	if font.Encoding != "" {
		t.Errorf("the font is compressed twice, as %s", font.Encoding)
	}
}

// TestStyleSheetsUseOnlyOwnFiles checks that every address in a style sheet is one of our files or
// inline.
func TestStyleSheetsUseOnlyOwnFiles(t *testing.T) {
	t.Parallel()
	address := regexp.MustCompile(`url\(["']?([^"')]*)`)
	for _, name := range Names() {
		if !strings.HasSuffix(name, ".css") {
			continue
		}
		a, _ := Open(strings.TrimPrefix(Path(name), Prefix), "")
		if bytes.Contains(a.Content, []byte("@import")) || bytes.Contains(a.Content, []byte("asset:")) {
			t.Errorf("%s imports, or names an asset that is not there", name)
		}
		for _, m := range address.FindAllSubmatch(a.Content, -1) {
			target := string(m[1])
			if strings.HasPrefix(target, "data:") {
				continue
			}
			if _, ok := Open(target, ""); !ok {
				t.Errorf("%s asks for %s", name, target)
			}
		}
	}
}

func TestNotices(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{"tabler.css": "MIT", "icons.svg": "MIT", "htmx.js": "0BSD"} {
		a, _ := Open(strings.TrimPrefix(Path(name), Prefix), "")
		if !bytes.Contains(a.Content[:min(600, len(a.Content))], []byte(want)) {
			t.Errorf("%s lost its licence notice", name)
		}
	}
}
