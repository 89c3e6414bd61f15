package tenants

import (
	"testing"
	"time"
)

var groupStart = time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)

// groupRing is a ring to a group of ana, then ben and cem at once, then dee.
func groupRing() *Ring {
	step := func(n, wave int, person string) Step {
		return Step{N: n, Wave: wave, Group: "g", Person: person, State: StepPlanned, After: time.Duration(wave-1) * 20 * time.Second,
			For: 20 * time.Second}
	}
	return &Ring{ID: "r", State: Placed, To: To{Group: "g"}, CreatedAt: groupStart, ExpiresAt: groupStart.Add(time.Minute),
		Steps: []Step{step(1, 1, "ana"), step(2, 2, "ben"), step(3, 2, "cem"), step(4, 3, "dee")}}
}

func attemptsOf(step int, ids ...AttemptID) (list []Attempt) {
	for _, id := range ids {
		list = append(list, Attempt{ID: id, Ring: "r", Device: DeviceID("d" + id), Step: step, State: Placed})
	}
	return list
}

func (r *Ring) happens(a AttemptID, k FactKind, second int) []Fact {
	at := groupStart.Add(time.Duration(second) * time.Second)
	return r.Fold(Fact{Attempt: a, Kind: k, At: at, Received: at})
}

// begins begins the next wave and checks when it was due.
func begins(t *testing.T, r *Ring, second, due int, attempts ...Attempt) []Fact {
	t.Helper()
	steps, at := r.NextWave()
	if len(steps) == 0 || !at.Equal(groupStart.Add(time.Duration(due)*time.Second)) {
		t.Fatalf("next: %v at %s, want %d s", steps, at, due)
	}
	return r.Begin(steps[0].Wave, attempts, map[int]string{3: "cem has no phone"}, groupStart.Add(time.Duration(second)*time.Second))
}

func TestGroupRingGoesOn(t *testing.T) {
	t.Parallel()
	r := groupRing()
	begins(t, r, 0, 0, attemptsOf(1, "a1", "a2")...)
	r.happens("a1", FactShown, 2)
	if got := len(r.happens("a1", FactDeclined, 5)); got != 2 || r.State != Ringing || r.EndReason != "" {
		t.Fatalf("a person of a sequence declined: %d facts, %s", got, r.State)
	}
	// Nobody rings any more: the next step begins at once, and the ring's time is shorter.
	if facts := begins(t, r, 5, 0, attemptsOf(2, "b")...); len(facts) != 1 || r.Steps[1].State != StepRung ||
		r.Steps[2].State != StepLeftOut || r.Steps[2].Reason != "cem has no phone" {
		t.Fatalf("the second wave: %v %+v", facts, r.Steps)
	}
	if want := groupStart.Add(45 * time.Second); !r.ExpiresAt.Equal(want) || !r.Due().Equal(groupStart.Add(25*time.Second)) {
		t.Fatalf("expires %s, due %s", r.ExpiresAt, r.Due())
	}
	// Nobody answered in time: ben's attempt expires as dee's begins.
	if facts := begins(t, r, 25, 25, attemptsOf(4, "d")...); len(facts) != 2 || facts[0].Kind != FactExpired || r.State != Ringing {
		t.Fatalf("the third wave: %v, %s", facts, r.State)
	}
	if r.Waits() || !r.Due().Equal(r.ExpiresAt) {
		t.Errorf("waits %v, due %s", r.Waits(), r.Due())
	}
	r.happens("d", FactExpired, 45)
	if r.State != Declined || r.EndReason != ReasonDeclined || r.EndedAt.IsZero() {
		t.Errorf("at the end: %s %s", r.State, r.EndReason)
	}
}

func TestGroupRingDeclineEndsOnePersonOnly(t *testing.T) {
	t.Parallel()
	r := groupRing()
	r.Steps = r.Steps[1:3]
	begins(t, r, 0, 0, append(attemptsOf(2, "b1", "b2"), attemptsOf(3, "c")...)...)
	r.happens("b1", FactDeclined, 3)
	if r.Attempts[1].State != Cancelled || r.Attempts[2].State != Placed || r.State != Placed {
		t.Fatalf("after a decline: %+v", r)
	}
	r.happens("c", FactAnswered, 4)
	if r.State != Answered {
		t.Errorf("after an answer: %s", r.State)
	}
	alone := groupRing()
	alone.Steps = alone.Steps[1:2]
	begins(t, alone, 0, 0, attemptsOf(2, "b1", "b2")...)
	alone.happens("b1", FactDeclined, 3)
	if alone.State != Declined || alone.EndReason != ReasonDeclined { // not cancelled, as b2 is
		t.Errorf("the only one declined: %s %s", alone.State, alone.EndReason)
	}
}

func TestGroupRingAnswerDropsTheRest(t *testing.T) {
	t.Parallel()
	r := groupRing()
	begins(t, r, 0, 0, attemptsOf(1, "a")...)
	r.happens("a", FactAnswered, 3)
	if steps, _ := r.NextWave(); steps != nil || r.Waits() || r.Steps[3].State != StepDropped || r.State != Answered {
		t.Errorf("after an answer: %+v", r)
	}
	r.happens("a", FactHungUp, 30)
	if r.State != Ended || r.EndReason == "" {
		t.Errorf("after the call: %s %s", r.State, r.EndReason)
	}
}

// A step of which nobody can be rung takes no time from the ring's end.
func TestGroupRingWithoutTheLaterPersons(t *testing.T) {
	t.Parallel()
	r := groupRing()
	begins(t, r, 0, 0, attemptsOf(1, "a")...)
	at := groupStart.Add(20 * time.Second)
	if !r.Rings(at.Add(-time.Second)) || r.Rings(at) {
		t.Error("ana rings for twenty seconds")
	}
	begins(t, r, 20, 20)
	if !r.ExpiresAt.Equal(at.Add(20*time.Second)) || !r.Waits() {
		t.Errorf("with one step to come it expires at %s", r.ExpiresAt)
	}
	begins(t, r, 20, 20)
	if !r.ExpiresAt.Equal(at) || r.Waits() || r.State.Terminal() {
		t.Errorf("with no step to come it expires at %s, %s", r.ExpiresAt, r.State)
	}
	nobody := groupRing()
	for range 3 {
		begins(t, nobody, 0, 0)
	}
	nobody.Finish(FactExpired, groupStart)
	if nobody.State != Missed || nobody.EndReason != ReasonNobody || nobody.Steps[3].State != StepLeftOut {
		t.Errorf("nobody can be rung: %s %s", nobody.State, nobody.EndReason)
	}
}

func TestGroupRingFinish(t *testing.T) {
	t.Parallel()
	now := groupStart.Add(10 * time.Second)
	never := groupRing()
	if facts := never.Finish(FactExpired, now); len(facts) != 1 || facts[0].Attempt != "" || never.State != Missed ||
		never.EndReason != ReasonNotPushed || never.Steps[0].State != StepDropped {
		t.Errorf("nobody was rung: %v %+v", facts, never)
	}
	never = groupRing()
	facts := never.Finish(FactCancelled, now)
	if e := never.Events(facts[0], false); len(e) != 1 || e[0].Kind != EventRingEnded || e[0].Data.EndReason != ReasonCancelled ||
		len(never.Facts()) != 1 {
		t.Errorf("cancelled before anybody was rung: %+v %+v", e, never.Facts())
	}
	between := groupRing()
	begins(t, between, 0, 0, attemptsOf(1, "a")...)
	if between.Finish(FactCancelled, now) != nil || between.State != Placed {
		t.Error("finished while a phone rings")
	}
	between.happens("a", FactDeclined, 3)
	if facts := between.Finish(FactCancelled, now); len(facts) != 1 || between.State != Cancelled || between.EndReason != ReasonCancelled ||
		!between.EndedAt.Equal(now) {
		t.Errorf("cancelled between two steps: %v %+v", facts, between)
	}
	nobody := groupRing()
	begins(t, nobody, 0, 0, attemptsOf(1, "a")...)
	nobody.happens("a", FactDeclined, 3)
	if facts := nobody.Finish(FactExpired, now); len(facts) != 1 || nobody.State != Declined {
		t.Errorf("nobody else can be rung: %v %s", facts, nobody.State)
	}
	if nobody.Finish(FactExpired, now) != nil {
		t.Error("finished twice")
	}
}
