package tenants

import "time"

// declinedElsewhere is the detail of a cancelled attempt whose person declined on another phone.
const declinedElsewhere = "declined_elsewhere"

// declinedElsewhere reports whether the attempt ended because its person declined on another phone,
// in a ring to a group: then that other attempt says how it ended.
func (a *Attempt) declinedElsewhere() bool {
	if a.Step == 0 || a.State != Cancelled {
		return false
	}
	for i := range a.Facts {
		if a.Facts[i].Kind == FactCancelled && a.Facts[i].Detail == declinedElsewhere {
			return true
		}
	}
	return false
}

// stateNow is the ring's state, computed from its attempts, and from its steps if it is to a group.
func (r *Ring) stateNow() State {
	if r.To.Group == "" {
		return StateOf(r.Attempts)
	}
	return r.groupState()
}

// groupRank is rank for the ends of a ring to a group: one person who declines decides for nobody
// else, and a ring that was given up is cancelled, even if a person declined before.
var groupRank = map[State]int{Ringing: 7, Pushed: 6, Placed: 5, Cancelled: 4, Declined: 3, Missed: 2, Failed: 1}

// groupState is the state of a ring to a group. It lives as long as an attempt does or a step is
// still to come, and never moves backwards when a later step begins.
func (r *Ring) groupState() State {
	best, waits := Elsewhere, r.Waits()
	for i := range r.Attempts {
		a := &r.Attempts[i]
		switch {
		case a.becameCall():
			return a.State
		case len(a.Facts) == 0: // of a later step, while the facts are folded again
			waits = true
			continue
		case a.declinedElsewhere():
			continue
		}
		if groupRank[a.State] > groupRank[best] {
			best = a.State
		}
	}
	live := groupRank[best] >= groupRank[Placed]
	switch {
	case !live && waits:
		return r.State
	case live && groupRank[r.State] > groupRank[best]:
		return r.State
	case best == Elsewhere:
		return Cancelled
	}
	return best
}

// Waits reports whether a step of the ring is still to come.
func (r *Ring) Waits() bool {
	for i := range r.Steps {
		if r.Steps[i].State == StepPlanned {
			return true
		}
	}
	return false
}

// DropSteps says that the steps that are still to come will not begin.
func (r *Ring) DropSteps() {
	for i := range r.Steps {
		if r.Steps[i].State == StepPlanned {
			r.Steps[i].State = StepDropped
		}
	}
}

// NextWave returns the steps that begin next, and when: at once if nobody rings any more, else when
// the time of those that ring is up. None if no step is to come, or the ring is answered or over.
func (r *Ring) NextWave() (steps []Step, due time.Time) {
	if r.State.Terminal() || r.State == Answered {
		return nil, time.Time{}
	}
	due = r.CreatedAt
	for i := range r.Steps {
		switch s := &r.Steps[i]; s.State {
		case StepPlanned:
			if len(steps) == 0 || steps[0].Wave == s.Wave {
				steps = append(steps, *s)
			}
		case StepRung:
			if end := s.BegunAt.Add(s.For); end.After(due) {
				due = end
			}
		}
	}
	if len(steps) == 0 {
		return nil, time.Time{}
	}
	for i := range r.Attempts {
		if !r.Attempts[i].State.Terminal() {
			return steps, due
		}
	}
	return steps, r.CreatedAt
}

// Due is when somebody has to look at a live ring again: when its next step begins, else when its
// time is up.
func (r *Ring) Due() time.Time {
	if steps, due := r.NextWave(); len(steps) > 0 && due.Before(r.ExpiresAt) {
		return due
	}
	return r.ExpiresAt
}

// Begin begins the next wave with the attempts that were made for it: attempts of an earlier wave
// that nobody answered expire, and a step without an attempt is left out for the reason in why. It
// returns the facts to write. The ring's time is up when the last step's is: a step that is left
// out takes none.
func (r *Ring) Begin(wave int, attempts []Attempt, why map[int]string, now time.Time) (facts []Fact) {
	has := map[int]bool{}
	for _, a := range attempts {
		has[a.Step] = true
	}
	began, later := time.Duration(0), time.Duration(0)
	var last int
	for i := range r.Steps {
		s := &r.Steps[i]
		switch {
		case s.State != StepPlanned:
		case s.Wave != wave:
			if s.Wave != last {
				later += s.For
			}
			last = s.Wave
		case has[s.N]:
			s.State, s.BegunAt = StepRung, now
			began = s.For
		default:
			s.State, s.Reason = StepLeftOut, why[s.N]
		}
	}
	if began == 0 { // nobody of the wave can be rung: the ring has no time left for it
		r.lasts(now.Add(later))
		return nil
	}
	r.lasts(now.Add(began + later))
	earlier := len(r.Attempts)
	r.Attempts = append(r.Attempts, attempts...)
	for i := range r.Attempts[earlier:] {
		r.Attempts[earlier+i].Ring = r.ID
	}
	for i := range r.Attempts[:earlier] {
		facts = append(facts, r.Fold(Fact{Attempt: r.Attempts[i].ID, Kind: FactExpired, At: now, Received: now})...)
	}
	for i := range attempts {
		facts = append(facts, r.Fold(Fact{Attempt: attempts[i].ID, Kind: FactPlaced, At: now, Received: now})...)
	}
	return facts
}

// lasts sets when the ring's time is up, within what a ring to a group may last.
func (r *Ring) lasts(until time.Time) {
	r.ExpiresAt = until
	if most := r.CreatedAt.Add(MaxGroupTTL); until.After(most) {
		r.ExpiresAt = most
	}
}

// Rings reports whether a phone of the ring to a group rings whose step still has time at now.
func (r *Ring) Rings(now time.Time) bool {
	for i := range r.Attempts {
		a := &r.Attempts[i]
		for j := range r.Steps {
			s := &r.Steps[j]
			if s.N == a.Step && !a.State.Terminal() && s.BegunAt.Add(s.For).After(now) {
				return true
			}
		}
	}
	return false
}

// Finish ends a ring to a group whose attempts have all ended, although steps were to come: its
// time is up, nobody of them can be rung, or it is cancelled. kind is FactExpired or FactCancelled.
// It returns the facts to write: one fact, which says when the ring ended. Where no attempt can
// have it, it is the ring's own.
func (r *Ring) Finish(kind FactKind, now time.Time) []Fact {
	if r.To.Group == "" || r.State.Terminal() || r.State == Answered {
		return nil
	}
	var on *Attempt
	for i := range r.Attempts {
		a := &r.Attempts[i]
		if !a.State.Terminal() {
			return nil
		}
		if !a.Has(kind) {
			on = a
		}
	}
	dropped := r.Waits()
	r.DropSteps()
	switch {
	case len(r.Attempts) > 0:
		r.State = r.stateNow()
		r.EndReason = r.reason()
	case dropped: // the server did not get to it
		r.State, r.EndReason = Missed, ReasonNotPushed
	default:
		r.State, r.EndReason = Missed, ReasonNobody
	}
	if kind == FactCancelled {
		r.State, r.EndReason = Cancelled, ReasonCancelled
	}
	r.EndedAt = now
	f := Fact{Kind: kind, At: now, Received: now}
	if on == nil {
		r.Own = append(r.Own, f)
		return []Fact{f}
	}
	f.Attempt = on.ID
	on.record(f) // changes no state
	return []Fact{f}
}
