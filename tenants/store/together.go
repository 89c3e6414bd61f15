package store

import (
	"fmt"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"carillon/tenants"
)

// change is a change of a ring that starts from a hint, and so needs no read. Those of a group are
// written together: their statements travel to PostgreSQL in one round trip, before the jobs run.
type change struct {
	s    *scope
	hint *tenants.Ring
	due  time.Time
	fold func(*tenants.Ring) ([]tenants.Fact, error)

	// What became of it in this run of the group.
	tried, done bool
	ring        *tenants.Ring
	facts       []tenants.Fact
}

// changeOf is the change of a job, if it can be written with others. Somebody's own change has an
// audit row, which is written in the order of the jobs.
func changeOf(s *scope, hint *tenants.Ring, due time.Time, fold func(*tenants.Ring) ([]tenants.Fact, error)) *change {
	if hint == nil || s.acts() || !s.s.db.dialect.pipelines() {
		return nil
	}
	return &change{s: s, hint: hint, due: due, fold: fold}
}

// together are the statements of the changes in a group that start from hints. One that finds its
// ring as the hint says is done when its job runs; another one runs by itself.
func (t ringsTx) together(group []*job) (list []sent) {
	rings := map[tenants.RingID]bool{}
	for _, j := range group {
		if j.change == nil {
			continue
		}
		if j.change.tried, j.change.done = false, false; rings[j.change.hint.ID] {
			continue
		}
		if update, ok := t.ready(j.change); ok {
			rings[j.change.hint.ID] = true
			list = append(list, update)
		}
	}
	return list
}

// ready is the statement that changes the ring, unless the change needs more than that and what is
// collected.
func (t ringsTx) ready(c *change) (update sent, ok bool) {
	r := copied(c.hint)
	facts, err := c.folded(r)
	if err != nil {
		return update, false // its job says so, if it is still true of what is recorded
	}
	rounded(r)
	moved := altered(c.hint, r)
	if len(facts) == 0 && !moved.any() || moved.steps || moved.call || !r.ExpiresAt.Equal(c.hint.ExpiresAt) {
		return update, false
	}
	r.Version = c.hint.Version + 1
	update.text, update.args = ringUpdate(c.s, r, c.hint.Version, c.due, false)
	update.done = func(tag pgconn.CommandTag) {
		if c.tried = true; tag.RowsAffected() == 0 {
			return
		}
		c.done, c.ring, c.facts = true, r, facts
		_ = t.setAttempts(c.hint, r, moved) // collects only
		t.addFacts(r, facts, moved)
	}
	return update, true
}

// folded keeps a panic away from the other changes: it comes again where the job runs alone.
func (c *change) folded(r *tenants.Ring) (facts []tenants.Fact, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("store: panic in a change: %v", p)
		}
	}()
	return c.fold(r)
}
