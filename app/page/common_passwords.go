package page

import (
	"bytes"
	"compress/gzip"
	_ "embed" // the list of common passwords
	"io"
	"slices"
	"strings"
	"sync"
	"unicode"
)

// The most used passwords, from @zxcvbn-ts/language-common 4.1.3 (MIT, see passwords/LICENSE), in
// lower case and sorted.
//
//go:embed passwords/common.txt.gz
var commonFile []byte

// commonPasswords unpacks the list when it is first needed: a server where nobody sets a password
// does not hold it in memory.
var commonPasswords = sync.OnceValue(func() []string {
	r, err := gzip.NewReader(bytes.NewReader(commonFile))
	if err != nil {
		panic("page: the list of common passwords is damaged: " + err.Error())
	}
	text, err := io.ReadAll(r)
	if err != nil {
		panic("page: the list of common passwords is damaged: " + err.Error())
	}
	return strings.Fields(string(text))
})

// isCommon reports whether a password is one of the most used ones, as it is or with digits and
// signs before or after it.
func isCommon(password string) bool {
	low := strings.ToLower(password)
	bare := strings.TrimFunc(low, func(r rune) bool { return !unicode.IsLetter(r) })
	for _, p := range []string{strings.TrimSpace(low), bare, disguises.Replace(bare)} {
		if _, listed := slices.BinarySearch(commonPasswords(), p); listed {
			return true
		}
	}
	return false
}
