package storetest

import (
	"errors"
	"sync"
	"testing"

	"carillon/tenants/store"
	"carillon/tenants/store/postgrestest"
)

// Server is a PostgreSQL of this test's own.
type Server struct {
	*postgrestest.Server

	mu    sync.Mutex // guards model
	model string     // name of the database that Migrated copies
}

// Postgres gives the URL of an empty database on a server of the test's own. It skips the test,
// saying why, where PostgreSQL is not installed.
func Postgres(t testing.TB) string {
	t.Helper()
	return StartPostgres(t).Database(t)
}

// StartPostgres starts a server, for a test that wants many databases; it ends with the test.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	s, err := postgrestest.New(postgrestest.Config{})
	if errors.Is(err, postgrestest.ErrMissing) {
		t.Skip(err)
	}
	if err != nil {
		t.Fatal(err)
	}
	return owned(t, s)
}

// owned has a server end with the test.
func owned(t testing.TB, s *postgrestest.Server) *Server {
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return &Server{Server: s}
}

// Database makes a new, empty database and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.Server.URL(s.create(t, "template1"))
}

// Migrated makes a new database with the schema in it, as a copy: the schema is made once.
func (s *Server) Migrated(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == "" {
		model := s.create(t, "template1")
		if _, err := store.Migrate(t.Context(), store.Config{URL: s.Server.URL(model)}); err != nil {
			t.Fatal(err)
		}
		s.model = model
	}
	return s.Server.URL(s.create(t, s.model))
}

func (s *Server) create(t testing.TB, template string) string {
	t.Helper()
	name, err := s.Server.Database(t.Context(), template)
	if err != nil {
		t.Fatal(err)
	}
	return name
}

// Super runs statements as the server's superuser, in a database of the server.
func (s *Server) Super(t testing.TB, database string, statements ...string) {
	t.Helper()
	if err := s.Do(t.Context(), database, statements...); err != nil {
		t.Fatal(err)
	}
}

// URL is the address of a database of the server for a role.
func (s *Server) URL(role, database string) string { return s.RoleURL(role, database) }

// Both is the address of a database on this server and on its standby: connections go to the one
// that takes changes.
func (s *Server) Both(standby *Server, database string) string {
	return s.Server.Both(standby.Server, database)
}

// Standby starts a server that follows this one. From now on a commit waits until the standby has
// it too. It ends with the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := s.Server.Standby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return owned(t, standby)
}

// LateStandby starts a server that follows this one a moment later. It ends with the test.
func (s *Server) LateStandby(t testing.TB) *Server {
	t.Helper()
	standby, err := s.Server.LateStandby(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return owned(t, standby)
}

// Promote makes a standby a server that takes changes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Super(t, "postgres", "SELECT pg_promote()")
}
