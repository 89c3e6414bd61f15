package billing

import (
	"context"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
)

// Preview is what a plan change costs, before it is made.
type Preview struct {
	At       time.Time // when the change takes effect; pass it to Change for the same price
	Due      int64     // cents, now; negative = credit for the next invoices
	Currency string
	Lines    []Line
}

// Line is one line of an invoice.
type Line struct {
	Text  string
	Cents int64
}

// previewFor is how long a shown price is valid.
const previewFor = time.Hour

// Preview asks Stripe what the change would cost now.
func (b *Billing) Preview(ctx context.Context, who Buyer, plan string, every tenants.Interval) (Preview, error) {
	sub, err := b.changeable(ctx, who, plan, every)
	if err != nil {
		return Preview{}, err
	}
	items, err := b.swap(ctx, sub, plan, every)
	if err != nil {
		return Preview{}, err
	}
	at := b.Now().Truncate(time.Second)
	p := &stripe.InvoiceUpcomingParams{
		Customer: stripe.String(sub.Customer), Subscription: stripe.String(sub.Stripe), SubscriptionItems: items,
		SubscriptionProrationDate: stripe.Int64(at.Unix()), SubscriptionProrationBehavior: stripe.String("always_invoice"),
	}
	p.Context = ctx
	i, err := b.api.Invoices.Upcoming(p)
	if err != nil {
		return Preview{}, b.moved(ctx, sub.Customer, err)
	}
	out := Preview{At: at, Due: i.Total, Currency: string(i.Currency)}
	if i.Lines != nil {
		for _, l := range i.Lines.Data {
			out.add(l.Description, l.Amount)
		}
	}
	for _, d := range i.TotalDiscountAmounts {
		out.add("Discount", -d.Amount)
	}
	out.add("Tax", i.Tax)
	return out, nil
}

// add appends a line to the preview, so that the lines add up to the amount due.
func (p *Preview) add(text string, cents int64) {
	if cents != 0 {
		p.Lines = append(p.Lines, Line{text, cents})
	}
}

// Change makes the plan change at the price of the preview from that moment. If the payment fails,
// nothing changes. A preview that is too old is a Conflict.
func (b *Billing) Change(ctx context.Context, who Buyer, plan string, every tenants.Interval, at time.Time) error {
	sub, err := b.changeable(ctx, who, plan, every)
	if err != nil {
		return err
	}
	if age := b.Now().Sub(at); age < -time.Minute || age > previewFor {
		return tenants.Refuse(tenants.Conflict, "preview_old", "The price shown is too old. Look at it again.")
	}
	items, err := b.swap(ctx, sub, plan, every)
	if err != nil {
		return err
	}
	p := &stripe.SubscriptionParams{
		Items: items, ProrationDate: stripe.Int64(at.Unix()), ProrationBehavior: stripe.String("always_invoice"),
		PaymentBehavior: stripe.String("error_if_incomplete"), CancelAtPeriodEnd: stripe.Bool(false),
	}
	p.Context = ctx
	if _, err := b.api.Subscriptions.Update(sub.Stripe, p); err != nil {
		return b.moved(ctx, sub.Customer, err)
	}
	return b.Sync(ctx, sub.Customer)
}

// changeable returns the tenant's subscription if its plan can be changed to the given one.
func (b *Billing) changeable(ctx context.Context, who Buyer, plan string, every tenants.Interval) (tenants.Subscription, error) {
	sub, err := b.currentOrZero(ctx, who)
	switch {
	case err != nil:
		return sub, err
	case !sub.Live():
		return sub, tenants.Refuse(tenants.Conflict, "not_subscribed", "There is no subscription to change. Subscribe first.")
	case sub.State == tenants.SubPastDue || sub.State == tenants.SubPaused:
		return sub, tenants.Refuse(tenants.Conflict, "payment_failed",
			"A payment is overdue. Update the payment method first, then change the plan.")
	case sub.Plan == plan && sub.Interval == every:
		return sub, tenants.Refuse(tenants.Conflict, "same_plan", "You already have this plan.")
	}
	return sub, nil
}

// swap replaces the prices of a subscription with those of a plan.
func (b *Billing) swap(ctx context.Context, sub tenants.Subscription, plan string, every tenants.Interval) (
	[]*stripe.SubscriptionItemsParams, error) {
	prices, err := b.items(ctx, plan, every)
	if err != nil {
		return nil, err
	}
	g := &stripe.SubscriptionParams{}
	g.Context = ctx
	have, err := b.api.Subscriptions.Get(sub.Stripe, g)
	if err != nil {
		return nil, b.moved(ctx, sub.Customer, err)
	}
	var out []*stripe.SubscriptionItemsParams
	if _, item := planOf(have); item != nil {
		out = append(out, &stripe.SubscriptionItemsParams{ID: stripe.String(item.ID), Price: stripe.String(prices[0]),
			Quantity: stripe.Int64(1)})
	} else {
		out = append(out, &stripe.SubscriptionItemsParams{Price: stripe.String(prices[0]), Quantity: stripe.Int64(1)})
	}
	for _, item := range have.Items.Data {
		if item.Price != nil && item.Price.Metadata[metaOverage] != "" {
			out = append(out, &stripe.SubscriptionItemsParams{ID: stripe.String(item.ID), Deleted: stripe.Bool(true)})
		}
	}
	for _, price := range prices[1:] {
		out = append(out, &stripe.SubscriptionItemsParams{Price: stripe.String(price)})
	}
	return out, nil
}

// Cancel ends the subscription at the end of its period. Until then nothing changes.
func (b *Billing) Cancel(ctx context.Context, who Buyer) error { return b.ending(ctx, who, true) }

// Resume undoes a cancellation before the period ends.
func (b *Billing) Resume(ctx context.Context, who Buyer) error { return b.ending(ctx, who, false) }

func (b *Billing) ending(ctx context.Context, who Buyer, end bool) error {
	sub, err := b.currentOrZero(ctx, who)
	if err != nil {
		return err
	}
	if !sub.Live() {
		return tenants.Refuse(tenants.Conflict, "not_subscribed", "There is no subscription to change.")
	}
	p := &stripe.SubscriptionParams{CancelAtPeriodEnd: stripe.Bool(end)}
	p.Context = ctx
	if _, err := b.api.Subscriptions.Update(sub.Stripe, p); err != nil {
		return b.moved(ctx, sub.Customer, err)
	}
	return b.Sync(ctx, sub.Customer)
}

// Invoice is one invoice.
type Invoice struct {
	Number   string
	At       time.Time
	Cents    int64 // its total
	Currency string
	Paid     bool
	Open     bool   // unpaid
	URL      string // of its page at Stripe
}

// Invoices lists at most most invoices, newest first, after the one that after names. next is the
// id to continue from, empty at the end. Drafts and void invoices are left out, so a page may hold
// fewer.
func (b *Billing) Invoices(ctx context.Context, who Buyer, after string, most int) (out []Invoice, next string, err error) {
	sub, err := b.currentOrZero(ctx, who)
	if err != nil || sub.Customer == "" {
		return nil, "", err
	}
	p := &stripe.InvoiceListParams{Customer: stripe.String(sub.Customer)}
	p.Context, p.Limit, p.Single = ctx, stripe.Int64(int64(most)), true
	if after != "" {
		p.StartingAfter = stripe.String(after)
	}
	list := b.api.Invoices.List(p)
	last := ""
	for list.Next() {
		i := list.Invoice()
		last = i.ID
		if i.Status == stripe.InvoiceStatusDraft || i.Status == stripe.InvoiceStatusVoid {
			continue
		}
		out = append(out, Invoice{
			Number: i.Number, At: unix(i.Created), Cents: i.Total, Currency: string(i.Currency),
			Paid: i.Status == stripe.InvoiceStatusPaid, Open: i.Status == stripe.InvoiceStatusOpen, URL: i.HostedInvoiceURL,
		})
	}
	if gone(list.Err()) { // the customer was deleted
		return nil, "", b.Sync(ctx, sub.Customer)
	}
	if list.Err() == nil && list.Meta().HasMore {
		next = last
	}
	return out, next, refusal(list.Err())
}
