package storetest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers pgx

	"carillon/tenants/store"
)

// Server is a PostgreSQL of this test's own: the system's binaries in a temporary folder, reached
// by a Unix socket.
type Server struct {
	dir    string
	serial atomic.Int64
	cmd    *exec.Cmd
	ended  chan struct{} // closed once the process is gone

	mu    sync.Mutex // guards model
	model string     // name of the database that Migrated copies
}

// The roles. Tests log in as one that owns its database and is bound by its policies, as an
// operator should; only the server's own superuser makes databases.
const (
	super = "super"
	login = "carillon"
)

// Postgres gives the URL of an empty database on a server of the test's own. It skips the test,
// saying why, where PostgreSQL is not installed.
func Postgres(t testing.TB) string {
	t.Helper()
	return StartPostgres(t).Database(t)
}

// StartPostgres starts a server, for a test that wants many databases; it ends with the test.
func StartPostgres(t testing.TB) *Server {
	t.Helper()
	bin, ok := binaries()
	if !ok {
		t.Skip("PostgreSQL is not installed here (no initdb in PATH or /usr/lib/postgresql/*/bin); apt-get install postgresql runs this " +
			"test")
	}
	s := &Server{}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := s.start(bin); err != nil {
		t.Fatal(err)
	}
	return s
}

// Database makes a new, empty database and gives its URL.
func (s *Server) Database(t testing.TB) string {
	t.Helper()
	return s.url(s.create(t, "template1"))
}

// Migrated makes a new database with the schema in it, as a copy: the schema is made once.
func (s *Server) Migrated(t testing.TB) string {
	t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.model == "" {
		model := s.create(t, "template1")
		if _, err := store.Migrate(t.Context(), store.Config{URL: s.url(model)}); err != nil {
			t.Fatal(err)
		}
		s.model = model
	}
	return s.url(s.create(t, s.model))
}

func (s *Server) create(t testing.TB, template string) string {
	t.Helper()
	name := "test" + strconv.FormatInt(s.serial.Add(1), 10)
	s.Super(t, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template+" OWNER "+login)
	return name
}

// Super runs statements as the server's superuser, in a database of the server.
func (s *Server) Super(t testing.TB, database string, statements ...string) {
	t.Helper()
	db, err := sql.Open("pgx", s.URL(super, database))
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.ExecContext(t.Context(), q); err != nil {
			t.Fatal(err)
		}
	}
}

func binaries() (string, bool) {
	if p, err := exec.LookPath("initdb"); err == nil {
		if _, err := exec.LookPath(filepath.Join(filepath.Dir(p), "postgres")); err == nil {
			return filepath.Dir(p), true
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	slices.Sort(found)
	if len(found) == 0 {
		return "", false
	}
	return filepath.Dir(found[len(found)-1]), true
}

func (s *Server) url(name string) string { return s.URL(login, name) }

// URL is the address of a database of the server for a role. It names the folder of the socket in
// the query, because a folder cannot be a URL's host.
func (s *Server) URL(role, database string) string {
	return "postgres://" + role + "@/" + database + "?" + url.Values{"host": {s.dir}, "port": {"5432"}}.Encode()
}

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
// it too. It ends with the test.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby := &Server{}
	t.Cleanup(func() {
		if err := standby.stop(); err != nil {
			t.Error(err)
		}
	})
	if err := standby.follow(s); err != nil {
		t.Fatal(err)
	}
	s.Super(t, "postgres", "ALTER SYSTEM SET synchronous_standby_names = '*'", "SELECT pg_reload_conf()",
		"DO $$ BEGIN FOR n IN 1..1500 LOOP PERFORM pg_stat_clear_snapshot(); IF EXISTS (SELECT 1 FROM pg_stat_replication WHERE "+
			"sync_state = 'sync') THEN RETURN; END IF; PERFORM pg_sleep(0.02); END LOOP; RAISE EXCEPTION 'no standby follows'; END $$")
	return standby
}

func (s *Server) follow(primary *Server) (err error) {
	if s.dir, err = os.MkdirTemp("", "carillon-pg-"); err != nil {
		return err
	}
	who, err := s.unprivileged()
	if err != nil {
		return err
	}
	bin, _ := binaries()
	if server, err := filepath.EvalSymlinks(filepath.Join(bin, "postgres")); err == nil { // the copier may not be linked beside it
		bin = filepath.Dir(server)
	}
	copied := exec.Command(filepath.Join(bin, "pg_basebackup"), "-h", primary.dir, "-p", "5432", "-U", super, "-D",
		filepath.Join(s.dir, "data"), "-R", "-X", "stream", "--checkpoint=fast", "--no-sync")
	copied.Dir, copied.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: who}
	if out, err := copied.CombinedOutput(); err != nil {
		return fmt.Errorf("pg_basebackup: %w\n%s", err, out)
	}
	return s.Start(nil)
}

// Promote makes a standby a server that takes changes.
func (s *Server) Promote(t testing.TB) {
	t.Helper()
	s.Super(t, "postgres", "SELECT pg_promote()")
}

func (s *Server) start(bin string) (err error) {
	if s.dir, err = os.MkdirTemp("", "carillon-pg-"); err != nil {
		return err
	}
	who, err := s.unprivileged()
	if err != nil {
		return err
	}
	data := filepath.Join(s.dir, "data")
	create := exec.Command(filepath.Join(bin, "initdb"), "-D", data, "-U", super, "--auth=trust", "--no-sync", "--no-instructions",
		"--wal-segsize=4", "--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8") // letters have cases, and the order is that of bytes
	create.Dir, create.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: who}
	if out, err := create.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s.Start(s.prepare)
}

// Stop ends the server as a crash does, and keeps its folder.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.ended
}

// Start starts it again, and runs done once it answers; nil = nothing.
func (s *Server) Start(done func(context.Context, *sql.DB) error) (err error) {
	who, err := s.unprivileged()
	if err != nil {
		return err
	}
	bin, _ := binaries()
	data := filepath.Join(s.dir, "data")
	// fsync off: this is a test of SQL, not of disks. The socket's folder makes the port ours
	// alone.
	s.cmd = exec.Command(filepath.Join(bin, "postgres"), "-D", data, "-k", s.dir, "-p", "5432", "-c", "listen_addresses=",
		"-c", "fsync=off", "-c", "shared_buffers=32MB", "-c", "max_connections=300",
		"-c", "autovacuum=off") // its transactions would hold the roller back, and its figures change plans, at times of its own
	s.cmd.Dir, s.cmd.SysProcAttr = s.dir, &syscall.SysProcAttr{Credential: who, Pdeathsig: syscall.SIGINT}
	s.ended = make(chan struct{})
	started := make(chan error)
	go s.run(s.cmd, started)
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return s.wait(done)
}

// prepare makes the role that tests log in as.
func (s *Server) prepare(ctx context.Context, db *sql.DB) error {
	_, err := db.ExecContext(ctx, "CREATE ROLE "+login+" LOGIN NOSUPERUSER NOBYPASSRLS")
	return err
}

// run starts the server and waits for its end on one locked thread: the kernel sends Pdeathsig when
// the thread that started a process ends, not the process.
func (s *Server) run(cmd *exec.Cmd, started chan<- error) {
	runtime.LockOSThread()
	defer close(s.ended)
	err := cmd.Start()
	started <- err
	if err == nil {
		_ = cmd.Wait()
	}
}

// unprivileged is whom to run as: PostgreSQL refuses root. The folder becomes theirs.
func (s *Server) unprivileged() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		u, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, _ := strconv.Atoi(u.Uid)
		gid, _ := strconv.Atoi(u.Gid)
		return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, os.Chown(s.dir, uid, gid)
	}
	return nil, errors.New("PostgreSQL refuses to run as root, and there is neither a user postgres nor nobody")
}

func (s *Server) wait(done func(context.Context, *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", s.URL(super, "postgres"))
	if err != nil {
		return err
	}
	defer db.Close()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		err := db.PingContext(ctx)
		if err == nil {
			if done == nil {
				return nil
			}
			return done(ctx, db)
		}
		select {
		case <-tick.C:
		case <-s.ended:
			return errors.New("postgres ended before it answered")
		case <-ctx.Done():
			return fmt.Errorf("postgres does not answer: %w", err)
		}
	}
}

// stop ends the server and removes its folder.
func (s *Server) stop() error {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // at once: nothing in it is wanted
		<-s.ended
	}
	return os.RemoveAll(s.dir)
}
