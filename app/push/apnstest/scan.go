package apnstest

import (
	"bytes"
	"encoding/json"
	"errors"
)

var errNotFlat = errors.New("not a flat object of strings and numbers")

// cutPair cuts `"key":value` and a following comma off the front of a flat object's inside.
func cutPair(in []byte) (key, value string, rest []byte, err error) {
	in = bytes.TrimSpace(in)
	k, in, ok := cutString(in)
	if !ok {
		return "", "", nil, errNotFlat
	}
	in = bytes.TrimSpace(in)
	if len(in) == 0 || in[0] != ':' {
		return "", "", nil, errNotFlat
	}
	in = bytes.TrimSpace(in[1:])
	v, in, ok := cutString(in)
	if !ok {
		end := bytes.IndexByte(in, ',')
		if end < 0 {
			end = len(in)
		}
		v, in = bytes.TrimSpace(in[:end]), in[end:]
		if len(v) == 0 || bytes.ContainsAny(v, "{}[]\"") {
			return "", "", nil, errNotFlat
		}
	}
	in = bytes.TrimSpace(in)
	if len(in) > 0 {
		if in[0] != ',' || len(in) == 1 {
			return "", "", nil, errNotFlat
		}
		in = in[1:]
	}
	return string(k[1 : len(k)-1]), string(v), in, nil
}

// cutString cuts a quoted string, quotes included, off the front.
func cutString(in []byte) (s, rest []byte, ok bool) {
	if len(in) == 0 || in[0] != '"' {
		return nil, in, false
	}
	for i := 1; i < len(in); i++ {
		switch in[i] {
		case '\\':
			i++
		case '"':
			return in[:i+1], in[i+1:], true
		}
	}
	return nil, in, false
}

func unquote(value string) (string, error) {
	if len(value) >= 2 && value[0] == '"' && !bytes.ContainsRune([]byte(value), '\\') {
		return value[1 : len(value)-1], nil
	}
	var s string
	err := json.Unmarshal([]byte(value), &s)
	return s, err
}
