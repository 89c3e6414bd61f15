package storetest

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// brought opens a trial that a partner brought.
func (b *bench) brought(p tenants.Partner, refused tenants.Refusal) tenants.Referral {
	b.Helper()
	n := b.next()
	up := b.signup(fmt.Sprintf("owner%d@brought%d.example", n, n))
	o := b.opening(up, fmt.Sprintf("brought-%d", n), fmt.Sprintf("brought%d.example", n))
	r := tenants.Referral{
		ID: tenants.ReferralID(tenants.NewRandomID()), Partner: p.ID, Tenant: o.Tenant.ID, Terms: tenants.Affiliate{Percent: 22, Months: 12,
			HoldDays: 30},
		Refused: refused, CreatedAt: b.clock.Now(),
	}
	o.Referral = &r
	b.must(b.s.SignUps().OpenTrial(b.Context(), o))
	return r
}

func (b *bench) payment(at time.Time) tenants.Payment {
	return tenants.Payment{ID: fmt.Sprintf("in_%04d", b.next()), At: at, Cents: 14900, Untaxed: 14900}
}

func (b *bench) settle(r tenants.Referral, all ...tenants.Payment) {
	b.Helper()
	b.must(b.s.Ledger().Settle(b.Context(), store.Settlement{Tenant: r.Tenant, Asked: b.clock.Now(), Payments: all}))
}

func (b *bench) balance(p tenants.Partner) tenants.Balance {
	b.Helper()
	lines, err := b.s.Ledger().Entries(b.Context(), p.ID)
	b.must(err)
	return tenants.BalanceOf(lines, b.clock.Now())
}

func testLedger(b *bench) {
	ctx := b.Context()
	p, other := b.partner(), b.partner()
	r := b.brought(p, "")
	got, err := b.s.Ledger().ReferralOf(ctx, r.Tenant)
	b.must(err)
	equal(b, got, r, "read back")
	_, err = b.s.Ledger().ReferralOf(ctx, b.tenantID())
	b.refused(err, tenants.Unknown, "a tenant that nobody brought")
	b.refused(b.s.Ledger().Settle(ctx, store.Settlement{Tenant: b.tenantID(), Asked: b.clock.Now()}), tenants.Unknown, "its settlement")

	pay := b.payment(b.clock.Now())
	b.settle(r, pay)
	b.settle(r, pay)
	equal(b, b.balance(p), tenants.Balance{Held: 3278}, "told twice")
	asked := b.clock.Now()
	b.clock.add(time.Hour)
	pay.Returned = 7450
	b.settle(r, pay)
	equal(b, b.balance(p), tenants.Balance{Held: 1639}, "half refunded")
	pay.Returned = 0
	b.must(b.s.Ledger().Settle(ctx, store.Settlement{Tenant: r.Tenant, Asked: asked, Payments: []tenants.Payment{pay}}))
	equal(b, b.balance(p), tenants.Balance{Held: 1639}, "an older answer")

	_, _, err = b.s.Ledger().PayOut(ctx, p.ID, 1639, "early")
	b.refused(err, tenants.Conflict, "a payout of what is held")
	b.clock.add(30 * 24 * time.Hour)
	_, _, err = b.s.Ledger().PayOut(ctx, p.ID, 1640, "more")
	b.refused(err, tenants.Conflict, "a payout of another sum")
	_, _, err = b.s.Ledger().PayOut(ctx, other.ID, 1639, "else")
	b.refused(err, tenants.Conflict, "a payout to somebody else")
	_, _, err = b.s.Ledger().PayOut(ctx, "nobody", 1639, "else")
	b.refused(err, tenants.Unknown, "a payout to nobody")
	out, repeated, err := b.s.Ledger().PayOut(ctx, p.ID, 1639, "bank 1")
	b.must(err)
	equal(b, repeated, false, "a first payout is a repeat")
	again, repeated, err := b.s.Ledger().PayOut(ctx, p.ID, 1639, "bank 1")
	b.must(err)
	equal(b, repeated, true, "the same payout again")
	equal(b, again, out, "it")
	_, _, err = b.s.Ledger().PayOut(ctx, p.ID, 1000, "bank 1")
	b.refused(err, tenants.Conflict, "the reference of another payout")
	_, _, err = b.s.Ledger().PayOut(ctx, p.ID, 1639, "bank 2")
	b.refused(err, tenants.Conflict, "a second payout of the same lines")
	equal(b, b.balance(p), tenants.Balance{Paid: 1639}, "paid")
	b.ledgerRefused(p, r, pay)

	lists, err := b.s.Ledger().Payouts(ctx, p.ID)
	b.must(err)
	equal(b, fmt.Sprint(lists), fmt.Sprint([]tenants.Payout{out}), "payouts")
	nothing, err := b.s.Ledger().Entries(ctx, other.ID)
	b.must(err)
	equal(b, len(nothing), 0, "another partner's lines")
}

// ledgerRefused: a referral that turns out to be the partner's own is taken back whole, and stays
// so.
func (b *bench) ledgerRefused(p tenants.Partner, r tenants.Referral, pay tenants.Payment) {
	ctx := b.Context()
	b.must(b.s.Ledger().Settle(ctx, store.Settlement{Tenant: r.Tenant, Asked: b.clock.Now(), Payments: []tenants.Payment{pay},
		Refused: tenants.RefusedCard}))
	b.settle(r, pay)
	equal(b, b.balance(p), tenants.Balance{Paid: 1639, Owed: 1639}, "refused after it was paid")
	own := b.brought(p, tenants.RefusedCompany)
	b.settle(own, b.payment(b.clock.Now()))
	equal(b, b.balance(p), tenants.Balance{Paid: 1639, Owed: 1639}, "refused from the beginning")
	all, err := b.s.Ledger().Referrals(ctx, p.ID)
	b.must(err)
	equal(b, len(all), 2, "referrals")
	equal(b, all[1].Refused, tenants.RefusedCard, "why")
	paid, err := b.s.Ledger().Payments(ctx, p.ID)
	b.must(err)
	equal(b, len(paid[r.ID]), 1, "payments")
}

func (b *bench) tenantID() tenants.TenantID {
	s := b.tenant()
	t, err := s.Tenant(b.Context())
	b.must(err)
	return t.ID
}

// testLedgerOrder: payments, refunds and disputes become known in any order, in part and again; in
// the end the ledger is the sum of the commissions, whatever was paid out on the way.
func testLedgerOrder(b *bench) {
	p := b.partner()
	dice := rand.New(rand.NewPCG(1, 2))
	var want int64
	for range 6 {
		r := b.brought(p, "")
		var truth []tenants.Payment
		for m := range 3 {
			truth = append(truth, b.payment(b.clock.Now().AddDate(0, m*6, 0)))
		}
		for range 12 {
			i := dice.IntN(len(truth))
			truth[i].Returned = dice.Int64N(truth[i].Cents + 1)
			b.clock.add(time.Duration(dice.IntN(20)) * 24 * time.Hour)
			b.settle(r, truth[i])
			if open := b.balance(p).Payable; open > 0 && dice.IntN(3) == 0 {
				_, _, err := b.s.Ledger().PayOut(b.Context(), p.ID, open, fmt.Sprint("payout ", b.next()))
				b.must(err)
			}
		}
		dice.Shuffle(len(truth), func(i, j int) { truth[i], truth[j] = truth[j], truth[i] })
		b.settle(r, truth...)
		for _, x := range truth {
			want += r.Due(x, truth)
		}
	}
	b.clock.add(3 * 365 * 24 * time.Hour)
	var paid int64
	outs, err := b.s.Ledger().Payouts(b.Context(), p.ID)
	b.must(err)
	for _, o := range outs {
		paid += o.Cents
	}
	x := b.balance(p)
	if x.Paid != paid || x.Held != 0 || x.Paid+x.Payable-x.Owed != want {
		b.Errorf("balance %+v, paid out %d, commissions %d", x, paid, want)
	}
}

// testPayoutsAtOnce: many record the same money at once, and one of them has it, while
// others settle.
func testPayoutsAtOnce(b *bench) {
	p := b.partner()
	r := b.brought(p, "")
	pay := b.payment(b.clock.Now())
	b.settle(r, pay)
	b.clock.add(31 * 24 * time.Hour)
	var won atomic.Int64
	var wait sync.WaitGroup
	for i := range 8 {
		wait.Go(func() {
			if _, _, err := b.s.Ledger().PayOut(b.Context(), p.ID, 3278, fmt.Sprint("bank ", i)); err == nil {
				won.Add(1)
			}
		})
		wait.Go(func() {
			_ = b.s.Ledger().Settle(b.Context(), store.Settlement{Tenant: r.Tenant, Asked: b.clock.Now(), Payments: []tenants.Payment{pay}})
		})
	}
	wait.Wait()
	equal(b, won.Load(), 1, "payouts of one commission")
	equal(b, b.balance(p), tenants.Balance{Paid: 3278}, "balance")
}
