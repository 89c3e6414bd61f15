package store

import (
	"context"

	"carillon/tenants"
)

type entryRow struct {
	ID, Partner, Referral, Payout uuid
	Payment, Kind                 string
	Cents, Payable, Created       int64
}

func (r *entryRow) fields() []any {
	return []any{&r.ID, &r.Partner, &r.Referral, &r.Payment, &r.Kind, &r.Cents, &r.Payable, &r.Created, &r.Payout}
}

func (r entryRow) noun() tenants.Entry {
	return tenants.Entry{
		ID: tenants.EntryID(r.ID), Partner: tenants.PartnerID(r.Partner), Referral: tenants.ReferralID(r.Referral), Payment: r.Payment,
		Kind: tenants.EntryKind(r.Kind), Cents: r.Cents, PayableAt: moment(r.Payable), CreatedAt: moment(r.Created), Payout: tenants.PayoutID(r.Payout),
	}
}

func entries(ctx context.Context, q querier, partner tenants.PartnerID) ([]tenants.Entry, error) {
	rows, err := q.query(ctx, "SELECT c.id, c.partner_id, c.referral_id, c.payment, c.kind, c.cents, c.payable_at, c.created_at, l.payout_id "+
		"FROM commissions c LEFT JOIN payout_lines l ON l.commission_id = c.id WHERE c.partner_id = ? ORDER BY c.created_at, c.id", uuid(partner))
	found, err := collect(rows, err, (*entryRow).fields)
	return nouns(found, entryRow.noun), translate(err)
}

// Entries are a partner's whole ledger, the oldest line first.
func (s *Store) Entries(ctx context.Context, partner tenants.PartnerID) ([]tenants.Entry, error) {
	return entries(ctx, s.db.through(noDoor), partner)
}

type payoutRow struct {
	ID, Partner    uuid
	Reference      string
	Cents, Created int64
}

func (r *payoutRow) fields() []any {
	return []any{&r.ID, &r.Partner, &r.Cents, &r.Reference, &r.Created}
}

func (r payoutRow) noun() tenants.Payout {
	return tenants.Payout{ID: tenants.PayoutID(r.ID), Partner: tenants.PartnerID(r.Partner), Cents: r.Cents, Reference: r.Reference, CreatedAt: moment(r.Created)}
}

func payouts(ctx context.Context, q querier, where string, args ...any) ([]tenants.Payout, error) {
	rows, err := q.query(ctx, "SELECT id, partner_id, cents, reference, created_at FROM payouts WHERE "+where+" ORDER BY created_at DESC, id DESC", args...)
	found, err := collect(rows, err, (*payoutRow).fields)
	return nouns(found, payoutRow.noun), translate(err)
}

// Payouts are what a partner was paid, the newest first.
func (s *Store) Payouts(ctx context.Context, partner tenants.PartnerID) ([]tenants.Payout, error) {
	return payouts(ctx, s.db.through(noDoor), "partner_id = ?", uuid(partner))
}

// PayOut records that a partner was paid all that is payable, which must be cents: a list that was read before something changed pays
// nothing. The same reference again, with the same sum, is the payout that is recorded already, and records nothing.
func (s *Store) PayOut(ctx context.Context, partner tenants.PartnerID, cents int64, reference string) (p tenants.Payout, repeated bool, err error) {
	err = s.w.do(ctx, noDoor, func(t *tx) error {
		p, repeated = tenants.Payout{}, false
		if _, err := onePartner(ctx, t, "id = ?"+t.hold(), uuid(partner)); err != nil {
			return err
		}
		have, err := payouts(ctx, t, "partner_id = ? AND reference = ?", uuid(partner), reference)
		switch {
		case err != nil:
			return err
		case len(have) > 0 && have[0].Cents == cents:
			p, repeated = have[0], true
			return nil
		case len(have) > 0:
			return tenants.Refuse(tenants.Conflict, "reference_used", "A payout of another sum has this reference already. Look at the list again.")
		}
		p, err = t.payOut(ctx, s, tenants.Payout{Partner: partner, Cents: cents, Reference: reference})
		return err
	})
	return p, repeated, err
}

func (t *tx) payOut(ctx context.Context, s *Store, p tenants.Payout) (tenants.Payout, error) {
	lines, err := entries(ctx, t, p.Partner)
	if err != nil {
		return p, err
	}
	now := s.now()
	in, cents := tenants.Payable(lines, now)
	if cents == 0 || cents != p.Cents {
		return p, tenants.Refuse(tenants.Conflict, "payable_changed", "What is payable to this partner is another sum now. List the payouts again before you pay.")
	}
	p.ID, p.CreatedAt = tenants.NewID[tenants.PayoutID](now), stored(now)
	if _, err := t.exec("INSERT INTO payouts (id, partner_id, cents, reference, created_at) VALUES (?, ?, ?, ?, ?)",
		uuid(p.ID), uuid(p.Partner), p.Cents, p.Reference, micros(now)); err != nil {
		return p, err
	}
	for _, e := range in {
		if _, err := t.exec("INSERT INTO payout_lines (commission_id, payout_id) VALUES (?, ?)", uuid(e.ID), uuid(p.ID)); err != nil {
			return p, err
		}
	}
	return p, nil
}
