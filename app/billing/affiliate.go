package billing

import (
	"context"
	"encoding/json"
	"strings"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
	"carillon/tenants/store"
)

// settle asks Stripe what a tenant that a partner brought has paid, and what of it was given back, and writes that down: the ledger
// follows. Like Sync it begins by asking anew each time, so that order, repeats and gaps of messages do not matter. A customer that
// nobody brought costs one look into the database.
func (b *Billing) settle(ctx context.Context, customer string) error {
	defer b.enter("settle " + customer)()
	asked := b.Now()
	id, err := b.brought(ctx, customer)
	if err != nil || id == "" {
		return err
	}
	r, err := b.Store.ReferralOf(ctx, id)
	if err != nil {
		return unless(err, tenants.Unknown)
	}
	paid, cards, err := b.paid(ctx, customer)
	if err != nil {
		return err
	}
	n := store.Settlement{Tenant: id, Asked: asked, Payments: paid}
	if r.Refused == "" {
		if n.Refused, err = b.selfish(ctx, r, cards); err != nil {
			return err
		}
	}
	return b.Store.Settle(ctx, n)
}

// brought is the tenant that a customer is, by our own row or by what we wrote at Stripe: a tenant that is gone may still be refunded.
func (b *Billing) brought(ctx context.Context, customer string) (tenants.TenantID, error) {
	id, err := b.Store.TenantOfCustomer(ctx, customer)
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

// paid are the customer's payments for its subscription through Stripe, and what the cards that paid are known by. A bill that was
// settled by credit, or marked as paid by hand, moved no money here and earns nothing.
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

// payment is what is left of an invoice. What a bank holds while it looks into a dispute is not ours, and comes back when it is won; an
// inquiry (warning_…) takes no money.
func (b *Billing) payment(ctx context.Context, i *stripe.Invoice) (tenants.Payment, error) {
	n := tenants.Payment{ID: i.ID, At: unix(i.Charge.Created), Cents: i.Charge.AmountCaptured, Returned: i.Charge.AmountRefunded}
	if i.StatusTransitions != nil && i.StatusTransitions.PaidAt != 0 {
		n.At = unix(i.StatusTransitions.PaidAt)
	}
	untaxed := i.TotalExcludingTax
	if untaxed == 0 {
		untaxed = i.Total - i.Tax
	}
	n.Untaxed = tenants.Share(n.Cents, untaxed, i.Total) // credit may have paid a part of the bill, and of its tax
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

// fingerprintOf names the card or account that a charge came from, the same for every customer of one Stripe account.
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

// selfish is why a referral turns out to be the partner's own: an account of theirs owns the tenant, or a card that paid for a tenant of
// theirs pays for this one.
func (b *Billing) selfish(ctx context.Context, r tenants.Referral, cards map[string]bool) (tenants.Refusal, error) {
	houses, err := b.Store.HousesOfPartner(ctx, r.Partner)
	if err != nil {
		return "", err
	}
	for _, id := range houses {
		if id == r.Tenant {
			return tenants.RefusedPerson, nil
		}
		sub, err := b.Store.For(id).Subscription(ctx)
		if err != nil && tenants.KindOf(err) != tenants.Unknown {
			return "", err
		}
		if sub.Customer == "" || len(cards) == 0 {
			continue
		}
		if same, err := b.payWith(ctx, sub.Customer, cards); same || err != nil {
			return tenants.RefusedCard, err
		}
	}
	return "", nil
}

// payWith reports whether a customer has paid with one of the cards.
func (b *Billing) payWith(ctx context.Context, customer string, cards map[string]bool) (bool, error) {
	p := &stripe.ChargeListParams{Customer: stripe.String(customer)}
	p.Context, p.Limit = ctx, stripe.Int64(100)
	for list := b.api.Charges.List(p); ; {
		if !list.Next() {
			return false, refusal(list.Err())
		}
		if cards[fingerprintOf(list.Charge())] {
			return true, nil
		}
	}
}

// returned acts on a message about money that goes back. A refund and a dispute name their charge, and that its customer.
func (b *Billing) returned(ctx context.Context, h hint) error {
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

// idOf reads an id, or that of an object that stands in its place.
func idOf(raw json.RawMessage) string {
	var id string
	if json.Unmarshal(raw, &id) == nil {
		return id
	}
	var whole struct {
		ID string `json:"id"`
	}
	_ = json.Unmarshal(raw, &whole) // neither: there is nothing to ask about
	return whole.ID
}

// settleStale asks about payments of a tenant that nobody has asked about for long.
func (b *Billing) settleStale(ctx context.Context, s tenants.Subscription) error {
	r, err := b.Store.ReferralOf(ctx, s.Tenant)
	if err != nil || b.Now().Sub(r.AskedAt) <= staleAfter {
		return unless(err, tenants.Unknown)
	}
	return b.settle(ctx, s.Customer)
}

// affiliateEvents are the types by which partners gain and lose.
var affiliateEvents = []string{"charge.refunded", "charge.refund.updated", "charge.dispute.created", "charge.dispute.closed"}
