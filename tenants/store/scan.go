package store

import (
	"context"
	"database/sql"
	"errors"
)

// querier is what reads: the pool, or the transaction.
type querier interface {
	query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

// one reads the one number of a statement written by hand.
func one(rows *sql.Rows, err error) (int64, error) {
	found, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	if err != nil || len(found) == 0 {
		return 0, translate(err)
	}
	return found[0], nil
}

// collect reads all rows of a statement written by hand; fields gives the places of a row's columns
// in order.
func collect[R any](rows *sql.Rows, err error, fields func(*R) []any) (out []R, _ error) {
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var r R
		if err := rows.Scan(fields(&r)...); err != nil {
			return nil, err
		}
		out = append(out, r)
	}
	return out, errors.Join(rows.Err(), rows.Close())
}
