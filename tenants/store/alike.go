package store

import (
	"strings"
	"unicode/utf8"

	"carillon/tenants"
)

// alike is the condition that each word of what a person typed is in one of the columns, whatever
// its case, accents and place: "zoe" finds "Zoë", and "ruiz ana" finds "Ana Ruiz". It reads each
// row of the tenant, so it is for tables without very many. Most names have ASCII letters only: the
// dearer comparison looks at the others.
func (d dialect) alike(text string, columns ...string) (condition string, args []any) {
	var all []string
	for _, word := range strings.Fields(strings.ToLower(text)) {
		plain := tenants.Unaccented(word)
		if plain == "" { // signs that are no letters
			continue
		}
		some, with := d.hasPlain(plain, columns)
		if utf8.RuneCountInString(plain) < utf8.RuneCountInString(word) { // columns keep signs of their own
			asTyped, more := d.contains(word).inAny(columns...)
			some, with = some+" OR "+asTyped, append(with, more...)
		}
		all, args = append(all, "("+some+")"), append(args, with...)
	}
	if len(all) == 0 {
		return d.contains(text).inAny(columns...)
	}
	return strings.Join(all, " AND "), args
}

// hasPlain is the condition that a word without accents is in one of the columns, with any accents.
func (d dialect) hasPlain(word string, columns []string) (condition string, args []any) {
	var some []string
	for _, c := range columns {
		exact := match{d, word, true}
		if d == lite {
			some = append(some, c+` LIKE ? ESCAPE '\' OR OCTET_LENGTH(`+c+") > LENGTH("+c+") AND LOWER("+c+") GLOB ?")
			args = append(args, like("%", word, "%"), "*"+glob(word, tenants.Accented)+"*")
			continue
		}
		some = append(some, exact.in(c)+" OR OCTET_LENGTH("+c+") > LENGTH("+c+") AND "+unaccented(c)+` LIKE ? ESCAPE '\'`)
		args = append(args, exact.arg(), exact.arg())
	}
	return strings.Join(some, " OR "), args
}

// unaccented is a column in lower case and without accents, on PostgreSQL. The accents go first:
// the lower case of some letters differs from one collation to another.
func unaccented(column string) string {
	var from, to strings.Builder
	for _, letter := range tenants.AccentedLetters() {
		for _, r := range tenants.Accented(letter) {
			from.WriteRune(r)
			to.WriteRune(letter)
		}
	}
	return "LOWER(TRANSLATE(" + column + ", '" + from.String() + "', '" + to.String() + "'))"
}
