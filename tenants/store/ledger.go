package store

import (
	"context"
	"time"

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
		Kind: tenants.EntryKind(r.Kind), Cents: r.Cents, PayableAt: moment(r.Payable), CreatedAt: moment(r.Created),
		Payout: tenants.PayoutID(r.Payout),
	}
}

func entries(ctx context.Context, q querier, partner tenants.PartnerID) ([]tenants.Entry, error) {
	rows, err := q.query(ctx,
		"SELECT c.id, c.partner_id, c.referral_id, c.payment, c.kind, c.cents, c.payable_at, c.created_at, l.payout_id "+
			"FROM commissions c LEFT JOIN payout_lines l ON l.commission_id = c.id WHERE c.partner_id = ? ORDER BY c.created_at, c.id",
		uuid(partner))
	found, err := collect(rows, err, (*entryRow).fields)
	return nouns(found, entryRow.noun), translate(err)
}

// Ledger is what partners earn: referrals, payments, the lines of the ledger and payouts.
type Ledger struct {
	*core
	by Who
}

// Ledger returns the Ledger of all tenants.
func (s *Store) Ledger() Ledger { return Ledger{core: &s.core} }

// By returns the same Ledger with an operator who acts: payouts are then in the record of
// operators.
func (s Ledger) By(who Who) Ledger { return Ledger{s.core, who} }

// Entries are a partner's whole ledger, the oldest line first.
func (s Ledger) Entries(ctx context.Context, partner tenants.PartnerID) ([]tenants.Entry, error) {
	return entries(ctx, s.db.through(noTenant), partner)
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
	return tenants.Payout{ID: tenants.PayoutID(r.ID), Partner: tenants.PartnerID(r.Partner), Cents: r.Cents, Reference: r.Reference,
		CreatedAt: moment(r.Created)}
}

func payouts(ctx context.Context, q querier, where string, args ...any) ([]tenants.Payout, error) {
	rows, err := q.query(ctx, "SELECT id, partner_id, cents, reference, created_at FROM payouts WHERE "+where+" ORDER BY created_at DESC, "+
		"id DESC", args...)
	found, err := collect(rows, err, (*payoutRow).fields)
	return nouns(found, payoutRow.noun), translate(err)
}

// Payouts are what a partner was paid, the newest first.
func (s Ledger) Payouts(ctx context.Context, partner tenants.PartnerID) ([]tenants.Payout, error) {
	return payouts(ctx, s.db.through(noTenant), "partner_id = ?", uuid(partner))
}

// PayOut records that a partner was paid all that is payable, which must be cents: a list that was
// read before something changed pays nothing. The same reference again, with the same sum, is the
// payout that is recorded already, and records nothing.
func (s Ledger) PayOut(ctx context.Context, partner tenants.PartnerID, cents int64, reference string) (p tenants.Payout, repeated bool,
	err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		p, repeated = tenants.Payout{}, false
		of, err := onePartner(ctx, t, "id = ?"+t.hold(), uuid(partner))
		if err != nil {
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
			return tenants.Refuse(tenants.Conflict, "reference_used",
				"A payout of another sum has this reference already. Look at the list again.")
		}
		p, err = t.partners().payOut(ctx, s.core, tenants.Payout{Partner: partner, Cents: cents, Reference: reference})
		if err != nil || s.by.Kind == "" {
			return err
		}
		return t.operators().audit(s.core, s.by, auditEntry{action: "partner.paid", target: string(partner), name: of.Name,
			detail: tenants.FormatCents(cents) + ", " + reference})
	})
	return p, repeated, err
}

func (t partnersTx) payOut(ctx context.Context, s *core, p tenants.Payout) (tenants.Payout, error) {
	lines, err := entries(ctx, t, p.Partner)
	if err != nil {
		return p, err
	}
	now := s.now()
	in, cents := tenants.Payable(lines, now)
	if cents == 0 || cents != p.Cents {
		return p, tenants.Refuse(tenants.Conflict, "payable_changed",
			"What is payable to this partner is another sum now. List the payouts "+
				"again before you pay.")
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

type referralRow struct {
	ID, Partner, Tenant   uuid
	Refused               string
	Percent, Months, Hold int64
	Asked, Created        int64
}

const referralColumns = "id, partner_id, tenant, percent, months, hold_days, refused, asked_at, created_at"

func (r *referralRow) fields() []any {
	return []any{&r.ID, &r.Partner, &r.Tenant, &r.Percent, &r.Months, &r.Hold, &r.Refused, &r.Asked, &r.Created}
}

func (r referralRow) noun() tenants.Referral {
	return tenants.Referral{
		ID: tenants.ReferralID(r.ID), Partner: tenants.PartnerID(r.Partner), Tenant: tenants.TenantID(r.Tenant),
		Refused: tenants.Refusal(r.Refused),
		Terms: tenants.Affiliate{Percent: r.Percent, Months: int(r.Months),
			HoldDays: int(r.Hold)}, AskedAt: moment(r.Asked), CreatedAt: moment(r.Created),
	}
}

// refer writes down who brought a tenant.
func (t partnersTx) refer(r tenants.Referral) error {
	_, err := t.exec("INSERT INTO referrals ("+referralColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, 0, ?)", uuid(r.ID), uuid(r.Partner),
		uuid(r.Tenant),
		r.Terms.Percent, int64(r.Terms.Months), int64(r.Terms.HoldDays), string(r.Refused), micros(r.CreatedAt))
	return err
}

func referrals(ctx context.Context, q querier, rest string, args ...any) ([]referralRow, error) {
	rows, err := q.query(ctx, "SELECT "+referralColumns+" FROM referrals "+rest, args...)
	return collect(rows, err, (*referralRow).fields)
}

// ReferralOf finds who brought a tenant; nobody is NoSuch.
func (s Ledger) ReferralOf(ctx context.Context, tenant tenants.TenantID) (tenants.Referral, error) {
	found, err := referrals(ctx, s.db.through(noTenant), "WHERE tenant = ?", uuid(tenant))
	if err == nil && len(found) == 0 {
		return tenants.Referral{}, tenants.NoSuch("referral")
	}
	if err != nil {
		return tenants.Referral{}, translate(err)
	}
	return found[0].noun(), nil
}

// Referrals lists whom a partner brought, the newest first.
func (s Ledger) Referrals(ctx context.Context, partner tenants.PartnerID) ([]tenants.Referral, error) {
	found, err := referrals(ctx, s.db.through(noTenant), "WHERE partner_id = ? ORDER BY created_at DESC, id DESC", uuid(partner))
	return nouns(found, referralRow.noun), translate(err)
}

type paymentRow struct {
	ID                             string
	Referral                       uuid
	At, Cents, Untaxed, ReturnedIn int64
}

func (r *paymentRow) fields() []any {
	return []any{&r.ID, &r.Referral, &r.At, &r.Cents, &r.Untaxed, &r.ReturnedIn}
}

func (r paymentRow) noun() tenants.Payment {
	return tenants.Payment{ID: r.ID, At: moment(r.At), Cents: r.Cents, Untaxed: r.Untaxed, Returned: r.ReturnedIn}
}

func payments(ctx context.Context, q querier, where string, arg any) ([]paymentRow, error) {
	rows, err := q.query(ctx,
		"SELECT payment, referral_id, paid_at, cents, untaxed, returned FROM referral_payments WHERE "+where+" ORDER "+
			"BY paid_at, payment", arg)
	return collect(rows, err, (*paymentRow).fields)
}

// Payments are what the tenants that a partner brought have paid, by referral, the earliest first.
func (s Ledger) Payments(ctx context.Context, partner tenants.PartnerID) (map[tenants.ReferralID][]tenants.Payment, error) {
	found, err := payments(ctx, s.db.through(noTenant), "referral_id IN (SELECT id FROM referrals WHERE partner_id = ?)", uuid(partner))
	out := map[tenants.ReferralID][]tenants.Payment{}
	for _, r := range found {
		id := tenants.ReferralID(r.Referral)
		out[id] = append(out[id], r.noun())
	}
	return out, translate(err)
}

// Settlement is what Stripe says about a tenant that a partner brought.
type Settlement struct {
	Tenant   tenants.TenantID
	Asked    time.Time         // when Stripe was asked
	Payments []tenants.Payment // what was paid so far, as it is now
	Refused  tenants.Refusal   // newly found; empty leaves it as it is
}

// Settle writes down what Stripe says and adds the lines to the ledger that follow from it, in one
// write; see tenants.Referral.Settle. An answer that was asked for earlier than the one that is
// written changes nothing. A tenant that nobody brought is NoSuch.
func (s Ledger) Settle(ctx context.Context, n Settlement) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		found, err := referrals(ctx, t, "WHERE tenant = ?"+t.hold(), uuid(n.Tenant))
		switch {
		case err != nil:
			return err
		case len(found) == 0:
			return tenants.NoSuch("referral")
		case micros(n.Asked) < found[0].Asked:
			return nil
		}
		r := found[0].noun()
		if n.Refused != "" && r.Refused == "" {
			r.Refused = n.Refused
		}
		if _, err := t.exec("UPDATE referrals SET asked_at = ?, refused = ? WHERE id = ?", micros(n.Asked), string(r.Refused),
			uuid(r.ID)); err != nil {
			return err
		}
		for _, p := range n.Payments {
			if err := t.partners().setPayment(r.ID, p); err != nil {
				return err
			}
		}
		return t.partners().book(ctx, r, s.now())
	})
}

func (t partnersTx) setPayment(r tenants.ReferralID, p tenants.Payment) error {
	_, err := t.exec("INSERT INTO referral_payments (payment, referral_id, paid_at, cents, untaxed, returned) VALUES (?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (payment) DO UPDATE SET cents = excluded.cents, untaxed = excluded.untaxed, returned = excluded.returned "+
		"WHERE referral_payments.referral_id = excluded.referral_id",
		p.ID, uuid(r), micros(p.At), p.Cents, p.Untaxed, p.Returned)
	return err
}

// book adds the lines that the ledger of a referral lacks.
func (t partnersTx) book(ctx context.Context, r tenants.Referral, now time.Time) error {
	paid, err := payments(ctx, t, "referral_id = ?", uuid(r.ID))
	if err != nil {
		return err
	}
	type sum struct {
		payment string
		cents   int64
	}
	rows, err := t.query(ctx, "SELECT payment, CAST(SUM(cents) AS BIGINT) FROM commissions WHERE referral_id = ? GROUP BY payment",
		uuid(r.ID))
	sums, err := collect(rows, err, func(x *sum) []any { return []any{&x.payment, &x.cents} })
	if err != nil {
		return err
	}
	booked := map[string]int64{}
	for _, x := range sums {
		booked[x.payment] = x.cents
	}
	for _, e := range r.Settle(nouns(paid, paymentRow.noun), booked) {
		_, err := t.exec("INSERT INTO commissions (id, partner_id, referral_id, payment, kind, cents, payable_at, created_at) VALUES "+
			"(?, ?, "+
			"?, ?, ?, ?, ?, ?)",
			uuid(tenants.NewID[tenants.EntryID](now)), uuid(e.Partner), uuid(e.Referral), e.Payment, string(e.Kind), e.Cents,
			micros(e.PayableAt), micros(now))
		if err != nil {
			return err
		}
	}
	return nil
}
