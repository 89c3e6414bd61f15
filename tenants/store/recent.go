package store

import (
	"database/sql"
	"strings"
	"sync"

	"carillon/tenants"
)

// recent holds the facts of the last commits of SQLite's one writer as the roller counts them, so
// that it need not read them again. It is only a copy: where it does not hold every fact behind the
// roller's cursor (after a start, or when another process wrote), the roller reads the database.
type recent struct {
	hops map[string][2]string

	mu    sync.Mutex // guards facts
	facts []newFact  // with consecutive seqs
}

// recentMost bounds the facts that are kept: a few seconds' at the rate of a busy machine.
const recentMost = 20_000

// noted is what a transaction recorded of a ring: the ring with the facts, and the facts in order.
type noted struct {
	ring  *tenants.Ring
	facts []tenants.Fact
}

// note remembers facts until they are committed.
func (t ringsTx) note(r *tenants.Ring, facts []tenants.Fact) {
	if t.d.dialect.isFile() && len(facts) > 0 {
		t.notes = append(t.notes, noted{r, facts})
	}
}

// add takes what was committed. Facts without a gap before them follow those that are kept; else
// only they are kept.
func (m *recent) add(notes []noted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range notes {
		for i := range c.facts {
			f := m.fact(c.ring, &c.facts[i])
			if last := len(m.facts) - 1; last >= 0 && m.facts[last].seq+1 != f.seq || last+1 >= recentMost {
				m.facts = nil
			}
			m.facts = append(m.facts, f)
		}
	}
}

// after copies up to limit facts behind a seq; ok is false when they are not all here.
func (m *recent) after(seq int64, limit int) (facts []newFact, ok bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.facts) == 0 {
		return nil, false
	}
	from := seq + 1 - m.facts[0].seq
	if from < 0 || from >= int64(len(m.facts)) {
		return nil, false
	}
	facts = append(facts, m.facts[from:min(int(from)+limit, len(m.facts))]...)
	// Of an attempt the newest is counted, as the database would have it: its environment may have
	// been learnt from Apple's answer.
	newest := map[attemptName]string{}
	for i := len(facts) - 1; i >= 0; i-- {
		f := &facts[i]
		if learnt, ok := newest[f.attemptName()]; ok {
			f.environment = learnt
		} else {
			newest[f.attemptName()] = f.environment
		}
	}
	return facts, true
}

// forget drops the facts up to a seq, which are counted.
func (m *recent) forget(upTo int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for len(m.facts) > 0 && m.facts[0].seq <= upTo {
		n := min(int64(len(m.facts)), upTo-m.facts[0].seq+1)
		m.facts = m.facts[n:]
	}
	if len(m.facts) == 0 {
		m.facts = nil // with the array behind it
	}
}

// fact is a recorded fact of the ring as the roller counts it.
func (m *recent) fact(r *tenants.Ring, f *tenants.Fact) newFact {
	n := newFact{
		place: place{seq: f.Seq}, tenant: uuid(r.Tenant), ring: uuid(r.ID), attempt: uuid(f.Attempt), kind: string(f.Kind),
		at:     micros(f.At),
		detail: f.Detail, first: true,
	}
	hops := m.hops[n.kind]
	for i := range r.Attempts {
		a := &r.Attempts[i]
		mine := a.ID == f.Attempt
		if mine {
			n.attemptInfo = infoOf(r, a)
		}
		for j := range a.Facts {
			g := &a.Facts[j]
			switch {
			case g.Seq >= f.Seq: // recorded later
			case g.Kind == f.Kind:
				n.first = n.first && r.To.Device != ""
			case mine && string(g.Kind) == hops[0]:
				n.before = sql.NullInt64{Int64: micros(g.At), Valid: true}
			case mine && string(g.Kind) == hops[1]:
				n.after = sql.NullInt64{Int64: micros(g.At), Valid: true}
			}
			if mine && g.Seq < f.Seq && g.Kind == tenants.FactConnected {
				n.heard = true
			}
		}
	}
	if n.endedBy == n.seq {
		n.outcome = n.state
	}
	return n
}

// infoOf is what is counted of an attempt; see talliedColumns.
func infoOf(r *tenants.Ring, a *tenants.Attempt) attemptInfo {
	info := attemptInfo{
		there: true, environment: string(a.Push.Environment), app: a.AppVersion, os: a.OSVersion, agent: uuid(r.Agent),
		person: r.To.Device == "", test: r.Test, placed: micros(r.CreatedAt), expires: micros(r.ExpiresAt), state: string(r.State),
	}
	if r.By.Kind == tenants.ActorKey {
		info.key = uuid(r.By.ID)
	}
	if r.EndedAt.IsZero() {
		return info
	}
	for i := range r.Attempts {
		for _, f := range r.Attempts[i].Facts {
			if f.Received.Equal(r.EndedAt) && strings.Contains(endings, "'"+string(f.Kind)+"'") {
				info.endedBy = max(info.endedBy, f.Seq)
			}
		}
	}
	return info
}
