package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// Digests are the tenant's weekly mails: who gets them, and who got which.
type Digests struct{ *scope }

// Digests returns the tenant's Digests.
func (s *Scope) Digests() Digests { return Digests{&s.scope} }

// DigestPerson is somebody who gets a weekly mail.
type DigestPerson struct {
	User  tenants.UserID
	Email string
}

// Due are the members who read weekly mails and did not get that of the week.
func (s Digests) Due(ctx context.Context, week string) ([]DigestPerson, error) {
	args := []any{uuid(s.id)}
	var roles []string
	for _, r := range tenants.Roles {
		if r.ReadsDigest() {
			roles = append(roles, string(r))
		}
	}
	for i := range room(len(roles)) {
		args = append(args, roles[min(i, len(roles)-1)])
	}
	rows, err := s.reads().query(ctx, "SELECT users.id, users.email FROM members JOIN users ON users.id = members.user_id WHERE "+
		"members.tenant_id = ? AND members.role IN ("+marks(len(roles))+") AND users.disabled_at = 0 AND NOT EXISTS (SELECT 1 FROM "+
		"digest_off o WHERE o.tenant_id = members.tenant_id AND o.user_id = members.user_id) AND NOT EXISTS (SELECT 1 FROM digests d "+
		"WHERE d.tenant_id = members.tenant_id AND d.week = ? AND d.user_id = members.user_id) ORDER BY users.email", append(args, week)...)
	found, err := collect(rows, err, func(p *DigestPerson) []any { return []any{(*uuid)(&p.User), &p.Email} })
	return found, translate(err)
}

// Claim notes that a person gets the mail of a week, before it is sent: nobody else sends it then,
// also after a restart. h is of the link that turns the mail off. False = somebody has claimed it.
func (s Digests) Claim(ctx context.Context, week string, user tenants.UserID, h tenants.Hash) (mine bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.change("INSERT INTO digests (tenant_id, week, user_id, token_hash, sent_at) VALUES (?, ?, ?, ?, ?) "+
			"ON CONFLICT (tenant_id, week, user_id) DO NOTHING", uuid(s.id), week, uuid(user), h[:], micros(s.s.now()))
		mine = n == 1
		return err
	})
	return mine && err == nil, err
}

// Release takes a claim back: the mail was not sent.
func (s Digests) Release(ctx context.Context, week string, user tenants.UserID) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM digests WHERE tenant_id = ? AND week = ? AND user_id = ?", uuid(s.id), week, uuid(user))
		return err
	})
}

// Off reports whether a person turned the weekly mail off.
func (s Digests) Off(ctx context.Context, user tenants.UserID) (bool, error) {
	n, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM digest_off WHERE tenant_id = ? AND user_id = ?", uuid(s.id), uuid(user)))
	return n > 0, translate(err)
}

// SetOff turns the weekly mail off or on for a person. Doing so again changes nothing.
func (s Digests) SetOff(ctx context.Context, user tenants.UserID, off bool) error {
	return s.write(ctx, func(t *tx) error {
		query, said := "DELETE FROM digest_off WHERE tenant_id = ? AND user_id = ?", "on"
		if off {
			query, said = "INSERT INTO digest_off (tenant_id, user_id) VALUES (?, ?) ON CONFLICT (tenant_id, user_id) DO NOTHING", "off"
		}
		n, err := t.change(query, uuid(s.id), uuid(user))
		if err != nil || n == 0 {
			return err
		}
		return t.audit(s.scope, "user.digest", string(user), said)
	})
}

// OfDigest finds whose weekly mail a link turns off. An unknown link is Gone.
func (s Tenants) OfDigest(ctx context.Context, h tenants.Hash) (tenants.Tenant, tenants.UserID, error) {
	type row struct{ tenant, user uuid }
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, user_id FROM digests WHERE token_hash = ?", h[:])
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.user} })
	if err != nil {
		return tenants.Tenant{}, "", translate(err)
	}
	if len(found) == 0 {
		return tenants.Tenant{}, "", tenants.Refuse(tenants.Gone, "digest_gone",
			"This link no longer works. Sign in, and turn the weekly email off on your account page.")
	}
	t, err := s.of(tenants.TenantID(found[0].tenant)).tenant(ctx)
	return t, tenants.UserID(found[0].user), err
}

// digestsFor is how long the links of weekly mails work.
const digestsFor = 400 * 24 * time.Hour
