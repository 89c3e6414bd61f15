package stripetest

import (
	"fmt"
	"net/url"
	"time"
)

// invoice is a bill.
type invoice struct {
	id, number, customer, sub, status string
	lines                             []line
	created                           time.Time
	refunded                          int64
}

type line struct {
	text  string
	cents int64
}

func total(lines []line) (n int64) {
	for _, l := range lines {
		n += l.cents
	}
	return n
}

func (s *Stripe) invoiceRoutes() []route {
	return []route{
		{"GET", "/v1/invoices", []string{"customer", "limit", "starting_after"}, func(_ string, f url.Values) (any, error) {
			var out []map[string]any
			for _, i := range newestFirst(s.invoices) {
				if i.customer == f.Get("customer") {
					out = append(out, s.showInvoice(i))
				}
			}
			return list(out, "/v1/invoices"), nil
		}},
		{"GET", "/v1/invoices/upcoming", []string{"customer", "subscription", "subscription_items[][id]", "subscription_items[][price]", "subscription_items[][quantity]",
			"subscription_items[][deleted]", "subscription_proration_date", "subscription_proration_behavior"}, s.upcoming},
		{"GET", "/v1/invoices/{}", nil, func(id string, _ url.Values) (any, error) {
			for _, i := range s.invoices {
				if i.id == id {
					return s.showInvoice(i), nil
				}
			}
			return nil, noSuch("invoice", id)
		}},
	}
}

func (s *Stripe) showInvoice(i *invoice) map[string]any {
	lines := []map[string]any{}
	for _, l := range i.lines {
		lines = append(lines, map[string]any{"object": "line_item", "id": "il_" + hexes(6), "description": l.text, "amount": l.cents, "currency": "usd"})
	}
	sum := total(i.lines)
	o := map[string]any{
		"id": i.id, "object": "invoice", "number": i.number, "customer": i.customer, "subscription": i.sub, "status": i.status, "total": sum, "currency": "usd",
		"created": i.created.Unix(), "lines": list(lines, "/v1/invoices/"+i.id+"/lines"), "livemode": s.c.Live, "amount_due": max(0, sum), "amount_paid": 0, "tax": 0,
		"total_excluding_tax": sum, "hosted_invoice_url": s.server.URL + "/invoice/" + i.id, "invoice_pdf": s.server.URL + "/invoice/" + i.id + ".pdf",
		"charge": "ch_" + i.id, "paid": i.status == "paid",
	}
	if i.status == "paid" {
		o["amount_paid"] = max(0, sum)
	}
	return o
}

// bill makes the subscription's next invoice, and pays it if the card works.
func (s *Stripe) bill(x *subscription, lines []line, paid bool) *invoice {
	i := &invoice{id: s.id("in"), customer: x.customer, sub: x.id, status: "open", lines: lines, created: s.now}
	i.number = fmt.Sprintf("CAR-%04d", len(s.invoices)+1)
	if paid {
		i.status = "paid"
	}
	s.invoices = append(s.invoices, i)
	return i
}

func (s *Stripe) latest(x *subscription) *invoice {
	for n := len(s.invoices) - 1; n >= 0; n-- {
		if s.invoices[n].sub == x.id {
			return s.invoices[n]
		}
	}
	return &invoice{}
}

func (s *Stripe) upcoming(_ string, f url.Values) (any, error) {
	x := s.sub(f.Get("subscription"))
	if x == nil || x.customer != f.Get("customer") {
		return nil, noSuch("subscription", f.Get("subscription"))
	}
	items, err := s.change(x, f, "subscription_items")
	if err != nil {
		return nil, err
	}
	at, err := number(f, "subscription_proration_date")
	if err != nil {
		return nil, err
	}
	i := &invoice{id: "", customer: x.customer, sub: x.id, status: "draft", lines: s.prorated(x, items, time.Unix(at, 0)), created: s.now}
	o := s.showInvoice(i)
	delete(o, "id") // an upcoming invoice has none
	return o, nil
}

// Refund gives money of a paid invoice back.
func (s *Stripe) Refund(invoiceID string, cents int64) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.id == invoiceID {
			i.refunded += cents
			s.happened("charge.refunded", map[string]any{"id": "ch_" + i.id, "object": "charge", "customer": i.customer, "invoice": i.id, "amount": total(i.lines),
				"amount_refunded": i.refunded, "currency": "usd", "refunded": i.refunded >= total(i.lines)})
		}
	}
}

// Dispute makes the customer's bank take the money of an invoice back.
func (s *Stripe) Dispute(invoiceID string) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.id == invoiceID {
			s.happened("charge.dispute.created", map[string]any{"id": s.id("dp"), "object": "dispute", "charge": "ch_" + i.id, "amount": total(i.lines), "currency": "usd", "status": "needs_response"})
		}
	}
}

// Invoices are the ids of a customer's, the oldest first.
func (s *Stripe) Invoices(customer string) (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.customer == customer {
			ids = append(ids, i.id)
		}
	}
	return ids
}

// Total is what an invoice comes to, in cents.
func (s *Stripe) Total(invoiceID string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.id == invoiceID {
			return total(i.lines)
		}
	}
	return 0
}
