package push

import (
	"bytes"
	"slices"
)

// berDepth bounds how deep values nest. A .p12 needs about ten levels.
const berDepth = 32

// toDER rewrites a value of BER (X.690, 8) that a .p12 may use as DER: an end mark in place of a
// length, and strings of octets in parts. DER comes out as it was. It also rewrites what is wrapped
// in strings of octets, and not what is encrypted. What follows the value is dropped.
func toDER(ber []byte) (der []byte, ok bool) {
	der, _, ok = oneDER(ber, berDepth)
	return der, ok
}

const (
	tagOctets   = 0x04
	tagOID      = 0x06
	tagSequence = 0x30
	constructed = 0x20
)

// oneDER rewrites the first value of in.
func oneDER(in []byte, depth int) (der, rest []byte, ok bool) {
	tag, size, rest, ok := berHead(in)
	if !ok || depth == 0 {
		return nil, nil, false
	}
	if tag[0]&constructed == 0 {
		if size < 0 || size > len(rest) {
			return nil, nil, false
		}
		return derValue(tag, unwrapped(tag[0], rest[:size], depth)), rest[size:], true
	}
	inside, after := rest, []byte(nil)
	if size >= 0 {
		if size > len(rest) {
			return nil, nil, false
		}
		inside, after = rest[:size], rest[size:]
	}
	var parts [][]byte
	for {
		if size >= 0 && len(inside) == 0 {
			break
		}
		if size < 0 && bytes.HasPrefix(inside, []byte{0, 0}) {
			after = inside[2:]
			break
		}
		var part []byte
		if part, inside, ok = oneDER(inside, depth-1); !ok {
			return nil, nil, false
		}
		parts = append(parts, part)
	}
	switch {
	case tag[0] == tagOctets|constructed:
		whole, ok := joinOctets(parts)
		return derValue([]byte{tagOctets}, unwrapped(tagOctets, whole, depth)), after, ok
	case tag[0] == tagSequence && len(parts) == 3 && parts[0][0] == tagOID && parts[1][0] == tagSequence && parts[2][0] == 0xa0:
		// EncryptedContentInfo (RFC 5652, 6.1): its content is octets under another tag.
		_, _, segments, _ := berHead(parts[2])
		if whole, ok := joinOctets(split(segments)); ok {
			parts[2] = derValue([]byte{0x80}, whole)
		}
	}
	return derValue(tag, bytes.Join(parts, nil)), after, true
}

// berHead reads a tag and a length; size is negative if an end mark tells it.
func berHead(in []byte) (tag []byte, size int, rest []byte, ok bool) {
	n := 1
	if len(in) > 0 && in[0]&0x1f == 0x1f { // a tag of several bytes
		for n < len(in) && in[n]&0x80 != 0 {
			n++
		}
		n++
	}
	if len(in) <= n {
		return nil, 0, nil, false
	}
	tag, size, rest = in[:n], int(in[n]), in[n+1:]
	switch count := size - 0x80; {
	case count == 0:
		size = -1
	case count > 3 || count > len(rest):
		return nil, 0, nil, false
	case count > 0:
		size = 0
		for _, b := range rest[:count] {
			size = size<<8 | int(b)
		}
		rest = rest[count:]
	}
	return tag, size, rest, true
}

func derValue(tag, content []byte) []byte {
	out := slices.Clone(tag)
	switch n := len(content); {
	case n < 0x80:
		out = append(out, byte(n))
	case n < 1<<8:
		out = append(out, 0x81, byte(n))
	case n < 1<<16:
		out = append(out, 0x82, byte(n>>8), byte(n))
	default:
		out = append(out, 0x83, byte(n>>16), byte(n>>8), byte(n))
	}
	return append(out, content...)
}

// unwrapped rewrites the octets of a string that wraps one value and nothing after it.
func unwrapped(tag byte, octets []byte, depth int) []byte {
	if tag == tagOctets && len(octets) > 0 && octets[0] == tagSequence {
		if der, rest, ok := oneDER(octets, depth-1); ok && len(rest) == 0 {
			return der
		}
	}
	return octets
}

// split cuts DER into its values; what cannot be read is nil.
func split(der []byte) (values [][]byte) {
	for len(der) > 0 {
		_, size, rest, ok := berHead(der)
		if !ok || size < 0 || size > len(rest) {
			return nil
		}
		values, der = append(values, der[:len(der)-len(rest)+size]), rest[size:]
	}
	return values
}

// joinOctets puts the parts of a string of octets together.
func joinOctets(parts [][]byte) (whole []byte, ok bool) {
	for _, p := range parts {
		if p[0] != tagOctets {
			return nil, false
		}
		_, _, octets, _ := berHead(p)
		whole = append(whole, octets...)
	}
	return whole, len(parts) > 0
}
