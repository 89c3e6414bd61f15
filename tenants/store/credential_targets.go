package store

import (
	"context"
	"slices"
	"time"

	"carillon/tenants"
)

// Target is a device that a ring is for, with what it is pushed with.
type Target struct {
	Device     tenants.Device
	Credential *tenants.Credential // nil = none for its app
}

// pushedWith is the tenant's credentials, newest first. They are shared: do not change them.
func (s *scope) pushedWith(ctx context.Context) ([]tenants.Credential, error) {
	if e, ok := recall(s.s.seen, s.s.seen.credentials, s.id); ok {
		return e.thing, nil
	}
	turn := s.s.seen.begin()
	rows, err := s.reads().query(ctx, "SELECT "+credentialColumns+" FROM credentials WHERE tenant_id = ? ORDER BY created_at DESC, id "+
		"DESC", uuid(s.id))
	found, err := collect(rows, err, (*credentialRow).fields)
	if err != nil {
		return nil, translate(err)
	}
	list := nouns(found, credentialRow.noun)
	keep(s.s.seen, s.s.seen.credentials, s.id, entry[[]tenants.Credential]{thing: list}, turn)
	return list, nil
}

// targeted is the devices of a ring, live ones only if there are any.
func (s *scope) targeted(ctx context.Context, to tenants.To) ([]tenants.Device, error) {
	at := aim{s.id, to.Device}
	if to.Device == "" {
		return s.readTargeted(ctx, to)
	}
	if e, ok := recall(s.s.seen, s.s.seen.targets, at); ok {
		return []tenants.Device{e.thing}, nil
	}
	turn := s.s.seen.begin()
	found, err := s.readTargeted(ctx, to)
	if err == nil && len(found) == 1 {
		keep(s.s.seen, s.s.seen.targets, at, entry[tenants.Device]{thing: found[0], most: s.s.now().Add(targetFor)}, turn)
	}
	return found, err
}

// readTargeted is targeted without the cache.
func (s *scope) readTargeted(ctx context.Context, to tenants.To) ([]tenants.Device, error) {
	query, arg := "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND id = ?", any(uuid(to.Device))
	if to.Device == "" {
		query, arg = "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND person = ? AND person <> '' ORDER BY created_at, "+
			"id", to.Person
	}
	rows, err := s.reads().query(ctx, query, uuid(s.id), arg)
	found, err := collect(rows, err, (*deviceRow).fields)
	if err != nil {
		return nil, translate(err)
	}
	if len(found) == 0 && to.Device != "" {
		return nil, tenants.NoSuch("device")
	}
	live := func(r deviceRow) bool { return r.State == string(tenants.DeviceActive) }
	if slices.ContainsFunc(found, live) {
		found = slices.DeleteFunc(found, func(r deviceRow) bool { return !live(r) })
	}
	return nouns(found, deviceRow.noun), nil
}

// choose picks out of the tenant's credentials, newest first.
func choose(all []tenants.Credential, d tenants.Device, now time.Time) (best *tenants.Credential) {
	host := d.Host()
	for i := range all {
		c := &all[i]
		if c.Bundle != d.Bundle || c.Environment != tenants.Auto && host != tenants.Auto && c.Environment != host {
			continue
		}
		if c.State == tenants.CredentialActive && (c.NotAfter.IsZero() || now.Before(c.NotAfter)) {
			return c
		}
		if best == nil {
			best = c
		}
	}
	return best
}

// alike are the credentials of the same app and environment in one of the states, newest first.
func (s *scope) alike(t *tx, c tenants.Credential, states ...tenants.CredentialState) (rows []credentialRow, err error) {
	names := make([]string, len(states))
	for i, x := range states {
		names[i] = string(x)
	}
	err = s.in(t.db(), "credentials").Select(credentialColumns).Where("bundle = ? AND environment = ? AND state IN ?", c.Bundle,
		string(c.Environment), names).
		Order("created_at DESC, id DESC").Find(&rows).Error
	return rows, translate(err)
}
