package app

import (
	"context"
	"fmt"
	"text/tabwriter"

	"carillon/migrations"
	"carillon/tenants/store"
)

// migrateCmd brings the schema up to date.
type migrateCmd struct {
	Up     migrateUpCmd     `cmd:"" help:"Apply every step that is missing."`
	Status migrateStatusCmd `cmd:"" help:"List the steps."`
}

type migrateUpCmd struct{ Database }

// Run applies the missing steps. Running it again does nothing. It refuses a schema with a gap, of
// a newer program or made from other files, and a step that servers which still run do not know
// how to work with.
func (m *migrateUpCmd) Run(ctx context.Context, c terminal) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("CARILLON_DATABASE_URL: %w", err)
	}
	if err := m.isPrivate(); err != nil {
		return err
	}
	n, err := store.Migrate(ctx, store.Config{URL: m.URL, Dir: m.Data, Log: quiet(c)})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.out, "%d steps applied; the schema is up to date.\n", n)
	return nil
}

type migrateStatusCmd struct {
	JSON bool `help:"Print one JSON line for each step."`
	Database
}

// Run lists the steps and the state of each. It changes nothing.
func (m *migrateStatusCmd) Run(ctx context.Context, c terminal) error {
	if err := m.check(); err != nil {
		return fmt.Errorf("CARILLON_DATABASE_URL: %w", err)
	}
	if err := m.isPrivate(); err != nil {
		return err
	}
	steps, err := store.Status(ctx, store.Config{URL: m.URL, Dir: m.Data})
	if err != nil {
		return err
	}
	if m.JSON {
		return jsonLines(c, steps, func(s migrations.Step) any {
			return map[string]any{"version": s.Version, "name": s.Name, "applied": s.Applied, "state": stepState(s)}
		})
	}
	w := tabwriter.NewWriter(c.out, 0, 0, 2, ' ', 0)
	for _, s := range steps {
		fmt.Fprintf(w, "%d\t%s\t%s\n", s.Version, s.Name, stepState(s))
	}
	return w.Flush()
}

func stepState(s migrations.Step) string {
	switch {
	case s.Unknown && s.Expands:
		return "applied by a newer program; this one works with it"
	case s.Unknown:
		return "applied by a newer program"
	case s.Edited:
		return "applied, and changed since"
	case s.Applied:
		return "applied"
	case s.Expands:
		return "missing"
	}
	return "missing; stop the servers first"
}
