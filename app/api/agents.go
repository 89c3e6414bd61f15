package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

type agentRequest struct {
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Caller string `json:"caller"`
}

// agentChange is the body of PATCH /v1/agents/{id}: omitted fields stay.
type agentChange struct {
	Name   *string `json:"name"`
	Kind   *string `json:"kind"`
	Caller *string `json:"caller"`
}

type agent struct {
	ID        string  `json:"id"`
	Name      string  `json:"name"`
	Kind      string  `json:"kind"`
	Caller    *string `json:"caller"`
	Default   bool    `json:"default"`
	CreatedAt string  `json:"created_at"`
}

// agentOf returns a function that shows an agent of t, which knows its default agent.
func agentOf(t tenants.Tenant) func(tenants.Agent) agent {
	return func(a tenants.Agent) agent {
		return agent{
			ID: string(a.ID), Name: a.Name, Kind: string(a.Kind), Caller: opt(a.Caller), Default: a.ID == t.DefaultAgent,
			CreatedAt: stamp(a.CreatedAt),
		}
	}
}

// addAgent: POST /v1/agents.
func (a *API) addAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body agentRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	now := a.Now()
	made := tenants.Agent{
		ID: tenants.NewID[tenants.AgentID](now), Tenant: k.Tenant.ID, Name: tenants.TrimLabel(body.Name),
		Kind:   tenants.AgentKind(body.Kind),
		Caller: tenants.TrimLabel(body.Caller), CreatedAt: now,
	}
	if err := made.Check(); err != nil {
		return err
	}
	if err := k.scope.Agents().Add(ctx, made); err != nil {
		return err
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/agents/"+string(made.ID))
	return reply(c, fiber.StatusCreated, agentOf(k.Tenant)(made))
}

// listAgents: GET /v1/agents.
func (a *API) listAgents(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Agents().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, agentOf(k.Tenant)))
}

// showAgent: GET /v1/agents/{id}.
func (a *API) showAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	found, err := k.scope.Agents().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, agentOf(k.Tenant)(found))
}

// changeAgent: PATCH /v1/agents/{id}.
func (a *API) changeAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	var body agentChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	found, err := k.scope.Agents().Get(ctx, id)
	if err != nil {
		return err
	}
	label(&found.Name, body.Name)
	label(&found.Caller, body.Caller)
	if body.Kind != nil {
		found.Kind = tenants.AgentKind(*body.Kind)
	}
	if err := found.Check(); err != nil {
		return err
	}
	if err := k.scope.Agents().Set(ctx, found); err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, agentOf(k.Tenant)(found))
}

// removeAgent: DELETE /v1/agents/{id}.
func (a *API) removeAgent(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return err
	}
	if err := k.scope.Agents().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}
