package store

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"
)

// DeviceRings keeps SQLite's table of the rings of each device. A row for each ring, written with
// it, would be at a random place: one more page of each ring's commit. Many rows are written at
// once instead, sorted by device. Until then the view rung finds a ring by its first fact.
type DeviceRings struct{ *core }

// DeviceRings returns the table of the rings of each device.
func (s *Store) DeviceRings() DeviceRings { return DeviceRings{&s.core} }

const (
	// filedFrom is how many new facts are worth a turn: those of two thousand rings. A read of rung
	// looks through as many.
	filedFrom = 6000
	// filedAfter is how long fewer of them wait.
	filedAfter = 5 * time.Second
	// filedMost bounds the facts of one turn.
	filedMost = 30_000
	// filedAtOnce bounds the rows of one commit, so that rings hardly wait for it.
	filedAtOnce = 4 * 64
)

// deviceRing is a row of device_rings.
type deviceRing struct{ tenant, device, ring uuid }

// FileAll is File until too few facts are left.
func (s DeviceRings) FileAll(ctx context.Context) error {
	for ctx.Err() == nil {
		if filed, err := s.File(ctx); err != nil || filed == 0 {
			return err
		}
	}
	return nil
}

// File adds the rings of the next facts to those of their devices, and says how many facts that
// were. It waits until there are many, or the first has waited for some seconds. On PostgreSQL,
// which has an index, there is nothing to do.
func (s DeviceRings) File(ctx context.Context) (facts int, err error) {
	if !s.db.dialect.isFile() {
		return 0, nil
	}
	c := s.cursor("device_rings")
	from, more, err := c.at(ctx)
	if err != nil || !more {
		return 0, err
	}
	upTo, err := s.upTo(ctx, from)
	if err != nil || upTo == from {
		return 0, err
	}
	rows, err := s.db.through(allTenants).scan(ctx, "SELECT a.tenant_id, a.device_id, a.ring_id FROM facts f CROSS JOIN attempts a "+
		"ON a.tenant_id = f.tenant_id AND a.ring_id = f.ring_id AND a.id = f.attempt_id "+
		"WHERE f.seq > ? AND f.seq <= ? AND f.kind = 'placed'", from.seq, upTo.seq)
	found, err := collect(rows, err, func(r *deviceRing) []any { return []any{&r.tenant, &r.device, &r.ring} })
	if err != nil {
		return 0, translate(err)
	}
	slices.SortFunc(found, func(a, b deviceRing) int {
		return cmp.Or(cmp.Compare(a.tenant, b.tenant), cmp.Compare(a.device, b.device), cmp.Compare(a.ring, b.ring))
	})
	for some := range slices.Chunk(found, filedAtOnce) {
		if err := s.w.yield(ctx, allTenants, func(t *tx) error { return fileRings(t, some) }); err != nil {
			return 0, err
		}
	}
	moved := false
	err = s.w.yield(ctx, noTenant, func(t *tx) (err error) {
		moved, err = c.move(t, from, upTo)
		return err
	})
	if err != nil || !moved {
		return 0, err
	}
	return int(upTo.seq - from.seq), nil
}

// upTo is where a turn that begins at from ends: there, as long as a turn is not worth it.
func (s DeviceRings) upTo(ctx context.Context, from place) (place, error) {
	type row struct{ last, next, received int64 }
	rows, err := s.db.through(allTenants).query(ctx, "SELECT (SELECT MAX(seq) FROM facts), seq, received_at FROM facts WHERE seq > ? "+
		"ORDER BY seq LIMIT 1", from.seq)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.last, &r.next, &r.received} })
	if err != nil || len(found) == 0 {
		return from, translate(err)
	}
	last := found[0].last
	if last-from.seq < filedFrom && s.now().Sub(moment(found[0].received)) < filedAfter {
		return from, nil
	}
	return place{seq: min(last, found[0].next+filedMost)}, nil // after a restore there is a gap between from and next
}

// fileRings writes rows of device_rings. A ring that is gone meanwhile gets none, and one that has
// its row keeps it.
func fileRings(t *tx, all []deviceRing) error {
	for len(all) > 0 {
		n := sizes[slices.IndexFunc(sizes, func(size int) bool { return size <= len(all) })]
		args := make([]any, 0, 3*n)
		for _, r := range all[:n] {
			args = append(args, r.tenant, r.device, r.ring)
		}
		_, err := t.exec("INSERT OR IGNORE INTO device_rings (tenant_id, device_id, ring_id) SELECT column1, column2, column3 FROM "+
			"(VALUES (?, ?, ?)"+strings.Repeat(", (?, ?, ?)", n-1)+") WHERE EXISTS "+
			"(SELECT 1 FROM rings WHERE tenant_id = column1 AND id = column3)", args...)
		if err != nil {
			return err
		}
		all = all[n:]
	}
	return nil
}

// The parts of SQLite's rung: what File has written, and what is new since.
const (
	rungFiled = "device_rings"
	rungNew   = "rung_new"
)

// rung is the table, or the view, in which a tenant's rings are found by a device. PostgreSQL has
// an index for it; a ring that rang a device twice is there twice.
func (d dialect) rung() string {
	if d == lite {
		return "rung"
	}
	return "attempts"
}

// rungBy is the rings of a device as a table with the column rung, each once although a group's
// ring may have rung the device in two steps. Nothing sorts it: attempts and rungFiled have it in
// order.
func (s Rings) rungBy(q RingQuery) (string, []any) {
	args := []any{uuid(s.id), uuid(q.Device)}
	if s.s.db.dialect.isFile() {
		table := cmp.Or(q.rung, s.s.db.dialect.rung())
		return "(SELECT ring_id AS rung FROM " + table + " WHERE tenant_id = ? AND device_id = ?) AS d", args
	}
	// In the order of the list PostgreSQL finds the few of a page along the index alone.
	way := " DESC"
	if q.oldest {
		way = ""
	}
	return "(SELECT DISTINCT ring_id AS rung FROM attempts WHERE tenant_id = ? AND device_id = ? ORDER BY ring_id" + way + ") AS d", args
}

// rungOnce is rungBy to be counted: without the order in which rungBy gives the rings, PostgreSQL
// reads them from the index alone.
func (s Rings) rungOnce(q RingQuery) (string, []any) {
	if s.s.db.dialect.isFile() {
		return s.rungBy(q)
	}
	return "(SELECT DISTINCT ring_id AS rung FROM attempts WHERE tenant_id = ? AND device_id = ?) AS d", []any{uuid(s.id), uuid(q.Device)}
}
