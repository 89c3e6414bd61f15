package switchboard_test

import (
	"context"
	"encoding/json"
	"errors"
	"testing"

	"carillon/app/agents"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/tenants"
)

// frailMedia is a gateway in front of which something happens before it takes an answer, and that
// fails after the ring was won if the test says so.
type frailMedia struct {
	*refusingMedia
	before func()
	fails  error
}

func (m *frailMedia) Answer(ctx context.Context, o gateway.Offer) (gateway.Answer, error) {
	m.before()
	a, err := m.refusingMedia.Answer(ctx, o)
	if err == nil {
		err = m.fails
	}
	return a, err
}

// frail is a world with such a gateway.
func frail(t *testing.T) (*world, *frailMedia) {
	t.Helper()
	w, quiet := silent(t)
	m := &frailMedia{refusingMedia: quiet, before: func() {}}
	w.config.Media, w.config.Joins = m, agents.NewJoins(nil, w.clock.Now)
	w.open()
	return w, m
}

// hangUps are those that reach a server while the answer of phone d is under way.
var hangUps = map[string]struct {
	early bool // before the ring is won
	do    func(w *world, r *tenants.Ring, d tenants.Device) error
	want  gateway.EndReason
}{
	"of the phone":                  {false, phoneHangsUp, gateway.PhoneHungUp},
	"of the phone, early":           {true, phoneHangsUp, gateway.PhoneHungUp},
	"through another server":        {false, hangUpPassedOn, gateway.PhoneHungUp},
	"through another server, early": {true, hangUpPassedOn, gateway.PhoneHungUp},
	"of the agent": {false, func(w *world, r *tenants.Ring, d tenants.Device) error {
		was, err := switchboard.NewJoining(w.board).HangUp(w.t.Context(), d.Tenant, r.ID, w.config.Joins.Password(d.Tenant, r.ID))
		if !was {
			w.t.Error("there is no call for the agent")
		}
		return err
	}, gateway.AgentHungUp},
}

func phoneHangsUp(w *world, r *tenants.Ring, d tenants.Device) error {
	return w.board.HangUp(w.t.Context(), d, r.ID)
}

func hangUpPassedOn(w *world, r *tenants.Ring, d tenants.Device) error {
	body, err := json.Marshal(map[string]any{"tenant": d.Tenant, "ring": r.ID, "device": d.ID})
	must(w.t, err)
	_, err = switchboard.NewHeld(w.board).Asked(w.t.Context(), "hang_up", body)
	if tenants.KindOf(err) == tenants.Unavailable { // it has no such call yet
		return nil
	}
	return err
}

// TestAHangUpDuringTheAnswer reaches the call that begins, which the gateway did not know at that
// moment. If it does not begin, the ring ends as hung up and not as broken.
func TestAHangUpDuringTheAnswer(t *testing.T) {
	t.Parallel()
	for name, row := range hangUps {
		for _, fails := range []error{nil, errors.New("the phone has closed its connection")} {
			w, m := frail(t)
			d := w.device("ada")
			r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
			end := func() {
				if err := row.do(w, r, d); err != nil {
					t.Errorf("%s: %v", name, err)
				}
				m.hungUp = nil // the gateway has no such call yet
			}
			if row.early {
				m.before = end
			} else {
				m.during = end
			}
			m.fails = fails
			err := answerError(w, d, r)
			if fails != nil {
				if got := w.state(r.ID, tenants.Ended); !errors.Is(err, fails) || got.Call.EndedBy != string(row.want) {
					t.Errorf("%s: answered with %v, ended by %s", name, err, got.Call.EndedBy)
				}
				continue
			}
			if want := string(r.ID) + " " + string(row.want); tenants.KindOf(err) != tenants.Gone || len(m.hungUp) != 1 ||
				m.hungUp[0] != want {
				t.Errorf("%s: answered with %v, hung up %q", name, err, m.hungUp)
			}
		}
	}
}

// TestAHangUpBeforeTheAnswer: it was of no call, and the phone that answers later gets its own.
func TestAHangUpBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	for name, hangUp := range map[string]func(*world, *tenants.Ring, tenants.Device) error{
		"at this server": phoneHangsUp, "through another server": hangUpPassedOn,
	} {
		w, m := frail(t)
		d := w.device("ada")
		r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
		must(t, hangUp(w, r, d))
		if err := answerError(w, d, r); err != nil || len(m.hungUp) != 0 {
			t.Errorf("%s: answered with %v, hung up %q", name, err, m.hungUp)
		}
		w.state(r.ID, tenants.Answered)
		must(t, hangUp(w, r, d)) // this one counts
		if want := string(r.ID) + " " + string(gateway.PhoneHungUp); len(m.hungUp) != 1 || m.hungUp[0] != want {
			t.Errorf("%s: hung up %q", name, m.hungUp)
		}
		m.hungUp = nil // the gateway has not told its end yet
		if err := answerError(w, d, r); tenants.KindOf(err) != tenants.Gone || len(m.hungUp) != 1 {
			t.Errorf("%s: answered again with %v, hung up %q", name, err, m.hungUp)
		}
	}
}

// TestAnotherPhoneHangsUpDuringTheAnswer: it is not on the call, which goes on.
func TestAnotherPhoneHangsUpDuringTheAnswer(t *testing.T) {
	t.Parallel()
	w, m := frail(t)
	d, other := w.device("ada"), w.device("ada")
	r := w.place(tenants.Request{To: tenants.To{Person: "ada"}})
	m.before = func() { must(t, w.board.HangUp(t.Context(), other, r.ID)) }
	m.during = m.before
	if err := answerError(w, d, r); err != nil || len(m.hungUp) != 0 {
		t.Errorf("answered with %v, hung up %q", err, m.hungUp)
	}
	m.before()
	w.state(r.ID, tenants.Answered)
	if len(m.hungUp) != 0 {
		t.Errorf("hung up %q", m.hungUp)
	}
}

// TestACallThatEndedBeforeItBegan ends its ring for the reason that the gateway gives, also where
// the phone had answered before, on a server that is gone.
func TestACallThatEndedBeforeItBegan(t *testing.T) {
	t.Parallel()
	w, m := frail(t)
	d := w.device("")
	for _, again := range []bool{false, true} {
		for reason, state := range map[gateway.EndReason]tenants.State{gateway.PhoneHungUp: tenants.Ended,
			gateway.Cancelled: tenants.Ended, gateway.ShutDown: tenants.Ended, gateway.AgentFailed: tenants.Failed} {
			r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
			if m.fails = nil; again {
				must(t, answerError(w, d, r))
				w.reopen()
			}
			m.fails = &gateway.Refused{Reason: gateway.CallEnded, Msg: "The call has ended.", Ended: reason}
			if err := answerError(w, d, r); tenants.KindOf(err) != tenants.Gone {
				t.Errorf("%s: answered with %v", reason, err)
			}
			if got := w.state(r.ID, state); got.Call.EndedBy != string(reason) || got.Call.EndedAt.IsZero() || w.board.Calls() != 0 {
				t.Errorf("%s, again %v: %+v, and %d calls", reason, again, got.Call, w.board.Calls())
			}
		}
	}
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}})
	m.fails = nil
	must(t, answerError(w, d, r))
	m.fails = &gateway.Refused{Reason: gateway.CallEnded, Msg: "The call has ended."} // it ran, and says its end itself
	if err := answerError(w, d, r); tenants.KindOf(err) != tenants.Gone {
		t.Errorf("answered with %v", err)
	}
	w.state(r.ID, tenants.Answered)
}
