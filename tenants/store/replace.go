package store

import (
	"context"

	"carillon/tenants"
)

// ReplaceCredential adds a credential in the place of the one that its app has for the same environment, which is kept as the
// previous one: RollbackCredential brings it back. The same key in its own place is a Conflict, unless its team or key id was mistyped.
func (s *Scope) ReplaceCredential(ctx context.Context, c tenants.Credential, secret []byte) error {
	return s.addCredential(ctx, c, secret, func(t *tx, row *credentialRow) error {
		old, err := s.alike(t, c, tenants.CredentialActive, tenants.CredentialDisabled)
		if err != nil {
			return err
		}
		for _, o := range old {
			if o.State == string(tenants.CredentialActive) && o.Fingerprint == c.Fingerprint && o.Team == c.Team && o.KeyID == c.KeyID {
				return tenants.Refuse(tenants.Conflict, "conflict", hereAlready)
			}
		}
		if len(old) > 0 {
			row.NoHedge = old[0].NoHedge // a wish of the app's people, not of the file
		}
		for _, o := range old {
			if o.State == string(tenants.CredentialActive) {
				if err := t.setState(s, o.ID, tenants.CredentialPrevious); err != nil {
					return err
				}
			}
			if err := t.settle(s, string(o.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// RollbackCredential brings a previous credential back. id names it, or the one that replaced it; what was in use becomes the
// previous one, so that the same again undoes it.
func (s *Scope) RollbackCredential(ctx context.Context, id tenants.CredentialID) (back tenants.Credential, err error) {
	err = s.write(ctx, func(t *tx) error {
		var row credentialRow
		if err := s.in(t.db(), "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "credential")
		}
		previous, err := s.alike(t, row.noun(), tenants.CredentialPrevious)
		if err != nil {
			return err
		}
		if len(previous) == 0 {
			return tenants.Refuse(tenants.Conflict, "no_previous", "There is no previous credential of this app and environment to go back to.")
		}
		chosen := previous[0]
		if row.State == string(tenants.CredentialPrevious) {
			chosen = row
		}
		active, err := s.alike(t, row.noun(), tenants.CredentialActive)
		if err != nil {
			return err
		}
		for _, a := range active {
			if err := t.setState(s, a.ID, tenants.CredentialPrevious); err != nil {
				return err
			}
		}
		if err := t.setState(s, chosen.ID, tenants.CredentialActive); err != nil {
			return taken(err, "This credential is in use already.")
		}
		if chosen.ID != row.ID {
			if err := t.settle(s, string(row.ID)); err != nil {
				return err
			}
		}
		chosen.State = string(tenants.CredentialActive)
		back = chosen.noun()
		return t.audit(s, "credential.rollback", string(chosen.ID), chosen.Bundle)
	})
	s.s.seen.forget()
	if err != nil {
		return tenants.Credential{}, err
	}
	return back, nil
}

// alike are the credentials of the same app and environment in one of the states, newest first.
func (s *Scope) alike(t *tx, c tenants.Credential, states ...tenants.CredentialState) (rows []credentialRow, err error) {
	names := make([]string, len(states))
	for i, x := range states {
		names[i] = string(x)
	}
	err = s.in(t.db(), "credentials").Select(credentialColumns).Where("bundle = ? AND environment = ? AND state IN ?", c.Bundle, string(c.Environment), names).
		Order("created_at DESC, id DESC").Find(&rows).Error
	return rows, translate(err)
}

func (t *tx) setState(s *Scope, id uuid, to tenants.CredentialState) error {
	_, err := t.exec("UPDATE credentials SET state = ? WHERE tenant_id = ? AND id = ?", string(to), uuid(s.id), id)
	return err
}
