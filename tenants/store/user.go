package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type userRow struct {
	ID         uuid
	Email      string
	Name       string
	Password   string
	Theme      string
	Created    int64 `gorm:"column:created_at"`
	DisabledAt int64
}

func (userRow) TableName() string { return "users" }

func rowOfUser(u tenants.User) userRow {
	return userRow{
		ID: uuid(u.ID), Email: u.Email, Name: u.Name, Password: u.Password, Theme: u.Theme, Created: micros(u.CreatedAt),
		DisabledAt: micros(u.DisabledAt),
	}
}

func (r userRow) noun() tenants.User {
	return tenants.User{
		ID: tenants.UserID(r.ID), Email: r.Email, Name: r.Name, Password: r.Password, Theme: r.Theme, CreatedAt: moment(r.Created),
		DisabledAt: moment(r.DisabledAt),
	}
}

// AddUser adds a person. An address that is taken is a Conflict.
func (s *Store) AddUser(ctx context.Context, u tenants.User) error {
	row := rowOfUser(u)
	return s.w.do(ctx, noDoor, func(t *tx) error {
		return taken(t.db().Create(&row).Error, "There is an account with this address already.")
	})
}

// User is one person.
func (s *Store) User(ctx context.Context, id tenants.UserID) (tenants.User, error) {
	var row userRow
	if err := s.db.through(noDoor).gorm(ctx).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.User{}, missing(err, "user")
	}
	return row.noun(), nil
}

// UserByEmail finds a person by the stored form of their address.
func (s *Store) UserByEmail(ctx context.Context, email string) (tenants.User, error) {
	var row userRow
	if err := s.db.through(noDoor).gorm(ctx).Where("email = ?", email).Take(&row).Error; err != nil {
		return tenants.User{}, missing(err, "user")
	}
	return row.noun(), nil
}

// SetUser changes name, address, theme and whether the person may sign in. Disabling somebody ends their sign-ins. The password
// has SetPassword.
func (s *Store) SetUser(ctx context.Context, u tenants.User) error {
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		n, err := t.change("UPDATE users SET email = ?, name = ?, theme = ?, disabled_at = ? WHERE id = ?",
			u.Email, u.Name, u.Theme, micros(u.DisabledAt), uuid(u.ID))
		switch {
		case err != nil:
			return taken(err, "There is an account with this address already.")
		case n == 0:
			return tenants.NoSuch("user")
		case u.DisabledAt.IsZero():
			return nil
		}
		_, err = t.exec("DELETE FROM sign_ins WHERE user_id = ?", uuid(u.ID))
		return err
	})
}

// SetPassword changes the password, given in PHC form, and ends every sign-in of the person but the one that did it, if named.
func (s *Store) SetPassword(ctx context.Context, id tenants.UserID, phc string, except ...tenants.Hash) error {
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		n, err := t.change("UPDATE users SET password = ? WHERE id = ?", phc, uuid(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("user")
		}
		keep := tenants.Hash{}
		if len(except) > 0 {
			keep = except[0]
		}
		_, err = t.exec("DELETE FROM sign_ins WHERE user_id = ? AND hash <> ?", uuid(id), keep[:])
		return err
	})
}

// Membership is one tenant of a person.
type Membership struct {
	Tenant tenants.Tenant
	Role   tenants.Role
	Since  time.Time
}

// Memberships lists the tenants of a person, by name.
func (s *Store) Memberships(ctx context.Context, user tenants.UserID) ([]Membership, error) {
	var rows []struct {
		Row   tenantRow `gorm:"embedded"`
		Role  string
		Since int64
	}
	err := s.db.through(wholeHouse).gorm(ctx).Table("members").Select("tenants.*, members.role, members.created_at AS since").
		Joins("JOIN tenants ON tenants.id = members.tenant_id").Where("members.user_id = ?", uuid(user)).
		Order("tenants.name, tenants.id").Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	out := make([]Membership, len(rows))
	for i, r := range rows {
		out[i] = Membership{Tenant: r.Row.noun(), Role: tenants.Role(r.Role), Since: moment(r.Since)}
	}
	return out, nil
}

// SignIn is a person's sign-in to the console, known by the hash of its cookie.
type SignIn struct {
	Hash      tenants.Hash
	User      tenants.UserID
	Tenant    tenants.TenantID // which one they look at
	CreatedAt time.Time
	IdleAt    time.Time // over when nothing touches it until then; zero = no such limit
	ExpiresAt time.Time // over in any case
	IP        string
	UserAgent string
}

type signInRow struct {
	Hash      []byte
	UserID    uuid
	TenantID  uuid
	Created   int64 `gorm:"column:created_at"`
	IdleAt    int64
	ExpiresAt int64
	IP        string
	UserAgent string
}

func (signInRow) TableName() string { return "sign_ins" }

func (r signInRow) noun() SignIn {
	return SignIn{
		Hash: hash(r.Hash), User: tenants.UserID(r.UserID), Tenant: tenants.TenantID(r.TenantID), CreatedAt: moment(r.Created),
		IdleAt: moment(r.IdleAt), ExpiresAt: moment(r.ExpiresAt), IP: r.IP, UserAgent: r.UserAgent,
	}
}

func hash(b []byte) (h tenants.Hash) { copy(h[:], b); return h }

// AddSignIn records a sign-in.
func (s *Store) AddSignIn(ctx context.Context, in SignIn) error {
	row := signInRow{
		Hash: in.Hash[:], UserID: uuid(in.User), TenantID: uuid(in.Tenant), Created: micros(in.CreatedAt), IdleAt: micros(in.IdleAt),
		ExpiresAt: micros(in.ExpiresAt), IP: in.IP, UserAgent: in.UserAgent,
	}
	return s.w.do(ctx, wholeHouse, func(t *tx) error { return t.db().Create(&row).Error })
}

// SignInOf finds a sign-in that is not over, and whose it is. Anything else is Unauthorized, a disabled person too.
func (s *Store) SignInOf(ctx context.Context, h tenants.Hash, now time.Time) (SignIn, tenants.User, error) {
	over := tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in. Sign in again.")
	var row signInRow
	if err := s.db.through(wholeHouse).gorm(ctx).Where("hash = ?", h[:]).Take(&row).Error; err != nil {
		if absent(err) {
			return SignIn{}, tenants.User{}, over
		}
		return SignIn{}, tenants.User{}, translate(err)
	}
	if at := micros(now); at >= row.ExpiresAt || row.IdleAt != 0 && at >= row.IdleAt {
		return SignIn{}, tenants.User{}, over
	}
	u, err := s.User(ctx, tenants.UserID(row.UserID))
	if err != nil {
		return SignIn{}, tenants.User{}, err
	}
	if !u.DisabledAt.IsZero() {
		return SignIn{}, tenants.User{}, over
	}
	return row.noun(), u, nil
}

// TouchSignIn moves the moment at which the sign-in is idle.
func (s *Store) TouchSignIn(ctx context.Context, h tenants.Hash, idleAt time.Time) error {
	return s.signIn(ctx, "UPDATE sign_ins SET idle_at = ? WHERE hash = ?", micros(idleAt), h[:])
}

// SwitchSignIn turns the sign-in to another tenant of the same person; a tenant they are no member of is unknown.
func (s *Store) SwitchSignIn(ctx context.Context, h tenants.Hash, t tenants.TenantID) error {
	err := s.signIn(ctx, "UPDATE sign_ins SET tenant_id = ? WHERE hash = ? AND EXISTS "+
		"(SELECT 1 FROM members WHERE members.tenant_id = ? AND members.user_id = sign_ins.user_id)", uuid(t), h[:], uuid(t))
	if tenants.KindOf(err) == tenants.Unauthorized {
		return tenants.NoSuch("tenant")
	}
	return err
}

func (s *Store) signIn(ctx context.Context, query string, args ...any) error {
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		n, err := t.change(query, args...)
		if err == nil && n == 0 {
			return tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in. Sign in again.")
		}
		return err
	})
}

// EndSignIn ends a sign-in; one that is over already is no error.
func (s *Store) EndSignIn(ctx context.Context, h tenants.Hash) error {
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		_, err := t.exec("DELETE FROM sign_ins WHERE hash = ?", h[:])
		return err
	})
}

// EndSignIns ends every sign-in of the person but one; a zero except ends them all.
func (s *Store) EndSignIns(ctx context.Context, user tenants.UserID, except tenants.Hash) error {
	return s.w.do(ctx, wholeHouse, func(t *tx) error {
		_, err := t.exec("DELETE FROM sign_ins WHERE user_id = ? AND hash <> ?", uuid(user), except[:])
		return err
	})
}

// SignIns lists a person's sign-ins, newest first.
func (s *Store) SignIns(ctx context.Context, user tenants.UserID) ([]SignIn, error) {
	var rows []signInRow
	err := s.db.through(wholeHouse).gorm(ctx).Where("user_id = ?", uuid(user)).Order("created_at DESC, hash").Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	return nouns(rows, signInRow.noun), nil
}
