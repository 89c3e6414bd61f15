package language

import (
	"strings"
	"unicode"
)

// dateWords are the names of months and days. Numbers are written as in English: the Spanish of the
// United States (es-US in CLDR) has a comma between thousands and a point before decimals.
type dateWords struct {
	names map[string]string // English to the language
	last  string            // what stands between day, month and year: "de", with long names
}

var spanishDates = dateWords{
	names: map[string]string{
		"January": "enero", "February": "febrero", "March": "marzo", "April": "abril", "May": "may", "June": "junio", "July": "julio",
		"August": "agosto", "September": "septiembre", "October": "octubre", "November": "noviembre", "December": "diciembre",
		"Jan": "ene", "Feb": "feb", "Mar": "mar", "Apr": "abr", "Jun": "jun", "Jul": "jul", "Aug": "ago", "Sep": "sep", "Oct": "oct",
		"Nov": "nov", "Dec": "dic",
		"Monday": "lunes", "Tuesday": "martes", "Wednesday": "miércoles", "Thursday": "jueves", "Friday": "viernes",
		"Saturday": "sábado", "Sunday": "domingo",
		"Mon": "lun", "Tue": "mar", "Wed": "mié", "Thu": "jue", "Fri": "vie", "Sat": "sáb", "Sun": "dom",
		"to": "a", "at": "a las", "UTC": "UTC", "am": "a. m.", "pm": "p. m.",
	},
	last: "de",
}

// moment writes a date, a time of day, both or a span of them as the language does. ok is false for
// any other text: every word must be one of a date, and there must be a number.
func (d dateWords) moment(s string) (string, bool) {
	digit, name := false, false
	var out strings.Builder
	long := false // a long name of a month came last
	for rest := s; rest != ""; {
		r := rest[0]
		switch {
		case r >= '0' && r <= '9':
			n := 0
			for n < len(rest) && (rest[n] >= '0' && rest[n] <= '9' || rest[n] == ':' || rest[n] == '.') {
				n++
			}
			if long && n == 4 {
				out.WriteString(d.last + " ")
			}
			digit, long = true, false
			out.WriteString(rest[:n])
			rest = rest[n:]
		case r == ' ' || r == ',' || r == '-' || strings.HasPrefix(rest, "–"):
			n := 1
			if r > 127 {
				n = len("–")
			}
			out.WriteString(rest[:n])
			if r != ' ' {
				long = false
			}
			rest = rest[n:]
		default:
			n := strings.IndexFunc(rest, func(r rune) bool { return !unicode.IsLetter(r) })
			if n < 0 {
				n = len(rest)
			}
			said, known := d.word(rest[:n], digit)
			if !known {
				return s, false
			}
			name = name || n >= 3
			long = n > 3 && !strings.HasSuffix(rest[:n], "day") && !zone(rest[:n])
			if long && digit && strings.HasSuffix(out.String(), " ") {
				out.WriteString(d.last + " ")
			}
			out.WriteString(said)
			rest = rest[n:]
		}
	}
	if !digit || !name {
		return s, false
	}
	return out.String(), true
}

// dated reports whether a text is made of numbers and words of dates.
func dated(s string) bool {
	for word := range strings.FieldsFuncSeq(s, func(r rune) bool { return !unicode.IsLetter(r) }) {
		if _, known := spanishDates.names[word]; !known && !zone(word) {
			return false
		}
	}
	return strings.ContainsAny(s, "0123456789")
}

// word is a word of a date. After a number, the name of a time zone is one too, and is kept.
func (d dateWords) word(s string, digit bool) (string, bool) {
	if said, known := d.names[s]; known {
		return said, true
	}
	return s, digit && zone(s)
}

// zone tells whether a word may be the short name of a time zone, such as EST.
func zone(word string) bool {
	return len(word) >= 3 && len(word) <= 5 && strings.IndexFunc(word, func(r rune) bool { return r < 'A' || r > 'Z' }) < 0
}
