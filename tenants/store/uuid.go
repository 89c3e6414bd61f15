package store

import (
	"database/sql/driver"
	"errors"
	"fmt"
)

// uuid is an id as a row holds it: its text in Go, 16 bytes in the database (BLOB on SQLite, uuid
// on PostgreSQL). Every id that goes into a statement or comes out of a row passes through it, and
// nothing else converts ids.
//
// An optional id that is not there is the empty text in Go, an empty BLOB on SQLite and the nil
// UUID (RFC 9562, 5.9) on PostgreSQL, never NULL: so it may be part of a key and compares by =.
type uuid string

// errNotUUID is the error of an id that is no UUID, as text from outside that nobody checked. No
// row has it: translate answers as it answers for an unknown row.
var errNotUUID = errors.New("store: an id that is not a UUID")

// Value is the id's 16 bytes, none for the empty id.
func (u uuid) Value() (driver.Value, error) {
	if u == "" {
		return []byte{}, nil
	}
	b, ok := u.bytes()
	if !ok {
		return nil, errNotUUID
	}
	return b[:], nil
}

// bytes decodes the text; ok is false when it is no UUID.
func (u uuid) bytes() (b [16]byte, ok bool) {
	if len(u) != 36 || u[8] != '-' || u[13] != '-' || u[18] != '-' || u[23] != '-' {
		return b, false
	}
	at := 0
	for i := range b {
		if at == 8 || at == 13 || at == 18 || at == 23 {
			at++
		}
		high, low := unhex[u[at]], unhex[u[at+1]]
		if high|low > 0xf {
			return b, false
		}
		b[i] = high<<4 | low
		at += 2
	}
	return b, true
}

const digits = "0123456789abcdef"

// unhex is the value of each hexadecimal digit in either case, 0xff for other bytes.
var unhex = func() (table [256]byte) {
	for i := range table {
		table[i] = 0xff
	}
	for i, c := range []byte(digits) {
		table[c] = byte(i)
		if c >= 'a' {
			table[c-'a'+'A'] = byte(i)
		}
	}
	return table
}()

// Scan reads the id: bytes from SQLite, an array or text from PostgreSQL. NULL, which an outer join
// gives, is the empty id. Anything else is a fault of the database and so an Internal error.
func (u *uuid) Scan(src any) error {
	switch v := src.(type) {
	case nil:
		*u = ""
		return nil
	case []byte:
		if len(v) == 16 {
			*u = textOf([16]byte(v))
			return nil
		}
		if len(v) == 0 {
			*u = ""
			return nil
		}
	case [16]byte:
		*u = textOf(v)
		return nil
	case string:
		if _, ok := uuid(v).bytes(); ok {
			if *u = uuid(v); v == nilUUID {
				*u = ""
			}
			return nil
		}
	}
	return fmt.Errorf("a stored id is not a UUID: %T", src)
}

// The nil and the max UUID (RFC 9562, 5.9 and 5.10).
const (
	nilUUID = "00000000-0000-0000-0000-000000000000"
	maxUUID = "ffffffff-ffff-ffff-ffff-ffffffffffff"
)

// textOf is the id as the rest of Carillon knows it; the nil UUID is the empty id.
func textOf(b [16]byte) uuid {
	if b == ([16]byte{}) {
		return ""
	}
	var s [36]byte
	at := 0
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			s[at] = '-'
			at++
		}
		s[at], s[at+1] = digits[c>>4], digits[c&0xf]
		at += 2
	}
	return uuid(s[:])
}

// uuids are ids as arguments of a list.
func uuids[T ~string](ids []T) []uuid {
	out := make([]uuid, len(ids))
	for i, id := range ids {
		out[i] = known(id)
	}
	return out
}

// beginning is the range of the ids whose text begins with text, in lower case; ok is false when no
// id does.
func beginning(text string) (low, high uuid, ok bool) {
	if len(text) > 36 {
		return "", "", false
	}
	low, high = uuid(text+nilUUID[len(text):]), uuid(text+maxUUID[len(text):])
	_, ok = low.bytes()
	return low, high, ok
}
