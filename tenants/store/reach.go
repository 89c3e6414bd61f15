package store

import (
	"context"
	"strings"
	"time"

	"carillon/tenants"
)

// DevicesOf finds devices by their ids in one statement. Ids that name none of the tenant's are left out.
func (s *Scope) DevicesOf(ctx context.Context, ids []tenants.DeviceID) (map[tenants.DeviceID]tenants.Device, error) {
	out := map[tenants.DeviceID]tenants.Device{}
	if len(ids) == 0 {
		return out, nil
	}
	rows, err := s.reads().query(ctx, "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND id IN ("+marks(len(ids))+")", some(s.id, ids)...)
	found, err := collect(rows, err, (*deviceRow).fields)
	for _, r := range found {
		out[tenants.DeviceID(r.ID)] = r.noun()
	}
	return out, translate(err)
}

// AgentsOf finds agents by their ids in one statement. Ids that name none of the tenant's are left out.
func (s *Scope) AgentsOf(ctx context.Context, ids []tenants.AgentID) (map[tenants.AgentID]tenants.Agent, error) {
	out := map[tenants.AgentID]tenants.Agent{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []agentRow
	if err := s.read(ctx, "agents").Where("id IN ?", uuids(ids)).Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	for _, r := range rows {
		out[tenants.AgentID(r.ID)] = r.noun()
	}
	return out, nil
}

// marks is a list of n places in a statement, its length rounded up to a power of two, so that few statements are prepared.
func marks(n int) string { return "?" + strings.Repeat(", ?", room(n)-1) }

func room(n int) int {
	size := 1
	for size < n {
		size *= 2
	}
	return size
}

// some are the arguments behind marks; the last id fills the places that are left.
func some[T ~string](t tenants.TenantID, ids []T) []any {
	args := []any{uuid(t)}
	for i := range room(len(ids)) {
		args = append(args, known(ids[min(i, len(ids)-1)]))
	}
	return args
}

// known is the id, or one that no row has where it is no UUID: in a list it names nothing and
// spoils nothing.
func known[T ~string](id T) uuid {
	if _, ok := uuid(id).bytes(); !ok {
		return nilUUID
	}
	return uuid(id)
}

// LastSeen tells when each person was last signed in to the tenant's console; idle is the time after which a sign-in is over by
// itself. Who has no sign-in left is not in it.
func (s *Scope) LastSeen(ctx context.Context, idle time.Duration) (map[tenants.UserID]time.Time, error) {
	type seen struct {
		user uuid
		at   int64
	}
	rows, err := s.reads().query(ctx, "SELECT user_id, MAX(idle_at) FROM sign_ins WHERE tenant_id = ? GROUP BY user_id", uuid(s.id))
	found, err := collect(rows, err, func(x *seen) []any { return []any{&x.user, &x.at} })
	out := map[tenants.UserID]time.Time{}
	for _, x := range found {
		out[tenants.UserID(x.user)] = moment(x.at).Add(-idle)
	}
	return out, translate(err)
}

// Reach counts the living devices of an app by the environment they are pushed in.
func (s *Scope) Reach(ctx context.Context, bundle string) (map[tenants.Environment]int, error) {
	type group struct {
		environment, learnt string
		n                   int
	}
	rows, err := s.reads().query(ctx, "SELECT environment, learnt, COUNT(*) FROM devices WHERE tenant_id = ? AND bundle = ? AND state = ? "+
		"GROUP BY environment, learnt", uuid(s.id), bundle, string(tenants.DeviceActive))
	found, err := collect(rows, err, func(x *group) []any { return []any{&x.environment, &x.learnt, &x.n} })
	out := map[tenants.Environment]int{}
	for _, x := range found {
		out[tenants.Device{Environment: tenants.Environment(x.environment), Learnt: tenants.Environment(x.learnt)}.Host()] += x.n
	}
	return out, translate(err)
}
