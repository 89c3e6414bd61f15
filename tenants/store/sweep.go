package store

import (
	"context"
	"slices"
	"time"

	"carillon/tenants"
)

// Work is what the sweep looks for. A ring has a due moment until it has ended: the end of its
// lease while it is on its way to Apple, then its expiry, then the end of a call's lease.
type Work int

// The kinds of work.
const (
	LiveRings    Work = iota // not answered, with time left: perhaps not pushed yet
	ExpiredRings             // not answered, and their time is up
	Calls                    // answered: perhaps their server died
)

// condition is the WHERE of the work that is due, and its arguments.
//
// The range of LiveRings has a beginning, so that a long backlog of expired rings is not read to
// find them: a live ring was placed, and so made due, within the longest time to live, or within
// that of a group.
func (w Work) condition(now time.Time) (string, []any) {
	at := micros(now)
	switch w {
	case LiveRings:
		return "due_at > ? AND due_at <= ? AND expires_at > ? AND state <> 'answered'", []any{micros(now.Add(-tenants.MaxGroupTTL)), at, at}
	case ExpiredRings:
		return "due_at IS NOT NULL AND due_at <= ? AND expires_at <= ? AND state <> 'answered'", []any{at, at}
	}
	return "due_at IS NOT NULL AND due_at <= ? AND state = 'answered'", []any{at}
}

// Due lists the kinds of work that are due at now, of any tenant. It is one cheap read, so that a
// sweep with nothing to do does not trouble the writer.
func (s Jobs) Due(ctx context.Context, now time.Time) (due []Work, err error) {
	all := []Work{LiveRings, ExpiredRings, Calls}
	query, args := "", []any(nil)
	for _, w := range all {
		where, more := w.condition(now)
		if query != "" {
			query += ", "
		}
		query += "EXISTS (SELECT 1 FROM rings WHERE " + where + ")"
		args = append(args, more...)
	}
	rows, err := s.db.through(allTenants).query(ctx, "SELECT "+query, args...)
	found, err := collect(rows, err, func(f *[3]bool) []any { return []any{&f[0], &f[1], &f[2]} })
	if err != nil {
		return nil, translate(err)
	}
	for i, is := range found[0] {
		if is {
			due = append(due, all[i])
		}
	}
	return due, nil
}

// Claim takes up to limit rings of every tenant with this work, oldest first, by moving their
// moment to now + lease, or to their expiry if that is sooner and still to come: no other sweep
// gets them before that, and if this process dies they come back then.
func (s Jobs) Claim(ctx context.Context, w Work, now time.Time, lease time.Duration, limit int) (rings []*tenants.Ring, err error) {
	where, args := w.condition(now)
	until := micros(now.Add(lease))
	args = append(append(args, limit), micros(now), until, until)
	taken := ""
	if w == LiveRings && !s.db.dialect.isFile() {
		taken, args = ", pushed_by = ?", append(args, s.self)
	}
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		// PostgreSQL may run the SELECT of an IN several times, and holdFree then gives it other
		// rows each time.
		rows, err := t.query(context.Background(), "WITH due (tenant, ring) AS (SELECT tenant_id, id FROM rings WHERE "+where+
			" ORDER BY due_at LIMIT ?"+s.db.dialect.holdFree()+") UPDATE rings SET due_at = CASE WHEN expires_at > ? AND expires_at < ? "+
			"THEN expires_at ELSE ? END"+taken+" FROM due WHERE tenant_id = tenant AND id = ring RETURNING "+ringColumns, args...)
		found, err := collect(rows, err, (*ringRow).fields)
		rings = nouns(found, ringRow.noun)
		return err
	})
	if err != nil {
		return nil, err
	}
	slices.SortFunc(rings, func(a, b *tenants.Ring) int { return a.CreatedAt.Compare(b.CreatedAt) })
	return rings, translate(fillAll(ctx, s.db.dialect, s.db.through(allTenants), rings))
}

// Again reads rings of any tenants again; what is gone is left out.
func (s Jobs) Again(ctx context.Context, rings []*tenants.Ring) (again []*tenants.Ring, err error) {
	q := s.db.through(allTenants)
	for some := range slices.Chunk(rings, sizes[0]) {
		where, args := s.db.dialect.namedRings("tenant_id", "id", namesOf(some))
		rows, err := q.query(ctx, "SELECT "+ringColumns+" FROM rings WHERE "+where, args...)
		found, err := collect(rows, err, (*ringRow).fields)
		if err != nil {
			return nil, translate(err)
		}
		again = append(again, nouns(found, ringRow.noun)...)
	}
	return again, translate(fillAll(ctx, s.db.dialect, q, again))
}

// AwaitExpiry makes rings of any tenants due when they expire.
func (s Jobs) AwaitExpiry(ctx context.Context, rings []*tenants.Ring) error {
	if len(rings) == 0 {
		return nil
	}
	return s.w.do(ctx, allTenants, func(t *tx) error {
		for some := range slices.Chunk(rings, sizes[0]) {
			where, args := t.d.dialect.namedRings("tenant_id", "id", namesOf(some))
			if _, err := t.exec("UPDATE rings SET due_at = expires_at WHERE due_at IS NOT NULL AND state <> 'answered' AND ("+where+")",
				args...); err != nil {
				return err
			}
		}
		return nil
	})
}

// Changed is a ring as it is recorded now, and the facts that were recorded with the change.
type Changed struct {
	Ring  *tenants.Ring
	Facts []tenants.Fact
}

// Expire ends up to limit expired rings of every tenant, those that are due longest first, in one
// commit and a handful of statements. expire folds its facts into the ring that it gets, and
// returns them; it may run more than once. A ring that it does not end is due again after lease.
//
// The rows are held while they are read and changed, so that two nodes never end the same ring and
// nothing can come between.
func (s Jobs) Expire(ctx context.Context, now time.Time, lease time.Duration, limit int,
	expire func(*tenants.Ring) []tenants.Fact) (done []Changed, err error) {
	where, args := ExpiredRings.condition(now)
	args = append(args, limit)
	err = s.w.do(ctx, allTenants, func(t *tx) error {
		done = nil
		rows, err := t.query(context.Background(), "SELECT "+ringColumns+" FROM rings WHERE "+where+" ORDER BY due_at LIMIT ?"+
			s.db.dialect.holdFree(), args...)
		found, err := collect(rows, err, (*ringRow).fields)
		if err != nil {
			return err
		}
		rings := nouns(found, ringRow.noun)
		if err := fillAll(context.Background(), t.d.dialect, t, rings); err != nil {
			return err
		}
		e := expiries{again: micros(now.Add(lease)), rings: map[ending][]ringName{}, attempts: map[tenants.State][]attemptName{}}
		for _, r := range rings {
			before := copied(r)
			facts := expire(r)
			rounded(r)
			r.Version++
			e.add(before, r)
			done = append(done, Changed{r, facts})
		}
		return t.rings().setExpiries(&e, done)
	})
	if err != nil {
		return nil, err
	}
	return done, nil
}

// ending is what rings have in common that end together.
type ending struct {
	state, reason string
	at            int64
	due           any // nil once it has ended
}

// expiries are the rows to change, by what they are changed to.
type expiries struct {
	again    int64 // when a ring that did not end is due
	rings    map[ending][]ringName
	attempts map[tenants.State][]attemptName
}

// add takes what changed between before and r.
func (e *expiries) add(before, r *tenants.Ring) {
	end := ending{string(r.State), string(r.EndReason), micros(r.EndedAt), nil}
	if !r.State.Terminal() {
		end.due = e.again
	}
	name := ringName{uuid(r.Tenant), uuid(r.ID)}
	e.rings[end] = append(e.rings[end], name)
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.State != before.Attempts[i].State {
			e.attempts[a.State] = append(e.attempts[a.State], attemptName{name, uuid(a.ID)})
		}
	}
}

func (t ringsTx) setExpiries(e *expiries, done []Changed) error {
	for end, rings := range e.rings {
		for some := range slices.Chunk(rings, sizes[0]) {
			where, args := t.d.dialect.namedRings("tenant_id", "id", some)
			args = append([]any{end.state, end.at, end.reason, end.due}, args...)
			if _, err := t.exec("UPDATE rings SET version = version + 1, state = ?, ended_at = ?, end_reason = ?, due_at = ? WHERE "+where,
				args...); err != nil {
				return err
			}
		}
	}
	for state, attempts := range e.attempts {
		for some := range slices.Chunk(attempts, sizes[0]) {
			where, args := t.d.dialect.namedAttempts(some)
			if _, err := t.exec("UPDATE attempts SET state = ? WHERE "+where, append([]any{string(state)}, args...)...); err != nil {
				return err
			}
		}
	}
	for _, c := range done {
		if c.Ring.To.Group != "" {
			if err := t.dropSteps(c.Ring); err != nil {
				return err
			}
		}
		for i := range c.Facts {
			f := &c.Facts[i]
			roundFact(f)
			t.addFact(c.Ring.Tenant, c.Ring.ID, f, &f.Seq, seqOf(c.Ring, f))
		}
		t.note(c.Ring, c.Facts, false)
	}
	return nil
}

// dropSteps writes that the steps of an expired ring that were still to come will not begin.
func (t ringsTx) dropSteps(r *tenants.Ring) error {
	_, err := t.exec("UPDATE ring_steps SET state = ? WHERE tenant_id = ? AND ring_id = ? AND state = ?", string(tenants.StepDropped),
		uuid(r.Tenant), uuid(r.ID), string(tenants.StepPlanned))
	return err
}

// fillAll is fill for rings of several tenants.
func fillAll(ctx context.Context, d dialect, q querier, rings []*tenants.Ring) error {
	for some := range slices.Chunk(rings, sizes[0]) {
		where, args := d.namedRings("tenant_id", "ring_id", namesOf(some))
		if err := fillFrom(ctx, q, where, args, some); err != nil {
			return err
		}
	}
	return nil
}

func namesOf(rings []*tenants.Ring) []ringName {
	names := make([]ringName, len(rings))
	for i, r := range rings {
		names[i] = ringName{uuid(r.Tenant), uuid(r.ID)}
	}
	return names
}
