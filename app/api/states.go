package api

import "carillon/tenants"

// statesAfter gives the ring's state after each of its facts, by sequence number: the ring is lived through once more, so that a
// client who asks late is told the story as it went and not its end nine times.
func statesAfter(r *tenants.Ring) map[int64]tenants.State {
	again := tenants.Ring{State: tenants.Placed, Attempts: make([]tenants.Attempt, len(r.Attempts))}
	for i := range r.Attempts {
		again.Attempts[i] = tenants.Attempt{ID: r.Attempts[i].ID, Device: r.Attempts[i].Device, State: tenants.Placed}
	}
	facts := r.Facts()
	states := make(map[int64]tenants.State, len(facts))
	for _, f := range facts {
		again.Fold(f)
		states[f.Seq] = again.State
	}
	return states
}
