package dev

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// receiverName is the connection of the first tenant.
const receiverName = "CRM of dev mode"

// toldRings is how many rings of the history the receiver was told of.
const toldRings = 40

// Receiver is a system that takes events: it answers 200 to everything.
type Receiver struct{ server *httptest.Server }

// NewReceiver starts one.
func NewReceiver() Receiver {
	return Receiver{httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, io.LimitReader(r.Body, 64<<10))
		_, _ = io.WriteString(w, "thank you\n")
	}))}
}

// Close ends it and its connections.
func (r Receiver) Close() { r.server.Close() }

// Connect gives the first tenant a connection to the receiver, with what it would have been sent of
// its latest rings, so that the page is full at first sight. The connection of an earlier run gets
// the new address: the receiver listens on another port each time.
func (r Receiver) Connect(ctx context.Context, s *store.Store, n Notes, now time.Time) error {
	if len(n.Tenants) == 0 {
		return errors.New("dev.json names no tenant; remove the data folder and start again")
	}
	t := n.Tenants[0].Tenant
	scope := s.For(t).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "dev mode"}})
	all, _, err := scope.Connections().List(ctx, store.Page{Search: receiverName})
	if err != nil {
		return err
	}
	if i := slices.IndexFunc(all, func(c tenants.Connection) bool { return c.Name == receiverName }); i >= 0 {
		all[i].URL = r.server.URL + "/hook"
		return scope.Connections().Change(ctx, all[i])
	}
	// Paused until the history is written: the engine would send it.
	c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](now), Tenant: t, Name: receiverName, Role: tenants.RoleCRM,
		URL: r.server.URL + "/hook", State: tenants.ConnectionPaused, CreatedAt: now}.Clean()
	if _, err := scope.Connections().Add(ctx, c); err != nil {
		return err
	}
	if err := tell(ctx, s, scope, c); err != nil {
		return err
	}
	if c, err = scope.Connections().Get(ctx, c.ID); err != nil {
		return err
	}
	c.State = tenants.ConnectionActive
	return scope.Connections().Change(ctx, c)
}

// tell writes what the connection was sent of the latest rings, as it may have gone.
func tell(ctx context.Context, s *store.Store, scope *store.Scope, c tenants.Connection) error {
	rings, _, err := scope.Rings().List(ctx, store.RingQuery{Limit: toldRings})
	if err != nil {
		return err
	}
	var events []store.NewDelivery
	for _, r := range slices.Backward(rings) {
		for _, f := range r.Facts() {
			for _, e := range r.Events(f, false) {
				events = append(events, store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: tenants.NewRandomID(), Kind: e.Kind,
					Ring: r.ID, At: e.At, Body: tenants.EventBody{Type: e.Kind, Timestamp: e.At, Data: e.Data}.Write()})
			}
		}
	}
	cursor := s.Cursor("dev mode") // not the engine's, which has read these facts
	batch, err := cursor.Next(ctx, 1)
	if err != nil {
		return err
	}
	// Claimed as they are written: of a connection that is paused, nothing can be claimed later.
	_, claimed, err := s.Jobs().FeedAndClaim(ctx, cursor, batch, events,
		store.Take{Rooms: map[tenants.ConnectionID]int{c.ID: len(events)}, Lease: time.Hour})
	if err != nil {
		return err
	}
	var went []store.Outcome
	for _, d := range claimed {
		went = append(went, store.Outcome{Delivery: d, Attempt: receipt(d)})
	}
	return scope.Deliveries().Settle(ctx, c.ID, went, false)
}

// receipt is an attempt that took some milliseconds; one in thirty failed.
func receipt(d tenants.Delivery) tenants.DeliveryAttempt {
	a := tenants.DeliveryAttempt{At: d.At.Add(30 * time.Millisecond), Took: time.Duration(40+d.Seq*37%160) * time.Millisecond,
		Status: http.StatusOK, Good: true, Answer: "thank you\n",
		Sent: map[string]string{"Content-Type": "application/json", "User-Agent": "Carillon", "Webhook-Id": d.Event}}
	if d.Seq%30 == 7 {
		a.Status, a.Good, a.Answer, a.Error = http.StatusServiceUnavailable, false, "starting\n", "The receiver answered 503."
	}
	return a
}
