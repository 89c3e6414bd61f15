package web

import (
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// writeRates are the rates of changes: of each holder by its kind, of the holders of one kind in a
// tenant together, and of all. Placing and cancelling rings has rates of its own; see switchboard.
// People and programs of a tenant do not share a rate, so that a program that floods leaves the
// console to the people who have to stop it. Devices share none with their tenant: it has as many
// as its plan allows.
var (
	writeRates = map[string]tenants.Rate{
		KindKey: {Of: "key", Every: 100 * time.Millisecond, Burst: 200,
			Says: "This API key makes too many changes (10 a second over a longer time). Wait for Retry-After and try again."},
		KindPerson: {Of: "person", Every: 200 * time.Millisecond, Burst: 100,
			Says: "You make too many changes (5 a second over a longer time). Wait a moment and try again."},
		KindDevice: {Of: "device", Every: 10 * time.Millisecond, Burst: 400,
			Says: "This device sends too many changes (100 a second over a longer time). Wait for Retry-After and try again."},
		KindPartner: {Of: "partner", Every: 30 * time.Second, Burst: 20,
			Says: "You make too many changes (2 a minute over a longer time). Wait a moment and try again."},
	}
	tenantWrites = tenants.Rate{Of: "tenant", Every: 50 * time.Millisecond, Burst: 400,
		Says: "Your organisation makes too many changes (20 a second over a longer time). Wait a moment and try again."}
	dayWrites = tenants.Rate{Of: "day", Every: 2 * time.Second, Burst: 20_000,
		Says: "Your organisation made more than 20,000 changes. " +
			"Now one more is possible every two seconds, until there were fewer for some hours."}
	allWrites = tenants.Rate{Of: "all", Every: 2 * time.Millisecond, Burst: 2000, Shared: true,
		Says: "This server is making as many changes as it can. Try again in a moment."}
)

// MayWrite takes a turn for one change, or refuses with how long to wait: 429 where the holder or
// its tenant changes too much, 503 where all do.
func MayWrite(c *fiber.Ctx, h Holder) error {
	v, ok := visitOf(c)
	if !ok {
		return nil
	}
	rates := []tenants.Rate{writeRates[h.Kind].For(h.ID)}
	if h.Kind != KindDevice {
		rates = append(rates, allWrites)
	}
	if h.Kind != KindDevice && h.Tenant != "" {
		of := h.Kind + " " + h.Tenant
		rates = append(rates, tenantWrites.For(of), dayWrites.For(of))
	}
	return v.edge.writes.Admit(v.edge.Now(), "too_many_changes", rates...)
}
