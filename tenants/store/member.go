package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

type memberRow struct {
	TenantID uuid
	UserID   uuid
	Role     string
	Created  int64 `gorm:"column:created_at"`
}

func (memberRow) TableName() string { return "members" }

// personRow is a member with what their user says.
type personRow struct {
	Row   memberRow `gorm:"embedded"`
	Email string
	Name  string
}

func (r personRow) noun() tenants.Member {
	return tenants.Member{
		Tenant: tenants.TenantID(r.Row.TenantID), User: tenants.UserID(r.Row.UserID), Role: tenants.Role(r.Row.Role), Email: r.Email, Name: r.Name,
		CreatedAt: moment(r.Row.Created),
	}
}

func (s *Scope) people(db *gorm.DB) *gorm.DB {
	return s.in(db, "members").Joins("JOIN users ON users.id = members.user_id").Select("members.*, users.email, users.name")
}

// Members lists the tenant's people, newest first.
func (s *Scope) Members(ctx context.Context, q Page) ([]tenants.Member, string, error) {
	db := s.people(s.reads().gorm(ctx))
	if q.Search != "" {
		p := like("%", q.Search, "%")
		db = db.Where(`(LOWER(users.email) LIKE ? ESCAPE '\' OR LOWER(users.name) LIKE ? ESCAPE '\')`, p, p)
	}
	if q.After != "" {
		c, err := parseCursor(q.After)
		if err != nil {
			return nil, "", err
		}
		db = db.Where("(members.created_at, members.user_id) < (?, ?)", c.at, c.id)
	}
	var rows []personRow
	n := limit(q.Limit)
	if err := db.Order("members.created_at DESC, members.user_id DESC").Limit(n + 1).Find(&rows).Error; err != nil {
		return nil, "", translate(err)
	}
	rows, next := cut(rows, n, func(r personRow) cursor { return cursor{r.Row.Created, r.Row.UserID} })
	return nouns(rows, personRow.noun), next, nil
}

// Member is one of the tenant's people.
func (s *Scope) Member(ctx context.Context, user tenants.UserID) (tenants.Member, error) {
	var row personRow
	if err := s.people(s.reads().gorm(ctx)).Where("members.user_id = ?", uuid(user)).Take(&row).Error; err != nil {
		return tenants.Member{}, missing(err, "member")
	}
	return row.noun(), nil
}

// AddMember joins a user to the tenant. Who is a member already is a Conflict.
func (s *Scope) AddMember(ctx context.Context, m tenants.Member) error {
	return s.write(ctx, func(t *tx) error { return t.join(s, m) })
}

func (t *tx) join(s *Scope, m tenants.Member) error {
	if err := t.db().Where("id = ?", uuid(m.User)).Take(&userRow{}).Error; err != nil {
		return missing(err, "user")
	}
	row := memberRow{TenantID: uuid(s.id), UserID: uuid(m.User), Role: string(m.Role), Created: micros(m.CreatedAt)}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "This person is a member already.")
	}
	return t.audit(s, "member.add", string(row.UserID), row.Role)
}

// SetRole changes a member's role. The last owner stays one: Conflict.
func (s *Scope) SetRole(ctx context.Context, user tenants.UserID, r tenants.Role) error {
	return s.write(ctx, func(t *tx) error {
		was, err := t.role(s, user)
		if err != nil || was == r {
			return err
		}
		if was == tenants.Owner {
			if err := t.notLast(s); err != nil {
				return err
			}
		}
		if _, err := t.exec("UPDATE members SET role = ? WHERE tenant_id = ? AND user_id = ?", string(r), uuid(s.id), uuid(user)); err != nil {
			return err
		}
		return t.audit(s, "member.role", string(user), string(was)+" to "+string(r))
	})
}

// RemoveMember takes a person out of the tenant and turns their sign-ins away from it. The last owner stays: Conflict.
func (s *Scope) RemoveMember(ctx context.Context, user tenants.UserID) error {
	return s.write(ctx, func(t *tx) error {
		was, err := t.role(s, user)
		if err != nil {
			return err
		}
		if was == tenants.Owner {
			if err := t.notLast(s); err != nil {
				return err
			}
		}
		if _, err := t.exec("DELETE FROM members WHERE tenant_id = ? AND user_id = ?", uuid(s.id), uuid(user)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND user_id = ?", uuid(s.id), uuid(user)); err != nil {
			return err
		}
		return t.audit(s, "member.remove", string(user), string(was))
	})
}

func (t *tx) role(s *Scope, user tenants.UserID) (tenants.Role, error) {
	var row memberRow
	if err := s.in(t.db(), "members").Where("user_id = ?", uuid(user)).Take(&row).Error; err != nil {
		return "", missing(err, "member")
	}
	return tenants.Role(row.Role), nil
}

// notLast refuses when there is one owner. The tenant's row is held (counter), so that two owners cannot both leave at once.
func (t *tx) notLast(s *Scope) error {
	var owners int64
	if err := s.in(t.db(), "members").Where("role = ?", string(tenants.Owner)).Count(&owners).Error; err != nil {
		return err
	}
	if owners < 2 {
		return tenants.Refuse(tenants.Conflict, "last_owner", "This is the only owner. Make somebody else an owner first.")
	}
	return nil
}

// Invitation is a mail link that joins a person to a tenant. One is open for an address at a time.
type Invitation struct {
	Hash      tenants.Hash
	Tenant    tenants.TenantID
	Email     string
	Role      tenants.Role
	By        tenants.Actor
	CreatedAt time.Time
	ExpiresAt time.Time
}

type invitationRow struct {
	TenantID  uuid
	Email     string
	Hash      []byte
	Role      string
	ByKind    string
	ByID      uuid
	ByName    string
	Created   int64 `gorm:"column:created_at"`
	ExpiresAt int64
}

func (invitationRow) TableName() string { return "invitations" }

func (r invitationRow) noun() Invitation {
	return Invitation{
		Hash: hash(r.Hash), Tenant: tenants.TenantID(r.TenantID), Email: r.Email, Role: tenants.Role(r.Role),
		By: tenants.Actor{Kind: r.ByKind, ID: string(r.ByID), Name: r.ByName}, CreatedAt: moment(r.Created), ExpiresAt: moment(r.ExpiresAt),
	}
}

// AddInvitation opens an invitation; an older one for the same address is replaced. Who is a member already is a Conflict.
func (s *Scope) AddInvitation(ctx context.Context, i Invitation) error {
	return s.write(ctx, func(t *tx) error { return t.invite(s, i) })
}

func (t *tx) invite(s *Scope, i Invitation) error {
	row := invitationRow{
		TenantID: uuid(s.id), Email: i.Email, Hash: i.Hash[:], Role: string(i.Role), ByKind: i.By.Kind, ByID: uuid(i.By.ID), ByName: i.By.Name,
		Created: micros(i.CreatedAt), ExpiresAt: micros(i.ExpiresAt),
	}
	var there int64
	if err := s.people(t.db()).Where("users.email = ?", i.Email).Count(&there).Error; err != nil {
		return err
	}
	if there > 0 {
		return tenants.Refuse(tenants.Conflict, "conflict", "This person is a member already.")
	}
	if err := t.mayAddPerson(s, i.Email); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(s.id), i.Email); err != nil {
		return err
	}
	if err := t.db().Create(&row).Error; err != nil {
		return err
	}
	return t.audit(s, "invitation.add", i.Email, string(i.Role))
}

// Invitations lists the open invitations, newest first.
func (s *Scope) Invitations(ctx context.Context) ([]Invitation, error) {
	var rows []invitationRow
	if err := s.read(ctx, "invitations").Order("created_at DESC, email").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return nouns(rows, invitationRow.noun), nil
}

// RevokeInvitation takes back the invitation for an address.
func (s *Scope) RevokeInvitation(ctx context.Context, email string) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(s.id), email)
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("invitation")
		}
		return t.audit(s, "invitation.revoke", email, "")
	})
}

// InvitationOf finds the invitation of a link; one that is unknown, taken back or expired is Gone.
func (s *Store) InvitationOf(ctx context.Context, h tenants.Hash, now time.Time) (Invitation, error) {
	return invitation(s.db.through(wholeHouse).gorm(ctx), h, now)
}

func invitation(db *gorm.DB, h tenants.Hash, now time.Time) (Invitation, error) {
	var row invitationRow
	err := db.Where("hash = ?", h[:]).Take(&row).Error
	if err != nil && !absent(err) {
		return Invitation{}, translate(err)
	}
	if err != nil || micros(now) >= row.ExpiresAt {
		return Invitation{}, tenants.Refuse(tenants.Gone, "invitation_gone", "This invitation was used, cancelled or replaced, or it has expired. Ask for a new one.")
	}
	return row.noun(), nil
}

// TakeInvitation uses the link up and joins its person to the tenant: the user with the invited address if there is one, else user
// as given, with that address.
func (s *Store) TakeInvitation(ctx context.Context, h tenants.Hash, user tenants.User, now time.Time) (member tenants.Member, err error) {
	err = s.w.do(ctx, wholeHouse, func(t *tx) error {
		i, err := invitation(t.db(), h, now)
		if err != nil {
			return err
		}
		row := rowOfUser(user)
		row.Email = i.Email
		var there userRow
		switch err := t.db().Where("email = ?", i.Email).Take(&there).Error; {
		case err == nil:
			row = there
		case !absent(err):
			return err
		default:
			if err := t.db().Create(&row).Error; err != nil {
				return taken(err, "There is an account with this address already.")
			}
		}
		member = tenants.Member{
			Tenant: i.Tenant, User: tenants.UserID(row.ID), Role: i.Role, Email: row.Email, Name: row.Name, CreatedAt: stored(now),
		}
		scope := s.For(i.Tenant).By(Who{Actor: tenants.Actor{Kind: "user", ID: string(row.ID), Name: row.Name}})
		if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(i.Tenant), i.Email); err != nil {
			return err
		}
		return t.join(scope, member)
	})
	if err != nil {
		return tenants.Member{}, err
	}
	return member, nil
}
