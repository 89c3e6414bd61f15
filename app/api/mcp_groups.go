package api

import (
	"context"
	"encoding/json"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// stepResult is a person's part in a ring to a group as a model sees it.
type stepResult struct {
	Person string `json:"person"`
	State  string `json:"state"`
	Reason string `json:"reason"`
	AfterS int    `json:"after_s"`
}

func stepsOf(r *tenants.Ring) (steps []stepResult) {
	for _, s := range r.Steps {
		steps = append(steps, stepResult{s.Person, string(s.State), s.Reason, int(s.After / time.Second)})
	}
	return steps
}

func (m *mcpServer) ringGroup(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Group          string  `json:"group"`
		Reason         string  `json:"reason"`
		Agent          *string `json:"agent"`
		Caller         string  `json:"caller"`
		Reference      *string `json:"reference"`
		IdempotencyKey *string `json:"idempotency_key"`
		DryRun         bool    `json:"dry_run"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	if in.Group == "" {
		return nil, wrong("group", "the id of a group, from list_groups")
	}
	body := ringRequest{Agent: in.Agent, Caller: in.Caller, Reference: in.Reference}
	body.To.Group = &in.Group
	q, err := body.request()
	if err != nil {
		return nil, flat(err)
	}
	return m.place(ctx, c, q, in.Reason, in.IdempotencyKey, in.DryRun)
}

// groupResult is a group as a model sees it.
type groupResult struct {
	Group   string   `json:"group"`
	Name    string   `json:"name"`
	Way     string   `json:"way"`
	Members []string `json:"members"`
}

func (m *mcpServer) listGroups(ctx context.Context, c *conversation, raw json.RawMessage) (any, error) {
	var in struct {
		Search string `json:"q"`
		Limit  *int   `json:"limit"`
		After  string `json:"after"`
	}
	if err := arguments(raw, &in); err != nil {
		return nil, err
	}
	limit, err := pageOf(in.Limit, in.Search, in.After)
	if err != nil {
		return nil, err
	}
	groups, next, err := c.scope.Groups().List(ctx, store.Page{Search: in.Search, After: in.After, Limit: limit})
	if err != nil {
		return nil, err
	}
	return shortListOf(groups, next, func(g tenants.Group) groupResult {
		r := groupResult{string(g.ID), g.Name, string(g.Way), []string{}}
		for _, one := range g.Members {
			r.Members = append(r.Members, one.Person)
		}
		return r
	}), nil
}
