package api

import "bytes"

// ReadPlain reads the body of POST /v1/rings as nearly every program writes it: known fields, each
// once, of printable ASCII without escapes. It is false for any other, and q is then as it was:
// web.JSON reads or refuses that body. It is on the hot path, like appendRing.
func (q *ringRequest) ReadPlain(body []byte) bool {
	p := plainJSON{rest: body}
	var got ringRequest
	caller := false
	ok := p.object(func(name []byte) bool {
		switch string(name) {
		case "to":
			return got.To == (ringRequest{}.To) && p.object(func(name []byte) bool {
				switch string(name) {
				case "device":
					return p.text(&got.To.Device)
				case "person":
					return p.text(&got.To.Person)
				case "group":
					return p.text(&got.To.Group)
				}
				return false
			})
		case "agent":
			return p.text(&got.Agent)
		case "caller":
			word, ok := p.word()
			got.Caller, ok, caller = string(word), ok && !caller, true
			return ok
		case "ttl_s":
			return p.number(&got.TTL)
		case "reference":
			return p.text(&got.Reference)
		}
		return false
	})
	if ok = ok && p.end(); ok {
		*q = got
	}
	return ok
}

// plainJSON reads JSON of the plainest form; rest is what is still to be read.
type plainJSON struct{ rest []byte }

func (p *plainJSON) space() { p.rest = bytes.TrimLeft(p.rest, " \t\r\n") }

// next reads one character behind white space, if it is c.
func (p *plainJSON) next(c byte) bool {
	p.space()
	if len(p.rest) == 0 || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// object reads an object with at least one field; field reads the value of the field with a name.
func (p *plainJSON) object(field func(name []byte) bool) bool {
	if !p.next('{') {
		return false
	}
	for {
		name, ok := p.word()
		if !ok || !p.next(':') || !field(name) {
			return false
		}
		if !p.next(',') {
			return p.next('}')
		}
	}
}

// word reads a string of printable ASCII without escapes.
func (p *plainJSON) word() ([]byte, bool) {
	if !p.next('"') {
		return nil, false
	}
	for i, c := range p.rest {
		switch {
		case c == '"':
			word := p.rest[:i]
			p.rest = p.rest[i+1:]
			return word, true
		case c < ' ' || c > '~' || c == '\\':
			return nil, false
		}
	}
	return nil, false
}

// text reads a string that was not given before.
func (p *plainJSON) text(to **string) bool {
	word, ok := p.word()
	if !ok || *to != nil {
		return false
	}
	s := string(word) // the body's buffer is used again
	*to = &s
	return true
}

// number reads a whole number of at most six digits that was not given before.
func (p *plainJSON) number(to **int64) bool {
	p.space()
	n, digits := int64(0), 0
	for digits < len(p.rest) && p.rest[digits] >= '0' && p.rest[digits] <= '9' {
		n = 10*n + int64(p.rest[digits]-'0')
		if digits++; digits > 6 {
			return false
		}
	}
	if digits == 0 || digits > 1 && p.rest[0] == '0' || *to != nil {
		return false
	}
	p.rest = p.rest[digits:]
	*to = &n
	return true
}

// end reports that nothing but white space is left.
func (p *plainJSON) end() bool {
	p.space()
	return len(p.rest) == 0
}
