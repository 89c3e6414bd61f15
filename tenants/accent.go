package tenants

import (
	"strings"
	"unicode"
)

// accents are letters and their forms with accents, in lower case: those of European languages and
// of Vietnamese.
var accents = map[rune]string{
	'a': "àáâãäåāăąạảấầẩẫậắằẳẵặ", 'c': "çćĉċč", 'd': "ďđ", 'e': "èéêëēĕėęěẹẻẽếềểễệ", 'g': "ĝğġģ", 'h': "ĥħ", 'i': "ìíîïĩīĭįỉị",
	'j': "ĵ", 'k': "ķ", 'l': "ĺļľł", 'n': "ñńņň", 'o': "òóôõöøōŏőọỏốồổỗộơớờởỡợ", 'r': "ŕŗř", 's': "śŝşšș", 't': "ţťŧț",
	'u': "ùúûüũūŭůűųụủưứừửữự", 'w': "ŵ", 'y': "ýÿŷỳỵỷỹ", 'z': "źżž",
}

// plainLetters has the letter of each form.
var plainLetters = func() map[rune]rune {
	all := map[rune]rune{}
	for plain, forms := range accents {
		for _, r := range forms {
			all[r] = plain
		}
	}
	return all
}()

// Unaccented is text in lower case and without accents, as people type a name that they look for:
// "zoe" of "Zoë".
func Unaccented(text string) string {
	return strings.Map(func(r rune) rune {
		if plain, ok := plainLetters[r]; ok {
			return plain
		}
		if unicode.Is(unicode.Mn, r) { // an accent that is a sign of its own
			return -1
		}
		return r
	}, strings.ToLower(text))
}

// Accented are the forms of a letter with accents, in both cases; empty for most.
func Accented(letter rune) string {
	forms := accents[letter]
	return forms + strings.ToUpper(forms)
}

// AccentedLetters are all letters that have forms with accents, in the order of the alphabet.
func AccentedLetters() (all []rune) {
	for r := 'a'; r <= 'z'; r++ {
		if accents[r] != "" {
			all = append(all, r)
		}
	}
	return all
}
