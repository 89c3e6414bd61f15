package tenants

import (
	"slices"
	"testing"
)

// TestEveryIndustryExpectsConnections: each industry has a pod of known roles, each once and with a
// reason.
func TestEveryIndustryExpectsConnections(t *testing.T) {
	t.Parallel()
	for _, i := range Industries {
		seen := map[ConnectionRole]bool{}
		for _, e := range i.Pod() {
			if !slices.Contains(ConnectionRoles, e.Role) || seen[e.Role] || !ValidText(e.Why, 10, 120) {
				t.Errorf("%s expects %+v", i, e)
			}
			seen[e.Role] = true
		}
		if len(seen) == 0 {
			t.Errorf("%s expects nothing", i)
		}
	}
	if len(Industry("farming").Pod()) != 0 {
		t.Error("an unknown industry expects something")
	}
}
