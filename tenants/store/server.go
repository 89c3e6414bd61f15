package store

import (
	"context"
	"time"
)

// Server says what the database is.
type Server struct {
	Version string        // such as SQLite 3.46.0 or PostgreSQL 17.2
	Ahead   time.Duration // its clock before ours; 0 where it is ours
	Size    int64         // bytes
}

// Server asks the database what it is.
func (s *Store) Server(ctx context.Context) (v Server, err error) {
	type row struct {
		version string
		at      int64
	}
	before := s.now()
	rows, err := s.db.through(noTenant).query(ctx, s.db.dialect.version())
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.version, &r.at} })
	if err != nil || len(found) == 0 {
		return v, translate(err)
	}
	v.Version = found[0].version
	if found[0].at != 0 {
		middle := before.Add(s.now().Sub(before) / 2)
		v.Ahead = moment(found[0].at).Sub(middle)
	}
	v.Size, err = one(s.db.through(noTenant).query(ctx, s.db.dialect.size()))
	return v, err
}
