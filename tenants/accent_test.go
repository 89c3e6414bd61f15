package tenants_test

import (
	"testing"
	"unicode/utf8"

	"carillon/tenants"
)

func TestUnaccented(t *testing.T) {
	t.Parallel()
	for typed, want := range map[string]string{"Zoë": "zoe", "JOSÉ Ñandú": "jose nandu", "Nguyễn Thị Hạnh": "nguyen thi hanh",
		"Jose\u0301": "jose", "Łukasz Gżegżółka": "lukasz gzegzolka", "Ærø 12%": "æro 12%", "ana": "ana", "": "",
		"İbrahim IŞIK ışık": "ibrahim isik isik", "กุหลาบ": "กุหลาบ", "कुमार": "कुमार", "مُحَمَّد": "محمد", "דָּוִד": "דוד"} {
		if got := tenants.Unaccented(typed); got != want {
			t.Errorf("%q: %q, wanted %q", typed, got, want)
		}
	}
}

// TestAccentedForms: each form of a letter is one letter in either case, and leads back to it.
func TestAccentedForms(t *testing.T) {
	t.Parallel()
	seen := map[rune]bool{}
	for _, letter := range tenants.AccentedLetters() {
		forms := tenants.Accented(letter)
		for _, r := range forms {
			if tenants.Unaccented(string(r)) != string(letter) || seen[r] || r < utf8.RuneSelf {
				t.Errorf("%c of %c is wrong or there twice", r, letter)
			}
			seen[r] = true
		}
		if utf8.RuneCountInString(forms)%2 != 0 {
			t.Errorf("%c: %s", letter, forms)
		}
	}
	if len(seen) < 200 || tenants.Accented('x') != "" {
		t.Errorf("%d forms, %q", len(seen), tenants.Accented('x'))
	}
}
