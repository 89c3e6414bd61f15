package push

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"html"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf16"
)

// A key is copied through mail programs, editors and environment variables before it is uploaded.
// This file finds the DER bytes in whatever those left.

// pemBlock is one PEM block (RFC 7468) of a text.
type pemBlock struct {
	label     string // without spaces: PRIVATEKEY
	der       []byte
	unended   bool // the END line is missing
	encrypted bool // in the form before PKCS#8, with a Proc-Type header
}

const dashes = `[-‐‑‒–—―−﹣－]+`

var (
	pemMarker = regexp.MustCompile(dashes + `[\s_+]*(BEGIN|END)[\s_+]*([A-Z0-9_+\s]{0,60}?)` + dashes)
	pemHeader = regexp.MustCompile(`(?m)^[ \t>]*[A-Za-z][A-Za-z0-9-]*: .*$`)
	notLetter = regexp.MustCompile(`[^A-Z0-9]`)
	escaped   = regexp.MustCompile(`\\+u[0-9a-fA-F]{4}`)
	lineBreak = regexp.MustCompile(`\\+[nrt]`)
	joined    = regexp.MustCompile("[\"'`]\\s*\\+\\s*[\"'`]") // a literal that source code joins from lines
	tag       = regexp.MustCompile(`<[^<>\n]{1,200}>`)
	rtfWord   = regexp.MustCompile(`\\[a-z]+-?[0-9]* ?`)
	percent   = regexp.MustCompile(`%(0[AaDd]|2[0BbFf]|3[Dd])`)
	softBreak = regexp.MustCompile(`=\r?\n|=3D`) // of quoted-printable (RFC 2045)
)

// readText decodes a text file and removes what carries a key but is not part of it: byte order
// marks, escapes of JSON, URLs, HTML and RTF, and the spaces that only look like spaces.
func readText(file []byte) string {
	text := decodeUTF16(file)
	if strings.HasPrefix(text, `{\rtf`) {
		text = rtfWord.ReplaceAllString(text, "")
	}
	text = escaped.ReplaceAllStringFunc(text, func(s string) string {
		n, _ := strconv.ParseUint(s[len(s)-4:], 16, 16) // the pattern allows only hex
		return string(rune(n))
	})
	text = joined.ReplaceAllString(lineBreak.ReplaceAllString(text, "\n"), "")
	if strings.ContainsRune(text, '<') || strings.ContainsRune(text, '&') {
		text = html.UnescapeString(tag.ReplaceAllString(text, "\n"))
	}
	if percent.MatchString(text) {
		if strings.Contains(text, "BEGIN+") {
			text = strings.ReplaceAll(text, "+", " ")
		}
		text = percent.ReplaceAllStringFunc(text, func(s string) string {
			plain, _ := url.PathUnescape(s) // the pattern allows only valid escapes
			return plain
		})
	}
	return strings.NewReplacer("\u00a0", " ", "\u200b", "", "\u200c", "", "\u200d", "", "\u2060", "", "\ufeff", "", "\u00ad", "",
		"\u2028", "\n", "\u2029", "\n").Replace(text)
}

// decodeUTF16 converts UTF-16 to UTF-8. Without a byte order mark it knows UTF-16 by its zero
// bytes: the text of a key is ASCII.
func decodeUTF16(file []byte) string {
	var order binary.ByteOrder
	switch {
	case bytes.HasPrefix(file, []byte{0xff, 0xfe}), mostlyZero(file, 1):
		order = binary.LittleEndian
	case bytes.HasPrefix(file, []byte{0xfe, 0xff}), mostlyZero(file, 0):
		order = binary.BigEndian
	default:
		return string(file)
	}
	units := make([]uint16, len(file)/2)
	for i := range units {
		units[i] = order.Uint16(file[2*i:])
	}
	return string(utf16.Decode(units))
}

// mostlyZero says whether nearly every second byte from the given one is zero, and few others are.
func mostlyZero(file []byte, from int) bool {
	zero := [2]int{}
	for i, b := range file {
		if b == 0 {
			zero[i%2]++
		}
	}
	half := len(file) / 2
	return half > 8 && zero[from] > half*9/10 && zero[1-from] < half/10
}

// findPEM returns the PEM blocks of a text. It reads them in one line or many, indented or quoted,
// with any dashes, and without an END line.
func findPEM(text string) []pemBlock {
	var blocks []pemBlock
	all := pemMarker.FindAllStringSubmatchIndex(text, -1)
	for i, m := range all {
		if text[m[2]:m[3]] != "BEGIN" {
			continue
		}
		end := len(text)
		if i+1 < len(all) {
			end = all[i+1][0]
		}
		body := text[m[1]:end]
		blocks = append(blocks, pemBlock{
			label: notLetter.ReplaceAllString(text[m[4]:m[5]], ""), der: decodeBase64(pemHeader.ReplaceAllString(body, "")),
			unended:   i+1 == len(all) || text[all[i+1][2]:all[i+1][3]] != "END",
			encrypted: strings.Contains(body, "Proc-Type:") && strings.Contains(body, "ENCRYPTED"),
		})
	}
	return blocks
}

// decodeBase64 decodes what is base64 in a text, in the standard or the URL alphabet (RFC 4648),
// and ignores every other character.
func decodeBase64(text string) []byte {
	text = softBreak.ReplaceAllString(text, "\n")
	other := !strings.ContainsAny(text, "+/") // then - and _ can only be of the URL alphabet
	clean := make([]byte, 0, len(text))
	for _, c := range []byte(text) {
		switch {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			clean = append(clean, c)
		case c == '-' && other:
			clean = append(clean, '+')
		case c == '_' && other:
			clean = append(clean, '/')
		}
	}
	if len(clean)%4 == 1 { // no base64 has this length; the last character is of something else
		clean = clean[:len(clean)-1]
	}
	der := make([]byte, base64.RawStdEncoding.DecodedLen(len(clean)))
	n, _ := base64.RawStdEncoding.Decode(der, clean) // clean holds the alphabet only
	return der[:n]
}

// Bounds of the search for base64 without PEM lines.
const (
	minBare = 60 // characters; the shortest key has more
	maxBare = 16 // places where it may begin
)

var (
	bareRun   = regexp.MustCompile(`[A-Za-z0-9+/_\-\s\\"'>]{60,}`)
	bareStart = regexp.MustCompile(`(?:^|[^A-Za-z0-9+/_-])(M[A-P]|LS0tLS1C|77u/LS0t|//4t|/v8A)`)
)

// findBareBase64 returns what base64 without PEM lines holds: DER, or a whole file. M is how DER
// begins, the others are how PEM does, also after a byte order mark.
func findBareBase64(text string) [][]byte {
	var found [][]byte
	text = softBreak.ReplaceAllString(pemMarker.ReplaceAllString(text, " : "), "\n")
	for _, run := range bareRun.FindAllString(text, -1) {
		for _, at := range bareStart.FindAllStringSubmatchIndex(run, maxBare) {
			if len(found) == maxBare {
				return found
			}
			if len(run)-at[2] >= minBare {
				found = append(found, decodeBase64(run[at[2]:]))
			}
		}
	}
	return found
}

// wholeDER cuts what follows the first DER value (X.690, 8.1). Cut says that the value's own end is
// missing.
func wholeDER(der []byte) (value []byte, cut bool) {
	if len(der) < 2 {
		return der, true
	}
	if der[1] == 0x80 { // BER: the value tells its end, not its length
		return der, false
	}
	size, head := int(der[1]), 2
	if size > 0x80 {
		n := size - 0x80
		if n > 3 || len(der) < 2+n {
			return der, n <= 3
		}
		size, head = 0, 2+n
		for _, b := range der[2:head] {
			size = size<<8 | int(b)
		}
	}
	if head+size > len(der) {
		return der, true
	}
	return der[:head+size], false
}
