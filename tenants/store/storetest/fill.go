package storetest

import (
	"testing"
	"time"

	"carillon/tenants/store"
)

// Sample fills a migrated database with two tenants that have something of nearly everything, and
// gives their scopes.
func Sample(t *testing.T, c store.Config) []*store.Scope {
	t.Helper()
	b := &bench{T: t, clock: &clock{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)}}
	b.config = c
	b.config.Now = b.clock.Now
	b.s = OpenConfig(t, b.config)
	b.roller = b.s
	one := b.fillSealed()
	two := b.tenant()
	b.property(two)
	return []*store.Scope{one.s, two}
}
