package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// Reset is a link that sets a new password. Its use proves the address.
type Reset struct {
	Hash      tenants.Hash
	Email     string
	CreatedAt time.Time
	ExpiresAt time.Time
}

type resetRow struct {
	Hash      []byte
	Email     string
	Created   int64 `gorm:"column:created_at"`
	ExpiresAt int64
}

func (resetRow) TableName() string { return "password_resets" }

// AddReset keeps a link until it is used or expires. It does so for addresses without an account
// too, so that the time it takes does not tell.
func (s Users) AddReset(ctx context.Context, r Reset) error {
	row := resetRow{Hash: r.Hash[:], Email: r.Email, Created: micros(r.CreatedAt), ExpiresAt: micros(r.ExpiresAt)}
	return s.w.do(ctx, noTenant, func(t *tx) error { return translate(t.db().Create(&row).Error) })
}

const resetGone = "This link was used already, or it has expired. Ask for a new one."

// OfReset finds whose password a link sets. A link that is unknown, used or expired is Gone, and so
// is one of an address without an account, or of a disabled person.
func (s Users) OfReset(ctx context.Context, h tenants.Hash, now time.Time) (tenants.User, error) {
	return reset(s.db.through(noTenant).gorm(ctx), h, now)
}

// TakeReset uses a link up: it sets the password, given in PHC form, and ends all sign-ins of the
// person and every other link of theirs. Each of their tenants gets an audit row.
func (s Users) TakeReset(ctx context.Context, h tenants.Hash, phc string, now time.Time, by Who) (u tenants.User, err error) {
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		if u, err = reset(t.db(), h, now); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE users SET password = ?, unproven = ? WHERE id = ?", phc, false, uuid(u.ID)); err != nil {
			return err
		}
		if err := t.endSignIns(u.ID, tenants.Hash{}); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM password_resets WHERE email = ?", u.Email); err != nil {
			return err
		}
		all, err := t.people().memberships(uuid(u.ID))
		if err != nil {
			return err
		}
		by.Actor = tenants.Actor{Kind: tenants.ActorUser, ID: string(u.ID), Name: u.Name}
		for _, m := range all {
			if err := t.audit(s.of(tenants.TenantID(m.TenantID)).by(by), "user.reset", string(u.ID), ""); err != nil {
				return err
			}
		}
		return nil
	})
	u.Password, u.Unproven = phc, false
	return u, err
}

// reset finds the person of a link.
func reset(db *gorm.DB, h tenants.Hash, now time.Time) (tenants.User, error) {
	var row resetRow
	var user userRow
	err := db.Where("hash = ? AND expires_at > ?", h[:], micros(now)).Take(&row).Error
	if err == nil {
		err = db.Where("email = ? AND disabled_at = 0", row.Email).Take(&user).Error
	}
	if absent(err) {
		return tenants.User{}, tenants.Refuse(tenants.Gone, "reset_gone", resetGone)
	}
	return user.noun(), translate(err)
}

// memberships are the rows of a person in all tenants.
func (t peopleTx) memberships(user uuid) ([]memberRow, error) {
	rows, err := t.query(context.Background(), "SELECT tenant_id, user_id, role, created_at FROM members WHERE user_id = ?", user)
	found, err := collect(rows, err, func(r *memberRow) []any { return []any{&r.TenantID, &r.UserID, &r.Role, &r.Created} })
	return found, translate(err)
}

// addProven adds a person. One with the same address that nobody proved is replaced: the new person
// gets its memberships, and nothing else. A proven one is a Conflict.
func (t peopleTx) addProven(s *core, row userRow) error {
	var old userRow
	err := t.db().Where("email = ? AND unproven = ?", row.Email, true).Take(&old).Error
	if err != nil && !absent(err) {
		return err
	}
	var all []memberRow
	if err == nil {
		if all, err = t.memberships(old.ID); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM users WHERE id = ?", old.ID); err != nil { // and its sign-ins
			return err
		}
	}
	if err := t.db().Create(&row).Error; err != nil {
		return taken(err, "There is an account with this address already.")
	}
	for _, m := range all {
		m.UserID = row.ID
		if err := t.db().Create(&m).Error; err != nil {
			return err
		}
		who := Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(row.ID), Name: row.Name}}
		if err := t.audit(s.of(tenants.TenantID(m.TenantID)).by(who), "user.prove", string(row.ID), ""); err != nil {
			return err
		}
	}
	return nil
}
