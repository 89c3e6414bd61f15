package app

import (
	"context"
	"net/http"
	"strings"
)

// groupsCmd keeps the groups of persons who are rung together.
type groupsCmd struct {
	List   groupsList   `cmd:"" help:"Groups, newest first."`
	Show   groupsShow   `cmd:"" help:"One group."`
	Add    groupsAdd    `cmd:"" help:"Add a group."`
	Change groupsChange `cmd:"" help:"Change a group."`
	Now    groupsNow    `cmd:"" help:"Who a ring to the group would ring now, and why. Rings nobody."`
	Remove groupsRemove `cmd:"" help:"Remove a group."`
}

type groupsList struct {
	asking
	paging
	Search string `help:"Part of a name." short:"s"`
}

func (g *groupsList) Run(ctx context.Context, c terminal) error {
	return g.list(ctx, c, g.paging, "/v1/groups", query("q", g.Search), "id", "way", "step_s", "name")
}

type groupsShow struct {
	asking
	one
}

func (g *groupsShow) Run(ctx context.Context, c terminal) error {
	return g.get(ctx, c, idPath("/v1/groups/%s", g.ID), nil)
}

// groupFields are what a group may be given.
type groupFields struct {
	Way      *string  `help:"simultaneous, sequential or round_robin."`
	Step     *int     `help:"Seconds that each step rings, 5 to 60."`
	Member   []string `help:"A person, or PERSON=SCHEDULE for one who is on duty by a schedule. In order." placeholder:"PERSON" sep:"none"`
	Escalate *string  `help:"Id of the group that is rung next; empty = none."`
}

func (g *groupFields) body(name *string) map[string]any {
	body := fields("name", name, "way", g.Way, "step_s", g.Step, "escalate", g.Escalate)
	var members []map[string]any
	for _, m := range g.Member {
		person, schedule, _ := strings.Cut(m, "=")
		members = append(members, map[string]any{"person": person, "schedule": schedule})
	}
	if members != nil {
		body["members"] = members
	}
	return body
}

type groupsAdd struct {
	asking
	Name string `required:"" help:"What people call it."`
	groupFields
}

func (g *groupsAdd) Run(ctx context.Context, c terminal) error {
	return g.ask(ctx, c, http.MethodPost, "/v1/groups", nil, g.body(&g.Name))
}

type groupsChange struct {
	asking
	one
	Name *string `help:"What people call it."`
	groupFields
}

func (g *groupsChange) Run(ctx context.Context, c terminal) error {
	return g.ask(ctx, c, http.MethodPatch, idPath("/v1/groups/%s", g.ID), nil, g.body(g.Name))
}

type groupsNow struct {
	asking
	one
	At string `help:"Another moment, such as 2026-11-27T22:00:00Z." placeholder:"TIME"`
}

func (g *groupsNow) Run(ctx context.Context, c terminal) error {
	return g.get(ctx, c, idPath("/v1/groups/%s/now", g.ID), query("at", g.At))
}

type groupsRemove struct {
	asking
	one
}

func (g *groupsRemove) Run(ctx context.Context, c terminal) error {
	return g.ask(ctx, c, http.MethodDelete, idPath("/v1/groups/%s", g.ID), nil, nil)
}

// schedulesCmd keeps when the persons of groups are on duty.
type schedulesCmd struct {
	List   schedulesList   `cmd:"" help:"Schedules, newest first."`
	Show   schedulesShow   `cmd:"" help:"One schedule."`
	Add    schedulesAdd    `cmd:"" help:"Add a schedule."`
	Change schedulesChange `cmd:"" help:"Change a schedule."`
	Remove schedulesRemove `cmd:"" help:"Remove a schedule that no group uses."`
}

type schedulesList struct {
	asking
	paging
	Search string `help:"Part of a name." short:"s"`
}

func (s *schedulesList) Run(ctx context.Context, c terminal) error {
	return s.list(ctx, c, s.paging, "/v1/schedules", query("q", s.Search), "id", "time_zone", "name")
}

type schedulesShow struct {
	asking
	one
}

func (s *schedulesShow) Run(ctx context.Context, c terminal) error {
	return s.get(ctx, c, idPath("/v1/schedules/%s", s.ID), nil)
}

// scheduleFields are what a schedule may be given.
type scheduleFields struct {
	Zone     *string `help:"Its IANA time zone."`
	Hours    string  `help:"The week as JSON, @FILE, or - for standard input." placeholder:"JSON"`
	Calendar *string `help:"Id of a connection of the role calendar, which then decides alone; empty = none."`
}

func (s *scheduleFields) body(name *string) (map[string]any, error) {
	body := fields("name", name, "time_zone", s.Zone, "calendar", s.Calendar)
	week, err := settings("hours", s.Hours)
	if week != nil {
		body["weekly"] = week
	}
	return body, err
}

type schedulesAdd struct {
	asking
	Name string `required:"" help:"What people call it."`
	scheduleFields
}

func (s *schedulesAdd) Run(ctx context.Context, c terminal) error {
	body, err := s.body(&s.Name)
	if err != nil {
		return err
	}
	return s.ask(ctx, c, http.MethodPost, "/v1/schedules", nil, body)
}

type schedulesChange struct {
	asking
	one
	Name *string `help:"What people call it."`
	scheduleFields
}

func (s *schedulesChange) Run(ctx context.Context, c terminal) error {
	body, err := s.body(s.Name)
	if err != nil {
		return err
	}
	return s.ask(ctx, c, http.MethodPatch, idPath("/v1/schedules/%s", s.ID), nil, body)
}

type schedulesRemove struct {
	asking
	one
}

func (s *schedulesRemove) Run(ctx context.Context, c terminal) error {
	return s.ask(ctx, c, http.MethodDelete, idPath("/v1/schedules/%s", s.ID), nil, nil)
}

// consentsCmd records consents of persons to be called.
type consentsCmd struct {
	List     consentsList     `cmd:"" help:"Consents, newest first."`
	Show     consentsShow     `cmd:"" help:"One consent."`
	Add      consentsAdd      `cmd:"" help:"Record a consent."`
	Withdraw consentsWithdraw `cmd:"" help:"Withdraw a consent. It stays on record."`
}

type consentsList struct {
	asking
	paging
	Search string `help:"Part of a person's reference." short:"s"`
}

func (s *consentsList) Run(ctx context.Context, c terminal) error {
	return s.list(ctx, c, s.paging, "/v1/consents", query("q", s.Search), "id", "person", "given_at", "withdrawn_at", "evidence")
}

type consentsShow struct {
	asking
	one
}

func (s *consentsShow) Run(ctx context.Context, c terminal) error {
	return s.get(ctx, c, idPath("/v1/consents/%s", s.ID), nil)
}

type consentsAdd struct {
	asking
	Person   string  `required:"" help:"Who agreed."`
	Evidence string  `required:"" help:"Where the consent can be found."`
	GivenAt  *string `help:"When, such as 2026-11-27T22:00:00Z; default now." placeholder:"TIME"`
}

func (s *consentsAdd) Run(ctx context.Context, c terminal) error {
	return s.ask(ctx, c, http.MethodPost, "/v1/consents", nil, fields("person", &s.Person, "evidence", &s.Evidence, "given_at", s.GivenAt))
}

type consentsWithdraw struct {
	asking
	one
}

func (s *consentsWithdraw) Run(ctx context.Context, c terminal) error {
	return s.ask(ctx, c, http.MethodDelete, idPath("/v1/consents/%s", s.ID), nil, nil)
}
