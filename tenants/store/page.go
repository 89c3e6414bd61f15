package store

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"

	"gorm.io/gorm"

	"carillon/tenants"
)

// Page asks for one page of a list. After and Upto are cursors that the list gave; at most one of
// them is set.
type Page struct {
	Search string
	Sort   Sort
	After  string // the rows behind this one
	Upto   string // the rows that end with this one: read backwards, given in the order of the list
	Limit  int    // 0 = 50, at most 200
}

// Sort is the order of a list: the name of a sort key, with "-" in front for the highest first.
// Empty is the list's own order, which is newest first.
type Sort string

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

// An order sorts rows by columns whose values together are unique to a row. mark is the place of a
// value in a statement: "LOWER(?)" for a column in lower case.
type order[R any] struct {
	columns, marks []string
	key            func(R) []any // the values: int64, string or uuid
}

// by is an order by columns that are compared as they are.
func by[R any](columns string, key func(R) []any) order[R] {
	all := names(columns)
	return order[R]{all, slices.Repeat([]string{"?"}, len(all)), key}
}

// byText is an order by a text in lower case, then by an id.
func byText[R any](column, id string, key func(R) []any) order[R] {
	return order[R]{[]string{column, id}, []string{"LOWER(?)", "?"}, key}
}

// orders are what a list can be sorted by. The list's own order is "-" + first.
type orders[R any] struct {
	first Sort
	by    map[Sort]order[R]
}

// reading is one page being read: in which order, and from where.
type reading[R any] struct {
	order[R]
	sort Sort
	up   bool // the statement gives the lowest row first
	back bool // the rows come in the opposite order of the list
}

func (o orders[R]) reading(p Page) (reading[R], error) {
	sort := p.Sort
	if sort == "" {
		sort = "-" + o.first
	}
	key, down := strings.CutPrefix(string(sort), "-")
	found, ok := o.by[Sort(key)]
	if !ok {
		return reading[R]{}, tenants.Refuse(tenants.Invalid, "invalid", "This list cannot be sorted by %q.", key)
	}
	back := p.Upto != ""
	return reading[R]{found, sort, down == back, back}, nil
}

// list reads the page of rows that p asks for. The cursor that it gives leads on in the direction
// in which it read: to the rows behind the page, or with Upto to those in front of it; it is empty
// where there are none.
func list[R any](db *gorm.DB, p Page, o orders[R]) ([]R, string, error) {
	r, err := o.reading(p)
	if err != nil {
		return nil, "", err
	}
	rows, err := r.rows(db, p)
	if err != nil {
		return nil, "", err
	}
	rows, next := r.cut(rows, limit(p.Limit))
	return rows, next, nil
}

// rows reads the rows of a page and one more, in the order of the statement.
func (r reading[R]) rows(db *gorm.DB, p Page) (rows []R, err error) {
	if db, err = r.from(db, p); err != nil {
		return nil, err
	}
	err = db.Limit(limit(p.Limit) + 1).Find(&rows).Error
	return rows, translate(err)
}

// from narrows to the rows behind the cursor, and sorts them.
func (r reading[R]) from(db *gorm.DB, p Page) (*gorm.DB, error) {
	way := " DESC"
	if r.up {
		way = ""
	}
	db, err := r.behind(db, p, r.columns...)
	if err != nil {
		return nil, err
	}
	return db.Order(strings.Join(r.columns, way+", ") + way), nil
}

// behind narrows to the rows behind the cursor by columns that have its values.
func (r reading[R]) behind(db *gorm.DB, p Page, columns ...string) (*gorm.DB, error) {
	than := "<"
	if r.up {
		than = ">"
	}
	at := p.After
	if r.back {
		at, than = p.Upto, than+"="
	}
	if at == "" {
		return db, nil
	}
	values, err := r.parse(at)
	if err != nil {
		return nil, err
	}
	return db.Where("("+strings.Join(columns, ", ")+") "+than+" ("+strings.Join(r.marks, ", ")+")", values...), nil
}

// cut takes off the row that was read only to know whether there are more, and brings the others
// into the order of the list.
func (r reading[R]) cut(rows []R, n int) ([]R, string) {
	next := ""
	if len(rows) > n {
		last := n - 1
		if r.back {
			last = n // a page up to a cursor holds its row
		}
		next, rows = r.cursor(r.key(rows[last])), rows[:n]
	}
	if r.back {
		slices.Reverse(rows)
	}
	return rows, next
}

// cursorMost bounds the bytes of a cursor before it is decoded.
const cursorMost = 1000

// cursor is the key of a row under its order. It travels as opaque base64url.
func (r reading[R]) cursor(values []any) string {
	raw, _ := json.Marshal(append([]any{r.sort}, values...)) // numbers and texts
	return base64.RawURLEncoding.EncodeToString(raw)
}

// badCursor refuses what no list gave, and what a list in another order gave.
func badCursor() error {
	return tenants.Refuse(tenants.Invalid, "invalid_cursor", "This cursor is not one that the list gave. Leave it out to start from "+
		"the beginning.")
}

func (r reading[R]) parse(s string) ([]any, error) {
	if len(s) > cursorMost {
		return nil, badCursor()
	}
	raw, err := base64.RawURLEncoding.Strict().DecodeString(s)
	if err != nil || !tenants.ValidText(string(raw), 0, cursorMost) {
		return nil, badCursor()
	}
	var parts []json.RawMessage
	var sort Sort
	var zero R
	values := r.key(zero)
	if json.Unmarshal(raw, &parts) != nil || len(parts) != 1+len(values) || json.Unmarshal(parts[0], &sort) != nil || sort != r.sort {
		return nil, badCursor()
	}
	for i, v := range values {
		if values[i], err = parseValue(parts[1+i], v); err != nil {
			return nil, badCursor()
		}
	}
	return values, nil
}

// parseValue reads one value of a cursor as the type that like has.
func parseValue(raw json.RawMessage, like any) (any, error) {
	switch like.(type) {
	case int64:
		var n int64
		err := json.Unmarshal(raw, &n)
		return n, err
	case uuid:
		var s string
		err := json.Unmarshal(raw, &s)
		id, ok := tenants.ParseID[uuid](s)
		if err != nil || !ok && s != "" {
			return nil, badCursor()
		}
		return id, nil
	}
	var s string
	err := json.Unmarshal(raw, &s)
	return s, err
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

// Total is how many rows a list has, as far as they were counted.
type Total struct {
	N    int64
	More bool // there may be more than N
}

// totalMost is how many rows are counted: a larger number helps nobody and costs more than the
// page.
const totalMost = 10_000

// totalOf counts the rows of a list.
func totalOf(db *gorm.DB) (Total, error) {
	var n int64
	rows := db.Select("1").Limit(totalMost + 1)
	err := db.Session(&gorm.Session{NewDB: true}).Table("(?) AS few", rows).Count(&n).Error
	return Total{min(n, totalMost), n > totalMost}, translate(err)
}

// nouns turns rows into what callers know.
func nouns[R, N any](rows []R, noun func(R) N) []N {
	out := make([]N, len(rows))
	for i := range rows {
		out[i] = noun(rows[i])
	}
	return out
}
