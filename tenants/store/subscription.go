package store

import (
	"context"
	"time"

	"carillon/tenants"
)

type subscriptionRow struct {
	TenantID                                                         uuid
	Plan, State, Every                                               string
	PeriodStart, PeriodEnd, TrialEnd, Cut, PastDue, Synced, CreatedA int64
	CancelAtEnd, Overage                                             bool
	Customer, Stripe                                                 string
	Quantity                                                         int64
}

const subscriptionColumns = "tenant_id, plan, state, every, period_start, period_end, trial_end, trial_cut, cancel_at_end, " +
	"past_due_since, overage, " +
	"customer, stripe, quantity, synced_at, created_at"

func (r *subscriptionRow) fields() []any {
	return []any{&r.TenantID, &r.Plan, &r.State, &r.Every, &r.PeriodStart, &r.PeriodEnd, &r.TrialEnd, &r.Cut, &r.CancelAtEnd, &r.PastDue,
		&r.Overage,
		&r.Customer, &r.Stripe, &r.Quantity, &r.Synced, &r.CreatedA}
}

func (r subscriptionRow) noun() tenants.Subscription {
	return tenants.Subscription{
		Tenant: tenants.TenantID(r.TenantID), Plan: r.Plan, State: tenants.SubscriptionState(r.State), Interval: tenants.Interval(r.Every),
		PeriodStart: moment(r.PeriodStart), PeriodEnd: moment(r.PeriodEnd), TrialEnd: moment(r.TrialEnd), TrialCut: moment(r.Cut),
		CancelAtEnd:  r.CancelAtEnd,
		PastDueSince: moment(r.PastDue), Overage: r.Overage, Customer: r.Customer, Stripe: r.Stripe, Quantity: r.Quantity,
		SyncedAt:  moment(r.Synced),
		CreatedAt: moment(r.CreatedA),
	}
}

// settled is the subscription as it will be read back.
func settled(t tenants.TenantID, n tenants.Subscription) tenants.Subscription {
	n.Tenant = t
	n.PeriodStart, n.PeriodEnd, n.TrialEnd = stored(n.PeriodStart), stored(n.PeriodEnd), stored(n.TrialEnd)
	n.TrialCut = stored(n.TrialCut)
	n.PastDueSince, n.SyncedAt, n.CreatedAt = stored(n.PastDueSince), stored(n.SyncedAt), stored(n.CreatedAt)
	return n
}

// subscription reads the tenant's own; ok is false when there is none.
func (s *scope) subscription(ctx context.Context, q querier, hold string) (sub tenants.Subscription, ok bool, err error) {
	rows, err := q.query(ctx, "SELECT "+subscriptionColumns+" FROM subscriptions WHERE tenant_id = ?"+hold, uuid(s.id))
	found, err := collect(rows, err, (*subscriptionRow).fields)
	if err != nil || len(found) == 0 {
		return tenants.Subscription{}, false, translate(err)
	}
	return found[0].noun(), true, nil
}

// Subscription is what the tenant has bought, what that allows and what was used.
type Subscription struct{ *scope }

// Subscription returns the tenant's Subscription.
func (s *Scope) Subscription() Subscription { return Subscription{&s.scope} }

// Get is what the tenant has bought, is trying or was given; NoSuch when there is none, which
// allows everything.
func (s Subscription) Get(ctx context.Context) (tenants.Subscription, error) {
	sub, ok, err := s.subscription(ctx, s.reads(), "")
	if err == nil && !ok {
		err = tenants.NoSuch("subscription")
	}
	return sub, err
}

// Set gives the tenant a subscription in place of the one it has.
func (s Subscription) Set(ctx context.Context, n tenants.Subscription) error {
	return s.changeSubscription(ctx, true, func(old *tenants.Subscription) error {
		since := old.CreatedAt
		if *old = n; !since.IsZero() {
			old.CreatedAt = since
		}
		return nil
	})
}

// Change changes the tenant's subscription by what change makes of it, in one write. An error of
// change writes nothing; it may run more than once. A tenant without a subscription is NoSuch.
func (s Subscription) Change(ctx context.Context, change func(*tenants.Subscription) error) error {
	return s.changeSubscription(ctx, false, change)
}

func (s *scope) changeSubscription(ctx context.Context, add bool, change func(*tenants.Subscription) error) error {
	err := s.write(ctx, func(t *tx) error {
		old, ok, err := s.subscription(context.Background(), t, t.hold())
		switch {
		case err != nil:
			return err
		case !ok && !add:
			return tenants.NoSuch("subscription")
		}
		n := old
		if err := change(&n); err != nil {
			return err
		}
		n = settled(s.id, n)
		if n.CreatedAt.IsZero() {
			n.CreatedAt = stored(s.s.now())
		}
		if ok && n == old {
			return nil
		}
		if err := t.tenants().setSubscription(n); err != nil {
			return taken(err, "Another organisation has this Stripe customer already.")
		}
		if err := t.tenants().cut(s, old.WasCut(), n); err != nil {
			return err
		}
		what := subscriptionChanges(old, n)
		if len(what) == 0 {
			return nil
		}
		return t.auditSet(s, "subscription.set", n.Plan, what.String(), what...)
	})
	s.s.seen.forget()
	return err
}

// cut raises the alert of a trial that is cut now, which the tenant's people get one mail about,
// and closes it when something was bought or given since.
func (t tenantsTx) cut(s *scope, was bool, n tenants.Subscription) (err error) {
	switch is := n.WasCut(); {
	case is && !was:
		_, err = t.alerts().alert(s, tenants.AlertTrial, "", n.CutNotice())
	case was && !is:
		if err = t.alerts().resolve(s, tenants.AlertTrial, ""); tenants.KindOf(err) == tenants.Unknown { // somebody closed it by hand
			err = nil
		}
	}
	return err
}

// subscriptionChanges is what changed, before and after, but for when Stripe was last asked.
func subscriptionChanges(old, n tenants.Subscription) changes {
	c := changes{}
	day := func(at time.Time) string {
		if at.IsZero() {
			return ""
		}
		return at.UTC().Format(time.RFC3339)
	}
	c.set("plan", old.Plan, n.Plan)
	c.set("state", string(old.State), string(n.State))
	c.set("interval", string(old.Interval), string(n.Interval))
	c.set("period_start", day(old.PeriodStart), day(n.PeriodStart))
	c.set("period_end", day(old.PeriodEnd), day(n.PeriodEnd))
	c.set("trial_end", day(old.TrialEnd), day(n.TrialEnd))
	c.set("trial_cut", day(old.TrialCut), day(n.TrialCut))
	c.set("cancel_at_end", onOff(old.CancelAtEnd), onOff(n.CancelAtEnd))
	c.set("past_due_since", day(old.PastDueSince), day(n.PastDueSince))
	c.set("overage", onOff(old.Overage), onOff(n.Overage))
	c.set("customer", old.Customer, n.Customer)
	c.set("stripe", old.Stripe, n.Stripe)
	c.set("quantity", tenants.FormatCount(old.Quantity), tenants.FormatCount(n.Quantity))
	return c
}

func (t tenantsTx) setSubscription(n tenants.Subscription) error {
	_, err := t.exec("INSERT INTO subscriptions ("+subscriptionColumns+") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "+
		"ON CONFLICT (tenant_id) DO UPDATE SET plan = excluded.plan, state = excluded.state, every = excluded.every, "+
		"period_start = excluded.period_start, period_end = excluded.period_end, trial_end = excluded.trial_end, "+
		"trial_cut = excluded.trial_cut, cancel_at_end = excluded.cancel_at_end, past_due_since = excluded.past_due_since, overage = "+
		"excluded.overage, "+
		"customer = excluded.customer, stripe = excluded.stripe, quantity = excluded.quantity, synced_at = "+
		"excluded.synced_at",
		uuid(n.Tenant), n.Plan, string(n.State), string(n.Interval), micros(n.PeriodStart), micros(n.PeriodEnd), micros(n.TrialEnd),
		micros(n.TrialCut), n.CancelAtEnd,
		micros(n.PastDueSince), n.Overage, n.Customer, n.Stripe, n.Quantity, micros(n.SyncedAt), micros(n.CreatedAt))
	return err
}

// Remove takes the subscription away: from then on everything is allowed. What was used is
// forgotten with it.
func (s Subscription) Remove(ctx context.Context) error {
	err := s.write(ctx, func(t *tx) error {
		n, err := t.change("DELETE FROM subscriptions WHERE tenant_id = ?", uuid(s.id))
		if err == nil && n == 0 {
			err = tenants.NoSuch("subscription")
		}
		if err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM usage WHERE tenant_id = ?", uuid(s.id)); err != nil {
			return err
		}
		if err := t.tenants().cut(s.scope, true, tenants.Subscription{}); err != nil {
			return err
		}
		return t.audit(s.scope, "subscription.remove", string(s.id), "")
	})
	s.s.seen.forget()
	return err
}

// bought is what the hot path asks: the subscription, if there is one, the rings of its month of
// usage, and its calls.
type bought struct {
	sub          *tenants.Subscription
	rings, calls int64
	from         time.Time
}

// Entitlement is what the tenant may do right now, by its subscription and the rings of this month.
// It is remembered for a second; rings are counted a second after Apple accepted them, so that a
// burst may go a little past a limit. Calls are those of every server on PostgreSQL; on SQLite
// there is one, which knows its own better. Devices and people are not counted: who needs them sets
// them.
func (s Subscription) Entitlement(ctx context.Context) (tenants.Entitlement, error) {
	now := s.s.now()
	b, err := s.bought(ctx, now)
	if err != nil || b.sub == nil {
		return tenants.Entitle(nil, tenants.Plan{}, tenants.Usage{}, now), err
	}
	return tenants.Entitle(b.sub, s.s.plan(b.sub.Plan), tenants.Usage{Rings: b.rings, Calls: b.calls}, now), nil
}

// plan is the plan of a code. One that the file does not have any more has no limits: nobody knows
// them.
func (s *core) plan(code string) tenants.Plan {
	p, ok := s.plans.Plan(code)
	if !ok {
		return tenants.Plan{Code: code, Name: code, Grace: time.Duration(s.plans.GraceDays) * 24 * time.Hour}
	}
	return p
}

// Plans are those of the plans file.
func (s *Store) Plans() tenants.Plans { return s.plans }

// Industries are the files of the industries.
func (s *Store) Industries() *tenants.Industries { return s.industries }

func (s *scope) bought(ctx context.Context, now time.Time) (bought, error) {
	seen := s.s.seen
	if e, ok := recall(seen, seen.bought, s.id); ok && (e.thing.sub == nil || sameMonth(*e.thing.sub, e.thing.from, now)) {
		return e.thing, nil
	}
	turn := seen.begin()
	sub, ok, err := s.subscription(ctx, s.reads(), "")
	if err != nil {
		return bought{}, err
	}
	var b bought
	if ok {
		from, _ := sub.Month(now)
		b.sub, b.from = &sub, from
		if b.rings, err = s.used(ctx, s.reads(), from); err != nil {
			return bought{}, err
		}
		if b.calls, err = s.talking(ctx); err != nil {
			return bought{}, err
		}
	}
	keep(seen, seen.bought, s.id, entry[bought]{thing: b}, turn)
	return b, nil
}

func sameMonth(sub tenants.Subscription, from, now time.Time) bool {
	is, _ := sub.Month(now)
	return is.Equal(from)
}

// used is the rings of a month of usage.
func (s *scope) used(ctx context.Context, q querier, from time.Time) (int64, error) {
	return one(q.query(ctx, "SELECT CAST(COALESCE(SUM(rings), 0) AS BIGINT) FROM usage WHERE tenant_id = ? AND period = ?", uuid(s.id),
		micros(from)))
}

// talking counts the calls that are up, on every server of the database.
func (s *scope) talking(ctx context.Context) (int64, error) {
	if s.s.db.dialect.isFile() {
		return 0, nil
	}
	return one(s.reads().query(ctx, `SELECT COUNT(*) FROM calls JOIN rings ON rings.tenant_id = calls.tenant_id AND rings.id = calls.ring_id
		WHERE calls.tenant_id = ? AND calls.ended_at = 0 AND rings.state = 'answered'`, uuid(s.id)))
}

// UsageDays lists the days of zone in [from, to) on which rings counted, in order. Like the other
// counts they are kept by the hour of UTC; see Analytics.FunnelByDay.
func (s Subscription) UsageDays(ctx context.Context, from, to time.Time, zone *time.Location) ([]UsageDay, error) {
	type row struct{ day, rings int64 }
	var out []UsageDay
	for _, part := range offsets(from, to, s.s.now(), zone) {
		rows, err := s.reads().scan(ctx, "SELECT "+dayIn(part.offset)+", CAST(SUM(rings) AS BIGINT) FROM usage "+
			"WHERE tenant_id = ? AND hour >= ? AND hour < ? GROUP BY 1 ORDER BY 1",
			uuid(s.id), floor(micros(part.from), hour), until(part.to))
		found, err := collect(rows, err, func(r *row) []any { return []any{&r.day, &r.rings} })
		if err != nil {
			return nil, translate(err)
		}
		for _, r := range found {
			day := moment(r.day).UTC().Format(time.DateOnly)
			if n := len(out); n > 0 && out[n-1].Day == day { // the clock changed on it
				out[n-1].Rings += r.rings
			} else {
				out = append(out, UsageDay{Day: day, Rings: r.rings})
			}
		}
	}
	return out, nil
}

// ClaimCard gives a card to the tenant that had it first, by when it was added there, in whatever
// order the claims come. fingerprint is Stripe's name of the card; what is kept of it is a keyed
// hash.
func (s Subscription) ClaimCard(ctx context.Context, fingerprint string, added time.Time) (Claim, error) {
	marks, err := s.s.seal.Marks("trial card", fingerprint, s.s.removed...)
	if err != nil {
		return Claim{}, err
	}
	var c Claim
	err = s.s.w.do(ctx, s.access(), func(t *tx) error {
		was, err := t.tenants().holding(marks)
		if err != nil {
			return err
		}
		me := holding{uuid(s.id), micros(added)}
		if was.tenant != "" && was.tenant != me.tenant && was.began <= me.began {
			c = Claim{}
			return nil
		}
		is, err := t.tenants().seat(marks, me)
		c = Claim{Mine: is.tenant == me.tenant}
		if c.Mine && was.tenant != me.tenant {
			c.From = tenants.TenantID(was.tenant)
		}
		return err
	})
	return c, err
}
