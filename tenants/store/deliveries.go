package store

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"time"
	"unicode"

	"gorm.io/gorm"

	"carillon/tenants"
)

// deliveryRow is one event on its way. due_at orders the work: an attempt is due then. While one is
// under way, due_at is when the engine that makes it is taken for dead. Deliveries of one ring to
// one connection go in the order of seq, so only the first of those with a due_at is ever claimed;
// the others move with it.
type deliveryRow struct {
	Seq                               int64 `gorm:"primaryKey"`
	TenantID, ConnectionID, EventID   uuid
	RingID                            uuid
	Kind, Body, State, Error          string
	At, BegunAt, DueAt, Tries, Status int64
	EndedAt                           int64
}

const deliveryColumns = "seq, connection_id, event_id, ring_id, kind, body, state, error, at, begun_at, due_at, tries, status, ended_at"

func (r *deliveryRow) fields() []any {
	return []any{&r.Seq, &r.ConnectionID, &r.EventID, &r.RingID, &r.Kind, &r.Body, &r.State, &r.Error, &r.At, &r.BegunAt, &r.DueAt,
		&r.Tries,
		&r.Status, &r.EndedAt}
}

func (r deliveryRow) noun() tenants.Delivery {
	return tenants.Delivery{
		Seq: r.Seq, Event: string(r.EventID), Connection: tenants.ConnectionID(r.ConnectionID), Kind: tenants.EventKind(r.Kind),
		Ring: tenants.RingID(r.RingID), Body: []byte(r.Body), At: moment(r.At), BegunAt: moment(r.BegunAt), DueAt: moment(r.DueAt),
		State: tenants.DeliveryState(r.State), Tries: int(r.Tries), Status: int(r.Status), Error: r.Error, EndedAt: moment(r.EndedAt),
	}
}

type deliveryAttemptRow struct {
	Seq                 int64
	EventID             uuid
	Kind, Body          string
	At, Took, Status    int64
	Error, Sent, Answer string
	Good                bool
}

func (r deliveryAttemptRow) noun() tenants.DeliveryAttempt {
	a := tenants.DeliveryAttempt{
		Seq: r.Seq, Event: string(r.EventID), Kind: tenants.EventKind(r.Kind), At: moment(r.At), Took: length(r.Took),
		Status: int(r.Status),
		Error:  r.Error, Good: r.Good, Body: []byte(r.Body), Answer: r.Answer,
	}
	_ = json.Unmarshal([]byte(r.Sent), &a.Sent) // ours
	return a
}

// Deliveries are the events that go to the tenant's connections.
type Deliveries struct{ *scope }

// Deliveries returns the tenant's Deliveries.
func (s *Scope) Deliveries() Deliveries { return Deliveries{&s.scope} }

// NewDelivery is an event that a connection will be sent.
type NewDelivery struct {
	Tenant     tenants.TenantID
	Connection tenants.ConnectionID
	Event      string
	Kind       tenants.EventKind
	Ring       tenants.RingID
	At         time.Time
	Body       []byte
}

// deliver writes a delivery. One that waits behind another of its ring is due with that one. An
// event that the connection has already is left as it is. due_at + 0 keeps PostgreSQL from
// looking for the greatest in the index of all that waits.
func (t *tx) deliver(d NewDelivery, now int64) error {
	_, err := t.exec("INSERT INTO deliveries (tenant_id, connection_id, event_id, ring_id, kind, body, state, error, at, begun_at, "+
		"due_at, tries, status, ended_at) VALUES (?, ?, ?, ?, ?, ?, 'waiting', '', ?, ?, COALESCE((SELECT MAX(e.due_at + 0) FROM "+
		"deliveries e"+t.d.dialect.by("deliveries_ring")+" WHERE e.tenant_id = ? AND e.connection_id = ? AND e.ring_id = ? AND "+
		"e.ring_id <> "+t.d.dialect.noID()+" AND e.due_at > 0), ?), 0, 0, 0) "+
		"ON CONFLICT (tenant_id, connection_id, event_id) DO NOTHING",
		uuid(d.Tenant), uuid(d.Connection), uuid(d.Event), uuid(d.Ring), string(d.Kind), string(d.Body), micros(d.At), now,
		uuid(d.Tenant), uuid(d.Connection), uuid(d.Ring), now)
	return err
}

// tell writes the deliveries of an event that is no fact of a ring, in the transaction of the
// change itself.
func (t *tx) tell(s *scope, kind tenants.EventKind, ring tenants.RingID, data ...any) error {
	rows, err := t.query(context.Background(), "SELECT id, role, settings FROM connections WHERE tenant_id = ? AND state = 'active'",
		uuid(s.id))
	found, err := collect(rows, err, func(r *connectionRow) []any { return []any{&r.ID, &r.Role, &r.Settings} })
	if err != nil || len(found) == 0 {
		return err
	}
	now := s.s.now()
	for _, row := range found {
		if !row.noun().Wants(kind) {
			continue
		}
		for _, of := range data {
			body := tenants.EventBody{Type: kind, Timestamp: stored(now), Data: of}.Write()
			if err := t.deliver(NewDelivery{s.id, tenants.ConnectionID(row.ID), tenants.NewRandomID(), kind, ring, now, body},
				micros(now)); err != nil {
				return err
			}
		}
	}
	return nil
}

func eventOfDevice(r deviceRow) tenants.DeviceData {
	return tenants.DeviceData{Device: tenants.DeviceID(r.ID), Person: r.Person, State: tenants.DeviceState(r.State),
		AppVersion: r.AppVersion, OSVersion: r.OSVersion}
}

// Listener is an active connection, and what its tenant's industry lets leave.
type Listener struct {
	tenants.Connection
	Opaque bool
}

// Listeners are the active connections of every tenant that is not suspended.
func (s Jobs) Listeners(ctx context.Context) ([]Listener, error) { return s.listeners(ctx, "") }

// ListenersOf is Listeners of some tenants.
func (s Jobs) ListenersOf(ctx context.Context, of []tenants.TenantID) ([]Listener, error) {
	if len(of) == 0 {
		return nil, nil
	}
	return s.listeners(ctx, " AND c.tenant_id IN ("+marks(len(of))+")", some("", of)[1:]...)
}

// Listens reports whether there is any Listener.
func (s Jobs) Listens(ctx context.Context) (bool, error) {
	n, err := one(s.db.through(allTenants).query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM connections c JOIN tenants t ON "+
		"t.id = c.tenant_id WHERE c.state = 'active' AND t.state = 'active' LIMIT 1) few"))
	return n > 0, err
}

func (s Jobs) listeners(ctx context.Context, and string, args ...any) ([]Listener, error) {
	type row struct {
		connectionRow
		tenant tenantRow
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id, c.role, c.settings, c.created_at, t.industry, t.rules "+
		"FROM connections c JOIN tenants t ON t.id = c.tenant_id WHERE c.state = 'active' AND t.state = 'active'"+and, args...)
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.TenantID, &r.ID, &r.Role, &r.Settings, &r.Created, &r.tenant.Industry, &r.tenant.Rules}
	})
	return nouns(found, func(r row) Listener { return Listener{r.noun(), s.tenantOf(r.tenant).Opaque()} }), translate(err)
}

// Askers gives each tenant's connection that is asked before its rings: the oldest one that is
// active. Tenants without one, and suspended ones, are left out.
func (s Jobs) Askers(ctx context.Context) (map[tenants.TenantID]tenants.ConnectionID, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id, c.settings FROM connections c JOIN tenants t ON "+
		"t.id = c.tenant_id WHERE c.role IN (?, ?) AND c.state = 'active' AND t.state = 'active' ORDER BY c.created_at, c.id",
		string(tenants.RoleCRM), string(tenants.RoleMLS))
	found, err := collect(rows, err, func(r *connectionRow) []any { return []any{&r.TenantID, &r.ID, &r.Settings} })
	if err != nil {
		return nil, translate(err)
	}
	askers := map[tenants.TenantID]tenants.ConnectionID{}
	for _, r := range found {
		c := r.noun()
		if _, older := askers[c.Tenant]; !older && c.Lookup != nil && c.Lookup.Ask {
			askers[c.Tenant] = c.ID
		}
	}
	return askers, nil
}

// Feed moves a cursor behind a batch and writes the deliveries that the batch means, in one
// commit. It is false, and nothing was written, when another node was faster.
func (s Jobs) Feed(ctx context.Context, c Cursor, b Batch, all []NewDelivery) (moved bool, err error) {
	if b.from == b.to && len(all) == 0 {
		return true, nil
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		if moved, err = c.move(t, b.from, b.to); err != nil || !moved {
			return err
		}
		now := micros(s.now())
		for _, d := range all {
			if err := t.deliver(d, now); err != nil {
				return err
			}
		}
		return nil
	})
	return moved && err == nil, err
}

// DueConnection is a connection with deliveries that are due.
type DueConnection struct {
	Tenant     tenants.TenantID
	Connection tenants.ConnectionID
}

// DueConnections are the active connections of every tenant that is not suspended with deliveries
// that are due.
func (s Jobs) DueConnections(ctx context.Context, now time.Time) ([]DueConnection, error) {
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id FROM connections c JOIN tenants t ON "+
		"t.id = c.tenant_id WHERE c.state = 'active' AND t.state = 'active' AND EXISTS (SELECT 1 FROM deliveries d "+
		"WHERE d.tenant_id = c.tenant_id AND d.connection_id = c.id AND d.due_at > 0 AND d.due_at <= ?)",
		micros(now))
	found, err := collect(rows, err, func(d *DueConnection) []any { return []any{(*uuid)(&d.Tenant), (*uuid)(&d.Connection)} })
	return found, translate(err)
}

// OldestDue is when the delivery that has been due for longest was due, by the role of its
// connection, of all tenants that are not suspended. Roles without any are left out.
func (s Jobs) OldestDue(ctx context.Context, now time.Time) (map[tenants.ConnectionRole]time.Time, error) {
	type row struct {
		role string
		at   int64
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT role, MIN(due) FROM (SELECT c.role, (SELECT MIN(d.due_at) FROM "+
		"deliveries d "+
		"WHERE d.tenant_id = c.tenant_id AND d.connection_id = c.id AND d.due_at > 0 AND d.due_at <= ?) AS due FROM connections c "+
		"JOIN tenants t ON t.id = c.tenant_id WHERE c.state = 'active' AND t.state = 'active') oldest WHERE due IS NOT NULL "+
		"GROUP BY role", micros(now))
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.role, &r.at} })
	out := map[tenants.ConnectionRole]time.Time{}
	for _, r := range found {
		out[tenants.ConnectionRole(r.role)] = moment(r.at)
	}
	return out, translate(err)
}

// Claim takes up to limit deliveries of a connection that are due, the oldest first and of each
// ring the first that waits, by moving their due time to now + lease: nobody else gets them before
// that, and if this process dies they come back then. It takes none while nothing must be sent: the
// connection is not active, or its tenant is suspended.
func (s Deliveries) Claim(ctx context.Context, id tenants.ConnectionID, now time.Time, lease time.Duration,
	limit int) (claimed []tenants.Delivery, err error) {
	err = s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
		claimed, err = s.claim(t, id, now, lease, limit)
		return err
	})
	if err != nil {
		return nil, err
	}
	return claimed, nil
}

// Room is how many deliveries of a connection are wanted.
type Room struct {
	DueConnection
	N int
}

// ClaimDeliveries is Deliveries.Claim for several connections, in one commit.
func (s Jobs) ClaimDeliveries(ctx context.Context, rooms []Room, now time.Time, lease time.Duration) (all []tenants.Delivery, err error) {
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		all = nil
		for _, r := range rooms {
			found, err := (Deliveries{s.of(r.Tenant)}).claim(t, r.Connection, now, lease, r.N)
			if err != nil {
				return err
			}
			all = append(all, found...)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (s Deliveries) claim(t *tx, id tenants.ConnectionID, now time.Time, lease time.Duration, limit int) ([]tenants.Delivery, error) {
	rows, err := t.query(context.Background(), "UPDATE deliveries SET due_at = ? WHERE "+t.d.dialect.aside("tenant_id")+
		" = ? AND "+t.d.dialect.among("seq")+"SELECT d.seq FROM deliveries d"+t.d.dialect.by("deliveries_due")+
		" WHERE d.tenant_id = ? AND d.connection_id = ? AND d.due_at > 0 AND "+
		"d.due_at <= ? AND (d.ring_id = "+t.d.dialect.noID()+
		" OR NOT EXISTS (SELECT 1 FROM deliveries e"+t.d.dialect.by("deliveries_ring")+" WHERE e.tenant_id = d.tenant_id AND "+
		"e.connection_id = d.connection_id AND "+
		"e.ring_id = d.ring_id AND e.due_at > 0 AND e.seq < d.seq)) AND EXISTS (SELECT 1 FROM "+
		"connections c JOIN tenants x ON x.id = c.tenant_id WHERE c.tenant_id = ? AND c.id = ? AND c.state = 'active' AND "+
		"x.state = 'active') ORDER BY d.due_at, d.seq LIMIT ?"+t.d.dialect.holdFree()+t.d.dialect.endAmong()+
		" RETURNING "+deliveryColumns,
		micros(now.Add(lease)), uuid(s.id), uuid(s.id), uuid(id), micros(now), uuid(s.id), uuid(id), limit)
	found, err := collect(rows, err, (*deliveryRow).fields)
	if err != nil {
		return nil, err
	}
	claimed := nouns(found, deliveryRow.noun)
	slices.SortFunc(claimed, func(a, b tenants.Delivery) int { return int(a.Seq - b.Seq) })
	return claimed, nil
}

// Release gives claimed deliveries back: they are due at once.
func (s Deliveries) Release(ctx context.Context, id tenants.ConnectionID, claimed []tenants.Delivery) error {
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		for _, d := range claimed {
			if _, err := t.exec("UPDATE deliveries SET due_at = ? WHERE tenant_id = ? AND connection_id = ? AND seq = ? AND due_at = ?",
				micros(s.s.now()), uuid(s.id), uuid(id), d.Seq, micros(d.DueAt)); err != nil {
				return err
			}
		}
		return nil
	})
}

// Open gives a connection with its opened secrets.
func (s Connections) Open(ctx context.Context, id tenants.ConnectionID) (tenants.Connection, ConnectionSecrets, error) {
	var row connectionRow
	if err := s.read(ctx, "connections").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Connection{}, ConnectionSecrets{}, missing(err, "connection")
	}
	secrets, err := s.opened(row)
	return row.noun(), secrets, err
}

// ToSend is Open of a connection to which something may be sent: it is active, and its tenant is
// not suspended.
func (s Connections) ToSend(ctx context.Context, id tenants.ConnectionID) (tenants.Connection, ConnectionSecrets, error) {
	var row connectionRow
	if err := s.read(ctx, "connections").Where("id = ? AND state = 'active' AND EXISTS (SELECT 1 FROM tenants t WHERE "+
		"t.id = connections.tenant_id AND t.state = 'active')", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Connection{}, ConnectionSecrets{}, missing(err, "connection")
	}
	secrets, err := s.opened(row)
	return row.noun(), secrets, err
}

// Outcome is how one attempt of a delivery went.
type Outcome struct {
	Delivery tenants.Delivery
	Attempt  tenants.DeliveryAttempt
	Retry    time.Time // when to try again; zero = delivered, or never
}

// Settle writes how attempts of one connection's deliveries went, in one commit. A delivery that
// will be tried again keeps those behind it waiting; one that has ended lets the next one go. gone
// says that the receiver wants nothing more: the connection ends.
func (s Deliveries) Settle(ctx context.Context, id tenants.ConnectionID, outcomes []Outcome, gone bool) error {
	return s.s.w.do(ctx, s.access(), func(t *tx) error { return s.settleAll(t, id, outcomes, gone) })
}

// Attempted is how attempts of one connection's deliveries went; see Deliveries.Settle.
type Attempted struct {
	DueConnection
	Outcomes []Outcome
	Gone     bool
}

// Settle is Deliveries.Settle for several connections, in one commit.
func (s Jobs) Settle(ctx context.Context, all []Attempted) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		for _, x := range all {
			if err := (Deliveries{s.of(x.Tenant)}).settleAll(t, x.Connection, x.Outcomes, x.Gone); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s Deliveries) settleAll(t *tx, id tenants.ConnectionID, outcomes []Outcome, gone bool) error {
	delivered, failed := time.Time{}, time.Time{}
	for i := range outcomes {
		o := &outcomes[i]
		if o.Attempt.Good {
			delivered = o.Attempt.At
		} else {
			failed = o.Attempt.At
		}
		if err := s.settle(t, id, o); err != nil {
			return err
		}
	}
	if !delivered.IsZero() {
		if err := s.works(t, id, delivered); err != nil {
			return err
		}
	} else if !failed.IsZero() {
		if _, err := t.exec("UPDATE connections SET failing_since = ? WHERE tenant_id = ? AND id = ? AND failing_since = 0",
			micros(failed), uuid(s.id), uuid(id)); err != nil {
			return err
		}
	}
	if gone {
		_, err := s.stop(t, id, tenants.ConnectionEnded, "Its receiver answered 410 Gone.", "")
		return err
	}
	return nil
}

// works notes that a connection delivered: it is not failing any more.
func (s Deliveries) works(t *tx, id tenants.ConnectionID, at time.Time) error {
	n, err := t.change("UPDATE connections SET delivered_at = ?, failing_since = 0, warned_at = 0 WHERE tenant_id = ? AND id = ? AND "+
		"failing_since <> 0", micros(at), uuid(s.id), uuid(id))
	if err != nil {
		return err
	}
	if n > 0 {
		return t.alerts().settle(s.scope, string(id))
	}
	// To the second is enough: a row that changes with each delivery would cost as much as the
	// delivery.
	_, err = t.exec("UPDATE connections SET delivered_at = ? WHERE tenant_id = ? AND id = ? AND delivered_at < ?", micros(at), uuid(s.id),
		uuid(id), micros(at.Add(-time.Second)))
	return err
}

func (s Deliveries) settle(t *tx, id tenants.ConnectionID, o *Outcome) error {
	d, a := &o.Delivery, &o.Attempt
	state, due, ended := tenants.DeliveryWaiting, micros(o.Retry), int64(0)
	if o.Retry.IsZero() {
		state, ended = tenants.DeliveryFailed, micros(a.At.Add(a.Took))
		if a.Good {
			state = tenants.DeliveryDelivered
		}
	}
	n, err := t.change("UPDATE deliveries SET state = ?, due_at = ?, tries = tries + 1, status = ?, error = ?, ended_at = ? WHERE "+
		"seq = ? AND "+
		"tenant_id = ? AND connection_id = ?", string(state), due, a.Status, a.Error, ended, d.Seq, uuid(s.id), uuid(id))
	if err != nil || n == 0 { // 0: the connection was removed meanwhile
		return err
	}
	if err := s.attempt(t, id, d.Seq, a); err != nil || d.Ring == "" {
		return err
	}
	query, at := "UPDATE deliveries"+t.d.dialect.by("deliveries_ring")+" SET due_at = ? WHERE "+
		"tenant_id = ? AND connection_id = ? AND ring_id = ? AND due_at > 0 AND ", due
	if due > 0 {
		query += "due_at < ?"
	} else {
		query, at = query+"due_at > ?", micros(s.s.now())
	}
	_, err = t.exec(query, at, uuid(s.id), uuid(id), uuid(d.Ring), at)
	return err
}

func (s Deliveries) attempt(t *tx, id tenants.ConnectionID, seq int64, a *tenants.DeliveryAttempt) error {
	sent, err := json.Marshal(a.Sent)
	if err != nil {
		return err
	}
	_, err = t.exec("INSERT INTO delivery_attempts (tenant_id, connection_id, delivery, at, took, status, error, sent, answer, good) "+
		"VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", uuid(s.id), uuid(id), seq, micros(a.At), span(a.Took), a.Status, a.Error, string(sent),
		printable(a.Answer), a.Good)
	return err
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

// stop makes a connection disabled or ended, with an alert that its people are mailed about. What
// waits is given up by the next ReviewConnections, and can be replayed once the connection is
// active again. and is what else must still be true of the connection: else it is false, and
// nothing was changed.
func (s Deliveries) stop(t *tx, id tenants.ConnectionID, to tenants.ConnectionState, why, and string, args ...any) (bool, error) {
	n, err := t.change("UPDATE connections SET state = ?, disabled_at = ? WHERE tenant_id = ? AND id = ? AND state = 'active'"+and,
		append([]any{string(to), micros(s.s.now()), uuid(s.id), uuid(id)}, args...)...)
	if err != nil || n == 0 {
		return false, err
	}
	action := "connection.disable"
	if to == tenants.ConnectionEnded {
		action = "connection.end"
	}
	row, err := Connections(s).held(t, id)
	if err != nil {
		return false, err
	}
	if err := t.alerts().settle(s.scope, string(id)); err != nil {
		return false, err
	}
	if _, err := t.alerts().alert(s.scope, tenants.AlertConnectionOff, string(id), tenants.ConnectionStopped(row.Name, why)); err != nil {
		return false, err
	}
	return true, t.audit(s.scope, action, string(id), row.Name)
}

// ReviewConnections looks at the connections of every tenant that fail or have much waiting: it
// warns of those that have failed for tenants.ConnectionWarnAfter, disables those that have failed
// for tenants.ConnectionDisableAfter or have more than tenants.WaitingMost waiting, and gives up
// what waits for those that are disabled or ended.
func (s Jobs) ReviewConnections(ctx context.Context, now time.Time) error {
	const waiting = "SELECT 1 FROM deliveries d WHERE d.tenant_id = c.tenant_id AND d.connection_id = c.id AND d.due_at > 0"
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, id, name, failing_since, warned_at, state FROM connections "+
		"c WHERE "+
		"state = 'active' AND (failing_since <> 0 OR EXISTS ("+waiting+" LIMIT 1 OFFSET ?)) OR state IN ('disabled', 'ended') AND "+
		"EXISTS ("+waiting+")", tenants.WaitingMost)
	found, err := collect(rows, err, func(r *connectionRow) []any {
		return []any{&r.TenantID, &r.ID, &r.Name, &r.FailingSince, &r.WarnedAt, &r.State}
	})
	if err != nil {
		return translate(err)
	}
	for _, r := range found {
		d := Deliveries{s.of(tenants.TenantID(r.TenantID))}
		stopped := r.State != string(tenants.ConnectionActive)
		if !stopped {
			if stopped, err = d.review(ctx, r, now); err != nil {
				return err
			}
		}
		if stopped {
			if err := d.giveUp(ctx, tenants.ConnectionID(r.ID)); err != nil {
				return err
			}
		}
	}
	return nil
}

// review warns of a connection, or disables it. What it delivered since r was read counts.
func (s Deliveries) review(ctx context.Context, r connectionRow, now time.Time) (stopped bool, err error) {
	id, why := tenants.ConnectionID(r.ID), ""
	and, args := "", []any(nil)
	switch failing := now.Sub(moment(r.FailingSince)); {
	case r.FailingSince == 0:
		why = "More than " + tenants.FormatCount(tenants.WaitingMost) + " events waited for it."
	case failing >= tenants.ConnectionDisableAfter:
		why = "Nothing was delivered for five days."
		and, args = " AND failing_since = ?", []any{r.FailingSince}
	default:
		waiting, err := one(s.reads().query(ctx, "SELECT COUNT(*) FROM (SELECT 1 FROM deliveries WHERE tenant_id = ? AND "+
			"connection_id = ? AND due_at > 0 LIMIT ?) few", uuid(s.id), r.ID, tenants.WaitingMost+1))
		if err != nil {
			return false, err
		}
		if waiting > tenants.WaitingMost {
			why = "More than " + tenants.FormatCount(tenants.WaitingMost) + " events waited for it."
		} else if failing < tenants.ConnectionWarnAfter || r.WarnedAt != 0 {
			return false, nil
		}
	}
	err = s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
		if why != "" {
			stopped, err = s.stop(t, id, tenants.ConnectionDisabled, why, and, args...)
			return err
		}
		n, err := t.change("UPDATE connections SET warned_at = ? WHERE tenant_id = ? AND id = ? AND state = 'active' AND "+
			"warned_at = 0 AND failing_since = ?", micros(now), uuid(s.id), r.ID, r.FailingSince)
		if err != nil || n == 0 {
			return err
		}
		until := moment(r.FailingSince).Add(tenants.ConnectionDisableAfter)
		_, err = t.alerts().alert(s.scope, tenants.AlertConnection, string(r.ID), tenants.ConnectionWarning(r.Name, until))
		return err
	})
	return stopped && err == nil, err
}

// giveUp ends what waits for a connection that was disabled or has ended, and is so still.
func (s Deliveries) giveUp(ctx context.Context, id tenants.ConnectionID) error {
	return s.inParts(ctx, "connection_id = ? AND due_at > 0", []any{uuid(id)}, func(t *tx, in string, seqs []any) error {
		_, err := t.exec("UPDATE deliveries SET state = 'failed', due_at = 0, ended_at = ?, error = CASE WHEN error = '' THEN ? ELSE "+
			"error END WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND due_at > 0 AND EXISTS (SELECT 1 FROM "+
			"connections c WHERE c.tenant_id = ? AND c.id = ? AND c.state IN ('disabled', 'ended')) AND seq IN ("+in+")",
			append([]any{micros(s.s.now()), "the connection was stopped before the first attempt", uuid(s.id), uuid(s.id), uuid(id)},
				seqs...)...)
		return err
	})
}

// inParts changes the tenant's deliveries that a condition finds, a few in each commit: rings never
// wait long for it. do gets the places of their seqs in a statement, and the seqs.
func (s Deliveries) inParts(ctx context.Context, where string, args []any, do func(t *tx, in string, seqs []any) error) error {
	for after := int64(0); ; {
		rows, err := s.reads().query(ctx, "SELECT seq FROM deliveries WHERE tenant_id = ? AND seq > ? AND "+where+" ORDER BY seq LIMIT ?",
			append(append([]any{uuid(s.id), after}, args...), trimMost)...)
		seqs, err := collect(rows, err, func(n *int64) []any { return []any{n} })
		if err != nil || len(seqs) == 0 {
			return translate(err)
		}
		if err := s.s.w.do(ctx, s.access(), func(t *tx) error { return do(t, marks(len(seqs)), padded(seqs)) }); err != nil {
			return err
		}
		after = seqs[len(seqs)-1]
	}
}

// padded are the arguments behind marks.
func padded(seqs []int64) []any {
	out := make([]any, room(len(seqs)))
	for i := range out {
		out[i] = seqs[min(i, len(seqs)-1)]
	}
	return out
}

// DeliveryQuery asks for a page of deliveries to a connection, the newest first.
type DeliveryQuery struct {
	Connection  tenants.ConnectionID
	State       tenants.DeliveryState // empty = all
	Kind        tenants.EventKind     // empty = all
	Ring        tenants.RingID
	From, To    time.Time // happened in [From, To)
	After, Upto string
	Sort        Sort // "created"
	Limit       int
}

var deliveryOrders = orders[deliveryRow]{"created", map[Sort]order[deliveryRow]{
	"created": by("seq", func(r deliveryRow) []any { return []any{r.Seq} }),
}}

func (s Deliveries) found(ctx context.Context, q DeliveryQuery) *gorm.DB {
	db := s.read(ctx, "deliveries").Where("connection_id = ?", uuid(q.Connection))
	if q.State != "" {
		db = db.Where("state = ?", string(q.State))
	}
	if q.Kind != "" {
		db = db.Where("kind = ?", string(q.Kind))
	}
	if q.Ring != "" {
		db = db.Where("ring_id = ?", uuid(q.Ring))
	}
	return between(db, "at", q.From, q.To)
}

// List lists deliveries to one connection.
func (s Deliveries) List(ctx context.Context, q DeliveryQuery) ([]tenants.Delivery, string, error) {
	rows, next, err := list(s.found(ctx, q).Select(deliveryColumns), Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit},
		deliveryOrders)
	return nouns(rows, deliveryRow.noun), next, err
}

// Total counts the deliveries that List finds.
func (s Deliveries) Total(ctx context.Context, q DeliveryQuery) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// Get is one delivery to a connection, by its event's id.
func (s Deliveries) Get(ctx context.Context, id tenants.ConnectionID, event string) (tenants.Delivery, error) {
	var row deliveryRow
	if err := s.read(ctx, "deliveries").Select(deliveryColumns).Where("connection_id = ? AND event_id = ?", uuid(id), known(event)).
		Take(&row).Error; err != nil {
		return tenants.Delivery{}, missing(err, "event of this connection")
	}
	return row.noun(), nil
}

// AttemptQuery asks for a page of attempts of a connection, the newest first.
type AttemptQuery struct {
	Connection  tenants.ConnectionID
	Event       string // of one delivery; empty = all
	Failed      bool   // only those that failed
	After, Upto string
	Sort        Sort // "created"
	Limit       int
}

var attemptOrders = orders[deliveryAttemptRow]{"created", map[Sort]order[deliveryAttemptRow]{
	"created": by("delivery_attempts.seq", func(r deliveryAttemptRow) []any { return []any{r.Seq} }),
}}

// Attempts lists the requests that were made to a connection, with what it answered.
func (s Deliveries) Attempts(ctx context.Context, q AttemptQuery) ([]tenants.DeliveryAttempt, string, error) {
	db := s.read(ctx, "delivery_attempts").Joins("JOIN deliveries d ON d.tenant_id = delivery_attempts.tenant_id AND "+
		"d.seq = delivery_attempts.delivery").
		Select("delivery_attempts.seq, d.event_id, d.kind, d.body, delivery_attempts.at, took, delivery_attempts.status, "+
			"delivery_attempts.error, sent, answer, good").
		Where("delivery_attempts.connection_id = ?", uuid(q.Connection))
	if q.Event != "" {
		db = db.Where("d.connection_id = ? AND d.event_id = ?", uuid(q.Connection), known(q.Event))
	}
	if q.Failed {
		db = db.Where("NOT good")
	}
	rows, next, err := list(db, Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit}, attemptOrders)
	return nouns(rows, deliveryAttemptRow.noun), next, err
}

// figuresMost is how many attempts of a connection are looked at for its figures: the newest.
const figuresMost = 5000

// Figures sums up the attempts of a connection since a moment, of the newest figuresMost.
func (s Deliveries) Figures(ctx context.Context, id tenants.ConnectionID, since time.Time) (f tenants.ConnectionFigures, err error) {
	type row struct {
		at, took, status int64
		good             bool
	}
	rows, err := s.reads().query(ctx, "SELECT at, took, status, good FROM delivery_attempts WHERE tenant_id = ? AND connection_id = ? "+
		"ORDER BY seq DESC LIMIT ?", uuid(s.id), uuid(id), figuresMost)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.took, &r.status, &r.good} })
	if err != nil {
		return f, translate(err)
	}
	var took []int64
	for _, r := range found {
		if r.at < micros(since) {
			continue
		}
		f.Attempts++
		if !r.good {
			f.Failed++
		}
		if r.status != 0 {
			took = append(took, r.took)
		}
	}
	if slices.Sort(took); len(took) > 0 {
		f.P50, f.P95 = length(took[len(took)/2]), length(took[len(took)*95/100])
	}
	type wait struct{ n, oldest int64 }
	rows, err = s.reads().query(ctx, "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM (SELECT at FROM deliveries WHERE tenant_id = ? AND "+
		"connection_id = ? AND due_at > 0 ORDER BY due_at LIMIT ?) few", uuid(s.id), uuid(id), tenants.WaitingCounted)
	waiting, err := collect(rows, err, func(w *wait) []any { return []any{&w.n, &w.oldest} })
	if err != nil || len(waiting) == 0 {
		return f, translate(err)
	}
	f.Waiting, f.OldestWaiting = waiting[0].n, moment(waiting[0].oldest)
	return f, nil
}

// Replay asks for deliveries to be sent again: one, by its event, or those of a span of time.
type Replay struct {
	Event    string
	From, To time.Time // happened in [From, To); zero = open
	Failed   bool      // only those that were not delivered
}

// Replay makes deliveries due now, whether they were delivered or not, and says how many: at most
// tenants.ReplayMost, the oldest first. Each goes out with the id it had. One that waits for its
// next attempt is tried at once.
func (s Deliveries) Replay(ctx context.Context, id tenants.ConnectionID, q Replay) (n int64, err error) {
	now := micros(s.s.now())
	where, args := "tenant_id = ? AND connection_id = ?", []any{uuid(s.id), uuid(id)}
	if q.Event != "" {
		where, args = where+" AND event_id = ?", append(args, known(q.Event))
	}
	if !q.From.IsZero() {
		where, args = where+" AND at >= ?", append(args, micros(q.From))
	}
	if !q.To.IsZero() {
		where, args = where+" AND at < ?", append(args, micros(q.To))
	}
	if q.Failed {
		where += " AND state <> 'delivered'"
	}
	rows, err := s.reads().query(ctx, "SELECT seq FROM deliveries WHERE "+where+" ORDER BY seq LIMIT ?", append(args,
		tenants.ReplayMost)...)
	seqs, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	if err != nil {
		return 0, translate(err)
	}
	err = s.write(ctx, func(t *tx) error {
		row, err := Connections(s).held(t, id)
		switch {
		case err != nil:
			return err
		case row.State != string(tenants.ConnectionActive):
			return tenants.Refuse(tenants.Conflict, "connection_not_active", "This connection is %s. Make it active first.", row.State)
		case len(seqs) == 0 && q.Event != "":
			return tenants.NoSuch("event of this connection")
		case len(seqs) == 0:
			return nil
		}
		return t.audit(s.scope, "connection.replay", string(id), tenants.FormatCount(int64(len(seqs))))
	})
	for part := range slices.Chunk(seqs, trimMost) {
		if err != nil {
			break
		}
		err = s.s.w.do(ctx, s.access(), func(t *tx) error {
			_, err := t.exec("UPDATE deliveries SET state = 'waiting', due_at = ?, begun_at = ?, tries = 0, ended_at = 0 WHERE "+
				t.d.dialect.aside("tenant_id")+" = ? AND seq IN ("+marks(len(part))+")",
				append([]any{now, now, uuid(s.id)}, padded(part)...)...)
			return err
		})
	}
	return int64(len(seqs)), err
}

// Record writes an event that was delivered outside of the queue, with how it went: it is never
// tried again by itself.
func (s Deliveries) Record(ctx context.Context, d NewDelivery, a tenants.DeliveryAttempt) error {
	return s.write(ctx, func(t *tx) error {
		if _, err := Connections(s).held(t, d.Connection); err != nil {
			return err
		}
		if err := t.deliver(d, micros(s.s.now())); err != nil {
			return err
		}
		var seq int64
		if err := t.row("SELECT seq FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND event_id = ?",
			[]any{uuid(s.id), uuid(d.Connection), uuid(d.Event)}, &seq); err != nil {
			return err
		}
		if err := s.settle(t, d.Connection, &Outcome{Delivery: tenants.Delivery{Seq: seq}, Attempt: a}); err != nil {
			return err
		}
		return t.audit(s.scope, "connection.test", string(d.Connection), string(d.Kind))
	})
}

// retire removes a little of the old deliveries of each connection: also of
// those to which nothing was sent for a while.
func (s Deliveries) retire(ctx context.Context, now time.Time) (removed int, err error) {
	rows, err := s.reads().query(ctx, "SELECT id FROM connections WHERE tenant_id = ?", uuid(s.id))
	ids, err := collect(rows, err, func(id *tenants.ConnectionID) []any { return []any{(*uuid)(id)} })
	if err != nil {
		return 0, translate(err)
	}
	for _, id := range ids {
		n, err := s.Trim(ctx, id, now)
		if removed += int(n); err != nil {
			return removed, err
		}
	}
	return removed, nil
}

// trimMost bounds the deliveries of one removal, which holds the writer up for some milliseconds.
const trimMost = 200

// Trim removes ended deliveries of a connection that had their time, or of which there are newer
// ones enough, and says how many: call it until that is nothing.
func (s Deliveries) Trim(ctx context.Context, id tenants.ConnectionID, now time.Time) (int64, error) {
	seqs, err := s.ended(ctx, id, now)
	if err != nil || len(seqs) == 0 {
		return 0, err
	}
	var n int64
	err = s.s.w.do(ctx, s.access(), func(t *tx) (err error) {
		n, err = t.change("DELETE FROM deliveries WHERE "+t.d.dialect.aside("tenant_id")+" = ? AND due_at = 0 AND seq IN ("+
			marks(len(seqs))+")",
			append([]any{uuid(s.id)}, padded(seqs)...)...)
		return err
	})
	return n, err
}

// ended lists the oldest deliveries to remove.
func (s Deliveries) ended(ctx context.Context, id tenants.ConnectionID, now time.Time) ([]int64, error) {
	newest, err := one(s.reads().query(ctx, "SELECT COALESCE((SELECT seq FROM deliveries WHERE tenant_id = ? AND connection_id = ? "+
		"ORDER BY seq DESC LIMIT 1 OFFSET ?), 0)", uuid(s.id), uuid(id), tenants.DeliveriesMost))
	if err != nil {
		return nil, err
	}
	rows, err := s.reads().query(ctx, "SELECT seq FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND due_at = 0 AND "+
		"(seq <= ? OR begun_at <= ?) ORDER BY seq LIMIT ?", uuid(s.id), uuid(id), newest, micros(now.Add(-tenants.DeliveriesKept)),
		trimMost)
	seqs, err := collect(rows, err, func(n *int64) []any { return []any{n} })
	return seqs, translate(err)
}
