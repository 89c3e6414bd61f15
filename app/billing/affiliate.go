package billing

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// settle asks Stripe what a referred tenant has paid and what was refunded, and records it; the
// ledger follows. Like Sync it reads the current state each time, so the order, repeats and gaps of
// messages do not matter. A customer without a referral costs one database read.
func (b *Billing) settle(ctx context.Context, customer string) error {
	defer b.enter("settle " + customer)()
	asked := b.Now()
	id, err := b.referredTenant(ctx, customer)
	if err != nil || id == "" {
		return err
	}
	r, err := b.Store.Ledger().ReferralOf(ctx, id)
	if err != nil {
		return unless(err, tenants.Unknown)
	}
	paid, cards, err := b.paid(ctx, customer)
	if err != nil {
		return err
	}
	n := store.Settlement{Tenant: id, Asked: asked, Payments: paid}
	if r.Refused == "" {
		if n.Refused, err = b.selfReferral(ctx, r, cards); err != nil {
			return err
		}
	}
	return b.Store.Ledger().Settle(ctx, n)
}

// referredTenant returns the tenant of a customer, from our row or from the metadata at Stripe: a
// deleted tenant may still get a refund.
func (b *Billing) referredTenant(ctx context.Context, customer string) (tenants.TenantID, error) {
	id, err := b.Store.Tenants().OfCustomer(ctx, customer)
	if err == nil || tenants.KindOf(err) != tenants.Unknown {
		return id, err
	}
	p := &stripe.CustomerParams{}
	p.Context = ctx
	c, err := b.api.Customers.Get(customer, p)
	if gone(err) || err == nil && c.Deleted {
		return "", nil
	}
	if err != nil {
		return "", refusal(err)
	}
	id, _ = tenants.ParseID[tenants.TenantID](c.Metadata[metaTenant])
	return id, nil
}

// paid returns the customer's subscription payments made through Stripe, and the fingerprints of
// the cards that paid. An invoice settled by credit or marked as paid by hand moved no money here
// and earns nothing.
func (b *Billing) paid(ctx context.Context, customer string) (out []tenants.Payment, cards map[string]bool, err error) {
	p := &stripe.InvoiceListParams{Customer: stripe.String(customer), Status: stripe.String("paid")}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	p.AddExpand("data.charge")
	cards = map[string]bool{}
	for list := b.api.Invoices.List(p); ; {
		if !list.Next() {
			return out, cards, refusal(list.Err())
		}
		i := list.Invoice()
		if i.Charge == nil || !i.Charge.Paid || i.Subscription == nil || string(i.Currency) != b.plans.Currency {
			continue
		}
		n, err := b.payment(ctx, i)
		if err != nil {
			return nil, nil, err
		}
		out = append(out, n)
		if f := fingerprintOf(i.Charge); f != "" {
			cards[f] = true
		}
	}
}

// payment is what remains of an invoice. Money held for a dispute is subtracted and counts again
// when we win. An inquiry (warning_…) takes no money.
func (b *Billing) payment(ctx context.Context, i *stripe.Invoice) (tenants.Payment, error) {
	n := tenants.Payment{ID: i.ID, At: unix(i.Charge.Created), Cents: i.Charge.AmountCaptured, Returned: i.Charge.AmountRefunded}
	if i.StatusTransitions != nil && i.StatusTransitions.PaidAt != 0 {
		n.At = unix(i.StatusTransitions.PaidAt)
	}
	untaxed := i.TotalExcludingTax
	if untaxed == 0 {
		untaxed = i.Total - i.Tax
	}
	// credit may have paid part of the invoice and its tax
	n.Untaxed = tenants.Share(n.Cents, untaxed, i.Total)
	if !i.Charge.Disputed {
		return n, nil
	}
	p := &stripe.DisputeListParams{Charge: stripe.String(i.Charge.ID)}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	for list := b.api.Disputes.List(p); ; {
		if !list.Next() {
			return n, refusal(list.Err())
		}
		switch d := list.Dispute(); d.Status {
		case stripe.DisputeStatusNeedsResponse, stripe.DisputeStatusUnderReview, stripe.DisputeStatusLost:
			n.Returned += d.Amount
		}
	}
}

// fingerprintOf identifies the card or account of a charge, the same for every customer of one
// Stripe account.
func fingerprintOf(c *stripe.Charge) string {
	d := c.PaymentMethodDetails
	switch {
	case d == nil:
	case d.Card != nil:
		return d.Card.Fingerprint
	case d.SEPADebit != nil:
		return d.SEPADebit.Fingerprint
	case d.USBankAccount != nil:
		return d.USBankAccount.Fingerprint
	}
	return ""
}

// selfReferral returns why a referral is the partner's own: their account owns the tenant, or a
// card that pays for another of their tenants pays for this one. Empty = it is not.
func (b *Billing) selfReferral(ctx context.Context, r tenants.Referral, cards map[string]bool) (tenants.Refusal, error) {
	owned, err := b.Store.Partners().Tenants(ctx, r.Partner)
	if err != nil {
		return "", err
	}
	for _, id := range owned {
		if id == r.Tenant {
			return tenants.RefusedPerson, nil
		}
		sub, err := b.Store.For(id).Subscription().Get(ctx)
		if err != nil && tenants.KindOf(err) != tenants.Unknown {
			return "", err
		}
		if sub.Customer == "" || len(cards) == 0 {
			continue
		}
		if same, err := b.hasPaidWith(ctx, sub.Customer, cards); same || err != nil {
			return tenants.RefusedCard, err
		}
	}
	return "", nil
}

// hasPaidWith reports whether a customer has paid with one of the cards.
func (b *Billing) hasPaidWith(ctx context.Context, customer string, cards map[string]bool) (bool, error) {
	p := &stripe.ChargeListParams{Customer: stripe.String(customer)}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	for list := b.api.Charges.List(p); ; {
		if !list.Next() {
			if gone(list.Err()) { // the customer was deleted
				return false, nil
			}
			return false, refusal(list.Err())
		}
		if cards[fingerprintOf(list.Charge())] {
			return true, nil
		}
	}
}

// settleReturned handles a message about a refund or a dispute, which names its charge. The charge
// names the customer.
func (b *Billing) settleReturned(ctx context.Context, h hint) error {
	customer := h.customer()
	if id := idOf(h.Charge); customer == "" && strings.HasPrefix(id, "ch_") {
		p := &stripe.ChargeParams{}
		p.Context = ctx
		c, err := b.api.Charges.Get(id, p)
		if gone(err) {
			return nil
		}
		if err != nil {
			return refusal(err)
		}
		if c.Customer != nil {
			customer = c.Customer.ID
		}
	}
	if customer == "" {
		return nil
	}
	return b.settle(ctx, customer)
}

// idOf reads an id, or the id of an object in its place (Stripe can expand an id to its object).
func idOf(raw json.RawMessage) string {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var whole struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(raw, &whole) // neither: no id
	return whole.ID
}

// settleStale asks about a tenant's payments if that was not done for staleAfter.
func (b *Billing) settleStale(ctx context.Context, s tenants.Subscription) error {
	r, err := b.Store.Ledger().ReferralOf(ctx, s.Tenant)
	if err != nil || b.Now().Sub(r.AskedAt) <= staleAfter {
		return unless(err, tenants.Unknown)
	}
	return b.settle(ctx, s.Customer)
}

// affiliateEvents are the event types that change what partners earn.
var affiliateEvents = []string{"charge.refunded", "charge.refund.updated", "charge.dispute.created", "charge.dispute.closed"}
