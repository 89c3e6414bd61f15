package web

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// Rates of changes. Placing and cancelling rings has rates of its own; see switchboard. People and
// programs of a tenant do not share a rate, so that a program that floods leaves the console to the
// people who have to stop it.
var (
	keyWrites    = tenants.Rate{Every: 100 * time.Millisecond, Burst: 200}
	personWrites = tenants.Rate{Every: 200 * time.Millisecond, Burst: 100}
	deviceWrites = tenants.Rate{Every: 10 * time.Millisecond, Burst: 400}
	tenantWrites = tenants.Rate{Every: 50 * time.Millisecond, Burst: 400} // of one kind of holder
	dayWrites    = tenants.Rate{Every: 2 * time.Second, Burst: 20_000}    // the same, over days
	allWrites    = tenants.Rate{Every: 2 * time.Millisecond, Burst: 2000}
)

// MayWrite takes a turn for one change, or refuses with how long to wait: 429 where the holder or
// its tenant changes too much, 503 where all do.
func MayWrite(c *fiber.Ctx, h Holder) error {
	v, ok := visitOf(c)
	if !ok {
		return nil
	}
	each, ofTenant := personWrites, tenantWrites
	switch h.Kind {
	case KindKey:
		each = keyWrites
	case KindDevice:
		each, ofTenant = deviceWrites, tenants.Rate{} // a tenant has as many phones as its plan allows
	}
	each.Name = h.Kind + " " + h.ID
	ofTenant.Name = "tenant " + h.Kind + " " + h.Tenant
	day, all := dayWrites, allWrites
	day.Name, all.Name = "day "+h.Kind+" "+h.Tenant, "all"
	rates := []tenants.Rate{each, ofTenant, day, all}
	if ofTenant.Every == 0 {
		rates = []tenants.Rate{each}
	}
	refused, wait := v.edge.writes.Take(v.edge.Now(), rates...)
	switch {
	case wait == 0:
		return nil
	case refused == all.Name:
		return &tenants.Error{Kind: tenants.Unavailable, Code: "too_many_changes", RetryAfter: wait,
			Msg: "This server is making as many changes as it can. Try again in a moment."}
	case refused == ofTenant.Name:
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_changes", RetryAfter: wait,
			Msg: "Your organisation makes too many changes (20 a second over a longer time). Wait a moment and try again."}
	case refused == day.Name:
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_changes", RetryAfter: wait,
			Msg: "Your organisation made more than 20,000 changes. " +
				"Now one more is possible every two seconds, until there were fewer for some hours."}
	case h.Kind == KindKey:
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_changes", RetryAfter: wait,
			Msg: "This API key makes too many changes (10 a second over a longer time). Wait for Retry-After and try again."}
	case h.Kind == KindDevice:
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_changes", RetryAfter: wait,
			Msg: "This device sends too many changes (100 a second over a longer time). Wait for Retry-After and try again."}
	}
	return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_changes", RetryAfter: wait,
		Msg: "You make too many changes (5 a second over a longer time). Wait a moment and try again."}
}
