package language_test

import (
	"bytes"
	"testing"
	"time"

	"carillon/app/language"
	"carillon/views"
)

var _ = func() bool {
	language.Samples = samples
	return true
}()

func samples(t testing.TB) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	for _, s := range views.Samples(time.Date(2026, 11, 24, 8, 30, 0, 0, time.UTC)) {
		var page bytes.Buffer
		if err := s.Page.Render(t.Context(), &page); err != nil {
			t.Fatal(err)
		}
		all[s.Name] = page.Bytes()
	}
	return all
}
