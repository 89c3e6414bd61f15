package tenants

// next is the whole life of an attempt: where a fact takes it. A pair that is absent is recorded and moves nothing, so that a
// late or a strange fact can never take an attempt back, and no terminal state has a row.
var next = map[State]map[FactKind]State{
	Placed: {
		FactAccepted: Pushed, FactRefused: Failed, FactWoke: Pushed, FactShown: Ringing, FactFailedToShow: Failed,
		FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined, FactAnswered: Answered, FactElsewhere: Elsewhere,
		FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed, FactRemoved: Failed,
	},
	Pushed: {
		FactShown: Ringing, FactFailedToShow: Failed, FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined,
		FactAnswered: Answered, FactElsewhere: Elsewhere, FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed, FactRemoved: Failed,
	},
	Ringing: {
		FactSilenced: Missed, FactBusy: Missed, FactDeclined: Declined, FactAnswered: Answered, FactElsewhere: Elsewhere,
		FactCancelled: Cancelled, FactExpired: Missed, FactBroken: Failed, FactRemoved: Failed,
	},
	Answered: {FactHungUp: Ended, FactBroken: Failed},
}

// Next is the state after a fact.
func Next(s State, k FactKind) State {
	if to, ok := next[s][k]; ok {
		return to
	}
	return s
}

// rank orders attempts' states by what they mean for a ring that is not a call: the highest decides. A person's or an agent's
// decision outweighs an attempt that still lives, and that one the ways to end without a decision.
var rank = map[State]int{Declined: 7, Ringing: 6, Pushed: 5, Placed: 4, Cancelled: 3, Missed: 2, Failed: 1}

// StateOf is a ring's state: a pure fold over its attempts. The attempt that became the call decides; Elsewhere counts for nothing
// beside any other, and alone (no writer of ours does that) reads as cancelled.
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

// Fold records a fact on the ring: it moves the attempt, the ring, and the sibling attempts that must follow. It returns what to
// write: the fact itself and the siblings' facts that come of it, or nothing when the fact is a repeat. An ending of our own making
// that moves nothing is nothing: recorded too early it could not be recorded when it is due, and the ring would never end.
func (r *Ring) Fold(f Fact) []Fact {
	a := r.attempt(f.Attempt)
	if a == nil || a.Has(f.Kind) || f.Kind.ends() && Next(a.State, f.Kind) == a.State {
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

// follow gives the live siblings the fact that comes of one device's answer or refusal: first answer wins, one decline is for all.
func (r *Ring) follow(a *Attempt, f Fact, facts []Fact) []Fact {
	kind, detail := FactKind(""), ""
	switch a.State {
	case Answered:
		kind = FactElsewhere
	case Declined:
		kind, detail = FactCancelled, "declined_elsewhere"
	default:
		return facts
	}
	for i := range r.Attempts {
		s := &r.Attempts[i]
		if s.ID == a.ID || s.State.Terminal() || s.Has(kind) {
			continue
		}
		g := Fact{Attempt: s.ID, Kind: kind, At: f.At, Received: f.Received, Detail: detail}
		s.record(g)
		facts = append(facts, g)
	}
	return facts
}

// settle brings the ring's own state, end and reason up to its attempts.
func (r *Ring) settle(f Fact) {
	if r.State.Terminal() {
		return
	}
	if r.State = StateOf(r.Attempts); r.State.Terminal() {
		r.EndedAt, r.EndReason = f.Received, r.reason()
	}
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

// becameCall reports whether the attempt ever became the call.
func (a *Attempt) becameCall() bool {
	s := Placed
	for i := range a.Facts {
		if s = Next(s, a.Facts[i].Kind); s == Answered {
			return true
		}
	}
	return false
}
