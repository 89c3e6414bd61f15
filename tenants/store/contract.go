package store

import (
	"context"
	"strconv"
	"strings"

	"carillon/migrations"
	"carillon/tenants"
)

// nodesStep is the step of the schema that made the table of nodes.
const nodesStep = 39

// mayContract refuses with Conflict while a server lives and a missing step would break it. A
// server that lives while a step is missing is one of an earlier program: this program's does not
// start before the step.
func (d *database) mayContract(ctx context.Context) error {
	if d.dialect.isFile() {
		return nil
	}
	steps, err := migrations.Status(ctx, d.writes, string(d.dialect))
	if err != nil {
		return err
	}
	return d.beside(ctx, steps)
}

// beside is mayContract for the steps of the schema.
func (d *database) beside(ctx context.Context, steps []migrations.Step) error {
	listed, first := false, int64(0)
	for _, s := range steps {
		listed = listed || s.Version == nodesStep && s.Applied
		if !s.Applied && !s.Expands && first == 0 {
			first = s.Version
		}
	}
	if first == 0 || !listed {
		return nil
	}
	rows, err := d.writes.QueryContext(ctx, "SELECT name FROM nodes WHERE seen_at > "+d.dialect.clock()+" - "+
		strconv.FormatInt(NodeGone.Microseconds(), 10)+" ORDER BY name")
	names, err := collect(rows, err, func(s *string) []any { return []any{s} })
	if err != nil || len(names) == 0 {
		return translate(err)
	}
	return tenants.Refuse(tenants.Conflict, "conflict", "Step %d of the schema breaks servers of the earlier program, and these run: %s. "+
		"Nothing was changed. Stop them, then run `carillon migrate up` again.", first, strings.Join(names, ", "))
}
