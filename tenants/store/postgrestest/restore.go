package postgrestest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Restored makes a new database from a dump of another one and gives its name: with the commands of
// the page "Keys, backups and moves", as the superuser.
func (s *Server) Restored(ctx context.Context, from string) (name string, err error) {
	return s.RestoredOn(ctx, s, from)
}

// RestoredOn makes the new database on another server.
func (s *Server) RestoredOn(ctx context.Context, on *Server, from string) (name string, err error) {
	if name, err = on.Database(ctx, "template0"); err != nil {
		return "", err
	}
	dump := filepath.Join(s.dir, "to-"+name+".dump")
	defer func() {
		if e := os.Remove(dump); e != nil && !errors.Is(e, os.ErrNotExist) {
			err = errors.Join(err, e)
		}
	}()
	for _, c := range [][]string{
		{"pg_dump", "--format=custom", "--file=" + dump, s.RoleURL(Super, from)},
		{"pg_restore", "--no-owner", "--role=" + login, "--exit-on-error", "--single-transaction", "--dbname=" + on.RoleURL(Super, name),
			dump},
	} {
		if out, err := exec.CommandContext(ctx, s.program(c[0]), c[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%s: %w\n%s", c[0], err, out)
		}
	}
	return name, nil
}

// program is the path of one of PostgreSQL's programs.
func (s *Server) program(name string) string {
	bin := s.bin
	if server, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres")); err == nil { // not all are linked beside it
		bin = filepath.Dir(server)
	}
	return filepath.Join(bin, name)
}
