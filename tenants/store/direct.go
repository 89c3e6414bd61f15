package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
)

// statements are SQLite's prepared statements that write, by their text. They are the driver's own:
// database/sql would lock, look at the context and convert each argument by reflection, which costs
// a tenth of a small INSERT.
type statements map[string]driver.StmtExecContext

// direct runs a writing statement at the driver, prepared on the writer's connection.
func (t *tx) direct(query string, args []any) (r sql.Result, err error) {
	values, err := t.plain(args)
	if err != nil {
		return nil, err
	}
	err = t.conn.Raw(func(conn any) (err error) {
		s := t.writes[query]
		if s == nil {
			if s, err = t.writes.prepare(conn, query); err != nil {
				return err
			}
		}
		r, err = s.ExecContext(context.Background(), values)
		return err
	})
	clear(values)
	return r, err
}

func (s statements) prepare(conn any, query string) (driver.StmtExecContext, error) {
	if len(s) >= kept {
		_ = s.close() // they are prepared again when they are needed
	}
	made, err := conn.(driver.ConnPrepareContext).PrepareContext(context.Background(), query)
	if err != nil {
		return nil, err
	}
	s[query] = made.(driver.StmtExecContext)
	return s[query], nil
}

func (s statements) close() error {
	var errs []error
	for _, one := range s {
		errs = append(errs, one.(driver.Stmt).Close())
	}
	clear(s)
	return errors.Join(errs...)
}

// plain are arguments as the driver takes them. They are good until the next call: the driver
// copies what it binds.
func (t *tx) plain(args []any) ([]driver.NamedValue, error) {
	values, ids := t.values[:0], t.ids[:0]
	for i, a := range args {
		v := driver.NamedValue{Ordinal: i + 1, Value: a}
		switch a := a.(type) {
		case nil, int64, string, bool, float64, []byte:
		case int:
			v.Value = int64(a)
		case uuid:
			b, ok := a.bytes()
			if !ok && a != "" {
				return nil, errNotUUID
			}
			from := len(ids)
			if ok {
				ids = append(ids, b[:]...)
			}
			v.Value = ids[from:] // never nil, which would be NULL
		default:
			var err error
			if v.Value, err = driver.DefaultParameterConverter.ConvertValue(a); err != nil {
				return nil, err
			}
		}
		values = append(values, v)
	}
	t.values, t.ids = values, ids
	return values, nil
}
