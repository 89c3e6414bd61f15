package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"time"
)

// Both is the address of a database on this server and on its standby: connections go to the one
// that takes changes.
func (s *Server) Both(standby *Server, database string) string {
	u, err := url.Parse(database)
	if err != nil {
		return database
	}
	u.RawQuery = url.Values{"host": {s.dir + "," + standby.dir}, "port": {"5432,5432"}, "target_session_attrs": {"read-write"}}.Encode()
	return u.String()
}

// Standby starts a server that follows this one. From now on a commit waits until the standby has
// it too. A standby that has not followed after two minutes is an error: beside many other tests
// its first connection may take long.
func (s *Server) Standby(ctx context.Context) (*Server, error) {
	standby, err := s.follow()
	if err != nil {
		return nil, err
	}
	err = s.Do(ctx, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()")
	if err == nil {
		err = s.until(ctx, "SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync')")
	}
	if err != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, nil
}

// LateStandby starts a server that follows this one, which does not wait for it: what this one
// wrote last, the standby may lack.
func (s *Server) LateStandby(ctx context.Context) (*Server, error) {
	standby, err := s.follow()
	if err == nil {
		err = s.Followed(ctx)
	}
	if err != nil && standby != nil {
		return nil, errors.Join(err, standby.Close())
	}
	return standby, err
}

// Followed waits until a standby has what this server has written so far.
func (s *Server) Followed(ctx context.Context) error {
	db, err := sql.Open("pgx", s.RoleURL(Super, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	var here string
	if err := db.QueryRowContext(ctx, "SELECT pg_current_wal_flush_lsn()::text").Scan(&here); err != nil {
		return err
	}
	return s.until(ctx, "SELECT EXISTS (SELECT 1 FROM pg_stat_replication WHERE replay_lsn >= '"+here+"'::pg_lsn)")
}

// until asks until the answer is yes, for two minutes. Each time it asks in a statement of its own:
// a connection takes a changed setting between two statements only, and what a standby is to it
// depends on one.
func (s *Server) until(ctx context.Context, query string) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", s.RoleURL(Super, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		var yes bool
		if err := db.QueryRowContext(ctx, query).Scan(&yes); err != nil || yes {
			return err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("no standby follows: %w", ctx.Err())
		}
	}
}

// follow starts a server on a copy of this one.
func (s *Server) follow() (standby *Server, err error) {
	standby = &Server{config: s.config, bin: s.bin}
	defer func() {
		if err != nil {
			err = errors.Join(err, standby.Close())
		}
	}()
	who, err := standby.folder()
	if err != nil {
		return nil, err
	}
	copied := exec.Command(s.program("pg_basebackup"), "-h", s.dir, "-p", "5432", "-U", Super, "-D", standby.data(), "-R",
		"-X", "stream", "--checkpoint=fast", "--no-sync")
	copied.Dir, copied.SysProcAttr = standby.dir, who
	if out, err := copied.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return standby, standby.Start()
}
