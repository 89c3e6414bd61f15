package tenants_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

// TestRingEvents records facts on a ring of two phones one by one, and compares the events that
// they mean with what a reader far behind the ring finds: each event once, in the order of facts.
func TestRingEvents(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	r := &tenants.Ring{ID: "r", State: tenants.Placed, To: tenants.To{Person: "ana"}, Caller: "Ana Banana", CreatedAt: at,
		Attempts: []tenants.Attempt{{ID: "a", Device: "d1", State: tenants.Placed}, {ID: "b", Device: "d2", State: tenants.Placed}}}
	seq := int64(0)
	record := func(attempt tenants.AttemptID, k tenants.FactKind) {
		seq++
		at = at.Add(time.Second)
		r.Fold(tenants.Fact{Attempt: attempt, Kind: k, At: at, Received: at})
		for i := range r.Attempts { // as the store does
			for j := range r.Attempts[i].Facts {
				if f := &r.Attempts[i].Facts[j]; f.Seq == 0 {
					f.Seq = seq
					seq++
				}
			}
		}
	}
	for _, k := range []tenants.FactKind{tenants.FactPlaced, tenants.FactAccepted, tenants.FactShown} {
		record("a", k)
		record("b", k)
	}
	record("a", tenants.FactAnswered)
	r.Call = &tenants.Call{Device: "d1", AnsweredAt: at}
	record("a", tenants.FactConnected)
	record("a", tenants.FactHungUp)
	r.Call.EndedAt = at
	record("b", tenants.FactShown) // late

	var got []string
	for _, f := range r.Facts() {
		for _, e := range r.Events(f, true) {
			got = append(got, fmt.Sprintf("%s %s", e.Kind, e.Data.State))
			body := string(tenants.EventBody{Type: e.Kind, Timestamp: e.At, Data: e.Data}.Write())
			if !json.Valid([]byte(body)) || strings.Contains(body, "Banana") {
				t.Errorf("the body of an opaque tenant: %s", body)
			}
		}
		if open := r.Events(f, false); len(open) > 0 && open[0].Data.Caller != "Ana Banana" {
			t.Error("a name that may leave was left out")
		}
	}
	want := []string{"ring.placed placed", "ring.accepted pushed", "ring.shown ringing", "ring.answered answered",
		"call.connected answered", "call.ended ended", "ring.ended ended"}
	if !slices.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// TestRingEndsOnce: whatever ends a ring, ring.ended comes exactly once, and no call.ended without
// a call.
func TestRingEndsOnce(t *testing.T) {
	t.Parallel()
	for _, k := range tenants.FactKinds {
		at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
		r := &tenants.Ring{ID: "r", State: tenants.Placed, Attempts: []tenants.Attempt{{ID: "a", State: tenants.Placed}}}
		facts := r.Fold(tenants.Fact{Attempt: "a", Kind: k, At: at, Received: at})
		ended := 0
		for _, f := range facts {
			for _, e := range r.Events(f, false) {
				if e.Kind == tenants.EventRingEnded {
					ended++
				}
				if e.Kind == tenants.EventCallEnded {
					t.Errorf("%s: a call that never was has ended", k)
				}
				if !f.Kind.MakesEvents() {
					t.Errorf("%s is said to make no events", f.Kind)
				}
			}
		}
		if want := map[bool]int{true: 1}[r.State.Terminal()]; ended != want {
			t.Errorf("%s: the ring is %s and ring.ended came %d times", k, r.State, ended)
		}
	}
}

func TestEventIDsAreStable(t *testing.T) {
	t.Parallel()
	one, again := tenants.EventID("c", "r", tenants.EventRingEnded), tenants.EventID("c", "r", tenants.EventRingEnded)
	if one != again || !tenants.ValidID(one) || one == tenants.EventID("c", "r", tenants.EventRingPlaced) {
		t.Errorf("%s and %s", one, again)
	}
	const ring = "0190A2F4-7b1c-7d3e-8f00-112233445566"
	if id := tenants.EventID("c", ring, tenants.EventRingEnded); !tenants.ValidID(id) || id[:13] != "0190a2f4-7b1c" || id[14] != '8' {
		t.Errorf("%s does not begin with the time of its ring", id)
	}
}

func TestRetryPauses(t *testing.T) {
	t.Parallel()
	total, last := time.Duration(0), time.Duration(0)
	tries := 0
	for total < tenants.RetryFor {
		tries++
		pause := tenants.RetryPause(tries, 0.5)
		if pause < last {
			t.Errorf("pause %d is %s, after %s", tries, pause, last)
		}
		total, last = total+pause, pause
	}
	if tries < 15 || tries > 30 {
		t.Errorf("%d attempts in %s", tries, total)
	}
	if tenants.RetryPause(1, 0) >= tenants.RetryPause(1, 1) {
		t.Error("pauses have no jitter")
	}
}
