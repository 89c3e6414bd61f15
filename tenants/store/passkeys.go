package store

import (
	"context"
	"database/sql"
	"time"

	"carillon/tenants"
)

// Passkey is one of a person's passkeys. A person has one account for all their tenants, and so a
// passkey belongs to no tenant.
type Passkey struct {
	ID         tenants.PasskeyID
	User       tenants.UserID // empty = an operator's
	Credential []byte         // its id, as the authenticator names it
	Record     []byte         // JSON: public key, counter and flags
	Name       string
	CreatedAt  time.Time
	UsedAt     time.Time // zero = never
}

// mostPasskeys is how many passkeys a person has.
const mostPasskeys = 20

func tooManyPasskeys() error {
	return tenants.Refuse(tenants.Unprocessable, "too_many_passkeys", "You have 20 passkeys, which is the most. "+
		"Remove one that you no longer use.")
}

// AddPasskey keeps a new passkey, which is a second step too. The person's sign-ins end but keep.
func (s Factors) AddPasskey(ctx context.Context, by Who, k Passkey, keep tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.tally("SELECT COUNT(*) FROM passkeys WHERE user_id = ?", uuid(k.User))
		if err != nil {
			return err
		}
		if n >= mostPasskeys {
			return tooManyPasskeys()
		}
		if _, err := t.exec("INSERT INTO passkeys (id, user_id, credential_id, credential, name, created_at, used_at) "+
			"VALUES (?, ?, ?, ?, ?, ?, 0)", uuid(k.ID), uuid(k.User), k.Credential, string(k.Record), k.Name,
			micros(k.CreatedAt)); err != nil {
			return taken(err, "This passkey is registered already.")
		}
		return s.changed(t, by, "user.passkey", k.User, keep)
	})
}

const passkeyColumns = "SELECT id, user_id, credential_id, credential, name, created_at, used_at FROM passkeys "

func passkeysOf(rows *sql.Rows, err error) ([]Passkey, error) {
	type row struct {
		id, user      uuid
		credential    []byte
		record, name  string
		created, used int64
	}
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.id, &r.user, &r.credential, &r.record, &r.name, &r.created, &r.used}
	})
	return nouns(found, func(r row) Passkey {
		return Passkey{ID: tenants.PasskeyID(r.id), User: tenants.UserID(r.user), Credential: r.credential, Record: []byte(r.record),
			Name: r.name, CreatedAt: moment(r.created), UsedAt: moment(r.used)}
	}), translate(err)
}

// Passkeys lists a person's passkeys, the oldest first.
func (s Factors) Passkeys(ctx context.Context, u tenants.UserID) ([]Passkey, error) {
	return passkeysOf(s.db.through(noTenant).query(ctx, passkeyColumns+"WHERE user_id = ? ORDER BY created_at, id", uuid(u)))
}

// PasskeyOwner finds whose passkey has this credential id. Anything else is Unauthorized, a
// disabled person too.
func (s Factors) PasskeyOwner(ctx context.Context, credential []byte) (tenants.User, error) {
	var user userRow
	err := s.db.through(noTenant).gorm(ctx).Table("users").
		Where("id IN (SELECT user_id FROM passkeys WHERE credential_id = ?) AND disabled_at = 0", credential).Take(&user).Error
	if absent(err) {
		return tenants.User{}, tenants.Refuse(tenants.Unauthorized, "unauthorized", "This passkey is not known here.")
	}
	return user.noun(), translate(err)
}

// UsePasskey keeps the new record of a passkey that signed, in place of the old one. It reports
// false when another use came first.
func (s Factors) UsePasskey(ctx context.Context, credential, old, record []byte, now time.Time) (fresh bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE passkeys SET credential = ?, used_at = ? WHERE credential_id = ? AND credential = ?", string(record),
			micros(now), credential, string(old))
		fresh = n == 1
		return err
	})
	return fresh, err
}

// RenamePasskey changes the name of a person's passkey.
func (s Factors) RenamePasskey(ctx context.Context, u tenants.UserID, id tenants.PasskeyID, name string) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE passkeys SET name = ? WHERE user_id = ? AND id = ?", name, uuid(u), uuid(id))
		if err == nil && n == 0 {
			return tenants.NoSuch("passkey")
		}
		return err
	})
}

// RemovePasskey forgets a passkey. The person's sign-ins end but keep, and recovery codes go with
// the last factor.
func (s Factors) RemovePasskey(ctx context.Context, by Who, u tenants.UserID, id tenants.PasskeyID, keep tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("DELETE FROM passkeys WHERE user_id = ? AND id = ?", uuid(u), uuid(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("passkey")
		}
		if err := s.changed(t, by, "user.passkey_removed", u, keep); err != nil {
			return err
		}
		return s.dropUseless(t, u)
	})
}

// mostChallenges bounds the challenges that wait for an answer, of all people.
const mostChallenges = 20_000

// AddChallenge keeps what an authenticator is asked to sign. hash is of the secret that the browser
// holds.
func (s Factors) AddChallenge(ctx context.Context, hash tenants.Hash, session []byte, expires time.Time) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, err := t.exec("DELETE FROM passkey_challenges WHERE expires_at <= ?", micros(s.now())); err != nil {
			return err
		}
		n, err := t.tally("SELECT COUNT(*) FROM passkey_challenges")
		if err != nil {
			return err
		}
		if n >= mostChallenges {
			return &tenants.Error{Kind: tenants.Unavailable, Code: "too_many_tries", RetryAfter: time.Minute,
				Msg: "Too many people are signing in. Try again in a minute."}
		}
		_, err = t.exec("INSERT INTO passkey_challenges (hash, session, expires_at) VALUES (?, ?, ?)", hash[:], string(session),
			micros(expires))
		return err
	})
}

// TakeChallenge takes a challenge out again: it works once. One that is unknown, used or too old is
// Gone.
func (s Factors) TakeChallenge(ctx context.Context, hash tenants.Hash) (session []byte, err error) {
	type row struct {
		session string
		ends    int64
	}
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		rows, err := t.query(ctx, "DELETE FROM passkey_challenges WHERE hash = ? RETURNING session, expires_at", hash[:])
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.session, &r.ends} })
		if err != nil {
			return err
		}
		if len(found) > 0 && micros(s.now()) < found[0].ends {
			session = []byte(found[0].session)
		}
		return nil
	})
	if err == nil && session == nil {
		err = tenants.Refuse(tenants.Gone, "sign_in_gone", "This took too long, or was used already. Begin again.")
	}
	return session, err
}
