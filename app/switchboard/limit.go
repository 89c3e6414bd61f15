package switchboard

import (
	"fmt"
	"strings"

	"carillon/tenants"
)

// rates are the limits on a caller's rings: the tenant's, and the key's own.
func (b *Board) rates(c Caller) []tenants.Rate {
	var all []tenants.Rate
	if b.RingsPerSecond > 0 {
		all = append(all, tenants.PerSecond("rings "+string(c.Tenant.ID), b.RingsPerSecond))
	}
	if c.PerSecond > 0 && c.Kind == tenants.ActorKey {
		all = append(all, tenants.PerSecond("key "+c.ID, float64(c.PerSecond)))
	}
	return all
}

// admit refuses a caller who rings too fast. It costs no read and no write, so that one tenant's
// flood is nobody else's wait.
func (b *Board) admit(c Caller) error {
	which, wait := b.limits.Take(b.Now(), b.rates(c)...)
	if wait == 0 {
		return nil
	}
	msg := fmt.Sprintf("This account rings more than %g times a second. Wait a moment and try again.", b.RingsPerSecond)
	if strings.HasPrefix(which, "key ") {
		msg = fmt.Sprintf("This key rings more than %s times a second. Wait a moment and try again.", tenants.FormatCount(c.PerSecond))
	}
	if b.Meter != nil {
		b.Meter.Limited()
	}
	return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_rings", Msg: msg, RetryAfter: wait}
}

// readmit takes back what admit counted: a repeat is no ring.
func (b *Board) readmit(c Caller) { b.limits.GiveBack(b.rates(c)...) }
