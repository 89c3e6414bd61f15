package store

import (
	"context"
	"slices"
	"time"

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

// Deliveries are the events that go to the tenant's connections.
type Deliveries struct{ *scope }

// Deliveries returns the tenant's Deliveries.
func (s *Scope) Deliveries() Deliveries { return Deliveries{&s.scope} }

// hears is the condition of connections c for which events are written: those that are sent to,
// and those that were disabled after heardSince. What happens meanwhile is written for them, is
// given up by ReviewConnections, and can be replayed once they work again. Trim bounds it, as all
// that ended.
const hears = "(c.state = 'active' OR c.state = 'disabled' AND c.disabled_at > ?)"

// heardSince is the argument of hears.
func heardSince(now time.Time) int64 { return micros(now.Add(-tenants.ConnectionHears)) }

// tell writes the deliveries of an event that is no fact of a ring, in the transaction of the
// change itself.
func (t *tx) tell(s *scope, kind tenants.EventKind, ring tenants.RingID, data ...any) error {
	rows, err := t.query(context.Background(), "SELECT c.id, c.role, c.settings FROM connections c WHERE c.tenant_id = ? AND "+hears,
		uuid(s.id), heardSince(s.s.now()))
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
			if err := t.deliveries().deliver(NewDelivery{s.id, tenants.ConnectionID(row.ID), tenants.NewRandomID(), kind, ring, now, body},
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

// Listener is a connection for which events are written, and what its tenant's industry lets leave.
type Listener struct {
	tenants.Connection
	Opaque bool
}

// Listeners are the connections of every tenant that is not suspended for which events are written:
// the active ones, and those that were disabled within tenants.ConnectionHears.
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
		"t.id = c.tenant_id WHERE "+hears+" AND t.state = 'active' LIMIT 1) few", heardSince(s.now())))
	return n > 0, err
}

// Changes is another number after each write of this process that may have changed who listens.
func (s Jobs) Changes() int { return s.seen.begin() }

func (s Jobs) listeners(ctx context.Context, and string, args ...any) ([]Listener, error) {
	type row struct {
		connectionRow
		tenant tenantRow
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT c.tenant_id, c.id, c.role, c.settings, c.created_at, t.industry, t.rules "+
		"FROM connections c JOIN tenants t ON t.id = c.tenant_id WHERE "+hears+" AND t.state = 'active'"+and,
		append([]any{heardSince(s.now())}, args...)...)
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
	err = s.w.lazily(ctx, allTenants, func(t *tx) error {
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
	return s.s.w.lazily(ctx, s.access(), func(t *tx) error {
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
	if err := s.read(ctx, "connections").Where("id = ? AND "+there, uuid(id)).Take(&row).Error; err != nil {
		return tenants.Connection{}, ConnectionSecrets{}, missing(err, "connection")
	}
	secrets, err := s.opened(row)
	return row.noun(), secrets, err
}

// sending is a connection to which something may be sent, with its opened secrets.
type sending struct {
	tenants.Connection
	secrets ConnectionSecrets
}

// ToSend is Open of a connection to which something may be sent: it is active, and its tenant is
// not suspended. What another process changed may be seen a second later.
func (s Connections) ToSend(ctx context.Context, id tenants.ConnectionID) (tenants.Connection, ConnectionSecrets, error) {
	seen := s.s.seen
	if e, ok := recall(seen, seen.sends, id); ok && e.thing.Tenant == s.id {
		return e.thing.Connection, e.thing.secrets, nil
	}
	turn := seen.begin()
	var row connectionRow
	if err := s.read(ctx, "connections").Where("id = ? AND state = 'active' AND EXISTS (SELECT 1 FROM tenants t WHERE "+
		"t.id = connections.tenant_id AND t.state = 'active')", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Connection{}, ConnectionSecrets{}, missing(err, "connection")
	}
	secrets, err := s.opened(row)
	if err == nil {
		keep(seen, seen.sends, id, entry[sending]{thing: sending{row.noun(), secrets}}, turn)
	}
	return row.noun(), secrets, err
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
		if err := s.s.w.yield(ctx, s.access(), func(t *tx) error { return do(t, marks(len(seqs)), padded(seqs)) }); err != nil {
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
		err = s.s.w.yield(ctx, s.access(), func(t *tx) error {
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
		if err := t.deliveries().deliver(d, micros(a.At)); err != nil {
			return err
		}
		var seq int64
		if err := t.row("SELECT seq FROM deliveries WHERE tenant_id = ? AND connection_id = ? AND event_id = ?",
			[]any{uuid(s.id), uuid(d.Connection), uuid(d.Event)}, &seq); err != nil {
			return err
		}
		p := settling{Deliveries: s, tx: t, id: d.Connection}
		if err := p.one(&Outcome{Delivery: tenants.Delivery{Seq: seq}, Attempt: a}); err != nil {
			return err
		}
		if err := t.deliveries().flushTries(); err != nil {
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
	err = s.s.w.lazily(ctx, s.access(), func(t *tx) (err error) {
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
