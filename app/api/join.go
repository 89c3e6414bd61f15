package api

import (
	"context"
	"encoding/base64"
	"net"
	"net/http"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/agents"
	"carillon/app/agents/dialect"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
)

// Joining lets agents that connect to us join the calls of rings. switchboard.Joining does.
// Refusals are *tenants.Error: Unauthorized for a token that is unknown, used or expired, Unknown
// for the token of another ring, Gone when the ring has ended.
type Joining interface {
	Join(ctx context.Context, c switchboard.Caller, ring tenants.RingID) (switchboard.Joined, error)
	Offer(ctx context.Context, token tenants.Secret, ring tenants.RingID, sdp string) (gateway.Answer, error)
	Trickle(ctx context.Context, token tenants.Secret, ring tenants.RingID, ifMatch, fragment string) (gateway.Trickled, error)
	Leave(ctx context.Context, token tenants.Secret, ring tenants.RingID) error
	Stream(ctx context.Context, ring tenants.RingID, u agents.Upgrade) (serve func(net.Conn), err error)
	HangUp(ctx context.Context, t tenants.TenantID, ring tenants.RingID, password string) (was bool, err error)
}

// joinHandlers serve agents that connect to us.
type joinHandlers struct{ *API }

// joinRoutes are for agents that connect to us.
func (a *API) joinRoutes() []Route {
	if a.Joining == nil {
		return nil
	}
	h := joinHandlers{a}
	return []Route{
		{Method: "POST", Path: "/v1/rings/:id/join", Needs: tenants.RingsWrite, key: h.joinRing},
		{Method: "POST", Path: "/v1/rings/:id/agent", open: anyOrigin(h.answerAgent)},
		{Method: "PATCH", Path: "/v1/rings/:id/agent", open: anyOrigin(h.trickleAgent)},
		{Method: "DELETE", Path: "/v1/rings/:id/agent", open: anyOrigin(h.hangUpAgent)},
		{Method: "OPTIONS", Path: "/v1/rings/:id/agent", open: anyOrigin(describeAgent)},
		{Method: "GET", Path: "/v1/rings/:id/stream", open: h.joinStream},
		{Method: "POST", Path: "/2010-04-01/Accounts/:account/Calls/:call", open: h.completeCall},
	}
}

// joined is the answer to POST /v1/rings/{id}/join.
type joined struct {
	Token     string `json:"token"`
	ExpiresAt string `json:"expires_at"`
	AgentURL  string `json:"agent_url"`
	StreamURL string `json:"stream_url"`
	Twilio    struct {
		BaseURL    string `json:"base_url"`
		AccountSID string `json:"account_sid"`
		CallSID    string `json:"call_sid"`
		AuthToken  string `json:"auth_token"`
	} `json:"twilio"`
}

// joinRing: POST /v1/rings/{id}/join.
func (a joinHandlers) joinRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	got, err := a.Joining.Join(ctx, k.Caller, id)
	if err != nil {
		return err
	}
	at := a.PublicURL + "/v1/rings/" + string(id)
	v := joined{
		Token: string(got.Token), ExpiresAt: stamp(got.Expires), AgentURL: at + "/agent",
		StreamURL: "ws" + strings.TrimPrefix(at, "http") + "/stream",
	}
	v.Twilio.BaseURL, v.Twilio.AuthToken = a.PublicURL, got.Password
	v.Twilio.AccountSID, v.Twilio.CallSID = dialect.TwilioIDs(string(k.Tenant.ID), string(id))
	c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
	return reply(c, fiber.StatusCreated, v)
}

// anyOrigin lets pages of any origin read the answers: the token is in a header that only they
// know, and no cookie counts here.
func anyOrigin(f func(context.Context, *fiber.Ctx) error) func(context.Context, *fiber.Ctx) error {
	return func(ctx context.Context, c *fiber.Ctx) error {
		h := &c.Response().Header
		h.Set(fiber.HeaderAccessControlAllowOrigin, "*")
		h.Set(fiber.HeaderAccessControlExposeHeaders, "Location, ETag, Link, Accept-Patch")
		return f(ctx, c)
	}
}

// describeAgent: OPTIONS /v1/rings/{id}/agent (RFC 9725 4.2).
func describeAgent(_ context.Context, c *fiber.Ctx) error {
	h := &c.Response().Header
	h.Set(fiber.HeaderAccessControlAllowMethods, "POST, PATCH, DELETE, OPTIONS")
	h.Set(fiber.HeaderAccessControlAllowHeaders, "Authorization, Content-Type, If-Match")
	h.Set("Accept-Post", typeSDP)
	h.Set("Accept-Patch", typeFragment)
	c.Status(fiber.StatusOK)
	return nil
}

// joining returns the ring and the join token of a request.
func joining(c *fiber.Ctx) (tenants.RingID, tenants.Secret, error) {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return "", "", err
	}
	secret, err := bearer(c, "the join token")
	if err != nil {
		return "", "", err
	}
	return id, tenants.Secret(secret), nil
}

// answerAgent: POST /v1/rings/{id}/agent.
func (a joinHandlers) answerAgent(ctx context.Context, c *fiber.Ctx) error {
	id, token, err := joining(c)
	if err != nil {
		return err
	}
	offer, err := textBody(c, typeSDP)
	if err != nil {
		return err
	}
	answer, err := a.Joining.Offer(ctx, token, id, offer)
	if err != nil {
		return err
	}
	return replyAnswer(c, "/v1/rings/"+string(id)+"/agent", answer)
}

// trickleAgent: PATCH /v1/rings/{id}/agent.
func (a joinHandlers) trickleAgent(ctx context.Context, c *fiber.Ctx) error {
	id, token, err := joining(c)
	if err != nil {
		return err
	}
	return trickled(c, func(match, fragment string) (gateway.Trickled, error) {
		return a.Joining.Trickle(ctx, token, id, match, fragment)
	})
}

// hangUpAgent: DELETE /v1/rings/{id}/agent.
func (a joinHandlers) hangUpAgent(ctx context.Context, c *fiber.Ctx) error {
	id, token, err := joining(c)
	if err != nil {
		return err
	}
	if err := a.Joining.Leave(ctx, token, id); err != nil {
		return err
	}
	c.Status(fiber.StatusOK)
	return nil
}

// joinStream: GET /v1/rings/{id}/stream, a WebSocket.
func (a joinHandlers) joinStream(ctx context.Context, c *fiber.Ctx) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	u := agents.Upgrade{Host: string(c.Context().Host()), Header: http.Header{}}
	for name, value := range c.Request().Header.All() {
		u.Header.Add(string(name), string(value))
	}
	if u.Token() == "" {
		return tenants.Refuse(tenants.Unauthorized, "unauthorized", "Send the join token as Authorization: Bearer, "+
			`or from a browser as new WebSocket(url, ["bearer", token]).`)
	}
	serve, err := a.Joining.Stream(ctx, id, u)
	if err != nil {
		return err
	}
	c.Context().HijackSetNoResponse(true)
	c.Context().Hijack(func(conn net.Conn) { // on a goroutine of its own, which the edge does not guard
		if err := web.Recovered(func() error { serve(conn); return nil }); err != nil {
			a.Log.Error("an agent's connection failed", "ring", id, "error", err)
		}
	})
	return nil
}

// twilioFault is an error in the manner of Twilio's REST interface.
type twilioFault struct {
	Code     int    `json:"code"`
	Message  string `json:"message"`
	MoreInfo string `json:"more_info"`
	Status   int    `json:"status"`
}

func replyTwilio(c *fiber.Ctx, status, code int, message string) error {
	return reply(c, status, twilioFault{code, message, "https://www.twilio.com/docs/errors/" + strconv.Itoa(code), status})
}

// twilioCall is what we answer of a call that a bot has ended.
type twilioCall struct {
	SID        string `json:"sid"`
	AccountSID string `json:"account_sid"`
	Status     string `json:"status"`
	URI        string `json:"uri"`
}

// completeCall: POST /2010-04-01/Accounts/{account}/Calls/{call}.json, the part of Twilio's REST
// interface with which bots end calls. The password is that of the one call.
func (a joinHandlers) completeCall(ctx context.Context, c *fiber.Ctx) error {
	account, call := web.Param(c, "account"), strings.TrimSuffix(web.Param(c, "call"), ".json")
	t, okT := twilioID[tenants.TenantID](account, "AC")
	ring, okR := twilioID[tenants.RingID](call, "CA")
	user, password := basic(web.Header(c, fiber.HeaderAuthorization))
	if !okT || !okR || user != account {
		c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Basic realm="Carillon"`)
		return replyTwilio(c, fiber.StatusUnauthorized, 20003, "Authenticate with the account and the call's own token.")
	}
	if status := string(c.Request().PostArgs().Peek("Status")); status != "completed" {
		return replyTwilio(c, fiber.StatusBadRequest, 20001, `Only Status=completed is understood here: it ends the call.`)
	}
	was, err := a.Joining.HangUp(ctx, t, ring, password)
	switch {
	case tenants.KindOf(err) == tenants.Unauthorized:
		c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Basic realm="Carillon"`)
		return replyTwilio(c, fiber.StatusUnauthorized, 20003, "Authenticate with the account and the call's own token.")
	case err != nil:
		return err
	case !was:
		return replyTwilio(c, fiber.StatusNotFound, 20404, "The call has ended.")
	}
	return reply(c, fiber.StatusOK, twilioCall{
		SID: call, AccountSID: account, Status: "completed", URI: "/2010-04-01/Accounts/" + account + "/Calls/" + call + ".json",
	})
}

// twilioID reads an id of dialect.TwilioIDs.
func twilioID[T ~string](s, prefix string) (T, bool) {
	hex, ok := strings.CutPrefix(s, prefix)
	if !ok || len(hex) != 32 {
		return "", false
	}
	return tenants.ParseID[T](hex[:8] + "-" + hex[8:12] + "-" + hex[12:16] + "-" + hex[16:20] + "-" + hex[20:])
}

// basic reads Authorization: Basic (RFC 7617 2).
func basic(header string) (user, password string) {
	scheme, text, _ := strings.Cut(header, " ")
	if !strings.EqualFold(scheme, "Basic") {
		return "", ""
	}
	b, err := base64.StdEncoding.DecodeString(strings.TrimSpace(text))
	if err != nil {
		return "", ""
	}
	user, password, _ = strings.Cut(string(b), ":")
	return user, password
}
