package store

import (
	"encoding/base64"
	"strconv"
	"strings"

	"carillon/tenants"
)

// Page asks for one page of a simple list.
type Page struct {
	Search string
	After  string // the next of the page before; empty = from the start
	Limit  int    // 0 = 50, at most 200
}

const (
	defaultLimit = 50
	maxLimit     = 200
)

func limit(n int) int {
	if n <= 0 {
		return defaultLimit
	}
	return min(n, maxLimit)
}

// cursor is the key of a page's last row. It travels as opaque base64url.
type cursor struct {
	at int64
	id string
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.at, 10) + " " + c.id))
}

func parseCursor(s string) (cursor, error) {
	bad := tenants.Refuse(tenants.Invalid, "invalid_cursor", "The cursor in after is not one that a list gave. Leave it out to start from the beginning.")
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) > 100 {
		return cursor{}, bad
	}
	at, id, ok := strings.Cut(string(raw), " ")
	n, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return cursor{}, bad
	}
	if _, ok := tenants.ParseID[tenants.RingID](id); !ok && id != "" {
		return cursor{}, bad
	}
	return cursor{at: n, id: id}, nil
}

// like makes a LIKE pattern out of what a person typed: the pattern's own signs mean themselves.
func like(before, s, after string) string {
	return before + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(s)) + after
}
