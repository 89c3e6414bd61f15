package store

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"carillon/tenants"
)

// Idempotency is a request's Idempotency-Key and the hash of its body; the zero value is a request
// without one.
type Idempotency struct {
	Key  string
	Body [32]byte
}

// idempotencyFor is how long a key is remembered.
const idempotencyFor = 24 * time.Hour

// Rings are the tenant's rings with their attempts, facts and calls.
type Rings struct{ *scope }

// Rings returns the tenant's Rings.
func (s *Scope) Rings() Rings { return Rings{&s.scope} }

// Add writes a ring with its attempts, their facts (`placed` at the ring's creation, where it is
// missing), the idempotency row and the audit row in one commit. due is when the sweep must look at
// it; a ring that has ended is never due.
//
// The same idempotency key with the same body gives the earlier ring and writes nothing; with
// another body it is Unprocessable, code idempotency_mismatch. The ring is brought to what will be
// read back: times to the microsecond, facts with their Seq. The steps of a ring to a group in turn
// are put into the order of the turns as they are now.
func (s Rings) Add(ctx context.Context, r *tenants.Ring, i Idempotency, due time.Time) (earlier *tenants.Ring, err error) {
	s.prepare(r)
	err = s.write(ctx, func(t *tx) (err error) {
		if i.Key != "" {
			if earlier, err = t.rings().remember(s.scope, r.ID, i); err != nil || earlier != nil {
				return err
			}
		}
		if s.acts() {
			if err := t.audit(s.scope, "ring.place", string(r.ID), s.who.Reason); err != nil {
				return err
			}
		}
		if r.To.Group == "" {
			t.rings().addRing(s.id, r, due)
			t.rings().reserve(s.turns, r)
			return nil
		}
		if err := t.rings().takeTurn(s.scope, r); err != nil {
			return err
		}
		t.rings().addRing(s.id, r, due)
		return t.rings().addSteps(s.id, r)
	})
	if err != nil {
		return nil, err
	}
	return earlier, nil
}

// acts reports whether a person or a program does this. What the server does by itself to a ring is
// in the ring's facts, and would flood the audit log.
func (s *scope) acts() bool { return s.who.Kind == tenants.ActorUser || s.who.Kind == tenants.ActorKey }

// prepare brings a new ring to its stored form.
func (s *scope) prepare(r *tenants.Ring) {
	r.Tenant, r.Version = s.id, 1
	if r.State == "" {
		r.State = tenants.Placed
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		a.Ring = r.ID
		if a.State == "" {
			a.State = tenants.Placed
		}
		if !a.Has(tenants.FactPlaced) {
			a.Facts = append([]tenants.Fact{{Attempt: a.ID, Kind: tenants.FactPlaced, At: r.CreatedAt, Received: r.CreatedAt}}, a.Facts...)
		}
	}
	rounded(r)
}

// rounded brings a ring's times to what will be read back.
func rounded(r *tenants.Ring) {
	r.CreatedAt, r.ExpiresAt, r.EndedAt = stored(r.CreatedAt), stored(r.ExpiresAt), stored(r.EndedAt)
	for i := range r.Attempts {
		p := &r.Attempts[i].Push
		p.SentAt, p.AnsweredAt = stored(p.SentAt), stored(p.AnsweredAt)
		for j := range r.Attempts[i].Facts {
			roundFact(&r.Attempts[i].Facts[j])
		}
	}
	for i := range r.Own {
		roundFact(&r.Own[i])
	}
	for i := range r.Steps {
		r.Steps[i].BegunAt = stored(r.Steps[i].BegunAt)
	}
	if c := r.Call; c != nil {
		c.AnsweredAt, c.ConnectedAt, c.EndedAt = stored(c.AnsweredAt), stored(c.ConnectedAt), stored(c.EndedAt)
		c.LastSoundAt = stored(c.LastSoundAt)
		c.Jitter, c.RoundTrip = length(span(c.Jitter)), length(span(c.RoundTrip))
	}
}

func roundFact(f *tenants.Fact) {
	f.At, f.Received, f.RawAt, f.RawSent = stored(f.At), stored(f.Received), stored(f.RawAt), stored(f.RawSent)
}

// ringsTx is the writer's transaction as it changes rings with their attempts, facts and calls.
type ringsTx struct{ *tx }

func (t *tx) rings() ringsTx { return ringsTx{t} }

// remember gives the ring that the key placed before, or writes down that it now places id.
func (t ringsTx) remember(s *scope, id tenants.RingID, i Idempotency) (earlier *tenants.Ring, err error) {
	var body []byte
	var ring uuid
	var at int64
	now := s.s.now()
	err = t.row("SELECT body, ring_id, created_at FROM idempotency WHERE tenant_id = ? AND key = ?", []any{uuid(s.id), i.Key}, &body,
		&ring, &at)
	switch {
	case errors.Is(err, sql.ErrNoRows):
	case err != nil:
		return nil, err
	case now.Sub(moment(at)) >= idempotencyFor:
		t.wrote = true
		if _, err := t.run("DELETE FROM idempotency WHERE tenant_id = ? AND key = ?", []any{uuid(s.id), i.Key}); err != nil {
			return nil, err
		}
	case string(body) != string(i.Body[:]):
		return nil, tenants.Refuse(tenants.Unprocessable, "idempotency_mismatch",
			"This Idempotency-Key was used for another request in the last 24 hours. Use a new key for a new ring.")
	default:
		return s.ring(context.Background(), t, tenants.RingID(ring), "")
	}
	t.wrote = true
	_, err = t.run("INSERT INTO idempotency (tenant_id, key, body, ring_id, created_at) VALUES (?, ?, ?, ?, ?)",
		[]any{uuid(s.id), i.Key, i.Body[:], uuid(id), micros(now)})
	return nil, err
}

func (t ringsTx) addRing(tenant tenants.TenantID, r *tenants.Ring, due time.Time) {
	t.wrote = true
	var dueAt any
	if !due.IsZero() && !r.State.Terminal() {
		dueAt = micros(due)
	}
	row := rowOfRing(tenant, r)
	t.rows.rings.add(values(row.fields())...)
	t.rows.rings.add(dueAt)
	for i := range r.Attempts {
		a := &r.Attempts[i]
		t.addAttempt(tenant, r, a)
		for j := range a.Facts {
			f := &a.Facts[j]
			t.addFact(tenant, r.ID, f, &f.Seq, &f.Seq)
		}
		t.note(r, a.Facts, false)
	}
}

func (t ringsTx) addAttempt(tenant tenants.TenantID, r *tenants.Ring, a *tenants.Attempt) {
	row := rowOfAttempt(r.ID, a)
	t.rows.attempts.add(uuid(tenant))
	t.rows.attempts.add(values(row.fields())...)
}

// Get is one ring with its attempts, their facts in the order of record, and its call.
func (s Rings) Get(ctx context.Context, id tenants.RingID) (*tenants.Ring, error) {
	r, err := s.ring(ctx, s.reads(), id, "")
	return r, translate(err)
}

// Facts lists a ring's facts with a Seq past after, in the order of record.
func (s Rings) Facts(ctx context.Context, id tenants.RingID, after int64) ([]tenants.Fact, error) {
	rows, err := s.reads().query(ctx, "SELECT seq, "+factColumns+" FROM facts WHERE tenant_id = ? AND ring_id = ? AND seq > ?"+
		s.s.db.dialect.ofRing()+" ORDER BY seq", uuid(s.id), uuid(id), after)
	found, err := collect(rows, err, (*factRow).read)
	if err != nil {
		return nil, translate(err)
	}
	if len(found) == 0 {
		rows, err := s.reads().query(ctx, "SELECT "+ringColumns+" FROM rings WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id))
		there, err := collect(rows, err, (*ringRow).fields)
		if err == nil && len(there) == 0 {
			return nil, tenants.NoSuch("ring")
		}
		return []tenants.Fact{}, translate(err)
	}
	return nouns(found, factRow.noun), nil
}

// Earlier is the ring that the idempotency key with this very body placed within its 24 hours; nil
// when there is none.
func (s Rings) Earlier(ctx context.Context, i Idempotency) (*tenants.Ring, error) {
	rows, err := s.reads().query(ctx, "SELECT ring_id FROM idempotency WHERE tenant_id = ? AND key = ? AND body = ? AND created_at > ?",
		uuid(s.id), i.Key, i.Body[:], micros(s.s.now().Add(-idempotencyFor)))
	ids, err := collect(rows, err, func(id *tenants.RingID) []any { return []any{(*uuid)(id)} })
	if err != nil || len(ids) == 0 {
		return nil, translate(err)
	}
	return s.Get(ctx, ids[0])
}

// Targets finds the devices of a ring. An unknown device is refused; a person without devices has
// none. A person's dead devices are left out unless there is no other, in which case policy must
// say why. A device's credential is the newest one for its app that covers its environment and
// works; where none works, the newest that does not, so that policy can say why.
func (s Rings) Targets(ctx context.Context, to tenants.To) ([]Target, error) {
	devices, err := s.targeted(ctx, to)
	if err != nil || len(devices) == 0 {
		return nil, err
	}
	credentials, err := s.pushedWith(ctx)
	if err != nil {
		return nil, err
	}
	now := s.s.now()
	targets := make([]Target, len(devices))
	for i, d := range devices {
		targets[i] = Target{Device: d, Credential: choose(credentials, d, now)}
	}
	return targets, nil
}
