package tenants

import (
	"slices"
	"strings"
	"testing"
	"time"
)

var allStates = append(slices.Clone(RingStates), Elsewhere)

// moves says, for each live state, where each fact must take an attempt; every other pair must move
// nothing.
var moves = map[State]map[FactKind]State{
	Placed: {
		FactAccepted: Pushed, FactWoke: Pushed, FactShown: Ringing, FactRefused: Failed, FactFailedToShow: Failed,
		FactSilenced: Missed, FactBusy: Missed, FactExpired: Missed, FactDeclined: Declined, FactAnswered: Answered,
		FactElsewhere: Elsewhere, FactCancelled: Cancelled, FactBroken: Failed,
		FactRemoved: Failed,
	},
	Pushed: {
		FactShown: Ringing, FactFailedToShow: Failed, FactSilenced: Missed, FactBusy: Missed, FactExpired: Missed,
		FactDeclined: Declined, FactAnswered: Answered, FactElsewhere: Elsewhere, FactCancelled: Cancelled, FactBroken: Failed,
		FactRemoved: Failed,
	},
	Ringing: {
		FactSilenced: Missed, FactBusy: Missed, FactExpired: Missed, FactDeclined: Declined, FactAnswered: Answered,
		FactElsewhere: Elsewhere, FactCancelled: Cancelled, FactBroken: Failed, FactRemoved: Failed,
	},
	Answered: {FactHungUp: Ended, FactBroken: Failed},
}

func TestNextOverEveryStateAndFact(t *testing.T) {
	t.Parallel()
	for _, s := range allStates {
		for _, k := range FactKinds {
			want, moved := moves[s][k]
			if !moved {
				want = s
			}
			if got := Next(s, k); got != want {
				t.Errorf("Next(%s, %s) = %s, want %s", s, k, got, want)
			}
			if s.Terminal() && Next(s, k) != s {
				t.Errorf("%s left %s", k, s)
			}
		}
	}
}

func ringOf(n int) *Ring {
	now := time.Unix(1_700_000_000, 0)
	r := &Ring{ID: "r", State: Placed, CreatedAt: now, ExpiresAt: now.Add(DefaultTTL)}
	for i := range n {
		id := AttemptID(rune('a' + i))
		r.Attempts = append(r.Attempts, Attempt{ID: id, Device: DeviceID(id), State: Placed})
	}
	return r
}

func fold(r *Ring, what ...any) {
	for i := 0; i < len(what); i += 2 {
		r.Fold(Fact{Attempt: AttemptID(what[i].(string)), Kind: what[i+1].(FactKind), Received: r.CreatedAt.Add(time.Second)})
	}
}

func TestFold(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		attempts int
		facts    []any
		state    State
		reason   EndReason
	}{
		"talked": {1, []any{"a", FactAccepted, "a", FactWoke, "a", FactShown, "a", FactAnswered, "a", FactConnected, "a",
			FactHungUp}, Ended, ReasonHungUp},
		"shown before accepted":   {1, []any{"a", FactShown, "a", FactAccepted}, Ringing, ""},
		"woke counts as pushed":   {1, []any{"a", FactWoke}, Pushed, ""},
		"refused":                 {1, []any{"a", FactRefused}, Failed, ReasonRefused},
		"one refused, one rings":  {2, []any{"a", FactRefused, "b", FactShown}, Ringing, ""},
		"one refused, one missed": {2, []any{"a", FactRefused, "b", FactAccepted, "b", FactExpired}, Missed, ReasonNeverWoke},
		"never taken by Apple":    {1, []any{"a", FactExpired}, Missed, ReasonNotPushed},
		"never woke":              {1, []any{"a", FactAccepted, "a", FactExpired}, Missed, ReasonNeverWoke},
		"never shown":             {1, []any{"a", FactAccepted, "a", FactWoke, "a", FactExpired}, Missed, ReasonNeverShown},
		"no answer":               {1, []any{"a", FactShown, "a", FactExpired}, Missed, ReasonNoAnswer},
		"no answer names the best": {2, []any{"a", FactAccepted, "b", FactShown, "a", FactExpired, "b", FactExpired}, Missed,
			ReasonNoAnswer},
		"silenced":                  {1, []any{"a", FactWoke, "a", FactSilenced}, Missed, ReasonSilenced},
		"busy":                      {1, []any{"a", FactBusy}, Missed, ReasonBusy},
		"failed to show":            {1, []any{"a", FactFailedToShow}, Failed, ReasonFailedToShow},
		"cancelled":                 {1, []any{"a", FactShown, "a", FactCancelled}, Cancelled, ReasonCancelled},
		"cancelled after a silence": {2, []any{"a", FactSilenced, "b", FactCancelled}, Cancelled, ReasonCancelled},
		"one decline is for all":    {3, []any{"a", FactShown, "b", FactDeclined}, Declined, ReasonDeclined},
		"first answer wins":         {2, []any{"a", FactShown, "b", FactAnswered, "a", FactAnswered, "a", FactDeclined}, Answered, ""},
		"answer after the other's":  {2, []any{"b", FactAnswered, "a", FactAnswered, "b", FactHungUp}, Ended, ReasonUnheard},
		"hung up at once": {1, []any{"a", FactShown, "a", FactAnswered, "a", FactHungUp, "a", FactConnected}, Ended,
			ReasonUnheard},
		"removed while it rang":     {1, []any{"a", FactShown, "a", FactRemoved}, Failed, ReasonRemoved},
		"removed, another rings on": {2, []any{"a", FactShown, "a", FactRemoved, "b", FactAccepted}, Pushed, ""},
		"removed, another no answer": {2, []any{"a", FactShown, "a", FactRemoved, "b", FactShown, "b", FactExpired}, Missed,
			ReasonNoAnswer},
		"a removal spares a call":    {1, []any{"a", FactAnswered, "a", FactRemoved}, Answered, ""},
		"broken call":                {2, []any{"a", FactSilenced, "b", FactAnswered, "b", FactBroken}, Failed, ReasonBroken},
		"expiry spares a call":       {1, []any{"a", FactAnswered, "a", FactExpired}, Answered, ""},
		"late shown changes nothing": {1, []any{"a", FactAccepted, "a", FactExpired, "a", FactShown}, Missed, ReasonNeverWoke},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := ringOf(c.attempts)
			fold(r, c.facts...)
			if r.State != c.state || r.EndReason != c.reason {
				t.Fatalf("got %s (%s), want %s (%s)", r.State, r.EndReason, c.state, c.reason)
			}
			if r.State.Terminal() && (r.EndedAt.IsZero() || r.EndReason.Sentence() == "") {
				t.Fatalf("ended at %v with reason %q that no person can read", r.EndedAt, r.EndReason)
			}
		})
	}
}

func TestFoldRecordsARepeatOnce(t *testing.T) {
	t.Parallel()
	r := ringOf(1)
	f := Fact{Attempt: "a", Kind: FactShown}
	if got := len(r.Fold(f)); got != 1 {
		t.Fatalf("first: %d facts", got)
	}
	if got := len(r.Fold(f)); got != 0 {
		t.Fatalf("repeat: %d facts", got)
	}
	if got := len(r.Fold(Fact{Attempt: "z", Kind: FactShown})); got != 0 {
		t.Fatalf("foreign attempt: %d facts", got)
	}
}

// TestAFactOfAnAgentRepeats: each time it is recorded, with its number, up to a bound.
func TestAFactOfAnAgentRepeats(t *testing.T) {
	t.Parallel()
	r := ringOf(1)
	for i := range maxRepeats {
		got := r.Fold(Fact{Attempt: "a", Kind: FactAgentFailed})
		if len(got) != 1 || got[0].Nth != i || r.Attempts[0].Facts[i].Nth != i {
			t.Fatalf("time %d: %+v", i, got)
		}
	}
	if got := r.Fold(Fact{Attempt: "a", Kind: FactAgentFailed}); len(got) != 0 {
		t.Errorf("beyond the bound: %+v", got)
	}
	if got := r.Fold(Fact{Attempt: "a", Kind: FactAgentLost}); len(got) != 1 || got[0].Nth != 0 {
		t.Errorf("another kind: %+v", got)
	}
}

// FuzzFold plays facts in any order with any repetition on up to three attempts, and holds the fold
// to its promises.
func FuzzFold(f *testing.F) {
	f.Add([]byte{1, 2, 3}, uint8(1))
	f.Add([]byte{0x05, 0x25, 0x45, 0x0b, 0x0f, 0x2f}, uint8(3))
	f.Fuzz(func(t *testing.T, order []byte, n uint8) {
		r := ringOf(int(n%3) + 1)
		for _, b := range order {
			attempt := &r.Attempts[int(b>>5)%len(r.Attempts)]
			kind := FactKinds[int(b&0x1f)%len(FactKinds)]
			before, was, end := r.State, attempt.State, r.EndReason
			facts := r.Fold(Fact{Attempt: attempt.ID, Kind: kind, Received: r.CreatedAt})
			if before.Terminal() && r.State != before || was.Terminal() && attempt.State != was {
				t.Fatalf("%s left a terminal state: ring %s → %s, attempt %s → %s", kind, before, r.State, was, attempt.State)
			}
			if before.Terminal() && r.EndReason != end {
				t.Fatalf("%s changed the reason of an ended ring", kind)
			}
			for _, g := range facts {
				if !r.attempt(g.Attempt).Has(g.Kind) {
					t.Fatalf("%s returned and not recorded", g.Kind)
				}
			}
			if !before.Terminal() && r.State != StateOf(r.Attempts) {
				t.Fatalf("ring is %s, its attempts say %s", r.State, StateOf(r.Attempts))
			}
		}
		replay(t, r)
		finish(t, r)
	})
}

// replay: the state is a pure fold, so the recorded facts alone give it again.
func replay(t *testing.T, r *Ring) {
	t.Helper()
	for _, a := range r.Attempts {
		s, calls := Placed, 0
		seen := map[FactKind]bool{}
		for _, f := range a.Facts {
			if seen[f.Kind] {
				t.Fatalf("%s recorded twice", f.Kind)
			}
			seen[f.Kind] = true
			s = Next(s, f.Kind)
		}
		if s != a.State {
			t.Fatalf("facts say %s, attempt says %s", s, a.State)
		}
		for _, b := range r.Attempts {
			if b.becameCall() {
				calls++
			}
		}
		if calls > 1 {
			t.Fatal("two devices became the call")
		}
	}
}

// finish: a ring always ends, whatever came before, once time is up and the call, if any, is hung
// up.
func finish(t *testing.T, r *Ring) {
	t.Helper()
	for _, k := range []FactKind{FactExpired, FactHungUp} {
		for i := range r.Attempts {
			r.Fold(Fact{Attempt: r.Attempts[i].ID, Kind: k, Received: r.ExpiresAt})
		}
	}
	if !r.State.Terminal() {
		t.Fatalf("never ends: %s", r.State)
	}
	if r.State.Terminal() && r.EndReason.Sentence() == "" {
		t.Fatalf("ended %s without a reason a person can read: %q", r.State, r.EndReason)
	}
}

// Each word is what holds for a kind of fact by itself; a kind without one is recorded by Carillon
// and ends nothing.
func TestFactKinds(t *testing.T) {
	t.Parallel()
	want := map[FactKind]string{
		FactWoke: "reportable", FactShown: "reportable", FactDeclined: "reportable", FactBusy: "reportable",
		FactFailedToShow: "reportable coded", FactSilenced: "reportable coded",
		FactHungUp: "ends", FactElsewhere: "ends", FactCancelled: "ends", FactExpired: "ends", FactBroken: "ends", FactRemoved: "ends",
	}
	for _, k := range append(slices.Clone(FactKinds), "no such fact") {
		if got := strings.Contains(want[k], "reportable"); k.Reportable() != got {
			t.Errorf("%s may be reported by a phone: %t", k, !got)
		}
		if got := strings.Contains(want[k], "coded"); k.Coded() != got {
			t.Errorf("%s may carry a code: %t", k, !got)
		}
		// Too early or too late, an ending of Carillon's own is not recorded, so that it can still
		// come.
		for _, s := range allStates {
			r := ringOf(1)
			r.State, r.Attempts[0].State = s, s
			recorded := len(r.Fold(Fact{Attempt: "a", Kind: k})) > 0
			if drop := want[k] == "ends" && Next(s, k) == s; recorded == drop {
				t.Errorf("%s of an attempt that is %s is recorded: %t", k, s, recorded)
			}
		}
	}
}

func TestLiveUntilItsTimeIsOver(t *testing.T) {
	t.Parallel()
	r := ringOf(2)
	for _, s := range RingStates {
		r.State = s
		rings := s == Placed || s == Pushed || s == Ringing
		if r.Live(r.ExpiresAt.Add(-1)) != rings || r.Live(r.ExpiresAt) {
			t.Errorf("%s: can be answered before its end %t, at its end %t", s, r.Live(r.ExpiresAt.Add(-1)), r.Live(r.ExpiresAt))
		}
	}
	if a, ok := r.AttemptOf("b"); !ok || a != &r.Attempts[1] {
		t.Error("the attempt on a device is not found")
	}
	if a, ok := r.AttemptOf("c"); ok || a != nil {
		t.Error("a device that was not rung has an attempt")
	}
	r.Attempts[0].Facts = []Fact{{Seq: 1}, {Seq: 4}}
	r.Attempts[1].Facts = []Fact{{Seq: 2}, {Seq: 3}}
	for i, f := range r.Facts() {
		if f.Seq != int64(i+1) {
			t.Errorf("fact %d comes in place %d", f.Seq, i+1)
		}
	}
	if len(r.Facts()) != 4 {
		t.Errorf("%d facts of 4", len(r.Facts()))
	}
}

// A person's decision outweighs an attempt that still runs, and that outweighs every other end.
func TestStateOfTwoAttempts(t *testing.T) {
	t.Parallel()
	order := []State{Elsewhere, Failed, Missed, Cancelled, Placed, Pushed, Ringing, Declined}
	for i, low := range order {
		for _, high := range order[i+1:] {
			a, b := Attempt{State: low}, Attempt{State: high}
			if one, other := StateOf([]Attempt{a, b}), StateOf([]Attempt{b, a}); one != high || other != high {
				t.Errorf("%s and %s make the ring %s or %s", low, high, one, other)
			}
		}
	}
	if got := StateOf([]Attempt{{State: Elsewhere}}); got != Cancelled {
		t.Errorf("a ring of which nothing is left but elsewhere is %s", got)
	}
}

func TestReasonsArePeoplesWords(t *testing.T) {
	t.Parallel()
	if got := len(EndReasons()); got != 15 {
		t.Errorf("%d reasons", got)
	}
	for _, e := range EndReasons() {
		fine := e == ReasonHungUp || e == ReasonDeclined || e == ReasonCancelled
		if e.Sentence() == "" || (e.Cure() == "") != fine {
			t.Errorf("%s: %q, cure %q", e, e.Sentence(), e.Cure())
		}
	}
}
