package tenants

import (
	"unicode"
	"unicode/utf8"
)

// Text reports whether s is valid UTF-8 of least to most characters without control or formatting characters (bidirectional
// overrides among them, which make a label read as something else).
func Text(s string, least, most int) bool {
	if !utf8.ValidString(s) {
		return false
	}
	n := 0
	for _, r := range s {
		if unicode.In(r, unicode.Cc, unicode.Cf, unicode.Zl, unicode.Zp) {
			return false
		}
		n++
	}
	return n >= least && n <= most
}

// Reference reports whether s is a tenant's own opaque id: [A-Za-z0-9._-]{1,64}.
func Reference(s string) bool {
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
