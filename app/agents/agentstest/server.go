// Package agentstest simulates the services that voice agents run on, inside this process: OpenAI's
// Realtime API and a bot of pipecat's SmallWebRTC transport. They are as strict as the real ones
// about keys, fields and content types, they fail on command, and their agents greet and then say
// what they hear. Development mode and tests call them.
//
// It shares no code with the agents of app/agents, so that neither copies the other's mistakes.
// Start at NewOpenAI and NewPipecat.
package agentstest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/gateway/phonetest"
)

// answerWithin is how long answering an offer may take.
const answerWithin = 10 * time.Second

// server is what both services share: a listener on this machine, faults, and what they have seen.
type server struct {
	http    *http.Server
	ln      net.Listener
	running sync.WaitGroup

	mu         sync.Mutex // guards the rest
	fail       int        // status of every answer; 0 = as it should be
	hang       bool       // requests get no answer
	violations []string
	bots       map[string]*phonetest.Bot
	order      []string // ids of all calls so far
	closed     bool
}

// serve listens on a free port of this machine.
func (s *server) serve(h http.Handler) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return fmt.Errorf("agentstest: %w", err)
	}
	s.ln, s.bots = ln, map[string]*phonetest.Bot{}
	s.http = &http.Server{Handler: s.faulty(h), ReadHeaderTimeout: 5 * time.Second}
	s.running.Go(func() { _ = s.http.Serve(ln) })
	return nil
}

// faulty lets requests fail as they are told to.
func (s *server) faulty(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		fail, hang := s.fail, s.hang
		s.mu.Unlock()
		switch {
		case hang:
			<-r.Context().Done()
		case fail != 0:
			refuse(w, fail, "server_error", "secret words of the far end")
		default:
			h.ServeHTTP(w, r)
		}
	})
}

// Fail makes every request fail with the status; 0 = none.
func (s *server) Fail(status int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fail = status
}

// Hang leaves every request without an answer.
func (s *server) Hang(on bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hang = on
}

// violate records what a client did wrong.
func (s *server) violate(format string, args ...any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.violations = append(s.violations, fmt.Sprintf(format, args...))
}

// Violations returns what clients did wrong.
func (s *server) Violations() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.violations)
}

// Calls returns the ids of all calls so far.
func (s *server) Calls() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.order)
}

// Bot returns the agent of a running call; nil = the call has ended.
func (s *server) Bot(id string) *phonetest.Bot {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.bots[id]
}

// Running returns how many calls run.
func (s *server) Running() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.bots)
}

// add makes b the agent of the call until one side ends it, and returns the one before.
func (s *server) add(id string, b *phonetest.Bot) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return net.ErrClosed
	}
	if !slices.Contains(s.order, id) {
		s.order = append(s.order, id)
	}
	s.bots[id] = b
	s.running.Go(func() {
		<-b.Closed()
		b.Close()
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.bots[id] == b {
			delete(s.bots, id)
		}
	})
	return nil
}

// HangUp makes the agent hang up.
func (s *server) HangUp(id string) {
	if b := s.Bot(id); b != nil {
		b.Close()
	}
}

// Close ends every call.
func (s *server) Close() error {
	s.mu.Lock()
	s.closed = true
	bots := s.bots
	s.bots = map[string]*phonetest.Bot{}
	s.mu.Unlock()
	err := s.http.Close()
	for _, b := range bots {
		b.Close()
	}
	s.running.Wait()
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// answer has a bot answer an offer, and makes it the agent of the call.
func (s *server) answer(r *http.Request, id string, b *phonetest.Bot, offer string) (string, error) {
	ctx, cancel := context.WithTimeout(r.Context(), answerWithin)
	defer cancel()
	text, err := b.Answer(ctx, offer)
	if err == nil && s.Bot(id) != b {
		err = s.add(id, b)
	}
	return text, err
}

// Greeting returns the sound of the built-in agent in a codec as SDP names it.
func Greeting(codec string) [][]byte {
	for _, c := range []gateway.Codec{gateway.Opus, gateway.PCMU, gateway.PCMA} {
		if strings.EqualFold(c.Name(), codec) {
			frames, err := gateway.Bells(c)
			if err == nil {
				return frames
			}
		}
	}
	return nil
}

// refuse answers with an error as OpenAI writes it.
func refuse(w http.ResponseWriter, status int, code, message string) {
	reply(w, status, map[string]any{"error": map[string]any{
		"message": message, "type": "invalid_request_error", "code": code, "param": nil,
	}})
}

func reply(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}
