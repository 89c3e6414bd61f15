package api

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Events sends an event to a connection at once. *connections.Engine does.
type Events interface {
	Try(ctx context.Context, s *store.Scope, id tenants.ConnectionID, kind tenants.EventKind) (tenants.DeliveryAttempt, error)
}

// connectionSettings are those of one role. Settings that are given replace the stored ones.
type connectionSettings struct {
	Lookup     *tenants.LookupSettings     `json:"lookup,omitempty"`
	Calendar   *tenants.CalendarSettings   `json:"calendar,omitempty"`
	SMS        *tenants.SMSSettings        `json:"sms,omitempty"`
	Audit      *tenants.AuditSettings      `json:"audit,omitempty"`
	Transcript *tenants.TranscriptSettings `json:"transcript,omitempty"`
}

func (s connectionSettings) apply(c *tenants.Connection) {
	if s.Lookup != nil {
		c.Lookup = s.Lookup
	}
	if s.Calendar != nil {
		c.Calendar = s.Calendar
	}
	if s.SMS != nil {
		c.SMS = s.SMS
	}
	if s.Audit != nil {
		c.Audit = s.Audit
	}
	if s.Transcript != nil {
		c.Transcript = s.Transcript
	}
}

type connectionRequest struct {
	Name    string              `json:"name"`
	Role    string              `json:"role"`
	URL     string              `json:"url"`
	Events  []tenants.EventKind `json:"events"`
	Headers map[string]string   `json:"headers"`
	Token   *string             `json:"token"`
	connectionSettings
}

// connectionChange is the body of PATCH /v1/connections/{id}: omitted fields stay.
type connectionChange struct {
	Name    *string              `json:"name"`
	URL     *string              `json:"url"`
	Events  *[]tenants.EventKind `json:"events"`
	Headers *map[string]string   `json:"headers"`
	Token   *string              `json:"token"`
	State   *string              `json:"state"`
	connectionSettings
}

type connection struct {
	ID       string   `json:"id"`
	Name     string   `json:"name"`
	Role     string   `json:"role"`
	URL      string   `json:"url"`
	Events   []string `json:"events"`
	Headers  []string `json:"headers"`
	HasToken bool     `json:"has_token"`
	connectionSettings
	State           string             `json:"state"`
	CreatedAt       string             `json:"created_at"`
	FailingSince    *string            `json:"failing_since"`
	DisabledAt      *string            `json:"disabled_at"`
	LastDeliveredAt *string            `json:"last_delivered_at"`
	OldSecretUntil  *string            `json:"old_secret_until"`
	Secret          string             `json:"secret,omitempty"`  // only in the answer that makes it
	Figures         *connectionFigures `json:"figures,omitempty"` // only of one connection
}

type connectionFigures struct {
	Attempts        int64    `json:"attempts"`
	Failed          int64    `json:"failed"`
	P50             *float64 `json:"p50_ms"`
	P95             *float64 `json:"p95_ms"`
	Waiting         int64    `json:"waiting"`
	OldestWaitingAt *string  `json:"oldest_waiting_at"`
}

type deliveryAttempt struct {
	Event     string  `json:"event"`
	Type      string  `json:"type"`
	At        string  `json:"at"`
	Took      float64 `json:"took_ms"`
	Delivered bool    `json:"delivered"`
	Status    *int    `json:"status"`
	Error     *string `json:"error"`
	Request   struct {
		Headers map[string]string `json:"headers"`
		Body    string            `json:"body"`
	} `json:"request"`
	Answer string `json:"answer"`
}

func (a connectionAPI) connectionOf(c tenants.Connection) connection {
	shown := connection{
		ID: string(c.ID), Name: c.Name, Role: string(c.Role), URL: c.URL, Events: []string{},
		Headers:  slices.Sorted(maps.Keys(c.Headers)),
		HasToken: c.HasToken, connectionSettings: connectionSettings{c.Lookup, c.Calendar, c.SMS, c.Audit, c.Transcript},
		State: string(c.State), CreatedAt: stamp(c.CreatedAt), FailingSince: optStamp(c.FailingSince), DisabledAt: optStamp(c.DisabledAt),
		LastDeliveredAt: optStamp(c.LastDelivered),
	}
	if c.OldSecretEnds.After(a.Now()) {
		shown.OldSecretUntil = optStamp(c.OldSecretEnds)
	}
	if shown.Headers == nil {
		shown.Headers = []string{}
	}
	for _, e := range c.Events {
		shown.Events = append(shown.Events, string(e))
	}
	return shown
}

func attemptOf(a tenants.DeliveryAttempt) deliveryAttempt {
	shown := deliveryAttempt{Event: a.Event, Type: string(a.Kind), At: stamp(a.At), Took: millis(a.Took), Delivered: a.Good,
		Error: opt(a.Error), Answer: a.Answer}
	if a.Status != 0 {
		shown.Status = &a.Status
	}
	shown.Request.Headers, shown.Request.Body = a.Sent, string(a.Body)
	if shown.Request.Headers == nil {
		shown.Request.Headers = map[string]string{}
	}
	return shown
}

// checkConnection refuses a connection that breaks a rule, or whose address we do not connect to.
func (a connectionAPI) checkConnection(ctx context.Context, k caller, c tenants.Connection) error {
	if err := c.Check(); err != nil {
		return err
	}
	return connections.NoteRefused(ctx, k.scope, connections.OfConnection, a.CheckConnection(c))
}

// connectionAPI is the part of the API that is about connections.
type connectionAPI struct{ *API }

// addConnection: POST /v1/connections.
func (a connectionAPI) addConnection(ctx context.Context, c *fiber.Ctx, k caller) error {
	var body connectionRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	now := a.Now()
	made := tenants.Connection{
		ID: tenants.NewID[tenants.ConnectionID](now), Tenant: k.Tenant.ID, Name: body.Name, Role: tenants.ConnectionRole(body.Role),
		URL: body.URL, Events: body.Events, Headers: body.Headers, Token: body.Token, CreatedAt: now,
	}
	body.apply(&made)
	made = made.Clean()
	if err := a.checkConnection(ctx, k, made); err != nil {
		return err
	}
	secret, err := k.scope.Connections().Add(ctx, made)
	if err != nil {
		return err
	}
	made.HasToken = made.Token != nil && *made.Token != ""
	c.Response().Header.Set(fiber.HeaderLocation, "/v1/connections/"+string(made.ID))
	shown := a.connectionOf(made)
	shown.Secret = string(secret)
	return reply(c, fiber.StatusCreated, shown)
}

// listConnections: GET /v1/connections.
func (a connectionAPI) listConnections(ctx context.Context, c *fiber.Ctx, k caller) error {
	q, err := page(c)
	if err != nil {
		return err
	}
	rows, next, err := k.scope.Connections().List(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, a.connectionOf))
}

// figuresOver is the time that the figures of a connection are of.
const figuresOver = 24 * time.Hour

// showConnection: GET /v1/connections/{id}.
func (a connectionAPI) showConnection(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	found, err := k.scope.Connections().Get(ctx, id)
	if err != nil {
		return err
	}
	f, err := k.scope.Deliveries().Figures(ctx, id, a.Now().Add(-figuresOver))
	if err != nil {
		return err
	}
	shown := a.connectionOf(found)
	shown.Figures = &connectionFigures{Attempts: f.Attempts, Failed: f.Failed, Waiting: f.Waiting,
		OldestWaitingAt: optStamp(f.OldestWaiting)}
	if f.P50 > 0 {
		p50, p95 := millis(f.P50), millis(f.P95)
		shown.Figures.P50, shown.Figures.P95 = &p50, &p95
	}
	return reply(c, fiber.StatusOK, shown)
}

// changeConnection: PATCH /v1/connections/{id}.
func (a connectionAPI) changeConnection(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	var body connectionChange
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	found, err := k.scope.Connections().Get(ctx, id)
	if err != nil {
		return err
	}
	if err := changeState(&found, body.State); err != nil {
		return err
	}
	label(&found.Name, body.Name)
	set(&found.URL, body.URL)
	set(&found.Events, body.Events)
	set(&found.Headers, body.Headers)
	found.Token = body.Token
	body.apply(&found)
	found = found.Clean()
	if err := a.checkConnection(ctx, k, found); err != nil {
		return err
	}
	if err := k.scope.Connections().Change(ctx, found); err != nil {
		return err
	}
	if found, err = k.scope.Connections().Get(ctx, id); err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, a.connectionOf(found))
}

// changeState makes a connection active or paused; nil leaves it as it is.
func changeState(c *tenants.Connection, to *string) error {
	if to == nil {
		return nil
	}
	c.State = tenants.ConnectionState(*to)
	if c.State == tenants.ConnectionActive || c.State == tenants.ConnectionPaused {
		return nil
	}
	return invalid([]tenants.Field{{Name: "state", Message: "active or paused"}}, "Please correct the fields below.")
}

// removeConnection: DELETE /v1/connections/{id}.
func (a connectionAPI) removeConnection(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	if err := k.scope.Connections().Remove(ctx, id); err != nil {
		return err
	}
	return c.SendStatus(fiber.StatusNoContent)
}

// listAttempts: GET /v1/connections/{id}/attempts.
func (a connectionAPI) listAttempts(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	f := &filter{c: c}
	q := store.AttemptQuery{Connection: id, Event: f.text("event"), Limit: f.limit(), After: f.cursor()}
	switch f.text("failed") {
	case "", "false":
	case "true":
		q.Failed = true
	default:
		f.fault("failed", "true or false")
	}
	if err := f.err(); err != nil {
		return err
	}
	if _, err := k.scope.Connections().Get(ctx, id); err != nil {
		return err
	}
	rows, next, err := k.scope.Deliveries().Attempts(ctx, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, listOf(rows, next, attemptOf))
}

// replayRequest names one event, or a span of time.
type replayRequest struct {
	Event  string     `json:"event"`
	From   *time.Time `json:"from"`
	To     *time.Time `json:"to"`
	Failed bool       `json:"failed"`
}

// replay: POST /v1/connections/{id}/replay.
func (a connectionAPI) replay(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	var body replayRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	if (body.Event == "") == (body.From == nil) {
		return invalid([]tenants.Field{{Name: "event", Message: "give either an event, or from"}}, "Please correct the fields below.")
	}
	q := store.Replay{Event: body.Event, Failed: body.Failed}
	set(&q.From, body.From)
	set(&q.To, body.To)
	n, err := k.scope.Deliveries().Replay(ctx, id, q)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusAccepted, struct {
		Count int64 `json:"count"`
	}{n})
}

// rotateSecret: POST /v1/connections/{id}/secret.
func (a connectionAPI) rotateSecret(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	secret, until, err := k.scope.Connections().RotateSecret(ctx, id)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, struct {
		Secret         string `json:"secret"`
		OldSecretUntil string `json:"old_secret_until"`
	}{string(secret), stamp(until)})
}

// tryConnection: POST /v1/connections/{id}/test.
func (a connectionAPI) tryConnection(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return err
	}
	var body struct {
		Event tenants.EventKind `json:"event"`
	}
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	tried, err := a.Events.Try(ctx, k.scope, id, body.Event)
	if err != nil {
		return err
	}
	return reply(c, fiber.StatusOK, attemptOf(tried))
}
