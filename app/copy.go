package app

import (
	"context"
	"errors"
	"fmt"

	"carillon/tenants/store"
)

// copyCmd moves an installation from SQLite to PostgreSQL.
type copyCmd struct {
	To           string `help:"postgres://… of an empty database." required:""`
	WhileServing bool   `help:"Copy one moment beside a running server, to try it: what happens later is not in the copy."`
	Data         string `help:"Folder of the SQLite database." default:"data" env:"CARILLON_DATA" type:"path"`
}

// Help lists the steps.
func (m *copyCmd) Help() string {
	return `1. Make an empty database with a role that owns it and bypasses no row-level security.
2. Stop the server. (Try it first: with --while-serving the server may run.)
3. carillon copy --to postgres://carillon:…@db.example.com/carillon
4. Set CARILLON_DATABASE_URL to the same address, keep the master key, and start the server.

Everything is one transaction of PostgreSQL, and each table is compared at the end of it: the number of rows and a checksum. What is
interrupted leaves the target empty, and can be run again. The SQLite folder is not changed.`
}

// Run copies and prints how far it is.
func (m *copyCmd) Run(ctx context.Context, c terminal) (err error) {
	if err := store.CheckURL(m.To); err != nil {
		return fmt.Errorf("--to: %w", err)
	}
	if err := (Database{Data: m.Data}).isPrivate(); err != nil {
		return err
	}
	if !m.WhileServing {
		unlock, err := lock(m.Data)
		if err != nil {
			return fmt.Errorf("%w. A copy made beside a running server lacks what happens later: stop the server, or add --while-serving "+
				"to try it", err)
		}
		defer func() { err = errors.Join(err, unlock()) }()
	}
	tables, rows := 0, int64(0)
	err = store.Move(ctx, m.Data, m.To, func(p store.Moved) {
		if p.Sum == "" {
			fmt.Fprintf(c.out, "%s: %d of %d rows\n", p.Table, p.Rows, p.Of)
			return
		}
		tables, rows = tables+1, rows+p.Rows
		fmt.Fprintf(c.out, "%s: %d rows, the same in both, %s\n", p.Table, p.Rows, p.Sum[:16])
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d rows of %d tables are the same in both databases.\n", rows, tables)
	if m.WhileServing {
		fmt.Fprintln(c.out, "A server ran meanwhile, so this copy is only a trial: drop the database, stop the server, and copy again.")
		return nil
	}
	fmt.Fprintln(c.out, "Set CARILLON_DATABASE_URL to the new database, keep CARILLON_MASTER_KEY_FILE, and start the server.")
	return nil
}
