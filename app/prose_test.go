package app

import (
	"bufio"
	"fmt"
	"go/ast"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

// The greatest widths, in characters, with a tab counted as four.
const (
	widestComment = 100
	widestLine    = 140
)

// notPlain lists words that are not plain English or not the project's word for an idea, each with the
// word to use. A word matches as a whole and as a part of an identifier (fooHouse, HouseOfFoo).
var notPlain = map[string]string{
	"house":     "tenant, tree, module or installation",
	"houses":    "tenants",
	"herald":    "mail or notifier",
	"letterbox": "mailbox",
	"till":      "until, or billing",
	"sated":     "done",
	"whoever":   "anyone who, or name the person",
	"whomever":  "anyone, or name the person",
	"whereupon": "then",
	"thereof":   "of it",
	"anew":      "again",
	"reckon":    "calculate",
	"reckons":   "calculates",
	"reckoned":  "calculated",
	"hereby":    "leave it out",
	"lest":      "so that … not",
	"nought":    "zero",
	"thrice":    "three times",
	"beneath":   "below",
	"amongst":   "among",
	"whilst":    "while",
}

// term matches words of a trade that contain one of notPlain: an estate agent's open house.
var term = regexp.MustCompile(`(?i)open.house|agent-house`)

// notPlainPhrases are matched in prose only: comments, templates, README, the console's sentences.
var notPlainPhrases = map[string]string{
	"of late":  "recently",
	"of whom":  "whose, or a new sentence",
	"hears of": "gets, or is notified of",
	"is told":  "gets, or is informed of",
}

// phrase matches each key of notPlainPhrases.
var phrase = regexp.MustCompile(`(?i)\b(?:` + strings.Join(slices.Collect(maps.Keys(notPlainPhrases)), "|") + `)\b`)

func TestProseIsPlain(t *testing.T) {
	t.Parallel()
	for _, name := range proseFiles(t) {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		for n, line := range strings.Split(string(text), "\n") {
			for _, said := range notPlainIn(line, name) {
				t.Errorf("%s:%d: %s", name, n+1, said)
			}
		}
	}
}

// notPlainIn says what is not plain in one line of a file.
func notPlainIn(line, name string) (found []string) {
	if term.MatchString(line) {
		line = term.ReplaceAllString(line, "")
	}
	for _, word := range splitWords(line) {
		if plain, ok := notPlain[word]; ok {
			found = append(found, fmt.Sprintf("%q: write %s", word, plain))
		}
	}
	prose := line
	if strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_words.go") {
		_, prose, _ = strings.Cut(line, "//")
	}
	for _, said := range phrase.FindAllString(prose, -1) {
		found = append(found, fmt.Sprintf("%q: write %s", said, notPlainPhrases[strings.ToLower(said)]))
	}
	return found
}

// splitWords splits a line into lower-case words; an identifier in camel case is split at its capitals.
func splitWords(line string) (list []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
			word = word[:0]
		}
	}
	for _, r := range line {
		if !unicode.IsLetter(r) {
			flush()
			continue
		}
		if unicode.IsUpper(r) && len(word) > 0 && unicode.IsLower(word[len(word)-1]) {
			flush()
		}
		word = append(word, r)
	}
	flush()
	return list
}

func TestWordsOfIdentifiers(t *testing.T) {
	t.Parallel()
	got := splitWords("func (b *Board) wholeHouse(TTLOf int) // hears of ΕS")
	want := []string{"func", "b", "board", "whole", "house", "ttlof", "int", "hears", "of", "εs"}
	if !slices.Equal(got, want) {
		t.Errorf("words are %q, want %q", got, want)
	}
}

// proseFiles lists what people read: Go sources, templates, scripts, styles, schema and documents. Left
// out are generated files, whose words are those of their source, vendored assets and this list of
// words itself.
func proseFiles(t *testing.T) (names []string) {
	t.Helper()
	err := filepath.WalkDir("..", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			if base := d.Name(); base == "testdata" || base == "node_modules" || base != ".." && base != ".ci" && strings.HasPrefix(base, ".") {
				return filepath.SkipDir
			}
			return nil
		}
		rel := strings.TrimPrefix(filepath.ToSlash(name), "../")
		if proseFile(rel) {
			names = append(names, rel)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(names) < 100 {
		t.Fatalf("found %d files of prose", len(names))
	}
	return names
}

func proseFile(name string) bool {
	switch path.Base(name) {
	case "prose_test.go", "htmx.js", "tabler.css", "carillon.py":
		return false
	}
	switch path.Ext(name) {
	case ".go", ".templ", ".js", ".ts", ".py", ".css", ".sql", ".md", ".yaml":
		return !strings.HasSuffix(name, "_templ.go") && !strings.Contains(name, ".gen.")
	}
	return false
}

// columns counts the characters of a line, with a tab as four.
func columns(line string) int {
	return utf8.RuneCountInString(line) + 3*strings.Count(line, "\t")
}

func TestLinesAreNotTooWide(t *testing.T) {
	t.Parallel()
	for _, name := range proseFiles(t) {
		if ext := path.Ext(name); ext != ".go" && ext != ".templ" {
			continue
		}
		f, err := os.Open(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		lines := bufio.NewScanner(f)
		lines.Buffer(nil, 1<<20)
		for n := 1; lines.Scan(); n++ {
			line, limit, what := lines.Text(), widestLine, "line"
			if text := strings.TrimSpace(line); strings.HasPrefix(text, "//") && !strings.HasPrefix(text, "//go:") {
				limit, what = widestComment, "comment"
			}
			if what == "line" && strings.Contains(line, ` env:"`) {
				continue // a struct tag cannot be broken
			}
			if wide := columns(line); wide > limit && !strings.Contains(line, "://") {
				t.Errorf("%s:%d: a %s of %d columns, the most is %d", name, n, what, wide, limit)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
	}
}

// fileInComment matches the name of a source file in a comment, with or without its folder.
var fileInComment = regexp.MustCompile(`(^|[^/a-z0-9_.])((?:[a-z0-9_]+/)*[a-z0-9_]+\.(?:go|templ|sql|md|yaml))\b`)

func TestCommentsNameFilesThatExist(t *testing.T) {
	t.Parallel()
	all := proseFiles(t)
	exists := func(from, named string) bool {
		for _, have := range all {
			if have == named || strings.HasSuffix(have, "/"+named) {
				return true
			}
		}
		_, err := os.Stat(filepath.Join("..", path.Dir(from), named))
		return err == nil
	}
	files, fset := tree(t)
	for _, f := range files {
		for _, group := range f.ast.Comments {
			for _, c := range group.List {
				for _, match := range fileInComment.FindAllStringSubmatch(comment(c), -1) {
					named := match[2]
					if !exists(f.name, named) {
						t.Errorf("%s names %s, which does not exist", fset.Position(c.Pos()), named)
					}
				}
			}
		}
	}
}

// comment is the text of a comment without the addresses of web pages.
func comment(c *ast.Comment) string {
	return regexp.MustCompile(`https?://\S+`).ReplaceAllString(c.Text, "")
}

func TestTheLayerTableIsShown(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"README.md", "CONTRIBUTING.md"} {
		text, err := os.ReadFile(filepath.Join("..", name))
		if err != nil {
			t.Fatal(err)
		}
		shown := map[string]int{}
		for _, row := range regexp.MustCompile(`(?m)^([0-6])  (\S.*)$`).FindAllStringSubmatch(string(text), -1) {
			n, _ := strconv.Atoi(row[1])
			for _, pkg := range strings.Fields(row[2]) {
				shown[pkg] = n
			}
		}
		for pkg, n := range level {
			if pkg != "" && shown[pkg] != n || pkg != "" && !shows(shown, pkg) {
				t.Errorf("%s: package %s belongs to level %d of its table", name, pkg, n)
			}
		}
		for pkg := range shown {
			if _, ok := level[pkg]; !ok {
				t.Errorf("%s: its table shows %s, which is no package", name, pkg)
			}
		}
	}
}

func shows(m map[string]int, k string) bool { _, ok := m[k]; return ok }
