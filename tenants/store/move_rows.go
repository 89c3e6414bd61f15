package store

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"math"
	"unicode/utf8"
)

// movedRows are SQLite's rows as PostgreSQL's COPY reads them.
type movedRows struct {
	rows    *sql.Rows
	columns []movedColumn
	told    func(n int64)

	n      int64
	sum    rowsSum
	values []any
	err    error
}

// Next reads a row.
func (r *movedRows) Next() bool {
	if r.err != nil || !r.rows.Next() {
		return false
	}
	r.values = make([]any, len(r.columns))
	into := make([]any, len(r.columns))
	for i := range into {
		into[i] = &r.values[i]
	}
	if r.err = r.rows.Scan(into...); r.err != nil {
		return false
	}
	for i, c := range r.columns {
		if r.values[i], r.err = c.convert(r.values[i]); r.err != nil {
			return false
		}
	}
	if r.err = r.sum.add(r.columns, r.values); r.err != nil {
		return false
	}
	if r.n++; r.n%moveEvery == 0 {
		r.told(r.n)
	}
	return true
}

// Values are those of the row.
func (r *movedRows) Values() ([]any, error) { return r.values, nil }

// Err is why there are no more rows.
func (r *movedRows) Err() error {
	if r.err != nil {
		return r.err
	}
	return r.rows.Err()
}

// convert gives a value of SQLite the type that PostgreSQL's column has. SQLite takes any value in
// any column, so what does not fit is named.
func (c movedColumn) convert(v any) (any, error) {
	bytes, isBytes := v.([]byte)
	text, isText := v.(string)
	number, isNumber := v.(int64)
	switch {
	case v == nil:
		return nil, nil
	case c.kind == "uuid" && isBytes && len(bytes) == 16:
		return [16]byte(bytes), nil
	case c.kind == "uuid" && (isBytes && len(bytes) == 0 || isText && text == ""):
		return [16]byte{}, nil // an id that is not set
	case c.kind == "bytea" && isBytes:
		return append([]byte{}, bytes...), nil // nil would be NULL
	case c.kind == "bytea" && isText:
		return []byte(text), nil
	case c.kind == "text" && isText:
		if !utf8.ValidString(text) {
			return nil, fmt.Errorf("column %s has a text that is not UTF-8", c.name)
		}
		return text, nil
	case c.kind == "bigint" && isNumber:
		return number, nil
	case c.kind == "boolean" && isNumber:
		return number != 0, nil
	case c.kind == "double precision" && isNumber:
		return float64(number), nil
	}
	switch v.(type) {
	case bool:
		if c.kind == "boolean" {
			return v, nil
		}
	case float64:
		if c.kind == "double precision" {
			return v, nil
		}
	}
	return nil, fmt.Errorf("column %s has a %T, and PostgreSQL wants %s", c.name, v, c.kind)
}

// rowsSum is a checksum over rows in any order: the sum of the SHA-256 of each.
type rowsSum [4]uint64

// String is the sum in hexadecimal digits.
func (s rowsSum) String() string {
	var b []byte
	for _, n := range s {
		b = binary.BigEndian.AppendUint64(b, n)
	}
	return hex.EncodeToString(b)
}

// add adds a row in its canonical form: each value with its length before it.
func (s *rowsSum) add(columns []movedColumn, values []any) error {
	var row []byte
	for i, c := range columns {
		var b []byte
		switch v := values[i].(type) {
		case nil:
			row = binary.BigEndian.AppendUint64(row, math.MaxUint64)
			continue
		case [16]byte:
			b = v[:]
		case []byte:
			b = v
		case string:
			b = []byte(v)
		case int64:
			b = binary.BigEndian.AppendUint64(nil, uint64(v))
		case float64:
			b = binary.BigEndian.AppendUint64(nil, math.Float64bits(v))
		case bool:
			b = []byte{0}
			if v {
				b[0] = 1
			}
		default:
			return fmt.Errorf("column %s has a %T", c.name, v)
		}
		row = append(binary.BigEndian.AppendUint64(row, uint64(len(b))), b...)
	}
	sum := sha256.Sum256(row)
	for i := range s {
		s[i] += binary.BigEndian.Uint64(sum[8*i:])
	}
	return nil
}
