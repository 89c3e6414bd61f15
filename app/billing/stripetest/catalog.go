package stripetest

import (
	"maps"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

func (s *Stripe) catalogRoutes() []route {
	return []route{
		{"POST", "/v1/customers", []string{"name", "email", "metadata[*]"}, s.addCustomer},
		{"GET", "/v1/customers/{}", nil, s.getCustomer},
		{"GET", "/v1/customers/{}/payment_methods", []string{"type", "limit", "starting_after"}, s.listCards},
		{"POST", "/v1/products", []string{"id", "name"}, s.addProduct},
		{"POST", "/v1/products/{}", []string{"name"}, s.setProduct},
		{"POST", "/v1/prices", []string{"product", "currency", "lookup_key", "transfer_lookup_key", "recurring[interval]",
			"recurring[usage_type]", "recurring[meter]",
			"unit_amount", "metadata[*]", "nickname", "billing_scheme", "tiers_mode", "tiers[][up_to]",
			"tiers[][unit_amount]", "tiers[][unit_amount_decimal]"}, s.addPrice},
		{"GET", "/v1/prices", []string{"lookup_keys[]", "active", "limit", "starting_after"}, s.listPrices},
		{"POST", "/v1/billing/meters", []string{"display_name", "event_name", "default_aggregation[formula]", "customer_mapping[type]",
			"customer_mapping[event_payload_key]", "value_settings[event_payload_key]"}, s.addMeter},
		{"GET", "/v1/billing/meters", []string{"status", "limit", "starting_after"},
			func(string, url.Values) (any, error) { return list(s.all("mtr_"), "/v1/billing/meters"), nil }},
		{"POST", "/v1/billing/meter_events", []string{"event_name", "identifier", "timestamp", "payload[*]"}, s.addUsage},
	}
}

// keep stores an object.
func (s *Stripe) keep(id string, o map[string]any) map[string]any {
	o["id"], o["created"], o["livemode"] = id, s.now.Unix(), s.c.Live
	s.objects[id] = o
	s.order = append(s.order, id)
	return o
}

// all returns the objects whose id has this prefix, in order of creation.
func (s *Stripe) all(prefix string) (out []map[string]any) {
	for _, id := range s.order {
		if strings.HasPrefix(id, prefix) {
			out = append(out, s.objects[id])
		}
	}
	return out
}

func (s *Stripe) get(prefix, what string) func(string, url.Values) (any, error) {
	return func(id string, _ url.Values) (any, error) {
		if o, ok := s.objects[id]; ok && strings.HasPrefix(id, prefix) {
			return o, nil
		}
		return nil, noSuch(what, id)
	}
}

func (s *Stripe) addCustomer(_ string, f url.Values) (any, error) {
	o := s.keep(s.id("cus"), map[string]any{"object": "customer", "name": f.Get("name"), "email": f.Get("email"),
		"metadata": meta(f, "metadata")})
	s.happened("customer.created", o)
	return o, nil
}

// customer returns a customer that was not deleted, or nil. Called with mu held.
func (s *Stripe) customer(id string) map[string]any {
	if o := s.objects[id]; o != nil && o["object"] == "customer" && o["deleted"] != true {
		return o
	}
	return nil
}

// getCustomer answers a deleted customer too, with little more than its id
// (docs.stripe.com/api/customers/delete).
func (s *Stripe) getCustomer(id string, f url.Values) (any, error) {
	if o := s.objects[id]; o != nil && o["deleted"] == true {
		return map[string]any{"id": id, "object": "customer", "deleted": true}, nil
	}
	return s.get("cus_", "customer")(id, f)
}

// Delete deletes a customer, like the dashboard: its subscriptions end at once, and it cannot be
// used again.
func (s *Stripe) Delete(customer string) {
	defer s.tell()
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, x := range s.subs {
		if x.customer == customer && x.status != "canceled" {
			s.end(x, "cancellation_requested")
		}
	}
	s.objects[customer]["deleted"] = true
	s.happened("customer.deleted", s.objects[customer])
}

func (s *Stripe) addProduct(_ string, f url.Values) (any, error) {
	id := f.Get("id")
	if _, there := s.objects[id]; there {
		return nil, fault{status: http.StatusBadRequest, kind: "invalid_request_error", code: "resource_already_exists",
			msg: "Product already exists."}
	}
	return s.keep(id, map[string]any{"object": "product", "name": f.Get("name"), "active": true}), nil
}

func (s *Stripe) setProduct(id string, f url.Values) (any, error) {
	o, ok := s.objects[id]
	if !ok || o["object"] != "product" {
		return nil, noSuch("product", id)
	}
	o["name"] = f.Get("name")
	return o, nil
}

func (s *Stripe) addPrice(_ string, f url.Values) (any, error) {
	if p := s.objects[f.Get("product")]; p == nil || p["object"] != "product" {
		return nil, noSuch("product", f.Get("product"))
	}
	o := map[string]any{
		"object": "price", "active": true, "currency": f.Get("currency"), "lookup_key": f.Get("lookup_key"),
		"product": f.Get("product"), "type": "recurring",
		"metadata": meta(f, "metadata"), "billing_scheme": "per_unit", "nickname": f.Get("nickname"),
		"recurring": map[string]any{"interval": f.Get("recurring[interval]"), "interval_count": 1, "usage_type": "licensed"},
	}
	if f.Get("recurring[usage_type]") == "metered" {
		if m := s.objects[f.Get("recurring[meter]")]; m == nil {
			return nil, noSuch("meter", f.Get("recurring[meter]"))
		}
		o["recurring"].(map[string]any)["usage_type"] = "metered"
		o["recurring"].(map[string]any)["meter"] = f.Get("recurring[meter]")
	}
	if err := amounts(o, f); err != nil {
		return nil, err
	}
	for _, old := range s.all("price_") {
		if key := f.Get("lookup_key"); key != "" && old["lookup_key"] == key {
			if f.Get("transfer_lookup_key") != "true" {
				return nil, bad("A price with this lookup_key exists already.")
			}
			old["lookup_key"] = nil
		}
	}
	return s.keep(s.id("price"), o), nil
}

// amounts reads a flat or a tiered price.
func amounts(o map[string]any, f url.Values) error {
	if f.Get("billing_scheme") != "tiered" {
		n, err := number(f, "unit_amount")
		o["unit_amount"], o["unit_amount_decimal"] = n, f.Get("unit_amount")
		return err
	}
	if f.Get("tiers_mode") != "graduated" {
		return bad("tiers_mode")
	}
	up, err := number(f, "tiers[0][up_to]")
	if err != nil || f.Get("tiers[1][up_to]") != "inf" || f.Get("tiers[0][unit_amount]") != "0" {
		return bad("tiers: want two, the last up to inf")
	}
	if _, err := strconv.ParseFloat(f.Get("tiers[1][unit_amount_decimal]"), 64); err != nil {
		return bad("tiers[1][unit_amount_decimal]")
	}
	o["billing_scheme"], o["tiers_mode"] = "tiered", "graduated"
	o["tiers"] = []map[string]any{
		{"up_to": up, "unit_amount": 0, "unit_amount_decimal": "0"},
		{"up_to": nil, "unit_amount": nil, "unit_amount_decimal": f.Get("tiers[1][unit_amount_decimal]")},
	}
	return nil
}

func (s *Stripe) listPrices(_ string, f url.Values) (any, error) {
	want := map[string]bool{}
	for k, v := range f {
		if strings.HasPrefix(k, "lookup_keys[") {
			want[v[0]] = true
		}
	}
	if len(want) > 10 {
		return nil, bad("lookup_keys: at most 10")
	}
	var out []map[string]any
	for _, p := range s.all("price_") {
		if key, _ := p["lookup_key"].(string); len(want) == 0 || want[key] {
			shown := maps.Clone(p)
			if f.Get("expand[0]") != "data.tiers" {
				delete(shown, "tiers") // Stripe leaves tiers out unless they are expanded
			}
			out = append(out, shown)
		}
	}
	return list(out, "/v1/prices"), nil
}

func (s *Stripe) addMeter(_ string, f url.Values) (any, error) {
	for _, m := range s.all("mtr_") {
		if m["event_name"] == f.Get("event_name") {
			return nil, bad("A meter of this event_name exists already.")
		}
	}
	return s.keep(s.id("mtr"), map[string]any{"object": "billing.meter", "event_name": f.Get("event_name"),
		"display_name": f.Get("display_name"), "status": "active"}), nil
}

func (s *Stripe) addUsage(_ string, f url.Values) (any, error) {
	known := false
	for _, m := range s.all("mtr_") {
		known = known || m["event_name"] == f.Get("event_name")
	}
	customer := f.Get("payload[stripe_customer_id]")
	at, err := number(f, "timestamp")
	value, err2 := number(f, "payload[value]")
	switch when := time.Unix(at, 0); {
	case !known:
		return nil, noSuch("meter", f.Get("event_name"))
	case err != nil || err2 != nil:
		return nil, bad("timestamp and payload[value] are numbers")
	case s.customer(customer) == nil:
		return nil, noSuch("customer", customer)
	case when.Before(s.now.AddDate(0, 0, -35)) || when.After(s.now.Add(5*time.Minute)):
		return nil, bad("timestamp: within the past 35 days and up to 5 minutes in the future")
	}
	for _, u := range s.usage {
		if u.id == f.Get("identifier") && s.now.Sub(u.at) < 24*time.Hour {
			return nil, bad("An event already exists with identifier %s.", u.id)
		}
	}
	s.usage = append(s.usage, usage{f.Get("identifier"), customer, time.Unix(at, 0), value})
	return map[string]any{"object": "billing.meter_event", "identifier": f.Get("identifier"),
		"event_name": f.Get("event_name"), "created": s.now.Unix()}, nil
}

// Metered is how many units the meter counted for a customer.
func (s *Stripe) Metered(customer string) int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.used(customer, time.Time{}, s.now.AddDate(1, 0, 0))
}

func (s *Stripe) used(customer string, from, to time.Time) (n int64) {
	for _, u := range s.usage {
		if u.customer == customer && !u.at.Before(from) && u.at.Before(to) {
			n += u.value
		}
	}
	return n
}

// Endpoint adds a webhook endpoint.
func (s *Stripe) Endpoint(address, status string, events ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.endpoints = append(s.endpoints, map[string]any{"id": s.id("we"), "object": "webhook_endpoint", "url": address,
		"status": status, "enabled_events": events})
}

// Use adds units of a customer to the meter, as if they had been reported.
func (s *Stripe) Use(customer string, units int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.usage = append(s.usage, usage{s.id("u"), customer, s.now, units})
}
