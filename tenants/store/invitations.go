package store

import (
	"context"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// Invitation is a mail link that joins a person to a tenant. One is open for an address at a time.
type Invitation struct {
	Hash      tenants.Hash
	Tenant    tenants.TenantID
	Email     string
	Role      tenants.Role
	Shown     bool // the inviter saw the link, so its use does not prove the address
	By        tenants.Actor
	CreatedAt time.Time
	ExpiresAt time.Time
}

type invitationRow struct {
	TenantID  uuid
	Email     string
	Hash      []byte
	Role      string
	Shown     bool
	ByKind    string
	ByID      uuid
	ByName    string
	Created   int64 `gorm:"column:created_at"`
	ExpiresAt int64
	SentAt    int64 // again, the last time
	Sends     int64 // again, since SendsFrom
	SendsFrom int64
}

func (invitationRow) TableName() string { return "invitations" }

func (r invitationRow) noun() Invitation {
	return Invitation{
		Hash: hash(r.Hash), Tenant: tenants.TenantID(r.TenantID), Email: r.Email, Role: tenants.Role(r.Role), Shown: r.Shown,
		By: tenants.Actor{Kind: tenants.ActorKind(r.ByKind), ID: string(r.ByID), Name: r.ByName}, CreatedAt: moment(r.Created),
		ExpiresAt: moment(r.ExpiresAt),
	}
}

func (t peopleTx) invite(s *scope, i Invitation, may func(tenants.Role) error) error {
	row := invitationRow{
		TenantID: uuid(s.id), Email: i.Email, Hash: i.Hash[:], Role: string(i.Role), Shown: i.Shown, ByKind: string(i.By.Kind),
		ByID: uuid(i.By.ID), ByName: i.By.Name,
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
	if err := t.mayReplace(s, i, may); err != nil {
		return err
	}
	if _, err := t.exec("DELETE FROM invitations WHERE tenant_id = ? AND email = ?", uuid(s.id), i.Email); err != nil {
		return err
	}
	if err := t.room(s, tenants.CapInvitations, "invitations", "expires_at > ?", micros(i.CreatedAt)); err != nil {
		return err
	}
	if err := t.db().Create(&row).Error; err != nil {
		return err
	}
	return t.audit(s, "invitation.add", i.Email, string(i.Role))
}

// mayReplace asks about the role of the invitation that is replaced, if one is open.
func (t peopleTx) mayReplace(s *scope, i Invitation, may func(tenants.Role) error) error {
	var old invitationRow
	err := s.in(t.db(), "invitations").Where("email = ? AND expires_at > ?", i.Email, micros(i.CreatedAt)).Take(&old).Error
	switch {
	case absent(err):
		return nil
	case err != nil || may == nil:
		return err
	}
	return may(tenants.Role(old.Role))
}

func invitation(db *gorm.DB, h tenants.Hash, now time.Time) (Invitation, error) {
	var row invitationRow
	err := db.Where("hash = ?", h[:]).Take(&row).Error
	if err != nil && !absent(err) {
		return Invitation{}, translate(err)
	}
	if err != nil || micros(now) >= row.ExpiresAt {
		return Invitation{}, tenants.Refuse(tenants.Gone, "invitation_gone",
			"This invitation was used, cancelled or replaced, or it has expired. Ask for a new one.")
	}
	return row.noun(), nil
}

// Invitations are the invitations that nobody has accepted yet.
type Invitations struct{ *scope }

// Invitations returns the tenant's Invitations.
func (s *Scope) Invitations() Invitations { return Invitations{&s.scope} }

// Add opens an invitation; an older one for the same address is replaced, if may allows it for its
// role. A nil may allows all. Inviting a member is a Conflict.
func (s Invitations) Add(ctx context.Context, i Invitation, may func(tenants.Role) error) error {
	return s.write(ctx, func(t *tx) error { return t.people().invite(s.scope, i, may) })
}

// List lists the open invitations, newest first.
func (s Invitations) List(ctx context.Context) ([]Invitation, error) {
	var rows []invitationRow
	if err := s.read(ctx, "invitations").Order("created_at DESC, email").Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	return nouns(rows, invitationRow.noun), nil
}

// Revoke takes back an invitation, and not another one that replaced it meanwhile.
func (s Invitations) Revoke(ctx context.Context, i Invitation) error {
	return s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM invitations WHERE tenant_id = ? AND hash = ?", uuid(s.id), i.Hash[:])
		if err != nil {
			return err
		}
		if n == 0 {
			return tenants.NoSuch("invitation")
		}
		return t.audit(s.scope, "invitation.revoke", i.Email, "")
	})
}

// How often the link of an invitation is sent again: once a minute and five times a day.
const (
	resendEvery = time.Minute
	resendsADay = 5
)

// Resend gives an open invitation a new link, which works until then; the old one is over. shown
// says that who asks sees the link. Too soon or too often is TooMany.
func (s Invitations) Resend(ctx context.Context, old, fresh tenants.Hash, shown bool, until time.Time) (i Invitation, err error) {
	err = s.write(ctx, func(t *tx) error {
		now := s.s.now()
		var row invitationRow
		if err := s.in(t.db(), "invitations").Where("hash = ? AND expires_at > ?", old[:], micros(now)).Take(&row).Error; err != nil {
			return missing(err, "invitation")
		}
		if now.Sub(moment(row.SendsFrom)) >= 24*time.Hour {
			row.Sends, row.SendsFrom = 0, micros(now)
		}
		wait := moment(max(row.SentAt, row.Created)).Add(resendEvery).Sub(now)
		if row.Sends >= resendsADay {
			wait = moment(row.SendsFrom).Add(24 * time.Hour).Sub(now)
		}
		if wait > 0 {
			return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_tries", RetryAfter: wait,
				Msg: "An invitation is sent again once a minute and five times a day. Wait, and try again."}
		}
		row.Hash, row.Shown, row.ExpiresAt, row.SentAt, row.Sends = fresh[:], shown, micros(until), micros(now), row.Sends+1
		_, err := t.exec("UPDATE invitations SET hash = ?, shown = ?, expires_at = ?, sent_at = ?, sends = ?, sends_from = ? "+
			"WHERE tenant_id = ? AND email = ?", row.Hash, row.Shown, row.ExpiresAt, row.SentAt, row.Sends, row.SendsFrom, row.TenantID,
			row.Email)
		if err != nil {
			return err
		}
		i = row.noun()
		return t.audit(s.scope, "invitation.resend", i.Email, string(i.Role))
	})
	return i, err
}
