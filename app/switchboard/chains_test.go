package switchboard_test

import (
	"context"
	"log/slog"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/agents"
	"carillon/app/outbound"
	"carillon/app/switchboard"
	"carillon/gateway"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// attendant is an agent that counts what is done with it.
type attendant struct {
	attached, conversed, closed atomic.Int64
	lost                        *agents.Failure // what Converse returns; nil = it talks to the end
}

func (*attendant) Codecs() []gateway.Codec { return []gateway.Codec{gateway.Opus} }

func (a *attendant) Attach(context.Context) error { a.attached.Add(1); return nil }

func (a *attendant) Converse(ctx context.Context, _ gateway.Line) error {
	a.conversed.Add(1)
	if a.lost != nil {
		return a.lost
	}
	<-ctx.Done()
	return ctx.Err()
}

func (a *attendant) Close() { a.closed.Add(1) }

// staffed is a world whose agents are attendants, by name.
func staffed(t *testing.T, staff map[string]*attendant) *world {
	t.Helper()
	w, m := newWorld(t, tenants.RealEstate), &refusingMedia{}
	m.during = func() {}
	w.config.Media = m
	w.config.Agents = func(_ context.Context, a tenants.Agent, _ agents.Call) (agents.Agent, error) {
		if staff[a.Name] == nil {
			return nil, &agents.Failure{Cause: "nobody of this name"}
		}
		return staff[a.Name], nil
	}
	w.open()
	return w
}

// agent adds an agent.
func (w *world) agent(a tenants.Agent) tenants.AgentID {
	w.t.Helper()
	a.ID, a.CreatedAt = tenants.NewID[tenants.AgentID](w.clock.Now()), w.clock.Now()
	if a.Kind == "" {
		a.Kind = tenants.Stream
	}
	attach := a.Attach
	a = a.Clean()
	a.Attach = attach
	must(w.t, w.scope.Agents().Add(w.t.Context(), a))
	return a.ID
}

// TestAnAgentIsAttachedWhileThePhoneRings, if it asks for it, and released when nobody answers.
func TestAnAgentIsAttachedWhileThePhoneRings(t *testing.T) {
	t.Parallel()
	a := &attendant{}
	w := staffed(t, map[string]*attendant{"Reception": a})
	d := w.device("")
	early := w.agent(tenants.Agent{Name: "Reception", Attach: tenants.AttachShown})
	late := w.agent(tenants.Agent{Name: "Reception", Attach: tenants.AttachAnswered})

	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: early})
	w.report(d, r, tenants.FactShown)
	w.eventually("the agent is attached", func() bool { return a.attached.Load() == 1 })
	w.report(d, r, tenants.FactDeclined)
	w.eventually("the agent is released", func() bool { return a.closed.Load() == 1 })

	r = w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: early})
	w.report(d, r, tenants.FactShown)
	w.eventually("the agent is attached again", func() bool { return a.attached.Load() == 2 })
	w.clock.Pass(2 * time.Minute)
	must(t, w.board.Sweep(t.Context()))
	w.eventually("the agent is released again", func() bool { return a.closed.Load() == 2 })

	r = w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: late})
	w.report(d, r, tenants.FactShown)
	must(t, w.board.Close(t.Context())) // waits for what the report began
	if a.attached.Load() != 2 {
		t.Error("an agent that did not ask for it was attached")
	}
}

// TestAnAttachedAgentTakesTheCall: it is not attached a second time.
func TestAnAttachedAgentTakesTheCall(t *testing.T) {
	t.Parallel()
	a := &attendant{}
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	w.config.Agents = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) { return a, nil }
	w.open()
	d := w.device("")
	id := w.agent(tenants.Agent{Name: "Reception", Attach: tenants.AttachShown})
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: id})
	w.report(d, r, tenants.FactShown)
	w.eventually("the agent is attached", func() bool { return a.attached.Load() == 1 })
	w.dial(d, r)
	w.eventually("the agent talks", func() bool { return a.conversed.Load() == 1 })
	w.clock.Pass(2 * time.Minute) // the ring's own time is long over
	must(t, w.board.Sweep(t.Context()))
	if _, err := w.board.Transfer(t.Context(), w.caller, r.ID, switchboard.Transfer{Person: "nobody"}); tenants.KindOf(err) !=
		tenants.Unprocessable {
		t.Errorf("the call has lost its agents: %v", err)
	}
	must(t, w.board.HangUp(t.Context(), d, r.ID)) // the phone may not be connected yet
	w.state(r.ID, tenants.Ended)
	w.eventually("the agent is closed", func() bool { return a.closed.Load() > 0 })
	if n := a.attached.Load(); n != 1 {
		t.Errorf("attached %d times", n)
	}
}

// TestAnEndedRingSendsAgentsAway that joined it and wait for a call that will not come.
func TestAnEndedRingSendsAgentsAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	g, err := gateway.New(gateway.Config{UDPAddr: "127.0.0.1:0", AllowLoopback: true, AllowPrivate: true, Now: time.Now,
		Log: slog.New(slog.DiscardHandler)})
	must(t, err)
	t.Cleanup(func() { must(t, g.Close()) })
	w := newWorld(t, tenants.RealEstate)
	joins := agents.NewJoins(g, w.clock.Now)
	t.Cleanup(joins.Close)
	streams := agents.NewStreams(outbound.New(nil), joins, w.clock.Now, w.config.Log)
	w.config.Media, w.config.Joins, w.config.Agents = g, joins, agents.NewKinds(nil, streams, nil, nil, nil).Open
	w.open()
	d, joining := w.device(""), switchboard.NewJoining(w.board)
	robot := w.agent(tenants.Agent{Name: "Robot", Kind: tenants.WebRTC})
	far, err := phonetest.New(phonetest.Config{})
	must(t, err)
	for name, end := range map[string]func(*tenants.Ring){
		"declined":  func(r *tenants.Ring) { w.report(d, r, tenants.FactDeclined) },
		"cancelled": func(r *tenants.Ring) { _, err := w.board.Cancel(ctx, w.caller, r.ID); must(t, err) },
		"missed":    func(*tenants.Ring) { w.clock.Pass(2 * time.Minute); must(t, w.board.Sweep(ctx)) },
		"ended by another process": func(r *tenants.Ring) {
			_, _, err := w.scope.Rings().Change(ctx, r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
				now := w.clock.Now()
				return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactCancelled, At: now, Received: now}), nil
			})
			must(t, err)
			w.clock.Pass(3 * time.Second)
			must(t, w.board.Sweep(ctx))
		},
	} {
		r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: robot})
		joined, err := joining.Join(ctx, w.caller, r.ID)
		must(t, err)
		agent, err := far.Call(ctx, func(ctx context.Context, offer string) (string, error) {
			a, err := joining.Offer(ctx, joined.Token, r.ID, offer)
			return a.SDP, err
		})
		must(t, err)
		t.Cleanup(agent.HangUp)
		<-agent.Connected()
		end(r)
		select {
		case <-agent.Closed():
		case <-ctx.Done():
			t.Fatalf("%s: the agent still waits", name)
		}
	}
}

// TestTheTimelineNamesEachAgent: one is not there, one is lost, the third talks.
func TestTheTimelineNamesEachAgent(t *testing.T) {
	t.Parallel()
	second, third := &attendant{lost: &agents.Failure{Cause: "it broke off"}}, &attendant{}
	staff := map[string]*attendant{"Second": second, "Third": third}
	w := newWorld(t, tenants.RealEstate)
	w.voice()
	w.config.Agents = func(_ context.Context, a tenants.Agent, _ agents.Call) (agents.Agent, error) {
		if staff[a.Name] == nil {
			return nil, &agents.Failure{Cause: "nobody of this name"}
		}
		return staff[a.Name], nil
	}
	w.open()
	d := w.device("")
	next := []tenants.AgentID{w.agent(tenants.Agent{Name: "Second"}), w.agent(tenants.Agent{Name: "Away"}),
		w.agent(tenants.Agent{Name: "Third"})}
	r := w.place(tenants.Request{To: tenants.To{Device: d.ID}, Agent: w.agent(tenants.Agent{Name: "First", Next: next})})
	w.dial(d, r)
	got := w.until(r.ID, "the third talks", func(r *tenants.Ring) bool {
		return slices.ContainsFunc(r.Attempts[0].Facts, func(f tenants.Fact) bool { return f.Detail == "Third" })
	})
	want := []string{"agent_failed First: nobody of this name", "agent_attached Second", "agent_lost Second: it broke off",
		"agent_failed Away: nobody of this name", "agent_attached Third"}
	for _, f := range got.Attempts[0].Facts {
		if f.Kind != tenants.FactAgentAttached && f.Kind != tenants.FactAgentFailed && f.Kind != tenants.FactAgentLost {
			continue
		}
		if said := string(f.Kind) + " " + f.Detail; len(want) == 0 || said != want[0] {
			t.Errorf("%s, want %v", said, want)
		} else {
			want = want[1:]
		}
	}
	if len(want) > 0 {
		t.Errorf("missing: %v", want)
	}
}
