package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// stop makes a connection disabled or ended, with an alert that its people are mailed about. What
// waits is given up by the next ReviewConnections, or as somebody changes the state before that,
// and can be replayed once the connection is active again. and is what else must still be true of
// the connection: else it is false, and nothing was changed.
func (s Deliveries) stop(t *tx, id tenants.ConnectionID, to tenants.ConnectionState, why, and string, args ...any) (bool, error) {
	n, err := t.change("UPDATE connections SET state = ?, disabled_at = ? WHERE tenant_id = ? AND id = ? AND state = 'active'"+and,
		append([]any{string(to), micros(s.s.now()), uuid(s.id), uuid(id)}, args...)...)
	if err != nil || n == 0 {
		return false, err
	}
	action := "connection.disable"
	if to == tenants.ConnectionEnded {
		action = "connection.end"
	}
	row, err := Connections(s).held(t, id)
	if err != nil {
		return false, err
	}
	if err := t.alerts().settle(s.scope, string(id)); err != nil {
		return false, err
	}
	if _, err := t.alerts().alert(s.scope, tenants.AlertConnectionOff, string(id), tenants.ConnectionStopped(row.Name, why)); err != nil {
		return false, err
	}
	return true, t.audit(s.scope, action, string(id), row.Name)
}

// ReviewConnections looks at the connections of every tenant that fail or have much waiting: it
// warns of those that have failed for tenants.ConnectionWarnAfter, disables those that have failed
// for tenants.ConnectionDisableAfter or have more than tenants.WaitingMost waiting, and gives up
// what waits for those that are disabled or ended. Of the role audit nothing is given up.
func (s Jobs) ReviewConnections(ctx context.Context, now time.Time) error {
	const waiting = "SELECT 1 FROM deliveries d WHERE d.tenant_id = c.tenant_id AND d.connection_id = c.id AND d.due_at > 0"
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, id, name, role, failing_since, warned_at, state FROM connections "+
		"c WHERE "+
		"state = 'active' AND (failing_since <> 0 OR EXISTS ("+waiting+" LIMIT 1 OFFSET ?)) OR state IN ('disabled', 'ended') AND "+
		"role <> ? AND EXISTS ("+waiting+")", tenants.WaitingMost, string(tenants.RoleAudit))
	found, err := collect(rows, err, func(r *connectionRow) []any {
		return []any{&r.TenantID, &r.ID, &r.Name, &r.Role, &r.FailingSince, &r.WarnedAt, &r.State}
	})
	if err != nil {
		return translate(err)
	}
	for _, r := range found {
		d := Deliveries{s.of(tenants.TenantID(r.TenantID))}
		stopped := r.State != string(tenants.ConnectionActive)
		if !stopped {
			if stopped, err = d.review(ctx, r, now); err != nil {
				return err
			}
		}
		if stopped && r.Role != string(tenants.RoleAudit) {
			if err := d.giveUp(ctx, tenants.ConnectionID(r.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// review warns of a connection, or disables it. What it delivered since r was read counts.
func (s Deliveries) review(ctx context.Context, r connectionRow, now time.Time) (stopped bool, err error) {
	id, why := tenants.ConnectionID(r.ID), ""
	and, args := "", []any(nil)
	switch failing := now.Sub(moment(r.FailingSince)); {
	case r.FailingSince == 0:
		why = "More than " + tenants.FormatCount(tenants.WaitingMost) + " events waited for it."
	case failing >= tenants.ConnectionDisableAfter:
		why = "Nothing was delivered for five days."
		and, args = " AND failing_since = ?", []any{r.FailingSince}
	default:
		waiting, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE tenant_id = ? AND "+
			"connection_id = ? AND due_at > 0 LIMIT ?) few", uuid(s.id), r.ID, tenants.WaitingMost+1))
		if err != nil {
			return false, err
		}
		if waiting > tenants.WaitingMost {
			why = "More than " + tenants.FormatCount(tenants.WaitingMost) + " events waited for it."
		} else if failing < tenants.ConnectionWarnAfter || r.WarnedAt != 0 {
			return false, nil
		}
	}
	err = s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
		if why != "" {
			stopped, err = s.stop(t, id, tenants.ConnectionDisabled, why, and, args...)
			return err
		}
		n, err := t.change("UPDATE connections SET warned_at = ? WHERE tenant_id = ? AND id = ? AND state = 'active' AND "+
			"warned_at = 0 AND failing_since = ?", micros(now), uuid(s.id), r.ID, r.FailingSince)
		if err != nil || n == 0 {
			return err
		}
		until := moment(r.FailingSince).Add(tenants.ConnectionDisableAfter)
		_, err = t.alerts().alert(s.scope, tenants.AlertConnection, string(r.ID), tenants.ConnectionWarning(r.Name, until))
		return err
	})
	if stopped {
		s.s.seen.forget()
	}
	return stopped && err == nil, err
}

// givenUp is what a delivery becomes that is given up. Its arguments are now and stoppedEarly.
const (
	givenUp      = "UPDATE deliveries SET state = 'failed', due_at = 0, ended_at = ?, error = CASE WHEN error = '' THEN ? ELSE error END"
	stoppedEarly = "the connection was stopped before the first attempt"
)

// letGo is for a stopped connection that somebody changes. What waits is given up, so that it goes
// out only if somebody replays it. Of the role audit, whose log is to be complete, it goes out once
// the connection is active, and has all its time for that again.
func (s Deliveries) letGo(ctx context.Context, c tenants.Connection) error {
	if c.Role != tenants.RoleAudit {
		return s.giveUp(ctx, c.ID)
	}
	return s.inParts(ctx, "connection_id = ? AND due_at > 0", []any{uuid(c.ID)}, func(t *tx, in string, seqs []any) error {
		now := micros(s.s.now())
		_, err := t.exec("UPDATE deliveries SET due_at = ?, begun_at = ? WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND due_at > 0 AND "+
			stillStopped+" AND seq IN ("+in+")", append([]any{now, now, uuid(s.id), uuid(s.id), uuid(c.ID)}, seqs...)...)
		return err
	})
}

const stillStopped = "EXISTS (SELECT 1 FROM connections c WHERE c.tenant_id = ? AND c.id = ? AND c.state IN ('disabled', 'ended'))"

// giveUp ends what waits for a connection that was disabled or has ended, and is so still.
func (s Deliveries) giveUp(ctx context.Context, id tenants.ConnectionID) error {
	return s.inParts(ctx, "connection_id = ? AND due_at > 0", []any{uuid(id)}, func(t *tx, in string, seqs []any) error {
		_, err := t.exec(givenUp+" WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND due_at > 0 AND "+stillStopped+
			" AND seq IN ("+in+")",
			append([]any{micros(s.s.now()), stoppedEarly, uuid(s.id), uuid(s.id), uuid(id)}, seqs...)...)
		return err
	})
}

// giveUpRest is giveUp in the transaction that changes the state of a stopped connection: what came
// since giveUp is little.
func (s Deliveries) giveUpRest(t *tx, id uuid) error {
	_, err := t.exec(givenUp+" WHERE tenant_id = ? AND connection_id = ? AND due_at > 0", micros(s.s.now()), stoppedEarly, uuid(s.id), id)
	return err
}
