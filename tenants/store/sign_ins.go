package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// SignIn is a person's sign-in to the console, known by the hash of its cookie.
type SignIn struct {
	Hash      tenants.Hash
	User      tenants.UserID
	Tenant    tenants.TenantID // which one they look at
	CreatedAt time.Time
	IdleAt    time.Time // over when nothing touches it until then; zero = no such limit
	ExpiresAt time.Time // over in any case
	ProvedAt  time.Time // when the person last proved who they are
	Origin    string    // stays the same when the sign-in gets a new token
	IP        string
	UserAgent string
	Preview   tenants.Role // shown in place of the person's own role; empty = their own
	Provider  bool         // the tenant's own provider vouched for it: it opens this tenant only
	Password  string       // for Add: the person's, in PHC form, as it was read; empty = whatever it is
}

type signInRow struct {
	Hash      []byte
	UserID    uuid
	TenantID  uuid
	Created   int64 `gorm:"column:created_at"`
	IdleAt    int64
	ExpiresAt int64
	ProvedAt  int64
	Origin    string
	IP        string
	UserAgent string
	Preview   string
	Provider  bool
}

func (signInRow) TableName() string { return "sign_ins" }

func (r signInRow) noun() SignIn {
	return SignIn{
		Hash: hash(r.Hash), User: tenants.UserID(r.UserID), Tenant: tenants.TenantID(r.TenantID), CreatedAt: moment(r.Created),
		IdleAt: moment(r.IdleAt), ExpiresAt: moment(r.ExpiresAt), ProvedAt: moment(r.ProvedAt), Origin: r.Origin, IP: r.IP,
		UserAgent: r.UserAgent, Preview: tenants.Role(r.Preview), Provider: r.Provider,
	}
}

func notSignedIn() error {
	return tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in. Sign in again.")
}

func (s *core) signIn(ctx context.Context, query string, args ...any) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change(query, args...)
		if err == nil && n == 0 {
			return notSignedIn()
		}
		return err
	})
}

// SignIns are the sessions of people in the console.
type SignIns struct{ *core }

// SignIns returns the SignIns of all tenants.
func (s *Store) SignIns() SignIns { return SignIns{&s.core} }

// Marks are keyed hashes of a text for one purpose; see seal.Keyring.Marks. All nodes make the
// same.
func (s SignIns) Marks(purpose, text string) ([][]byte, error) {
	return s.seal.Marks(purpose, text, s.removed...)
}

// mostSignIns is how many sign-ins a person has at once, in all browsers.
const mostSignIns = 100

// Add records a sign-in. Those of the person beyond the newest 100 end. It is Unauthorized where
// the person has another password than the one named, or was disabled: that ended what was under
// way.
func (s SignIns) Add(ctx context.Context, in SignIn) error {
	row := signInRow{
		Hash: in.Hash[:], UserID: uuid(in.User), TenantID: uuid(in.Tenant), Created: micros(in.CreatedAt), IdleAt: micros(in.IdleAt),
		ExpiresAt: micros(in.ExpiresAt), ProvedAt: micros(in.ProvedAt), Origin: in.Origin, IP: in.IP,
		UserAgent: in.UserAgent, Provider: in.Provider,
	}
	return s.w.do(ctx, allTenants, func(t *tx) error {
		if err := t.people().unchanged(in.User, in.Password); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return err
		}
		_, err := t.exec("DELETE FROM sign_ins WHERE user_id = ? AND hash <> ? AND hash NOT IN "+
			"(SELECT hash FROM sign_ins WHERE user_id = ? ORDER BY created_at DESC, hash LIMIT ?)",
			row.UserID, row.Hash, row.UserID, mostSignIns)
		return err
	})
}

// unchanged refuses who has another password than when a sign-in began, and who was disabled. It
// holds the person, so that neither happens before the sign-in is kept.
func (t peopleTx) unchanged(u tenants.UserID, phc string) error {
	if phc == "" {
		return nil
	}
	var password string
	err := t.row("SELECT password FROM users WHERE id = ? AND disabled_at = 0"+t.d.dialect.hold(), []any{uuid(u)}, &password)
	if absent(err) || err == nil && password != phc {
		return notSignedIn()
	}
	return err
}

// Get finds a sign-in that is not over, and whose it is. Anything else is Unauthorized, a disabled
// person too.
func (s SignIns) Get(ctx context.Context, h tenants.Hash, now time.Time) (SignIn, tenants.User, error) {
	over := notSignedIn()
	var row signInRow
	if err := s.db.through(allTenants).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error; err != nil {
		if absent(err) {
			return SignIn{}, tenants.User{}, over
		}
		return SignIn{}, tenants.User{}, translate(err)
	}
	if at := micros(now); at >= row.ExpiresAt || row.IdleAt != 0 && at >= row.IdleAt {
		return SignIn{}, tenants.User{}, over
	}
	u, err := Users(s).Get(ctx, tenants.UserID(row.UserID))
	if err != nil {
		return SignIn{}, tenants.User{}, err
	}
	if !u.DisabledAt.IsZero() {
		return SignIn{}, tenants.User{}, over
	}
	return row.noun(), u, nil
}

// Touch moves the moment at which the sign-in is idle.
func (s SignIns) Touch(ctx context.Context, h tenants.Hash, idleAt time.Time) error {
	return s.signIn(ctx, "UPDATE sign_ins SET idle_at = ? WHERE hash = ?", micros(idleAt), h[:])
}

// Renew gives the sign-in a new token after the person proved again who they are. The old token is
// worth nothing then.
func (s SignIns) Renew(ctx context.Context, old, fresh tenants.Hash, now time.Time) error {
	return s.signIn(ctx, "UPDATE sign_ins SET hash = ?, proved_at = ? WHERE hash = ?", fresh[:], micros(now), old[:])
}

// Switch turns the sign-in to another tenant of the same person; a tenant they are no member of is
// unknown.
func (s SignIns) Switch(ctx context.Context, h tenants.Hash, t tenants.TenantID) error {
	err := s.signIn(ctx, "UPDATE sign_ins SET tenant_id = ? WHERE hash = ? AND EXISTS "+
		"(SELECT 1 FROM members WHERE members.tenant_id = ? AND members.user_id = sign_ins.user_id)", uuid(t), h[:], uuid(t))
	if tenants.KindOf(err) == tenants.Unauthorized {
		return tenants.NoSuch("tenant")
	}
	return err
}

// End ends a sign-in; one that is over already is no error.
func (s SignIns) End(ctx context.Context, h tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		_, err := t.exec("DELETE FROM sign_ins WHERE hash = ?", h[:])
		return err
	})
}

// EndAll ends every sign-in of the person but one; a zero except ends them all.
func (s SignIns) EndAll(ctx context.Context, user tenants.UserID, except tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		_, err := t.exec("DELETE FROM sign_ins WHERE user_id = ? AND hash <> ?", uuid(user), except[:])
		return err
	})
}

// List lists a person's sign-ins, newest first.
func (s SignIns) List(ctx context.Context, user tenants.UserID) ([]SignIn, error) {
	var rows []signInRow
	err := s.db.through(allTenants).gorm(ctx).Where("user_id = ?", uuid(user)).Order("created_at DESC, hash").Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	return nouns(rows, signInRow.noun), nil
}
