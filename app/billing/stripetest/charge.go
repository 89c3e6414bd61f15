package stripetest

import (
	"net/url"
	"strings"
)

// dispute is a bank that claims a payment back.
type dispute struct {
	id, status string
	cents      int64
}

func (s *Stripe) chargeRoutes() []route {
	return []route{
		{"GET", "/v1/charges", []string{"customer", "limit", "starting_after"}, func(_ string, f url.Values) (any, error) {
			var out []map[string]any
			for _, i := range newestFirst(s.invoices) {
				if i.charged() && i.customer == f.Get("customer") {
					out = append(out, s.showCharge(i))
				}
			}
			return list(out, "/v1/charges"), nil
		}},
		{"GET", "/v1/charges/{}", nil, func(id string, _ url.Values) (any, error) {
			if i := s.charged(id); i != nil {
				return s.showCharge(i), nil
			}
			return nil, noSuch("charge", id)
		}},
		{"GET", "/v1/disputes", []string{"charge", "limit", "starting_after"}, func(_ string, f url.Values) (any, error) {
			i := s.charged(f.Get("charge"))
			if i == nil {
				return nil, noSuch("charge", f.Get("charge"))
			}
			var out []map[string]any
			for _, d := range newestFirst(i.disputes) {
				out = append(out, showDispute(i, d))
			}
			return list(out, "/v1/disputes"), nil
		}},
	}
}

// charged returns the invoice that a charge paid.
func (s *Stripe) charged(charge string) *invoice {
	for _, i := range s.invoices {
		if "ch_"+i.id == charge && i.charged() {
			return i
		}
	}
	return nil
}

func (s *Stripe) showCharge(i *invoice) map[string]any {
	return map[string]any{
		"id": "ch_" + i.id, "object": "charge", "customer": i.customer, "invoice": i.id, "amount": i.due(),
		"amount_captured": i.due(), "amount_refunded": i.refunded,
		"currency": "usd", "created": i.paidAt.Unix(), "captured": true, "paid": true, "status": "succeeded",
		"refunded": i.refunded >= i.due(),
		"disputed": len(i.disputes) > 0, "livemode": s.c.Live,
		"payment_method_details": map[string]any{"type": "card", "card": map[string]any{"fingerprint": s.fingerprint(i.customer)}},
	}
}

// fingerprint is that of the card a customer pays with: the one added last, or a unique one.
func (s *Stripe) fingerprint(customer string) string {
	if other := s.borrowed[customer]; other != "" {
		customer = other
	}
	for _, m := range newestFirst(s.all("pm_")) {
		if card, ok := m["card"].(map[string]any); ok && m["customer"] == customer {
			return card["fingerprint"].(string)
		}
	}
	return "own" + strings.TrimPrefix(customer, "cus_")
}

func showDispute(i *invoice, d *dispute) map[string]any {
	return map[string]any{"id": d.id, "object": "dispute", "charge": "ch_" + i.id, "amount": d.cents, "currency": "usd", "status": d.status}
}

// Refund refunds a paid invoice, in part or whole.
func (s *Stripe) Refund(invoiceID string, cents int64) {
	s.withInvoice(invoiceID, func(i *invoice) {
		i.refunded = min(i.due(), i.refunded+cents)
		s.happened("charge.refunded", s.showCharge(i))
	})
}

// FailRefund makes a refund fail, as when the bank rejects it: the money is back.
func (s *Stripe) FailRefund(invoiceID string, cents int64) {
	s.withInvoice(invoiceID, func(i *invoice) {
		i.refunded = max(0, i.refunded-cents)
		s.happened("charge.refund.updated", map[string]any{"id": s.id("re"), "object": "refund", "charge": "ch_" + i.id,
			"amount": cents, "currency": "usd", "status": "failed"})
	})
}

// Dispute opens a dispute that withdraws the money of an invoice, and returns its id.
func (s *Stripe) Dispute(invoiceID string) (id string) { return s.dispute(invoiceID, "needs_response") }

// Inquire opens an inquiry about an invoice, which withdraws no money.
func (s *Stripe) Inquire(invoiceID string) (id string) {
	return s.dispute(invoiceID, "warning_needs_response")
}

func (s *Stripe) dispute(invoiceID, status string) (id string) {
	s.withInvoice(invoiceID, func(i *invoice) {
		d := &dispute{id: s.id("dp"), status: status, cents: i.due()}
		i.disputes, id = append(i.disputes, d), d.id
		s.happened("charge.dispute.created", showDispute(i, d))
	})
	return id
}

// CloseDispute ends a dispute. The money comes back if it is won.
func (s *Stripe) CloseDispute(id string, won bool) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		for _, d := range i.disputes {
			if d.id != id {
				continue
			}
			if d.status = "lost"; won {
				d.status = "won"
			}
			s.happened("charge.dispute.closed", showDispute(i, d))
		}
	}
}

func (s *Stripe) withInvoice(id string, do func(*invoice)) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, i := range s.invoices {
		if i.id == id {
			do(i)
		}
	}
}

// Tax adds a percentage to the customer's invoices from now on.
func (s *Stripe) Tax(customer string, percent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.taxes[customer] = percent
}

// Borrow makes a customer pay with another customer's card from now on.
func (s *Stripe) Borrow(customer, from string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.borrowed[customer] = from
}
