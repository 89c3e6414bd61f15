package store

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"carillon/tenants"
)

// Rosters are what was read of the tenant's calendars, one for each connection of that role.
type Rosters struct{ *scope }

// Rosters returns the tenant's Rosters.
func (s *Scope) Rosters() Rosters { return Rosters{&s.scope} }

// KeptRoster is a roster with what the next read needs.
type KeptRoster struct {
	tenants.Roster
	Address        string // that was read
	ETag, Modified string // of the last full read
	FullAt         time.Time
}

type rosterRow struct {
	address, cause, etag, modified, duties, notes string
	read, good, full, failed                      int64
}

// Get is the roster of a connection; one that was never read is empty.
func (s Rosters) Get(ctx context.Context, id tenants.ConnectionID) (k KeptRoster, err error) {
	if _, err := Connections(s).Get(ctx, id); err != nil {
		return k, err
	}
	rows, err := s.reads().query(ctx, "SELECT address, cause, etag, modified, duties, notes, read_at, good_at, full_at, failed "+
		"FROM schedules WHERE tenant_id = ? AND connection_id = ?", uuid(s.id), uuid(id))
	found, err := collect(rows, err, func(r *rosterRow) []any {
		return []any{&r.address, &r.cause, &r.etag, &r.modified, &r.duties, &r.notes, &r.read, &r.good, &r.full, &r.failed}
	})
	k.Connection = id
	if err != nil || len(found) == 0 {
		return k, translate(err)
	}
	r := found[0]
	k = KeptRoster{tenants.Roster{Connection: id, ReadAt: moment(r.read), GoodAt: moment(r.good), Failed: int(r.failed),
		Cause: r.cause}, r.address, r.etag, r.modified, moment(r.full)}
	_ = json.Unmarshal([]byte(r.duties), &k.Duties) // ours
	_ = json.Unmarshal([]byte(r.notes), &k.Notes)
	return k, nil
}

// Claim takes the next read of a calendar at an address: nobody else gets it before then. It is
// false when another node was faster.
func (s Rosters) Claim(ctx context.Context, id tenants.ConnectionID, address string, now, then time.Time) (mine bool, err error) {
	err = s.s.w.do(ctx, s.access(), func(t *tx) error {
		n, err := t.change("UPDATE schedules SET due_at = ?, address = ? WHERE tenant_id = ? AND connection_id = ? AND "+
			"(due_at <= ? OR address <> ?)", micros(then), address, uuid(s.id), uuid(id), micros(now), address)
		if err == nil && n == 0 {
			n, err = t.change("INSERT INTO schedules (tenant_id, connection_id, address, due_at, read_at, good_at, full_at, failed, "+
				"cause, etag, modified, duties, notes) SELECT tenant_id, id, ?, ?, 0, 0, 0, 0, '', '', '', '[]', '[]' FROM connections "+
				"WHERE tenant_id = ? AND id = ? AND "+there+" ON CONFLICT (tenant_id, connection_id) DO NOTHING", address, micros(then),
				uuid(s.id), uuid(id))
		}
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}

// Hurry makes the next read of a calendar due now. It is refused within a minute of the last one.
func (s Rosters) Hurry(ctx context.Context, id tenants.ConnectionID) error {
	k, err := s.Get(ctx, id)
	if err != nil {
		return err
	}
	now := s.s.now()
	if wait := hurryEvery - now.Sub(k.ReadAt); !k.ReadAt.IsZero() && wait > 0 {
		return &tenants.Error{Kind: tenants.TooMany, Code: "calendar_just_read", RetryAfter: wait,
			Msg: "The calendar was read less than a minute ago. Try again in a minute."}
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		_, err := t.exec("UPDATE schedules SET due_at = ? WHERE tenant_id = ? AND connection_id = ?", micros(now), uuid(s.id), uuid(id))
		return err
	})
}

// hurryEvery is the least time between two reads of one calendar.
const hurryEvery = time.Minute

// Keep writes what a read brought. One that failed keeps the duties of the last that worked: give
// them again.
func (s Rosters) Keep(ctx context.Context, k KeptRoster) error {
	duties, err := json.Marshal(k.Duties)
	if err != nil {
		return fmt.Errorf("store: roster %s: %w", k.Connection, err)
	}
	notes, err := json.Marshal(k.Notes)
	if err != nil {
		return fmt.Errorf("store: roster %s: %w", k.Connection, err)
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		_, err := t.exec("UPDATE schedules SET read_at = ?, good_at = ?, full_at = ?, failed = ?, cause = ?, etag = ?, modified = ?, "+
			"duties = ?, notes = ? WHERE tenant_id = ? AND connection_id = ?", micros(k.ReadAt), micros(k.GoodAt), micros(k.FullAt),
			int64(k.Failed), k.Cause, k.ETag, k.Modified, string(duties), string(notes), uuid(s.id), uuid(k.Connection))
		return err
	})
}

// DueRosters are up to limit active calendars of every tenant that are due to be read.
func (s Jobs) DueRosters(ctx context.Context, now time.Time, limit int) ([]DueConnection, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id FROM connections c JOIN tenants t ON t.id = c.tenant_id "+
		"LEFT JOIN schedules s ON s.tenant_id = c.tenant_id AND s.connection_id = c.id WHERE c.role = ? AND c.state = 'active' AND "+
		"t.state = 'active' AND (s.due_at IS NULL OR s.due_at <= ? OR s.address <> c.url) ORDER BY COALESCE(s.due_at, 0) LIMIT ?",
		string(tenants.RoleCalendar), micros(now), limit)
	found, err := collect(rows, err, func(d *DueConnection) []any { return []any{(*uuid)(&d.Tenant), (*uuid)(&d.Connection)} })
	return found, translate(err)
}
