// Package postgrestest is a PostgreSQL of this process's own, for tests, benchmarks and dev mode
// with several nodes: the system's binaries in a temporary folder, reached by a Unix socket. It can
// go away and come back.
//
// Start at New.
package postgrestest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib" // registers pgx
)

// ErrMissing is why there is no server on a machine without PostgreSQL.
var ErrMissing = errors.New("PostgreSQL is not installed here: there is no initdb in PATH or in /usr/lib/postgresql/*/bin; " +
	"install it, with apt-get install postgresql for example")

// Config says how a server runs. The zero value is for tests.
type Config struct {
	// Durable writes each commit to the disk and removes dead rows, as an operator's server does.
	// Without it the server is quicker, and does nothing at times of its own.
	Durable bool
}

// Server is one PostgreSQL.
type Server struct {
	config Config
	bin    string
	dir    string
	serial atomic.Int64
	cmd    *exec.Cmd
	ended  chan struct{} // closed once the process is gone
}

// The roles. A server's users log in as one that owns its database and is bound by its policies, as
// an operator should; only the superuser makes databases.
const (
	Super = "super"
	login = "carillon"
)

// folder makes the server's folder, and says who runs the server in it.
func (s *Server) folder() (who *syscall.SysProcAttr, err error) {
	if s.dir, err = os.MkdirTemp("", "carillon-pg-"); err != nil {
		return nil, err
	}
	return unprivileged(s.dir)
}

// New starts a server, or gives ErrMissing.
func New(c Config) (s *Server, err error) {
	s = &Server{config: c}
	if s.bin = binaries(); s.bin == "" {
		return nil, ErrMissing
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.Close())
		}
	}()
	who, err := s.folder()
	if err != nil {
		return nil, err
	}
	// Letters have cases, and the order is that of bytes.
	create := exec.Command(filepath.Join(s.bin, "initdb"), "-D", s.data(), "-U", Super, "--auth=trust", "--no-sync", "--no-instructions",
		"--wal-segsize="+s.segment(), "--encoding=UTF8", "--locale=C", "--lc-ctype=C.UTF-8")
	create.Dir, create.SysProcAttr = s.dir, who
	if out, err := create.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return s, s.start(s.prepare)
}

// Installed says whether New can find PostgreSQL's programs.
func Installed() bool { return binaries() != "" }

func (s *Server) data() string { return filepath.Join(s.dir, "data") }

// segment is the size of a file of the log, in MiB: small where many servers come and go.
func (s *Server) segment() string {
	if s.config.Durable {
		return "16"
	}
	return "4"
}

// binaries is the folder of PostgreSQL's programs; empty = there are none.
func binaries() string {
	if p, err := exec.LookPath("initdb"); err == nil {
		if _, err := exec.LookPath(filepath.Join(filepath.Dir(p), "postgres")); err == nil {
			return filepath.Dir(p)
		}
	}
	found, _ := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if len(found) == 0 {
		return ""
	}
	return filepath.Dir(slices.Max(found))
}

// Database makes a new database from a template and gives its name; template1 is an empty one.
func (s *Server) Database(ctx context.Context, template string) (string, error) {
	name := "test" + strconv.FormatInt(s.serial.Add(1), 10)
	return name, s.Do(ctx, "postgres", "CREATE DATABASE "+name+" TEMPLATE "+template+" OWNER "+login)
}

// Do runs statements as the superuser, in a database of the server.
func (s *Server) Do(ctx context.Context, database string, statements ...string) error {
	db, err := sql.Open("pgx", s.RoleURL(Super, database))
	if err != nil {
		return err
	}
	defer db.Close()
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return err
		}
	}
	return nil
}

// URL is the address of a database of the server.
func (s *Server) URL(database string) string { return s.RoleURL(login, database) }

// RoleURL is the address of a database for a role. It names the folder of the socket in the query,
// because a folder cannot be a URL's host.
func (s *Server) RoleURL(role, database string) string {
	return "postgres://" + role + "@/" + database + "?" + url.Values{"host": {s.dir}, "port": {"5432"}}.Encode()
}

// Stop ends the server as a crash does, and keeps its folder.
func (s *Server) Stop() {
	_ = s.cmd.Process.Signal(syscall.SIGQUIT)
	<-s.ended
}

// Start starts it again after Stop, and waits until it answers.
func (s *Server) Start() error { return s.start(nil) }

func (s *Server) start(done func(context.Context, *sql.DB) error) error {
	who, err := unprivileged(s.dir)
	if err != nil {
		return err
	}
	args := []string{"-D", s.data(), "-k", s.dir, "-p", "5432", "-c", "listen_addresses=", "-c", "max_connections=300"}
	if s.config.Durable {
		args = append(args, "-c", "shared_buffers=256MB", "-c", "max_wal_size=4GB")
	} else {
		// The transactions of autovacuum would hold the roller back, and its figures change plans,
		// at times of its own.
		args = append(args, "-c", "shared_buffers=32MB", "-c", "fsync=off", "-c", "autovacuum=off")
	}
	s.cmd = exec.Command(filepath.Join(s.bin, "postgres"), args...)
	s.cmd.Dir, s.cmd.SysProcAttr = s.dir, dies(who)
	s.ended = make(chan struct{})
	started := make(chan error)
	go s.run(s.cmd, started)
	if err := <-started; err != nil {
		return fmt.Errorf("postgres: %w", err)
	}
	return s.wait(done)
}

// prepare makes the role that a server's users log in as.
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

func (s *Server) wait(done func(context.Context, *sql.DB) error) error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	db, err := sql.Open("pgx", s.RoleURL(Super, "postgres"))
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

// Process is the server's process; its connections are children of it.
func (s *Server) Process() int { return s.cmd.Process.Pid }

// Close ends the server and removes its folder.
func (s *Server) Close() error {
	if s.cmd != nil && s.cmd.Process != nil {
		_ = s.cmd.Process.Signal(syscall.SIGQUIT) // at once: nothing in it is wanted
		<-s.ended
	}
	if s.dir == "" {
		return nil
	}
	return os.RemoveAll(s.dir)
}
