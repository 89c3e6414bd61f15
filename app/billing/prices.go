package billing

import (
	"context"
	"fmt"
	"strconv"
	"time"

	"github.com/stripe/stripe-go/v76"

	"carillon/tenants"
)

// pricesFor is how long price ids are cached.
const pricesFor = 10 * time.Minute

// items returns the price ids of a plan: the plan's own, and that of overage rings if the plan
// sells them. Overage costs nothing within the limit, and Carillon lets rings pass the limit only
// if the tenant turned overage on.
func (b *Billing) items(ctx context.Context, plan string, every tenants.Interval) ([]string, error) {
	p, ok := b.plans.Plan(plan)
	if !ok || every != tenants.Monthly && every != tenants.Yearly {
		return nil, tenants.NoSuch("plan")
	}
	keys := []string{lookup(plan, every)}
	if p.Overage > 0 && p.Rings > 0 {
		keys = append(keys, lookupOverage(plan, every))
	}
	known, err := b.known(ctx, false)
	if err != nil {
		return nil, err
	}
	ids, missing := pick(known, keys)
	if missing != "" { // they may have been made a moment ago
		if known, err = b.known(ctx, true); err != nil {
			return nil, err
		}
		ids, missing = pick(known, keys)
	}
	if missing != "" {
		return nil, &tenants.Error{Kind: tenants.Unavailable, Code: "no_price", Err: fmt.Errorf("billing: no price %s", missing),
			Msg: "This plan cannot be bought yet: Stripe has no price for it. " +
				"The operator of this server must run `carillon plans sync` once."}
	}
	return ids, nil
}

func pick(known map[string]string, keys []string) (ids []string, missing string) {
	for _, k := range keys {
		id, ok := known[k]
		if !ok {
			return nil, k
		}
		ids = append(ids, id)
	}
	return ids, ""
}

func (b *Billing) known(ctx context.Context, fresh bool) (map[string]string, error) {
	b.mu.Lock()
	have, read := b.prices, b.read
	b.mu.Unlock()
	if have != nil && !fresh && b.Now().Sub(read) < pricesFor {
		return have, nil
	}
	all, err := b.stripePrices(ctx)
	if err != nil {
		return nil, err
	}
	ids := map[string]string{}
	for k, p := range all {
		ids[k] = p.ID
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.prices, b.read = ids, b.Now()
	return ids, nil
}

// stripePrices returns the prices at Stripe with our lookup keys. Stripe accepts ten keys at once.
func (b *Billing) stripePrices(ctx context.Context) (map[string]*stripe.Price, error) {
	var keys []*string
	for _, w := range b.wanted() {
		keys = append(keys, stripe.String(w.key))
	}
	out := map[string]*stripe.Price{}
	for len(keys) > 0 {
		n := min(10, len(keys))
		p := &stripe.PriceListParams{LookupKeys: keys[:n], Active: stripe.Bool(true)}
		keys = keys[n:]
		p.Context, p.Limit = ctx, stripe.Int64(100)
		p.AddExpand("data.tiers")
		list := b.api.Prices.List(p)
		for list.Next() {
			out[list.Price().LookupKey] = list.Price()
		}
		if err := list.Err(); err != nil {
			return nil, refusal(err)
		}
	}
	return out, nil
}

// wanted is a price from the plans file.
type wanted struct {
	key     string
	plan    tenants.Plan
	every   tenants.Interval
	overage bool
}

func (b *Billing) wanted() (out []wanted) {
	for _, p := range b.plans.Plans {
		for _, every := range []tenants.Interval{tenants.Monthly, tenants.Yearly} {
			out = append(out, wanted{lookup(p.Code, every), p, every, false})
			if p.Overage > 0 && p.Rings > 0 {
				out = append(out, wanted{lookupOverage(p.Code, every), p, every, true})
			}
		}
	}
	return out
}

// free is how many rings of the period the plan includes.
func (w wanted) free() int64 {
	if w.every == tenants.Yearly {
		return 12 * w.plan.Rings
	}
	return w.plan.Rings
}

// each is the price of one overage ring, in cents.
func (w wanted) each() float64 { return float64(w.plan.Overage) / 1000 }

// matches reports whether the price at Stripe equals the wanted one.
func (w wanted) matches(p *stripe.Price, currency string) bool {
	if p == nil || string(p.Currency) != currency || p.Recurring == nil || string(p.Recurring.Interval) != string(w.every) {
		return false
	}
	if !w.overage {
		return p.UnitAmount == w.plan.Cents(w.every) && p.Metadata[metaPlan] == w.plan.Code
	}
	if p.Metadata[metaOverage] != w.plan.Code || len(p.Tiers) != 2 {
		return false
	}
	cents := strconv.FormatFloat(p.Tiers[1].UnitAmountDecimal, 'f', 6, 64)
	return p.Tiers[0].UpTo == w.free() && p.Tiers[0].UnitAmount == 0 && cents == strconv.FormatFloat(w.each(), 'f', 6, 64)
}

// SyncPlans creates at Stripe what the plans file says: a meter, a product per plan, and prices. A
// changed price is created again and takes over the lookup key; existing subscribers keep the old
// price until they change their plan. It returns what it did. Running it again does nothing.
func (b *Billing) SyncPlans(ctx context.Context) (done []string, err error) {
	have, err := b.stripePrices(ctx)
	if err != nil {
		return nil, err
	}
	meter, made, err := b.meter(ctx)
	if err != nil {
		return nil, err
	}
	if made {
		done = append(done, "made the meter "+meterName)
	}
	products := map[string]bool{}
	for _, w := range b.wanted() {
		old := have[w.key]
		if w.matches(old, b.plans.Currency) {
			continue
		}
		if !products[w.plan.Code] {
			if err := b.product(ctx, w.plan); err != nil {
				return done, err
			}
			products[w.plan.Code] = true
		}
		p := w.params(b.plans.Currency, meter)
		p.Context = ctx
		if _, err := b.api.Prices.New(p); err != nil {
			return done, refusal(err)
		}
		what := "made the price "
		if old != nil {
			what = "replaced the price "
		}
		done = append(done, what+w.key)
	}
	return done, nil
}

func (w wanted) params(currency, meter string) *stripe.PriceParams {
	p := &stripe.PriceParams{
		Product: stripe.String("carillon_" + w.plan.Code), Currency: stripe.String(currency), LookupKey: stripe.String(w.key),
		TransferLookupKey: stripe.Bool(true), Recurring: &stripe.PriceRecurringParams{Interval: stripe.String(string(w.every))},
	}
	if !w.overage {
		p.UnitAmount = stripe.Int64(w.plan.Cents(w.every))
		p.Metadata = map[string]string{metaPlan: w.plan.Code}
		return p
	}
	p.Metadata = map[string]string{metaOverage: w.plan.Code}
	p.Nickname = stripe.String("Rings past the plan")
	p.Recurring.UsageType, p.Recurring.Meter = stripe.String("metered"), stripe.String(meter)
	p.BillingScheme, p.TiersMode = stripe.String("tiered"), stripe.String("graduated")
	p.Tiers = []*stripe.PriceTierParams{
		{UpTo: stripe.Int64(w.free()), UnitAmount: stripe.Int64(0)},
		{UpToInf: stripe.Bool(true), UnitAmountDecimal: stripe.Float64(w.each())},
	}
	return p
}

// product creates the plan's product under our own id, or updates its name.
func (b *Billing) product(ctx context.Context, plan tenants.Plan) error {
	id := "carillon_" + plan.Code
	u := &stripe.ProductParams{Name: stripe.String("Carillon " + plan.Name)}
	u.Context = ctx
	_, err := b.api.Products.Update(id, u)
	if !gone(err) {
		return refusal(err)
	}
	p := &stripe.ProductParams{ID: stripe.String(id), Name: stripe.String("Carillon " + plan.Name)}
	p.Context = ctx
	_, err = b.api.Products.New(p)
	return refusal(err)
}

// meter returns the id of the meter that counts rings, and creates the meter if it is missing.
func (b *Billing) meter(ctx context.Context) (id string, made bool, err error) {
	l := &stripe.BillingMeterListParams{Status: stripe.String("active")}
	l.Context, l.Limit = ctx, stripe.Int64(100)
	list := b.api.BillingMeters.List(l)
	for list.Next() {
		if m := list.BillingMeter(); m.EventName == meterName {
			return m.ID, false, nil
		}
	}
	if err := list.Err(); err != nil {
		return "", false, refusal(err)
	}
	p := &stripe.BillingMeterParams{
		DisplayName: stripe.String("Carillon rings"), EventName: stripe.String(meterName),
		DefaultAggregation: &stripe.BillingMeterDefaultAggregationParams{Formula: stripe.String("sum")},
		CustomerMapping: &stripe.BillingMeterCustomerMappingParams{Type: stripe.String("by_id"),
			EventPayloadKey: stripe.String("stripe_customer_id")},
		ValueSettings: &stripe.BillingMeterValueSettingsParams{EventPayloadKey: stripe.String("value")},
	}
	p.Context = ctx
	m, err := b.api.BillingMeters.New(p)
	if err != nil {
		return "", false, refusal(err)
	}
	return m.ID, true, nil
}
