package billing_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"carillon/app/billing"
	"carillon/app/billing/stripetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// brought returns a world whose buyer was referred by a partner.
type brought struct {
	*world
	partner tenants.Partner
}

func newBrought(t *testing.T) *brought {
	t.Helper()
	w := &brought{world: newWorld(t)}
	w.partner = w.becomes("ana@partner.example", "")
	w.bring("brought")
	return w
}

// becomes adds a partner.
func (w *world) becomes(email string, user tenants.UserID) tenants.Partner {
	w.Helper()
	ctx, now := w.Context(), w.stripe.Now()
	link := tenants.NewSecret(tenants.PartnerPrefix).Hash()
	w.must(w.store.Partners().AddLink(ctx, store.PartnerLink{Hash: link, Email: email, CreatedAt: now, ExpiresAt: now.Add(time.Hour)}))
	p, err := w.store.Partners().Enter(ctx, link, tenants.Partner{ID: tenants.NewID[tenants.PartnerID](now),
		Code: tenants.NewPartnerCode(), Email: email, Key: email, User: user, CreatedAt: now},
		store.PartnerSignIn{Hash: tenants.NewSecret(tenants.PartnerPrefix).Hash(), CreatedAt: now, ExpiresAt: now.Add(time.Hour)})
	w.must(err)
	return p
}

// bring opens a trial that the partner referred, makes it the current buyer, and returns its owner.
func (w *brought) bring(slug string) tenants.UserID {
	w.Helper()
	ctx, now := w.Context(), w.stripe.Now()
	link := tenants.NewSecret(tenants.TrialPrefix).Hash()
	email := "owner@" + slug + ".example"
	w.must(w.store.SignUps().Add(ctx, tenants.Signup{Hash: link, Email: email, Name: "Owner", Company: slug,
		Industry: tenants.Salon, TimeZone: "UTC", CreatedAt: now, ExpiresAt: now.Add(time.Hour)}))
	t := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](now), Slug: slug, Name: slug, Industry: tenants.Salon,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}
	u := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: email, Name: "Owner", Theme: "auto", CreatedAt: now}
	w.must(w.store.SignUps().OpenTrial(ctx, store.Opening{
		Signup: link, Key: slug + ".example", Tenant: t, Owner: u, Subscription: w.store.Plans().Trial(t.ID, "starter", now),
		Agents: t.File().NewAgents(t, now),
		Referral: &tenants.Referral{ID: tenants.ReferralID(tenants.NewRandomID()), Partner: w.partner.ID, Tenant: t.ID,
			Terms: w.store.Plans().Affiliate, CreatedAt: now},
		Who: store.Who{Actor: tenants.System},
	}))
	owner := store.Who{Actor: tenants.Actor{Kind: tenants.ActorUser, ID: string(u.ID), Name: "Owner"}}
	w.buyer = billing.Buyer{Tenant: t, Email: email, Scope: w.store.For(t.ID).By(owner)}
	return u.ID
}

func (w *brought) entries() []tenants.Entry {
	w.Helper()
	lines, err := w.store.Ledger().Entries(w.Context(), w.partner.ID)
	w.must(err)
	return lines
}

func (w *brought) balance() tenants.Balance { return tenants.BalanceOf(w.entries(), w.stripe.Now()) }

func (w *brought) wants(what string, want tenants.Balance) {
	w.Helper()
	if got := w.balance(); got != want {
		w.Errorf("%s: %+v, want %+v", what, got, want)
	}
}

// paying starts a subscription that is paid from day 14 on.
func (w *brought) paying(news func()) (customer string) {
	w.Helper()
	customer = w.subscribe("starter", tenants.Monthly)
	news()
	w.stripe.Advance(14*day + time.Hour)
	news()
	return customer
}

// TestPartnerEarnsForTwelveMonths checks that a partner earns nothing for the trial, and 22% of
// each month without tax for twelve months, each held for 30 days.
func TestPartnerEarnsForTwelveMonths(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	news := w.news()
	customer := w.subscribe("starter", tenants.Monthly)
	news()
	w.wants("a trial", tenants.Balance{})
	w.stripe.Tax(customer, 19)
	w.stripe.Advance(14*day + time.Hour)
	news()
	if n := w.stripe.Total(w.stripe.Invoices(customer)[1]); n != 14900+2831 {
		t.Fatalf("with tax the month is %d", n)
	}
	w.wants("the first month", tenants.Balance{Held: 3278})
	w.stripe.Advance(29 * day)
	w.wants("in the hold", tenants.Balance{Held: 3278})
	w.stripe.Advance(day)
	w.wants("after the hold", tenants.Balance{Payable: 3278})
	for range 13 {
		w.stripe.Advance(31 * day)
		news()
	}
	w.stripe.Advance(60 * day)
	w.wants("twelve months of fourteen", tenants.Balance{Payable: 12 * 3278})
	if n := len(w.stripe.Invoices(customer)); n < 14 {
		t.Errorf("only %d invoices", n)
	}
}

func TestRefundsAndDisputesAreDeducted(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	news := w.news()
	customer := w.paying(news)
	bill := w.stripe.Invoices(customer)[1]
	w.stripe.Refund(bill, 7450)
	news()
	w.wants("half refunded", tenants.Balance{Held: 1639})
	w.stripe.FailRefund(bill, 7450)
	news()
	w.wants("the refund did not arrive", tenants.Balance{Held: 3278})
	w.stripe.Inquire(bill)
	news()
	w.wants("a bank that only asks", tenants.Balance{Held: 3278})
	won := w.stripe.Dispute(bill)
	news()
	w.wants("disputed", tenants.Balance{})
	w.stripe.CloseDispute(won, true)
	news()
	w.wants("won", tenants.Balance{Held: 3278})
	w.stripe.Advance(30 * day)
	news()
	_, _, err := w.store.Ledger().PayOut(t.Context(), w.partner.ID, 3278, "bank 1")
	w.must(err)
	lost := w.stripe.Dispute(bill)
	news()
	w.wants("disputed after it was paid out; the second month is held", tenants.Balance{Paid: 3278, Owed: 3278, Held: w.balance().Held})
	w.stripe.CloseDispute(lost, false)
	news()
	if _, _, err := w.store.Ledger().PayOut(t.Context(), w.partner.ID, 3278, "bank 2"); tenants.KindOf(err) != tenants.Conflict {
		t.Errorf("paid what is owed: %v", err)
	}
	w.stripe.Advance(31 * day)
	w.wants("the second month goes against it", tenants.Balance{Paid: 3278, Held: w.balance().Held})
	var sum int64
	for _, e := range w.entries() {
		if e.Payment == bill {
			sum += e.Cents
		}
	}
	if sum != 0 {
		t.Errorf("the lost payment's lines add up to %d", sum)
	}
}

// settlementEvents are the events of a life with a refund and a dispute, with the ledger they must
// lead to.
func (w *brought) settlementEvents() (events []stripetest.Event, end string) {
	w.Helper()
	customer := w.subscribe("starter", tenants.Monthly)
	w.stripe.Advance(14*day + time.Hour)
	first := w.stripe.Invoices(customer)[1]
	w.stripe.Refund(first, 4900)
	d := w.stripe.Dispute(first)
	w.stripe.CloseDispute(d, true)
	for _, e := range w.stripe.Events("") {
		switch e.Type {
		case "invoice.paid", "charge.refunded", "charge.dispute.created", "charge.dispute.closed":
			events = append(events, e)
		}
	}
	return events[len(events)-4:], fmt.Sprint(tenants.Balance{Held: 2200})
}

// TestMoneyEventsInEveryOrder checks that each permutation, with each message twice and
// concurrently, ends in the same ledger.
func TestMoneyEventsInEveryOrder(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	events, end := w.settlementEvents()
	for i, order := range permutations(4) {
		if i > 0 {
			w.bring(fmt.Sprint("brought", i))
			w.partner = w.becomes(fmt.Sprintf("p%d@partner.example", i), "")
			w.bring(fmt.Sprint("again", i))
			events, end = w.settlementEvents()
		}
		for _, n := range order {
			var wait sync.WaitGroup
			for range 3 {
				wait.Go(func() { w.tell(events[n]) })
			}
			wait.Wait()
		}
		if got := fmt.Sprint(w.balance()); got != end || len(w.entries()) != 1 {
			t.Errorf("%v: %s with %d lines, want %s with one", order, got, len(w.entries()), end)
		}
	}
}

func TestReconcileRepairsPartnerLedger(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	customer := w.paying(func() {})
	w.must(w.b.Reconcile(t.Context()))
	w.wants("no message came", tenants.Balance{Held: 3278})
	w.stripe.Refund(w.stripe.Invoices(customer)[1], 14900)
	w.stripe.Advance(time.Hour)
	w.must(w.b.Reconcile(t.Context()))
	w.wants("nor that of the refund", tenants.Balance{})
	// the second month is paid; its message is too old for Reconcile
	w.stripe.Advance(31 * day)
	w.must(w.b.Reconcile(t.Context()))
	w.wants("nor that of the second month", tenants.Balance{Held: 3278})
	w.stripe.Down(true)
	if err := w.b.Reconcile(t.Context()); err == nil {
		t.Error("Reconcile succeeds while Stripe is down")
	}
	w.stripe.Down(false)
}

// TestThePaymentAloneSettles: of all messages only that of the paid invoice arrives.
func TestThePaymentAloneSettles(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	w.paying(func() {})
	for _, kind := range []string{"customer.subscription.updated", "invoice.paid"} {
		w.wants("before "+kind, tenants.Balance{})
		w.tell(w.stripe.Events(kind)...)
	}
	w.wants("after it", tenants.Balance{Held: 3278})
}

// TestSelfReferralIsRefused checks that a referral with the partner's own card or account is
// refused when the payment comes.
func TestSelfReferralIsRefused(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	news := w.news()
	mine := w.bring("mine") // the partner's own tenant
	w.partner = w.becomes("ana@partner.example", mine)
	own := w.paying(news)
	w.wants("a tenant that the partner's account owns", tenants.Balance{})
	r, err := w.store.Ledger().ReferralOf(t.Context(), w.buyer.Tenant.ID)
	if err != nil || r.Refused != tenants.RefusedPerson {
		t.Errorf("%+v %v", r, err)
	}

	w.bring("friend")
	customer := w.paying(news)
	w.wants("somebody else", tenants.Balance{Held: 3278})
	w.stripe.Borrow(customer, own)
	w.stripe.Advance(31 * day)
	news()
	w.wants("who pays with the partner's card", tenants.Balance{})
	if r, err = w.store.Ledger().ReferralOf(t.Context(), w.buyer.Tenant.ID); err != nil || r.Refused != tenants.RefusedCard {
		t.Errorf("%+v %v", r, err)
	}
}

// TestUnreferredCustomersEarnNothing checks that payments of tenants without a referral, and of
// other products, earn no commission.
func TestUnreferredCustomersEarnNothing(t *testing.T) {
	t.Parallel()
	w := newBrought(t)
	w.buyer = w.tenant("alone")
	news := w.news()
	customer := w.paying(news)
	w.stripe.Refund(w.stripe.Invoices(customer)[1], 100)
	w.stripe.Dispute(w.stripe.Invoices(customer)[1])
	news()
	for _, object := range []string{`{"id":"dp_1","object":"dispute","charge":null}`,
		`{"id":"dp_2","object":"dispute","charge":"ch_nobody"}`, `{"id":"ch_2","object":"charge","customer":null}`,
		`{"id":"re_2","object":"refund","charge":{"id":"ch_nobody"}}`,
		`{"id":"ch_3","object":"charge","customer":"cus_nobody"}`, `{"id":"dp_3","object":"dispute","charge":"../../customers"}`} {
		id := tenants.NewRandomID()
		w.tell(stripetest.Event{Body: []byte(`{"id":"evt_` + id +
			`","object":"event","type":"charge.dispute.created","livemode":false,"data":{"object":` + object + `}}`)})
	}
	w.stripe.Forgive() // it asked for unknown ids
	w.wants("nobody's", tenants.Balance{})
}
