package dev

import (
	"context"
	"errors"
	"time"

	"carillon/app/agents"
	"carillon/app/agents/agentstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// What dev mode's agents prove to their far ends, which listen on this machine only.
const (
	openAIKey  = "sk-dev"
	pipecatKey = "Bearer dev"
)

// robotName is the agent whose calls the Robot joins.
const robotName = "Echo that joins over WebRTC"

// FarEnds are the services that agents of the first tenant talk through: stand-ins in this process,
// so that a call to each kind of agent works with nothing installed.
type FarEnds struct {
	OpenAI  *agentstest.OpenAI
	Pipecat *agentstest.Pipecat
	Robot   *Robot // joins calls by itself
}

// NewFarEnds starts them.
func NewFarEnds() (f FarEnds, err error) {
	f.OpenAI, err = agentstest.NewOpenAI(agentstest.OpenAIConfig{Keys: []string{openAIKey}, Delay: agents.EchoDelay})
	if err != nil {
		return f, err
	}
	f.Pipecat, err = agentstest.NewPipecat(agentstest.PipecatConfig{
		Headers: map[string]string{"Authorization": pipecatKey}, Delay: agents.EchoDelay,
	})
	if err != nil {
		return f, errors.Join(err, f.OpenAI.Close())
	}
	f.Robot = NewRobot()
	return f, nil
}

// Close ends them and their calls.
func (f FarEnds) Close() error {
	f.Robot.Close()
	return errors.Join(f.OpenAI.Close(), f.Pipecat.Close())
}

// agents are those of the first tenant that are not built in. stream is the address of a program.
func (f FarEnds) agents(stream string) []tenants.Agent {
	key := openAIKey
	headers, names := tenants.WriteHeaders(map[string]string{"Authorization": pipecatKey})
	return []tenants.Agent{
		{Name: "Echo over WebSocket", Kind: tenants.Stream, Stream: &tenants.StreamAgent{URL: stream}},
		{Name: "Echo of a stand-in for OpenAI", Kind: tenants.OpenAI, Secret: &key, OpenAI: &tenants.OpenAIAgent{
			Voice: "marin", Instructions: "This is a stand-in: it rings bells, and repeats what it hears.",
		}},
		{Name: robotName, Kind: tenants.WebRTC},
		{Name: "Echo of a pipecat bot", Kind: tenants.Pipecat, Secret: &headers,
			Pipecat: &tenants.PipecatAgent{URL: f.Pipecat.URL(), Headers: names}},
	}
}

// AddAgents gives the first tenant an agent of each kind that has a far end, or brings the
// addresses of an earlier run's up to date: they listen on other ports each time. url is that of
// this server, and stream that of the program of the stream agent.
func (f FarEnds) AddAgents(ctx context.Context, s *store.Store, n Notes, url, stream string, now time.Time) error {
	if len(n.Tenants) == 0 {
		return errors.New("dev.json names no tenant; remove the data folder and start again")
	}
	t := n.Tenants[0].Tenant
	scope := s.For(t).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "dev mode"}})
	for _, a := range f.agents(stream) {
		a.ID, a.Tenant, a.CreatedAt = tenants.NewID[tenants.AgentID](now), t, now
		id, err := addOrSet(ctx, scope, a.Clean())
		if err != nil {
			return err
		}
		if a.Name == robotName {
			f.Robot.Start(url, n.Tenants[0].APIKey, id)
		}
	}
	return nil
}

// addOrSet adds an agent, or changes where the one of this name is reached. It returns its id.
func addOrSet(ctx context.Context, scope *store.Scope, a tenants.Agent) (tenants.AgentID, error) {
	found, _, err := scope.Agents().List(ctx, store.Page{Search: a.Name})
	if err != nil {
		return "", err
	}
	for _, old := range found {
		if old.Name == a.Name && old.Kind == a.Kind {
			old.Stream, old.OpenAI, old.Pipecat, old.Secret = a.Stream, a.OpenAI, a.Pipecat, a.Secret
			return old.ID, scope.Agents().Set(ctx, old)
		}
	}
	return a.ID, scope.Agents().Add(ctx, a)
}
