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

// collect reads all rows of a statement written by hand; fields gives the places of a row's columns in order.
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
