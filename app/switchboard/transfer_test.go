package switchboard_test

import (
	"context"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// speaking is a world with voice whose agents are attendants, by name.
func speaking(t *testing.T, staff map[string]*attendant) *world {
	t.Helper()
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	w.config.Agents = func(_ context.Context, a tenants.Agent, _ agents.Call) (agents.Agent, error) {
		if staff[a.Name] == nil {
			return nil, &agents.Failure{Cause: "nobody of this name"}
		}
		return staff[a.Name], nil
	}
	w.open()
	return w
}

// said waits for a fact on the ring and returns it.
func (w *world) said(id tenants.RingID, k tenants.FactKind, detail string) {
	w.t.Helper()
	w.until(id, string(k)+" "+detail, func(r *tenants.Ring) bool {
		for _, f := range r.Facts() {
			if f.Kind == k && f.Detail == detail {
				return true
			}
		}
		return false
	})
}

// TestACallIsTransferredToAnAgent: the one that talks leaves, the new one is attached, and the ring
// stays one call.
func TestACallIsTransferredToAnAgent(t *testing.T) {
	t.Parallel()
	first, second := &attendant{}, &attendant{}
	w := speaking(t, map[string]*attendant{"Desk": first, "Doctor": second})
	d := w.device("mara")
	r := w.place(tenants.Request{To: tenants.To{Person: "mara"}, Agent: w.agent(tenants.Agent{Name: "Desk"})})
	doctor := w.agent(tenants.Agent{Name: "Doctor"})
	to := switchboard.Transfer{Agent: doctor}
	if _, err := w.board.Transfer(t.Context(), w.caller, r.ID, to); tenants.KindOf(err) != tenants.Conflict {
		t.Errorf("a transfer before the answer: %v", err)
	}
	w.dial(d, r)
	w.eventually("the desk talks", func() bool { return first.conversed.Load() == 1 })
	unknown := switchboard.Transfer{Agent: tenants.NewID[tenants.AgentID](w.clock.Now())}
	if _, err := w.board.Transfer(t.Context(), w.caller, r.ID, unknown); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a transfer to nobody: %v", err)
	}
	_, err := w.board.Transfer(t.Context(), w.caller, r.ID, to)
	must(t, err)
	w.said(r.ID, tenants.FactTransferred, "the agent Doctor")
	w.said(r.ID, tenants.FactAgentAttached, "Doctor")
	w.eventually("the doctor talks", func() bool { return second.conversed.Load() == 1 && first.closed.Load() > 0 })
	must(t, w.board.HangUp(t.Context(), d, r.ID)) // the phone may not be connected yet
	w.state(r.ID, tenants.Ended)
	if _, err := w.board.Transfer(t.Context(), w.caller, r.ID, to); tenants.KindOf(err) != tenants.Conflict {
		t.Errorf("a transfer after the end: %v", err)
	}
}

// ringOf is the ring that is placed for a person.
func (w *world) ringOf(person string) *tenants.Ring {
	w.t.Helper()
	var found *tenants.Ring
	w.eventually("the second phone rings", func() bool {
		list, _, err := w.scope.Rings().List(w.t.Context(), ringsOf(person))
		must(w.t, err)
		if len(list) > 0 {
			found = list[0]
		}
		return found != nil
	})
	return found
}

// TestACallIsTransferredToAPerson: their answer joins the call, both hear each other, and the end
// of one call ends the other.
func TestACallIsTransferredToAPerson(t *testing.T) {
	t.Parallel()
	desk := &attendant{}
	w := speaking(t, map[string]*attendant{"Desk": desk})
	caller, doctor := w.device("mara"), w.device("doctor")
	r := w.place(tenants.Request{To: tenants.To{Person: "mara"}, Agent: w.agent(tenants.Agent{Name: "Desk"}), Reference: "case-7"})
	one := w.dial(caller, r)
	w.eventually("the desk talks", func() bool { return desk.conversed.Load() == 1 })
	must(t, w.scope.Agents().Remove(t.Context(), r.Agent)) // it is no reason to refuse a person
	for person, kind := range map[string]tenants.Kind{"mara": tenants.Unprocessable, "nobody": tenants.Unprocessable} {
		_, err := w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: person})
		if tenants.KindOf(err) != kind {
			t.Errorf("to %s: %v", person, err)
		}
	}
	_, err := w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "doctor"})
	must(t, err)
	_, err = w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "doctor"})
	if tenants.KindOf(err) != tenants.Conflict {
		t.Errorf("two transfers at once: %v", err)
	}
	second := w.ringOf("doctor")
	if second.Reference != "case-7" {
		t.Errorf("the second ring has the reference %q", second.Reference)
	}
	two := w.dial(doctor, second)
	w.said(r.ID, tenants.FactAgentAttached, "doctor (a person)")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for name, c := range map[string]*phonetest.Call{"the first": one, "the second": two} {
		from := c.Stats().PacketsIn
		if err := c.Until(ctx, func(s phonetest.Stats) bool { return s.PacketsIn > from+50 }); err != nil {
			t.Errorf("%s phone does not hear the other: %v", name, err)
		}
	}
	two.HangUp()
	w.state(second.ID, tenants.Ended)
	if got := w.state(r.ID, tenants.Ended); got.Call.EndedBy != string(gateway.AgentHungUp) {
		t.Errorf("the first call was ended by %s", got.Call.EndedBy)
	}
}

// TestATransferThatNobodyAnswersGoesBack: to the ring's agent. If the first person hangs up first,
// the second phone stops ringing.
func TestATransferThatNobodyAnswersGoesBack(t *testing.T) {
	t.Parallel()
	desk := &attendant{}
	w := speaking(t, map[string]*attendant{"Desk": desk})
	caller, doctor := w.device("mara"), w.device("doctor")
	r := w.place(tenants.Request{To: tenants.To{Person: "mara"}, Agent: w.agent(tenants.Agent{Name: "Desk"})})
	w.dial(caller, r)
	w.eventually("the desk talks", func() bool { return desk.conversed.Load() == 1 })
	_, err := w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "doctor"})
	must(t, err)
	second := w.ringOf("doctor")
	w.report(doctor, second, tenants.FactDeclined)
	w.said(r.ID, tenants.FactAgentFailed, "doctor (a person): nobody answered")
	w.eventually("the desk talks again", func() bool { return desk.conversed.Load() == 2 })

	_, err = w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "doctor"})
	must(t, err)
	var third *tenants.Ring
	w.eventually("the phone rings again", func() bool { third = w.ringOf("doctor"); return third.ID != second.ID })
	must(t, w.board.HangUp(t.Context(), caller, r.ID))
	w.state(r.ID, tenants.Ended)
	w.state(third.ID, tenants.Cancelled)
}

func ringsOf(person string) store.RingQuery { return store.RingQuery{Person: person, Limit: 1} }
