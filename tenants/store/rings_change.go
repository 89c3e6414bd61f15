package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"carillon/tenants"
)

// Change changes a ring by what change makes of it, in one grouped write. It starts from hint while
// the hint's version is still the recorded one, which costs no read, and else from what is
// recorded. change gets a copy of its own, folds facts into it and may edit the attempts' Push and
// the ring's Call; it returns the facts to record, in order. It may run more than once and must
// depend on nothing but its ring. It may add attempts behind the others. An error of change, or
// neither facts nor edits, writes nothing.
//
// due moves the moment at which the sweep looks at the ring; zero leaves it; a ring that has ended
// is never due. What comes back is the ring as recorded and the facts with their Seq.
func (s Rings) Change(ctx context.Context, id tenants.RingID, hint *tenants.Ring, due time.Time,
	change func(*tenants.Ring) ([]tenants.Fact, error)) (ring *tenants.Ring, facts []tenants.Fact, err error) {
	if hint != nil && (hint.ID != id || hint.Tenant != s.id) {
		hint = nil
	}
	together := changeOf(s.scope, hint, due, change)
	run := func(t *tx) (err error) {
		ring, facts = nil, nil
		if together != nil && together.done {
			ring, facts = together.ring, together.facts
			return nil
		}
		if hint != nil && (together == nil || !together.tried) {
			done := false
			ring, facts, done, err = t.rings().changeRing(s.scope, hint, due, change)
			if done && ring.Version != hint.Version || err != nil && (t.wrote || t.failed != nil) {
				return err
			}
			// Nothing was written. What change said may be of a hint that is out of date: only
			// what is recorded counts.
		}
		start, err := s.ring(context.Background(), t, id, t.hold())
		if err != nil {
			return err
		}
		done := false
		if ring, facts, done, err = t.rings().changeRing(s.scope, start, due, change); done || err != nil {
			return err
		}
		if s.fenced {
			return ErrTaken
		}
		return tenants.Refuse(tenants.Unavailable, "unavailable", "The ring changed while it was held. Try again.")
	}
	j := &job{access: s.access(), run: run, change: together, patient: s.patient, done: make(chan struct{})}
	if err := s.s.w.wait(ctx, j); err != nil {
		return nil, nil, err
	}
	return ring, facts, nil
}

// hold is how a ring that will be changed is read.
func (t *tx) hold() string { return t.d.dialect.hold() }

// changeRing writes what change makes of start; done is false when start is no longer what is
// recorded.
func (t ringsTx) changeRing(s *scope, start *tenants.Ring, due time.Time,
	change func(*tenants.Ring) ([]tenants.Fact, error)) (*tenants.Ring, []tenants.Fact, bool, error) {
	r := copied(start)
	facts, err := change(r)
	if err != nil {
		return nil, nil, false, err
	}
	rounded(r)
	moved := altered(start, r)
	if len(facts) == 0 && !moved.any() {
		return r, nil, true, nil
	}
	r.Version = start.Version + 1
	done, err := t.setRing(s, r, start.Version, due, moved.steps)
	if done && err == nil && !r.ExpiresAt.Equal(start.ExpiresAt) {
		_, err = t.run("UPDATE rings SET expires_at = ? WHERE tenant_id = ? AND id = ?", []any{micros(r.ExpiresAt), uuid(s.id), uuid(r.ID)})
	}
	if !done || err != nil {
		return nil, nil, false, err
	}
	if err := t.setAttempts(start, r, moved); err != nil {
		return nil, nil, false, err
	}
	if moved.steps {
		if err := t.setSteps(s, start.Steps, r); err != nil {
			return nil, nil, false, err
		}
	}
	if moved.call {
		if err := t.setCall(s.id, r); err != nil {
			return nil, nil, false, err
		}
	}
	t.addFacts(r, facts, moved)
	if s.acts() {
		err = t.audit(s, changed(facts), string(r.ID), strings.TrimSuffix(kinds(facts)+": "+s.who.Reason, ": "))
	}
	return r, facts, true, err
}

// addFacts collects the facts of a change.
func (t ringsTx) addFacts(r *tenants.Ring, facts []tenants.Fact, moved movement) {
	for i := range facts {
		f := &facts[i]
		roundFact(f)
		t.addFact(r.Tenant, r.ID, f, &f.Seq, seqOf(r, f))
	}
	t.note(r, facts, moved.learnt)
}

// setAttempts writes the attempts that a change moved, and collects those that it added.
func (t ringsTx) setAttempts(start, r *tenants.Ring, moved movement) error {
	for _, i := range moved.attempts {
		if i >= len(start.Attempts) {
			t.addAttempt(r.Tenant, r, &r.Attempts[i])
			continue
		}
		if err := t.setAttempt(r, &start.Attempts[i], &r.Attempts[i]); err != nil {
			return err
		}
	}
	return nil
}

// movement is what a change edited.
type movement struct {
	ring, call, steps bool
	attempts          []int
	learnt            bool // an attempt's environment
}

func (m movement) any() bool { return m.ring || m.call || m.steps || len(m.attempts) > 0 }

func altered(a, b *tenants.Ring) (m movement) {
	m.ring = a.State != b.State || !a.EndedAt.Equal(b.EndedAt) || a.EndReason != b.EndReason ||
		!a.ExpiresAt.Equal(b.ExpiresAt)
	m.steps = !slices.Equal(a.Steps, b.Steps)
	m.call = b.Call != nil && (a.Call == nil || *a.Call != *b.Call)
	for i := range b.Attempts {
		if i >= len(a.Attempts) || a.Attempts[i].State != b.Attempts[i].State || a.Attempts[i].Push != b.Attempts[i].Push {
			m.attempts = append(m.attempts, i)
			m.learnt = m.learnt || i < len(a.Attempts) && a.Attempts[i].Push.Environment != b.Attempts[i].Push.Environment
		}
	}
	return m
}

// seqOf is the place of the fact's Seq on the ring itself.
func seqOf(r *tenants.Ring, f *tenants.Fact) *int64 {
	for i := range r.Own {
		if g := &r.Own[i]; f.Attempt == "" && g.Kind == f.Kind {
			return &g.Seq
		}
	}
	for i := range r.Attempts {
		if r.Attempts[i].ID != f.Attempt {
			continue
		}
		for j := range r.Attempts[i].Facts {
			if g := &r.Attempts[i].Facts[j]; g.Kind == f.Kind && g.Nth == f.Nth {
				return &g.Seq
			}
		}
	}
	return &f.Seq
}

// setRing compares and sets: nothing happens when the ring's version is no longer was. With steps
// the ring belongs to no server afterwards: the one that begins a step pushes it, which need not be
// the one that claimed the ring before.
func (t ringsTx) setRing(s *scope, r *tenants.Ring, was int, due time.Time, steps bool) (bool, error) {
	done, err := t.run(ringUpdate(s, r, was, due, steps))
	if err != nil {
		return false, err
	}
	n, err := done.RowsAffected()
	t.wrote = t.wrote || n > 0
	return n > 0, err
}

// ringUpdate is the statement of setRing.
func ringUpdate(s *scope, r *tenants.Ring, was int, due time.Time, steps bool) (query string, args []any) {
	query = "UPDATE rings SET version = ?, state = ?, ended_at = ?, end_reason = ?"
	args = []any{r.Version, string(r.State), micros(r.EndedAt), string(r.EndReason)}
	switch {
	case r.State.Terminal():
		query += ", due_at = NULL"
	case !due.IsZero():
		query += ", due_at = ?"
		args = append(args, micros(due))
	}
	if steps && !s.s.db.dialect.isFile() {
		query += ", pushed_by = NULL"
	}
	fence, me := s.fence()
	args = append(append(args, uuid(s.id), uuid(r.ID), was), me...)
	return query + " WHERE tenant_id = ? AND id = ? AND version = ?" + fence, args
}

// updateAttempt, aimAttempt and upsertCall are the statements of setAttempt and setCall.
var (
	updateAttempt = "UPDATE attempts SET " + settings(pushColumns) + ofAttempt
	aimAttempt    = "UPDATE attempts SET " + settings(aimColumns) + ofAttempt
	upsertCall    = "INSERT INTO calls (tenant_id, " + callColumns + ") VALUES (?, " + places(callColumns) + ") " +
		"ON CONFLICT (tenant_id, ring_id) DO UPDATE SET " + replaced(callColumns)
)

const ofAttempt = " WHERE tenant_id = ? AND ring_id = ? AND id = ?"

// setAttempt writes an attempt of the ring; before is as it is recorded.
func (t ringsTx) setAttempt(r *tenants.Ring, before, a *tenants.Attempt) error {
	row := rowOfAttempt(r.ID, a)
	err := t.later(updateAttempt, append(values(row.push()), uuid(r.Tenant), row.Ring, row.ID))
	p, q := before.Push, a.Push
	if err != nil || p.Topic == q.Topic && p.Token == q.Token && p.Environment == q.Environment {
		return err
	}
	return t.later(aimAttempt, append(values(row.aim()), uuid(r.Tenant), row.Ring, row.ID))
}

// later runs a statement of whose answer nothing depends: on PostgreSQL with what is collected.
func (t ringsTx) later(query string, args []any) error {
	if !t.d.dialect.pipelines() {
		_, err := t.run(query, args)
		return err
	}
	t.rows.later = append(t.rows.later, sent{text: query, args: args})
	return nil
}

func (t ringsTx) setCall(tenant tenants.TenantID, r *tenants.Ring) error {
	row := rowOfCall(r.ID, r.Call)
	_, err := t.run(upsertCall, append([]any{uuid(tenant)}, values(row.fields())...))
	return err
}

// changed names what somebody did to a ring, for the audit row.
func changed(facts []tenants.Fact) string {
	for i := range facts {
		switch facts[i].Kind {
		case tenants.FactCancelled:
			return "ring.cancel"
		case tenants.FactHungUp:
			return "ring.hang_up"
		case tenants.FactTransferred:
			return "ring.transfer"
		}
	}
	return "ring.set"
}

func kinds(facts []tenants.Fact) string {
	names := make([]string, len(facts))
	for i := range facts {
		names[i] = string(facts[i].Kind)
	}
	return strings.Join(names, ", ")
}

// SetDue moves the moment at which the sweep looks at a ring that has not ended; an ended one is
// left alone.
func (s Rings) SetDue(ctx context.Context, id tenants.RingID, due time.Time) error {
	return s.setDue(ctx, id, due, "")
}

func (s Rings) setDue(ctx context.Context, id tenants.RingID, due time.Time, where string) error {
	return s.s.w.do(ctx, s.access(), func(t *tx) error {
		n, err := t.change("UPDATE rings SET due_at = ? WHERE tenant_id = ? AND id = ? AND ended_at = 0"+where, micros(due), uuid(s.id),
			uuid(id))
		if err != nil || n > 0 {
			return err
		}
		_, err = s.ring(context.Background(), t, id, "")
		return err
	})
}

// AwaitStep is SetDue for a ring to a group that waits for its next step. One that was answered
// meanwhile is left alone: its moment is the end of its call's lease.
func (s Rings) AwaitStep(ctx context.Context, id tenants.RingID, due time.Time) error {
	return s.setDue(ctx, id, due, " AND state <> 'answered'")
}
