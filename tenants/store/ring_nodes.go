package store

import (
	"context"
	"slices"
	"time"

	"carillon/tenants"
)

// holdersKept is how long it is remembered which node holds the sound of a ring that is not there,
// or has ended.
const holdersKept = 5 * time.Minute

// Held is a ring whose sound a node holds.
type Held struct {
	Tenant tenants.TenantID
	Ring   tenants.RingID
	Node   tenants.NodeID // its holder; empty in what a Follower gives
}

// Hold makes the node the holder of a ring's sound if it has none, or if its holder is gone, and
// returns the holder. The ring may not be committed yet.
func (s Rings) Hold(ctx context.Context, id tenants.RingID, node tenants.NodeID) (holder tenants.NodeID, err error) {
	err = s.write(ctx, func(t *tx) error {
		clock := s.s.db.dialect.clock()
		n, err := t.change("INSERT INTO ring_nodes (tenant_id, ring_id, node, since) VALUES (?, ?, ?, "+clock+") ON CONFLICT DO NOTHING",
			uuid(s.id), uuid(id), uuid(node))
		if holder = node; err != nil || n > 0 {
			return err
		}
		n, err = t.change("UPDATE ring_nodes SET node = ?, since = "+clock+" WHERE tenant_id = ? AND ring_id = ? AND node NOT IN "+
			"(SELECT id FROM nodes WHERE "+Nodes{s.s}.living()+")", uuid(node), uuid(s.id), uuid(id))
		if err != nil || n > 0 {
			return err
		}
		holder, err = holderOf(ctx, t, "tenant_id = ? AND ring_id = ?", uuid(s.id), uuid(id))
		return err
	})
	return holder, err
}

// TakeOver makes a node the holder of a ring's sound in place of another one that has not been seen
// for a while; false = that one was seen, or is not the holder.
func (s Rings) TakeOver(ctx context.Context, id tenants.RingID, from, to tenants.NodeID, silent time.Duration) (took bool, err error) {
	err = s.write(ctx, func(t *tx) error {
		n, err := t.change("UPDATE ring_nodes SET node = ?, since = "+s.s.db.dialect.clock()+" WHERE tenant_id = ? AND ring_id = ? AND "+
			"node = ? AND node NOT IN (SELECT id FROM nodes WHERE "+Nodes{s.s}.after("seen_at", silent)+")", uuid(to), uuid(s.id), uuid(id),
			uuid(from))
		took = n > 0
		return err
	})
	return took, err
}

// Release gives the sound of a ring back if the node holds it.
func (s Rings) Release(ctx context.Context, id tenants.RingID, node tenants.NodeID) error {
	return s.write(ctx, func(t *tx) error {
		_, err := t.exec("DELETE FROM ring_nodes WHERE tenant_id = ? AND ring_id = ? AND node = ?", uuid(s.id), uuid(id), uuid(node))
		return err
	})
}

func holderOf(ctx context.Context, q querier, where string, args ...any) (tenants.NodeID, error) {
	rows, err := q.query(ctx, "SELECT node FROM ring_nodes WHERE "+where, args...)
	found, err := collect(rows, err, func(n *tenants.NodeID) []any { return []any{(*uuid)(n)} })
	if err != nil || len(found) == 0 {
		return "", translate(err)
	}
	return found[0], nil
}

// Holder is the node that holds the sound of a ring of any tenant; empty = none. It may be gone.
func (s Nodes) Holder(ctx context.Context, id tenants.RingID) (tenants.NodeID, error) {
	return holderOf(ctx, s.db.through(allTenants), "ring_id = ?", uuid(id))
}

// HeldBy lists the rings that the node holds, of every tenant.
func (s Nodes) HeldBy(ctx context.Context, node tenants.NodeID) ([]Held, error) {
	return s.held(ctx, "node = ?", uuid(node))
}

// HeldByGone lists up to limit calls whose holder has been gone for a while, of every tenant.
func (s Nodes) HeldByGone(ctx context.Context, since time.Duration, limit int) ([]Held, error) {
	return s.held(ctx, "node IN (SELECT id FROM nodes WHERE NOT "+s.after("seen_at", NodeGone+since)+") AND EXISTS (SELECT 1 FROM "+
		"rings r WHERE r.tenant_id = ring_nodes.tenant_id AND r.id = ring_nodes.ring_id AND r.state = 'answered') LIMIT ?", limit)
}

func (s Nodes) held(ctx context.Context, where string, args ...any) ([]Held, error) {
	type row struct{ tenant, ring, node uuid }
	rows, err := s.db.through(allTenants).query(ctx, "SELECT tenant_id, ring_id, node FROM ring_nodes WHERE "+where, args...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.tenant, &r.ring, &r.node} })
	return nouns(found, func(r row) Held {
		return Held{tenants.TenantID(r.tenant), tenants.RingID(r.ring), tenants.NodeID(r.node)}
	}), translate(err)
}

// ForgetHolders removes the holders of rings that have ended.
func (s Nodes) ForgetHolders(ctx context.Context) error {
	return s.w.do(ctx, allTenants, func(t *tx) error {
		_, err := t.exec("DELETE FROM ring_nodes WHERE NOT " + s.after("since", holdersKept) + " AND NOT EXISTS (SELECT 1 FROM " +
			"rings r WHERE r.tenant_id = ring_nodes.tenant_id AND r.id = ring_nodes.ring_id AND r.ended_at = 0)")
		return err
	})
}

// Follower says which rings of every tenant got facts, from any node. It keeps its place in memory
// and begins at the newest fact. It belongs to one goroutine.
type Follower struct {
	s     *core
	at    place
	begun bool
}

// Follow returns a Follower.
func (s *Store) Follow() *Follower { return &Follower{s: &s.core} }

// Next returns the rings with facts since the last call, some more than once; more says that there
// may be others. It reads up to limit facts.
func (f *Follower) Next(ctx context.Context, limit int) (rings []Held, more bool, err error) {
	if !f.begun {
		at, err := f.newest(ctx)
		f.at, f.begun = at, err == nil
		return nil, false, err
	}
	type row struct {
		place
		tenant, ring uuid
	}
	past, order, args := f.s.db.dialect.behind(f.at)
	rows, err := f.s.db.through(allTenants).query(ctx, "SELECT xact, seq, tenant_id, ring_id FROM facts WHERE "+past+" ORDER BY "+order+
		" LIMIT ?", append(args, limit)...)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.xact, &r.seq, &r.tenant, &r.ring} })
	if err != nil {
		return nil, false, translate(err)
	}
	for _, r := range found {
		f.at = r.place
		h := Held{Tenant: tenants.TenantID(r.tenant), Ring: tenants.RingID(r.ring)}
		if !slices.Contains(rings[max(0, len(rings)-16):], h) {
			rings = append(rings, h)
		}
	}
	return rings, len(found) == limit, nil
}

// Skip goes to the newest fact, without a look at those before it.
func (f *Follower) Skip(ctx context.Context) error {
	at, err := f.newest(ctx)
	if err == nil {
		f.at, f.begun = at, true
	}
	return err
}

func (f *Follower) newest(ctx context.Context) (place, error) {
	rows, err := f.s.db.through(allTenants).query(ctx, f.s.db.dialect.lastFact())
	found, err := collect(rows, err, func(p *place) []any { return []any{&p.xact, &p.seq} })
	if err != nil || len(found) == 0 {
		return place{}, translate(err)
	}
	return found[0], nil
}
