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

// dots are the letters of Turkish that are an i in one case only: unicode's upper case of one and
// lower case of the other is a plain letter.
const dots = "ıİ"

// plainLetters has the letter of each form in lower case.
var plainLetters = func() map[rune]rune {
	all := map[rune]rune{}
	for plain := range accents {
		for _, r := range Accented(plain) {
			all[unicode.ToLower(r)] = plain
		}
	}
	return all
}()

// optional are the scripts in which people write a name with signs or without them: accents that
// are signs of their own, and the vowels of Arabic and Hebrew. In others, such as Thai, a sign of
// the same kind is a letter like any.
var optional = []*unicode.RangeTable{unicode.Inherited, unicode.Arabic, unicode.Hebrew}

// Unaccented is text in lower case and without accents, as people type a name that they look for:
// "zoe" of "Zoë".
func Unaccented(text string) string {
	return strings.Map(func(r rune) rune {
		if plain, ok := plainLetters[r]; ok {
			return plain
		}
		if unicode.Is(unicode.Mn, r) && unicode.In(r, optional...) {
			return -1
		}
		return r
	}, strings.ToLower(text))
}

// Accented are the forms of a letter with accents, in both cases; empty for most.
func Accented(letter rune) string {
	forms := accents[letter]
	forms += strings.ToUpper(forms)
	if letter == 'i' {
		forms += dots
	}
	return forms
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
