package tenants

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ValidText reports whether s is a label of least to most characters that reads as what it is: valid UTF-8 without control characters and
// without formatting characters, bidirectional overrides among them, which make it read as something else. Joiners pass: Persian, Indic
// names and emoji are written with them, and so does the soft hyphen. What is there must be seen: a label of spaces alone is none.
// U+FFFD stands where text was broken on its way, and nobody is called that.
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

// joins reports whether a formatting character belongs to the spelling of names: zero width non-joiner, zero width joiner, soft hyphen.
func joins(r rune) bool { return r == '\u200c' || r == '\u200d' || r == '\u00ad' }

// invisible reports whether a character shows nothing by itself.
func invisible(r rune) bool {
	switch r {
	case '\u034f', '\u115f', '\u1160', '\u17b4', '\u17b5', '\u2800', '\u3164', '\uffa0': // joiner, fillers, inherent vowels, blank Braille
		return true
	}
	return unicode.IsSpace(r) || joins(r) || unicode.Is(unicode.Variation_Selector, r)
}

// TrimLabel takes the white space off both ends of a label. One that is nothing else stays as it is, so that ValidText refuses it and it does not
// pass for a label that was left out.
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

// SpreadsheetCell keeps spreadsheets from running a text as a formula (OWASP, CSV injection): one that begins like a formula gets a quote before it.
func SpreadsheetCell(s string) string {
	if s != "" && strings.ContainsRune("=+-@\t\r\n\x00", rune(s[0])) {
		return "'" + s
	}
	return s
}
