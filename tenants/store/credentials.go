package store

import (
	"context"
	"fmt"
	"strings"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type credentialRow struct {
	TenantID    uuid
	ID          uuid
	Kind        string
	Bundle      string
	Environment string
	Team        string
	KeyID       string
	Topics      string
	Fingerprint string
	NotAfter    int64
	State       string
	LastError   string
	LastErrorAt int64
	LastUsedAt  int64
	Created     int64 `gorm:"column:created_at"`
	NoHedge     bool
	Profile     string
}

func (credentialRow) TableName() string { return "credentials" }

// sealedRow is the row with its secret; it is read by Credentials.Open only.
type sealedRow struct {
	Row    credentialRow `gorm:"embedded"`
	Secret []byte
}

func (sealedRow) TableName() string { return "credentials" }

// credentialColumns in the order of fields; never the secret.
const credentialColumns = "tenant_id, id, kind, bundle, environment, team, key_id, topics, fingerprint, not_after, state, last_error, " +
	"last_error_at, last_used_at, created_at, no_hedge, profile"

func (r *credentialRow) fields() []any {
	return []any{&r.TenantID, &r.ID, &r.Kind, &r.Bundle, &r.Environment, &r.Team, &r.KeyID, &r.Topics, &r.Fingerprint, &r.NotAfter,
		&r.State, &r.LastError, &r.LastErrorAt, &r.LastUsedAt, &r.Created, &r.NoHedge, &r.Profile}
}

func (r credentialRow) noun() tenants.Credential {
	return tenants.Credential{
		ID: tenants.CredentialID(r.ID), Tenant: tenants.TenantID(r.TenantID), Kind: tenants.CredentialKind(r.Kind), Bundle: r.Bundle,
		Environment: tenants.Environment(r.Environment), Team: r.Team, KeyID: r.KeyID, Topics: strings.Fields(r.Topics),
		Fingerprint: r.Fingerprint, NotAfter: moment(r.NotAfter), State: tenants.CredentialState(r.State), LastError: r.LastError,
		LastErrorAt: moment(r.LastErrorAt), LastUsedAt: moment(r.LastUsedAt), CreatedAt: moment(r.Created), NoHedge: r.NoHedge,
		Profile: tenants.PayloadProfile(r.Profile),
	}
}

// credentialOrders: a tenant has at most tenants.CapCredentials, so no index is needed.
var credentialOrders = orders[credentialRow]{"created", map[Sort]order[credentialRow]{
	"created": by("created_at, id", func(r credentialRow) []any { return []any{r.Created, r.ID} }),
	"app":     byText("LOWER(bundle)", "id", func(r credentialRow) []any { return []any{r.Bundle, r.ID} }),
	"state":   by("state, id", func(r credentialRow) []any { return []any{r.State, r.ID} }),
	"used":    by("last_used_at, id", func(r credentialRow) []any { return []any{r.LastUsedAt, r.ID} }),

	"environment": by("environment, id", func(r credentialRow) []any { return []any{r.Environment, r.ID} }),
}}

// sealedAs is the associated data of a credential's secret: a blob that is copied to another row
// does not open.
func (s *scope) sealedAs(id tenants.CredentialID) []string {
	return []string{string(s.id), "credentials", string(id)}
}

const hereAlready = "This credential is here already, for the same app and environment."

// Credentials are the tenant's APNs credentials. Their secrets are sealed; only Open gives one.
type Credentials struct{ *scope }

// Credentials returns the tenant's Credentials.
func (s *Scope) Credentials() Credentials { return Credentials{&s.scope} }

// Add adds a credential and seals its secret. The same key for the same app and environment again
// is a Conflict.
func (s Credentials) Add(ctx context.Context, c tenants.Credential, secret []byte) error {
	return s.addCredential(ctx, c, secret, func(*tx, *credentialRow) error { return nil })
}

// addCredential adds, and makes room first in the same transaction.
func (s *scope) addCredential(ctx context.Context, c tenants.Credential, secret []byte, room func(*tx, *credentialRow) error) error {
	blob, err := s.s.seal.Seal(secret, s.sealedAs(c.ID)...)
	if err != nil {
		return fmt.Errorf("store: credential %s: %w", c.ID, err)
	}
	if c.State == "" {
		c.State = tenants.CredentialActive
	}
	if c.Profile == "" {
		c.Profile = tenants.ProfileCarillon
	}
	row := sealedRow{Secret: blob, Row: credentialRow{
		TenantID: uuid(s.id), ID: uuid(c.ID), Kind: string(c.Kind), Bundle: c.Bundle, Environment: string(c.Environment), Team: c.Team,
		KeyID: c.KeyID, Topics: strings.Join(c.Topics, " "), Fingerprint: c.Fingerprint, NotAfter: micros(c.NotAfter),
		State:     string(c.State),
		LastError: c.LastError, LastErrorAt: micros(c.LastErrorAt), LastUsedAt: micros(c.LastUsedAt), Created: micros(c.CreatedAt),
		NoHedge: c.NoHedge, Profile: string(c.Profile),
	}}
	err = s.write(ctx, func(t *tx) error {
		if err := room(t, &row.Row); err != nil {
			return err
		}
		if err := t.room(s, tenants.CapCredentials, "credentials", "TRUE"); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, hereAlready)
		}
		return t.audit(s, "credential.add", string(row.Row.ID), row.Row.Bundle)
	})
	s.s.seen.forget()
	return err
}

func (s Credentials) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "credentials")
	if q.Search != "" {
		found, args := s.s.db.dialect.contains(q.Search).inAny("bundle", "team", "key_id")
		db = db.Where("("+found+")", args...)
	}
	return db
}

// List lists credentials. They can be sorted by "created", "app", "state" and "used".
func (s Credentials) List(ctx context.Context, q Page) ([]tenants.Credential, string, error) {
	rows, next, err := list(s.found(ctx, q).Select(credentialColumns), q, credentialOrders)
	return nouns(rows, credentialRow.noun), next, err
}

// Total counts the credentials that List finds.
func (s Credentials) Total(ctx context.Context, q Page) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// Get is one credential.
func (s Credentials) Get(ctx context.Context, id tenants.CredentialID) (tenants.Credential, error) {
	var row credentialRow
	if err := s.read(ctx, "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Credential{}, missing(err, "credential")
	}
	return row.noun(), nil
}

// Open is one credential with its secret in the clear.
func (s Credentials) Open(ctx context.Context, id tenants.CredentialID) (tenants.Credential, []byte, error) {
	var row sealedRow
	if err := s.read(ctx, "credentials").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Credential{}, nil, missing(err, "credential")
	}
	secret, err := s.s.seal.Open(row.Secret, s.sealedAs(id)...)
	if err != nil {
		return tenants.Credential{}, nil, fmt.Errorf("store: credential %s: %w", id, err)
	}
	return row.Row.noun(), secret, nil
}

// Remove removes a credential and its secret.
func (s Credentials) Remove(ctx context.Context, id tenants.CredentialID) error {
	err := s.write(ctx, func(t *tx) error {
		var old credentialRow
		if err := s.in(t.db(), "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&old).Error; err != nil {
			return missing(err, "credential")
		}
		if _, err := t.exec("DELETE FROM credentials WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "credential.remove", string(id), old.noun().Title())
	})
	s.s.seen.forget()
	return err
}

// NoteRefusal records that Apple refused the credential, and disables it when that is for good.
func (s Credentials) NoteRefusal(ctx context.Context, id tenants.CredentialID, reason string, disable bool, at time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		var row credentialRow
		if err := s.in(t.db(), "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "credential")
		}
		state, action := row.State, "credential.trouble"
		if disable {
			state, action = string(tenants.CredentialDisabled), "credential.disable"
		}
		_, err := t.exec("UPDATE credentials SET state = ?, last_error = ?, last_error_at = ? WHERE tenant_id = ? AND id = ?",
			state, reason, micros(at), uuid(s.id), uuid(id))
		if err != nil {
			return err
		}
		if row.State == state && row.LastError == reason {
			return nil // the same trouble again is no news
		}
		return t.audit(s.scope, action, string(id), reason)
	})
	s.s.seen.forget()
	return err
}

// Confine records that Apple's host of an environment does not take the credential. One that was
// for both is from then on for the other; one that was for that host alone is disabled; one that
// was for the other all the time stays as it is.
func (s Credentials) Confine(ctx context.Context, id tenants.CredentialID, refused tenants.Environment, reason string, at time.Time) error {
	err := s.write(ctx, func(t *tx) error {
		var row credentialRow
		if err := s.in(t.db(), "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
			return missing(err, "credential")
		}
		action, detail := "credential.confine", reason
		switch tenants.Environment(row.Environment) {
		case tenants.Auto:
			twin, err := s.twin(t, row, refused.Other())
			if err != nil {
				return err
			}
			if twin { // the same key serves that host already, and this one has no other left
				action, row.State = "credential.disable", string(tenants.CredentialDisabled)
				break
			}
			row.Environment = string(refused.Other())
			detail = reason + ", " + row.Environment + " only"
		case refused:
			action, row.State = "credential.disable", string(tenants.CredentialDisabled)
		default:
			return nil
		}
		_, err := t.exec("UPDATE credentials SET environment = ?, state = ?, last_error = ?, last_error_at = ? WHERE tenant_id = ? AND "+
			"id = ?",
			row.Environment, row.State, reason, micros(at), uuid(s.id), uuid(id))
		if err != nil {
			return err
		}
		return t.audit(s.scope, action, string(id), detail)
	})
	s.s.seen.forget()
	return err
}

// twin says whether another credential in use has the same key for the same app in an environment.
func (s *scope) twin(t *tx, row credentialRow, env tenants.Environment) (bool, error) {
	var n int64
	err := s.in(t.db(), "credentials").Where("bundle = ? AND environment = ? AND fingerprint = ? AND state = ? AND id <> ?",
		row.Bundle, string(env), row.Fingerprint, string(tenants.CredentialActive), row.ID).Count(&n).Error
	return n > 0, err
}

// before is a credential as it is before a change, without its secret.
func (s Credentials) before(t *tx, id tenants.CredentialID) (row credentialRow, err error) {
	return row, missing(s.in(t.db(), "credentials").Select(credentialColumns).Where("id = ?", uuid(id)).Take(&row).Error, "credential")
}

// SetHedging says whether a push may be sent again because a connection to Apple is silent.
func (s Credentials) SetHedging(ctx context.Context, id tenants.CredentialID, on bool) error {
	err := s.write(ctx, func(t *tx) error {
		old, err := s.before(t, id)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE credentials SET no_hedge = ? WHERE tenant_id = ? AND id = ?", !on, uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.auditSet(s.scope, "credential.hedging", string(id), onOff(on),
			tenants.Change{Field: "hedging", Before: onOff(!old.NoHedge), After: onOff(on)})
	})
	s.s.seen.forget()
	return err
}

// SetProfile says which fields the credential's pushes have, from the next ring.
func (s Credentials) SetProfile(ctx context.Context, id tenants.CredentialID, p tenants.PayloadProfile) error {
	if err := tenants.CheckProfile(p); err != nil {
		return err
	}
	err := s.write(ctx, func(t *tx) error {
		old, err := s.before(t, id)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE credentials SET profile = ? WHERE tenant_id = ? AND id = ?", string(p), uuid(s.id),
			uuid(id)); err != nil {
			return err
		}
		return t.auditSet(s.scope, "credential.profile", string(id), string(p),
			tenants.Change{Field: "payload_profile", Before: old.Profile, After: string(p)})
	})
	s.s.seen.forget()
	return err
}

// NoteUse records that the credential was pushed with, to the minute. It is cheap to call when that
// is known already.
func (s Credentials) NoteUse(ctx context.Context, id tenants.CredentialID, at time.Time) error {
	c, err := s.Get(ctx, id)
	if err != nil || at.Sub(c.LastUsedAt) < grain {
		return err
	}
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		_, err := t.exec("UPDATE credentials SET last_used_at = ? WHERE tenant_id = ? AND id = ? AND last_used_at < ?",
			micros(at), uuid(s.id), uuid(id), micros(at))
		return err
	})
}

// credentialsTx is the writer's transaction as it changes Apple credentials and API keys.
type credentialsTx struct{ *tx }

func (t *tx) credentials() credentialsTx { return credentialsTx{t} }

func (t credentialsTx) setState(s *scope, id uuid, to tenants.CredentialState) error {
	_, err := t.exec("UPDATE credentials SET state = ? WHERE tenant_id = ? AND id = ?", string(to), uuid(s.id), id)
	return err
}

// Replace adds a credential in the place of the one that its app has for the same environment,
// which is kept as the previous one: Credentials.Rollback brings it back. The same key in its own
// place is a Conflict, unless its team or key id was mistyped.
func (s Credentials) Replace(ctx context.Context, c tenants.Credential, secret []byte) error {
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
			if c.Profile == "" {
				row.Profile = old[0].Profile
			}
		}
		for _, o := range old {
			if o.State == string(tenants.CredentialActive) {
				if err := t.credentials().setState(s.scope, o.ID, tenants.CredentialPrevious); err != nil {
					return err
				}
			}
			if err := t.alerts().settle(s.scope, string(o.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Rollback brings a previous credential back. id names it, or the one that replaced it; what was in
// use becomes the previous one, so that the same again undoes it.
func (s Credentials) Rollback(ctx context.Context, id tenants.CredentialID) (back tenants.Credential, err error) {
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
			return tenants.Refuse(tenants.Conflict, "no_previous",
				"There is no previous credential of this app and environment to go back to.")
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
			if err := t.credentials().setState(s.scope, a.ID, tenants.CredentialPrevious); err != nil {
				return err
			}
		}
		if err := t.credentials().setState(s.scope, chosen.ID, tenants.CredentialActive); err != nil {
			return taken(err, "This credential is in use already.")
		}
		if chosen.ID != row.ID {
			if err := t.alerts().settle(s.scope, string(row.ID)); err != nil {
				return err
			}
		}
		chosen.State = string(tenants.CredentialActive)
		back = chosen.noun()
		return t.auditSet(s.scope, "credential.rollback", string(chosen.ID), chosen.Bundle,
			tenants.Change{Field: "state", Before: string(tenants.CredentialPrevious), After: string(tenants.CredentialActive)})
	})
	s.s.seen.forget()
	if err != nil {
		return tenants.Credential{}, err
	}
	return back, nil
}
