package store

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"carillon/tenants"
)

// Feed reads the facts of all rings of a tenant, from any node, in the order of a Cursor. It keeps
// no place: its reader does, and may come back with the text of a place.
type Feed struct{ *scope }

// Feed returns the tenant's Feed.
func (s *Scope) Feed() Feed { return Feed{&s.scope} }

// FeedPlace is a place in a Feed: behind one fact.
type FeedPlace struct{ place }

// String is for a client, which gives it to Resume unchanged.
func (p FeedPlace) String() string {
	return strconv.FormatInt(p.xact, 10) + "-" + strconv.FormatInt(p.seq, 10)
}

// Before reports whether a place lies before another one of the same Feed.
func (p FeedPlace) Before(o FeedPlace) bool { return p.before(o.xact, o.seq) }

// Fed is a fact with its place in a Feed.
type Fed struct {
	Ring  tenants.RingID
	Fact  tenants.Fact
	Place FeedPlace
}

const (
	// FeedKept is how long a reader may be away. The facts of others lie between its own, and are
	// passed over one by one.
	FeedKept = time.Hour
	// feedMost is how many facts, of every tenant, one Next passes at most.
	feedMost = 5000
	// feedOwn is how many facts one Next gives at most.
	feedOwn = 500
	// feedRings is how many rings one statement reads at most.
	feedRings = 200
)

// Newest is the place behind all facts.
func (f Feed) Newest(ctx context.Context) (FeedPlace, error) {
	rows, err := f.s.db.through(allTenants).query(ctx, f.s.db.dialect.lastFact())
	found, err := collect(rows, err, func(p *place) []any { return []any{&p.xact, &p.seq} })
	if err != nil || len(found) == 0 {
		return FeedPlace{}, translate(err)
	}
	return FeedPlace{found[0]}, nil
}

// Resume is the place with this text. It refuses what is none, such as the place of another server,
// and one whose next fact is older than FeedKept.
func (f Feed) Resume(ctx context.Context, text string) (FeedPlace, error) {
	p, ok := feedPlace(text)
	newest, err := f.Newest(ctx)
	if err != nil {
		return p, err
	}
	if ok && newest.before(p.xact, p.seq) { // the facts behind newest may have been deleted
		if ok, err = f.wasPassed(ctx, p); err != nil {
			return p, err
		}
	}
	if !ok {
		return p, tenants.Refuse(tenants.Invalid, "last_event_id", "Last-Event-ID must be the id of an event that this stream sent.")
	}
	past, order, args := f.s.db.dialect.behind(p.place)
	at, err := one(f.s.db.through(allTenants).scan(ctx, "SELECT received_at FROM facts WHERE "+past+" ORDER BY "+order+" LIMIT 1",
		args...))
	if err != nil {
		return p, err
	}
	if at > 0 && moment(at).Before(f.s.now().Add(-FeedKept)) {
		return p, tenants.Refuse(tenants.Gone, "event_too_old",
			"That event is more than an hour ago. Connect without Last-Event-ID, and list the rings for what you missed.")
	}
	return p, nil
}

// wasPassed reports whether a reader may have come to a place behind the newest fact.
func (f Feed) wasPassed(ctx context.Context, p FeedPlace) (bool, error) {
	n, err := one(f.s.db.through(allTenants).query(ctx, f.s.db.dialect.wasPassed(), p.xact))
	return n == 1, err
}

func feedPlace(text string) (p FeedPlace, ok bool) {
	xact, seq, ok := strings.Cut(text, "-")
	var errs [2]error
	p.xact, errs[0] = strconv.ParseInt(xact, 10, 64)
	p.seq, errs[1] = strconv.ParseInt(seq, 10, 64)
	return p, ok && errs == [2]error{} && p.xact >= 0 && p.seq >= 0 && p.String() == text
}

// Next reads the tenant's facts behind a place, and to where it read. There may be more behind
// that.
func (f Feed) Next(ctx context.Context, from FeedPlace) (facts []Fed, to FeedPlace, more bool, err error) {
	if to, more, err = f.end(ctx, from); err != nil || to == from {
		return nil, from, false, err
	}
	d := f.s.db.dialect
	past, order, args := d.behind(from.place)
	upTo, last := d.upTo(to.place)
	rows, err := f.reads().scan(ctx, "SELECT xact, seq, tenant_id, ring_id, attempt_id, kind, at, received_at, raw_at, raw_sent_at, "+
		"detail FROM facts WHERE tenant_id = ? AND "+past+" AND "+upTo+" ORDER BY "+order+" LIMIT "+strconv.Itoa(feedOwn),
		append(append([]any{uuid(f.id)}, args...), last...)...)
	found, err := collect(rows, err, (*committedRow).fields)
	if err != nil {
		return nil, from, false, translate(err)
	}
	for i := range found {
		c := found[i].noun()
		facts = append(facts, Fed{c.Ring, c.Fact, FeedPlace{found[i].place}})
	}
	if len(facts) == feedOwn {
		to, more = facts[feedOwn-1].Place, true
	}
	return facts, to, more, nil
}

// end is how far Next reads: past feedMost facts, and then there may be more, or past all of them.
func (f Feed) end(ctx context.Context, from FeedPlace) (to FeedPlace, more bool, err error) {
	if to, err = f.Newest(ctx); err != nil || !from.before(to.xact, to.seq) {
		return from, false, err // as at most looks
	}
	past, order, args := f.s.db.dialect.behind(from.place)
	rows, err := f.s.db.through(allTenants).scan(ctx, "SELECT xact, seq FROM facts WHERE "+past+" ORDER BY "+order+" LIMIT 1 OFFSET "+
		strconv.Itoa(feedMost-1), args...)
	found, err := collect(rows, err, func(p *place) []any { return []any{&p.xact, &p.seq} })
	if err != nil {
		return from, false, translate(err)
	}
	if len(found) > 0 {
		return FeedPlace{found[0]}, true, nil
	}
	return to, false, nil
}

// Rings reads those of the tenant's rings that are there: a few statements for many.
func (f Feed) Rings(ctx context.Context, ids []tenants.RingID) ([]*tenants.Ring, error) {
	var all []*tenants.Ring
	for part := range slices.Chunk(ids, feedRings) {
		rows, err := f.reads().scan(ctx, "SELECT "+ringColumns+" FROM rings WHERE tenant_id = ? AND id IN ("+marks(len(part))+")",
			some(f.id, part)...)
		found, err := collect(rows, err, (*ringRow).fields)
		if err != nil {
			return nil, translate(err)
		}
		rings := make([]*tenants.Ring, len(found))
		for i := range found {
			rings[i] = found[i].noun()
		}
		if err := f.fill(ctx, f.reads(), rings); err != nil {
			return nil, translate(err)
		}
		all = append(all, rings...)
	}
	return all, nil
}
