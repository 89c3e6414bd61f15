package language

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// TestScriptsHaveTheirWords: each word("…") of a script has an entry, and each entry is said.
func TestScriptsHaveTheirWords(t *testing.T) {
	t.Parallel()
	words := map[string]string{}
	if err := json.Unmarshal(spanishScripts, &words); err != nil {
		t.Fatal(err)
	}
	names, err := filepath.Glob("../../static/*.js")
	if err != nil || len(names) == 0 {
		t.Fatal(names, err)
	}
	call, literal := regexp.MustCompile(`\bword\([^()]*\)`), regexp.MustCompile(`"([^"]+)"`)
	said := map[string]bool{}
	for _, name := range names {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, one := range call.FindAllString(string(text), -1) {
			for _, m := range literal.FindAllStringSubmatch(one, -1) {
				if said[m[1]] = true; words[m[1]] == "" {
					t.Errorf("%s says %q, which app/language/scripts/es.json lacks", filepath.Base(name), m[1])
				}
			}
		}
	}
	for english, spanish := range words {
		if !said[english] {
			t.Errorf("no script says %q", english)
		}
		if strings.Contains(english, "{n}") != strings.Contains(spanish, "{n}") {
			t.Errorf("%q has another hole than %q", spanish, english)
		}
	}
}

func TestOnlyWholePagesGetTheWords(t *testing.T) {
	t.Parallel()
	c := made(t)
	got := string(c.WithScripts([]byte("<body><p>x</p></body></html>")))
	begin := `<body><p>x</p><script type="application/json" id="words">{`
	if !strings.HasPrefix(got, begin) || !strings.HasSuffix(got, "</script></body></html>") {
		t.Error(got)
	}
	if got := string(c.WithScripts([]byte("<p>x</p>"))); got != "<p>x</p>" {
		t.Error(got)
	}
}
