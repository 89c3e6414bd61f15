package switchboard

import (
	"fmt"

	"carillon/tenants"
)

// ringRates are the limits on a caller's rings: the tenant's, and the key's own.
func ringRates(c Caller, perSecond float64) []tenants.Rate {
	var all []tenants.Rate
	if perSecond > 0 {
		r := tenants.PerSecond("rings", perSecond).For(string(c.Tenant.ID))
		r.Says = fmt.Sprintf("This account rings more than %g times a second. Wait a moment and try again.", perSecond)
		all = append(all, r)
	}
	if c.PerSecond > 0 && c.Kind == tenants.ActorKey {
		r := tenants.PerSecond("key", float64(c.PerSecond)).For(c.ID)
		r.Says = fmt.Sprintf("This key rings more than %s times a second. Wait a moment and try again.", tenants.FormatCount(c.PerSecond))
		all = append(all, r)
	}
	return all
}

// admit refuses a caller who rings too fast. It costs no read and no write, so that one tenant's
// flood is nobody else's wait.
func (b *Board) admit(c Caller) error {
	err := b.limits.Admit(b.Now(), "too_many_rings", ringRates(c, b.RingsPerSecond)...)
	if err != nil && b.Meter != nil {
		b.Meter.Limited()
	}
	return err
}

// readmit takes back what admit counted: a repeat is no ring.
func (b *Board) readmit(c Caller) { b.limits.GiveBack(ringRates(c, b.RingsPerSecond)...) }
