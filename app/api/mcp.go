package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/modelcontextprotocol/go-sdk/mcp"

	"carillon/app/web"
	"carillon/tenants"
)

// PathMCP is the address of the Model Context Protocol.
const PathMCP = "/mcp"

// mostWait is how long get_ring waits at most. A client and a proxy usually give up after 30 to 60
// seconds.
const mostWait = 25 * time.Second

// mcpServer speaks the Model Context Protocol (2025-03-26 to 2026-07-28, streamable HTTP) without
// sessions: each POST is a conversation of its own, so any node answers any of them. The SDK reads
// the protocol; a tool is checked and done here, with the same code as /v1.
type mcpServer struct {
	api     *API
	tools   map[string]tool
	handler http.Handler
}

// conversation is one POST to /mcp. The SDK runs tools on a goroutine of its own, which finds it in
// its context; the request waits for it.
type conversation struct {
	caller
	ctx      context.Context // ends when the client has left or the answer takes too long
	mayWrite func() error    // takes a turn for one change; see web.MayWrite

	// get_ring is asked twice. The first time it does not wait, and sets waits if it could.
	patient bool
	waits   bool
	state   tenants.State // of the ring when it began to wait
	refused error         // why it may not wait
}

type conversationKey struct{}

func newMCP(a *API) (*mcpServer, error) {
	m := &mcpServer{api: a}
	m.tools = m.list()
	words, err := describedTools()
	if err != nil {
		return nil, err
	}
	server := mcp.NewServer(&mcp.Implementation{Name: "carillon", Title: "Carillon", Version: "1", WebsiteURL: a.PublicURL},
		&mcp.ServerOptions{
			Instructions: mcpInstructions,
			Capabilities: &mcp.ServerCapabilities{Tools: &mcp.ToolCapabilities{}},
			SetCacheable: func(_ context.Context, _ mcp.Request, c *mcp.Cacheable) { c.TTLMs, c.CacheScope = 60_000, "private" },
		})
	for _, t := range words {
		server.AddTool(t, m.call(t.Name, m.tools[t.Name]))
	}
	server.AddReceivingMiddleware(m.onlyAllowed)
	m.handler = mcp.NewStreamableHTTPHandler(func(*http.Request) *mcp.Server { return server },
		&mcp.StreamableHTTPOptions{Stateless: true, JSONResponse: true, DisableLocalhostProtection: true, MaxRequestBodyBytes: web.MaxBody})
	return m, nil
}

// onlyAllowed leaves the tools out of tools/list that the key may not use.
func (m *mcpServer) onlyAllowed(next mcp.MethodHandler) mcp.MethodHandler {
	return func(ctx context.Context, method string, req mcp.Request) (mcp.Result, error) {
		result, err := next(ctx, method, req)
		list, ok := result.(*mcp.ListToolsResult)
		c, known := ctx.Value(conversationKey{}).(*conversation)
		if !ok || !known || err != nil {
			return result, err
		}
		may := *list
		may.Tools = []*mcp.Tool{}
		for _, t := range list.Tools {
			if c.key.May(m.tools[t.Name].needs) {
				may.Tools = append(may.Tools, t)
			}
		}
		return &may, nil
	}
}

// converse: POST /mcp.
func (m *mcpServer) converse(ctx context.Context, c *fiber.Ctx) (err error) {
	if err := m.api.sameOrigin(c); err != nil {
		return err
	}
	began := m.api.Now()
	k, err := m.api.caller(ctx, c, anyScope)
	if k.key.ID != "" {
		defer func() { m.api.note(c, k.key, fiber.MethodPost, PathMCP, began, err) }()
	}
	if err != nil {
		return err
	}
	body := bytes.Clone(c.Request().Body())
	if err := readable(body); err != nil {
		return err
	}
	header := mcpHeader(c)
	talk := &conversation{caller: k, ctx: ctx, mayWrite: func() error { return web.MayWrite(c, k.reader.Holder) }}
	answer, err := m.exchange(talk, header, body)
	if err != nil || !talk.waits {
		return answer.send(c, err)
	}
	wait := &conversation{caller: k, patient: true, state: talk.state, mayWrite: func() error { return errors.New("get_ring writes") }}
	err = web.Late(c, k.reader, mostWait+time.Second, func(ctx context.Context) []byte {
		wait.ctx = ctx
		late, err := m.exchange(wait, header, body)
		if err != nil { // the first exchange was answered: this one too
			m.api.Log.Error("late answer of /mcp", "err", err)
		}
		return late.body.Bytes()
	})
	if err == nil {
		return nil
	}
	talk.refused = err
	answer, err = m.exchange(talk, header, body)
	return answer.send(c, err)
}

// readable refuses what the SDK would take and we do not: a batch would do many things at once
// behind one deadline, and a subscription would be a stream of changes that never come.
func readable(body []byte) error {
	if len(body) > web.MaxBody {
		return tenants.Refuse(tenants.TooLarge, "too_large", "The message is larger than %d KiB. Send less in one call.", web.MaxBody>>10)
	}
	if text := bytes.TrimLeft(body, " \t\r\n"); len(text) > 0 && text[0] == '[' {
		return tenants.Refuse(tenants.Invalid, "mcp_batch", "Batches are not supported. Send each message in a request of its own.")
	}
	var m struct {
		Method string `json:"method"`
	}
	if json.Unmarshal(body, &m) == nil && m.Method == "subscriptions/listen" {
		return tenants.Refuse(tenants.Unknown, "mcp_method",
			"This server has no subscriptions: its tools do not change. Call get_ring with wait_s to wait for a ring.")
	}
	return nil
}

// sameOrigin refuses the pages of other sites (DNS rebinding; MCP 2025-11-25, transports, security
// warning). Programs that are no browsers send no Origin.
func (a *API) sameOrigin(c *fiber.Ctx) error {
	origin, given, err := web.OneHeader(c, fiber.HeaderOrigin)
	if err != nil || !given {
		return err
	}
	u, err := url.Parse(origin)
	if err != nil || !strings.EqualFold(u.Scheme+"://"+u.Host, a.PublicURL) {
		return tenants.Refuse(tenants.Forbidden, "foreign_origin",
			"A page of another site may not call this address. Call it from a program, without an Origin header.")
	}
	return nil
}

// mcpHeader is what the SDK reads of a request's header. It wants both media types in Accept,
// though it answers with JSON only; a client that accepts JSON gets its answer.
func mcpHeader(c *fiber.Ctx) http.Header {
	h := http.Header{}
	for name, value := range c.Request().Header.All() {
		if n := string(name); strings.HasPrefix(strings.ToLower(n), "mcp-") || strings.EqualFold(n, fiber.HeaderContentType) {
			h.Add(n, string(value))
		}
	}
	if accept := web.Header(c, fiber.HeaderAccept); accept == "" || strings.Contains(accept, "*/*") ||
		strings.Contains(accept, fiber.MIMEApplicationJSON) {
		h.Set(fiber.HeaderAccept, "application/json, text/event-stream")
	}
	return h
}

// exchange lets the SDK answer one message. It returns when every tool that it started has ended.
func (m *mcpServer) exchange(talk *conversation, header http.Header, body []byte) (*recorder, error) {
	// The SDK gets a context without an end: we wait for its answer, and tools end with talk.ctx.
	ctx := context.WithValue(context.Background(), conversationKey{}, talk)
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, PathMCP, io.NopCloser(bytes.NewReader(body)))
	if err != nil {
		return &recorder{}, err
	}
	r.Header = header.Clone()
	w := &recorder{header: http.Header{}}
	m.handler.ServeHTTP(w, r)
	return w, nil
}

// recorder is the SDK's answer.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
}

func (r *recorder) Header() http.Header { return r.header }

func (r *recorder) WriteHeader(status int) {
	if r.status == 0 {
		r.status = status
	}
}

func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	return r.body.Write(b)
}

// send answers with what was recorded. The SDK explains a broken protocol in plain text; that
// becomes a problem document, as everywhere in the API.
func (r *recorder) send(c *fiber.Ctx, err error) error {
	if err != nil {
		return err
	}
	if r.status == http.StatusAccepted {
		return c.SendStatus(r.status)
	}
	if r.status == http.StatusOK || strings.HasPrefix(r.header.Get("Content-Type"), fiber.MIMEApplicationJSON) {
		return replyRaw(c, max(r.status, http.StatusOK), r.body.Bytes())
	}
	kinds := map[int]tenants.Kind{400: tenants.Invalid, 404: tenants.Unknown, 413: tenants.TooLarge, 415: tenants.Unsupported}
	text := strings.TrimSpace(r.body.String())
	kind, ok := kinds[r.status]
	if !ok {
		return errors.New("mcp: " + http.StatusText(r.status) + ": " + text)
	}
	return tenants.Refuse(kind, "mcp_protocol", "This is not a message of the Model Context Protocol that this server reads: %s.", text)
}
