package store

import (
	"context"

	"carillon/tenants"
)

// entitled is what the tenant may do, as the transaction sees it; ok is false for a tenant without
// a subscription, who may do all.
func (t *tx) entitled(s *scope) (e tenants.Entitlement, ok bool, err error) {
	sub, ok, err := s.subscription(context.Background(), t, "")
	if err != nil || !ok {
		return tenants.Entitlement{}, false, err
	}
	return tenants.Entitle(&sub, s.s.plan(sub.Plan), tenants.Usage{}, s.s.now()), true, nil
}

// mayAddDevices refuses n devices that the plan has no room for. It counts in the transaction that
// would add them: two at once cannot both be the last one.
func (t devicesTx) mayAddDevices(s *scope, n int) error {
	have, err := t.tally("SELECT COUNT(*) FROM devices WHERE tenant_id = ? AND state = 'active'", uuid(s.id))
	if err != nil {
		return err
	}
	have += int64(n - 1)
	if err := tenants.CapDevices.Check(have); err != nil {
		return err
	}
	e, ok, err := t.entitled(s)
	if err != nil || !ok {
		return err
	}
	e.Usage.Devices = have
	return e.Device()
}

// mayAddPerson refuses a person whom the plan has no room for. A person who is invited already
// takes a place; email is who is invited now.
func (t peopleTx) mayAddPerson(s *scope, email string) error {
	e, ok, err := t.entitled(s)
	if err != nil || !ok {
		return err
	}
	members, err := t.tally("SELECT COUNT(*) FROM members WHERE tenant_id = ?", uuid(s.id))
	if err != nil {
		return err
	}
	invited, err := t.tally("SELECT COUNT(*) FROM invitations WHERE tenant_id = ? AND email <> ?", uuid(s.id), email)
	if err != nil {
		return err
	}
	e.Usage.People = members + invited
	return e.Person()
}

// room refuses one more row of a table where the tenant has as many as a cap allows; which narrows
// the rows that count.
func (t *tx) room(s *scope, c tenants.Cap, table, which string, args ...any) error {
	have, err := t.tally("SELECT COUNT(*) FROM "+table+" WHERE tenant_id = ? AND "+which, append([]any{uuid(s.id)}, args...)...)
	if err != nil {
		return err
	}
	return c.Check(have)
}

func (t *tx) tally(query string, args ...any) (int64, error) {
	return one(t.query(context.Background(), query, args...))
}
