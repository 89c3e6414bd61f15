package store

import (
	"context"
	"errors"
	"time"

	"carillon/tenants"
)

// Operators are the people who run the server. Each change of one is in the record of operators,
// written in the same transaction.
type Operators struct{ *core }

// Operators returns the Operators of the server.
func (s *Store) Operators() Operators { return Operators{&s.core} }

type operatorRow struct {
	ID                      uuid
	Email, Name, Password   string
	App                     bool
	Passkeys                int64
	Created, Disabled, Seen int64
}

const operatorColumns = "o.id, o.email, o.name, o.password, length(o.secret) > 0, " +
	"(SELECT COUNT(*) FROM operator_passkeys k WHERE k.operator_id = o.id), o.created_at, o.disabled_at, " +
	"COALESCE((SELECT MAX(i.created_at) FROM operator_sign_ins i WHERE i.operator_id = o.id), 0)"

func (r *operatorRow) fields() []any {
	return []any{&r.ID, &r.Email, &r.Name, &r.Password, &r.App, &r.Passkeys, &r.Created, &r.Disabled, &r.Seen}
}

func (r operatorRow) noun() tenants.Operator {
	return tenants.Operator{ID: tenants.OperatorID(r.ID), Email: r.Email, Name: r.Name, Password: r.Password,
		Ready: r.Password != "" && (r.App || r.Passkeys > 0), App: r.App, Passkeys: int(r.Passkeys),
		CreatedAt: moment(r.Created), DisabledAt: moment(r.Disabled), SeenAt: moment(r.Seen)}
}

// OperatorLink is a link with which an operator chooses a password and a second step.
type OperatorLink struct {
	Hash      tenants.Hash
	ExpiresAt time.Time
}

// Add makes an operator who begins with the link. An address that is taken is a Conflict.
func (s Operators) Add(ctx context.Context, by Who, o tenants.Operator, l OperatorLink) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("INSERT INTO operators (id, email, name, password, secret, last_step, created_at, disabled_at) "+
			"VALUES (?, ?, ?, '', ?, 0, ?, 0)", uuid(o.ID), o.Email, o.Name, []byte{}, micros(o.CreatedAt))
		if err != nil {
			return taken(err, "There is an operator with this address already.")
		}
		if err := t.operators().link(o.ID, l); err != nil {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.add", target: string(o.ID), name: o.Name})
	})
}

// operatorsTx is the writer's transaction as it changes operators and their record.
type operatorsTx struct{ *tx }

func (t *tx) operators() operatorsTx { return operatorsTx{t} }

func (t operatorsTx) link(id tenants.OperatorID, l OperatorLink) error {
	_, err := t.exec("INSERT INTO operator_links (operator_id, hash, expires_at) VALUES (?, ?, ?) "+
		"ON CONFLICT (operator_id) DO UPDATE SET hash = excluded.hash, expires_at = excluded.expires_at",
		uuid(id), l.Hash[:], micros(l.ExpiresAt))
	return err
}

// List lists every operator, by name.
func (s Operators) List(ctx context.Context) ([]tenants.Operator, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT "+operatorColumns+" FROM operators o ORDER BY LOWER(o.name), o.id")
	found, err := collect(rows, err, (*operatorRow).fields)
	return nouns(found, operatorRow.noun), translate(err)
}

// ByEmail finds an operator by the stored form of their address.
func (s Operators) ByEmail(ctx context.Context, email string) (tenants.Operator, error) {
	return oneOperator(ctx, s.db.through(noTenant), "o.email = ?", email)
}

// Get is one operator.
func (s Operators) Get(ctx context.Context, id tenants.OperatorID) (tenants.Operator, error) {
	return oneOperator(ctx, s.db.through(noTenant), "o.id = ?", uuid(id))
}

func oneOperator(ctx context.Context, q querier, where string, arg any) (tenants.Operator, error) {
	rows, err := q.query(ctx, "SELECT "+operatorColumns+" FROM operators o WHERE "+where, arg)
	found, err := collect(rows, err, (*operatorRow).fields)
	if err == nil && len(found) == 0 {
		return tenants.Operator{}, tenants.NoSuch("operator")
	}
	if err != nil {
		return tenants.Operator{}, translate(err)
	}
	return found[0].noun(), nil
}

// endSignIns ends the sign-ins of an operator but keep, and their looks at tenants. EndLooks
// records the latter.
func (t operatorsTx) endSignIns(s *core, id tenants.OperatorID, keep tenants.Hash) error {
	now := micros(s.now())
	if _, err := t.exec("UPDATE operator_looks SET expires_at = ? WHERE operator_id = ? AND expires_at > ?", now, uuid(id),
		now); err != nil {
		return err
	}
	_, err := t.exec("DELETE FROM operator_sign_ins WHERE operator_id = ? AND hash <> ?", uuid(id), keep[:])
	return err
}

// Reset takes an operator's password, app, passkeys and recovery codes away, ends their sign-ins,
// and lets them begin again with the link.
func (s Operators) Reset(ctx context.Context, by Who, id tenants.OperatorID, l OperatorLink) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		o, err := oneOperator(ctx, t, "o.id = ?", uuid(id))
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE operators SET password = '', secret = ?, last_step = 0 WHERE id = ?", []byte{}, uuid(id)); err != nil {
			return err
		}
		for _, of := range []string{"operator_codes", "operator_passkeys"} {
			if _, err := t.exec("DELETE FROM "+of+" WHERE operator_id = ?", uuid(id)); err != nil {
				return err
			}
		}
		if err := t.operators().endSignIns(s.core, id, tenants.Hash{}); err != nil {
			return err
		}
		if err := t.operators().link(id, l); err != nil {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.reset", target: string(id), name: o.Name})
	})
}

// Disable ends an operator's sign-ins and refuses further ones from a moment on; with the zero time
// they may sign in again.
func (s Operators) Disable(ctx context.Context, by Who, id tenants.OperatorID, at time.Time) error {
	action := "operator.disable"
	if at.IsZero() {
		action = "operator.enable"
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		o, err := oneOperator(ctx, t, "o.id = ?", uuid(id))
		if err != nil || o.DisabledAt.IsZero() == at.IsZero() {
			return err
		}
		if _, err := t.exec("UPDATE operators SET disabled_at = ? WHERE id = ?", micros(at), uuid(id)); err != nil {
			return err
		}
		if err := t.operators().endSignIns(s.core, id, tenants.Hash{}); err != nil {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: action, target: string(id), name: o.Name})
	})
}

const operatorLinkGone = "This link was used already, or it is older than 24 hours. Ask another operator for a new one."

// OfLink finds whose link it is. One that is unknown, used or expired is Gone, and so is one of a
// disabled operator.
func (s Operators) OfLink(ctx context.Context, h tenants.Hash, now time.Time) (tenants.Operator, error) {
	return operatorOfLink(ctx, s.db.through(noTenant), h, now)
}

func operatorOfLink(ctx context.Context, q querier, h tenants.Hash, now time.Time) (tenants.Operator, error) {
	rows, err := q.query(ctx, "SELECT "+operatorColumns+" FROM operator_links l JOIN operators o ON o.id = l.operator_id "+
		"WHERE l.hash = ? AND l.expires_at > ? AND o.disabled_at = 0", h[:], micros(now))
	found, err := collect(rows, err, (*operatorRow).fields)
	if err == nil && len(found) == 0 {
		return tenants.Operator{}, tenants.Refuse(tenants.Gone, "link_gone", operatorLinkGone)
	}
	if err != nil {
		return tenants.Operator{}, translate(err)
	}
	return found[0].noun(), nil
}

// Enrolment is what an operator chose when they used their link.
type Enrolment struct {
	Password string   // argon2id in PHC form
	Seed     string   // of the authenticator app; empty = a passkey in its place
	Step     int64    // of the code that confirmed the app
	Passkey  *Passkey // nil = an app in its place
	Codes    []tenants.Secret
}

// with is what the record says that an operator chose.
func (e Enrolment) with() string {
	if e.Passkey != nil {
		return "password and passkey"
	}
	return "password and app"
}

func sealedOperator(id tenants.OperatorID) []string { return []string{"", "operators", string(id)} }

// Enrol uses a link up and keeps what the operator chose, which has a second step. Their earlier
// sign-ins end.
func (s Operators) Enrol(ctx context.Context, link tenants.Hash, e Enrolment, by Who) (o tenants.Operator, err error) {
	if o, err = s.OfLink(ctx, link, s.now()); err != nil {
		return o, err
	}
	if e.Seed == "" && e.Passkey == nil {
		return o, errors.New("store: an operator without a second step")
	}
	blob := []byte{}
	if e.Seed != "" {
		if blob, err = s.seal.Seal([]byte(e.Seed), sealedOperator(o.ID)...); err != nil {
			return o, err
		}
	}
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		if o, err = operatorOfLink(ctx, t, link, s.now()); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM operator_links WHERE operator_id = ?", uuid(o.ID)); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE operators SET password = ?, secret = ?, last_step = ? WHERE id = ?", e.Password, blob, e.Step,
			uuid(o.ID)); err != nil {
			return err
		}
		if e.Passkey != nil {
			if err := t.operators().addPasskey(o.ID, *e.Passkey); err != nil {
				return err
			}
		}
		if err := t.operators().setCodes(o.ID, e.Codes); err != nil {
			return err
		}
		if err := t.operators().endSignIns(s.core, o.ID, tenants.Hash{}); err != nil {
			return err
		}
		by.Actor = o.Actor()
		return t.operators().audit(s.core, by, auditEntry{action: "operator.enrol", target: string(o.ID), name: o.Name,
			detail: e.with()})
	})
	return o, err
}

func (t operatorsTx) setCodes(id tenants.OperatorID, codes []tenants.Secret) error {
	if _, err := t.exec("DELETE FROM operator_codes WHERE operator_id = ?", uuid(id)); err != nil {
		return err
	}
	for _, c := range codes {
		h := c.Hash()
		if _, err := t.exec("INSERT INTO operator_codes (operator_id, hash) VALUES (?, ?)", uuid(id), h[:]); err != nil {
			return err
		}
	}
	return nil
}

// SetCodes replaces an operator's recovery codes.
func (s Operators) SetCodes(ctx context.Context, by Who, id tenants.OperatorID, codes []tenants.Secret) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if err := t.operators().setCodes(id, codes); err != nil {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.codes", target: string(id), name: by.Name})
	})
}

// CodesLeft counts an operator's recovery codes.
func (s Operators) CodesLeft(ctx context.Context, id tenants.OperatorID) (int, error) {
	n, err := one(s.db.through(noTenant).query(ctx, "SELECT COUNT(*) FROM operator_codes WHERE operator_id = ?", uuid(id)))
	return int(n), err
}

// Authenticator is the seed of an operator's app and the last step used; empty when they have none.
func (s Operators) Authenticator(ctx context.Context, id tenants.OperatorID) (seed string, last int64, err error) {
	type row struct {
		secret []byte
		last   int64
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT secret, last_step FROM operators WHERE id = ? AND length(secret) > 0", uuid(id))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.secret, &r.last} })
	if err != nil || len(found) == 0 {
		return "", 0, translate(err)
	}
	plain, err := s.seal.Open(found[0].secret, sealedOperator(id)...)
	return string(plain), found[0].last, err
}

// UseStep notes the step of a code. It reports false when that step, or a later one, was used
// meanwhile.
func (s Operators) UseStep(ctx context.Context, id tenants.OperatorID, step int64) (fresh bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE operators SET last_step = ? WHERE id = ? AND last_step < ?", step, uuid(id), step)
		fresh = n == 1
		return err
	})
	return fresh, err
}

// UseCode uses a recovery code up. It reports false when the operator does not have it, or no
// longer.
func (s Operators) UseCode(ctx context.Context, by Who, id tenants.OperatorID, code tenants.Secret) (had bool, err error) {
	h := code.Hash()
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("DELETE FROM operator_codes WHERE operator_id = ? AND hash = ?", uuid(id), h[:])
		if had = n == 1; err != nil || !had {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.recovered", target: string(id), name: by.Name})
	})
	return had, err
}

// OperatorSignIn is an operator's sign-in, known by the hash of its cookie.
type OperatorSignIn struct {
	Hash      tenants.Hash
	Operator  tenants.OperatorID
	Half      bool // the password was right, the code is still to be given
	CreatedAt time.Time
	ProvedAt  time.Time // when the operator proved last who they are; SignIn sets it
	IdleAt    time.Time
	ExpiresAt time.Time
	IP        string
	UserAgent string
	With      string // for the record: what beside the password they signed in with; empty = a code
	Password  string // the operator's, in PHC form, as it was read for SignIn
	Completes bool   // it completes the one that it replaces, which has to be there still
}

// mostOperatorSignIns is how many sign-ins an operator has at once.
const mostOperatorSignIns = 20

// SignIn keeps a sign-in in place of an older one, which may be the half that it completes. A whole
// one is in the record. It is Unauthorized where the operator has another password by now, was
// disabled, or where what it completes was ended: who began before that must not get in.
func (s Operators) SignIn(ctx context.Context, by Who, in OperatorSignIn, old tenants.Hash) error {
	proved := micros(in.CreatedAt)
	if in.Half {
		proved = 0
	}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if err := t.operators().unchanged(in); err != nil {
			return err
		}
		n, err := t.change("DELETE FROM operator_sign_ins WHERE hash = ?", old[:])
		if err != nil {
			return err
		}
		if in.Completes && n == 0 {
			return notSignedIn()
		}
		if _, err := t.exec("INSERT INTO operator_sign_ins (hash, operator_id, half, created_at, proved_at, idle_at, expires_at, ip, "+
			"user_agent) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", in.Hash[:], uuid(in.Operator), in.Half, micros(in.CreatedAt), proved,
			micros(in.IdleAt), micros(in.ExpiresAt), in.IP, in.UserAgent); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM operator_sign_ins WHERE operator_id = ? AND hash NOT IN (SELECT hash FROM operator_sign_ins "+
			"WHERE operator_id = ? ORDER BY created_at DESC, hash LIMIT ?)", uuid(in.Operator), uuid(in.Operator),
			mostOperatorSignIns); err != nil || in.Half {
			return err
		}
		return t.operators().audit(s.core, by, auditEntry{action: "operator.sign_in", target: string(in.Operator), name: by.Name,
			detail: in.With})
	})
}

// unchanged refuses a sign-in whose operator has another password than when it began, or was
// disabled. It holds the operator, so that neither happens before the sign-in is kept.
func (t operatorsTx) unchanged(in OperatorSignIn) error {
	var password string
	err := t.row("SELECT password FROM operators WHERE id = ? AND disabled_at = 0"+t.d.dialect.hold(), []any{uuid(in.Operator)}, &password)
	if absent(err) || err == nil && password != in.Password {
		return notSignedIn()
	}
	return err
}

// Find finds a sign-in that is not over, half or whole, and whose it is. Anything else is
// Unauthorized, a disabled operator too.
func (s Operators) Find(ctx context.Context, h tenants.Hash, now time.Time) (in OperatorSignIn, o tenants.Operator, err error) {
	over := notSignedIn()
	type row struct {
		operator                       uuid
		half                           bool
		created, proved, idle, expires int64
	}
	rows, err := s.db.through(noTenant).query(ctx, "SELECT operator_id, half, created_at, proved_at, idle_at, expires_at FROM "+
		"operator_sign_ins "+
		"WHERE hash = ? AND idle_at > ? AND expires_at > ?", h[:], micros(now), micros(now))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.operator, &r.half, &r.created, &r.proved, &r.idle, &r.expires} })
	if err != nil {
		return in, o, translate(err)
	}
	if len(found) == 0 {
		return in, o, over
	}
	r := found[0]
	if o, err = s.Get(ctx, tenants.OperatorID(r.operator)); err != nil {
		return in, o, err
	}
	if !o.DisabledAt.IsZero() || !o.Ready {
		return in, tenants.Operator{}, over
	}
	return OperatorSignIn{Hash: h, Operator: o.ID, Half: r.half, CreatedAt: moment(r.created), ProvedAt: moment(r.proved),
		IdleAt: moment(r.idle), ExpiresAt: moment(r.expires)}, o, nil
}

// Touch moves the moment at which a sign-in is idle.
func (s Operators) Touch(ctx context.Context, h tenants.Hash, idleAt time.Time) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("UPDATE operator_sign_ins SET idle_at = ? WHERE hash = ?", micros(idleAt), h[:])
		return err
	})
}

// SignOut ends a sign-in; one that is over already is no error.
func (s Operators) SignOut(ctx context.Context, h tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("DELETE FROM operator_sign_ins WHERE hash = ?", h[:])
		return err
	})
}
