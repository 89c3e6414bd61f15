package nodestest_test

import (
	"context"
	"strings"
	"syscall"
	"testing"
	"time"

	"carillon/gateway/phonetest"
)

// soon is how long what one node does may take to be seen on another one. It is a second or two; a
// machine that tests other packages at the same time needs more.
const soon = 5 * time.Second * slack

// leg is where the phone answers a ring at this node.
func (n *node) leg(id string) *phonetest.Leg {
	return &phonetest.Leg{URL: n.url, Ring: id, Credential: n.w.device.Credential}
}

// answer answers a ring and waits until the phone hears the agent.
func (w *world) answer(leg *phonetest.Leg) *phonetest.Call {
	w.Helper()
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		w.Fatal(err)
	}
	call, err := iphone.Call(w.Context(), leg.Answer)
	// One device answers every call here, and a quick machine meets its limit of answers.
	wait := time.NewTicker(500 * time.Millisecond)
	defer wait.Stop()
	for range 40 {
		if err == nil || !strings.Contains(err.Error(), "too_many_answers") {
			break
		}
		<-wait.C
		call, err = iphone.Call(w.Context(), leg.Answer)
	}
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(call.HangUp)
	if err := closedWithin(call.Heard(), 2*soon); err != nil {
		w.Fatalf("the phone hears nothing: %v", err)
	}
	return call
}

// TestSeveralNodes: what a request reaches on one node happens on the node that holds the call, and
// what one does is seen on the other.
func TestSeveralNodes(t *testing.T) {
	w := newWorld(t)
	a, b := w.shared("a"), w.shared("b")
	a.furnish()
	within := func(what string, c <-chan struct{}) {
		t.Helper()
		if err := closedWithin(c, soon); err != nil {
			t.Errorf("%s: the sound goes on: %v", what, err)
		}
	}
	t.Run("one without NATS is refused", func(t *testing.T) {
		if n, said := w.start("CARILLON_NODE=c"); n != nil || !strings.Contains(said, "CARILLON_NATS_URL") {
			t.Errorf("it said %q", said)
		}
	})
	t.Run("events", func(t *testing.T) {
		id := a.place()
		kinds := a.events(t.Context(), id)
		w.hears(kinds, "accepted", soon)
		b.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		w.hears(kinds, "cancelled", soon)
	})
	t.Run("cancel on the other node", func(t *testing.T) {
		id := a.place()
		call := w.answer(b.leg(id))
		a.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		within("cancel", call.Closed())
	})
	t.Run("trickle, restart and hang-up on the other node", func(t *testing.T) {
		id := a.place()
		leg := b.leg(id)
		call := w.answer(leg)
		leg.URL = a.url
		if err := leg.Trickle(t.Context(), call.Fragment()); err != nil {
			t.Errorf("trickle: %v", err)
		}
		if err := call.Restart(t.Context(), leg.Restart); err != nil {
			t.Errorf("restart: %v", err)
		}
		if err := leg.HangUp(t.Context()); err != nil {
			t.Errorf("hang-up: %v", err)
		}
		within("hang-up", call.Closed())
		r := a.until(id, "hang-up", soon, func(r ring) bool { return r.State == "ended" })
		if r.Call.EndedBy != "phone_hung_up" {
			t.Errorf("ended by %s", r.Call.EndedBy)
		}
	})
	t.Run("transfer on the other node", func(t *testing.T) {
		id := a.place()
		call := w.answer(b.leg(id))
		kinds := a.events(t.Context(), id)
		var agent struct{ ID string }
		a.call("POST", "/v1/agents", w.key, `{"name":"Night desk","kind":"builtin"}`, &agent)
		if status := a.call("POST", "/v1/rings/"+id+"/transfer", w.key, `{"to":{"agent":"`+agent.ID+`"}}`, nil); status != 202 {
			t.Errorf("the transfer is refused: %d", status)
		}
		w.hears(kinds, "transferred", soon)
		a.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		within("cancel", call.Closed())
	})
	t.Run("the same device on both nodes", func(t *testing.T) {
		id := a.place()
		first := w.answer(a.leg(id))
		second := w.answer(b.leg(id))
		within("the first leg", first.Closed())
		b.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
		within("the second leg", second.Closed())
	})
	t.Run("an agent that joins", func(t *testing.T) { w.joins(a, b) })
	t.Run("an agent on a WebSocket", func(t *testing.T) { w.streams(a, b) })
	t.Run("a node that drains", func(t *testing.T) { w.drains(a) })
	t.Run("without NATS", func(t *testing.T) { w.withoutNATS(a, b) })
	t.Run("without PostgreSQL", func(t *testing.T) { w.withoutPostgres(t, a, b) })
	t.Run("a node that is killed", func(t *testing.T) { w.killed(a, b) })
}

// joins: the token, the agent's connection and the phone's answer each reach another node.
func (w *world) joins(a, b *node) {
	var agent, token struct{ ID, Token string }
	if status := a.call("POST", "/v1/agents", w.key, `{"name":"Joe","kind":"webrtc"}`, &agent); status != 201 {
		w.Fatalf("the agent is refused: %d", status)
	}
	var r ring
	a.call("POST", "/v1/rings", w.key, `{"to":{"person":"front-desk"},"agent":"`+agent.ID+`"}`, &r)
	if status := a.call("POST", "/v1/rings/"+r.ID+"/join", w.key, "", &token); status/100 != 2 {
		w.Fatalf("the token is refused: %d", status)
	}
	bot, err := phonetest.NewBot(phonetest.BotConfig{})
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(bot.Close)
	joining := &phonetest.Leg{URL: b.url, Ring: r.ID, Credential: token.Token, Agent: true}
	if err := bot.Call(w.Context(), joining.Answer); err != nil {
		w.Fatalf("the agent cannot join on the other node: %v", err)
	}
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		w.Fatal(err)
	}
	call, err := iphone.Call(w.Context(), b.leg(r.ID).Answer)
	if err != nil {
		w.Fatal(err)
	}
	w.Cleanup(call.HangUp)
	if err := closedWithin(bot.Connected(), 2*soon); err != nil {
		w.Errorf("the agent is not connected: %v", err)
	}
	// The agent repeats what the phone says. Before that the server's side of the encryption may
	// not be established, and then its end reaches the phone as silence only.
	if err := closedWithin(call.Heard(), 2*soon); err != nil {
		w.Errorf("the phone hears nothing: %v", err)
	}
	if err := joining.HangUp(w.Context()); err != nil {
		w.Errorf("the agent hangs up on the other node: %v", err)
	}
	b.call("POST", "/v1/rings/"+r.ID+"/cancel", w.key, "", nil)
	if err := closedWithin(call.Closed(), soon); err != nil {
		w.Errorf("the call goes on: %v", err)
	}
}

// drains: the event streams of a node that drains end, and its calls go on.
func (w *world) drains(a *node) {
	c, said := w.start("CARILLON_NATS_URL="+w.nats.URL(), "CARILLON_NODE=c", "CARILLON_DRAIN=1m")
	if c == nil {
		w.Fatal(said)
	}
	id := a.place()
	call := w.answer(c.leg(id))
	kinds := c.events(w.Context(), id)
	w.hears(kinds, "answered", soon)
	_ = c.cmd.Process.Signal(syscall.SIGTERM)
	for late := time.After(soon); ; {
		select {
		case _, open := <-kinds:
			if open {
				continue
			}
		case <-late:
			w.Fatal("the event stream of a node that drains goes on")
		}
		break
	}
	select {
	case <-call.Closed():
		w.Error("the call of a node that drains ended")
	default:
	}
	a.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
	if err := closedWithin(call.Closed(), soon); err != nil {
		w.Errorf("a call that was cancelled on the other node: %v", err)
	}
	<-c.done
}

// withoutNATS: rings go out, pages follow the database, and all comes back.
func (w *world) withoutNATS(a, b *node) {
	w.nats.Stop()
	id := a.place()
	ctx, cancel := context.WithCancel(w.Context())
	defer cancel()
	kinds := a.events(ctx, id)
	w.hears(kinds, "accepted", soon)
	b.call("POST", "/v1/rings/"+id+"/cancel", w.key, "", nil)
	w.hears(kinds, "cancelled", soon)
	second := a.place()
	call := w.answer(b.leg(second))
	a.call("POST", "/v1/rings/"+second+"/cancel", w.key, "", nil)
	if err := closedWithin(call.Closed(), soon); err != nil {
		w.Errorf("a call that was cancelled on the other node: %v", err)
	}
	if err := w.nats.Start(); err != nil {
		w.Fatal(err)
	}
	third := a.place()
	leg := b.leg(third)
	call = w.answer(leg)
	leg.URL = a.url
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(2 * soon); leg.Trickle(w.Context(), call.Fragment()) != nil; {
		select {
		case <-tick.C:
		case <-late:
			w.Fatal("requests are not passed on after NATS came back")
		}
	}
	if err := leg.HangUp(w.Context()); err != nil {
		w.Errorf("hang-up: %v", err)
	}
}

// killed: a call whose phone answers again goes on, and the others end with node_lost.
func (w *world) killed(a, b *node) {
	lost, kept := a.place(), a.place()
	w.answer(a.leg(lost))
	w.answer(a.leg(kept))
	a.kill()
	iphone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		w.Fatal(err)
	}
	tick := time.NewTicker(200 * time.Millisecond)
	defer tick.Stop()
	began := time.Now()
	for {
		call, err := iphone.Call(w.Context(), b.leg(kept).Answer)
		if err == nil {
			w.Cleanup(call.HangUp)
			if err := closedWithin(call.Heard(), 2*soon); err != nil {
				w.Errorf("no agent on the call that goes on: %v", err)
			}
			break
		}
		if time.Since(began) > 2*soon {
			w.Fatalf("the phone cannot answer again: %v", err)
		}
		<-tick.C
	}
	left := 2*soon + time.Second - time.Since(began)
	r := b.until(lost, "a call of the node that was killed", left, func(r ring) bool { return r.Call.EndedBy != "" })
	if r.Call.EndedBy != "node_lost" {
		w.Errorf("ended by %s", r.Call.EndedBy)
	}
	b.until(kept, "the call that goes on", soon, func(r ring) bool { return r.State == "answered" && r.Call.EndedBy == "" })
}
