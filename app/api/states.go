package api

import "carillon/tenants"

// statesAfter returns the ring's state after each of its facts, by sequence number. It folds the
// facts again, so that a client that connects late sees the state of that time and not the final
// one.
func statesAfter(r *tenants.Ring) map[int64]tenants.State {
	again := tenants.Ring{State: tenants.Placed, To: r.To, Attempts: make([]tenants.Attempt, len(r.Attempts))}
	for i := range r.Attempts {
		again.Attempts[i] = tenants.Attempt{ID: r.Attempts[i].ID, Device: r.Attempts[i].Device, Step: r.Attempts[i].Step,
			State: tenants.Placed}
	}
	facts := r.Facts()
	states := make(map[int64]tenants.State, len(facts))
	for _, f := range facts {
		again.Fold(f)
		states[f.Seq] = again.State
		if r.To.Group != "" && !r.EndedAt.IsZero() && !f.Received.Before(r.EndedAt) { // its steps are not folded again
			states[f.Seq] = r.State
		}
	}
	return states
}
