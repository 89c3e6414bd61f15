package store_test

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
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

func oneTenant(t *testing.T, s *store.Store) *store.Scope {
	t.Helper()
	id := tenants.NewID[tenants.TenantID](time.Now())
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	return s.For(id)
}

// away: while the database is gone, rings and reads are refused at once with a time to try again,
// and no ring that was taken before is lost. Once it is back, everything works on new connections.
func away(t *testing.T, server *storetest.Server) {
	s := storetest.OpenConfig(t, store.Config{URL: server.Migrated(t)})
	scope := oneTenant(t, s)
	add := func() (*tenants.Ring, error) {
		r := ring(time.Now(), 0)
		_, err := scope.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
		return r, err
	}
	before, err := add()
	if err != nil {
		t.Fatal(err)
	}
	server.Stop()
	started := time.Now()
	for range 3 {
		_, err := add()
		_, read := scope.Audits().Verify(t.Context(), store.AuditKey{}, nil)
		for what, err := range map[string]error{"a ring": err, "a read": read} {
			var ours *tenants.Error
			if !errors.As(err, &ours) || ours.Kind != tenants.Unavailable || ours.RetryAfter <= 0 {
				t.Errorf("%s while the database is gone: %v", what, err)
			}
		}
	}
	if took := time.Since(started); took > 10*time.Second {
		t.Errorf("the refusals took %v", took)
	}
	if err := server.Start(nil); err != nil {
		t.Fatal(err)
	}
	after, err := add()
	if err != nil {
		t.Fatalf("once the database is back: %v", err)
	}
	for _, r := range []*tenants.Ring{before, after} {
		if _, err := scope.Rings().Get(t.Context(), r.ID); err != nil {
			t.Errorf("ring %s: %v", r.ID, err)
		}
	}
}

// throughPool: what the store does works through PgBouncer in transaction mode, where two
// statements that follow each other run on different connections.
func throughPool(t *testing.T, server *storetest.Server) {
	bin, err := exec.LookPath("pgbouncer")
	if err != nil {
		t.Log("PgBouncer is not installed here: only the mode of queries that it needs is tried")
		eachAnother(t, server.Migrated(t))
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
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
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
	s := storetest.OpenConfig(t, store.Config{URL: address})
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

// eachAnother runs the same in the mode for a pool.
func eachAnother(t *testing.T, address string) {
	t.Helper()
	works(t, address+"&default_query_exec_mode=cache_describe")
}
