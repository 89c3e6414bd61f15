package store

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// match is a search for text in columns, whatever its case. SQLite's LOWER and LIKE know the case
// of ASCII only. Text with other letters is therefore found by GLOB, with both cases of each such
// letter, in a column that LOWER has brought to lower case as far as it can.
type match struct {
	dialect dialect
	text    string // in lower case
	within  bool   // anywhere in the column, not only at its beginning
}

func (d dialect) contains(text string) match { return match{d, strings.ToLower(text), true} }

func (d dialect) startsWith(text string) match { return match{d, strings.ToLower(text), false} }

// cased returns the place in text of the first letter whose case SQLite does not know.
func cased(text string) (at int, ok bool) {
	at = strings.IndexFunc(text, func(r rune) bool { return r >= utf8.RuneSelf && unicode.ToUpper(r) != r })
	return at, at >= 0
}

func (m match) globs() bool {
	_, ok := cased(m.text)
	return m.dialect == lite && ok
}

// in is the condition that a column holds the text. It has one argument, arg.
func (m match) in(column string) string {
	switch {
	case m.globs():
		return "LOWER(" + column + ") GLOB ?"
	case m.dialect == lite: // its LIKE ignores the case of ASCII by itself, and costs half without LOWER
		return column + ` LIKE ? ESCAPE '\'`
	}
	if !m.ascii() {
		return "LOWER(" + column + `) LIKE ? ESCAPE '\'`
	}
	return "LOWER(" + column + ` COLLATE "C") LIKE ? ESCAPE '\'`
}

// ascii reports that the text has no other letters, so that the case of others does not matter:
// PostgreSQL brings a column to lower case at a fraction of the cost by its collation of bytes.
func (m match) ascii() bool {
	return !strings.ContainsFunc(m.text, func(r rune) bool { return r >= utf8.RuneSelf })
}

// inAny is in for one of several columns.
func (m match) inAny(columns ...string) (condition string, args []any) {
	for i, c := range columns {
		if i > 0 {
			condition += " OR "
		}
		condition, args = condition+m.in(c), append(args, m.arg())
	}
	return condition, args
}

func (m match) arg() string {
	before := ""
	switch {
	case m.globs():
		if m.within {
			before = "*"
		}
		return before + glob(m.text, func(rune) string { return "" }) + "*"
	case m.within:
		before = "%"
	}
	return like(before, m.text, "%")
}

// glob makes a GLOB pattern out of text: its own signs mean themselves. forms are those of a letter
// that fit in its place too.
func glob(text string, forms func(letter rune) string) string {
	var b strings.Builder
	for _, r := range text {
		switch upper := unicode.ToUpper(r); {
		case strings.ContainsRune("*?[", r):
			b.WriteString("[" + string(r) + "]")
		case r >= utf8.RuneSelf && upper != r:
			b.WriteString("[" + string(r) + string(upper) + "]")
		case forms(r) != "":
			b.WriteString("[" + string(r) + forms(r) + "]")
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// ranges is the condition that a column of rings begins with the text, as a range of the column's
// index: byte by byte on both databases.
func (m match) ranges(column string) (condition string, args []any) {
	lower := m.dialect.lower(column)
	between := lower + " >= ? AND " + lower + " < ?"
	if !m.globs() {
		return between, []any{m.text, beyond(m.text)}
	}
	at, _ := cased(m.text)
	r, size := utf8.DecodeRuneInString(m.text[at:])
	small, large := m.text[:at+size], m.text[:at]+string(unicode.ToUpper(r))
	return "(" + between + " OR " + between + ") AND " + lower + " GLOB ?",
		[]any{small, beyond(small), large, beyond(large), m.arg()}
}

// beyond is the end of the range of what begins with text: no character is higher.
func beyond(text string) string { return text + string(unicode.MaxRune) }
