package api

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"carillon/tenants/store"
)

func TestIdempotency(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.tenant("lakeside", "Lakeside"), h.tenant("hillside", "Hillside")
	place := func(t *tenant, body string) ask {
		return ask{method: "POST", path: "/v1/rings", key: t.key, body: body, header: []string{"Idempotency-Key", "once"}}
	}
	body := fmt.Sprintf(`{"to":{"device":%q},"ttl_s":30}`, a.device)
	var first, second ringView
	h.do(place(a, body)).want(201).into(&first)
	again := h.do(place(a, fmt.Sprintf(` { "ttl_s": 30, "to": {"device": %q} }`, strings.ToUpper(string(a.device))))).want(200)
	again.into(&second)
	if first.ID != second.ID || again.header.Get("Location") != "/v1/rings/"+first.ID {
		t.Errorf("the same key made %s and %s", first.ID, second.ID)
	}
	if code, _ := h.do(place(a, fmt.Sprintf(`{"to":{"device":%q},"ttl_s":31}`,
		a.device))).want(422).code(); code != "idempotency_mismatch" {
		t.Errorf("another body: %s", code)
	}
	h.do(place(b, fmt.Sprintf(`{"to":{"device":%q},"ttl_s":30}`, b.device))).want(201).into(&second)
	if first.ID == second.ID {
		t.Error("a key reached into another tenant")
	}
	// A refusal is not stored.
	refused := ask{method: "POST", path: "/v1/rings", key: a.key, body: `{"to":{"person":"nobody"}}`,
		header: []string{"Idempotency-Key", "later"}}
	h.do(refused).want(422)
	a.newDevice("nobody")
	h.do(refused).want(201)
}

// TestIdempotencyConcurrently sends one request many times concurrently and expects one ring.
func TestIdempotencyConcurrently(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var wg sync.WaitGroup
	answers := make(chan answer, 20)
	for range cap(answers) {
		wg.Go(func() {
			answers <- h.do(ask{method: "POST", path: "/v1/rings", key: a.key,
				body: fmt.Sprintf(`{"to":{"device":%q}}`, a.device), header: []string{"Idempotency-Key", "x"}})
		})
	}
	wg.Wait()
	close(answers)
	made, ids := 0, map[string]bool{}
	for got := range answers {
		switch got.status {
		case 201, 200:
			var r ringView
			got.into(&r)
			ids[r.ID] = true
			if got.status == 201 {
				made++
			}
		case 409:
			if code, _ := got.code(); code != "idempotency_in_flight" {
				t.Errorf("409 %s", got.body)
			}
		default:
			t.Errorf("%d %s", got.status, got.body)
		}
	}
	rings, _, err := a.scope().Rings().List(t.Context(), store.RingQuery{})
	must(t, err)
	if made != 1 || len(ids) != 1 || len(rings) != 1 {
		t.Errorf("%d made, %d ids, %d rings", made, len(ids), len(rings))
	}
}
