package api

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// groupAPI keeps groups, their schedules and the consents of persons.
type groupAPI struct{ *API }

func (a groupAPI) groupRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/v1/groups", Needs: tenants.GroupsWrite, key: a.addGroup},
		{Method: "GET", Path: "/v1/groups", Needs: tenants.GroupsRead, key: a.listGroups},
		{Method: "GET", Path: "/v1/groups/:id", Needs: tenants.GroupsRead, key: a.showGroup},
		{Method: "PATCH", Path: "/v1/groups/:id", Needs: tenants.GroupsWrite, key: a.changeGroup},
		{Method: "DELETE", Path: "/v1/groups/:id", Needs: tenants.GroupsWrite, key: a.removeGroup},
		{Method: "GET", Path: "/v1/groups/:id/now", Needs: tenants.GroupsRead, key: a.whoRings},

		{Method: "POST", Path: "/v1/schedules", Needs: tenants.GroupsWrite, key: a.addSchedule},
		{Method: "GET", Path: "/v1/schedules", Needs: tenants.GroupsRead, key: a.listSchedules},
		{Method: "GET", Path: "/v1/schedules/:id", Needs: tenants.GroupsRead, key: a.showSchedule},
		{Method: "PATCH", Path: "/v1/schedules/:id", Needs: tenants.GroupsWrite, key: a.changeSchedule},
		{Method: "DELETE", Path: "/v1/schedules/:id", Needs: tenants.GroupsWrite, key: a.removeSchedule},

		{Method: "POST", Path: "/v1/consents", Needs: tenants.GroupsWrite, key: a.addConsent},
		{Method: "GET", Path: "/v1/consents", Needs: tenants.GroupsRead, key: a.listConsents},
		{Method: "GET", Path: "/v1/consents/:id", Needs: tenants.GroupsRead, key: a.showConsent},
		{Method: "DELETE", Path: "/v1/consents/:id", Needs: tenants.GroupsWrite, key: a.withdrawConsent},
	}
}

type groupMember struct {
	Person   string  `json:"person"`
	Schedule *string `json:"schedule"`
}

// groupChange is the body of PATCH /v1/groups/{id}: omitted fields stay. It is that of POST too.
type groupChange struct {
	Name     *string        `json:"name"`
	Way      *string        `json:"way"`
	StepS    *int           `json:"step_s"`
	Members  *[]groupMember `json:"members"`
	Escalate *string        `json:"escalate"`
}

func (q groupChange) apply(g *tenants.Group) error {
	var faults []tenants.Field
	label(&g.Name, q.Name)
	set((*string)(&g.Way), q.Way)
	set(&g.StepSeconds, q.StepS)
	if q.Escalate != nil {
		id, ok := tenants.ParseID[tenants.GroupID](*q.Escalate)
		if g.Escalate = id; !ok && *q.Escalate != "" {
			faults = append(faults, tenants.Field{Name: "escalate", Message: "a group id: a UUID, or empty for none"})
		}
	}
	if q.Members != nil {
		g.Members = nil
		for _, m := range *q.Members {
			made := tenants.GroupMember{Person: m.Person}
			if m.Schedule != nil && *m.Schedule != "" {
				id, ok := tenants.ParseID[tenants.ScheduleID](*m.Schedule)
				if made.Schedule = id; !ok {
					faults = append(faults, tenants.Field{Name: "members", Message: "a schedule id: a UUID"})
				}
			}
			g.Members = append(g.Members, made)
		}
	}
	if len(faults) > 0 {
		return invalid(faults, "Please correct the fields of the group.")
	}
	return g.Check()
}

type group struct {
	ID        string        `json:"id"`
	Name      string        `json:"name"`
	Way       string        `json:"way"`
	StepS     int           `json:"step_s"`
	Members   []groupMember `json:"members"`
	Escalate  *string       `json:"escalate"`
	CreatedAt string        `json:"created_at"`
}

func groupOf(g tenants.Group) group {
	shown := group{ID: string(g.ID), Name: g.Name, Way: string(g.Way), StepS: g.StepSeconds, Members: []groupMember{},
		Escalate: opt(string(g.Escalate)), CreatedAt: stamp(g.CreatedAt)}
	for _, m := range g.Members {
		shown.Members = append(shown.Members, groupMember{m.Person, opt(string(m.Schedule))})
	}
	return shown
}

// addGroup: POST /v1/groups.
func (a groupAPI) addGroup(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body groupChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	now := a.Now()
	made := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Tenant: k.Tenant.ID, Way: tenants.Simultaneous,
		StepSeconds: int(tenants.DefaultTTL / time.Second), CreatedAt: now}
	if err := body.apply(&made); err != nil {
		return err
	}
	if err := k.scope.Groups().Add(ctx, made); err != nil {
		return err
	}
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/groups/"+string(made.ID))
	return reply(c, fiber.StatusCreated, groupOf(made))
}

// listGroups: GET /v1/groups.
func (a groupAPI) listGroups(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Groups().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, groupOf))
}

// showGroup: GET /v1/groups/{id}.
func (a groupAPI) showGroup(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.GroupID](c, "group")
	if err != nil {
		return err
	}
	found, err := k.scope.Groups().Get(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, groupOf(found))
}

// changeGroup: PATCH /v1/groups/{id}.
func (a groupAPI) changeGroup(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.GroupID](c, "group")
	if err != nil {
		return err
	}
	var body groupChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	found, err := k.scope.Groups().Get(ctx, id)
	if err != nil {
		return err
	}
	if err := body.apply(&found); err != nil {
		return err
	}
	if err := k.scope.Groups().Set(ctx, found); err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, groupOf(found))
}

// removeGroup: DELETE /v1/groups/{id}.
func (a groupAPI) removeGroup(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.GroupID](c, "group")
	if err != nil {
		return err
	}
	if err := k.scope.Groups().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// step is a person's part in a ring to a group.
type step struct {
	Wave    int     `json:"wave"`
	Group   string  `json:"group"`
	Person  string  `json:"person"`
	State   string  `json:"state"`
	Reason  string  `json:"reason"`
	AfterS  int     `json:"after_s"`
	ForS    int     `json:"for_s"`
	BegunAt *string `json:"begun_at"`
}

func stepOf(s tenants.Step) step {
	return step{Wave: s.Wave, Group: string(s.Group), Person: s.Person, State: string(s.State), Reason: s.Reason,
		AfterS: int(s.After / time.Second), ForS: int(s.For / time.Second), BegunAt: optStamp(s.BegunAt)}
}

type whoRings struct {
	Group string `json:"group"`
	At    string `json:"at"`
	Steps []step `json:"steps"`
}

// whoRings: GET /v1/groups/{id}/now.
func (a groupAPI) whoRings(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.GroupID](c, "group")
	if err != nil {
		return err
	}
	f := filter{c: c}
	at := f.time("at")
	if err := f.err(); err != nil {
		return err
	}
	if at.IsZero() {
		at = a.Now()
	}
	_, steps, err := a.Board.WouldRing(ctx, k.Caller, id, at)
	if err != nil {
		return err
	}
	shown := whoRings{Group: string(id), At: stamp(at), Steps: []step{}}
	for _, s := range steps {
		shown.Steps = append(shown.Steps, stepOf(s))
	}
	return reply(c, fiber.StatusOK, shown)
}
