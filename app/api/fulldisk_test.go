package api

import (
	"fmt"
	"strconv"
	"testing"
	"time"
)

// TestFullDisk checks that a ring that cannot be stored gets a retryable refusal and no push, and
// that the same request with the same Idempotency-Key rings once there is room.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	place := func(i int) ask {
		return ask{method: "POST", path: "/v1/rings", key: a.key, body: fmt.Sprintf(`{"to":{"device":%q}}`, a.device),
			header: []string{"Idempotency-Key", fmt.Sprint("k", i)}}
	}
	must(t, h.store.Bound(t.Context(), true))
	placed, refused := 0, answer{}
	for i := range 2000 {
		got := h.do(place(i))
		if got.status != 201 {
			refused = got
			break
		}
		placed++
	}
	refused.want(503)
	wait, err := strconv.Atoi(refused.header.Get("Retry-After"))
	if code, _ := refused.code(); code != "storage_full" || err != nil || wait < 1 || wait > 60 {
		t.Errorf("%s, to try again after %q", code, refused.header.Get("Retry-After"))
	}
	for range 20 {
		h.do(place(placed)).want(503)
	}
	h.do(ask{method: "GET", path: "/v1/rings", key: a.key}).want(200)
	h.pushes(placed)

	must(t, h.store.Bound(t.Context(), false))
	var first, again ringView
	h.do(place(placed)).want(201).into(&first)
	h.do(place(placed)).want(200).into(&again)
	if first.ID != again.ID {
		t.Errorf("rang twice: %s, %s", first.ID, again.ID)
	}
	h.pushes(placed + 1)
}

// pushes waits for this many pushes and checks that there are no more.
func (h *fixture) pushes(want int) {
	h.Helper()
	limit := time.After(time.Minute)
	for h.apple.count() < want {
		select {
		case <-h.apple.pushed:
		case <-limit:
			h.Fatalf("%d pushes, want %d", h.apple.count(), want)
		}
	}
	if n := h.apple.count(); n != want {
		h.Errorf("%d pushes, want %d", n, want)
	}
}
