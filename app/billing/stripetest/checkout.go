package stripetest

import (
	"net/url"
	"strconv"
	"time"
)

// session is a checkout.
type session struct {
	id, status, customer, reference string
	success, cancel                 string
	meta, subMeta                   map[string]string
	prices                          []string
	trialEnd                        time.Time
	sub                             string
	created                         time.Time
	codes                           bool
}

func (s *Stripe) checkoutRoutes() []route {
	return []route{
		{"POST", "/v1/checkout/sessions", []string{"mode", "customer", "client_reference_id", "success_url", "cancel_url",
			"allow_promotion_codes",
			"tax_id_collection[enabled]", "customer_update[name]", "customer_update[address]", "automatic_tax[enabled]", "metadata[*]",
			"subscription_data[metadata][*]", "subscription_data[trial_end]",
			"subscription_data[trial_settings][end_behavior][missing_payment_method]",
			"line_items[][price]", "line_items[][quantity]"}, s.addSession},
		{"GET", "/v1/checkout/sessions", []string{"customer", "status", "limit", "starting_after"}, s.listSessions},
		{"GET", "/v1/checkout/sessions/{}", nil, func(id string, _ url.Values) (any, error) {
			x := s.session(id)
			if x == nil {
				return nil, noSuch("checkout.session", id)
			}
			return s.showSession(x), nil
		}},
		{"POST", "/v1/checkout/sessions/{}/expire", nil, s.expireSession},
		{"POST", "/v1/billing_portal/sessions", []string{"customer", "return_url"}, func(_ string, f url.Values) (any, error) {
			if s.customer(f.Get("customer")) == nil {
				return nil, noSuch("customer", f.Get("customer"))
			}
			return map[string]any{"id": s.id("bps"), "object": "billing_portal.session", "customer": f.Get("customer"),
				"url": s.server.URL + "/portal/" + f.Get("customer") + "?back=" + url.QueryEscape(f.Get("return_url"))}, nil
		}},
	}
}

func (s *Stripe) session(id string) *session {
	for _, x := range s.sessions {
		if x.id == id {
			return x
		}
	}
	return nil
}

func (s *Stripe) showSession(x *session) map[string]any {
	o := map[string]any{
		"id": x.id, "object": "checkout.session", "mode": "subscription", "status": x.status, "customer": x.customer,
		"client_reference_id": x.reference,
		"metadata":            x.meta, "success_url": x.success, "cancel_url": x.cancel, "created": x.created.Unix(), "livemode": s.c.Live,
		"payment_status": "unpaid", "subscription": nil, "url": nil, "allow_promotion_codes": x.codes,
	}
	if x.status == "open" {
		o["url"] = s.server.URL + "/pay/" + x.id
	}
	if x.sub != "" {
		o["subscription"], o["payment_status"] = x.sub, "paid"
	}
	return o
}

func (s *Stripe) addSession(_ string, f url.Values) (any, error) {
	x := &session{
		id: s.id("cs_test"), status: "open", customer: f.Get("customer"), reference: f.Get("client_reference_id"),
		success: f.Get("success_url"),
		cancel:  f.Get("cancel_url"), meta: meta(f, "metadata"), subMeta: meta(f, "subscription_data[metadata]"),
		created: s.now, codes: f.Get("allow_promotion_codes") == "true",
	}
	if f.Get("mode") != "subscription" || x.customer == "" || x.success == "" {
		return nil, bad("mode, customer and success_url are needed")
	}
	if s.customer(x.customer) == nil {
		return nil, noSuch("customer", x.customer)
	}
	if f.Get("tax_id_collection[enabled]") == "true" && f.Get("customer_update[name]") != "auto" {
		return nil, bad("Tax ID collection requires updating business name on the customer. Set customer_update[name] to auto.")
	}
	if t := f.Get("subscription_data[trial_end]"); t != "" {
		n, err := number(f, "subscription_data[trial_end]")
		if x.trialEnd = time.Unix(n, 0); err != nil || x.trialEnd.Sub(s.now) < 48*time.Hour {
			return nil, bad("The `trial_end` date has to be at least 2 days in the future.")
		}
	}
	for i := 0; f.Has("line_items[" + strconv.Itoa(i) + "][price]"); i++ {
		at := "line_items[" + strconv.Itoa(i) + "]"
		p := s.objects[f.Get(at+"[price]")]
		if p == nil {
			return nil, noSuch("price", f.Get(at+"[price]"))
		}
		if metered(p) == f.Has(at+"[quantity]") {
			return nil, bad("quantity: for licensed prices, and only for them")
		}
		x.prices = append(x.prices, f.Get(at+"[price]"))
	}
	if len(x.prices) == 0 {
		return nil, bad("line_items are needed")
	}
	s.sessions = append(s.sessions, x)
	return s.showSession(x), nil
}

func metered(p map[string]any) bool {
	return p["recurring"].(map[string]any)["usage_type"] == "metered"
}

func (s *Stripe) listSessions(_ string, f url.Values) (any, error) {
	var out []map[string]any
	for _, x := range newestFirst(s.sessions) {
		if x.customer == f.Get("customer") && (f.Get("status") == "" || x.status == f.Get("status")) {
			out = append(out, s.showSession(x))
		}
	}
	return list(out, "/v1/checkout/sessions"), nil
}

func (s *Stripe) expireSession(id string, _ url.Values) (any, error) {
	x := s.session(id)
	if x == nil {
		return nil, noSuch("checkout.session", id)
	}
	if x.status != "open" {
		return nil, bad("This Session cannot be expired because it is %s.", x.status)
	}
	x.status = "expired"
	s.happened("checkout.session.expired", s.showSession(x))
	return s.showSession(x), nil
}

// Pay finishes a checkout with a good card.
func (s *Stripe) Pay(id string) error {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pay(id, "", "")
}

// Promote adds a promotion code that takes a percentage off every invoice.
func (s *Stripe) Promote(code string, percent int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.codes[code] = percent
}

// Sessions returns the ids of the checkouts, oldest first.
func (s *Stripe) Sessions() (ids []string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.sessions {
		ids = append(ids, x.id)
	}
	return ids
}

// pay finishes a checkout with a card number (empty = a unique card) and a promotion code (empty =
// none).
func (s *Stripe) pay(id, number, code string) error {
	x := s.session(id)
	if x == nil || x.status != "open" {
		return bad("the session is not open")
	}
	off := s.codes[code]
	if code != "" && (off == 0 || !x.codes) {
		return bad("This code is invalid.")
	}
	s.attach(x.customer, number)
	sub := s.subscribe(x, off)
	x.status, x.sub = "complete", sub.id
	s.happened("checkout.session.completed", s.showSession(x))
	s.happened("customer.subscription.created", s.showSub(sub))
	s.happened("customer.subscription.updated", s.showSub(sub))
	s.happened("invoice.paid", s.showInvoice(s.latest(sub)))
	return nil
}
