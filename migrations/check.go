package migrations

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
)

// Step is one numbered file and what the database has of it.
type Step struct {
	Version int64
	Name    string
	Applied bool
	Edited  bool // the file was changed after it was applied
	Unknown bool // the database has it and this program does not
	// Expands: an earlier program works beside it, so that servers of two versions may run side by
	// side. Of an unknown step the program that applied it has said so.
	Expands bool
}

// contract marks a file whose step breaks programs of before it: its line says why.
const contract = "-- contract:"

// expands reports whether an earlier program works with the step. On SQLite one server runs at a
// time, so nothing is promised.
func expands(dialect, text string) bool {
	if dialect != Postgres {
		return false
	}
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, contract) {
			return false
		}
	}
	return true
}

// Errors of Check and Apply. Each is wrapped in a sentence that names the steps and the cure.
var (
	// ErrEarlier refuses a database that a development version made before the first release: it
	// has another schema under the same numbers, and nothing brings it up to date.
	ErrEarlier = errors.New("this data folder was made by an earlier development version. " +
		"Delete it or choose another with --data (on PostgreSQL: an empty database with --database-url)")
	ErrMissing = errors.New("the schema is not up to date")
	ErrGap     = errors.New("the schema has a gap")
	ErrNewer   = errors.New("the schema is newer than this program")
	ErrEdited  = errors.New("the schema was made from other files")
)

// inspection reads what a database has, in its dialect. development finds a table as only a
// development version had it: with ids as text. sums also reads a table without the column expands,
// which steps before 50 did not have.
var inspection = map[string]struct{ table, development, sums string }{
	SQLite: {
		"SELECT COUNT(*) FROM sqlite_master WHERE type = 'table' AND name = ",
		"SELECT COUNT(*) FROM pragma_table_info('tenants') WHERE name = 'id' AND type = 'TEXT'",
		"SELECT version, sum, FALSE FROM schema_sums",
	},
	Postgres: {
		"SELECT COUNT(*) FROM information_schema.tables WHERE table_schema = current_schema() AND table_name = ",
		"SELECT COUNT(*) FROM information_schema.columns WHERE table_schema = current_schema() " +
			"AND table_name = 'tenants' AND column_name = 'id' AND data_type = 'text'",
		"SELECT version, sum, COALESCE((to_jsonb(schema_sums)->>'expands')::boolean, FALSE) FROM schema_sums",
	},
}

// Status lists the steps of this program in order, then those that only the database has. It
// changes nothing.
func Status(ctx context.Context, db *sql.DB, dialect string) ([]Step, error) {
	p, err := provider(db, dialect)
	if err != nil {
		return nil, err
	}
	have, err := applied(ctx, db, dialect)
	if err != nil {
		return nil, err
	}
	var steps []Step
	for _, s := range p.ListSources() {
		text, err := fs.ReadFile(files, dialect+"/"+s.Path)
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		was, found := have[s.Version]
		delete(have, s.Version)
		steps = append(steps, Step{Version: s.Version, Name: s.Path, Applied: found, Expands: expands(dialect, string(text)),
			Edited: was.sum != nil && !bytes.Equal(was.sum, checksum(string(text)))})
	}
	var unknown []Step
	for version, was := range have {
		unknown = append(unknown, Step{Version: version, Applied: true, Unknown: true, Expands: was.expands})
	}
	slices.SortFunc(unknown, func(a, b Step) int { return cmp.Compare(a.Version, b.Version) })
	return append(steps, unknown...), nil
}

// Check refuses a database whose schema this program does not work with: with ErrMissing if Apply
// can mend it, and with ErrEarlier, ErrGap, ErrNewer or ErrEdited if it cannot. Steps of a newer
// program that only expand the schema are no reason. It changes nothing.
func Check(ctx context.Context, db *sql.DB, dialect string) error {
	steps, err := mendable(ctx, db, dialect)
	if err != nil {
		return err
	}
	for _, s := range steps {
		if !s.Applied {
			return fmt.Errorf("%w: step %d is missing; run `carillon migrate up`", ErrMissing, s.Version)
		}
	}
	return nil
}

// Known refuses a database that this program does not know, as Apply does. One that lacks steps is
// known. It changes nothing.
func Known(ctx context.Context, db *sql.DB, dialect string) error {
	_, err := mendable(ctx, db, dialect)
	return err
}

// Version is the number of the last step that a database has.
func Version(ctx context.Context, db *sql.DB, dialect string) (last int64, err error) {
	have, err := applied(ctx, db, dialect)
	for version := range have {
		last = max(last, version)
	}
	return last, err
}

// Newest is the number of this program's last step.
func Newest(dialect string) (last int64) {
	list, err := fs.Glob(files, dialect+"/*.sql")
	if err != nil || len(list) == 0 {
		return 0
	}
	n, _, _ := strings.Cut(strings.TrimPrefix(slices.Max(list), dialect+"/"), "_")
	last, _ = strconv.ParseInt(n, 10, 64) // its own files are numbered
	return last
}

// mendable lists the steps, and refuses a database that Apply must not touch.
func mendable(ctx context.Context, db *sql.DB, dialect string) ([]Step, error) {
	q, ok := inspection[dialect]
	if !ok {
		return nil, fmt.Errorf("migrations: no dialect %q", dialect)
	}
	switch earlier, err := exists(ctx, db, q.development); {
	case err != nil:
		return nil, err
	case earlier:
		return nil, ErrEarlier
	}
	steps, err := Status(ctx, db, dialect)
	if err != nil {
		return nil, err
	}
	return steps, judge(steps)
}

// judge finds what applying the missing steps would not mend. A database without any step is new.
func judge(steps []Step) error {
	var newest int64 // applied, and ours
	for _, s := range steps {
		if s.Applied && !s.Unknown {
			newest = s.Version
		}
	}
	for _, s := range steps {
		switch {
		case s.Unknown && s.Expands:
		case s.Unknown:
			return fmt.Errorf("%w: it has step %d, which this program does not know; run the program that made it, "+
				"or restore the backup from before that step", ErrNewer, s.Version)
		case s.Edited:
			return fmt.Errorf("%w: step %d (%s) was changed after it was applied here; run the program that applied it, "+
				"or, if only a development version used this database, delete it and make a new one", ErrEdited, s.Version, s.Name)
		case !s.Applied && s.Version < newest:
			return fmt.Errorf("%w: step %d (%s) was never applied, although step %d was; restore a backup from before "+
				"step %d and run `carillon migrate up` with this program", ErrGap, s.Version, s.Name, newest, newest)
		}
	}
	return nil
}

// recorded is what a database says of a step that it has.
type recorded struct {
	sum     []byte // of its file; nil = not recorded
	expands bool
}

// applied reads the versions that the database has.
func applied(ctx context.Context, db *sql.DB, dialect string) (map[int64]recorded, error) {
	have := map[int64]recorded{}
	q := inspection[dialect].table
	for _, part := range []struct{ table, read string }{
		// goose's own table; its row 0 only says that the table was made.
		{"goose_db_version", "SELECT version_id, NULL, FALSE FROM goose_db_version WHERE is_applied AND version_id > 0"},
		{"schema_sums", inspection[dialect].sums},
	} {
		found, err := exists(ctx, db, q+"'"+part.table+"'")
		if err != nil || !found {
			return have, err
		}
		rows, err := db.QueryContext(ctx, part.read)
		if err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
		for rows.Next() {
			var version int64
			var is recorded
			if err := rows.Scan(&version, &is.sum, &is.expands); err != nil {
				return nil, errors.Join(fmt.Errorf("migrations: %w", err), rows.Close())
			}
			if _, isApplied := have[version]; isApplied || is.sum == nil {
				have[version] = is
			}
		}
		if err := errors.Join(rows.Err(), rows.Close()); err != nil {
			return nil, fmt.Errorf("migrations: %w", err)
		}
	}
	return have, nil
}

// record keeps the checksum of each applied step that has none yet.
func record(ctx context.Context, db *sql.DB, dialect string) error {
	steps, err := Status(ctx, db, dialect)
	if err != nil {
		return err
	}
	insert := "INSERT INTO schema_sums (version, sum, expands) VALUES (?, ?, ?) ON CONFLICT (version) DO NOTHING"
	if dialect == Postgres {
		insert = strings.Replace(insert, "(?, ?, ?)", "($1, $2, $3)", 1)
	}
	for _, s := range steps {
		if !s.Applied || s.Unknown {
			continue
		}
		text, err := fs.ReadFile(files, dialect+"/"+s.Name)
		if err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
		if _, err := db.ExecContext(ctx, insert, s.Version, checksum(string(text)), s.Expands); err != nil {
			return fmt.Errorf("migrations: %w", err)
		}
	}
	return nil
}

// checksum is that of a step's statements: comments and spacing do not count, and what goose reads
// in comments does.
func checksum(text string) []byte {
	h := sha256.New()
	for line := range strings.Lines(text) {
		code, comment, _ := strings.Cut(line, "--")
		if strings.HasPrefix(comment, " +goose") {
			code = line
		}
		for _, word := range strings.Fields(code) {
			h.Write([]byte(word)) // never fails
			h.Write([]byte{' '})
		}
	}
	return h.Sum(nil)
}

func exists(ctx context.Context, db *sql.DB, query string) (bool, error) {
	var n int
	if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
		return false, fmt.Errorf("migrations: %w", err)
	}
	return n > 0, nil
}
