package store_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// throughPool: what the store does works through PgBouncer in transaction mode, where two
// statements that follow each other run on different connections.
func throughPool(t *testing.T, server *storetest.Server) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Log("PgBouncer is not installed here: a pool of the test's own gives each transaction another connection")
		works(t, eachAnother(t, server.Migrated(t)))
		return
	}
	address := server.Migrated(t)
	u, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "carillon-pool-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	config := fmt.Sprintf("[databases]\n* = host=%s port=5432\n[pgbouncer]\nunix_socket_dir = %s\nlisten_port = 6432\n"+
		"auth_type = any\npool_mode = transaction\ndefault_pool_size = 4\nlogfile = %s\n",
		u.Query().Get("host"), dir, filepath.Join(dir, "log"))
	config = strings.Replace(config, "* = host", strings.TrimPrefix(u.Path, "/")+" = user=carillon host", 1)
	if err := os.WriteFile(filepath.Join(dir, "ini"), []byte(config), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	args := []string{filepath.Join(dir, "ini")}
	if os.Geteuid() == 0 { // as the server: its socket is in a folder of its own
		name := "nobody"
		if _, err := user.Lookup("postgres"); err == nil {
			name = "postgres"
		}
		args = append([]string{"-u", name}, args...)
	}
	pool := exec.Command(bin, args...)
	if err := pool.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = pool.Process.Signal(syscall.SIGKILL)
		_ = pool.Wait()
	})
	q := url.Values{"host": {dir}, "port": {"6432"}, "default_query_exec_mode": {"cache_describe"}}
	u.RawQuery = q.Encode()
	answers(t, u.String())
	works(t, u.String())
}

func answers(t *testing.T, address string) {
	t.Helper()
	db, err := sql.Open("pgx", address)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for err := db.PingContext(ctx); err != nil; err = db.PingContext(ctx) {
		if ctx.Err() != nil {
			t.Fatalf("the pool does not answer: %v", err)
		}
		<-tick.C
	}
}

// works places rings from several goroutines and reads them, with many different statements.
func works(t *testing.T, address string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: address, Seal: storetest.Keys(t), Now: time.Now,
		Log: slog.New(slog.DiscardHandler)}) // and no migration, which needs a session
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	scope := oneTenant(t, s)
	key, err := s.AuditKey(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	failed := make(chan error, 8)
	for range cap(failed) {
		go func() {
			var errs []error
			for i := range 10 {
				r := ring(time.Now(), i)
				_, err := scope.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
				_, read := scope.Rings().Get(t.Context(), r.ID)
				_, _, list := scope.Audits().List(t.Context(), store.AuditQuery{Limit: 5})
				errs = append(errs, err, read, list)
			}
			failed <- errors.Join(errs...)
		}()
	}
	for range cap(failed) {
		if err := <-failed; err != nil {
			t.Error(err)
		}
	}
	verdict, err := scope.Audits().Verify(t.Context(), key, nil)
	if err != nil || verdict.Fault != nil || verdict.Rows == 0 {
		t.Errorf("the audit chain: %+v %v", verdict, err)
	}
	if _, err := s.Jobs().Roll(t.Context(), 1000); err != nil {
		t.Error(err)
	}
	if err := s.Ready(t.Context()); err != nil {
		t.Error(err)
	}
}

// eachAnother stands in for PgBouncer in transaction mode and gives its address: each transaction
// gets a new connection to the server, so that nothing of a session is left for the next one.
func eachAnother(t *testing.T, address string) string {
	t.Helper()
	server, err := pgconn.ParseConfig(address)
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			clients.Go(func() {
				defer conn.Close()
				if err := oneClient(conn, server); err != nil {
					t.Errorf("the pool: %v", err)
				}
			})
		}
	})
	t.Cleanup(func() { _ = l.Close(); clients.Wait() })
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	through, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	through.RawQuery = url.Values{"host": {"127.0.0.1"}, "port": {port}, "sslmode": {"disable"},
		"default_query_exec_mode": {"cache_describe"}}.Encode()
	forgets(t, through.String())
	return through.String()
}

// oneClient serves a client until it leaves. It passes messages on up to the one that the server
// answers with ReadyForQuery, and then that answer.
func oneClient(conn net.Conn, server *pgconn.Config) error {
	client := pgproto3.NewBackend(conn, conn)
	start, err := client.ReceiveStartupMessage()
	if err != nil {
		return nil // it left
	}
	hello, ok := start.(*pgproto3.StartupMessage)
	if !ok {
		return nil // it wants a statement to be cancelled, which ends by itself
	}
	for name := range hello.Parameters {
		if name != "user" && name != "database" {
			return fmt.Errorf("a client sets %s when it connects, which PgBouncer refuses", name)
		}
	}
	client.Send(&pgproto3.AuthenticationOk{})
	client.Send(&pgproto3.ParameterStatus{Name: "client_encoding", Value: "UTF8"})
	client.Send(&pgproto3.ParameterStatus{Name: "standard_conforming_strings", Value: "on"})
	client.Send(&pgproto3.ReadyForQuery{TxStatus: 'I'})
	if client.Flush() != nil {
		return nil
	}
	var behind *pgconn.HijackedConn // nil between transactions
	defer func() {
		if behind != nil {
			_ = behind.Conn.Close()
		}
	}()
	for {
		sent, err := client.Receive()
		if err != nil {
			return nil
		}
		if _, leaves := sent.(*pgproto3.Terminate); leaves {
			return nil
		}
		if behind == nil {
			made, err := pgconn.ConnectConfig(context.Background(), server)
			if err != nil {
				return err
			}
			if behind, err = made.Hijack(); err != nil {
				return err
			}
		}
		behind.Frontend.Send(sent)
		switch sent.(type) {
		case *pgproto3.Sync, *pgproto3.Query:
		default:
			continue
		}
		idle, err := answer(behind.Frontend, client)
		if err != nil {
			return err
		}
		if idle {
			if err := behind.Conn.Close(); err != nil {
				return err
			}
			behind = nil
		}
	}
}

// answer passes the server's answer on and says whether the transaction is over.
func answer(server *pgproto3.Frontend, client *pgproto3.Backend) (idle bool, err error) {
	if err := server.Flush(); err != nil {
		return false, err
	}
	for {
		said, err := server.Receive()
		if err != nil {
			return false, err
		}
		client.Send(said)
		if ready, ok := said.(*pgproto3.ReadyForQuery); ok {
			_ = client.Flush() // one that left is found out by the next Receive
			return ready.TxStatus == 'I', nil
		}
	}
}

// forgets: what is set for a session, or prepared in it, is gone in the next transaction. Without
// this the test would pass with whatever the store does.
func forgets(t *testing.T, address string) {
	t.Helper()
	conn, err := pgx.Connect(t.Context(), address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close(context.WithoutCancel(t.Context()))
	if _, err := conn.Exec(t.Context(), "SET lock_timeout = '7s'"); err != nil {
		t.Fatal(err)
	}
	var kept string
	if err := conn.QueryRow(t.Context(), "SHOW lock_timeout").Scan(&kept); err != nil || kept == "7s" {
		t.Errorf("the pool keeps sessions: %q %v", kept, err)
	}
	if _, err := conn.Prepare(t.Context(), "one", "SELECT 1"); err != nil {
		t.Fatal(err)
	}
	if err := conn.QueryRow(t.Context(), "one").Scan(new(int)); err == nil {
		t.Error("the pool keeps prepared statements")
	}
}
