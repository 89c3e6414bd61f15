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
	Language   string
	Created    int64 `gorm:"column:created_at"`
	DisabledAt int64
	Unproven   bool
	TwoSteps   bool
}

func (userRow) TableName() string { return "users" }

func rowOfUser(u tenants.User) userRow {
	return userRow{
		ID: uuid(u.ID), Email: u.Email, Name: u.Name, Password: u.Password, Theme: u.Theme, Language: u.Language,
		Created: micros(u.CreatedAt), DisabledAt: micros(u.DisabledAt), Unproven: u.Unproven, TwoSteps: u.TwoSteps,
	}
}

func (r userRow) noun() tenants.User {
	return tenants.User{
		ID: tenants.UserID(r.ID), Email: r.Email, Name: r.Name, Password: r.Password, Theme: r.Theme, Language: r.Language,
		CreatedAt: moment(r.Created), DisabledAt: moment(r.DisabledAt), Unproven: r.Unproven, TwoSteps: r.TwoSteps,
	}
}

// Users are the people who can sign in, of every tenant.
type Users struct{ *core }

// Users returns the Users of all tenants.
func (s *Store) Users() Users { return Users{&s.core} }

// Add adds a person. An address that is taken is a Conflict.
func (s Users) Add(ctx context.Context, u tenants.User) error {
	row := rowOfUser(u)
	return s.w.do(ctx, noTenant, func(t *tx) error {
		return taken(t.db().Create(&row).Error, "There is an account with this address already.")
	})
}

// Get is one person.
func (s Users) Get(ctx context.Context, id tenants.UserID) (tenants.User, error) {
	var row userRow
	if err := s.db.through(noTenant).gorm(ctx).Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.User{}, missing(err, "user")
	}
	return row.noun(), nil
}

// ByEmail finds a person by the stored form of their address.
func (s Users) ByEmail(ctx context.Context, email string) (tenants.User, error) {
	var row userRow
	if err := s.db.through(noTenant).gorm(ctx).Where("email = ?", email).Take(&row).Error; err != nil {
		return tenants.User{}, missing(err, "user")
	}
	return row.noun(), nil
}

// Set changes name, address, theme, language and whether the person may sign in. Disabling somebody
// ends their sign-ins. The password has SetPassword.
func (s Users) Set(ctx context.Context, u tenants.User) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change("UPDATE users SET email = ?, name = ?, theme = ?, language = ?, disabled_at = ? WHERE id = ?",
			u.Email, u.Name, u.Theme, u.Language, micros(u.DisabledAt), uuid(u.ID))
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

// SetName changes the person's name alone, and records it in each of their tenants. A person who is
// not there is Unknown.
func (s Users) SetName(ctx context.Context, by Who, id tenants.UserID, name string) error {
	return s.setOwn(ctx, by, id, "user.name", "UPDATE users SET name = ? WHERE id = ?", name, "")
}

// SetLanguage changes the language of the person's pages alone, and records it in each of their
// tenants. A person who is not there is Unknown.
func (s Users) SetLanguage(ctx context.Context, by Who, id tenants.UserID, tag string) error {
	return s.setOwn(ctx, by, id, "user.language", "UPDATE users SET language = ? WHERE id = ?", tag, tag)
}

// setOwn writes one column, not the whole row: a copy of it may be older than what an operator did.
func (s Users) setOwn(ctx context.Context, by Who, id tenants.UserID, action, set, value, detail string) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		n, err := t.change(set, value, uuid(id))
		if err == nil && n == 0 {
			err = tenants.NoSuch("user")
		}
		if err != nil {
			return err
		}
		return t.people().auditEverywhere(s.core, by, action, id, detail)
	})
}

// SetPassword changes the password, given in PHC form, and ends every sign-in of the person but the
// one that did it, if named.
func (s Users) SetPassword(ctx context.Context, id tenants.UserID, phc string, except ...tenants.Hash) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
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
		return t.endSignIns(id, keep)
	})
}

// endSignIns ends a person's sign-ins but keep, those that wait for a second step, and a change of
// address that is not confirmed: who could sign in before must not get in by what they began.
func (t *tx) endSignIns(u tenants.UserID, keep tenants.Hash) error {
	if _, err := t.exec("DELETE FROM sign_ins WHERE user_id = ? AND hash <> ?", uuid(u), keep[:]); err != nil {
		return err
	}
	for _, query := range []string{"DELETE FROM half_sign_ins WHERE user_id = ?", "DELETE FROM email_changes WHERE user_id = ?"} {
		if _, err := t.exec(query, uuid(u)); err != nil {
			return err
		}
	}
	return nil
}

// Membership is one tenant of a person.
type Membership struct {
	Tenant tenants.Tenant
	Role   tenants.Role
	Since  time.Time
}

// Memberships lists the tenants of a person, by name.
func (s Users) Memberships(ctx context.Context, user tenants.UserID) ([]Membership, error) {
	var rows []struct {
		Row   tenantRow `gorm:"embedded"`
		Role  string
		Since int64
	}
	err := s.db.through(allTenants).gorm(ctx).Table("members").Select("tenants.*, members.role, members.created_at AS since").
		Joins("JOIN tenants ON tenants.id = members.tenant_id").Where("members.user_id = ?", uuid(user)).
		Order("tenants.name, tenants.id").Find(&rows).Error
	if err != nil {
		return nil, translate(err)
	}
	out := make([]Membership, len(rows))
	for i, r := range rows {
		out[i] = Membership{Tenant: s.tenantOf(r.Row), Role: tenants.Role(r.Role), Since: moment(r.Since)}
	}
	return out, nil
}

func hash(b []byte) (h tenants.Hash) { copy(h[:], b); return h }

// Invitation finds the invitation of a link; one that is unknown, taken back or expired is Gone.
func (s Users) Invitation(ctx context.Context, h tenants.Hash, now time.Time) (Invitation, error) {
	return invitation(s.db.through(allTenants).gorm(ctx), h, now)
}

// TakeInvitation uses the link up and joins its person to the tenant: the user with the invited
// address if there is one, else user as given, with that address. A link that only the address got
// proves it, so user also replaces an unproven one.
func (s Users) TakeInvitation(ctx context.Context, h tenants.Hash, user tenants.User, now time.Time) (member tenants.Member, err error) {
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		i, err := invitation(t.db(), h, now)
		if err != nil {
			return err
		}
		row := rowOfUser(user)
		row.Email = i.Email
		row.Unproven = i.Shown
		var there userRow
		err = t.db().Where("email = ?", i.Email).Take(&there).Error
		switch {
		case err == nil && (!there.Unproven || i.Shown):
			row = there
		case err == nil || absent(err):
			err = t.people().addProven(s.core, row)
		}
		if err != nil {
			return err
		}
		member = tenants.Member{
			Tenant: i.Tenant, User: tenants.UserID(row.ID), Role: i.Role, Email: row.Email, Name: row.Name, CreatedAt: stored(now),
		}
		scope := s.of(i.Tenant).by(Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(row.ID), Name: row.Name}})
		if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(i.Tenant), i.Email); err != nil {
			return err
		}
		return t.people().join(scope, member)
	})
	if err != nil {
		return tenants.Member{}, err
	}
	return member, nil
}
