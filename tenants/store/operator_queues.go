package store

import (
	"context"
	"time"

	"carillon/tenants"
)

// Queue is work that waits.
type Queue struct {
	Waiting int64
	Oldest  time.Time // since when the oldest waits; zero = nothing does
}

// Queues are what the background loops of all nodes still have to do, and how large the database
// is.
type Queues struct {
	Rings    Queue // whose time is over and that nobody has ended yet
	Mails    Queue // about alerts
	Facts    Queue // that figures do not have yet, at most 10,000
	Events   Queue // messages of Stripe that are not processed
	Metered  Queue // rings that Stripe's meter does not have yet
	Bytes    int64
	Sending  map[tenants.ConnectionRole]time.Time // since when the oldest delivery to tenants' systems is due
	Tallying bool                                 // Facts reached its bound
}

// queueMost is how many facts are counted.
const queueMost = 10_000

// Queues reads how much work waits. It counts only what is due.
func (s Operators) Queues(ctx context.Context, now time.Time) (q Queues, err error) {
	at := micros(now)
	for _, x := range []struct {
		to    *Queue
		query string
		args  []any
	}{
		{&q.Rings, "SELECT COUNT(*), COALESCE(MIN(due_at), 0) FROM rings WHERE due_at IS NOT NULL AND due_at <= ?", []any{at}},
		{&q.Mails, "SELECT COUNT(*), COALESCE(MIN(tell_at), 0) FROM alerts WHERE tell_at <> 0 AND tell_at <= ? AND resolved_at = 0",
			[]any{at}},
		{&q.Facts, "SELECT COUNT(*), COALESCE(MIN(received_at), 0) FROM (SELECT facts.received_at FROM facts, watermarks w " +
			"WHERE w.name = 'tallies' AND " + s.db.dialect.behindMark() + " LIMIT ?) few", []any{queueMost}},
		{&q.Events, "SELECT COUNT(*), COALESCE(MIN(received_at), 0) FROM stripe_events WHERE done_at = 0", nil},
		{&q.Metered, "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM metered WHERE reported_at = 0", nil},
	} {
		type row struct{ n, oldest int64 }
		rows, err := s.db.through(allTenants).query(ctx, x.query, x.args...)
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.n, &r.oldest} })
		if err != nil || len(found) == 0 {
			return q, translate(err)
		}
		*x.to = Queue{found[0].n, moment(found[0].oldest)}
	}
	q.Tallying = q.Facts.Waiting == queueMost
	if q.Sending, err = Jobs(s).OldestDue(ctx, now); err != nil {
		return q, err
	}
	q.Bytes, err = one(s.db.through(noTenant).query(ctx, s.db.dialect.size()))
	return q, err
}
