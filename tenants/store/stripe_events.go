package store

import (
	"context"
	"database/sql"
	"time"

	"gorm.io/gorm"
)

// StripeEvent is a message of Stripe as it is kept: not what it says, only what it is about.
type StripeEvent struct {
	ID, Type, APIVersion string
	Live                 bool
	Object               string // id of what it is about
}

// eventLease is how long the process that claimed an event has to handle it.
const eventLease = time.Minute

// StripeEvents are the webhook messages of Stripe that were received.
type StripeEvents struct{ *core }

// StripeEvents returns the StripeEvents of all tenants.
func (s *Store) StripeEvents() StripeEvents { return StripeEvents{&s.core} }

// Claim keeps an event once and takes it up. It is mine for the one who should act on it: nobody
// has before, or somebody began more than a minute ago and never said that it was done.
func (s StripeEvents) Claim(ctx context.Context, e StripeEvent) (mine bool, err error) {
	now := s.now()
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("INSERT INTO stripe_events (id, type, api_version, live, object, received_at, claimed_at, done_at, tries, "+
			"error) "+
			"VALUES (?, ?, ?, ?, ?, ?, ?, 0, 1, '') ON CONFLICT (id) DO NOTHING",
			e.ID, e.Type, e.APIVersion, e.Live, e.Object, micros(now), micros(now))
		if mine = n > 0; err != nil || mine {
			return err
		}
		n, err = t.change("UPDATE stripe_events SET claimed_at = ?, tries = tries + 1 WHERE id = ? AND done_at = 0 AND claimed_at <= ?",
			micros(now), e.ID, micros(now.Add(-eventLease)))
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}

// End notes that the event was acted on, or why it could not be; then the next one to claim it has
// it at once.
func (s StripeEvents) End(ctx context.Context, id string, failed error) error {
	return s.w.do(ctx, noTenant, func(t *tx) error {
		if failed == nil {
			_, err := t.exec("UPDATE stripe_events SET done_at = ?, error = '' WHERE id = ?", micros(s.now()), id)
			return err
		}
		_, err := t.exec("UPDATE stripe_events SET claimed_at = 0, error = ? WHERE id = ? AND done_at = 0", failed.Error(), id)
		return err
	})
}

// Reclaim takes an event up again, whether or not it was acted on; mine is false while somebody
// does so. An event that was never received is NoSuch.
func (s StripeEvents) Reclaim(ctx context.Context, id string) (mine bool, err error) {
	now := s.now()
	err = s.w.do(ctx, noTenant, func(t *tx) error {
		n, err := t.change("UPDATE stripe_events SET claimed_at = ?, done_at = 0, tries = tries + 1 WHERE id = ? AND "+
			"(done_at <> 0 OR claimed_at <= ?)", micros(now), id, micros(now.Add(-eventLease)))
		mine = n > 0
		return err
	})
	return mine && err == nil, err
}

// EventState is how far an event has come.
type EventState string

// The states of an event.
const (
	EventDone   EventState = "done"
	EventFailed EventState = "failed" // it is tried again when Stripe sends it again, or by hand
	EventOpen   EventState = "open"   // it is being processed, or the process died
)

// StoredEvent is an event with what came of it.
type StoredEvent struct {
	StripeEvent
	ReceivedAt, DoneAt time.Time
	Tries              int64
	Error              string // of the last try
}

// State is how far the event has come.
func (e StoredEvent) State() EventState {
	switch {
	case !e.DoneAt.IsZero():
		return EventDone
	case e.Error != "":
		return EventFailed
	}
	return EventOpen
}

type eventRow struct {
	ID, Type   string
	APIVersion string
	Live       bool
	Object     string
	Received   int64 `gorm:"column:received_at"`
	DoneAt     int64
	Tries      int64
	Error      string
}

func (r eventRow) noun() StoredEvent {
	return StoredEvent{StripeEvent{r.ID, r.Type, r.APIVersion, r.Live, r.Object}, moment(r.Received), moment(r.DoneAt), r.Tries, r.Error}
}

var eventOrders = orders[eventRow]{"received", map[Sort]order[eventRow]{
	"received": by("received_at, id", func(r eventRow) []any { return []any{r.Received, r.ID} }),
}}

func (s StripeEvents) found(ctx context.Context, state EventState, search string) *gorm.DB {
	db := s.db.through(noTenant).gorm(ctx).Table("stripe_events")
	switch state {
	case EventDone:
		db = db.Where("done_at <> 0")
	case EventFailed:
		db = db.Where("done_at = 0 AND error <> ''")
	case EventOpen:
		db = db.Where("done_at = 0 AND error = ''")
	}
	if search != "" {
		found, args := s.db.dialect.contains(search).inAny("id", "type", "object")
		db = db.Where("("+found+")", args...)
	}
	return db
}

// List lists events, those of one state or all; they can be sorted by "received".
func (s StripeEvents) List(ctx context.Context, state EventState, p Page) ([]StoredEvent, string, error) {
	rows, next, err := list(s.found(ctx, state, p.Search), p, eventOrders)
	return nouns(rows, eventRow.noun), next, err
}

// Total counts the events that List finds.
func (s StripeEvents) Total(ctx context.Context, state EventState, p Page) (Total, error) {
	return totalOf(s.found(ctx, state, p.Search))
}

// Get is one event.
func (s StripeEvents) Get(ctx context.Context, id string) (StoredEvent, error) {
	var row eventRow
	if err := s.db.through(noTenant).gorm(ctx).Table("stripe_events").Where("id = ?", id).Take(&row).Error; err != nil {
		return StoredEvent{}, missing(err, "event")
	}
	return row.noun(), nil
}

// LastHeard is when the last event came; zero = never.
func (s StripeEvents) LastHeard(ctx context.Context) (time.Time, error) {
	rows, err := s.db.through(noTenant).query(ctx, "SELECT MAX(received_at) FROM stripe_events")
	found, err := collect(rows, err, func(n *sql.NullInt64) []any { return []any{n} })
	if err != nil || len(found) == 0 {
		return time.Time{}, translate(err)
	}
	return moment(found[0].Int64), nil
}
