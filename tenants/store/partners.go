package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type partnerRow struct {
	ID, User                                   uuid
	Code, Email, Name, Key, Payee, By, Account string
	Created, Stopped                           int64
}

const partnerColumns = "id, code, email, name, key, user_id, payee, pay_by, account, created_at, stopped_at"

func (r *partnerRow) fields() []any {
	return []any{&r.ID, &r.Code, &r.Email, &r.Name, &r.Key, &r.User, &r.Payee, &r.By, &r.Account, &r.Created, &r.Stopped}
}

func (r partnerRow) noun() tenants.Partner {
	return tenants.Partner{
		ID: tenants.PartnerID(r.ID), Code: r.Code, Email: r.Email, Name: r.Name, Key: r.Key, User: tenants.UserID(r.User),
		Payee: tenants.Payee{Name: r.Payee, By: tenants.PayBy(r.By),
			Account: r.Account}, CreatedAt: moment(r.Created), StoppedAt: moment(r.Stopped),
	}
}

// PartnerLink is a sign-in link sent by mail; the person who opens it owns the address.
type PartnerLink struct {
	Hash      tenants.Hash // of the secret in the link
	Email     string
	Name      string // for an address that is no partner's yet
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Partners are the partners who refer tenants, with their links, sessions and clicks.
type Partners struct{ *core }

// Partners returns the Partners of all tenants.
func (s *Store) Partners() Partners { return Partners{&s.core} }

// AddLink keeps a link until it is used or expires.
func (s Partners) AddLink(ctx context.Context, l PartnerLink) error {
	return s.w.do(ctx, noTenant, func(t *tx) error { return t.partners().addPartnerLink(l) })
}

// partnersTx is the writer's transaction as it changes partners and their ledger.
type partnersTx struct{ *tx }

func (t *tx) partners() partnersTx { return partnersTx{t} }

func (t partnersTx) addPartnerLink(l PartnerLink) error {
	_, err := t.exec("INSERT INTO partner_links (hash, email, name, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
		l.Hash[:], l.Email, l.Name, micros(l.CreatedAt), micros(l.ExpiresAt))
	return err
}

// Add makes somebody a partner for whose address the operator vouches, and keeps a link that lets
// them in, in one write. A person with this address who is a partner already is not changed: added
// is false, and the link is theirs.
func (s Partners) Add(ctx context.Context, fresh tenants.Partner, l PartnerLink) (p tenants.Partner, added bool, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		p, err = onePartner(ctx, t, "email = ?", fresh.Email)
		if added = tenants.KindOf(err) == tenants.Unknown; added {
			p, err = fresh, t.partners().addPartner(fresh)
		}
		if err != nil {
			return err
		}
		return t.partners().addPartnerLink(l)
	})
	return p, added && err == nil, err
}

const partnerLinkGone = "This link was used already, or it is older than 24 hours. Ask for a new one."

type partnerLinkRow struct {
	hash             []byte
	email, name      string
	created, expires int64
}

func partnerLink(ctx context.Context, q querier, h tenants.Hash, now time.Time) (PartnerLink, error) {
	rows, err := q.query(ctx, "SELECT hash, email, name, created_at, expires_at FROM partner_links WHERE hash = ? AND expires_at > ?",
		h[:], micros(now))
	found, err := collect(rows, err, func(r *partnerLinkRow) []any { return []any{&r.hash, &r.email, &r.name, &r.created, &r.expires} })
	if err == nil && len(found) == 0 {
		return PartnerLink{}, tenants.Refuse(tenants.Gone, "link_gone", partnerLinkGone)
	}
	if err != nil {
		return PartnerLink{}, translate(err)
	}
	r := found[0]
	return PartnerLink{Hash: hash(r.hash), Email: r.email, Name: r.name, CreatedAt: moment(r.created), ExpiresAt: moment(r.expires)}, nil
}

// Link finds a link; one that is unknown, used or expired is Gone.
func (s Partners) Link(ctx context.Context, h tenants.Hash, now time.Time) (PartnerLink, error) {
	return partnerLink(ctx, s.db.through(noTenant), h, now)
}

// PartnerSignIn is a partner's sign-in, known by the hash of its cookie.
type PartnerSignIn struct {
	Hash      tenants.Hash
	CreatedAt time.Time
	ExpiresAt time.Time
}

// Enter uses a link up and signs its address in, in one write: as the partner it has been, or as
// fresh, which becomes one. The account of fresh, if it names one, opens the room from then on.
func (s Partners) Enter(ctx context.Context, link tenants.Hash, fresh tenants.Partner, in PartnerSignIn) (p tenants.Partner, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("DELETE FROM partner_links WHERE hash = ? AND expires_at > ?", link[:], micros(s.now()))
		if err == nil && n == 0 {
			err = tenants.Refuse(tenants.Gone, "link_gone", partnerLinkGone)
		}
		if err != nil {
			return err
		}
		if p, err = onePartner(ctx, t, "email = ?", fresh.Email); tenants.KindOf(err) == tenants.Unknown {
			p, err = fresh, t.partners().addPartner(fresh)
			p.User = ""
		}
		if err == nil && fresh.User != "" && p.User != fresh.User {
			n, err = t.change("UPDATE partners SET user_id = ? WHERE id = ? AND NOT EXISTS (SELECT 1 FROM partners o WHERE o.user_id = ?)",
				uuid(fresh.User), uuid(p.ID), uuid(fresh.User))
			if n > 0 {
				p.User = fresh.User
			}
		}
		if err != nil {
			return err
		}
		_, err = t.exec("INSERT INTO partner_sign_ins (hash, partner_id, created_at, expires_at) VALUES (?, ?, ?, ?)",
			in.Hash[:], uuid(p.ID), micros(in.CreatedAt), micros(in.ExpiresAt))
		return err
	})
	return p, err
}

func (t partnersTx) addPartner(p tenants.Partner) error {
	_, err := t.exec("INSERT INTO partners ("+partnerColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)", uuid(p.ID), p.Code, p.Email,
		p.Name, p.Key, uuid(""),
		p.Payee.Name, string(p.Payee.By), p.Payee.Account, micros(p.CreatedAt))
	return taken(err, "There is a partner with this address or code already.")
}

func onePartner(ctx context.Context, q querier, where string, arg any) (tenants.Partner, error) {
	rows, err := q.query(ctx, "SELECT "+partnerColumns+" FROM partners WHERE "+where, arg)
	found, err := collect(rows, err, (*partnerRow).fields)
	if err == nil && len(found) == 0 {
		return tenants.Partner{}, tenants.NoSuch("partner")
	}
	if err != nil {
		return tenants.Partner{}, translate(err)
	}
	return found[0].noun(), nil
}

// Get is one partner.
func (s Partners) Get(ctx context.Context, id tenants.PartnerID) (tenants.Partner, error) {
	return onePartner(ctx, s.db.through(noTenant), "id = ?", uuid(id))
}

// ByCode finds the partner of a code, also one that was stopped.
func (s Partners) ByCode(ctx context.Context, code string) (tenants.Partner, error) {
	return onePartner(ctx, s.db.through(noTenant), "code = ?", code)
}

// ByUser finds the partner whose room an account of the console opens.
func (s Partners) ByUser(ctx context.Context, u tenants.UserID) (tenants.Partner, error) {
	if u == "" { // what a partner without an account has
		return tenants.Partner{}, tenants.NoSuch("partner")
	}
	return onePartner(ctx, s.db.through(noTenant), "user_id = ? AND user_id <> "+s.db.dialect.noID(), uuid(u))
}

// BySignIn finds whose sign-in it is; one that is over is Unauthorized.
func (s Partners) BySignIn(ctx context.Context, h tenants.Hash, now time.Time) (tenants.Partner, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT partner_id FROM partner_sign_ins WHERE hash = ? AND expires_at > ?", h[:],
		micros(now))
	found, err := collect(rows, err, func(id *uuid) []any { return []any{id} })
	if err == nil && len(found) == 0 {
		return tenants.Partner{}, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in as a partner.")
	}
	if err != nil {
		return tenants.Partner{}, translate(err)
	}
	return s.Get(ctx, tenants.PartnerID(found[0]))
}

// EndSignIn ends one sign-in.
func (s Partners) EndSignIn(ctx context.Context, h tenants.Hash) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		_, err := t.exec("DELETE FROM partner_sign_ins WHERE hash = ?", h[:])
		return err
	})
}

// List lists every partner, the oldest first.
func (s Partners) List(ctx context.Context) ([]tenants.Partner, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT "+partnerColumns+" FROM partners ORDER BY created_at, id")
	found, err := collect(rows, err, (*partnerRow).fields)
	return nouns(found, partnerRow.noun), translate(err)
}

// SetPayee says how a partner is paid.
func (s Partners) SetPayee(ctx context.Context, id tenants.PartnerID, p tenants.Payee) error {
	return s.setPartner(ctx, "UPDATE partners SET payee = ?, pay_by = ?, account = ? WHERE id = ?", p.Name, string(p.By), p.Account,
		uuid(id))
}

// Stop ends a partner from a moment on, or with the zero one lets it run again: what was earned,
// and what is still earned by tenants that were brought before, stays.
func (s Partners) Stop(ctx context.Context, id tenants.PartnerID, at time.Time) error {
	return s.setPartner(ctx, "UPDATE partners SET stopped_at = ? WHERE id = ?", micros(at), uuid(id))
}

func (s *core) setPartner(ctx context.Context, query string, args ...any) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change(query, args...)
		if err == nil && n == 0 {
			err = tenants.NoSuch("partner")
		}
		return err
	})
}

// CountClick counts that a partner's link was followed, soon and unless the queue is full: nobody
// waits for it.
func (s Partners) CountClick(id tenants.PartnerID) {
	day := micros(s.now().UTC().Truncate(24 * time.Hour))
	s.w.post(noTenant, func(t *tx) error {
		_, err := t.exec("INSERT INTO partner_clicks (partner_id, day, clicks) VALUES (?, ?, 1) "+
			"ON CONFLICT (partner_id, day) DO UPDATE SET clicks = partner_clicks.clicks + 1", uuid(id), day)
		return err
	})
}

// DayClicks is how often links were followed on a day.
type DayClicks struct {
	Day    time.Time // midnight, UTC
	Clicks int64
}

// Clicks are a partner's by day, the oldest first; days without any are left out.
func (s Partners) Clicks(ctx context.Context, id tenants.PartnerID) ([]DayClicks, error) {
	type row struct{ day, clicks int64 }
	rows, err := s.db.through(noTenant).query(ctx, "SELECT day, clicks FROM partner_clicks WHERE partner_id = ? ORDER BY day", uuid(id))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.day, &r.clicks} })
	return nouns(found, func(r row) DayClicks { return DayClicks{moment(r.day), r.clicks} }), translate(err)
}

// Tenants lists the tenants that a partner owns: by the account that opens their room, and by the
// one with their address.
func (s Partners) Tenants(ctx context.Context, id tenants.PartnerID) (out []tenants.TenantID, err error) {
	p, err := s.Get(ctx, id)
	if err != nil {
		return nil, err
	}
	people := []tenants.UserID{p.User}
	u, err := Users(s).ByEmail(ctx, p.Email)
	switch {
	case err == nil:
		people = append(people, u.ID)
	case tenants.KindOf(err) != tenants.Unknown:
		return nil, err
	}
	for _, person := range people {
		all, err := Users(s).Memberships(ctx, person)
		if err != nil {
			return nil, err
		}
		for _, m := range all {
			if m.Role == tenants.Owner {
				out = append(out, m.Tenant.ID)
			}
		}
	}
	return out, nil
}
