package language

import (
	"encoding/json"
	"os"
	"regexp"
	"strings"
	"testing"
)

// anyWords are the holes that an entry may have one for the other: the source does not tell whether
// a value is somebody's own words or has an entry too.
var anyWords = regexp.MustCompile(`\{(text|word)\d?\}`)

// TestEveryTextHasAnEntry: what templates, tables of words and refusals say is in the catalogue, or
// in testdata/none.json, which lists texts that are for no reader: names of programs, codes, SQL.
func TestEveryTextHasAnEntry(t *testing.T) {
	t.Parallel()
	f := &found{keys: map[string]string{}}
	templTexts(t, f)
	goTexts(t, f)
	fileTexts(t, f)
	all, err := read(files, "es")
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile("testdata/none.json")
	if err != nil {
		t.Fatal(err)
	}
	var list []string
	if err := json.Unmarshal(text, &list); err != nil {
		t.Fatal(err)
	}
	none := map[string]bool{}
	for _, k := range list {
		if none[k] = true; f.keys[k] == "" {
			t.Errorf("testdata/none.json has %q, which nothing says any more: remove it", k)
		}
		if all[k] != "" {
			t.Errorf("testdata/none.json has %q, which is translated: remove it", k)
		}
	}
	said := map[string]bool{}
	for k := range all {
		said[anyWords.ReplaceAllString(k, "{}")] = true
	}
	var missing []string
	for _, k := range f.order {
		if !said[anyWords.ReplaceAllString(k, "{}")] && !none[k] {
			missing = append(missing, f.keys[k]+": "+k)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d texts have no Spanish. Add each to the file of app/language/es that fits, or to testdata/none.json if no reader "+
			"sees it (CONTRIBUTING.md, “A sentence that people read”; -run TestSources -keys FILE lists them with their keys):\n%s",
			len(missing), strings.Join(missing, "\n"))
	}
}
