package store

import (
	"context"

	"carillon/tenants"
)

// Summary is what every page of the console says of its tenant.
type Summary struct {
	OpenAlerts  int64
	Production  bool // a working credential covers it
	Sandbox     bool // a working credential covers it
	Entitlement tenants.Entitlement
}

// Summary reads a Summary by one statement; the entitlement is remembered for a second, as for
// rings. Only this makes it cheap enough for every page.
func (s *Scope) Summary(ctx context.Context) (Summary, error) {
	type counts struct{ alerts, production, sandbox int64 }
	const active = "(SELECT COUNT(*) FROM credentials WHERE tenant_id = ? AND state = 'active' AND environment <> ?)"
	rows, err := s.reads().query(ctx, "SELECT (SELECT COUNT(*) FROM alerts WHERE tenant_id = ? AND resolved_at = 0), "+active+", "+active,
		uuid(s.id), uuid(s.id), string(tenants.Sandbox), uuid(s.id), string(tenants.Production))
	found, err := collect(rows, err, func(c *counts) []any { return []any{&c.alerts, &c.production, &c.sandbox} })
	if err != nil {
		return Summary{}, translate(err)
	}
	e, err := s.Subscription().Entitlement(ctx)
	return Summary{OpenAlerts: found[0].alerts, Production: found[0].production > 0, Sandbox: found[0].sandbox > 0, Entitlement: e}, err
}
