package store_test

import (
	"database/sql"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// tenanted are the tables whose rows belong to a tenant, as the schema has them.
func tenanted(t *testing.T, address string) []string {
	t.Helper()
	tables := columns(t, "pgx", address, "SELECT table_name FROM information_schema.columns WHERE table_schema = 'public' AND column_name "+
		"= 'tenant_id'")
	if len(tables) < 20 {
		t.Fatalf("only %v have tenant_id", tables)
	}
	return tables
}

// guarded: a table with tenant_id and without a policy is a mistake of its migration.
func guarded(t *testing.T, server *storetest.Server) {
	address := server.Migrated(t)
	standing := columns(t, "pgx", address,
		"SELECT c.relname FROM pg_class c JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'isolation' "+
			"WHERE c.relrowsecurity AND c.relforcerowsecurity AND p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}' "+
			"AND pg_get_expr(p.polqual, p.polrelid) = pg_get_expr(p.polwithcheck, p.polrelid) AND pg_get_expr(p.polqual, p.polrelid) LIKE "+
			"'%app.tenant%'")
	has := map[string]bool{}
	for _, name := range standing {
		has[name] = true
	}
	for _, name := range append(tenanted(t, address), "tenants") {
		if !has[name] {
			t.Errorf("table %s has no policy on PostgreSQL; its migration must end with: SELECT carillon_isolation();", name)
		}
	}
	// More than one policy would be one OR more.
	if more := columns(t, "pgx", address, "SELECT polrelid::regclass || '.' || polname FROM pg_policy WHERE polname <> "+
		"'isolation'"); len(more) > 0 {
		t.Errorf("policies beside the one of the tenant widen it: %v", more)
	}
}

// two is a store with two tenants that have one of everything.
func two(t *testing.T, address string) (s *store.Store, owner, stranger *store.Scope) {
	t.Helper()
	s = storetest.OpenConfig(t, store.Config{URL: address})
	now := time.Now()
	scopes := []*store.Scope{}
	for i := range 2 {
		id := tenants.NewID[tenants.TenantID](now)
		err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: fmt.Sprint("t", i), Name: "T",
			Industry: tenants.Legal,
			State:    tenants.TenantActive, TimeZone: "UTC"})
		if err != nil {
			t.Fatal(err)
		}
		scope := s.For(id)
		d := tenants.Device{ID: tenants.NewID[tenants.DeviceID](now), Token: strings.Repeat("ab", 32), Bundle: "com.example.app",
			CreatedAt: now}
		if _, _, err := scope.Devices().Add(t.Context(), d, tenants.Hash{byte(i)}); err != nil {
			t.Fatal(err)
		}
		r := ring(now, i)
		if _, err := scope.Rings().Add(t.Context(), r, store.Idempotency{Key: "k"}, r.ExpiresAt); err != nil {
			t.Fatal(err)
		}
		scopes = append(scopes, scope)
	}
	return s, scopes[0], scopes[1]
}

func count(t *testing.T, rows *sql.Rows, err error) (n int) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(&n); err != nil {
			t.Fatal(err)
		}
	}
	if rows.Err() != nil {
		t.Fatal(rows.Err())
	}
	return n
}

// isolation: what a forgotten WHERE finds and changes.
func isolation(t *testing.T, address string) {
	s, owner, stranger := two(t, address)
	ctx := t.Context()
	for _, table := range []string{"devices", "rings", "attempts", "facts", "audits", "idempotency", "device_credentials", "tenants"} {
		q := "SELECT COUNT(*) FROM " + table
		rows, err := s.Read(ctx, true, q)
		all := count(t, rows, err)
		rows, err = store.ReadAs(ctx, owner, q)
		his := count(t, rows, err)
		rows, err = store.ReadAs(ctx, stranger, q)
		hers := count(t, rows, err)
		rows, err = s.Read(ctx, false, q)
		nobodys := count(t, rows, err)
		if his == 0 || hers == 0 || his+hers != all || nobodys != 0 {
			t.Errorf("%s without a WHERE: %d and %d of %d, and %d without an access", table, his, hers, all, nobodys)
		}
	}
	rows, err := store.ReadAs(ctx, owner, "SELECT COUNT(*) FROM devices WHERE tenant_id <> ?", tenantOf(t, owner))
	if n := count(t, rows, err); n != 0 {
		t.Errorf("a tenant sees %d devices of another", n)
	}
	for _, q := range []string{"UPDATE devices SET name = 'mine'", "DELETE FROM devices"} {
		if n, err := store.WriteAs(ctx, owner, q); n != 1 || err != nil {
			t.Errorf("%s touched %d devices, %v; want the tenant's one", q, n, err)
		}
	}
	rows, err = store.ReadAs(ctx, stranger, "SELECT COUNT(*) FROM devices WHERE name <> 'mine'")
	if n := count(t, rows, err); n != 1 {
		t.Error("another tenant's device was changed or is gone")
	}
	for name, q := range map[string]string{
		"insert": "INSERT INTO usage (tenant_id, period, hour, rings) VALUES (?, 0, 0, 1)",
		"move":   "UPDATE rings SET tenant_id = ?", // a row of one's own, given away
	} {
		var refused *pgconn.PgError
		if _, err := store.WriteAs(ctx, owner, q, tenantOf(t, stranger)); !errors.As(err, &refused) || refused.Code != "42501" {
			t.Errorf("%s of another's tenant_id: %v", name, err)
		}
	}
	if n, err := store.WriteAs(ctx, owner, "INSERT INTO usage (tenant_id, period, hour, rings) VALUES (?, 0, 0, 1)",
		tenantOf(t, owner)); n != 1 || err != nil {
		t.Errorf("insert of one's own: %d, %v", n, err)
	}
	rows, err = store.ReadAs(ctx, s.For("*"), "SELECT COUNT(*) FROM rings")
	if n := count(t, rows, err); n != 0 {
		t.Errorf("a scope of the tenant \"*\" sees %d rings", n)
	}
}

func tenantOf(t *testing.T, s *store.Scope) string {
	t.Helper()
	tenant, err := s.Tenant(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return string(tenant.ID)
}

// carry: neither a connection of the pool nor the writer's transaction brings one statement's
// tenant to the next.
func carry(t *testing.T, address string) {
	s, owner, stranger := two(t, address)
	s.Narrow()
	const q = "SELECT COUNT(*) FROM rings"
	for range 3 {
		rows, err := store.ReadAs(t.Context(), owner, q)
		if n := count(t, rows, err); n != 1 {
			t.Errorf("the owner sees %d rings", n)
		}
		var n int
		var setting string
		if err := s.Direct(t.Context(), q).Scan(&n); err != nil || n != 0 {
			t.Errorf("the next statement on the connection sees %d rings, %v", n, err)
		}
		if err := s.Direct(t.Context(), "SELECT COALESCE(current_setting('app.tenant', true), '')").Scan(&setting); err != nil ||
			setting != "" {
			t.Errorf("the connection carries %q, %v", setting, err)
		}
		if _, err := store.ReadAs(t.Context(), owner, "SELECT 1/0"); err == nil {
			t.Error("a statement that fails does not say so")
		}
		if err := s.Direct(t.Context(), q).Scan(&n); err != nil || n != 0 {
			t.Errorf("after a failure the connection sees %d rings, %v", n, err)
		}
	}
	got, err := s.Together(t.Context(), q, owner, nil, stranger, stranger, nil, owner, s.For("nobody"))
	if want := "[1 0 1 1 0 1 0]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("in one transaction: %v %v, want %v", got, err, want)
	}
	var wait sync.WaitGroup
	for _, scope := range []*store.Scope{owner, stranger, owner, stranger} {
		wait.Go(func() {
			for range 50 {
				rows, err := store.ReadAs(t.Context(), scope,
					"SELECT COUNT(*) FROM rings WHERE tenant_id = current_setting('app.tenant')::uuid")
				if n := count(t, rows, err); n != 1 {
					t.Errorf("%d rings", n)
				}
			}
		})
	}
	wait.Wait()
}

// Only what belongs to Store, and the writer's own, looks across tenants: nothing that a Scope does
// goes with access to all tenants.
func TestNoScopeOpensAllTenants(t *testing.T) {
	t.Parallel()
	files := token.NewFileSet()
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	uses := 0
	for _, name := range names {
		f, err := parser.ParseFile(files, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		if f.Name.Name != "store" || strings.HasSuffix(name, "_test.go") {
			continue
		}
		for _, d := range f.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Name.Name == "access" {
				continue
			}
			ast.Inspect(fn, func(n ast.Node) bool {
				if id, ok := n.(*ast.Ident); ok && id.Name == "allTenants" {
					uses++
					if receiver(fn) == "Scope" || fn.Recv == nil {
						t.Errorf("%s: %s has access to all tenants", files.Position(id.Pos()), fn.Name.Name)
					}
				}
				return true
			})
		}
	}
	if uses < 10 {
		t.Errorf("only %d uses of allTenants were found", uses)
	}
}

func receiver(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return ""
	}
	name := ""
	ast.Inspect(fn.Recv.List[0].Type, func(n ast.Node) bool {
		if id, ok := n.(*ast.Ident); ok {
			name = id.Name
		}
		return true
	})
	return name
}

// warned: CheckIsolation reports a role that bypasses the policies, a setting that opens them and a
// table without one. A role with nothing but the rights to rows can serve.
func warned(t *testing.T, server *storetest.Server) {
	address := server.Migrated(t)
	open := func(address string) *store.Store {
		c := config(t)
		c.URL = address
		s, err := store.Open(t.Context(), c)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
		return s
	}
	if err := open(address).CheckIsolation(t.Context()); err != nil {
		t.Errorf("the owner: %v", err)
	}
	db, err := url.Parse(address)
	if err != nil {
		t.Fatal(err)
	}
	name := strings.TrimPrefix(db.Path, "/")
	server.Super(t, name, "CREATE ROLE server LOGIN", "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO server")
	s := open(server.URL("server", name))
	if err := s.CheckIsolation(t.Context()); err != nil {
		t.Errorf("a role with nothing but rights to rows: %v", err)
	}
	id := tenants.NewID[tenants.TenantID](time.Now())
	if err := s.Tenants().Add(t.Context(), store.Who{}, tenants.Tenant{ID: id, Slug: "t", Name: "T", Industry: tenants.Legal,
		State: tenants.TenantActive, TimeZone: "UTC"}); err != nil {
		t.Fatal(err)
	}
	r := ring(time.Now(), 1)
	if _, err := s.For(id).Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Jobs().Roll(t.Context(), 10); err != nil {
		t.Error(err)
	}
	rows, err := store.ReadAs(t.Context(), s.For("another"), "SELECT COUNT(*) FROM rings")
	if n := count(t, rows, err); n != 0 {
		t.Errorf("another tenant sees %d rings", n)
	}
	if err := open(server.URL("super", name)).CheckIsolation(t.Context()); err == nil ||
		!strings.Contains(err.Error(), "role super bypasses") {
		t.Errorf("a superuser: %v", err)
	}
	server.Super(t, name, "ALTER TABLE rings NO FORCE ROW LEVEL SECURITY", "DROP POLICY isolation ON keys",
		"ALTER DATABASE "+name+" SET app.tenant = '*'")
	err = open(address).CheckIsolation(t.Context())
	if err == nil || !strings.Contains(err.Error(), "off for keys, rings:") || !strings.Contains(err.Error(), `app.tenant is "*"`) {
		t.Errorf("missing row-level security: %v", err)
	}
}

// indexed: with row-level security a search still uses its indexes, and a page of a list too.
func indexed(t *testing.T, address string) {
	_, owner, _ := two(t, address)
	id := tenantOf(t, owner)
	for query, index := range map[string]string{
		"SELECT id FROM rings WHERE tenant_id = ? AND reference <> '' AND reference_low >= 'a' AND reference_low < " +
			"'a~'": "rings_first_reference.*reference_low",
		"SELECT id FROM rings WHERE tenant_id = ? AND to_person <> '' AND to_person_low >= 'a' AND to_person_low < " +
			"'a~'": "rings_first_person.*to_person_low",
		"SELECT id FROM rings WHERE tenant_id = ? AND id BETWEEN '0190aaaa-0000-0000-0000-000000000000' AND " +
			"'0190aaaa-ffff-ffff-ffff-ffffffffffff'": "Index Cond.*id >=",
		"SELECT id FROM rings WHERE tenant_id = ? AND id < '0190aaaa-0000-0000-0000-000000000000' ORDER BY id " +
			"DESC": "rings_first_pkey.*id <",
	} {
		rows, err := store.Explain(t.Context(), owner, query, id)
		if err != nil {
			t.Fatal(err)
		}
		if plan := strings.Join(rows, " "); !regexp.MustCompile(index).MatchString(plan) {
			t.Errorf("%s\nwant %s in\n%s", query, index, plan)
		}
	}
}
