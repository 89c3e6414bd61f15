package language

import (
	"embed"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"
	"sync"

	match "golang.org/x/text/language"
)

// English is the language that everything is written in.
const English = "en"

// Language is one that pages can be read in.
type Language struct {
	Tag  string // of BCP 47
	Name string // in the language itself
}

// Languages are those that a person can choose from.
var Languages = []Language{{English, "English"}, {"es", "Español"}}

//go:embed es/*.json
var files embed.FS

// Catalogue is one language other than English.
type Catalogue struct {
	Tag   string
	index index
	words dateWords
}

// spanish reads its entries once.
var spanish = sync.OnceValue(func() *Catalogue {
	entries, err := read(files, "es")
	if err != nil {
		panic(err) // a test reads every file
	}
	c, err := New("es", entries)
	if err != nil {
		panic(err)
	}
	return c
})

// Asked is the language of Languages that fits an Accept-Language header best (RFC 9110 12.5.4);
// English if none does.
func Asked(header string) string {
	if header == "" {
		return English
	}
	_, i := match.MatchStrings(matcher(), header)
	return Languages[i].Tag
}

// matcher knows that es-419 and es-MX are served by es.
var matcher = sync.OnceValue(func() match.Matcher {
	var tags []match.Tag
	for _, l := range Languages {
		tags = append(tags, match.Make(l.Tag))
	}
	return match.NewMatcher(tags)
})

// In gives the catalogue of a language. English has none, nor has a language that we do not know:
// ok is false then, and nothing is to be translated.
func In(tag string) (c *Catalogue, ok bool) {
	if tag == "es" {
		return spanish(), true
	}
	return nil, false
}

// Known tells of one of Languages.
func Known(tag string) bool {
	for _, l := range Languages {
		if l.Tag == tag {
			return true
		}
	}
	return false
}

// read joins the files of a folder: English to translation.
func read(files fs.FS, folder string) (map[string]string, error) {
	names, err := fs.Glob(files, folder+"/*.json")
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, name := range names {
		text, err := fs.ReadFile(files, name)
		if err != nil {
			return nil, err
		}
		one := map[string]string{}
		if err := json.Unmarshal(text, &one); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		for key, said := range one {
			if _, twice := all[key]; twice {
				return nil, fmt.Errorf("%s: %q is in another file too", name, key)
			}
			all[key] = said
		}
	}
	return all, nil
}

// New makes a catalogue of entries. It refuses an entry whose translation lacks a hole or an
// element of its key, or has one that the key lacks, and a key that many a text fits which somebody
// wrote, unless openings says how it begins.
func New(tag string, entries map[string]string) (*Catalogue, error) {
	c := &Catalogue{Tag: tag, index: newIndex(len(entries)), words: spanishDates}
	for key, said := range entries {
		from, err := compile(key)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		to, err := compile(said)
		if err != nil {
			return nil, fmt.Errorf("%q: %w", said, err)
		}
		if err := agree(from, to); err != nil {
			return nil, fmt.Errorf("%q: %w", key, err)
		}
		if from.openings = openings[key]; from.openings == nil && from.loose() {
			return nil, fmt.Errorf("%q fits what people write themselves: say in openings how it begins", key)
		}
		c.index.add(key, from, to)
	}
	c.index.sort()
	return c, nil
}

// Line translates one block of text without elements, such as a title of a mail. What no entry
// matches is given back as it is, and ok is false.
func (c *Catalogue) Line(s string) (said string, ok bool) {
	w := writer{c: c}
	return w.plain(s)
}

// Text translates a text of many lines, each by itself: a mail. What stands before a line, such as
// a dash, and addresses at its end are kept.
func (c *Catalogue) Text(text string) string {
	lines := strings.Split(text, "\n")
	for i, line := range lines {
		bare := strings.TrimLeft(line, " -•*")
		if said, ok := c.addressed(bare); ok {
			lines[i] = line[:len(line)-len(bare)] + said
		}
	}
	return strings.Join(lines, "\n")
}

// addressed translates a line that may be an address, or end in one.
func (c *Catalogue) addressed(line string) (said string, ok bool) {
	if strings.HasPrefix(line, "https://") || strings.HasPrefix(line, "http://") {
		return line, false
	}
	if at := strings.LastIndex(line, ": http"); at >= 0 {
		if said, ok := c.Line(line[:at]); ok {
			return said + line[at:], true
		}
	}
	return c.Line(line)
}
