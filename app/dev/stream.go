package dev

import (
	"context"
	"errors"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// streamName is the agent of the first tenant that talks over a WebSocket.
const streamName = "Echo over WebSocket"

// AddStreamAgent gives the first tenant an agent of the kind stream whose program is at url, or
// brings the address of an earlier run's up to date: the program listens on another port each time.
func AddStreamAgent(ctx context.Context, s *store.Store, n Notes, url string, now time.Time) error {
	if len(n.Tenants) == 0 {
		return errors.New("dev.json names no tenant; remove the data folder and start again")
	}
	t := n.Tenants[0].Tenant
	scope := s.For(t).By(store.Who{Actor: tenants.Actor{Kind: tenants.ActorSystem, Name: "dev mode"}})
	found, _, err := scope.Agents().List(ctx, store.Page{Search: streamName})
	if err != nil {
		return err
	}
	for _, a := range found {
		if a.Name == streamName && a.Stream != nil {
			a.Stream.URL = url
			return scope.Agents().Set(ctx, a)
		}
	}
	a := tenants.Agent{ID: tenants.NewID[tenants.AgentID](now), Tenant: t, Name: streamName, Kind: tenants.Stream, CreatedAt: now}
	a.Stream = &tenants.StreamAgent{URL: url}
	return scope.Agents().Add(ctx, a.Clean())
}
