package tenants

import "testing"

// FuzzLabel: an industry whose pushes are opaque never puts the caller's words into one, and the
// others do not change them.
func FuzzLabel(f *testing.F) {
	for _, i := range Industries {
		f.Add(string(i), "Anna")
	}
	f.Add("no such industry", "\u202e")
	f.Fuzz(func(t *testing.T, industry, caller string) {
		got := CallerLabel(Industry(industry), caller)
		opaque := industry == "healthcare" || industry == "behavioral-health" || industry == "legal"
		if opaque && got != "" || got != "" && got != caller {
			t.Fatalf("%q of %q: %q", caller, industry, got)
		}
	})
}
