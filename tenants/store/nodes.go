package store

import (
	"context"
	"database/sql"
	"strconv"
	"sync"
	"time"

	"carillon/migrations"
	"carillon/tenants"
)

// NodeGone is how long after its last heartbeat a node counts as gone.
const NodeGone = 6 * time.Second

// clockOff is how far a heartbeat may find the clock off. What is less is found by ReadClock.
const clockOff = 250 * time.Millisecond

// nodesKept is how long a node that is gone is listed. Its calls last an hour at most.
const nodesKept = 24 * time.Hour

// nodesLock is the lock that nodes take to start one after the other.
const nodesLock = "7305808869231650"

// Node is one running server on this database.
type Node struct {
	ID      tenants.NodeID
	Name    string
	Shared  bool // it has a message system, so that other nodes may run beside it
	Started time.Time
	Seen    time.Time // its last heartbeat, by the database's clock; zero = it has stopped
	Stopped time.Time // when it stopped; zero = it has not, or its program is an earlier one

	Program  string        // what it was built from; empty = it does not say
	Step     int64         // the newest step of the schema that it knows; 0 = it does not say
	ClockOff time.Duration // how far its own clock is ahead of the database's, as of its last heartbeat
}

// Nodes are the servers that run on this database. All times are by the database's clock.
type Nodes struct{ *core }

// Nodes returns the Nodes of this database.
func (s *Store) Nodes() Nodes { return Nodes{&s.core} }

// Start lists a node as living. With a message system it may run beside others that have one.
// Otherwise it is refused with Conflict while another node lives, and the refusal gives that node.
// It also keeps under which master key the node seals, for Rotate.
func (s Nodes) Start(ctx context.Context, n Node) (beside Node, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		if lock := s.db.dialect.waits(nodesLock); lock != "" {
			if _, err := t.exec(lock); err != nil {
				return err
			}
		}
		others, err := s.list(ctx, t, s.living()+" AND id <> ? ORDER BY started_at", uuid(n.ID))
		if err != nil {
			return err
		}
		for _, o := range others {
			if !n.Shared || !o.Shared {
				beside = o
				return tenants.Refuse(tenants.Conflict, "conflict", "Another server, %s, runs on this database.", o.Name)
			}
		}
		clock := s.db.dialect.clock()
		_, err = t.exec("INSERT INTO nodes (id, name, shared, started_at, seen_at, program, step, clock_off) VALUES (?, ?, ?, "+clock+", "+
			clock+", ?, ?, ?)", uuid(n.ID), n.Name, n.Shared, n.Program, migrations.Newest(string(s.db.dialect)), span(s.clockOff()))
		s.nodesNow.Store(int64(len(others) + 1))
		if err != nil || s.seal == nil {
			return err
		}
		_, err = t.exec("INSERT INTO key_checks (name, sealed) VALUES (?, ?)", nodeKey(n.ID, s.seal.Current()), []byte{})
		return err
	})
	return beside, err
}

// nodeKey is the row that says under which master key a node seals. It holds nothing sealed, so
// that a rotation leaves it as it is.
func nodeKey(id tenants.NodeID, key string) string { return "node " + string(id) + " " + key }

func forgetNodeKey(t *tx, id tenants.NodeID) error {
	_, err := t.exec("DELETE FROM key_checks WHERE name LIKE ?", nodeKey(id, "%"))
	return err
}

// Beat says that the node lives, past the writer: what that waits for must not make a node look
// gone. It returns false if the others had counted it as gone: they may have taken over what it
// held. Then it counts as living again.
func (s Nodes) Beat(ctx context.Context, id tenants.NodeID) (lived bool, err error) {
	if s.db.dialect.isFile() { // the writer has the only connection
		err = s.w.do(ctx, noTenant, func(t *tx) error {
			lived, err = s.beat(ctx, t, id)
			return err
		})
		return lived, err
	}
	for again := true; again; {
		conn, kept, err := s.pulse.take(ctx, s.db.writes)
		if err != nil {
			return false, translate(err)
		}
		lived, err = s.beat(ctx, beside{conn, s.db.dialect}, id)
		if err == nil {
			s.pulse.keep(conn)
			return lived, nil
		}
		_ = conn.Close()                              // its fault is err
		if again = kept && ctx.Err() == nil; !again { // one that was kept may have broken since
			return lived, translate(err)
		}
	}
	return lived, nil
}

// pulse keeps the connection of heartbeats from one to the next: to make one costs PostgreSQL more
// than all statements of a heartbeat. The zero value is ready.
type pulse struct {
	mu   sync.Mutex // guards both
	conn *sql.Conn
	over bool
}

// take gives the connection that was kept, or a new one.
func (p *pulse) take(ctx context.Context, from *sql.DB) (conn *sql.Conn, kept bool, err error) {
	p.mu.Lock()
	conn, p.conn = p.conn, nil
	p.mu.Unlock()
	if conn != nil {
		return conn, true, nil
	}
	conn, err = from.Conn(ctx)
	return conn, false, err
}

// keep keeps a connection that works.
func (p *pulse) keep(conn *sql.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.conn == nil && !p.over {
		p.conn = conn
		return
	}
	_ = conn.Close() // it goes back to the pool, which closes it
}

func (p *pulse) close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.over = true
	if p.conn == nil {
		return nil
	}
	err := p.conn.Close()
	p.conn = nil
	return err
}

func (s Nodes) beat(ctx context.Context, q querier, id tenants.NodeID) (lived bool, err error) {
	seen, off := "UPDATE nodes SET seen_at = "+s.db.dialect.clock()+", stopped_at = 0, clock_off = ? WHERE id = ?", span(s.clockOff())
	touch := func(query string) (found bool, err error) {
		rows, err := q.query(ctx, query+" RETURNING 1", off, uuid(id))
		n, err := collect(rows, err, func(n *int64) []any { return []any{n} })
		return len(n) > 0, err
	}
	if lived, err = touch(seen + " AND " + s.living()); err == nil && !lived {
		_, err = touch(seen)
	}
	if err != nil {
		return false, err
	}
	s.beats.add(time.Now(), lived)
	return lived, s.look(ctx, q, id)
}

// beside runs statements of no tenant beside the writer. Each is a transaction of its own.
type beside struct {
	conn    *sql.Conn
	dialect dialect
}

func (b beside) query(ctx context.Context, query string, args ...any) (*sql.Rows, error) {
	return b.conn.QueryContext(noTenant.on(ctx), b.dialect.bind(query), args...)
}

// look keeps how many nodes live for NodesNow, of how many versions, and whether this one leads.
// While the others may not have reached the database again, the number does not fall. It reads the
// clock again where that is off: the monotonic clock stops while a machine is suspended.
func (s Nodes) look(ctx context.Context, q querier, id tenants.NodeID) error {
	type answer struct {
		living, programs, clock int64
		leads                   bool
	}
	sent := s.now()
	rows, err := q.query(ctx, "SELECT COUNT(*), COUNT(DISTINCT program), "+s.db.dialect.clock()+", COALESCE((SELECT id FROM nodes WHERE "+
		s.living()+" ORDER BY started_at, id LIMIT 1) = ?, FALSE) FROM nodes WHERE "+s.living(), uuid(id))
	got, err := collect(rows, err, func(a *answer) []any { return []any{&a.living, &a.programs, &a.clock, &a.leads} })
	if err != nil {
		return err
	}
	s.w.queue.nodes.Store(min(patientNodes, got[0].living))
	s.programs.Store(got[0].programs)
	s.follows.Store(!got[0].leads)
	if n := got[0].living; n > s.nodesNow.Load() || !s.beats.returned(time.Now()) {
		s.nodesNow.Store(n)
	}
	if at := moment(got[0].clock); s.clock != nil && (at.Before(sent.Add(-clockOff)) || at.After(s.now().Add(clockOff))) {
		return s.clock.look(ctx, s.db.reads)
	}
	return nil
}

// Stop says that the node has stopped: what it still holds can be taken over at once.
func (s Nodes) Stop(ctx context.Context, id tenants.NodeID) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if _, err := t.exec("UPDATE nodes SET seen_at = 0, stopped_at = "+s.db.dialect.clock()+" WHERE id = ?", uuid(id)); err != nil {
			return err
		}
		return forgetNodeKey(t, id)
	})
}

// Living lists the nodes that live, the oldest first.
func (s Nodes) Living(ctx context.Context) ([]Node, error) {
	return s.list(ctx, s.db.through(noTenant), s.living()+" ORDER BY started_at")
}

// Lives reports whether the node lives.
func (s Nodes) Lives(ctx context.Context, id tenants.NodeID) (bool, error) {
	found, err := s.list(ctx, s.db.through(noTenant), "id = ? AND "+s.living(), uuid(id))
	return len(found) > 0, err
}

// Gone lists the nodes that were lost or have stopped within a day, the oldest first. Of a node of
// an earlier program that has stopped it is only known when it started.
func (s Nodes) Gone(ctx context.Context) ([]Node, error) {
	return s.list(ctx, s.db.through(noTenant), "NOT "+s.living()+" AND ("+s.after("seen_at", nodesKept)+" OR seen_at = 0 AND ("+
		s.after("started_at", nodesKept)+" OR "+s.after("stopped_at", nodesKept)+")) ORDER BY started_at")
}

// Forget removes the nodes that have been gone for a day.
func (s Nodes) Forget(ctx context.Context) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		long := "NOT " + s.after("seen_at", nodesKept) + " AND NOT " + s.after("started_at", nodesKept) + " AND NOT " +
			s.after("stopped_at", nodesKept)
		gone, err := s.list(ctx, t, long)
		if err != nil {
			return err
		}
		for _, n := range gone {
			if err := forgetNodeKey(t, n.ID); err != nil {
				return err
			}
			if _, err := t.exec("DELETE FROM nodes WHERE id = ?", uuid(n.ID)); err != nil {
				return err
			}
		}
		return nil
	})
}

// living is the condition that a node lives.
func (s Nodes) living() string { return s.after("seen_at", NodeGone) }

// after is the condition that a moment is less than d ago.
func (s Nodes) after(column string, d time.Duration) string {
	return column + " > " + s.db.dialect.clock() + " - " + strconv.FormatInt(d.Microseconds(), 10)
}

func (s Nodes) list(ctx context.Context, q querier, where string, args ...any) ([]Node, error) {
	type row struct {
		id                     uuid
		name                   string
		shared                 bool
		started, seen, stopped int64
		program                string
		step, off              int64
	}
	rows, err := q.query(ctx, "SELECT id, name, shared, started_at, seen_at, stopped_at, program, step, clock_off FROM nodes WHERE "+where,
		args...)
	found, err := collect(rows, err, func(r *row) []any {
		return []any{&r.id, &r.name, &r.shared, &r.started, &r.seen, &r.stopped, &r.program, &r.step, &r.off}
	})
	return nouns(found, func(r row) Node {
		return Node{tenants.NodeID(r.id), r.name, r.shared, moment(r.started), moment(r.seen), moment(r.stopped), r.program, r.step,
			length(r.off)}
	}), translate(err)
}
