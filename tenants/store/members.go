package store

import (
	"cmp"
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
		Tenant: tenants.TenantID(r.Row.TenantID), User: tenants.UserID(r.Row.UserID), Role: tenants.Role(r.Row.Role), Email: r.Email,
		Name:      r.Name,
		CreatedAt: moment(r.Row.Created),
	}
}

func (s *scope) people(db *gorm.DB) *gorm.DB {
	return s.in(db, "members").Joins("JOIN users ON users.id = members.user_id").Select("members.*, users.email, users.name")
}

// Members are the people of the tenant.
type Members struct{ *scope }

// Members returns the tenant's Members.
func (s *Scope) Members() Members { return Members{&s.scope} }

// memberOrders: a plan bounds the people of a tenant, so no index is needed to sort them.
var memberOrders = orders[personRow]{"created", map[Sort]order[personRow]{
	"created": by("members.created_at, members.user_id", func(r personRow) []any { return []any{r.Row.Created, r.Row.UserID} }),
	"name":    byText("LOWER(users.name)", "members.user_id", func(r personRow) []any { return []any{r.Name, r.Row.UserID} }),
	"role":    by("members.role, members.user_id", func(r personRow) []any { return []any{r.Row.Role, r.Row.UserID} }),
}}

func (s Members) found(ctx context.Context, q Page) *gorm.DB {
	db := s.people(s.reads().gorm(ctx))
	if q.Search != "" {
		found, args := s.s.db.dialect.alike(q.Search, "users.email", "users.name")
		db = db.Where("("+found+")", args...)
	}
	return db
}

// List lists the tenant's people. They can be sorted by "created", "name" and "role".
func (s Members) List(ctx context.Context, q Page) ([]tenants.Member, string, error) {
	rows, next, err := list(s.found(ctx, q), q, memberOrders)
	return nouns(rows, personRow.noun), next, err
}

// Total counts the people that List finds.
func (s Members) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }

// Get is one of the tenant's people.
func (s Members) Get(ctx context.Context, user tenants.UserID) (tenants.Member, error) {
	var row personRow
	if err := s.people(s.reads().gorm(ctx)).Where("members.user_id = ?", uuid(user)).Take(&row).Error; err != nil {
		return tenants.Member{}, missing(err, "member")
	}
	return row.noun(), nil
}

// Add joins a user to the tenant. Who is a member already is a Conflict.
func (s Members) Add(ctx context.Context, m tenants.Member) error {
	return s.write(ctx, func(t *tx) error { return t.people().join(s.scope, m) })
}

// peopleTx is the writer's transaction as it changes people: users, members and invitations.
type peopleTx struct{ *tx }

func (t *tx) people() peopleTx { return peopleTx{t} }

func (t peopleTx) join(s *scope, m tenants.Member) error {
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
func (s Members) SetRole(ctx context.Context, user tenants.UserID, r tenants.Role) error {
	return s.write(ctx, func(t *tx) error {
		was, err := t.people().role(s.scope, user)
		if err != nil || was == r {
			return err
		}
		if was == tenants.Owner {
			if err := t.people().notLast(s.scope); err != nil {
				return err
			}
		}
		if _, err := t.exec("UPDATE members SET role = ? WHERE tenant_id = ? AND user_id = ?", string(r), uuid(s.id),
			uuid(user)); err != nil {
			return err
		}
		return t.auditChange(s.scope, "member.role", string(user), "",
			tenants.Change{Field: "role", Before: string(was), After: string(r)})
	})
}

// Remove takes a person out of the tenant and turns their sign-ins away from it. The last owner
// stays: Conflict.
func (s Members) Remove(ctx context.Context, user tenants.UserID) error {
	return s.write(ctx, func(t *tx) error {
		var was personRow
		if err := s.people(t.db()).Where("members.user_id = ?", uuid(user)).Take(&was).Error; err != nil {
			return missing(err, "member")
		}
		if was.Row.Role == string(tenants.Owner) {
			if err := t.people().notLast(s.scope); err != nil {
				return err
			}
		}
		if _, err := t.exec("DELETE FROM members WHERE tenant_id = ? AND user_id = ?", uuid(s.id), uuid(user)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM sign_ins WHERE tenant_id = ? AND user_id = ?", uuid(s.id), uuid(user)); err != nil {
			return err
		}
		return t.audit(s.scope, "member.remove", string(user), cmp.Or(was.Name, was.Email)+" ("+was.Row.Role+")")
	})
}

func (t peopleTx) role(s *scope, user tenants.UserID) (tenants.Role, error) {
	var row memberRow
	if err := s.in(t.db(), "members").Where("user_id = ?", uuid(user)).Take(&row).Error; err != nil {
		return "", missing(err, "member")
	}
	return tenants.Role(row.Role), nil
}

// notLast refuses when there is one owner. The tenant's row is held (counter), so that two owners
// cannot both leave at once.
func (t peopleTx) notLast(s *scope) error {
	var owners int64
	if err := s.in(t.db(), "members").Where("role = ?", string(tenants.Owner)).Count(&owners).Error; err != nil {
		return err
	}
	if owners < 2 {
		return tenants.Refuse(tenants.Conflict, "last_owner", "This is the only owner. Make somebody else an owner first.")
	}
	return nil
}

// LastSeen tells when each person was last signed in to the tenant's console; idle is the time
// after which a sign-in is over by itself. Who has no sign-in left is not in it.
func (s Members) LastSeen(ctx context.Context, idle time.Duration) (map[tenants.UserID]time.Time, error) {
	type seen struct {
		user uuid
		at   int64
	}
	rows, err := s.reads().query(ctx, "SELECT user_id, MAX(idle_at) FROM sign_ins WHERE tenant_id = ? GROUP BY user_id", uuid(s.id))
	found, err := collect(rows, err, func(x *seen) []any { return []any{&x.user, &x.at} })
	out := map[tenants.UserID]time.Time{}
	for _, x := range found {
		out[tenants.UserID(x.user)] = moment(x.at).Add(-idle)
	}
	return out, translate(err)
}

// Managers are the addresses of the tenant's owners and admins who can still sign in, in order.
func (s Members) Managers(ctx context.Context) ([]string, error) {
	rows, err := s.reads().query(ctx,
		"SELECT users.email FROM members JOIN users ON users.id = members.user_id WHERE members.tenant_id = ? "+
			"AND members.role IN (?, ?) AND users.disabled_at = 0 ORDER BY users.email", uuid(s.id), string(tenants.Owner),
		string(tenants.Admin))
	found, err := collect(rows, err, func(email *string) []any { return []any{email} })
	return found, translate(err)
}

// Address is where a member who can still sign in gets mail; empty for everybody else.
func (s Members) Address(ctx context.Context, id tenants.UserID) (string, error) {
	rows, err := s.reads().query(ctx, "SELECT users.email FROM members JOIN users ON users.id = members.user_id WHERE "+
		"members.tenant_id = ? AND members.user_id = ? AND users.disabled_at = 0", uuid(s.id), uuid(id))
	found, err := collect(rows, err, func(email *string) []any { return []any{email} })
	if err != nil || len(found) == 0 {
		return "", translate(err)
	}
	return found[0], nil
}

// Count counts members and open invitations: who takes a place in the plan.
func (s Members) Count(ctx context.Context) (int, error) {
	members, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM members WHERE tenant_id = ?", uuid(s.id)))
	if err != nil {
		return 0, err
	}
	invited, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM invitations WHERE tenant_id = ?", uuid(s.id)))
	return int(members + invited), err
}

// Preview shows the console to a sign-in of the tenant as another role has it; an empty role ends
// that. It changes nothing else.
func (s Members) Preview(ctx context.Context, signIn tenants.Hash, r tenants.Role) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE sign_ins SET preview = ? WHERE tenant_id = ? AND hash = ?", string(r), uuid(s.id), signIn[:])
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("sign-in")
		}
		action := "role.preview"
		if r == "" {
			action = "role.preview_end"
		}
		return t.audit(s.scope, action, s.who.ID, string(r))
	})
}
