package tenants

import (
	"encoding/json"
	"testing"
)

// FuzzLabel: an industry whose pushes are opaque by law never puts the caller's words into one,
// whatever its tenant's row says, and the others do not change them.
func FuzzLabel(f *testing.F) {
	for _, i := range BuiltinIndustries().Slugs() {
		f.Add(string(i), "Anna", "")
		f.Add(string(i), "Anna", `{"payload":"label"}`)
	}
	f.Add("no such industry", "\u202e", `{"payload":"label"}`)
	f.Add("salon", "Anna", `{"payload":"opaque"}`)
	f.Fuzz(func(t *testing.T, industry, caller, changes string) {
		tenant := Tenant{Industry: Industry(industry), Changes: ParseRuleChanges(changes)}
		got := CallerLabel(tenant, caller)
		labelled := industry == "real-estate" || industry == "salon" || industry == "insurance"
		if !labelled && got != "" || got != "" && got != caller {
			t.Fatalf("%q of %q: %q", caller, industry, got)
		}
		if tenant.Opaque() != tenant.Rules().Opaque() {
			t.Fatalf("%q with %s: %v and %+v", industry, changes, tenant.Opaque(), tenant.Rules())
		}
	})
}

// FuzzIndustry: the reader takes or refuses any text, and what it takes is written and read again.
func FuzzIndustry(f *testing.F) {
	for _, file := range BuiltinIndustries().List() {
		text, err := json.Marshal(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(text)
	}
	for _, text := range []string{"", "{", "null", "[]", `{"slug":1}`, `{"slug":"a","slug":"b"}`, `{"rules":{"retention":{"x":null}}}`,
		`{"rules":{"quiet_hours":{"value":{"from":"25:00"}}}}`} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		file, faults := ParseIndustry(text)
		if len(faults) > 0 {
			return
		}
		again, err := json.Marshal(file)
		if err != nil {
			t.Fatal(err)
		}
		if _, faults := ParseIndustry(again); len(faults) > 0 {
			t.Fatalf("written again: %v", faults)
		}
	})
}
