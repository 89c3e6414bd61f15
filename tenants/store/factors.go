package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// Factors are what people prove themselves with beside a password.
type Factors struct{ *core }

// Factors returns the Factors of all people.
func (s *Store) Factors() Factors { return Factors{&s.core} }

// sealedSeed binds a seed to its person. No tenant is in it: a person can belong to several.
func sealedSeed(u tenants.UserID) []string { return []string{"", "authenticators", string(u)} }

const recountSteps = "UPDATE users SET two_steps = EXISTS (SELECT 1 FROM authenticators WHERE user_id = users.id) OR " +
	"EXISTS (SELECT 1 FROM passkeys WHERE user_id = users.id) WHERE id = ?"

// changed is what follows a change of a person's factors: their other sign-ins end, and each of
// their tenants gets an audit row.
func (s Factors) changed(t *tx, by Who, action string, u tenants.UserID, keep tenants.Hash) error {
	if _, err := t.exec(recountSteps, uuid(u)); err != nil {
		return err
	}
	if err := t.endSignIns(u, keep); err != nil {
		return err
	}
	return t.people().auditEverywhere(s.core, by, action, u, "")
}

// SetAuthenticator keeps the seed of a person's app, sealed, in place of an older one. step is the
// one of the code that confirmed it. Their sign-ins end but keep.
func (s Factors) SetAuthenticator(ctx context.Context, by Who, u tenants.UserID, seed string, step int64, keep tenants.Hash) error {
	blob, err := s.seal.Seal([]byte(seed), sealedSeed(u)...)
	if err != nil {
		return err
	}
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if _, err := t.exec("DELETE FROM authenticators WHERE user_id = ?", uuid(u)); err != nil {
			return err
		}
		if _, err := t.exec("INSERT INTO authenticators (user_id, secret, last_step, created_at) VALUES (?, ?, ?, ?)", uuid(u), blob, step,
			micros(s.now())); err != nil {
			return err
		}
		return s.changed(t, by, "user.app", u, keep)
	})
}

// Authenticator is the seed of a person's app and the last step used; empty when they have none.
func (s Factors) Authenticator(ctx context.Context, u tenants.UserID) (seed string, last int64, err error) {
	type found struct {
		secret []byte
		last   int64
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT secret, last_step FROM authenticators WHERE user_id = ?", uuid(u))
	all, err := collect(rows, err, func(f *found) []any { return []any{&f.secret, &f.last} })
	if err != nil || len(all) == 0 {
		return "", 0, translate(err)
	}
	plain, err := s.seal.Open(all[0].secret, sealedSeed(u)...)
	return string(plain), all[0].last, err
}

// UseStep notes the step of a code. It reports false when that step, or a later one, was used
// meanwhile.
func (s Factors) UseStep(ctx context.Context, u tenants.UserID, step int64) (fresh bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE authenticators SET last_step = ? WHERE user_id = ? AND last_step < ?", step, uuid(u), step)
		fresh = n == 1
		return err
	})
	return fresh, err
}

// RemoveAuthenticator forgets a person's app. Recovery codes go with the last factor.
func (s Factors) RemoveAuthenticator(ctx context.Context, by Who, u tenants.UserID, keep tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("DELETE FROM authenticators WHERE user_id = ?", uuid(u))
		if err != nil || n == 0 {
			return err
		}
		if err := s.changed(t, by, "user.app_removed", u, keep); err != nil {
			return err
		}
		return s.dropUseless(t, u)
	})
}

// dropUseless deletes the recovery codes of a person without a second step.
func (s Factors) dropUseless(t *tx, u tenants.UserID) error {
	_, err := t.exec("DELETE FROM recovery_codes WHERE user_id = ? AND user_id IN (SELECT id FROM users WHERE two_steps = ?)",
		uuid(u), false)
	return err
}

// Clear removes every second step of a person and ends their sign-ins: for the operator, when a
// person has lost them all.
func (s Factors) Clear(ctx context.Context, by Who, u tenants.UserID) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		for _, query := range []string{"DELETE FROM authenticators WHERE user_id = ?", "DELETE FROM passkeys WHERE user_id = ?",
			"DELETE FROM recovery_codes WHERE user_id = ?", "DELETE FROM half_sign_ins WHERE user_id = ?"} {
			if _, err := t.exec(query, uuid(u)); err != nil {
				return err
			}
		}
		return s.changed(t, by, "user.steps_cleared", u, tenants.Hash{})
	})
}

// SetRecoveryCodes replaces a person's recovery codes.
func (s Factors) SetRecoveryCodes(ctx context.Context, by Who, u tenants.UserID, codes []tenants.Secret) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if _, err := t.exec("DELETE FROM recovery_codes WHERE user_id = ?", uuid(u)); err != nil {
			return err
		}
		for _, c := range codes {
			h := c.Hash()
			if _, err := t.exec("INSERT INTO recovery_codes (user_id, hash, created_at) VALUES (?, ?, ?)", uuid(u), h[:],
				micros(s.now())); err != nil {
				return err
			}
		}
		return t.people().auditEverywhere(s.core, by, "user.recovery", u, "")
	})
}

// UseRecoveryCode uses a code up. It reports false when the person does not have it, or no longer.
func (s Factors) UseRecoveryCode(ctx context.Context, by Who, u tenants.UserID, code tenants.Secret) (had bool, err error) {
	h := code.Hash()
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("DELETE FROM recovery_codes WHERE user_id = ? AND hash = ?", uuid(u), h[:])
		if had = n == 1; err != nil || !had {
			return err
		}
		return t.people().auditEverywhere(s.core, by, "user.recovered", u, "")
	})
	return had, err
}

// RecoveryCodes counts the codes that a person has left.
func (s Factors) RecoveryCodes(ctx context.Context, u tenants.UserID) (int, error) {
	n, err := one(s.db.through(noTenant).query(ctx, "SELECT COUNT(*) FROM recovery_codes WHERE user_id = ?", uuid(u)))
	return int(n), err
}

// HalfSignIn is of a person whose password was right and who still has to give a second proof.
type HalfSignIn struct {
	Hash      tenants.Hash
	User      tenants.UserID
	Tenant    tenants.TenantID
	ExpiresAt time.Time
	Password  string // for AddHalf: the person's, in PHC form, that was given; empty = whatever it is
}

type halfRow struct {
	Hash      []byte
	UserID    uuid
	Tenant    uuid
	ExpiresAt int64
}

func (halfRow) TableName() string { return "half_sign_ins" }

// AddHalf keeps a half sign-in. An older one of the person stays: they may sign in in two browsers.
// It is Unauthorized where the person has another password than the one named, or was disabled.
func (s Factors) AddHalf(ctx context.Context, x HalfSignIn) error {
	row := halfRow{x.Hash[:], uuid(x.User), uuid(x.Tenant), micros(x.ExpiresAt)}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if err := t.people().unchanged(x.User, x.Password); err != nil {
			return err
		}
		return translate(t.db().Create(&row).Error)
	})
}

// Half finds a half sign-in that is not over, and whose it is. Anything else is Unauthorized, a
// disabled person too.
func (s Factors) Half(ctx context.Context, h tenants.Hash, now time.Time) (HalfSignIn, tenants.User, error) {
	var row halfRow
	var user userRow
	db := s.db.through(noTenant).gorm(ctx)
	err := db.Where("hash = ? AND expires_at > ?", h[:], micros(now)).Take(&row).Error
	if err == nil {
		err = db.Where("id = ? AND disabled_at = 0", row.UserID).Take(&user).Error
	}
	if absent(err) {
		return HalfSignIn{}, tenants.User{}, tenants.Refuse(tenants.Unauthorized, "unauthorized", "This took too long. Sign in again.")
	}
	return HalfSignIn{Hash: h, User: tenants.UserID(row.UserID), Tenant: tenants.TenantID(row.Tenant), ExpiresAt: moment(row.ExpiresAt)},
		user.noun(), translate(err)
}

// EndHalf ends a half sign-in. It reports false when it was ended before.
func (s Factors) EndHalf(ctx context.Context, h tenants.Hash) (ended bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("DELETE FROM half_sign_ins WHERE hash = ?", h[:])
		ended = n == 1
		return err
	})
	return ended, err
}

// RequireTwoSteps says whether everybody of the tenant needs a second step at sign-in.
func (s *Scope) RequireTwoSteps(ctx context.Context, on bool) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE tenants SET two_steps = ? WHERE id = ? AND two_steps <> ?", on, uuid(s.id), on)
		if err != nil || n == 0 {
			return err
		}
		return t.audit(&s.scope, "tenant.two_steps", string(s.id), "")
	})
}
