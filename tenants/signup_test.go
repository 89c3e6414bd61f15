package tenants

import "testing"

func TestTrialKey(t *testing.T) {
	t.Parallel()
	p := BuiltinPlans()
	for _, c := range [][3]string{
		{"ana@lindenhof.example", "lindenhof.example", "lindenhof.example"}, {"ben+x@lindenhof.example", "lindenhof.example",
			"lindenhof.example"},
		{"ana@gmail.com", "gmail.com", "ana@gmail.com"}, {"ana+2@gmail.com", "gmail.com", "ana@gmail.com"}, {"ben@gmail.com", "gmail.com",
			"ben@gmail.com"},
	} {
		if got := p.TrialKey(c[0], c[1]); got != c[2] {
			t.Errorf("%s: %q, want %q", c[0], got, c[2])
		}
	}
}

func TestSlug(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"Hart & Okafor Law": "hart-okafor-law", "  3M  ": "tenant", "Ärzte": "rzte", "字": "tenant", "": "tenant", "A": "tenant",
		"1st Choice Homes!": "st-choice-homes", "Ab": "ab", "a/0:9@Z`a{z": "a-0-9-z-a-z", "- - Room 9 - -": "room-9", "a9": "a9",
		"A very long name of a company that nobody can remember": "a-very-long-name-of-a-company-th",
	} {
		got := Slug(name)
		if got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
		if !validSlug(got) {
			t.Errorf("%q is no slug", got)
		}
	}
}

func FuzzSlug(f *testing.F) {
	f.Add("Lindenhof Dental")
	f.Fuzz(func(t *testing.T, name string) {
		if !validSlug(Slug(name)) || !validSlug(Slug(name)+"-x7k2p") {
			t.Errorf("%q gives %q", name, Slug(name))
		}
	})
}
