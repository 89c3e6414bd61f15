package store

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"gorm.io/gorm"

	"carillon/tenants"
)

// DeliveryQuery asks for a page of deliveries to a connection, the newest first.
type DeliveryQuery struct {
	Connection  tenants.ConnectionID
	State       tenants.DeliveryState // empty = all
	Kind        tenants.EventKind     // empty = all
	Ring        tenants.RingID
	From, To    time.Time // happened in [From, To)
	After, Upto string
	Sort        Sort // "created"
	Limit       int
}

var deliveryOrders = orders[deliveryRow]{"created", map[Sort]order[deliveryRow]{
	"created": by("seq", func(r deliveryRow) []any { return []any{r.Seq} }),
}}

func (s Deliveries) found(ctx context.Context, q DeliveryQuery) *gorm.DB {
	db := s.read(ctx, "deliveries").Where("connection_id = ?", uuid(q.Connection))
	if q.State != "" {
		db = db.Where("state = ?", string(q.State))
	}
	if q.Kind != "" {
		db = db.Where("kind = ?", string(q.Kind))
	}
	if q.Ring != "" {
		db = db.Where("ring_id = ?", uuid(q.Ring))
	}
	return between(db, "at", q.From, q.To)
}

// List lists deliveries to one connection.
func (s Deliveries) List(ctx context.Context, q DeliveryQuery) ([]tenants.Delivery, string, error) {
	rows, next, err := list(s.found(ctx, q).Select(deliveryColumns), Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit},
		deliveryOrders)
	return nouns(rows, deliveryRow.noun), next, err
}

// Total counts the deliveries that List finds.
func (s Deliveries) Total(ctx context.Context, q DeliveryQuery) (Total, error) {
	return totalOf(s.found(ctx, q))
}

// Get is one delivery to a connection, by its event's id.
func (s Deliveries) Get(ctx context.Context, id tenants.ConnectionID, event string) (tenants.Delivery, error) {
	var row deliveryRow
	if err := s.read(ctx, "deliveries").Select(deliveryColumns).Where("connection_id = ? AND event_id = ?", uuid(id), known(event)).
		Take(&row).Error; err != nil {
		return tenants.Delivery{}, missing(err, "event of this connection")
	}
	return row.noun(), nil
}

type deliveryAttemptRow struct {
	Seq                 int64
	EventID             uuid
	Kind, Body          string
	At, Took, Status    int64
	Error, Sent, Answer string
	Good                bool
}

func (r deliveryAttemptRow) noun() tenants.DeliveryAttempt {
	a := tenants.DeliveryAttempt{
		Seq: r.Seq, Event: string(r.EventID), Kind: tenants.EventKind(r.Kind), At: moment(r.At), Took: length(r.Took),
		Status: int(r.Status),
		Error:  r.Error, Good: r.Good, Body: []byte(r.Body), Answer: r.Answer,
	}
	_ = json.Unmarshal([]byte(r.Sent), &a.Sent) // ours
	return a
}

// AttemptQuery asks for a page of attempts of a connection, the newest first.
type AttemptQuery struct {
	Connection  tenants.ConnectionID
	Event       string // of one delivery; empty = all
	Failed      bool   // only those that failed
	After, Upto string
	Sort        Sort // "created"
	Limit       int
}

var attemptOrders = orders[deliveryAttemptRow]{"created", map[Sort]order[deliveryAttemptRow]{
	"created": by("delivery_attempts.seq", func(r deliveryAttemptRow) []any { return []any{r.Seq} }),
}}

// Attempts lists the requests that were made to a connection, with what it answered.
func (s Deliveries) Attempts(ctx context.Context, q AttemptQuery) ([]tenants.DeliveryAttempt, string, error) {
	db := s.read(ctx, "delivery_attempts").Joins("JOIN deliveries d ON d.tenant_id = delivery_attempts.tenant_id AND "+
		"d.seq = delivery_attempts.delivery").
		Select("delivery_attempts.seq, d.event_id, d.kind, d.body, delivery_attempts.at, took, delivery_attempts.status, "+
			"delivery_attempts.error, sent, answer, good").
		Where("delivery_attempts.connection_id = ?", uuid(q.Connection))
	if q.Event != "" {
		db = db.Where("d.connection_id = ? AND d.event_id = ?", uuid(q.Connection), known(q.Event))
	}
	if q.Failed {
		db = db.Where("NOT good")
	}
	rows, next, err := list(db, Page{Sort: q.Sort, After: q.After, Upto: q.Upto, Limit: q.Limit}, attemptOrders)
	return nouns(rows, deliveryAttemptRow.noun), next, err
}

// figuresMost is how many attempts of a connection are looked at for its figures: the newest.
const figuresMost = 5000

// Figures sums up the attempts of a connection since a moment, of the newest figuresMost.
func (s Deliveries) Figures(ctx context.Context, id tenants.ConnectionID, since time.Time) (f tenants.ConnectionFigures, err error) {
	type row struct {
		at, took, status int64
		good             bool
	}
	rows, err := s.reads().query(ctx, "SELECT at, took, status, good FROM delivery_attempts WHERE tenant_id = ? AND connection_id = ? "+
		"ORDER BY seq DESC LIMIT ?", uuid(s.id), uuid(id), figuresMost)
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.at, &r.took, &r.status, &r.good} })
	if err != nil {
		return f, translate(err)
	}
	var took []int64
	for _, r := range found {
		if r.at < micros(since) {
			continue
		}
		f.Attempts++
		if !r.good {
			f.Failed++
		}
		if r.status != 0 {
			took = append(took, r.took)
		}
	}
	if slices.Sort(took); len(took) > 0 {
		f.P50, f.P95 = length(took[len(took)/2]), length(took[len(took)*95/100])
	}
	type wait struct{ n, oldest int64 }
	rows, err = s.reads().query(ctx, "SELECT COUNT(*), COALESCE(MIN(at), 0) FROM (SELECT at FROM deliveries WHERE tenant_id = ? AND "+
		"connection_id = ? AND due_at > 0 ORDER BY due_at LIMIT ?) few", uuid(s.id), uuid(id), tenants.WaitingCounted)
	waiting, err := collect(rows, err, func(w *wait) []any { return []any{&w.n, &w.oldest} })
	if err != nil || len(waiting) == 0 {
		return f, translate(err)
	}
	f.Waiting, f.OldestWaiting = waiting[0].n, moment(waiting[0].oldest)
	return f, nil
}
