package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"carillon/tenants"
)

// Outcome is how one attempt of a delivery went.
type Outcome struct {
	Delivery tenants.Delivery
	Attempt  tenants.DeliveryAttempt
	Retry    time.Time // when to try again; zero = delivered, or never
	// Held says that the caller has claimed the next of the same ring: it stays claimed,
	// unless this one will be tried again.
	Held bool
}

// Settle writes how attempts of one connection's deliveries went, in one commit. A delivery that
// will be tried again keeps those behind it waiting; one that has ended lets the next one go. gone
// says that the receiver wants nothing more: the connection ends.
func (s Deliveries) Settle(ctx context.Context, id tenants.ConnectionID, outcomes []Outcome, gone bool) error {
	_, err := Jobs{s.s}.Settle(ctx, []Attempted{{DueConnection{s.id, id}, outcomes, gone}})
	return err
}

// Attempted is how attempts of one connection's deliveries went; see Deliveries.Settle.
type Attempted struct {
	DueConnection
	Outcomes []Outcome
	Gone     bool
}

// Settle is Deliveries.Settle for several connections, in one commit. It gives the connections of
// which deliveries are due now that were not before.
func (s Jobs) Settle(ctx context.Context, all []Attempted) (freed []DueConnection, err error) {
	turned := false
	err = s.w.lazily(ctx, allTenants, func(t *tx) error {
		freed, turned = nil, false
		for _, x := range all {
			p := settling{Deliveries: Deliveries{s.of(x.Tenant)}, tx: t, id: x.Connection}
			if err := p.all(x.Outcomes, x.Gone); err != nil {
				return err
			}
			if p.freed > 0 {
				freed = append(freed, x.DueConnection)
			}
			turned = turned || p.turned
		}
		return t.deliveries().flushTries()
	})
	if turned {
		s.seen.forget()
	}
	if err != nil {
		return nil, err
	}
	return freed, nil
}

// settling is the part of one connection in a Settle.
type settling struct {
	Deliveries
	*tx
	id     tenants.ConnectionID
	freed  int64            // deliveries that are due now
	turned bool             // the connection began or ceased to fail, or has ended
	rings  []tenants.RingID // whose later events are due now: they waited for one that is done
}

func (p *settling) all(outcomes []Outcome, gone bool) error {
	delivered, failed := time.Time{}, time.Time{}
	for i := range outcomes {
		o := &outcomes[i]
		if o.Attempt.Good {
			delivered = o.Attempt.At
		} else {
			failed = o.Attempt.At
		}
		if err := p.one(o); err != nil {
			return err
		}
	}
	if err := p.free(); err != nil {
		return err
	}
	if !delivered.IsZero() {
		if err := p.works(delivered); err != nil {
			return err
		}
	} else if !failed.IsZero() {
		n, err := p.change("UPDATE connections SET failing_since = ? WHERE tenant_id = ? AND id = ? AND failing_since = 0",
			micros(failed), uuid(p.Deliveries.id), uuid(p.id))
		if err != nil {
			return err
		}
		p.turned = n > 0
	}
	if !gone {
		return nil
	}
	p.turned = true
	_, err := p.stop(p.tx, p.id, tenants.ConnectionEnded, "Its receiver answered 410 Gone.", "")
	return err
}

// works notes that a connection delivered: it is not failing any more. When it last delivered is
// noted to the second: a row that changes with each delivery would cost as much as the delivery.
func (p *settling) works(at time.Time) error {
	type row struct{ failing, delivered int64 }
	rows, err := p.query(context.Background(), "SELECT failing_since, delivered_at FROM connections WHERE tenant_id = ? AND id = ?",
		uuid(p.Deliveries.id), uuid(p.id))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.failing, &r.delivered} })
	if err != nil || len(found) == 0 || found[0].failing == 0 && found[0].delivered >= micros(at.Add(-time.Second)) {
		return err
	}
	n, err := p.change("UPDATE connections SET delivered_at = ?, failing_since = 0, warned_at = 0 WHERE tenant_id = ? AND id = ? AND "+
		"failing_since <> 0", micros(at), uuid(p.Deliveries.id), uuid(p.id))
	if err != nil {
		return err
	}
	if n > 0 {
		p.turned = true
		return p.alerts().settle(p.scope, string(p.id))
	}
	_, err = p.exec("UPDATE connections SET delivered_at = ? WHERE tenant_id = ? AND id = ? AND delivered_at < ?", micros(at),
		uuid(p.Deliveries.id), uuid(p.id), micros(at.Add(-time.Second)))
	return err
}

func (p *settling) one(o *Outcome) error {
	d, a := &o.Delivery, &o.Attempt
	state, due, ended := tenants.DeliveryWaiting, micros(o.Retry), int64(0)
	if o.Retry.IsZero() {
		state, ended = tenants.DeliveryFailed, micros(a.At.Add(a.Took))
		if a.Good {
			state = tenants.DeliveryDelivered
		}
	}
	n, err := p.change("UPDATE deliveries SET state = ?, due_at = ?, tries = tries + 1, status = ?, error = ?, ended_at = ? WHERE "+
		"seq = ? AND tenant_id = ? AND connection_id = ? AND NOT (due_at > ? AND due_at <= ? AND due_at <> ?)", string(state), due,
		a.Status, a.Error, ended, d.Seq, uuid(p.Deliveries.id), uuid(p.id), micros(a.At), micros(p.s.now()), micros(d.DueAt))
	if err != nil {
		return err
	}
	if n == 0 {
		return p.replayed(d, a)
	}
	if err := p.attempt(d.Seq, a); err != nil || d.Ring == "" || o.Held && due == 0 {
		return err
	}
	p.rings = slices.DeleteFunc(p.rings, func(id tenants.RingID) bool { return id == d.Ring })
	if due == 0 {
		p.rings = append(p.rings, d.Ring)
		return nil
	}
	_, err = p.later(d.Ring, due, "due_at < ?")
	return err
}

// free has the later events of rings due now. It comes after all outcomes: one of them may be of
// such an event, which would look as if somebody had replayed it.
func (p *settling) free() error {
	for _, id := range p.rings {
		n, err := p.later(id, micros(p.s.now()), "due_at > ?")
		if p.freed += n; err != nil {
			return err
		}
	}
	return nil
}

// later moves when events of a ring that wait are due.
func (p *settling) later(id tenants.RingID, at int64, which string) (int64, error) {
	return p.change("UPDATE deliveries"+p.d.dialect.by("deliveries_ring")+" SET due_at = ? WHERE tenant_id = ? AND connection_id = ? AND "+
		"ring_id = ? AND due_at > 0 AND "+which, at, uuid(p.Deliveries.id), uuid(p.id), uuid(id), at)
}

// replayed is one of a delivery that somebody replayed while the attempt was under way: it has
// become due since, and stays so. The attempt is kept, unless the connection was removed.
func (p *settling) replayed(d *tenants.Delivery, a *tenants.DeliveryAttempt) error {
	there, err := one(p.query(context.Background(), "SELECT COUNT(*) FROM deliveries WHERE seq = ? AND tenant_id = ? AND "+
		"connection_id = ?", d.Seq, uuid(p.Deliveries.id), uuid(p.id)))
	if err != nil || there == 0 {
		return err
	}
	p.freed++
	return p.attempt(d.Seq, a)
}

// attempt collects the row of an attempt; flushTries writes it.
func (p *settling) attempt(seq int64, a *tenants.DeliveryAttempt) error {
	row, err := tryOf(DueConnection{p.Deliveries.id, p.id}, a)
	if err != nil {
		return err
	}
	row[tryDelivery] = seq
	p.rows.tries.add(row...)
	return nil
}

// tryDelivery is the place of a delivery's seq in the row of an attempt.
const tryDelivery = 2

// tryOf is the row of an attempt, without the seq of its delivery.
func tryOf(to DueConnection, a *tenants.DeliveryAttempt) ([]any, error) {
	sent, err := json.Marshal(a.Sent)
	return []any{uuid(to.Tenant), uuid(to.Connection), nil, micros(a.At), span(a.Took), a.Status, a.Error, string(sent),
		printable(a.Answer), a.Good}, err
}

func (t deliveriesTx) flushTries() error {
	return t.rows.tries.flush(t.d.dialect, func(text string, args []any, _ int) error { _, err := t.run(text, args); return err })
}

// printable is what a far end answered as text that can be stored and shown: no control characters
// but new lines and tabs, and no broken UTF-8.
func printable(s string) string {
	return strings.Map(func(r rune) rune {
		if r != '\n' && r != '\t' && unicode.IsControl(r) {
			return -1
		}
		return r
	}, strings.ToValidUTF8(s, "\uFFFD"))
}
