package connections

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
)

// deliver makes one attempt by the connection's role. after is what the receiver asked us to wait.
func (e *Engine) deliver(ctx context.Context, c tenants.Connection, s Secrets, d tenants.Delivery) (a tenants.DeliveryAttempt,
	after time.Duration) {
	a = tenants.DeliveryAttempt{Event: d.Event, Kind: d.Kind, At: e.Now(), Body: d.Body}
	role := e.Roles[c.Role]
	if role == nil {
		a.Error = "connections of this role send no events"
		return a, 0
	}
	answer, err := e.safely(ctx, role, c, s, Event{ID: d.Event, Kind: d.Kind, At: d.At, Ring: d.Ring, Body: d.Body})
	a.Took, a.Status, a.Sent, a.Answer = answer.Took, answer.Status, answer.Sent, redacted(c, s, string(answer.Body))
	switch {
	case err != nil:
		a.Error = cause(err)
	case !answer.Done && (answer.Status < 200 || answer.Status > 299):
		a.Error = refusal(answer.Status)
	default:
		a.Good = true
	}
	return a, answer.RetryAfter
}

// errPanic is what a tenant reads of an attempt that our own code could not make.
var errPanic = tenants.Refuse(tenants.Internal, "", "a fault of this server; its operator finds it in the log")

// safely makes a panic of a role an error of its own attempt: a role reads what strangers send.
func (e *Engine) safely(ctx context.Context, r Role, c tenants.Connection, s Secrets, event Event) (a Answer, err error) {
	defer func() {
		if p := recover(); p != nil {
			e.Log.Error("panic in a connection", "role", c.Role, "connection", c.ID, "panic", p, "stack", string(debug.Stack()))
			err = errPanic
		}
	}()
	return r.Deliver(ctx, c, s, event)
}

// cause is the sentence of a failure for the tenant.
func cause(err error) string {
	var refused *tenants.Error
	if errors.As(err, &refused) && refused.Msg != "" {
		return refused.Msg
	}
	return outbound.Cause(err)
}

func refusal(status int) string {
	text := "the receiver answered " + strconv.Itoa(status)
	switch {
	case status == http.StatusGone:
		return text + " Gone: it wants no more events"
	case status >= 300 && status < 400:
		return text + ", a redirect; give the address it redirects to"
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		return text + "; check its password in the headers, or how it checks the signature"
	}
	return text + "; it must answer 200 to 299"
}

// retry is when a delivery that failed is tried again; zero = never. after is what the receiver
// asked for.
func (e *Engine) retry(d tenants.Delivery, after time.Duration) time.Time {
	now, last := e.Now(), d.BegunAt.Add(tenants.RetryFor)
	if !now.Before(last) {
		return time.Time{}
	}
	at := now.Add(max(tenants.RetryPause(d.Tries+1, rand.Float64()), after))
	if at.After(last) {
		return last
	}
	return at
}
