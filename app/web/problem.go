package web

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// verdict is how a refusal is answered in HTTP.
type verdict struct {
	status int
	code   string // used when the error has none of its own
	title  string
}

// verdicts is the one map from our kinds to HTTP.
var verdicts = map[tenants.Kind]verdict{
	tenants.Internal:      {500, "internal", "Internal error"},
	tenants.Invalid:       {400, "invalid", "Invalid request"},
	tenants.Unauthorized:  {401, "unauthorized", "Not signed in"},
	tenants.Unpaid:        {402, "unpaid", "Not in the plan"},
	tenants.Forbidden:     {403, "forbidden", "Not allowed"},
	tenants.Unknown:       {404, "not_found", "Not found"},
	tenants.Conflict:      {409, "conflict", "Conflict"},
	tenants.Gone:          {410, "gone", "Gone"},
	tenants.Stale:         {412, "stale", "Changed meanwhile"},
	tenants.TooLarge:      {413, "too_large", "Too large"},
	tenants.Unsupported:   {415, "unsupported", "Unsupported media type"},
	tenants.Unprocessable: {422, "unprocessable", "Cannot be done"},
	tenants.Unmatched:     {428, "if_match_required", "If-Match required"},
	tenants.TooMany:       {429, "too_many", "Too many requests"},
	tenants.Unavailable:   {503, "unavailable", "Not available right now"},
}

// refusals replace the texts of Fiber and its server, which may quote the request or a cause.
var refusals = map[int]struct {
	verdict
	detail string
}{
	400: {verdicts[tenants.Invalid], "The request could not be read."},
	404: {verdicts[tenants.Unknown], "There is nothing at this address."},
	405: {verdict{405, "method_not_allowed", "Method not allowed"},
		"This address does not take that method; Allow lists the ones it takes."},
	408: {verdict{408, "timeout", "Too slow"}, "The request took too long to arrive."},
	413: {verdicts[tenants.TooLarge], "The body is larger than this address takes."},
	431: {verdict{431, "headers_too_large", "Headers too large"},
		"The request's headers are larger than this server reads (16 KiB). " +
			"In a browser, delete the cookies of this site and try again. In a program, send fewer or shorter headers."},
}

const (
	internalDetail = "Something failed on our side. It is logged under the request id. Please quote this id when you ask us about it."
	timeoutDetail  = "This took too long on our side. Please try again."
)

// problem is an error document (RFC 9457, 3.1).
type problem struct {
	Type      string  `json:"type"`
	Title     string  `json:"title"`
	Status    int     `json:"status"`
	Detail    string  `json:"detail"`
	RequestID string  `json:"request_id"`
	Errors    []field `json:"errors,omitempty"`
}

type field struct {
	Field   string `json:"field"`
	Message string `json:"message"`
}

// Problem answers any error as a problem document. It logs nothing; the edge logs the errors that
// handlers return.
func Problem(c *fiber.Ctx, err error) error {
	p, after := describe(err)
	if v, ok := visitOf(c); ok {
		p.RequestID, p.Type = v.id, v.edge.PublicURL+p.Type
	}
	return send(c, p, after)
}

// fail answers an error or a panic of a handler, and logs it once if it is our fault.
func (e *edge) fail(c *fiber.Ctx, err error) error {
	program := isAPI(c) || isHealth(c.Path())
	v, ok := visitOf(c)
	if !ok { // the server refused it before the first handler: body too large, request cut off
		v = &visit{edge: e, id: tenants.NewRandomID()}
		c.Response().Header.Set("X-Request-Id", v.id)
		c.Response().Header.Set(fiber.HeaderCacheControl, "no-store")
		c.Response().Header.Set(fiber.HeaderXContentTypeOptions, "nosniff")
		if k, ok := c.Context().Conn().(*conn); ok {
			k.unread.Store(true)
		}
		program = program || addressless(c)
	}
	p, after := describe(err)
	p.RequestID, p.Type = v.id, e.PublicURL+p.Type
	if p.Status >= 500 {
		e.Log.LogAttrs(context.Background(), slog.LevelError, "request failed",
			slog.String("method", c.Method()), slog.String("route", pattern(c)), slog.Int("status", p.Status),
			slog.String("request_id", v.id), slog.String("err", err.Error()))
	}
	if e.ErrorPage != nil && !program {
		if err := e.page(c, p); err == nil {
			retryAfter(c, after)
			return nil
		}
	}
	return send(c, p, after)
}

// addressless reports whether the server rejected the request before its path was known. Browsers
// send no such requests, so the answer is for a program.
func addressless(c *fiber.Ctx) bool {
	h := &c.Request().Header
	return string(h.RequestURI()) == "/" && len(h.Host()) == 0
}

// page renders the error page. If that fails too, the problem document is sent.
func (e *edge) page(c *fiber.Ctx, p problem) error {
	c.Status(p.Status)
	err := Recovered(func() error { return e.ErrorPage(c, p.Status, p.Title, p.Detail, p.RequestID) })
	if err != nil {
		e.Log.LogAttrs(context.Background(), slog.LevelError, "error page failed",
			slog.String("request_id", p.RequestID), slog.String("err", err.Error()))
	}
	return err
}

func send(c *fiber.Ctx, p problem, after time.Duration) error {
	body, err := json.Marshal(p)
	if err != nil {
		return err // strings and an int always marshal
	}
	c.Response().ResetBody() // drop what the handler has written
	c.Status(p.Status)
	c.Response().Header.SetContentType("application/problem+json")
	retryAfter(c, after)
	if p.Status == fiber.StatusUnauthorized {
		c.Response().Header.Set(fiber.HeaderWWWAuthenticate, `Bearer realm="carillon"`)
	}
	c.Response().SetBodyRaw(body)
	return nil
}

func retryAfter(c *fiber.Ctx, d time.Duration) {
	if d > 0 {
		c.Response().Header.Set(fiber.HeaderRetryAfter, strconv.Itoa(wholeSeconds(d)))
	}
}

func wholeSeconds(d time.Duration) int { return max(1, int(math.Ceil(d.Seconds()))) }

// Status returns the HTTP status for a request that ended with err, and the problem's code: the
// last part of its type, empty when err is nil.
func Status(c *fiber.Ctx, err error) (status int, code string) {
	if err == nil {
		return c.Response().StatusCode(), ""
	}
	p, _ := describe(err)
	return p.Status, strings.TrimPrefix(p.Type, problemType)
}

// Refusal is an error as a program may see it, for a protocol that carries it in its own messages.
// Its type, title and detail are those of the problem document of the same error.
type Refusal struct {
	Type       string  `json:"type"`
	Title      string  `json:"title"`
	Detail     string  `json:"detail"`
	Errors     []Fault `json:"errors,omitempty"`
	RetryAfter int     `json:"retry_after_s,omitempty"` // seconds
	RequestID  string  `json:"request_id"`
	Ours       bool    `json:"-"` // the fault is the server's: log the error
}

// Fault is one wrong field.
type Fault = field

// Refused describes err to the sender of request id. publicURL is the server's address: types lead
// to its documentation.
func Refused(err error, publicURL, id string) Refusal {
	p, after := describe(err)
	r := Refusal{Type: publicURL + p.Type, Title: p.Title, Detail: p.Detail, Errors: p.Errors, RequestID: id, Ours: p.Status >= 500}
	if after > 0 {
		r.RetryAfter = wholeSeconds(after)
	}
	return r
}

// problemType, after the public address, is the prefix of every problem's type: each type leads to
// its section of the documentation (RFC 9457, 3.1.1).
const problemType = "/docs/errors#"

// describe turns any error into a problem that is safe to show, and how long to wait before trying
// again.
func describe(err error) (problem, time.Duration) {
	var ours *tenants.Error
	var theirs *fiber.Error
	switch {
	case errors.As(err, &ours) && ours.Kind != tenants.Internal:
		return refusal(ours)
	case ours == nil && errors.As(err, &theirs):
		if r, ok := refusals[theirs.Code]; ok {
			return r.problem(r.detail), 0
		}
		// 502: the client's connection broke
		if theirs.Code >= 400 && theirs.Code < 500 || theirs.Code == fiber.StatusBadGateway {
			return verdicts[tenants.Invalid].problem(refusals[400].detail), 0
		}
	case errors.Is(err, context.DeadlineExceeded):
		return verdicts[tenants.Unavailable].problem(timeoutDetail), time.Second
	}
	return verdicts[tenants.Internal].problem(internalDetail), 0
}

func refusal(e *tenants.Error) (problem, time.Duration) {
	v, ok := verdicts[e.Kind]
	if !ok {
		return verdicts[tenants.Internal].problem(internalDetail), 0
	}
	if e.Code != "" {
		v.code = e.Code
	}
	p := v.problem(e.Msg)
	for _, f := range e.Fields {
		p.Errors = append(p.Errors, field{f.Name, f.Message})
	}
	after := e.RetryAfter
	if after == 0 && (e.Kind == tenants.TooMany || e.Kind == tenants.Unavailable) {
		after = time.Second
	}
	return p, after
}

func (v verdict) problem(detail string) problem {
	return problem{Type: problemType + v.code, Title: v.title, Status: v.status, Detail: detail}
}
