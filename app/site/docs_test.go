package site

import (
	"net/url"
	"strings"
	"testing"
)

// TestDocsAnswerAnything: a search shows what was typed as text, finds within its bounds, and an
// address that is no page is answered 404.
func TestDocsAnswerAnything(t *testing.T) {
	t.Parallel()
	w := open(t).Browser()
	body := w.Get("/docs/search?q=" + url.QueryEscape(`Idempotency-Key`)).Want(200).Body
	if !strings.Contains(body, `href="/docs/errors#idempotency_key"`) || !strings.Contains(body, "<mark>") ||
		!strings.Contains(body, `<meta name="robots" content="noindex"`) {
		t.Errorf("the search shows %s", body)
	}
	for _, typed := range []string{"", `"><script>alert(1)</script>`, strings.Repeat("ring ", 2000), "\xff\x00", "zzzz"} {
		body := w.Get("/docs/search?q=" + url.QueryEscape(typed)).Want(200).Body
		if strings.Contains(body, "<script>alert") || len(body) > 60<<10 {
			t.Errorf("%.20q is answered with %d bytes", typed, len(body))
		}
	}
	for _, no := range []string{"/docs/nothing", "/docs/api/nothing", "/docs/overview.md", "/docs/..%2fpricing", "/docs/api%2frings"} {
		w.Get(no).Want(404)
	}
}
