package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type outcomeRow struct {
	Ring, Device                              uuid
	AppVersion, OSVersion, Token, Reason      string
	Created, ExpiresAt, EndedAt, Status, Said int64
}

func (r *outcomeRow) fields() []any {
	return []any{&r.Ring, &r.Device, &r.AppVersion, &r.OSVersion, &r.Token, &r.Status, &r.Reason, &r.Created, &r.ExpiresAt, &r.EndedAt,
		&r.Said}
}

// What a phone said of an attempt at most.
const (
	saidNothing int64 = iota
	saidWoke
	saidQuiet // that it showed nothing, or was silenced
	saidMore
)

// tooShort is how long a ring must have lived for the silence of a phone to mean anything.
const tooShort = int64(5 * time.Second / time.Microsecond)

func (r outcomeRow) noun(now int64) tenants.Outcome {
	over := r.ExpiresAt <= now
	if r.EndedAt != 0 {
		over = r.EndedAt-r.Created >= min(tooShort, r.ExpiresAt-r.Created)
	}
	return tenants.Outcome{
		Ring: tenants.RingID(r.Ring), Device: tenants.DeviceID(r.Device), At: moment(r.Created), AppVersion: r.AppVersion,
		OSVersion: r.OSVersion,
		Token:     r.Token, Status: int(r.Status), Reason: r.Reason, Over: over, Woke: r.Said >= saidWoke, Reported: r.Said >= saidQuiet,
		Quiet: r.Said == saidQuiet,
	}
}

// outcomeSelect reads the attempts a and rings r of the statement, and what their phones said. The
// facts are looked up for each attempt: in a join PostgreSQL would sort all that is read with them.
const outcomeSelect = "SELECT a.ring_id, a.device_id, a.app_version, a.os_version, a.token, a.status, a.reason, r.created_at, " +
	"r.expires_at, r.ended_at, COALESCE((SELECT MAX(CASE f.kind WHEN 'woke' THEN 1 WHEN 'silenced' THEN 2 WHEN 'failed_to_show' THEN 2 " +
	"ELSE 3 END) FROM facts f WHERE f.tenant_id = a.tenant_id AND f.ring_id = a.ring_id AND f.attempt_id = a.id " +
	"AND f.kind IN ('woke', 'shown', 'failed_to_show', 'silenced', 'declined', 'busy', 'answered')), 0) FROM "

const outcomeOrder = " ORDER BY a.ring_id DESC, a.id"

// Outcomes tell how the attempts on the tenant's devices came out; phone health is judged by them.
type Outcomes struct{ *scope }

// Outcomes returns the tenant's Outcomes.
func (s *Scope) Outcomes() Outcomes { return Outcomes{&s.scope} }

// OfDevice lists how the latest attempts on a device came out, newest first.
func (s Outcomes) OfDevice(ctx context.Context, d tenants.DeviceID, limit int) ([]tenants.Outcome, error) {
	return s.outcomes(ctx, outcomeSelect+"(SELECT tenant_id, ring_id, id, device_id, app_version, os_version, token, status, reason FROM "+
		"attempts WHERE tenant_id = ? AND device_id = ? AND ring_id IN (SELECT ring_id FROM "+s.s.db.dialect.rung()+
		" WHERE tenant_id = ? AND device_id = ? ORDER BY ring_id DESC LIMIT ?) ORDER BY ring_id DESC LIMIT ?) a "+
		"JOIN rings r ON r.tenant_id = a.tenant_id AND r.id = a.ring_id"+outcomeOrder,
		uuid(s.id), uuid(d), uuid(s.id), uuid(d), limit, limit)
}

// Since lists how the attempts of the latest rings since a moment came out, newest first; limit
// bounds the rings, so that the answer costs the same however many there are.
func (s Outcomes) Since(ctx context.Context, since time.Time, limit int) ([]tenants.Outcome, error) {
	return s.outcomes(ctx, outcomeSelect+"(SELECT tenant_id, id, created_at, expires_at, ended_at FROM rings "+
		"WHERE tenant_id = ? AND id >= ? ORDER BY id DESC LIMIT ?) r JOIN attempts a ON a.tenant_id = r.tenant_id AND "+
		"a.ring_id = r.id"+outcomeOrder,
		uuid(s.id), uuid(tenants.FirstID[tenants.RingID](since)), limit)
}

func (s *scope) outcomes(ctx context.Context, query string, args ...any) ([]tenants.Outcome, error) {
	rows, err := s.reads().scan(ctx, query, args...)
	found, err := collect(rows, err, (*outcomeRow).fields)
	now := micros(s.s.now())
	return nouns(found, func(r outcomeRow) tenants.Outcome { return r.noun(now) }), translate(err)
}
