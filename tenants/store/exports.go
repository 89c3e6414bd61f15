package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
)

type exportRow struct {
	TenantID, ID                 uuid
	State, Node, ByKind          string
	ByID                         uuid
	ByName                       string
	Asked, Lease, Ended, Expires int64
	At                           string
	Rows, Size, Tries            int64
	Why                          string
	Sealed                       []byte
}

const exportColumns = "tenant_id, id, state, node, by_kind, by_id, by_name, asked_at, lease_at, ended_at, expires_at, at, row_count, " +
	"size, tries, why, sealed"

func (r *exportRow) fields() []any {
	return []any{&r.TenantID, &r.ID, &r.State, &r.Node, &r.ByKind, &r.ByID, &r.ByName, &r.Asked, &r.Lease, &r.Ended, &r.Expires, &r.At,
		&r.Rows, &r.Size, &r.Tries, &r.Why, &r.Sealed}
}

func (r exportRow) noun() tenants.Export {
	return tenants.Export{Tenant: tenants.TenantID(r.TenantID), ID: string(r.ID), State: tenants.ExportState(r.State), Node: r.Node,
		By:      tenants.Actor{Kind: tenants.ActorKind(r.ByKind), ID: string(r.ByID), Name: r.ByName},
		AskedAt: moment(r.Asked), EndedAt: moment(r.Ended), ExpiresAt: moment(r.Expires), At: r.At, Rows: r.Rows, Size: r.Size, Why: r.Why}
}

// Exports are the files with everything of a tenant, of which there is one at a time.
type Exports struct{ *scope }

// Exports returns the tenant's Exports.
func (s *Scope) Exports() Exports { return Exports{&s.scope} }

// The bounds of exports: how many wait on all servers, how often one is begun again after its
// server ended, and how long a server may be silent before that.
const (
	exportsWaiting = 50
	exportTries    = 3
	exportLease    = 2 * time.Minute
)

// Get is the tenant's export. Without one found is false.
func (s Exports) Get(ctx context.Context) (e tenants.Export, found bool, err error) {
	row, found, err := s.export(ctx)
	return row.noun(), found, err
}

func (s *scope) export(ctx context.Context) (exportRow, bool, error) {
	rows, err := s.reads().query(ctx, "SELECT "+exportColumns+" FROM exports WHERE tenant_id = ?", uuid(s.id))
	found, err := collect(rows, err, (*exportRow).fields)
	if err != nil || len(found) == 0 {
		return exportRow{}, false, translate(err)
	}
	return found[0], true, nil
}

// Ask asks for an export, which replaces the last one. It refuses while one is under way
// (Conflict), and where too many wait on this installation (Unavailable).
func (s Exports) Ask(ctx context.Context) error {
	now := s.s.now()
	id := uuid(tenants.NewID[tenants.RingID](now))
	waiting, err := one(s.s.db.through(allTenants).query(ctx, "SELECT COUNT(*) FROM exports WHERE state = 'waiting'"))
	if err != nil {
		return err
	}
	if waiting >= exportsWaiting {
		return &tenants.Error{Kind: tenants.Unavailable, Code: "busy", RetryAfter: time.Minute,
			Msg: "Many organisations are being exported now. Try again in a few minutes."}
	}
	sealed, err := s.s.seal.Seal(seal.NewKey(), sealedExport(s.id, string(id))...)
	if err != nil {
		return fmt.Errorf("store: key of an export: %w", err)
	}
	return s.write(ctx, func(t *tx) error {
		var state string
		err := t.row("SELECT state FROM exports WHERE tenant_id = ?", []any{uuid(s.id)}, &state)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		if (tenants.Export{State: tenants.ExportState(state)}).Under() {
			return tenants.Refuse(tenants.Conflict, "export_running", "An export is under way. Wait until it is ready, or remove it.")
		}
		if _, err := t.exec("DELETE FROM exports WHERE tenant_id = ?", uuid(s.id)); err != nil {
			return err
		}
		row := exportRow{TenantID: uuid(s.id), ID: id, State: string(tenants.ExportWaiting), ByKind: string(s.who.Kind),
			ByID: uuid(s.who.ID), ByName: s.who.Name, Asked: micros(now), Sealed: sealed}
		if _, err := t.exec("INSERT INTO exports ("+exportColumns+") VALUES ("+places(exportColumns)+")",
			values(row.fields())...); err != nil {
			return err
		}
		return t.audit(s.scope, "export.ask", string(id), "")
	})
}

func sealedExport(t tenants.TenantID, id string) []string { return []string{string(t), "exports", id} }

// Remove ends an export that is under way, or removes its file: the server that has it deletes it.
func (s Exports) Remove(ctx context.Context) error {
	return s.write(ctx, func(t *tx) error {
		var id uuid
		err := t.row("SELECT id FROM exports WHERE tenant_id = ?", []any{uuid(s.id)}, &id)
		if err != nil {
			return missing(err, "export")
		}
		if _, err := t.exec("DELETE FROM exports WHERE tenant_id = ?", uuid(s.id)); err != nil {
			return err
		}
		return t.audit(s.scope, "export.remove", string(id), "")
	})
}

// Open is a download of a ready export: its key, once the download is in the audit log.
func (s Exports) Open(ctx context.Context) (tenants.Export, *seal.Key, error) {
	row, found, err := s.export(ctx)
	if err != nil {
		return tenants.Export{}, nil, err
	}
	if !found || row.State != string(tenants.ExportReady) || row.Expires <= micros(s.s.now()) {
		return tenants.Export{}, nil, tenants.NoSuch("export")
	}
	key, err := s.key(row)
	if err == nil {
		err = Audits(s).Add(ctx, "export.download", string(row.ID), "")
	}
	return row.noun(), key, err
}

func (s *scope) key(row exportRow) (*seal.Key, error) {
	plain, err := s.s.seal.Open(row.Sealed, sealedExport(tenants.TenantID(row.TenantID), string(row.ID))...)
	if err != nil {
		return nil, fmt.Errorf("store: key of an export: %w", err)
	}
	return seal.KeyOf(plain)
}

// BeginExport claims an export that waits, or whose server was silent for two minutes, for a
// server. An export that was begun three times has failed.
func (s Jobs) BeginExport(ctx context.Context, node string) (e tenants.Export, key *seal.Key, found bool, err error) {
	now := micros(s.now())
	rows, err := s.db.through(allTenants).query(ctx, "SELECT "+exportColumns+" FROM exports WHERE state = 'waiting' OR state = 'running' "+
		"AND lease_at <= ? ORDER BY asked_at LIMIT 1", now)
	due, err := collect(rows, err, (*exportRow).fields)
	if err != nil || len(due) == 0 {
		return e, nil, false, translate(err)
	}
	row := due[0]
	if row.Tries >= exportTries {
		return e, nil, false, s.FailExport(ctx, row.noun(), "The server ended three times before the file was complete.")
	}
	scope := s.of(tenants.TenantID(row.TenantID))
	err = scope.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE exports SET state = 'running', node = ?, lease_at = ?, tries = tries + 1, row_count = 0, at = '' WHERE "+
			"tenant_id = ? AND id = ? AND tries = ? AND state <> 'ready'", node, now+exportLease.Microseconds(), row.TenantID, row.ID,
			row.Tries)
		if found = n > 0; err != nil || !found {
			return err
		}
		return t.audit(scope, "export.begin", string(row.ID), "")
	})
	if err != nil || !found {
		return e, nil, false, err
	}
	key, err = scope.key(row)
	row.State, row.Node = string(tenants.ExportRunning), node
	return row.noun(), key, err == nil, err
}

// ExportAt notes how far an export is, and keeps other servers from beginning it again. It is false
// when somebody has removed the export: the file is not wanted any more.
func (s Jobs) ExportAt(ctx context.Context, e tenants.Export, at string, rows int64) (wanted bool, err error) {
	err = s.w.do(ctx, access(e.Tenant), func(t *tx) error {
		n, err := t.change("UPDATE exports SET at = ?, row_count = ?, lease_at = ? WHERE tenant_id = ? AND id = ? AND state = 'running' "+
			"AND node = ?", at, rows, micros(s.now().Add(exportLease)), uuid(e.Tenant), uuid(e.ID), e.Node)
		wanted = n > 0
		return err
	})
	return wanted, err
}

// EndExport notes that the file is complete. It is false for an export that somebody removed, or
// that another server began again.
func (s Jobs) EndExport(ctx context.Context, e tenants.Export, rows, size int64) (ended bool, err error) {
	now := s.now()
	return s.settleExport(ctx, e, "export.ready", tenants.FormatCount(rows)+" rows", "UPDATE exports SET state = 'ready', at = '', "+
		"row_count = ?, size = ?, ended_at = ?, expires_at = ? WHERE state = 'running' AND node = ? AND tenant_id = ? AND id = ?", rows,
		size, micros(now), micros(now.Add(tenants.ExportKept)), e.Node)
}

// FailExport notes that there is no file, and why. It leaves an export that another server began
// again.
func (s Jobs) FailExport(ctx context.Context, e tenants.Export, why string) error {
	_, err := s.settleExport(ctx, e, "export.fail", why, "UPDATE exports SET state = 'failed', at = '', ended_at = ?, why = ? WHERE "+
		"state IN ('waiting', 'running') AND node = ? AND tenant_id = ? AND id = ?", micros(s.now()), why, e.Node)
	return err
}

// LeaveExport gives an export back that this server cannot complete because it stops.
func (s Jobs) LeaveExport(ctx context.Context, e tenants.Export) error {
	return s.w.do(ctx, access(e.Tenant), func(t *tx) error {
		_, err := t.exec("UPDATE exports SET state = 'waiting', tries = tries - 1 WHERE tenant_id = ? AND id = ? AND state = 'running' "+
			"AND node = ?", uuid(e.Tenant), uuid(e.ID), e.Node)
		return err
	})
}

// settleExport runs a statement that ends with the tenant and the id, and reports whether it
// changed the export.
func (s Jobs) settleExport(ctx context.Context, e tenants.Export, action, detail, query string, args ...any) (settled bool, err error) {
	scope := s.of(e.Tenant)
	args = append(args, uuid(e.Tenant), uuid(e.ID))
	err = scope.write(ctx, func(t *tx) error {
		n, err := t.change(query, args...)
		if settled = n > 0; err != nil || !settled {
			return err
		}
		return t.audit(scope, action, e.ID, detail)
	})
	return settled && err == nil, err
}

// ExpireExports removes exports whose time is over, of every tenant.
func (s Jobs) ExpireExports(ctx context.Context) error {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT "+exportColumns+" FROM exports WHERE state = 'ready' AND expires_at <= ?",
		micros(s.now()))
	due, err := collect(rows, err, (*exportRow).fields)
	if err != nil {
		return translate(err)
	}
	for _, row := range due {
		_, err := s.settleExport(ctx, row.noun(), "export.expire", "", "DELETE FROM exports WHERE state = 'ready' AND tenant_id = ? "+
			"AND id = ?")
		if err != nil {
			return err
		}
	}
	return nil
}

// ExportFiles are the exports whose files a server has, or writes.
func (s Jobs) ExportFiles(ctx context.Context, node string) (ids []string, err error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT id FROM exports WHERE node = ? AND state IN ('running', 'ready')", node)
	found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
	for _, id := range found {
		ids = append(ids, string(id))
	}
	return ids, translate(err)
}
