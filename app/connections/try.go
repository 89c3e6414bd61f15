package connections

import (
	"context"
	"slices"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Try sends one event to a connection at once, outside of the queue, and returns how it went. The
// event is a real one: of the tenant's newest ring if it had such an event, else of things that do
// not exist. It has an id of its own, is recorded, and is not tried again. kind is empty for the
// first one that the connection wants. While the connection has no slot free it is refused. A test
// of text messages sends none: it asks the provider whether it knows the account.
func (e *Engine) Try(ctx context.Context, scope *store.Scope, id tenants.ConnectionID, kind tenants.EventKind) (tenants.DeliveryAttempt,
	error) {
	c, secrets, err := scope.Connections().Open(ctx, id)
	if err != nil {
		return tenants.DeliveryAttempt{}, err
	}
	if kind, err = wanted(c, kind); err != nil {
		return tenants.DeliveryAttempt{}, err
	}
	event, err := e.sample(ctx, scope, c, kind)
	if err != nil {
		return tenants.DeliveryAttempt{}, err
	}
	line := store.DueConnection{Tenant: c.Tenant, Connection: c.ID}
	if !e.take(line) {
		return tenants.DeliveryAttempt{}, &tenants.Error{Kind: tenants.TooMany, Code: "connection_busy", RetryAfter: answerWithin,
			Msg: "This connection answers other events at the moment. Try again in ten seconds."}
	}
	defer e.give(line)
	a, _ := e.deliver(ctx, c, secrets, tenants.Delivery{Event: event.Event, Connection: c.ID, Kind: kind, Ring: event.Ring,
		Body: event.Body,
		At:   event.At})
	e.count(outcome{role: c.Role, Outcome: store.Outcome{Attempt: a}})
	return a, scope.Deliveries().Record(context.WithoutCancel(ctx), event, a)
}

// take takes a slot of the connection if one is free.
func (e *Engine) take(d store.DueConnection) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	l := e.line(d)
	if l.busy >= atOnceConnection || e.tenants[d.Tenant] >= atOnceTenant || e.busy >= atOnce || e.claims.Err() != nil {
		return false
	}
	l.busy++
	e.busy++
	e.tenants[d.Tenant]++
	return true
}

func (e *Engine) give(d store.DueConnection) {
	e.mu.Lock()
	l := e.line(d)
	e.mu.Unlock()
	e.free(l, false)
}

// wanted is the kind of event to send; one that the connection does not take is refused.
func wanted(c tenants.Connection, kind tenants.EventKind) (tenants.EventKind, error) {
	switch takes := c.Role.Takes(); {
	case c.Role == tenants.RoleAudit && (kind == "" || kind == tenants.EventAuditRecorded):
		return tenants.EventAuditRecorded, nil
	case c.Role == tenants.RoleCalendar:
		return "", tenants.Refuse(tenants.Unprocessable, "no_events", "A connection of the role %s is sent no events.", c.Role)
	case kind == "" && len(c.Events) > 0:
		return c.Events[0], nil
	case kind == "":
		return takes[0], nil
	case !slices.Contains(takes, kind):
		return "", &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
			Fields: []tenants.Field{{Name: "event", Message: "an event that this connection takes"}}}
	}
	return kind, nil
}

// sample is an event of the kind.
func (e *Engine) sample(ctx context.Context, scope *store.Scope, c tenants.Connection, kind tenants.EventKind) (store.NewDelivery,
	error) {
	now := e.Now()
	d := store.NewDelivery{Tenant: c.Tenant, Connection: c.ID, Event: tenants.NewRandomID(), Kind: kind, At: now}
	if kind == tenants.EventAuditRecorded { // the newest entry
		entries, _, err := scope.Audits().List(ctx, store.AuditQuery{Limit: 1})
		if len(entries) > 0 {
			d.At, d.Body = entries[0].At, tenants.AuditEvent(c.Tenant, entries[0]).Write()
		}
		return d, err
	}
	var rings []*tenants.Ring
	if c.Role != tenants.RoleSMS { // an event of a ring that was missed just now would send its text
		var err error
		if rings, _, err = scope.Rings().List(ctx, store.RingQuery{Limit: 1}); err != nil {
			return d, err
		}
	}
	tenant, err := scope.Tenant(ctx)
	if err != nil {
		return d, err
	}
	data := madeUp(kind, now)
	for _, r := range rings {
		for _, f := range r.Facts() {
			for _, found := range r.Events(f, tenant.Opaque()) {
				if found.Kind == kind {
					d.At, data = found.At, found.Data
				}
			}
		}
	}
	d.Body = tenants.EventBody{Type: kind, Timestamp: d.At, Data: data}.Write()
	return d, nil
}

// madeUp is the data of an event of things that do not exist.
func madeUp(kind tenants.EventKind, now time.Time) any {
	ring := tenants.NewID[tenants.RingID](now)
	device := tenants.NewID[tenants.DeviceID](now)
	switch kind {
	case tenants.EventNoteAdded:
		return tenants.NoteData{Ring: ring, Lines: 1}
	case tenants.EventDeviceRegistered, tenants.EventDeviceRemoved:
		return tenants.DeviceData{Device: device, State: tenants.DeviceActive}
	case tenants.EventCredentialExpiring:
		return tenants.CredentialData{Credential: tenants.NewID[tenants.CredentialID](now)}
	case tenants.EventAlertOpened:
		return tenants.AlertData{Alert: tenants.AlertTrial, State: "open"}
	case tenants.EventAlertResolved:
		return tenants.AlertData{Alert: tenants.AlertTrial, State: "resolved"}
	}
	data := tenants.RingData{Ring: ring, State: tenants.Placed, To: tenants.RingTo{Device: device}, Device: device, Test: true,
		CreatedAt: now}
	switch kind {
	case tenants.EventRingAccepted:
		data.State = tenants.Pushed
	case tenants.EventRingShown:
		data.State = tenants.Ringing
	case tenants.EventRingAnswered:
		data.State = tenants.Answered
	case tenants.EventCallConnected:
		data.State, data.Call = tenants.Answered, &tenants.CallData{AnsweredAt: now, ConnectedAt: &now}
	case tenants.EventCallEnded:
		data.State, data.EndedAt = tenants.Ended, &now
		data.Call = &tenants.CallData{AnsweredAt: now, ConnectedAt: &now, EndedAt: &now}
	case tenants.EventRingEnded:
		data.State, data.EndedAt = tenants.Missed, &now
	}
	return data
}
