package health_test

import (
	"strings"
	"testing"

	"carillon/tenants"
)

// TestAnAgentThatDoesNotAttachRaisesAnAlert: after 3 of its last 10 calls. It closes when the agent
// attaches again, also in another process, and when the agent is removed.
func TestAnAgentThatDoesNotAttachRaisesAnAlert(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	add := func(name string) tenants.Agent {
		t.Helper()
		a := tenants.Agent{ID: tenants.NewID[tenants.AgentID](w.clock.Now()), Name: name, Kind: tenants.Builtin, CreatedAt: w.clock.Now()}
		must(t, w.scope.Agents().Add(t.Context(), a))
		return a
	}
	a, other := add("Reception"), add("Night desk")
	calls := func(a tenants.Agent, results string) []tenants.Alert {
		t.Helper()
		for _, r := range results {
			cause := ""
			if r == 'x' {
				cause = "the agent's server answered 401"
			}
			must(t, w.monitor.Attached(t.Context(), w.scope, a, cause))
		}
		return w.alerts(tenants.AlertAgent)
	}
	for _, step := range []struct {
		calls string
		open  int
	}{
		{"xx", 0},
		{"........xx", 0}, // the first ones are out of sight
		{"x", 1},
		{"x", 1},
		{".", 0}, // it attaches again
		{"xx", 0},
		{"x", 1},
	} {
		if list := calls(a, step.calls); len(list) != step.open {
			t.Fatalf("after %q: %+v", step.calls, list)
		}
	}
	list := calls(a, "")
	if list[0].Target != string(a.ID) || !strings.Contains(list[0].Detail, "Reception") ||
		!strings.Contains(list[0].Detail, "answered 401.") {
		t.Errorf("the alert: %+v", list[0])
	}
	w.open() // a new process knows nothing of it
	if list := calls(other, "."); len(list) != 1 {
		t.Errorf("another agent closed it: %+v", list)
	}
	if list := calls(a, "."); len(list) != 0 {
		t.Errorf("it is open after the agent attached: %+v", list)
	}
	calls(other, "xxx")
	must(t, w.monitor.Review(t.Context()))
	if list := calls(a, ""); len(list) != 1 {
		t.Errorf("a review of an agent that is there: %+v", list)
	}
	must(t, w.scope.Agents().Remove(t.Context(), other.ID))
	must(t, w.monitor.Review(t.Context()))
	if list := calls(a, ""); len(list) != 0 {
		t.Errorf("its agent was removed: %+v", list)
	}
}
