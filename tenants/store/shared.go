package store

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"

	"carillon/tenants"
)

// NodesNow is how many nodes share the database, as this one saw at its last heartbeat: at least
// one. Limits that each node counts by itself are divided by it.
func (s *Store) NodesNow() int {
	if s == nil {
		return 1
	}
	return max(1, int(s.nodesNow.Load()))
}

// ProgramsNow is how many versions of the program run on the database, as this node saw at its last
// heartbeat: at least one.
func (s *Store) ProgramsNow() int { return max(1, int(s.programs.Load())) }

// Leads reports that of the nodes that live this one has lived the longest, as it saw at its last
// heartbeat. For a moment two may, or none: it says who looks for work first, and claims nothing.
func (s *Store) Leads() bool { return !s.follows.Load() }

// AgreeToken gives when the provider token that all nodes use with a key was issued. It is the one
// that is written down, unless that was issued at or before oldest, later than now, or is the one
// that Apple has just refused; then it is the proposed one from now on. Two nodes that ask at the
// same moment get the same answer. On PostgreSQL only.
func (s *Store) AgreeToken(ctx context.Context, key string, proposed, refused, oldest time.Time) (issued time.Time, err error) {
	const agree = "INSERT INTO provider_tokens (key, issued_at) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET issued_at = CASE WHEN " +
		"provider_tokens.issued_at <= ? OR provider_tokens.issued_at = ? OR provider_tokens.issued_at > ? THEN excluded.issued_at " +
		"ELSE provider_tokens.issued_at END RETURNING issued_at"
	var us int64
	// Past the writer: a push waits for this, and gives up sooner than the writer can.
	err = s.db.writes.QueryRowContext(noTenant.on(ctx), s.db.dialect.bind(agree), key, micros(proposed), micros(oldest), micros(refused),
		micros(s.now())).Scan(&us)
	return moment(us), translate(err)
}

// pace keeps a device free for a push.
const pace = "INSERT INTO device_paces (device_id, free_at) VALUES (?, ?) ON CONFLICT (device_id) DO UPDATE SET " +
	"free_at = ? + CASE WHEN device_paces.free_at > ? THEN device_paces.free_at ELSE ? END RETURNING free_at"

func paceArgs(d tenants.DeviceID, from time.Time, apart time.Duration) []any {
	return []any{uuid(d), micros(from.Add(apart)), span(apart), micros(from), micros(from)}
}

// Turns gives when a device's next push may go at the earliest, and how far it is apart from the
// one behind it; 0 = it needs no turn.
type Turns func(tenants.DeviceID) (from time.Time, apart time.Duration)

// Paced returns the same scope, whose Rings.Add reserves the turns of the ring's pushes in the same
// commit, as Jobs.Pace does, and puts them into the attempts' Push. Not of a ring to a group, and
// on PostgreSQL only: what has no Turn asks Jobs.Pace.
func (s *Scope) Paced(turns Turns) *Scope {
	p := *s
	p.turns = turns
	return &p
}

// reserve reserves the turns of a new ring's pushes.
func (t ringsTx) reserve(turns Turns, r *tenants.Ring) {
	if turns == nil || !t.d.dialect.pipelines() {
		return
	}
	for i := range r.Attempts {
		a := &r.Attempts[i]
		from, apart := turns(a.Device)
		if apart == 0 {
			continue
		}
		t.rows.later = append(t.rows.later, sent{text: pace, args: paceArgs(a.Device, from, apart), rows: func(rows pgx.Rows) error {
			var free int64
			for rows.Next() {
				if err := rows.Scan(&free); err != nil {
					return err
				}
			}
			a.Push.Turn = moment(free).Add(-apart)
			return rows.Err()
		}})
	}
}

// Pace reserves the next push to a device, from a moment on and apart from the one before by so
// much, also from one of another node, and gives when it may go.
func (s Jobs) Pace(ctx context.Context, d tenants.DeviceID, from time.Time, apart time.Duration) (at time.Time, err error) {
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		rows, err := t.query(ctx, pace, paceArgs(d, from, apart)...)
		free, err := collect(rows, err, func(us *int64) []any { return []any{us} })
		if err == nil {
			at = moment(free[0]).Add(-apart)
		}
		return err
	})
	return at, err
}
