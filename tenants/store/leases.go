package store

import (
	"context"
	"errors"
	"slices"
	"time"

	"carillon/tenants"
)

// The lease of a ring is its due moment while it is on its way to Apple. On PostgreSQL several
// servers share the rings: the one that pushes a ring renews its lease, and another one that claims
// it writes its own token into pushed_by. From then on the first one's answers are not recorded, so
// that a server that was stopped for a while writes nothing over what happened meanwhile.

// ErrTaken is the error of a change by a fenced scope: another server has taken the ring over.
var ErrTaken = errors.New("store: another server has taken the ring over")

// Shared reports that other servers may use the same database.
func (s *Store) Shared() bool { return !s.db.dialect.isFile() }

// Fenced returns the same scope, whose Rings.Change fails with ErrTaken once another server has
// claimed the ring's pushes.
func (s *Scope) Fenced() *Scope {
	p := *s
	p.fenced = true
	return &p
}

// mine is the condition that no other server has claimed the ring, with its arguments.
func (s *core) mine() (string, []any) {
	return "(pushed_by IS NULL OR pushed_by = ?)", []any{s.self}
}

// fence is what a change of a ring adds to its condition.
func (s *scope) fence() (string, []any) {
	if !s.fenced || s.s.db.dialect.isFile() {
		return "", nil
	}
	mine, args := s.s.mine()
	return " AND " + mine, args
}

// AttemptName names an attempt of any tenant.
type AttemptName struct {
	Tenant  tenants.TenantID
	Ring    tenants.RingID
	Attempt tenants.AttemptID
}

// stepEnd is when the steps that ring of a ring to a group are over; of another ring its expiry. It
// is of some rings; see dialect.within.
func (d dialect) stepEnd(rings []ringName) (value string, args []any) {
	within, ends := d.within("p.ring_id", rings)
	return "COALESCE((SELECT MAX(p.begun_at + p.for_us) FROM ring_steps p WHERE p.tenant_id = rings.tenant_id AND " +
		"p.ring_id = rings.id AND p.state = 'rung'" + within + "), expires_at)", ends
}

// RenewLeases moves the moment of rings that this server pushes to until, or to their expiry or the
// end of their step if that is sooner, and never back. It gives those that it still holds: not a
// ring that has ended or was answered, and not one that another server has claimed.
func (s Jobs) RenewLeases(ctx context.Context, attempts []AttemptName, until time.Time) (held map[tenants.RingID]bool, err error) {
	to := micros(until) // the next step begins when the sweep finds the ring due
	mine, me := s.mine()
	names := make([]ringName, len(attempts))
	for i, a := range attempts {
		names[i] = ringName{uuid(a.Tenant), uuid(a.Ring)}
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		held = map[tenants.RingID]bool{}
		for some := range slices.Chunk(names, sizes[0]) {
			where, args := t.d.dialect.namedRings("tenant_id", "id", some)
			stepEnd, ends := t.d.dialect.stepEnd(some)
			args = slices.Concat([]any{to, to}, ends, []any{to}, ends, []any{to}, me, args)
			rows, err := t.query(ctx, "UPDATE rings SET due_at = CASE WHEN due_at > ? THEN due_at WHEN expires_at < ? THEN expires_at "+
				"WHEN "+stepEnd+" BETWEEN due_at AND ? THEN "+stepEnd+" ELSE ? END WHERE due_at IS NOT NULL AND "+
				"state <> 'answered' AND "+mine+" AND ("+where+") RETURNING id", args...)
			found, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
			if err != nil {
				return err
			}
			for _, id := range found {
				held[id] = true
			}
		}
		return nil
	})
	return held, err
}

// Inherit makes the rings due at once that the server before this one had not pushed when it ended,
// and says how many they are. Call it before this one takes rings. On SQLite one server runs at a
// time, so nobody else pushes them, and a ring has little time: to wait for the end of their leases
// would cost it three seconds. On PostgreSQL it does nothing: only the lease says that a server is
// gone.
func (s Nodes) Inherit(ctx context.Context) (n int64, err error) {
	if !s.db.dialect.isFile() {
		return 0, nil
	}
	now := micros(s.now())
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		n, err = t.change("UPDATE rings SET due_at = ? WHERE due_at > ? AND expires_at > ? AND state <> 'answered' AND EXISTS "+
			"(SELECT 1 FROM attempts a WHERE a.tenant_id = rings.tenant_id AND a.ring_id = rings.id AND a.state = 'placed' AND "+
			"a.status = 0)", now, now, now)
		return err
	})
	return n, err
}

// Over gives those of the attempts for which this server must send nothing more: the phone has
// spoken, Apple has answered, the ring has ended, or another server has claimed it. An attempt that
// is not committed yet is not among them.
func (s Jobs) Over(ctx context.Context, attempts []AttemptName) (over []tenants.AttemptID, err error) {
	mine, me := s.mine()
	for some := range slices.Chunk(attempts, sizes[0]) {
		names := make([]attemptName, len(some))
		for i, a := range some {
			names[i] = attemptName{ringName{uuid(a.Tenant), uuid(a.Ring)}, uuid(a.Attempt)}
		}
		where, args := s.db.dialect.namedAttempts(names)
		within, ends := s.db.dialect.within("rings.id", ringsIn(names))
		rows, err := s.db.through(allTenants).query(ctx, "SELECT id FROM attempts WHERE ("+where+") AND "+
			"(state <> 'placed' OR status <> 0 OR "+
			"EXISTS (SELECT 1 FROM rings WHERE rings.tenant_id = attempts.tenant_id AND rings.id = attempts.ring_id"+within+
			" AND (ended_at <> 0 OR NOT "+mine+")))", slices.Concat(args, ends, me)...)
		found, err := collect(rows, err, func(id *tenants.AttemptID) []any { return []any{(*uuid)(id)} })
		if err != nil {
			return nil, translate(err)
		}
		over = append(over, found...)
	}
	return over, nil
}
