package agents

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// TestAgentsMeetTheirCalls: the call or the agent waits for the other. The newest of two agents
// gets the call, and one that has left gets none.
func TestAgentsMeetTheirCalls(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	open := func() Agent {
		a, err := j.open(Call{Tenant: joinTenant, Ring: joinRing})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		return a
	}
	gone := j.mustIssue(t)
	if err := j.offerAs(t, gone, joinRing); err != nil {
		t.Fatal(err)
	}
	if got := open().Codecs(); len(got) != 1 || got[0] != gateway.Opus {
		t.Errorf("with an agent there: %v", got)
	}
	if err := j.Leave(gone, joinRing); err != nil {
		t.Fatal(err)
	}
	if got := open().Codecs(); len(got) != len(gateway.Codecs()) {
		t.Errorf("without one: %v", got)
	}
	early := open()
	soon, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	var f *Failure
	if err := early.Attach(soon); !errors.As(err, &f) || !strings.Contains(f.Cause, "no agent connected") {
		t.Errorf("nobody came: %v", err)
	}
	attached := make(chan error, 1)
	go func() { attached <- early.Attach(t.Context()) }()
	first := j.mustIssue(t)
	if err := j.offerAs(t, first, joinRing); err != nil {
		t.Fatal(err)
	}
	if err := <-attached; err != nil {
		t.Fatal(err)
	}
	second, third := j.mustIssue(t), j.mustIssue(t)
	for _, token := range []tenants.Secret{second, third} {
		if err := j.offerAs(t, token, joinRing); err != nil {
			t.Fatal(err)
		}
	}
	replaced, _ := j.peer(second, joinRing)
	newest, _ := j.peer(third, joinRing)
	<-replaced.Ended()
	if err := open().Attach(t.Context()); err != nil || isOver(newest) {
		t.Errorf("the newest: %v", err)
	}
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left", n)
	}
	if err := j.offerAs(t, j.mustIssue(t), joinRing); err != nil {
		t.Fatal(err)
	}
	j.Close()
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left after Close", n)
	}
}

// TestAnAgentWaitsDuringTheCall, which may need it as the next one, and a minute without a call.
func TestAnAgentWaitsDuringTheCall(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	v := &callingVoice{Voice: j.voice}
	j.voice = v
	token := j.mustIssue(t)
	if err := j.offerAs(t, token, joinRing); err != nil {
		t.Fatal(err)
	}
	p, _ := j.peer(token, joinRing)
	m := j.rings[joinRing]
	v.calling.Store(true)
	j.expire(joinRing, m)
	if isOver(p) || m.leave == nil {
		t.Error("the agent was sent away during the call")
	}
	v.calling.Store(false)
	j.expire(joinRing, m)
	if !isOver(p) || len(j.rings) != 0 {
		t.Error("the agent stays after the call")
	}
}

// slowVoice makes connections for ever.
type slowVoice struct {
	Voice
	begun chan struct{}
}

func (v slowVoice) AnswerPeer(ctx context.Context, _ gateway.PeerConfig, _ string) (*gateway.Peer, gateway.Answer, error) {
	close(v.begun)
	<-ctx.Done()
	return nil, gateway.Answer{}, ctx.Err()
}

// TestTheEndOfARingCancelsAConnection: the agent that connects is not kept for a minute.
func TestTheEndOfARingCancelsAConnection(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	v := slowVoice{j.voice, make(chan struct{})}
	j.voice = v
	token, refused := j.mustIssue(t), make(chan error, 1)
	go func() {
		_, err := j.Offer(t.Context(), token, joinRing, "", nil)
		refused <- err
	}()
	<-v.begun
	j.Dismiss(joinRing)()
	if err := <-refused; tenants.KindOf(err) != tenants.Gone {
		t.Errorf("the agent gets %v", err)
	}
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings", n)
	}
}

// TestWaitingNamesRings: those that an agent waits for, each once in a while.
func TestWaitingNamesRings(t *testing.T) {
	t.Parallel()
	j, c := openJoins(t)
	if err := j.offerAs(t, j.mustIssue(t), joinRing); err != nil {
		t.Fatal(err)
	}
	count := func(want int) {
		t.Helper()
		list := j.Waiting(10)
		if len(list) != want || want > 0 && list[0] != (Guest{joinTenant, joinRing}) {
			t.Errorf("%v, want %d", list, want)
		}
	}
	count(0)
	c.add(lookEvery)
	count(1)
	count(0)
	c.add(lookEvery)
	j.Dismiss(joinRing)()
	count(0)
}

// TestAConnectionOfAnotherCodecIsReplaced: the phone was answered with PCMU while the agent joined
// with Opus. The next connection has PCMU. If none comes, the failure names both codecs.
func TestAConnectionOfAnotherCodecIsReplaced(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name  string
		when  string // the codec of the line is known: before or after Attach, or while it waits
		again bool   // the agent comes again
	}{{"before", "before", true}, {"while it waits", "waiting", true}, {"after", "after", true}, {"nobody comes again", "before", false}} {
		t.Run(row.name, func(t *testing.T) {
			t.Parallel()
			j, _ := openJoins(t)
			v := &callingVoice{Voice: j.voice}
			j.voice = v
			a := &webrtcAgent{joins: j, ring: joinRing, away: (*gateway.Peer).Away}
			t.Cleanup(a.Close)
			attach := func() chan error {
				done := make(chan error, 1)
				ctx := t.Context()
				if !row.again {
					soon, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
					t.Cleanup(cancel)
					ctx = soon
				}
				go func() { done <- a.Attach(ctx) }()
				return done
			}
			tune := func() bool { v.calling.Store(true); return a.Tune(gateway.PCMU) }
			token := j.mustIssue(t)
			var done chan error
			if row.when == "waiting" {
				done = attach()
			}
			if err := j.offerAs(t, token, joinRing, "opus", "PCMU"); err != nil {
				t.Fatal(err)
			}
			first, _ := j.peer(token, joinRing)
			switch row.when {
			case "before":
				if !tune() {
					t.Error("what is not attached was given up")
				}
				done = attach()
			case "waiting":
				if !tune() { // it was attached already
					<-done
					done = attach()
				}
			case "after":
				if err := <-attach(); err != nil {
					t.Fatal(err)
				}
				if tune() {
					t.Error("a connection with Opus was kept")
				}
				done = attach()
			}
			if !slices.Contains(a.Codecs(), gateway.PCMU) {
				t.Error("the chain would pass the agent over")
			}
			<-first.Ended()
			if row.again {
				if err := j.offerAs(t, j.mustIssue(t), joinRing, "opus", "PCMU"); err != nil {
					t.Fatal(err)
				}
			}
			err := <-done
			if row.again && (err != nil || a.present().Codecs()[0] != gateway.PCMU) {
				t.Errorf("the second connection: %v", err)
			}
			if cause := CauseOf(err); !row.again && (!strings.Contains(cause, "PCMU") || !strings.Contains(cause, "opus")) {
				t.Errorf("nobody came again: %s", cause)
			}
		})
	}
}

// TestALostAgentConnectsAgain: the new connection takes the place of the lost one in the same call,
// and one that comes while nothing is lost waits.
func TestALostAgentConnectsAgain(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	lost, looks := make(chan struct{}), make(chan struct{}, 2)
	a := &webrtcAgent{joins: j, ring: joinRing, away: func(p *gateway.Peer) bool {
		select {
		case looks <- struct{}{}:
		default:
		}
		select {
		case <-lost:
			return true
		default:
			return false
		}
	}}
	t.Cleanup(a.Close)
	var tokens [2]tenants.Secret
	for i := range tokens {
		tokens[i] = j.mustIssue(t)
		if err := j.offerAs(t, tokens[i], joinRing, "PCMU"); err != nil {
			t.Fatal(err)
		}
		if i == 0 {
			if err := a.Attach(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
	}
	first, _ := j.peer(tokens[0], joinRing)
	second, _ := j.peer(tokens[1], joinRing)
	ctx, cancel := context.WithCancel(t.Context())
	talked := make(chan error, 1)
	go func() { talked <- a.Converse(ctx, newDeskLine()) }()
	for range 2 { // what follows from the first look is done at the second
		select {
		case <-looks:
		case <-first.Ended():
		}
	}
	if isOver(first) || a.present() != first {
		t.Fatal("a connection that was not lost was replaced")
	}
	close(lost)
	<-first.Ended()
	eventually(t, "the second connection does not talk", func() bool { return a.present() == second })
	cancel()
	if err := <-talked; !errors.Is(err, context.Canceled) {
		t.Errorf("the conversation ended with %v", err)
	}
	<-second.Ended()
	if n := len(j.rings); n != 0 {
		t.Errorf("%d meetings are left", n)
	}
}

// TestAConnectionUnderWayCompletes although the one that it replaces is given up meanwhile.
func TestAConnectionUnderWayCompletes(t *testing.T) {
	t.Parallel()
	j, _ := openJoins(t)
	a := &webrtcAgent{joins: j, ring: joinRing, away: func(*gateway.Peer) bool { return true }}
	t.Cleanup(a.Close)
	token := j.mustIssue(t)
	offered, answer, connected := make(chan error, 1), make(chan struct{}), make(chan error, 1)
	go func() {
		connected <- j.offerHeld(t, token, joinRing, func(err error) { offered <- err; <-answer }, "PCMU")
	}()
	if err := <-offered; err != nil {
		t.Fatal(err)
	}
	looking, stop := context.WithCancel(t.Context())
	defer stop()
	next := make(chan *gateway.Peer, 1)
	go func() { next <- a.replacement(t.Context(), looking, nil) }()
	eventually(t, "the connection is not taken", func() bool {
		j.mu.Lock()
		defer j.mu.Unlock()
		return len(j.rings) == 0
	})
	stop()
	close(answer)
	if err := <-connected; err != nil {
		t.Error(err)
	}
	if q := <-next; q == nil || a.present() != q || isOver(q) {
		t.Error("the connection was given up with the one that it replaces")
	}
}

// callingVoice has a call when a test says so. Its codec is PCMU.
type callingVoice struct {
	Voice
	calling atomic.Bool
}

func (v *callingVoice) CodecOf(string) (gateway.Codec, bool) { return gateway.PCMU, v.calling.Load() }
