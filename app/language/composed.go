package language

import "golang.org/x/text/unicode/norm"

// Composed is text in Unicode's form C: a letter and its accent are one character where Unicode has
// one. A Mac and a phone may send the same name in two forms; composed, they are equal.
func Composed(text string) string { return norm.NFC.String(text) }
