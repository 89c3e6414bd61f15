package store

import (
	"database/sql"
	"slices"
	"strings"
	"sync"

	"carillon/tenants"
)

// recent holds the facts of the last commits of SQLite's one writer as the roller counts them, so
// that it need not read them again. It is only a copy: where it does not hold every fact behind the
// roller's cursor (after a start, or when another process wrote), the roller reads the database.
type recent struct {
	hops map[string][2]string

	mu    sync.Mutex // guards both
	facts []newFact  // with consecutive seqs
	// learnt are the environments of attempts that Apple's answer corrected. Facts from before it
	// count there too, as the database would have it.
	learnt map[attemptName]string
}

// recentMost bounds the facts that are kept: two seconds' at 10,000 rings a second. To read as many
// from the database takes a tenth of the time that their rings took.
const recentMost = 60_000

// noted is what a transaction recorded of a ring: the ring with the facts, and the facts in order.
type noted struct {
	ring   *tenants.Ring
	facts  []tenants.Fact
	learnt bool // an attempt has another environment than before
}

// note remembers facts until they are committed.
func (t ringsTx) note(r *tenants.Ring, facts []tenants.Fact, learnt bool) {
	if t.d.dialect.isFile() && len(facts) > 0 {
		t.notes = append(t.notes, noted{r, facts, learnt})
	}
}

// add takes what was committed. Facts without a gap before them follow those that are kept; else
// only they are kept.
func (m *recent) add(notes []noted) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range notes {
		var info *attemptInfo // of the fact before
		for i := range c.facts {
			f := &c.facts[i]
			if last := len(m.facts) - 1; last >= 0 && m.facts[last].seq+1 != f.Seq || last+1 >= recentMost {
				m.facts, m.learnt = nil, nil
			}
			if info == nil || f.Attempt != c.facts[i-1].Attempt {
				info = infoOf(c.ring, f.Attempt)
			}
			m.facts = append(m.facts, m.fact(c.ring, f, info))
		}
		if c.learnt {
			m.learn(c.ring)
		}
	}
}

// learn is called with mu held.
func (m *recent) learn(r *tenants.Ring) {
	if m.learnt == nil {
		m.learnt = map[attemptName]string{}
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		m.learnt[attemptName{ringName{uuid(r.Tenant), uuid(r.ID)}, uuid(a.ID)}] = string(a.Push.Environment)
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
	facts = slices.Clone(m.facts[from:min(int(from)+limit, len(m.facts))])
	if len(m.learnt) == 0 {
		return facts, true
	}
	for i := range facts {
		f := &facts[i]
		if environment, ok := m.learnt[f.attemptName()]; ok && f.there && f.environment != environment {
			info := *f.attemptInfo
			info.environment, f.attemptInfo = environment, &info
		}
	}
	return facts, true
}

// forget drops the facts up to a seq, which are counted. The array stays for the next ones.
func (m *recent) forget(upTo int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.facts) == 0 || m.facts[0].seq > upTo {
		return
	}
	m.facts = slices.Delete(m.facts, 0, int(min(int64(len(m.facts)), upTo-m.facts[0].seq+1)))
	if len(m.facts) == 0 {
		m.learnt = nil
	}
}

// fact is a recorded fact of the ring as the roller counts it; info is of its attempt.
func (m *recent) fact(r *tenants.Ring, f *tenants.Fact, info *attemptInfo) newFact {
	n := newFact{
		place: place{seq: f.Seq}, tenant: uuid(r.Tenant), ring: uuid(r.ID), attempt: uuid(f.Attempt), kind: string(f.Kind),
		at:     micros(f.At),
		detail: f.Detail, first: true, attemptInfo: info,
	}
	hops := m.hops[n.kind]
	for i := range r.Attempts {
		a := &r.Attempts[i]
		mine := a.ID == f.Attempt
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

// infoOf is what is counted of a ring's attempt; see talliedColumns.
func infoOf(r *tenants.Ring, id tenants.AttemptID) *attemptInfo {
	var a *tenants.Attempt
	for i := range r.Attempts {
		if r.Attempts[i].ID == id {
			a = &r.Attempts[i]
		}
	}
	if a == nil {
		return &attemptInfo{}
	}
	info := &attemptInfo{
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
