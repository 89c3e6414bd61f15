package dev

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/app/agents"
	"carillon/app/agents/agentstest"
	"carillon/gateway/phonetest"
	"carillon/tenants"
)

const (
	// robotsMost is how many calls the robot takes at the same time.
	robotsMost = 8
	// joinWithin is how long joining a call may take.
	joinWithin = 10 * time.Second
)

// Robot is the program behind dev mode's agent of the kind webrtc: it joins the call of each ring
// for its agent as a tenant's program does, with a token from the API. Close it.
type Robot struct {
	ctx     context.Context
	stop    context.CancelFunc
	running sync.WaitGroup
	seats   chan struct{} // holds one token for each call

	mu    sync.Mutex // guards the rest; Start sets them
	url   string     // of the server
	key   string     // of the tenant
	agent tenants.AgentID
}

// NewRobot returns a robot that takes no calls until Start.
func NewRobot() *Robot {
	ctx, stop := context.WithCancel(context.Background())
	return &Robot{ctx: ctx, stop: stop, seats: make(chan struct{}, robotsMost)}
}

// Start lets it take the calls of an agent of the tenant whose API key is key.
func (r *Robot) Start(url, key string, agent tenants.AgentID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.url, r.key, r.agent = url, key, agent
}

// Recorded makes it an audience of facts: a ring for its agent is joined when it is placed.
func (r *Robot) Recorded(ring *tenants.Ring, facts []tenants.Fact) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.agent == "" || ring.Agent != r.agent || r.ctx.Err() != nil {
		return
	}
	for _, f := range facts {
		if f.Kind != tenants.FactPlaced {
			continue
		}
		url, key, id := r.url, r.key, string(ring.ID)
		select {
		case r.seats <- struct{}{}:
		default: // the call has no agent, and its timeline says so
			return
		}
		r.running.Go(func() {
			defer func() { <-r.seats }()
			r.join(url, key, id)
		})
		return
	}
}

// join takes one call until it is over. A call that cannot be joined has no agent.
func (r *Robot) join(url, key, ring string) {
	bot, err := phonetest.NewBot(phonetest.BotConfig{Greeting: agentstest.Greeting, Delay: agents.EchoDelay, Polite: true})
	if err != nil {
		return
	}
	defer bot.Close()
	ctx, cancel := context.WithTimeout(r.ctx, joinWithin)
	defer cancel()
	token, err := joinToken(ctx, url, key, ring)
	if err != nil {
		return
	}
	leg := &phonetest.Leg{URL: url, Ring: ring, Credential: token, Agent: true}
	if err := bot.Call(ctx, leg.Answer); err != nil {
		return
	}
	select {
	case <-bot.Closed():
	case <-r.ctx.Done():
	}
}

// joinToken asks the API for a token: POST /v1/rings/{id}/join.
func joinToken(ctx context.Context, url, key, ring string) (string, error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(url, "/")+"/v1/rings/"+ring+"/join", nil)
	if err != nil {
		return "", err
	}
	q.Header.Set("Authorization", "Bearer "+key)
	res, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", err
	}
	defer func() { _ = res.Body.Close() }()
	var got struct{ Token string }
	if err := json.NewDecoder(res.Body).Decode(&got); err != nil || got.Token == "" {
		return "", fmt.Errorf("dev: joining the ring gave %d: %w", res.StatusCode, err)
	}
	return got.Token, nil
}

// Close leaves all calls.
func (r *Robot) Close() {
	r.mu.Lock()
	r.stop()
	r.mu.Unlock()
	r.running.Wait()
}
