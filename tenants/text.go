package tenants

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidText reports whether s is a label of least to most characters that can be displayed safely:
// valid UTF-8 without control characters and without formatting characters, such as bidirectional
// overrides, that make text look like something else. Joiners are allowed, because Persian and
// Indic names and emoji need them, and so is the soft hyphen. A label must show something: one of
// spaces only is refused, unless it is empty and least is 0. U+FFFD is refused, because it marks
// broken text.
func ValidText(s string, least, most int) bool {
	if !utf8.ValidString(s) {
		return false
	}
	n, seen := 0, false
	for _, r := range s {
		if r == utf8.RuneError || unicode.In(r, unicode.Cc, unicode.Zl, unicode.Zp) || unicode.Is(unicode.Cf, r) && !joins(r) {
			return false
		}
		seen = seen || !invisible(r)
		n++
	}
	return n >= least && n <= most && (seen || n == 0)
}

// joins reports whether a formatting character may occur in names: zero width non-joiner, zero
// width joiner, soft hyphen.
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' || r == '\u00ad' }

// invisible reports whether a character shows nothing by itself.
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0': // joiner, fillers, inherent vowels, blank Braille
		return true
	}
	return unicode.IsSpace(r) || joins(r) || unicode.Is(unicode.Variation_Selector, r)
}

// TrimLabel removes white space from both ends of a label. A label of only white space is returned
// unchanged: ValidText then refuses it, and it is not taken for an empty one.
func TrimLabel(s string) string {
	if t := strings.TrimSpace(s); t != "" {
		return t
	}
	return s
}

// ValidReference reports whether s is a tenant's own opaque id: [A-Za-z0-9._-]{1,64}.
func ValidReference(s string) bool {
	if len(s) < 1 || len(s) > 64 {
		return false
	}
	for _, c := range []byte(s) {
		if !(c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '.' || c == '_' || c == '-') {
			return false
		}
	}
	return true
}

// SpreadsheetCell returns a text that spreadsheets do not run as a formula (OWASP, CSV injection):
// what looks like the start of a formula gets a quote in front. Some readers cut a file at
// semicolons, tabs or line ends even within a cell, so each part counts as a cell. They may also
// drop blanks and quotes in front. Full-width signs start a formula too. A negative number is not
// changed.
func SpreadsheetCell(s string) string {
	if isNumber(s) {
		return s
	}
	var out strings.Builder
	start := true
	if s != "" && strings.ContainsRune("\t\r\n\x00", rune(s[0])) {
		out.WriteByte('\'')
	}
	for _, r := range s {
		switch {
		case strings.ContainsRune(";\t\r\n\v\f\u0085\u2028\u2029", r):
			start = true
		case start && strings.ContainsRune("=+-@＝＋－＠﹦﹢﹣﹫\u2212", r):
			out.WriteByte('\'')
			start = false
		case r == '"' || r == '\'' || ignorable(r):
		default:
			start = false
		}
		out.WriteRune(r)
	}
	return out.String()
}

// ignorable reports whether a spreadsheet may drop a rune at the start of a cell.
func ignorable(r rune) bool {
	return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
}

// isNumber reports whether s is a number as FormatCents writes it.
func isNumber(s string) bool {
	s = strings.TrimPrefix(s, "-")
	digits, rest, dot := strings.Cut(s, ".")
	all := func(s string) bool {
		return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	}
	return all(digits) && (!dot || all(rest))
}
