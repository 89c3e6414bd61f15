package console

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"carillon/app/language"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// altered is what the catalogue of TestTypedWordsStay makes of a typed value.
const altered = "ALTERED"

// typedWord begins each text that somebody typed in the pages of TestTypedWordsStay.
const typedWord = "Zanzibar"

// spanishWith is the Spanish catalogue, in which what people typed has an entry too.
func spanishWith(t *testing.T, typed ...string) *language.Catalogue {
	t.Helper()
	entries := map[string]string{}
	files, err := filepath.Glob("../language/es/*.json")
	pagetest.Must(t, err)
	for _, name := range files {
		text, err := os.ReadFile(name)
		pagetest.Must(t, err)
		var some map[string]string
		pagetest.Must(t, json.Unmarshal(text, &some))
		maps.Copy(entries, some)
	}
	if len(entries) < 1000 {
		t.Fatalf("%d entries were read", len(entries))
	}
	for _, one := range typed {
		entries[one] = altered
	}
	c, err := language.New("es", entries)
	pagetest.Must(t, err)
	return c
}

// TestTypedWordsStay: no page in Spanish alters what people typed, whatever words the catalogue
// has. Each typed value of a customer gets an entry of its own; where a page lacks translate="no",
// or a sentence takes the value for one of our words, the page has what the entry says.
func TestTypedWordsStay(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.full("beta", typedWord)
	_, err := b.Scope().Devices().Tag(t.Context(), []tenants.DeviceID{b.device}, typedWord, true)
	pagetest.Must(t, err)
	w := b.Quick(b.Owner)
	c := spanishWith(t, typedWord, typedWord+" line", typedWord+" hours", typedWord+" desk", typedWord+" key", typedWord+" phone",
		typedWord+" target", typedWord+" rule", typedWord+" hook", typedWord+" failed", typedWord+" summary", typedWord+" Homes",
		"="+typedWord, typedWord+" owner", typedWord+" viewer", "Good morning", b.Tag()+"-person", b.Tag()+"-ref")
	around := regexp.MustCompile(`.{0,160}` + altered + `.{0,80}`)
	drawn := 0
	for _, p := range b.pages() {
		body := w.Get(p).Want(200).Body
		if strings.Contains(body, typedWord) {
			drawn++
		}
		for _, where := range around.FindAllString(string(c.Page([]byte(body))), 5) {
			t.Errorf("%s: %s", p, where)
		}
	}
	for ask, want := range map[string][]string{"key": {"Leer llamadas; Llamar a"}, "member": {"<small>Lector</small>"}} {
		said := string(c.Page([]byte(w.Get("/audit?action=" + ask).Want(200).Body)))
		for _, one := range append(want, `lang="es"`) {
			if !strings.Contains(said, one) {
				t.Errorf("the audit log about %s does not say %q: %s", ask, one, page.Clip(said[strings.Index(said, "<tbody"):], 3000))
			}
		}
	}
	if drawn < 40 {
		t.Errorf("typed words were drawn on %d pages only", drawn)
	}
}
