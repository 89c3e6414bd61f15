package store

import (
	"context"
	"errors"

	"carillon/tenants"
)

// stateRemoved is the state of a connection that a person or a key has removed, as long as
// EmptyConnections has not removed its rows. Only this package knows it.
const stateRemoved = "removed"

// there is the condition that a connection was not removed.
const there = "state <> '" + stateRemoved + "'"

// Remove removes a connection: from now on nothing is sent to it, nothing finds it, and its secrets
// are gone. EmptyConnections removes its rows, because millions of deliveries take longer than
// anybody waits for an answer.
func (s Connections) Remove(ctx context.Context, id tenants.ConnectionID) error {
	nothing, err := s.seal(id, connectionSecrets{})
	if err != nil {
		return err
	}
	return s.changing(ctx, func(t *tx) error {
		old, err := s.held(t, id)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE connections SET state = ?, sealed = ? WHERE tenant_id = ? AND id = ?", stateRemoved, nothing,
			uuid(s.id), uuid(id)); err != nil {
			return err
		}
		for _, table := range []string{"schedules", "audit_marks"} { // what was read for it, and how far it has read
			if _, err := t.exec("DELETE FROM "+table+" WHERE tenant_id = ? AND connection_id = ?", uuid(s.id), uuid(id)); err != nil {
				return err
			}
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "connection.remove", string(id), old.Name)
	})
}

// EmptyConnections removes the rows of the connections that were removed, of every tenant: the
// deliveries with their attempts, a few in each commit, so that rings never wait long for it, and
// then the connection. What it does not finish is left for the next time.
func (s *Store) EmptyConnections(ctx context.Context) error {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id FROM connections c JOIN tenants t ON "+
		"t.id = c.tenant_id WHERE c.state = '"+stateRemoved+"'")
	found, err := collect(rows, err, func(d *DueConnection) []any { return []any{(*uuid)(&d.Tenant), (*uuid)(&d.Connection)} })
	if err != nil {
		return translate(err)
	}
	var errs []error
	for _, d := range found {
		errs = append(errs, Connections{s.of(d.Tenant)}.empty(ctx, d.Connection))
	}
	return errors.Join(errs...)
}

func (s Connections) empty(ctx context.Context, id tenants.ConnectionID) error {
	err := Deliveries(s).inParts(ctx, "connection_id = ?", []any{uuid(id)}, func(t *tx, in string, seqs []any) error {
		_, err := t.exec("DELETE FROM deliveries WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND seq IN ("+in+")",
			append([]any{uuid(s.id)}, seqs...)...)
		return err
	})
	if err != nil {
		return err
	}
	// A process that had read its listeners before the removal may have written one more delivery.
	return s.s.w.yield(ctx, s.access(), func(t *tx) error {
		_, err := t.exec("DELETE FROM connections WHERE tenant_id = ? AND id = ? AND state = '"+stateRemoved+"' AND NOT EXISTS "+
			"(SELECT 1 FROM deliveries d WHERE d.tenant_id = ? AND d.connection_id = ?)", uuid(s.id), uuid(id), uuid(s.id), uuid(id))
		return err
	})
}
