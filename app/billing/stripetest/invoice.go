package stripetest

import (
	"fmt"
	"net/http"
	"net/url"
	"time"
)

// invoice is one invoice.
type invoice struct {
	id, number, customer, sub, status string
	lines                             []line
	off                               int64 // discount of a promotion code
	tax                               int64 // on the rest
	created, paidAt                   time.Time
	refunded                          int64
	disputes                          []*dispute
}

// due is the total of an invoice, with discount and tax.
func (i *invoice) due() int64 { return total(i.lines) - i.off + i.tax }

// charged reports whether money moved for it. An invoice of zero or of credit has no charge.
func (i *invoice) charged() bool { return i.status == "paid" && i.due() > 0 }

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
		{"GET", "/v1/invoices", []string{"customer", "status", "limit", "starting_after"}, s.listInvoices},
		{"GET", "/v1/invoices/upcoming", []string{"customer", "subscription", "subscription_items[][id]",
			"subscription_items[][price]", "subscription_items[][quantity]",
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

func (s *Stripe) listInvoices(_ string, f url.Values) (any, error) {
	var out []map[string]any
	for _, i := range newestFirst(s.invoices) {
		if i.customer != f.Get("customer") || f.Has("status") && i.status != f.Get("status") {
			continue
		}
		o := s.showInvoice(i)
		if f.Get("expand[0]") == "data.charge" && i.charged() {
			o["charge"] = s.showCharge(i)
		}
		out = append(out, o)
	}
	return pageOf(out, "/v1/invoices", f)
}

func (s *Stripe) showInvoice(i *invoice) map[string]any {
	lines := []map[string]any{}
	for _, l := range i.lines {
		lines = append(lines, map[string]any{"object": "line_item", "id": "il_" + hexes(6), "description": l.text,
			"amount": l.cents, "currency": "usd"})
	}
	sum := i.due()
	o := map[string]any{
		"id": i.id, "object": "invoice", "number": i.number, "customer": i.customer, "subscription": i.sub,
		"status": i.status, "total": sum, "currency": "usd",
		"created": i.created.Unix(), "lines": list(lines, "/v1/invoices/"+i.id+"/lines"), "livemode": s.c.Live,
		"amount_due": max(0, sum), "amount_paid": 0, "tax": i.tax,
		"subtotal": total(i.lines), "total_discount_amounts": []map[string]any{}, "total_excluding_tax": sum - i.tax,
		"hosted_invoice_url": s.server.URL + "/invoice/" + i.id, "invoice_pdf": s.server.URL + "/invoice/" + i.id + ".pdf",
		"charge": nil, "paid": i.status == "paid", "status_transitions": map[string]any{"paid_at": unixOrNil(i.paidAt)},
	}
	if i.charged() {
		o["charge"] = "ch_" + i.id
	}
	if i.off > 0 {
		o["total_discount_amounts"] = []map[string]any{{"amount": i.off, "discount": "di_" + i.id}}
	}
	if i.status == "paid" {
		o["amount_paid"] = max(0, sum)
	}
	return o
}

// bill creates the subscription's next invoice, and pays it if the card works.
func (s *Stripe) bill(x *subscription, lines []line, paid bool) *invoice {
	i := &invoice{id: s.id("in"), customer: x.customer, sub: x.id, status: "open", lines: lines, created: s.now}
	i.number = fmt.Sprintf("CAR-%04d", len(s.invoices)+1)
	s.price(i, x)
	if paid {
		i.status, i.paidAt = "paid", s.now
	}
	s.invoices = append(s.invoices, i)
	return i
}

// price calculates the discount of an invoice and the tax on the rest. A credit has neither.
func (s *Stripe) price(i *invoice, x *subscription) {
	if sum := total(i.lines); sum > 0 {
		i.off = sum * x.off / 100
		i.tax = (sum - i.off) * s.taxes[x.customer] / 100
	}
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
	if s.customer(f.Get("customer")) == nil {
		return nil, noSuch("customer", f.Get("customer"))
	}
	x := s.sub(f.Get("subscription"))
	if x != nil && x.status == "canceled" {
		return nil, fault{status: http.StatusNotFound, kind: "invalid_request_error", code: "invoice_upcoming_none",
			msg: "No upcoming invoices for customer: " + x.customer}
	}
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
	s.price(i, x)
	o := s.showInvoice(i)
	delete(o, "id") // an upcoming invoice has none
	return o, nil
}

// Invoices returns the ids of a customer's invoices, oldest first.
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

// Total is the total of an invoice in cents, with tax.
func (s *Stripe) Total(invoiceID string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.id == invoiceID {
			return i.due()
		}
	}
	return 0
}
