package tenants

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestText(t *testing.T) {
	t.Parallel()
	for s, want := range map[string]bool{
		"Anna":                   true,
		"Dr. O’Hara-Müller":      true,
		"مهسا نیک\u200cنام":      true, // a Persian name
		"श्री\u200dमती":          true,
		"👩\u200d⚕️ Clinic":       true,
		"Donau\u00addampfschiff": true,
		"日本":                     true,
		" spaced out ":           true, // Trim is another's work
		"":                       true,
		" ":                      false,
		"\u00a0\u3000":           false,
		"\u200d\u200c":           false,
		"\u3164":                 false,
		"\u2800 \ufe0f":          false,
		"a\u202eb":               false,
		"a\u2066b":               false,
		"a\u200fb":               false,
		"a\ufeffb":               false,
		"a\u2028b":               false,
		"a\x00b":                 false,
		"a\tb":                   false,
		"a\u0085b":               false,
		"a\ufffdb":               false,
		"\xff":                   false,
		"\xed\xa0\x80":           false, // half of a surrogate pair
		strings.Repeat("ä", 20):  true,
		strings.Repeat("ä", 21):  false,
	} {
		if got := ValidText(s, 0, 20); got != want {
			t.Errorf("Text(%q) is %v", s, got)
		}
	}
	if ValidText("", 1, 9) {
		t.Error("no name is a name")
	}
	for s, want := range map[string]string{" \u00a0Anna  B\n": "Anna  B", "": "", " ": " ", "a\u200d": "a\u200d"} {
		if got := TrimLabel(s); got != want {
			t.Errorf("Trim(%q) is %q", s, got)
		}
	}
}

func FuzzText(f *testing.F) {
	for _, s := range []string{"Anna", " ", "a\u202eb", "\u200d", "نیک\u200cنام", "\ud7ff\ue000", "\xed\xa0\x80", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		trimmed := TrimLabel(s)
		if TrimLabel(trimmed) != trimmed {
			t.Fatalf("Trim(%q) is not done: %q", s, trimmed)
		}
		if ValidText(s, 0, 64) && !ValidText(trimmed, 0, 64) {
			t.Fatalf("trimming spoilt %q", s)
		}
		if !ValidText(s, 0, 64) {
			return
		}
		if s != "" && strings.TrimSpace(s) == "" || !utf8.ValidString(s) || utf8.RuneCountInString(s) > 64 {
			t.Fatalf("%q passes", s)
		}
		for _, r := range s {
			if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == utf8.RuneError {
				t.Fatalf("%U passes in %q", r, s)
			}
		}
	})
}

func TestSpreadsheetCell(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"=1+1": "'=1+1", "+1": "'+1", "-1+1": "'-1+1", "@x": "'@x", "\tx": "'\tx", "\rx": "'\rx", "x=1": "x=1", "": "", "ä": "ä",
		"＝1+1": "'＝1+1", "Phone;=1+1;x": "Phone;'=1+1;x", "a;=HYPERLINK(1);b": "a;'=HYPERLINK(1);b", "a\t@x": "a\t'@x", "a\n-x": "a\n'-x",
		"x; \"＠y": "x; \"'＠y", "\u200b=1": "\u200b'=1", " +1": " '+1", "-": "'-", "-12.50": "-12.50", "-1": "-1", "-0": "-0",
		"-90.09": "-90.09", "-1/": "'-1/", "-1:": "'-1:", "-1.": "'-1.",
		"--1":   "'--1",
		"+4930": "'+4930", "a, -b": "a, -b", "1;-2": "1;'-2", "a-b;c+d": "a-b;c+d",
	} {
		if got := SpreadsheetCell(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
}

// FuzzSpreadsheetCell checks that no part of a cell starts a formula, and that only quotes are
// added.
func FuzzSpreadsheetCell(f *testing.F) {
	f.Add("=1")
	f.Add("a;=1")
	f.Fuzz(func(t *testing.T, s string) {
		out := SpreadsheetCell(s)
		for part := range strings.FieldsFuncSeq(out, func(r rune) bool { return strings.ContainsRune(";\t\r\n", r) }) {
			if part = strings.TrimSpace(part); strings.IndexAny(part, "=+-@＝＋－＠") == 0 && !isNumber(s) {
				t.Errorf("%q becomes %q", s, out)
			}
		}
		plain := func(s string) string { return strings.ReplaceAll(strings.ToValidUTF8(s, "?"), "'", "") }
		if utf8.ValidString(s) && plain(out) != plain(s) {
			t.Errorf("%q becomes %q", s, out)
		}
	})
}
