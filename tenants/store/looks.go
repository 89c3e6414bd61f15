package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// How long an operator may look at a tenant's console at once, and how long the one-time code works
// that leads there.
const (
	LookTime     = 30 * time.Minute
	LookCodeTime = time.Minute
)

// Look is an operator who looks at a tenant's console. It ends with the tenant's consent.
type Look struct {
	Operator  tenants.Operator
	Tenant    tenants.Tenant
	ExpiresAt time.Time
}

const lookGone = "This link was used already, or it is older than a minute. Open the console again from the tenant's page."

// SetLook lets operators look at the tenant's console until a moment, or with the zero time not any
// more. Those who look then are put out at once; EndLooks records that.
func (s *Scope) SetLook(ctx context.Context, until time.Time) error {
	return s.write(ctx, func(t *tx) error {
		var was int64
		if err := t.row("SELECT look_until FROM tenants WHERE id = ?", []any{uuid(s.id)}, &was); err != nil {
			return missing(err, "tenant")
		}
		detail := lookedUntil(until)
		n, err := t.change("UPDATE tenants SET look_until = ? WHERE id = ? AND look_until <> ?", micros(until), uuid(s.id), micros(until))
		if err != nil || n == 0 {
			return err
		}
		if until.IsZero() {
			now := micros(s.s.now())
			if _, err := t.exec("UPDATE operator_looks SET expires_at = ? WHERE tenant = ? AND expires_at > ?", now, uuid(s.id),
				now); err != nil {
				return err
			}
		}
		return t.auditSet(&s.scope, "tenant.look_set", string(s.id), detail,
			tenants.Change{Field: "look_until", Before: lookedUntil(moment(was)), After: detail})
	})
}

func lookedUntil(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return at.UTC().Format(time.RFC3339)
}

// NewLook makes a one-time code with which an operator opens the tenant's console. Without the
// tenant's consent it is Forbidden.
func (s Operators) NewLook(ctx context.Context, o tenants.OperatorID, tenant tenants.TenantID, code tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		now := s.now()
		n, err := t.tally("SELECT COUNT(*) FROM tenants WHERE id = ? AND look_until > ? AND state = ?", uuid(tenant), micros(now),
			string(tenants.TenantActive))
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.Refuse(tenants.Forbidden, "no_consent", "The tenant does not let operators look. Its owner can allow it in "+
				"Settings.")
		}
		_, err = t.exec("INSERT INTO operator_looks (hash, operator_id, tenant, code, expires_at) VALUES (?, ?, ?, ?, ?)", code[:],
			uuid(o), uuid(tenant), true, micros(now.Add(LookCodeTime)))
		return err
	})
}

type lookRow struct {
	operator, tenant uuid
	expires, until   int64
}

// look finds a code or a look that is not over, of a tenant that still agrees.
func (s Operators) look(ctx context.Context, q querier, h tenants.Hash, code bool) (l lookRow, found bool, err error) {
	now := micros(s.now())
	rows, err := q.query(ctx, "SELECT l.operator_id, l.tenant, l.expires_at, t.look_until FROM operator_looks l "+
		"JOIN tenants t ON t.id = l.tenant JOIN operators o ON o.id = l.operator_id "+
		"WHERE l.hash = ? AND l.code = ? AND l.expires_at > ? AND t.look_until > ? AND t.state = 'active' AND o.disabled_at = 0",
		h[:], code, now, now)
	all, err := collect(rows, err, func(r *lookRow) []any { return []any{&r.operator, &r.tenant, &r.expires, &r.until} })
	if err != nil || len(all) == 0 {
		return l, false, translate(err)
	}
	return all[0], true, nil
}

func (s Operators) lookOf(ctx context.Context, r lookRow) (l Look, err error) {
	if l.Operator, err = s.Get(ctx, tenants.OperatorID(r.operator)); err != nil {
		return l, err
	}
	l.Tenant, err = s.of(tenants.TenantID(r.tenant)).tenant(ctx)
	l.ExpiresAt = moment(min(r.expires, r.until))
	return l, err
}

// LookCode finds what a one-time code opens, without using it. One that is unknown, used or too old
// is Gone.
func (s Operators) LookCode(ctx context.Context, code tenants.Hash) (Look, error) {
	r, ok, err := s.look(ctx, s.db.through(allTenants), code, true)
	if err == nil && !ok {
		err = tenants.Refuse(tenants.Gone, "link_gone", lookGone)
	}
	if err != nil {
		return Look{}, err
	}
	return s.lookOf(ctx, r)
}

// TakeLook uses a one-time code up and lets its operator look for LookTime at most, known by the
// hash of a cookie. Both records get an entry.
func (s Operators) TakeLook(ctx context.Context, code, cookie tenants.Hash, by Who) (Look, error) {
	l, err := s.LookCode(ctx, code)
	if err != nil {
		return l, err
	}
	by.Actor = l.Operator.Actor()
	scope := s.of(l.Tenant.ID).by(by)
	err = scope.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM operator_looks WHERE hash = ? AND code = ? AND expires_at > ?", code[:], true, micros(s.now()))
		if err == nil && n == 0 {
			err = tenants.Refuse(tenants.Gone, "link_gone", lookGone)
		}
		if err != nil {
			return err
		}
		l.ExpiresAt = stored(s.now().Add(LookTime))
		if _, err := t.exec("INSERT INTO operator_looks (hash, operator_id, tenant, code, expires_at) VALUES (?, ?, ?, ?, ?)", cookie[:],
			uuid(l.Operator.ID), uuid(l.Tenant.ID), false, micros(l.ExpiresAt)); err != nil {
			return err
		}
		return t.audit(scope, "tenant.look", string(l.Tenant.ID), "")
	})
	return l, err
}

// Look finds who looks by the hash of their cookie; found is false where it is over, or the tenant
// does not agree any more.
func (s Operators) Look(ctx context.Context, cookie tenants.Hash) (l Look, found bool, err error) {
	r, found, err := s.look(ctx, s.db.through(allTenants), cookie, false)
	if err != nil || !found {
		return l, false, err
	}
	l, err = s.lookOf(ctx, r)
	return l, err == nil, err
}

// EndLook ends a look; one that is over already is no error.
func (s Operators) EndLook(ctx context.Context, l Look, cookie tenants.Hash, by Who) error {
	by.Actor = l.Operator.Actor()
	scope := s.of(l.Tenant.ID).by(by)
	return scope.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM operator_looks WHERE hash = ? AND code = ?", cookie[:], false)
		if err != nil || n == 0 {
			return err
		}
		return t.audit(scope, "tenant.look_end", string(l.Tenant.ID), "")
	})
}

// EndLooks ends the looks whose time is over, also those that the tenant turned off or whose
// operator was reset or disabled, and says how many that was. Both records get an entry of each.
func (s Jobs) EndLooks(ctx context.Context) (ended int, err error) {
	type row struct {
		hash             []byte
		operator, tenant uuid
		code             bool
	}
	now := micros(s.now())
	rows, err := s.db.through(noTenant).query(ctx, "SELECT hash, operator_id, tenant, code FROM operator_looks "+
		"WHERE expires_at <= ? LIMIT 500", now)
	over, err := collect(rows, err, func(r *row) []any { return []any{&r.hash, &r.operator, &r.tenant, &r.code} })
	if err != nil {
		return 0, translate(err)
	}
	for _, r := range over {
		o, err := Operators(s).Get(ctx, tenants.OperatorID(r.operator))
		if err != nil {
			return ended, err
		}
		scope := s.of(tenants.TenantID(r.tenant)).by(Who{Actor: o.Actor()})
		look := false // and not a code
		end := func(t *tx) error {
			n, err := t.change("DELETE FROM operator_looks WHERE hash = ? AND expires_at <= ?", r.hash, now)
			if look = n > 0 && !r.code; err != nil || !look { // it may run more than once
				return err
			}
			return t.audit(scope, "tenant.look_end", string(scope.id), "its time was over, or it was turned off")
		}
		if err = scope.write(ctx, end); tenants.KindOf(err) == tenants.Unknown { // the tenant is gone
			err = s.w.do(ctx, noTenant, func(t *tx) error {
				_, err := t.exec("DELETE FROM operator_looks WHERE hash = ?", r.hash)
				return err
			})
		}
		if err != nil {
			return ended, err
		}
		if look {
			ended++
		}
	}
	return ended, nil
}
