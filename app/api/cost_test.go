package api

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// full is a ring with a value in every field.
func full() *tenants.Ring {
	now := time.Date(2026, 11, 24, 8, 0, 0, 123456789, time.FixedZone("CET", 3600))
	r := &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](now), State: tenants.Ended, To: tenants.To{Person: "user-1"},
		Agent:  tenants.NewID[tenants.AgentID](now),
		Caller: "Anna \"<é>\" & \u2028 Söhne", Reference: "lead-1", Test: true, CreatedAt: now, ExpiresAt: now.Add(30 * time.Second),
		EndedAt: now.Add(20 * time.Second), EndReason: tenants.ReasonHungUp,
		Call: &tenants.Call{Device: tenants.NewID[tenants.DeviceID](now), AnsweredAt: now,
			ConnectedAt: now.Add(time.Second), EndedAt: now.Add(20 * time.Second),
			EndedBy: "phone_hung_up", Jitter: 3 * time.Millisecond, Loss: 0.0125, RoundTrip: 41500 * time.Microsecond},
	}
	for i := range 2 {
		a := tenants.Attempt{ID: tenants.NewID[tenants.AttemptID](now), Device: tenants.NewID[tenants.DeviceID](now), State: tenants.Ended,
			Push: tenants.Push{APNsID: tenants.NewRandomID(), Status: 200 * (1 - i), SentAt: now}}
		for _, k := range []tenants.FactKind{"placed", "sent", "accepted", "woke", "shown", "answered", "connected", "hung_up"} {
			a.Facts = append(a.Facts, tenants.Fact{Attempt: a.ID, Kind: k, At: now, Detail: strings.Repeat("d", i)})
		}
		r.Attempts = append(r.Attempts, a)
	}
	return r
}

// TestRingJSON parses the handwritten JSON.
func TestRingJSON(t *testing.T) {
	t.Parallel()
	r := full()
	body := appendRing(nil, r, nil)
	var got map[string]any
	if err := json.Unmarshal(body, &got); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	call := got["call"].(map[string]any)
	for name, want := range map[string]any{
		"id": string(r.ID), "state": "ended", "caller": r.Caller, "reference": "lead-1", "test": true,
		"created_at": "2026-11-24T07:00:00.123Z",
		"ended_at":   "2026-11-24T07:00:20.123Z", "end_reason": "hung_up", "end_detail": tenants.ReasonHungUp.Sentence(),
	} {
		if got[name] != want {
			t.Errorf("%s is %v, want %v", name, got[name], want)
		}
	}
	for name, want := range map[string]any{"duration_s": 19.0, "jitter_ms": 3.0, "loss": 0.0125, "round_trip_ms": 41.5,
		"ended_by": "phone_hung_up"} {
		if call[name] != want {
			t.Errorf("call.%s is %v, want %v", name, call[name], want)
		}
	}
	second := got["attempts"].([]any)[1].(map[string]any)
	if p := second["pushes"].([]any)[0].(map[string]any); p["status"] != nil || p["answered_at"] != nil {
		t.Errorf("a push without an answer: %v", p)
	}
	r.Call.Loss = math.NaN()
	r.Call.ConnectedAt = time.Time{}
	if !json.Valid(appendRing(nil, r, nil)) {
		t.Error("no JSON from a call that never connected")
	}
}

// FuzzRingText checks that any text of a ring is the same after encoding and decoding.
func FuzzRingText(f *testing.F) {
	for _, s := range []string{"", "a", `"`, `\`, "\x00\x1f\x7f", "<script>&", "\u2028", "é😀", "\u202e"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		var got string
		body := appendText(nil, s)
		if err := json.Unmarshal(body, &got); err != nil || got != strings.ToValidUTF8(s, "\ufffd") && got != string([]rune(s)) {
			t.Fatalf("%q became %s: %v, %q", s, body, err, got)
		}
	})
}

func BenchmarkRingJSON(b *testing.B) {
	r, buf := full(), make([]byte, 0, 8192)
	b.ReportAllocs()
	for b.Loop() {
		buf = appendRing(buf[:0], r, nil)
	}
}

// ready is a board that places rings without a store, so that only the API's own cost remains.
type ready struct {
	*switchboard.Board
	ring *tenants.Ring
}

func (r ready) Place(context.Context, switchboard.Caller, tenants.Request, store.Idempotency) (*tenants.Ring, bool, error) {
	return r.ring, false, nil
}

// BenchmarkPlaceRing measures what the API itself costs in POST /v1/rings, without network, store
// and push.
func BenchmarkPlaceRing(b *testing.B) {
	h := open(b)
	a := h.tenant("lakeside", "Lakeside")
	c := h.api.Config
	ring := full()
	ring.Attempts = ring.Attempts[:1]
	ring.Attempts[0].Facts = ring.Attempts[0].Facts[:1]
	ring.Call = nil
	c.Board = ready{ring: ring}
	api, err := New(c)
	must(b, err)
	app := web.New(web.Config{})
	api.Mount(app)
	handler := app.Handler()
	var ctx fasthttp.RequestCtx
	body := fmt.Sprintf(`{"to":{"device":%q},"caller":"Anna from Lakeside","reference":"lead-1","ttl_s":30}`, a.device)
	b.ReportAllocs()
	for b.Loop() {
		ctx.Request.Reset()
		ctx.Response.Reset()
		ctx.Request.Header.SetMethod("POST")
		ctx.Request.SetRequestURI("/v1/rings")
		ctx.Request.Header.SetContentType("application/json")
		ctx.Request.Header.Set("Authorization", "Bearer "+string(a.key))
		ctx.Request.Header.Set("Idempotency-Key", "one")
		ctx.Request.SetBodyString(body)
		handler(&ctx)
		if ctx.Response.StatusCode() != 201 {
			b.Fatalf("%d %s", ctx.Response.StatusCode(), ctx.Response.Body())
		}
	}
}
