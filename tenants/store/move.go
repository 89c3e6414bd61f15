package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"carillon/migrations"
)

// Moved is how far a table is copied. At the end Sum is the checksum of its rows, which both
// databases have.
type Moved struct {
	Table    string
	Rows, Of int64
	Sum      string // empty until the table is compared
}

// moveEvery is how many rows are copied between two tellings.
const moveEvery = 20000

// unmoved are tables that each database has of its own: what says which schema it has, and what
// SQLite has in the place of an index.
var unmoved = []string{"goose_db_version", "schema_sums", "device_rings"}

// seeded are tables into which the schema itself puts rows.
var seeded = []string{"watermarks", "operator_chain"}

// Move copies every row of an SQLite database, as of one moment, to an empty PostgreSQL database,
// and compares each table there with what was read: the number of rows and a checksum over them.
// All of it is one transaction of PostgreSQL. So what is interrupted, or does not compare, leaves
// nothing behind, and can be run again. It needs memory for one row.
func Move(ctx context.Context, dir, address string, told func(Moved)) (err error) {
	from, err := open(ctx, Config{Dir: dir, ReadOnly: true}, false)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	if err := migrations.Check(ctx, from.writes, migrations.SQLite); err != nil {
		return err
	}
	source, err := from.reads.Conn(ctx)
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	defer source.Close()
	if _, err := source.ExecContext(ctx, "BEGIN"); err != nil { // one moment, whatever a server writes
		return fmt.Errorf("store: %w", err)
	}
	defer source.ExecContext(context.WithoutCancel(ctx), "ROLLBACK")
	if err := prepareTarget(ctx, address); err != nil {
		return err
	}
	config, err := postgresConfig(address)
	if err != nil {
		return err
	}
	unlimited(config)
	conn, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	target, err := conn.Begin(ctx)
	if err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	defer target.Rollback(context.WithoutCancel(ctx))
	m := move{source: source, target: target, told: told}
	if err := m.run(ctx); errors.Is(err, errFull) {
		return err
	} else if err != nil {
		return fmt.Errorf("%w\nNothing was copied: the target is as empty as before", err)
	}
	if err := target.Commit(ctx); err != nil {
		return fmt.Errorf("store: the target did not confirm the end of the copy; look whether it has rows before the copy is run "+
			"again: %w", err)
	}
	return nil
}

// prepareTarget brings the schema into an empty database. It refuses one that has other tables.
func prepareTarget(ctx context.Context, address string) (err error) {
	d, err := open(ctx, Config{URL: address}, true)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, d.close()) }()
	var tables, ours int
	err = d.writes.QueryRowContext(ctx, "SELECT COUNT(*), COUNT(*) FILTER (WHERE tablename = 'goose_db_version') FROM pg_tables "+
		"WHERE schemaname = current_schema()").Scan(&tables, &ours)
	switch {
	case err != nil:
		return fmt.Errorf("store: the target: %w", err)
	case tables > 0 && ours == 0:
		return errors.New("the target has tables that are not Carillon's: make an empty database and name it in --to")
	case tables == 0:
		_, err = migrations.Apply(ctx, d.writes, migrations.Postgres, func(string) {})
		return err
	}
	return migrations.Check(ctx, d.writes, migrations.Postgres)
}

// errFull refuses a target that is in use.
var errFull = errors.New("the target is not empty")

// move is one copy under way.
type move struct {
	source *sql.Conn
	target pgx.Tx
	told   func(Moved)
	tables []movedTable
}

// movedTable is a table with its columns, as PostgreSQL has them.
type movedTable struct {
	name    string
	columns []movedColumn
	forced  bool // row-level security binds the owner too
}

type movedColumn struct{ name, kind string }

func (t movedTable) names() (out []string) {
	for _, c := range t.columns {
		out = append(out, c.name)
	}
	return out
}

func (t movedTable) query() string {
	return `SELECT "` + strings.Join(t.names(), `", "`) + `" FROM "` + t.name + `"`
}

func (m *move) run(ctx context.Context) error {
	if _, err := m.target.Exec(ctx, "SELECT set_config('app.tenant', '*', true)"); err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	if err := m.find(ctx); err != nil {
		return err
	}
	if err := m.unlock(ctx); err != nil {
		return err
	}
	if err := m.empty(ctx); err != nil {
		return err
	}
	for _, t := range m.tables {
		if err := m.table(ctx, t); err != nil {
			return fmt.Errorf("%s: %w", t.name, err)
		}
	}
	return m.finish(ctx)
}

// find lists the tables, a parent before its children, and refuses databases that do not have the
// same ones.
func (m *move) find(ctx context.Context) error {
	all := map[string]movedTable{}
	rows, err := m.target.Query(ctx, "SELECT c.table_name, c.column_name, c.data_type, k.relforcerowsecurity "+
		"FROM information_schema.columns c JOIN pg_class k ON k.oid = (quote_ident(c.table_name))::regclass "+
		"WHERE c.table_schema = current_schema() AND c.is_generated = 'NEVER' AND k.relkind IN ('r', 'p') AND NOT k.relispartition "+
		"ORDER BY c.table_name, c.ordinal_position")
	if err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	for rows.Next() {
		var t movedTable
		var c movedColumn
		if err := rows.Scan(&t.name, &c.name, &c.kind, &t.forced); err != nil {
			return fmt.Errorf("store: the target: %w", err)
		}
		if slices.Contains(unmoved, t.name) {
			continue
		}
		t.columns = append(all[t.name].columns, c)
		all[t.name] = t
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	here, err := m.source.QueryContext(ctx, "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
	names, err := collect(here, err, func(s *string) []any { return []any{s} })
	if err != nil {
		return fmt.Errorf("store: %w", err)
	}
	names = slices.DeleteFunc(names, func(n string) bool { return slices.Contains(unmoved, n) })
	slices.Sort(names)
	if there := slices.Sorted(maps.Keys(all)); !slices.Equal(names, there) {
		return fmt.Errorf("store: the databases have not the same tables: %v and %v", names, there)
	}
	return m.order(ctx, all)
}

// order puts each table behind those that it refers to.
func (m *move) order(ctx context.Context, all map[string]movedTable) error {
	parents := map[string][]string{}
	// A table of a month refers to another one of the month.
	rows, err := m.target.Query(ctx, "SELECT DISTINCT a.relname, b.relname FROM pg_constraint k JOIN pg_class a ON a.oid = "+
		"COALESCE(pg_partition_root(k.conrelid), k.conrelid) JOIN pg_class b ON b.oid = COALESCE(pg_partition_root(k.confrelid), "+
		"k.confrelid) WHERE k.contype = 'f' AND a.oid <> b.oid "+
		"AND a.relnamespace = current_schema()::regnamespace")
	if err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	for rows.Next() {
		var child, parent string
		if err := rows.Scan(&child, &parent); err != nil {
			return fmt.Errorf("store: the target: %w", err)
		}
		parents[child] = append(parents[child], parent)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("store: the target: %w", err)
	}
	done := map[string]bool{}
	for len(done) < len(all) {
		before := len(done)
		for _, name := range slices.Sorted(maps.Keys(all)) {
			if done[name] || slices.ContainsFunc(parents[name], func(p string) bool { return !done[p] }) {
				continue
			}
			done[name] = true
			m.tables = append(m.tables, all[name])
		}
		if len(done) == before {
			return errors.New("store: tables refer to each other in a circle, and cannot be copied one after the other")
		}
	}
	return nil
}

// unlock lets the owner write past row-level security until the transaction ends: COPY is refused
// otherwise. It also holds the tables, so that nobody writes meanwhile.
func (m *move) unlock(ctx context.Context) error {
	for _, t := range m.tables {
		if !t.forced {
			continue
		}
		if _, err := m.target.Exec(ctx, `ALTER TABLE "`+t.name+`" NO FORCE ROW LEVEL SECURITY`); err != nil {
			return fmt.Errorf("store: the target's role must own its tables, as after `carillon migrate up`: %w", err)
		}
	}
	return nil
}

// empty refuses a target with rows.
func (m *move) empty(ctx context.Context) error {
	var full []string
	for _, t := range m.tables {
		if slices.Contains(seeded, t.name) {
			continue
		}
		var has bool
		if err := m.target.QueryRow(ctx, `SELECT EXISTS (SELECT 1 FROM "`+t.name+`")`).Scan(&has); err != nil {
			return fmt.Errorf("store: the target: %w", err)
		}
		if has {
			full = append(full, t.name)
		}
	}
	if len(full) > 0 {
		return fmt.Errorf("%w: it has rows already, in %s: a copy is made into an empty database only; drop it and make it again, or "+
			"name another one in --to", errFull, strings.Join(full, ", "))
	}
	for _, name := range seeded {
		if _, err := m.target.Exec(ctx, `DELETE FROM "`+name+`"`); err != nil {
			return fmt.Errorf("store: the target: %w", err)
		}
	}
	return nil
}

// table copies a table and compares it.
func (m *move) table(ctx context.Context, t movedTable) error {
	at := Moved{Table: t.name}
	if err := m.source.QueryRowContext(ctx, `SELECT COUNT(*) FROM "`+t.name+`"`).Scan(&at.Of); err != nil {
		return err
	}
	rows, err := m.source.QueryContext(ctx, t.query())
	if err != nil {
		return err
	}
	defer rows.Close()
	in := &movedRows{rows: rows, columns: t.columns, told: func(n int64) { at.Rows = n; m.told(at) }}
	n, err := m.target.CopyFrom(ctx, pgx.Identifier{t.name}, t.names(), in)
	if err != nil {
		var refused *pgconn.PgError
		if errors.As(err, &refused) && refused.Code == "22021" { // character_not_in_repertoire
			return fmt.Errorf("row %d has a text that PostgreSQL does not take (%s); correct it in SQLite and run this again", in.n,
				refused.Where)
		}
		return fmt.Errorf("row %d: %w", in.n, err)
	}
	there, count, err := m.sumOf(ctx, t)
	if err != nil {
		return err
	}
	if n != in.n || count != in.n || there != in.sum {
		return fmt.Errorf("the copy differs: %d rows with the checksum %s were read, and %d with %s are there; nothing is kept, run this "+
			"again", in.n, in.sum, count, there)
	}
	at.Rows, at.Sum = n, there.String()
	m.told(at)
	return nil
}

// sumOf reads a table of the target back.
func (m *move) sumOf(ctx context.Context, t movedTable) (sum rowsSum, n int64, err error) {
	rows, err := m.target.Query(ctx, t.query())
	if err != nil {
		return sum, 0, err
	}
	defer rows.Close()
	for rows.Next() {
		values, err := rows.Values()
		if err != nil {
			return sum, n, err
		}
		if err := sum.add(t.columns, values); err != nil {
			return sum, n, err
		}
		n++
	}
	return sum, n, rows.Err()
}

// finish sets what PostgreSQL keeps beside the rows: the ends of the audit chains, the numbers that
// come next, and row-level security.
func (m *move) finish(ctx context.Context) error {
	statements := []string{"UPDATE tenants SET audit_seq = a.seq, audit_hash = a.hash FROM (SELECT DISTINCT ON (tenant_id) tenant_id, " +
		"seq, hash FROM audits ORDER BY tenant_id, seq DESC) a WHERE a.tenant_id = tenants.id"}
	for _, t := range m.tables {
		if t.forced {
			statements = append(statements, `ALTER TABLE "`+t.name+`" FORCE ROW LEVEL SECURITY`)
		}
		for _, c := range t.columns {
			if c.name == "seq" {
				statements = append(statements, fmt.Sprintf("SELECT setval(s, GREATEST((SELECT COALESCE(MAX(seq), 0) FROM %q), 1), "+
					"EXISTS (SELECT 1 FROM %q)) FROM pg_get_serial_sequence('%s', 'seq') s WHERE s IS NOT NULL", t.name, t.name, t.name))
			}
		}
	}
	for _, s := range statements {
		if _, err := m.target.Exec(ctx, s); err != nil {
			return fmt.Errorf("store: the target: %w", err)
		}
	}
	return nil
}
