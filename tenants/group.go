package tenants

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// Way is how a group's persons are rung.
type Way string

const (
	Simultaneous Way = "simultaneous" // all at once
	Sequential   Way = "sequential"   // one after the other, in the group's order
	RoundRobin   Way = "round_robin"  // one after the other; the one whose turn was longest ago is first
)

// Ways lists every way in the order they are shown.
var Ways = []Way{Simultaneous, Sequential, RoundRobin}

// Name returns the way in words.
func (w Way) Name() string {
	switch w {
	case Simultaneous:
		return "All at once"
	case Sequential:
		return "One after the other"
	case RoundRobin:
		return "In turn"
	}
	return string(w)
}

// Group is persons of a tenant who are rung together.
type Group struct {
	ID          GroupID
	Tenant      TenantID
	Name        string
	Way         Way
	StepSeconds int // how long each step rings
	Members     []GroupMember
	Escalate    GroupID // the group that is rung when nobody of this one answered; empty = none
	CreatedAt   time.Time
}

// GroupMember is a person of a group, by the tenant's own reference.
type GroupMember struct {
	Person   string
	Schedule ScheduleID // when the person is on duty; empty = always
	Turn     int64      // number of the last ring that began with the person, in a round robin; 0 = none yet
}

// The bounds of a group.
const (
	MaxGroupMembers = 50
	MaxEscalations  = 3                 // groups after the first
	MaxGroupTTL     = 300 * time.Second // of a ring to a group: all its steps together
)

// StepTime is how long each step rings.
func (g Group) StepTime() time.Duration { return time.Duration(g.StepSeconds) * time.Second }

// Lasts returns how long a ring to the group takes at most, without the group it escalates to.
func (g Group) Lasts() time.Duration {
	if g.Way == Simultaneous {
		return g.StepTime()
	}
	return time.Duration(len(g.Members)) * g.StepTime()
}

// Check refuses a group whose fields break a rule, naming every wrong one.
func (g Group) Check() error {
	var f faults
	f.add(ValidText(g.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(slices.Contains(Ways, g.Way), "way", "simultaneous, sequential or round_robin")
	f.add(g.StepTime() >= MinTTL && g.StepTime() <= MaxTTL, "step_s", "5 to 60 seconds")
	f.add(len(g.Members) >= 1 && len(g.Members) <= MaxGroupMembers, "members", "1 to 50 persons")
	seen := map[string]bool{}
	for _, m := range g.Members {
		f.add(ValidReference(m.Person), "members", "a person is 1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
		f.add(!seen[m.Person], "members", m.Person+" is named twice")
		seen[m.Person] = true
	}
	f.add(g.Escalate == "" || g.Escalate != g.ID, "escalate", "a group cannot escalate to itself")
	f.add(g.Lasts() <= MaxGroupTTL, "step_s", fmt.Sprintf("the steps of %d persons last %d seconds together; at most 300 are possible",
		len(g.Members), int(g.Lasts()/time.Second)))
	return f.err()
}

// CheckEscalation refuses a group that would come round to itself, escalate over more than three
// groups, or ring for more than 300 seconds with those it escalates to. groups are the tenant's, by
// id; g itself may be newer than the one among them.
func (g Group) CheckEscalation(groups map[GroupID]Group) error {
	var f faults
	total, seen := g.Lasts(), map[GroupID]bool{g.ID: true}
	for next, depth := g.Escalate, 1; next != ""; depth++ {
		to, ok := groups[next]
		switch {
		case !ok:
			f.add(false, "escalate", "there is no such group")
			return f.err()
		case seen[next]:
			f.add(false, "escalate", "the group "+to.Name+" would come round to one that has rung already")
			return f.err()
		case depth > MaxEscalations:
			f.add(false, "escalate", "at most three groups can follow one another")
			return f.err()
		}
		seen[next] = true
		total += to.Lasts()
		next = to.Escalate
	}
	f.add(total <= MaxGroupTTL, "escalate", fmt.Sprintf("the steps last %d seconds with those of the groups that follow; at most 300 are "+
		"possible", int(total/time.Second)))
	return f.err()
}

// StepState says what became of a step of a ring.
type StepState string

const (
	StepPlanned StepState = "planned"  // it has not begun
	StepRung    StepState = "rung"     // it has begun: there are attempts for it
	StepLeftOut StepState = "left_out" // the person was not to be rung; Reason says why
	StepDropped StepState = "dropped"  // the ring ended before
)

// StepStates lists every state.
var StepStates = []StepState{StepPlanned, StepRung, StepLeftOut, StepDropped}

// Step is a person's part in a ring to a group. Steps of one wave ring at the same time.
type Step struct {
	N       int // from 1, the key within its ring; an attempt names it
	Wave    int // from 1 for those that ring, in order; 0 = left out
	Group   GroupID
	Name    string // of the group, as it was then
	Person  string
	State   StepState
	Reason  string        // why this person, or why not
	After   time.Duration // from the ring's beginning, as it was planned
	For     time.Duration // how long it rings
	InTurn  bool          // of a round robin: beginning it moves the person's turn
	BegunAt time.Time     // zero = not
}

// Duties is what WhoRings looks at, beside the group and the moment.
type Duties struct {
	Groups    map[GroupID]Group // those that may be escalated to
	Schedules map[ScheduleID]Schedule
	Rosters   map[ConnectionID]Roster
	Refused   map[string]string // persons who cannot be rung, and why: without a phone, in quiet hours, without consent
	Quiet     map[string]bool   // persons in quiet hours who are rung because it is an emergency
}

// WhoRings plans a ring to a group at a moment: who is rung when, and who is left out and why, in
// the order of the groups. It asks nobody and changes nothing. A person is rung once, however many
// of the groups they belong to.
func WhoRings(now time.Time, g Group, d Duties) []Step {
	p := plan{now: now, duties: d, rung: map[string]bool{}}
	p.add(g, 0)
	return p.steps
}

// plan is WhoRings at work.
type plan struct {
	now    time.Time
	duties Duties
	rung   map[string]bool
	steps  []Step
	after  time.Duration
	wave   int
	seen   []GroupID
}

func (p *plan) add(g Group, depth int) {
	if depth > MaxEscalations || slices.Contains(p.seen, g.ID) {
		return // refused when it was saved; a group that changed since must not loop
	}
	p.seen = append(p.seen, g.ID)
	together := 0
	for i, m := range g.turns() {
		s := Step{N: len(p.steps) + 1, Group: g.ID, Name: g.Name, Person: m.Person, State: StepPlanned, For: g.StepTime(),
			InTurn: g.Way == RoundRobin}
		if !p.mayRing(&s, m) {
			s.State, s.For, s.InTurn = StepLeftOut, 0, false
			p.steps = append(p.steps, s)
			continue
		}
		if g.Way != Simultaneous || together == 0 {
			p.wave++
		}
		together++
		s.Wave, s.After = p.wave, p.after
		if g.Way != Simultaneous {
			p.after += g.StepTime()
		}
		if p.duties.Quiet[m.Person] {
			s.Reason += ", and rings in quiet hours because it is an emergency"
		}
		if i == 0 && depth > 0 {
			s.Reason = "Nobody before answered: " + s.Reason
		}
		p.rung[m.Person] = true
		p.steps = append(p.steps, s)
	}
	if g.Way == Simultaneous && together > 0 {
		p.after += g.StepTime()
	}
	if next, ok := p.duties.Groups[g.Escalate]; ok {
		p.add(next, depth+1)
	}
}

// mayRing says whether a member has a step, and sets its reason.
func (p *plan) mayRing(s *Step, m GroupMember) bool {
	if p.rung[m.Person] {
		s.Reason = m.Person + " rings in an earlier step"
		return false
	}
	s.Reason = m.Person + " is always on duty"
	if sched, ok := p.duties.Schedules[m.Schedule]; ok {
		on := false
		if on, s.Reason = sched.duty(m.Person, p.now, p.duties.Rosters[sched.Calendar]); !on {
			return false
		}
	}
	if why, refused := p.duties.Refused[m.Person]; refused {
		s.Reason = why
		return false
	}
	if p.after+s.For > MaxGroupTTL {
		s.Reason = "A ring lasts at most " + strconv.Itoa(int(MaxGroupTTL/time.Second)) + " seconds: no time is left"
		return false
	}
	return true
}

// turns are the members in the order in which they are rung.
func (g Group) turns() []GroupMember {
	if g.Way != RoundRobin {
		return g.Members
	}
	members := slices.Clone(g.Members)
	slices.SortStableFunc(members, func(a, b GroupMember) int { return cmp.Compare(a.Turn, b.Turn) })
	return members
}

// TakeTurns puts the steps of a round robin into the order of the turns as they are when the ring
// is written: other rings may have taken turns since it was planned. Only steps of the ring's own
// group change places. It returns the person whose turn this ring takes; "" = no turn is taken.
func TakeTurns(steps []Step, g GroupID, turns map[string]int64) string {
	var at []int // places of the steps that are in turn
	for i, s := range steps {
		if s.Group == g && s.InTurn && s.State == StepPlanned {
			at = append(at, i)
		}
	}
	if len(at) == 0 {
		return ""
	}
	sorted := make([]Step, len(at))
	for i, place := range at {
		sorted[i] = steps[place]
	}
	slices.SortStableFunc(sorted, func(a, b Step) int { return cmp.Compare(turns[a.Person], turns[b.Person]) })
	for i, place := range at {
		s := &steps[place]
		s.Person, s.Reason = sorted[i].Person, sorted[i].Reason
	}
	return steps[at[0]].Person
}

// Lasts returns how long planned steps ring, together.
func Lasts(steps []Step) (lasts time.Duration) {
	for _, s := range steps {
		if s.State == StepPlanned {
			lasts = max(lasts, s.After+s.For)
		}
	}
	return lasts
}

// Nobody is the refusal of a ring to a group of which nobody may be rung now.
func Nobody(g Group, steps []Step) error {
	why := ""
	for i, s := range steps {
		if i == 5 {
			why += fmt.Sprintf(" %d more are left out too.", len(steps)-i)
			break
		}
		why += " " + s.Reason + "."
	}
	return Refuse(Forbidden, "nobody_on_duty", "Nobody of the group %s can be rung now.%s", g.Name, why)
}
