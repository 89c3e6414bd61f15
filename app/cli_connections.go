package app

import (
	"context"
	"errors"
	"net/http"
)

// connectionsCmd keeps the connections of a tenant: its own systems, to which events are sent.
type connectionsCmd struct {
	List     connectionsList     `cmd:"" help:"Connections, newest first."`
	Show     connectionsShow     `cmd:"" help:"One connection, with figures of the last 24 hours."`
	Add      connectionsAdd      `cmd:"" help:"Add a connection. Prints its signing secret once."`
	Change   connectionsChange   `cmd:"" help:"Change, pause or resume a connection."`
	Attempts connectionsAttempts `cmd:"" help:"Requests to a connection, newest first."`
	Replay   connectionsReplay   `cmd:"" help:"Send one event again, or those of a span of time."`
	Rotate   connectionsRotate   `cmd:"" help:"Make a new signing secret. The old one signs too for 24 hours."`
	Test     connectionsTest     `cmd:"" help:"Send an event now and show the answer."`
	Remove   connectionsRemove   `cmd:"" help:"Remove a connection."`
}

type connectionsList struct {
	asking
	paging
	Search string `help:"Part of a name or an address." short:"s"`
}

func (a *connectionsList) Run(ctx context.Context, c terminal) error {
	return a.list(ctx, c, a.paging, "/v1/connections", query("q", a.Search), "id", "role", "state", "name")
}

type connectionsShow struct {
	asking
	one
}

func (a *connectionsShow) Run(ctx context.Context, c terminal) error {
	return a.get(ctx, c, idPath("/v1/connections/%s", a.ID), nil)
}

// connectionFields are what a connection may be given.
type connectionFields struct {
	Events   []string          `help:"Events to send; none = all that the role takes."`
	Headers  map[string]string `help:"Headers sent with each request, such as X-Api-Key=secret."`
	Token    *string           `help:"Password of the role."`
	Settings string            `help:"Settings of its role as JSON, @FILE, or - for standard input." placeholder:"JSON"`
}

func (a *connectionFields) body(role string) (map[string]any, error) {
	body := fields("events", a.Events, "token", a.Token)
	if len(a.Headers) > 0 {
		body["headers"] = a.Headers
	}
	s, err := settings("settings", a.Settings)
	if role == "crm" || role == "mls" {
		role = "lookup"
	}
	if s != nil {
		body[role] = s
	}
	return body, err
}

type connectionsAdd struct {
	asking
	Name string `required:"" help:"What people call it."`
	Role string `default:"webhook" help:"webhook, crm, mls, calendar, sms, audit or transcript."`
	To   string `required:"" help:"Its address: https://…" placeholder:"URL"`
	connectionFields
}

func (a *connectionsAdd) Run(ctx context.Context, c terminal) error {
	body, err := a.body(a.Role)
	if err != nil {
		return err
	}
	body["name"], body["role"], body["url"] = a.Name, a.Role, a.To
	return a.ask(ctx, c, http.MethodPost, "/v1/connections", nil, body)
}

type connectionsChange struct {
	asking
	one
	Name  *string `help:"What people call it."`
	To    *string `help:"Its address." placeholder:"URL"`
	State *string `help:"active or paused."`
	Role  string  `help:"Its role. --settings need it."`
	connectionFields
}

// errRole refuses settings of no role.
var errRole = errors.New("--settings need --role, which says what they are for")

// Validate refuses settings of no role.
func (a *connectionsChange) Validate() error {
	if a.Settings != "" && a.Role == "" {
		return errRole
	}
	return a.asking.Validate()
}

func (a *connectionsChange) Run(ctx context.Context, c terminal) error {
	body, err := a.body(a.Role)
	if err != nil {
		return err
	}
	for name, value := range fields("name", a.Name, "url", a.To, "state", a.State) {
		body[name] = value
	}
	return a.ask(ctx, c, http.MethodPatch, idPath("/v1/connections/%s", a.ID), nil, body)
}

type connectionsAttempts struct {
	asking
	paging
	one
	Event  string `help:"Only those of one event."`
	Failed bool   `help:"Only those that failed."`
}

func (a *connectionsAttempts) Run(ctx context.Context, c terminal) error {
	failed := ""
	if a.Failed {
		failed = "true"
	}
	return a.list(ctx, c, a.paging, idPath("/v1/connections/%s/attempts", a.ID), query("event", a.Event, "failed", failed),
		"at", "type", "status", "error")
}

type connectionsReplay struct {
	asking
	one
	Event  *string `help:"One event."`
	From   *string `help:"What happened from then on, such as 2026-11-01T08:00:00Z."`
	To     *string `help:"What happened before then."`
	Failed bool    `help:"Only what was not delivered."`
}

func (a *connectionsReplay) Run(ctx context.Context, c terminal) error {
	body := fields("event", a.Event, "from", a.From, "to", a.To)
	if a.Failed {
		body["failed"] = true
	}
	return a.ask(ctx, c, http.MethodPost, idPath("/v1/connections/%s/replay", a.ID), nil, body)
}

type connectionsRotate struct {
	asking
	one
}

func (a *connectionsRotate) Run(ctx context.Context, c terminal) error {
	return a.ask(ctx, c, http.MethodPost, idPath("/v1/connections/%s/secret", a.ID), nil, nil)
}

type connectionsTest struct {
	asking
	one
	Event *string `help:"Which event, such as ring.ended."`
}

func (a *connectionsTest) Run(ctx context.Context, c terminal) error {
	return a.ask(ctx, c, http.MethodPost, idPath("/v1/connections/%s/test", a.ID), nil, fields("event", a.Event))
}

type connectionsRemove struct {
	asking
	one
}

func (a *connectionsRemove) Run(ctx context.Context, c terminal) error {
	return a.ask(ctx, c, http.MethodDelete, idPath("/v1/connections/%s", a.ID), nil, nil)
}
