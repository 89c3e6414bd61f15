package connections

import (
	"context"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
)

// NewWebhook is the role webhook with another time to answer.
func NewWebhook(d *outbound.Dialer, within time.Duration, now func() time.Time) Role {
	return newWebhook(d, within, now)
}

// Look finds what is due now, as the engine does each second.
func (e *Engine) Look() { e.look() }

// FactsFor is how many facts the feed's next commit may have.
func FactsFor(facts, deliveries int) (next int, fits bool) { return factsFor(facts, deliveries) }

// Cut breaks off attempts under way, as the end of the process does.
func (e *Engine) Cut() { e.cut() }

// SetWithin sets how long a look-up through d may take.
func (l *Lookups) SetWithin(d *outbound.Dialer, within time.Duration) {
	l.hook, l.within = &webhook{client: d.Client(within), now: l.hook.now}, within
}

// SetAskers replaces the query for who has a look-up.
func (l *Lookups) SetAskers(f func(context.Context) (map[tenants.TenantID]tenants.ConnectionID, error)) {
	l.askers = f
}
