package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// lastStep is said when an operator would be left with a password alone.
const lastStep = "This is the only second step that you have, so it cannot be removed. Add another passkey first."

// factors holds the row of an operator until the commit, so that two changes of what they sign in
// with do not pass each other by. It says whether they have an app, and counts their passkeys.
func (t operatorsTx) factors(id tenants.OperatorID) (app bool, passkeys int64, err error) {
	err = t.row("SELECT length(secret) > 0 FROM operators WHERE id = ?"+t.d.dialect.hold(), []any{uuid(id)}, &app)
	if err != nil {
		return false, 0, missing(err, "operator")
	}
	passkeys, err = t.tally("SELECT COUNT(*) FROM operator_passkeys WHERE operator_id = ?", uuid(id))
	return app, passkeys, err
}

func (t operatorsTx) addPasskey(id tenants.OperatorID, k Passkey) error {
	_, err := t.exec("INSERT INTO operator_passkeys (id, operator_id, credential_id, credential, name, created_at, used_at) "+
		"VALUES (?, ?, ?, ?, ?, ?, 0)", uuid(k.ID), uuid(id), k.Credential, string(k.Record), k.Name, micros(k.CreatedAt))
	return taken(err, "This passkey is registered already.")
}

// AddPasskey keeps a new passkey of an operator. Their sign-ins end but keep.
func (s Operators) AddPasskey(ctx context.Context, by Who, id tenants.OperatorID, k Passkey, keep tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, n, err := t.operators().factors(id)
		if err != nil {
			return err
		}
		if n >= mostPasskeys {
			return tooManyPasskeys()
		}
		if err := t.operators().addPasskey(id, k); err != nil {
			return err
		}
		return t.operators().factorChanged(s.core, by, "operator.passkey", id, k.Name, keep)
	})
}

// factorChanged is what follows a change of what an operator signs in with: their other sign-ins
// end, and the record says so.
func (t operatorsTx) factorChanged(s *core, by Who, action string, id tenants.OperatorID, what string, keep tenants.Hash) error {
	o, err := oneOperator(context.Background(), t, "o.id = ?", uuid(id))
	if err != nil {
		return err
	}
	if err := t.endSignIns(s, id, keep); err != nil {
		return err
	}
	return t.audit(s, by, auditEntry{action: action, target: string(id), name: o.Name, detail: what})
}

// Passkeys lists an operator's passkeys, the oldest first. Their User is empty.
func (s Operators) Passkeys(ctx context.Context, id tenants.OperatorID) ([]Passkey, error) {
	all, err := passkeysOf(s.db.through(noTenant).query(ctx, "SELECT id, operator_id, credential_id, credential, name, created_at, "+
		"used_at FROM operator_passkeys WHERE operator_id = ? ORDER BY created_at, id", uuid(id)))
	for i := range all {
		all[i].User = ""
	}
	return all, err
}

// PasskeyOwner finds which operator's passkey has this credential id. Anything else is
// Unauthorized, one of an operator who was disabled or reset too.
func (s Operators) PasskeyOwner(ctx context.Context, credential []byte) (tenants.Operator, error) {
	o, err := oneOperator(ctx, s.db.through(noTenant), "o.id IN (SELECT operator_id FROM operator_passkeys WHERE credential_id = ?)",
		credential)
	if tenants.KindOf(err) == tenants.Unknown || err == nil && (!o.Ready || !o.DisabledAt.IsZero()) {
		return tenants.Operator{}, tenants.Refuse(tenants.Unauthorized, "unauthorized", "This passkey is not known here.")
	}
	return o, err
}

// UsePasskey keeps the new record of a passkey that signed, in place of the old one. It reports
// false when another use came first.
func (s Operators) UsePasskey(ctx context.Context, credential, old, record []byte, now time.Time) (fresh bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE operator_passkeys SET credential = ?, used_at = ? WHERE credential_id = ? AND credential = ?",
			string(record), micros(now), credential, string(old))
		fresh = n == 1
		return err
	})
	return fresh, err
}

// RenamePasskey changes the name of an operator's passkey.
func (s Operators) RenamePasskey(ctx context.Context, by Who, o tenants.OperatorID, id tenants.PasskeyID, name string) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		before, err := t.operators().passkeyName(o, id)
		if err != nil || before == name {
			return err
		}
		if _, err := t.exec("UPDATE operator_passkeys SET name = ? WHERE operator_id = ? AND id = ?", name, uuid(o), uuid(id)); err != nil {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.passkey_renamed", target: string(o), name: by.Name,
			changes: []tenants.Change{{Field: "name", Before: before, After: name}}})
	})
}

func (t operatorsTx) passkeyName(o tenants.OperatorID, id tenants.PasskeyID) (name string, err error) {
	err = t.row("SELECT name FROM operator_passkeys WHERE operator_id = ? AND id = ?", []any{uuid(o), uuid(id)}, &name)
	return name, missing(err, "passkey")
}

// RemovePasskey forgets a passkey of an operator, whose sign-ins end but keep. The last second step
// is a Conflict: only Reset takes that away.
func (s Operators) RemovePasskey(ctx context.Context, by Who, o tenants.OperatorID, id tenants.PasskeyID, keep tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		app, n, err := t.operators().factors(o)
		if err != nil {
			return err
		}
		name, err := t.operators().passkeyName(o, id)
		if err != nil {
			return err
		}
		if !app && n == 1 {
			return tenants.Refuse(tenants.Conflict, "last_step", lastStep)
		}
		if _, err := t.exec("DELETE FROM operator_passkeys WHERE operator_id = ? AND id = ?", uuid(o), uuid(id)); err != nil {
			return err
		}
		return t.operators().factorChanged(s.core, by, "operator.passkey_removed", o, name, keep)
	})
}

// SetAuthenticator keeps the seed of an operator's app in place of an older one. step is the one of
// the code that confirmed it. Their sign-ins end but keep.
func (s Operators) SetAuthenticator(ctx context.Context, by Who, id tenants.OperatorID, seed string, step int64,
	keep tenants.Hash) error {
	blob, err := s.seal.Seal([]byte(seed), sealedOperator(id)...)
	if err != nil {
		return err
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, _, err := t.operators().factors(id); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE operators SET secret = ?, last_step = ? WHERE id = ?", blob, step, uuid(id)); err != nil {
			return err
		}
		return t.operators().factorChanged(s.core, by, "operator.app", id, "", keep)
	})
}

// Prove notes that an operator proved again who they are, and gives their sign-in a new token.
func (s Operators) Prove(ctx context.Context, old, fresh tenants.Hash, now time.Time) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE operator_sign_ins SET hash = ?, proved_at = ? WHERE hash = ? AND half = ?", fresh[:], micros(now),
			old[:], false)
		if err == nil && n == 0 {
			return notSignedIn()
		}
		return err
	})
}

// SetPassword keeps an operator's new password, as argon2id in PHC form. Their sign-ins end but the
// one that asks, here, which gets the token fresh.
func (s Operators) SetPassword(ctx context.Context, by Who, id tenants.OperatorID, phc string, here, fresh tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, _, err := t.operators().factors(id); err != nil {
			return err
		}
		n, err := t.change("UPDATE operator_sign_ins SET hash = ? WHERE hash = ? AND operator_id = ? AND half = ?", fresh[:], here[:],
			uuid(id), false)
		if err != nil {
			return err
		}
		if n == 0 { // a reset came first
			return notSignedIn()
		}
		if _, err := t.exec("UPDATE operators SET password = ? WHERE id = ?", phc, uuid(id)); err != nil {
			return err
		}
		return t.operators().factorChanged(s.core, by, "operator.password", id, "", fresh)
	})
}

// SignIns lists the whole sign-ins of an operator that are not over, the newest first.
func (s Operators) SignIns(ctx context.Context, id tenants.OperatorID, now time.Time) ([]OperatorSignIn, error) {
	type row struct {
		hash          []byte
		created, idle int64
		ip, agent     string
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT hash, created_at, idle_at, ip, user_agent FROM operator_sign_ins "+
		"WHERE operator_id = ? AND half = ? AND idle_at > ? AND expires_at > ? ORDER BY created_at DESC, hash", uuid(id), false,
		micros(now), micros(now))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.hash, &r.created, &r.idle, &r.ip, &r.agent} })
	return nouns(found, func(r row) OperatorSignIn {
		in := OperatorSignIn{Operator: id, CreatedAt: moment(r.created), IdleAt: moment(r.idle), IP: r.ip, UserAgent: r.agent}
		copy(in.Hash[:], r.hash)
		return in
	}), translate(err)
}

// EndSignIns ends the sign-ins of an operator but keep, and their looks at tenants.
func (s Operators) EndSignIns(ctx context.Context, by Who, id tenants.OperatorID, keep tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, _, err := t.operators().factors(id); err != nil { // it holds the operator: see SignIn
			return err
		}
		return t.operators().factorChanged(s.core, by, "operator.sign_ins_ended", id, "", keep)
	})
}
