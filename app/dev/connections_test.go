package dev

import (
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/tenants/store/storetest"
)

// told is one tenant with a history, and what dev mode noted of it.
type told struct {
	*testing.T
	store  *store.Store
	scope  *store.Scope
	notes  Notes
	events int // what its rings have told
}

// newTold has two rings that are over. Cursors of the engine have read their facts by then, so
// nothing of them waits to be sent.
func newTold(t *testing.T) told {
	t.Helper()
	s, now := storetest.Open(t), time.Now()
	id := tenants.NewID[tenants.TenantID](now)
	w := told{T: t, store: s, scope: s.For(id), notes: Notes{Tenants: []SeededTenant{{Tenant: id}}}}
	w.must(s.Tenants().Add(t.Context(), devMode(), tenants.Tenant{ID: id, Slug: "elm", Name: "Elm", Industry: tenants.RealEstate,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}))
	d, _, err := w.scope.Devices().Add(t.Context(), tenants.Device{ID: tenants.NewID[tenants.DeviceID](now),
		Token: strings.Repeat("ab", 32), Bundle: "com.example.app", Environment: tenants.Sandbox}, tenants.Hash{1})
	w.must(err)
	for range 2 {
		r := &tenants.Ring{ID: tenants.NewID[tenants.RingID](now), To: tenants.To{Device: d.ID}, CreatedAt: now,
			ExpiresAt: now.Add(tenants.DefaultTTL), Attempts: []tenants.Attempt{{ID: tenants.NewID[tenants.AttemptID](now), Device: d.ID}}}
		_, err := w.scope.Rings().Add(t.Context(), r, store.Idempotency{}, r.ExpiresAt)
		w.must(err)
		for _, k := range []tenants.FactKind{tenants.FactAccepted, tenants.FactShown, tenants.FactDeclined} {
			r, _, err = w.scope.Rings().Change(t.Context(), r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
				return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: k, At: now, Received: now}), nil
			})
			w.must(err)
		}
		for _, f := range r.Facts() {
			w.events += len(r.Events(f, false))
		}
	}
	return w
}

func (w told) must(err error) {
	w.Helper()
	if err != nil {
		w.Fatal(err)
	}
}

// connection is the only one.
func (w told) connection() tenants.Connection {
	w.Helper()
	all, _, err := w.scope.Connections().List(w.Context(), store.Page{})
	w.must(err)
	if len(all) != 1 {
		w.Fatalf("%d connections", len(all))
	}
	return all[0]
}

func (w told) attempts(c tenants.Connection) []tenants.DeliveryAttempt {
	w.Helper()
	all, _, err := w.scope.Deliveries().Attempts(w.Context(), store.AttemptQuery{Connection: c.ID, Limit: 200})
	w.must(err)
	return all
}

// TestReceiverWasToldOfTheHistory: the receiver takes events, its connection is on, and has the
// events of the history behind it: each with an attempt, and none that waits to be sent.
func TestReceiverWasToldOfTheHistory(t *testing.T) {
	t.Parallel()
	w := newTold(t)
	r := NewReceiver()
	defer r.Close()
	w.must(r.Connect(t.Context(), w.store, w.notes, time.Now()))
	c := w.connection()
	if c.Name != receiverName || c.Role != tenants.RoleCRM || c.State != tenants.ConnectionActive || c.URL != r.server.URL+"/hook" {
		t.Errorf("%+v", c)
	}
	if all := w.attempts(c); w.events < 6 || len(all) != w.events || !all[0].Good || all[0].Status != 200 || all[0].Took <= 0 {
		t.Errorf("%d attempts of %d events: %+v", len(all), w.events, all)
	}
	due, err := w.scope.Deliveries().Claim(t.Context(), c.ID, time.Now().Add(time.Hour), time.Hour, 10)
	if w.must(err); len(due) != 0 {
		t.Errorf("%d events wait", len(due))
	}
	res, err := http.Post(c.URL, "application/json", strings.NewReader(strings.Repeat("x", 1<<20)))
	w.must(err)
	defer res.Body.Close()
	if said, err := io.ReadAll(res.Body); err != nil || res.StatusCode != 200 || string(said) != "thank you\n" {
		t.Errorf("it answers %d %s, %v", res.StatusCode, said, err)
	}
}

// TestReceiverOfTheNextRun: a data folder that is started again has the same connection at the new
// address, and its events are not told again.
func TestReceiverOfTheNextRun(t *testing.T) {
	t.Parallel()
	w := newTold(t)
	first := NewReceiver()
	w.must(first.Connect(t.Context(), w.store, w.notes, time.Now()))
	before := w.connection()
	first.Close()
	next := NewReceiver()
	defer next.Close()
	w.must(next.Connect(t.Context(), w.store, w.notes, time.Now()))
	after := w.connection()
	if after.ID != before.ID || after.URL != next.server.URL+"/hook" || after.State != tenants.ConnectionActive {
		t.Errorf("%+v became %+v", before, after)
	}
	if n := len(w.attempts(after)); n != w.events {
		t.Errorf("%d attempts of %d events", n, w.events)
	}
	if err := next.Connect(t.Context(), w.store, Notes{}, time.Now()); err == nil {
		t.Error("notes without a tenant are taken")
	}
}

// TestReceiptsShowFailures: one attempt in thirty failed, with a sentence, so that the page shows
// what that looks like.
func TestReceiptsShowFailures(t *testing.T) {
	t.Parallel()
	failed := 0
	for seq := range int64(300) {
		a := receipt(tenants.Delivery{Seq: seq, At: time.Unix(1_800_000_000, 0), Event: "e"})
		if a.Good != (a.Status == 200) || a.Good != (a.Error == "") || a.Took <= 0 || a.Took > time.Second || a.Sent["Webhook-Id"] != "e" {
			t.Errorf("%d: %+v", seq, a)
		}
		if !a.Good {
			failed++
		}
	}
	if failed != 10 {
		t.Errorf("%d of 300 failed", failed)
	}
}
