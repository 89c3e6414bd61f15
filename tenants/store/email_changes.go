package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// EmailChange is a link that gives a person a new address. Its use proves the address.
type EmailChange struct {
	Hash      tenants.Hash
	User      tenants.UserID
	Email     string // the new address
	ExpiresAt time.Time
}

type emailChangeRow struct {
	UserID    uuid
	Hash      []byte
	Email     string
	ExpiresAt int64
}

func (emailChangeRow) TableName() string { return "email_changes" }

const emailChangeGone = "This link was used already, or it has expired. Enter the new address again on your account page."

// AddEmailChange keeps a link until it is used or expires. An older one of the same person stops
// working.
func (s Users) AddEmailChange(ctx context.Context, e EmailChange) error {
	row := emailChangeRow{UserID: uuid(e.User), Hash: e.Hash[:], Email: e.Email, ExpiresAt: micros(e.ExpiresAt)}
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, err := t.exec("DELETE FROM email_changes WHERE user_id = ?", row.UserID); err != nil {
			return err
		}
		return translate(t.db().Create(&row).Error)
	})
}

// OfEmailChange finds what a link changes. One that is unknown, used or expired is Gone.
func (s Users) OfEmailChange(ctx context.Context, h tenants.Hash, now time.Time) (EmailChange, error) {
	e, _, err := emailChange(s.db.through(noTenant).gorm(ctx), h, now)
	return e, err
}

// TakeEmailChange uses a link up: the person has the new address from then on, and all their
// sign-ins end, with the links that were sent to the old address. Each of their tenants gets an
// audit row. An address that somebody else has by now is a Conflict. It returns the person as they
// were.
func (s Users) TakeEmailChange(ctx context.Context, h tenants.Hash, now time.Time, by Who) (was tenants.User, e EmailChange, err error) {
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		if e, was, err = emailChange(t.db(), h, now); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE users SET email = ?, unproven = ? WHERE id = ?", e.Email, false, uuid(e.User)); err != nil {
			return taken(err, "There is an account with this address already.")
		}
		for _, c := range []struct {
			query string
			arg   any
		}{
			{"DELETE FROM email_changes WHERE user_id = ?", uuid(e.User)},
			{"DELETE FROM sign_ins WHERE user_id = ?", uuid(e.User)},
			{"DELETE FROM password_resets WHERE email = ?", was.Email},
		} {
			if _, err := t.exec(c.query, c.arg); err != nil {
				return err
			}
		}
		by.Actor = tenants.Actor{Kind: tenants.ActorUser, ID: string(was.ID), Name: was.Name}
		return t.people().auditEverywhere(s.core, by, "user.email", was.ID, "")
	})
	return was, e, err
}

// auditEverywhere writes a change of a person into the record of each of their tenants.
func (t peopleTx) auditEverywhere(s *core, by Who, action string, user tenants.UserID, detail string) error {
	all, err := t.memberships(uuid(user))
	if err != nil {
		return err
	}
	for _, m := range all {
		if err := t.audit(s.of(tenants.TenantID(m.TenantID)).by(by), action, string(user), detail); err != nil {
			return err
		}
	}
	return nil
}

func emailChange(db *gorm.DB, h tenants.Hash, now time.Time) (EmailChange, tenants.User, error) {
	var row emailChangeRow
	var user userRow
	err := db.Where("hash = ? AND expires_at > ?", h[:], micros(now)).Take(&row).Error
	if err == nil {
		err = db.Where("id = ? AND disabled_at = 0", row.UserID).Take(&user).Error
	}
	if absent(err) {
		return EmailChange{}, tenants.User{}, tenants.Refuse(tenants.Gone, "email_change_gone", emailChangeGone)
	}
	return EmailChange{Hash: hash(row.Hash), User: tenants.UserID(row.UserID), Email: row.Email, ExpiresAt: moment(row.ExpiresAt)},
		user.noun(), translate(err)
}
