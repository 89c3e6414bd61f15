package stripetest

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"strings"
)

// attach gives a customer a card. Cards with one number have one fingerprint, for any
// customer. Called with mu held.
func (s *Stripe) attach(customer, number string) {
	number = strings.ReplaceAll(number, " ", "")
	if number == "" {
		number = customer
	}
	sum := sha256.Sum256([]byte("card " + number))
	card := map[string]any{"brand": "visa", "last4": number[max(0, len(number)-4):], "exp_month": 12,
		"exp_year": s.now.Year() + 3, "fingerprint": hex.EncodeToString(sum[:8])}
	for _, m := range s.all("pm_") {
		if m["customer"] == customer && m["card"].(map[string]any)["fingerprint"] == card["fingerprint"] {
			return
		}
	}
	s.happened("payment_method.attached", s.keep(s.id("pm"),
		map[string]any{"object": "payment_method", "type": "card", "customer": customer, "card": card}))
}

// Attach gives a customer a card by its number, as the portal does.
func (s *Stripe) Attach(customer, number string) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	s.attach(customer, number)
}

func (s *Stripe) listCards(customer string, _ url.Values) (any, error) {
	if s.customer(customer) == nil {
		return nil, noSuch("customer", customer)
	}
	out := []map[string]any{}
	for _, m := range newestFirst(s.all("pm_")) {
		if m["customer"] == customer {
			out = append(out, m)
		}
	}
	return list(out, "/v1/customers/"+customer+"/payment_methods"), nil
}
