package stripetest

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// subscription is one subscription with its items.
type subscription struct {
	id, customer, status string
	items                []item
	meta                 map[string]string
	start, end, trialEnd time.Time
	created, ended, owed time.Time
	cancelAtEnd          bool
	reason               string // why it was cancelled
	off                  int64  // percent off by a promotion code
}

type item struct {
	id, price string
	more      int64 // what the quantity is above one
}

func (s *Stripe) subscriptionRoutes() []route {
	return []route{
		{"GET", "/v1/subscriptions", []string{"customer", "status", "limit", "starting_after"}, s.listSubs},
		{"GET", "/v1/subscriptions/{}", nil, func(id string, _ url.Values) (any, error) {
			x := s.sub(id)
			if x == nil {
				return nil, noSuch("subscription", id)
			}
			return s.showSub(x), nil
		}},
		{"POST", "/v1/subscriptions/{}", []string{"items[][id]", "items[][price]", "items[][quantity]", "items[][deleted]",
			"proration_date", "proration_behavior",
			"payment_behavior", "cancel_at_period_end"}, s.setSub},
		{"DELETE", "/v1/subscriptions/{}", []string{"invoice_now", "prorate", "cancellation_details[comment]"}, s.endSub},
	}
}

func (s *Stripe) sub(id string) *subscription {
	for _, x := range s.subs {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (s *Stripe) showSub(x *subscription) map[string]any {
	items := []map[string]any{}
	for _, i := range x.items {
		o := map[string]any{"id": i.id, "object": "subscription_item", "price": s.objects[i.price], "subscription": x.id}
		if !metered(s.objects[i.price]) {
			o["quantity"] = 1 + i.more
		}
		items = append(items, o)
	}
	return map[string]any{
		"id": x.id, "object": "subscription", "customer": x.customer, "status": x.status,
		"items": list(items, "/v1/subscription_items"), "metadata": x.meta,
		"current_period_start": x.start.Unix(), "current_period_end": x.end.Unix(), "trial_end": unixOrNil(x.trialEnd),
		"created":  x.created.Unix(),
		"ended_at": unixOrNil(x.ended), "cancel_at_period_end": x.cancelAtEnd, "livemode": s.c.Live, "latest_invoice": s.latest(x).id,
		"cancellation_details": map[string]any{"reason": orNil(x.reason)},
	}
}

func unixOrNil(t time.Time) any {
	if t.IsZero() {
		return nil
	}
	return t.Unix()
}

func orNil(s string) any {
	if s == "" {
		return nil
	}
	return s
}

func (s *Stripe) listSubs(_ string, f url.Values) (any, error) {
	var out []map[string]any
	for _, x := range newestFirst(s.subs) {
		if f.Get("customer") != "" && x.customer != f.Get("customer") || f.Get("status") != "all" && x.status == "canceled" {
			continue
		}
		o := s.showSub(x)
		if f.Get("expand[0]") == "data.latest_invoice" {
			o["latest_invoice"] = s.showInvoice(s.latest(x))
		}
		out = append(out, o)
	}
	return list(out, "/v1/subscriptions"), nil
}

// interval is the length of a period of these items.
func (s *Stripe) next(x *subscription, from time.Time) time.Time {
	if s.objects[x.items[0].price]["recurring"].(map[string]any)["interval"] == "year" {
		return from.AddDate(1, 0, 0)
	}
	return from.AddDate(0, 1, 0)
}

// subscribe starts the subscription of a checkout, in a trial or paid at once.
func (s *Stripe) subscribe(from *session, off int64) *subscription {
	x := &subscription{id: s.id("sub"), customer: from.customer, status: "active", meta: from.subMeta, start: s.now,
		created: s.now, trialEnd: from.trialEnd, off: off}
	for _, p := range from.prices {
		x.items = append(x.items, item{id: s.id("si"), price: p})
	}
	x.end = s.next(x, s.now)
	if !x.trialEnd.IsZero() {
		x.status, x.end = "trialing", x.trialEnd
	}
	s.subs = append(s.subs, x)
	s.bill(x, s.charge(x, 0), true)
	return x
}

// flat is the price of the licensed items.
func (s *Stripe) flat(items []item) (cents int64) {
	for _, i := range items {
		if p := s.objects[i.price]; !metered(p) {
			cents += p["unit_amount"].(int64) * (1 + i.more)
		}
	}
	return cents
}

// charge is what a period that starts now costs, plus the usage of the one before.
func (s *Stripe) charge(x *subscription, used int64) (lines []line) {
	if x.status != "trialing" {
		lines = append(lines, line{"Subscription", s.flat(x.items)})
	} else {
		lines = append(lines, line{"Trial", 0})
	}
	for _, i := range x.items {
		p := s.objects[i.price]
		if !metered(p) || used == 0 {
			continue
		}
		tiers := p["tiers"].([]map[string]any)
		if over := used - tiers[0]["up_to"].(int64); over > 0 {
			// validated on creation
			each, _ := strconv.ParseFloat(tiers[1]["unit_amount_decimal"].(string), 64)
			lines = append(lines, line{"Rings past the plan", int64(float64(over)*each + 0.5)})
		}
	}
	return lines
}

// change applies the items of a request to a subscription's items.
func (s *Stripe) change(x *subscription, f url.Values, name string) ([]item, error) {
	out := slices.Clone(x.items)
	for i := 0; ; i++ {
		at := name + "[" + strconv.Itoa(i) + "]"
		id, price := f.Get(at+"[id]"), f.Get(at+"[price]")
		if id == "" && price == "" {
			break
		}
		n := slices.IndexFunc(out, func(have item) bool { return have.id == id })
		switch {
		case id != "" && n < 0:
			return nil, noSuch("subscription item", id)
		case f.Get(at+"[deleted]") == "true":
			out = slices.Delete(out, n, n+1)
			continue
		case s.objects[price] == nil:
			return nil, noSuch("price", price)
		case id == "":
			out = append(out, item{id: s.id("si"), price: price})
		default:
			out[n].price = price
			if f.Has(at + "[quantity]") {
				out[n].more = 0
			}
		}
	}
	every := map[any]bool{}
	for _, i := range out {
		every[s.objects[i.price]["recurring"].(map[string]any)["interval"]] = true
	}
	if len(every) > 1 {
		return nil, bad("Currently, all prices on a subscription must have the same interval.")
	}
	return out, nil
}

// prorated is what changing the items now costs: the rest of the period at the new price, minus the
// rest at the old one.
func (s *Stripe) prorated(x *subscription, items []item, at time.Time) []line {
	if x.status == "trialing" {
		return []line{{"Trial", 0}}
	}
	left := float64(x.end.Sub(at)) / float64(x.end.Sub(x.start))
	old := int64(float64(s.flat(x.items))*left + 0.5)
	fresh := int64(float64(s.flat(items))*left + 0.5)
	if s.every(items) != s.every(x.items) {
		fresh = s.flat(items) // a new period begins
	}
	return []line{{"Unused time", -old}, {"Remaining time", fresh}}
}

func (s *Stripe) every(items []item) any {
	return s.objects[items[0].price]["recurring"].(map[string]any)["interval"]
}

func (s *Stripe) setSub(id string, f url.Values) (any, error) {
	x := s.sub(id)
	if x == nil {
		return nil, noSuch("subscription", id)
	}
	if x.status == "canceled" {
		return nil, noSuch("subscription", id)
	}
	if f.Has("items[0][price]") {
		if err := s.swap(x, f); err != nil {
			return nil, err
		}
	}
	if f.Has("cancel_at_period_end") {
		x.cancelAtEnd = f.Get("cancel_at_period_end") == "true"
	}
	s.happened("customer.subscription.updated", s.showSub(x))
	return s.showSub(x), nil
}

func (s *Stripe) swap(x *subscription, f url.Values) error {
	items, err := s.change(x, f, "items")
	if err != nil {
		return err
	}
	at, err := number(f, "proration_date")
	if err != nil || f.Get("proration_behavior") != "always_invoice" {
		return bad("proration_date and proration_behavior=always_invoice are expected here")
	}
	lines := s.prorated(x, items, time.Unix(at, 0))
	if total(lines) > 0 && s.broken[x.customer] && f.Get("payment_behavior") == "error_if_incomplete" {
		return fault{status: http.StatusPaymentRequired, kind: "card_error", code: "card_declined", msg: "Your card was declined."}
	}
	if fresh := s.every(items) != s.every(x.items); fresh && x.status == "active" {
		x.items = items
		x.start, x.end = s.now, s.next(x, s.now)
	}
	x.items = items
	s.bill(x, lines, true)
	return nil
}

// Card makes the customer's card fail from now on, or work again. When it works again, open
// invoices are paid.
func (s *Stripe) Card(customer string, works bool) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.card(customer, works)
}

func (s *Stripe) card(customer string, works bool) {
	s.broken[customer] = !works
	for _, x := range s.subs {
		if works && x.customer == customer && (x.status == "past_due" || x.status == "paused") {
			i := s.latest(x)
			i.status, i.paidAt, x.status, x.owed = "paid", s.now, "active", time.Time{}
			s.happened("invoice.paid", s.showInvoice(i))
			s.happened("customer.subscription.updated", s.showSub(x))
		}
	}
}

func (s *Stripe) endSub(id string, f url.Values) (any, error) {
	x := s.sub(id)
	if x == nil || x.status == "canceled" {
		return nil, noSuch("subscription", id)
	}
	if f.Get("invoice_now") != "false" || f.Get("prorate") != "false" {
		return nil, bad("invoice_now=false and prorate=false are expected here")
	}
	s.end(x, "cancellation_requested")
	return s.showSub(x), nil
}

// Cancel ends a subscription at once, like the dashboard.
func (s *Stripe) Cancel(id, reason string) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	if x := s.sub(id); x != nil {
		s.end(x, reason)
	}
}

// Quantity sets the quantity of a subscription's plan, like the dashboard.
func (s *Stripe) Quantity(id string, n int64) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	x := s.sub(id)
	x.items[0].more = n - 1
	s.happened("customer.subscription.updated", s.showSub(x))
}

func (s *Stripe) end(x *subscription, reason string) {
	x.status, x.ended, x.reason = "canceled", s.now, reason
	s.happened("customer.subscription.deleted", s.showSub(x))
}

// Subscriptions returns the ids of a customer's subscriptions, oldest first.
func (s *Stripe) Subscriptions(customer string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.subs {
		if x.customer == customer {
			ids = append(ids, x.id)
		}
	}
	return ids
}

// Customers returns all customer ids, oldest first.
func (s *Stripe) Customers() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, id := range s.order {
		if strings.HasPrefix(id, "cus_") {
			ids = append(ids, id)
		}
	}
	return ids
}
