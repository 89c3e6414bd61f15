package operator

import (
	"bytes"
	"testing"
	"time"
)

// TestSamples: each page is drawn whole from its made-up data.
func TestSamples(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, s := range Samples(time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)) {
		var page bytes.Buffer
		if err := s.Page.Render(t.Context(), &page); err != nil {
			t.Errorf("%s: %v", s.Name, err)
		}
		if !bytes.Contains(page.Bytes(), []byte("<title")) || !bytes.Contains(page.Bytes(), []byte("</html>")) || seen[s.Name] {
			t.Errorf("%s is no whole page, or is there twice", s.Name)
		}
		seen[s.Name] = true
	}
}
