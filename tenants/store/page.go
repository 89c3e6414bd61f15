package store

import (
	"context"
	"encoding/base64"
	"strconv"
	"strings"

	"gorm.io/gorm"

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
	id uuid
}

func (c cursor) String() string {
	return base64.RawURLEncoding.EncodeToString([]byte(strconv.FormatInt(c.at, 10) + " " + string(c.id)))
}

// badCursor refuses what no list gave.
func badCursor() error {
	return tenants.Refuse(tenants.Invalid, "invalid_cursor", "The cursor in after is not one that a list gave. Leave it out to start from "+
		"the beginning.")
}

func parseCursor(s string) (cursor, error) {
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || len(raw) > 100 {
		return cursor{}, badCursor()
	}
	at, id, ok := strings.Cut(string(raw), " ")
	n, err := strconv.ParseInt(at, 10, 64)
	if !ok || err != nil {
		return cursor{}, badCursor()
	}
	if _, ok := tenants.ParseID[tenants.RingID](id); !ok && id != "" {
		return cursor{}, badCursor()
	}
	return cursor{at: n, id: uuid(id)}, nil
}

// like makes a LIKE pattern out of what a person typed: the pattern's own signs mean themselves.
func like(before, s, after string) string {
	return before + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(s)) + after
}

// in narrows a table to the tenant.
func (s *scope) in(db *gorm.DB, table string) *gorm.DB {
	return db.Table(table).Where(table+".tenant_id = ?", uuid(s.id))
}

// read is the tenant's part of a table, outside of any transaction.
func (s *scope) read(ctx context.Context, table string) *gorm.DB {
	return s.in(s.reads().gorm(ctx), table)
}

// page reads one page of rows, newest first by (created_at, id).
func page[T any](db *gorm.DB, after string, n int, key func(T) cursor) ([]T, string, error) {
	if after != "" {
		c, err := parseCursor(after)
		if err != nil {
			return nil, "", err
		}
		db = db.Where("(created_at, id) < (?, ?)", c.at, c.id)
	}
	return pageOf(db.Order("created_at DESC, id DESC"), n, key)
}

// pageByID reads one page of rings, newest first: an id of a ring is as old as its ring.
func pageByID[T any](db *gorm.DB, after string, n int, key func(T) cursor) ([]T, string, error) {
	if after != "" {
		c, err := parseCursor(after)
		if err != nil {
			return nil, "", err
		}
		db = db.Where("id < ?", c.id)
	}
	return pageOf(db.Order("id DESC"), n, key)
}

func pageOf[T any](db *gorm.DB, n int, key func(T) cursor) ([]T, string, error) {
	var rows []T
	n = limit(n)
	if err := db.Limit(n + 1).Find(&rows).Error; err != nil {
		return nil, "", translate(err)
	}
	rows, next := cut(rows, n, key)
	return rows, next, nil
}

// cut takes off the row that was read only to know whether there is a next page.
func cut[T any](rows []T, n int, key func(T) cursor) ([]T, string) {
	if len(rows) <= n {
		return rows, ""
	}
	return rows[:n], key(rows[n-1]).String()
}

// nouns turns rows into what callers know.
func nouns[R, N any](rows []R, noun func(R) N) []N {
	out := make([]N, len(rows))
	for i := range rows {
		out[i] = noun(rows[i])
	}
	return out
}
