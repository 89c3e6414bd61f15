package tenants

// next holds every change of an attempt's state: by state and fact, the new state. A fact that is
// absent is recorded and changes nothing, so a late or unexpected fact never moves an attempt
// backwards. Terminal states have no row.
var next = map[State]map[FactKind]State{
	Placed: {
		FactAccepted: Pushed, FactRefused: Failed, FactWoke: Pushed, FactShown: Ringing, FactFailedToShow: Failed,
		FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined, FactAnswered: Answered, FactElsewhere: Elsewhere,
		FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed, FactRemoved: Failed,
	},
	Pushed: {
		FactShown: Ringing, FactFailedToShow: Failed, FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined,
		FactAnswered: Answered, FactElsewhere: Elsewhere, FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed,
		FactRemoved: Failed,
	},
	Ringing: {
		FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined, FactAnswered: Answered, FactElsewhere: Elsewhere,
		FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed, FactRemoved: Failed,
	},
	Answered: {FactHungUp: Ended, FactBroken: Failed},
}

// Next returns the state after a fact.
func Next(s State, k FactKind) State {
	if to, ok := next[s][k]; ok {
		return to
	}
	return s
}

// rank orders the states of attempts for a ring that is not a call: the highest one decides. A
// decision of the person outweighs an attempt that is still running, and that outweighs every other
// end.
var rank = map[State]int{Declined: 7, Ringing: 6, Pushed: 5, Placed: 4, Cancelled: 3, Missed: 2, Failed: 1}

// StateOf returns a ring's state, computed from its attempts alone. The attempt that became the
// call decides. Elsewhere is ignored beside any other state; if all are Elsewhere, which Carillon
// never writes, the ring is Cancelled.
func StateOf(attempts []Attempt) State {
	best := Elsewhere
	for i := range attempts {
		if attempts[i].becameCall() {
			return attempts[i].State
		}
		if rank[attempts[i].State] > rank[best] {
			best = attempts[i].State
		}
	}
	if best == Elsewhere {
		return Cancelled
	}
	return best
}

// Fold records a fact on the ring: it changes the state of the attempt, of the ring, and of the
// other attempts that must follow. It returns the facts to write: this one and those that follow
// for other attempts, or none if the fact is recorded already, or as often as it may. An ending
// that Carillon itself records and that changes no state is dropped: a fact is recorded once, so
// recording it too early would keep the ring from ending later.
func (r *Ring) Fold(f Fact) []Fact {
	a := r.attempt(f.Attempt)
	if a == nil || f.Kind.ends() && Next(a.State, f.Kind) == a.State {
		return nil
	}
	f.Nth = a.count(f.Kind)
	if !f.Kind.room(f.Nth) {
		return nil
	}
	was := a.State
	facts := []Fact{f}
	a.record(f)
	if a.State != was {
		facts = r.follow(a, f, facts)
	}
	r.settle(f)
	return facts
}

// follow records on the other live attempts that one device answered or declined: the first answer
// wins, and one decline ends them all.
//
// In a ring to a group a decline ends the attempts of the same person only.
func (r *Ring) follow(a *Attempt, f Fact, facts []Fact) []Fact {
	kind, detail := FactKind(""), ""
	switch a.State {
	case Answered:
		kind = FactElsewhere
		r.DropSteps()
	case Declined:
		kind, detail = FactCancelled, declinedElsewhere
	default:
		return facts
	}
	for i := range r.Attempts {
		s := &r.Attempts[i]
		if s.ID == a.ID || s.State.Terminal() || s.Has(kind) || a.State == Declined && s.Step != a.Step {
			continue
		}
		g := Fact{Attempt: s.ID, Kind: kind, At: f.At, Received: f.Received, Detail: detail}
		s.record(g)
		facts = append(facts, g)
	}
	return facts
}

// settle updates the ring's own state, end and reason from its attempts.
func (r *Ring) settle(f Fact) {
	if r.State.Terminal() {
		return
	}
	if r.State = r.stateNow(); r.State.Terminal() {
		r.EndedAt, r.EndReason = f.Received, r.reason()
	}
}

func (a *Attempt) count(k FactKind) (n int) {
	for i := range a.Facts {
		if a.Facts[i].Kind == k {
			n++
		}
	}
	return n
}

func (a *Attempt) record(f Fact) {
	a.Facts = append(a.Facts, f)
	a.State = Next(a.State, f.Kind)
}

func (r *Ring) attempt(id AttemptID) *Attempt {
	for i := range r.Attempts {
		if r.Attempts[i].ID == id {
			return &r.Attempts[i]
		}
	}
	return nil
}

// becameCall reports whether the attempt was answered at any time.
func (a *Attempt) becameCall() bool {
	s := Placed
	for i := range a.Facts {
		if s = Next(s, a.Facts[i].Kind); s == Answered {
			return true
		}
	}
	return false
}
