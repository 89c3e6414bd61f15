package web

import (
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"runtime/debug"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gofiber/fiber/v2"
	"github.com/valyala/fasthttp"

	"carillon/tenants"
)

// Bounds of a request. A document (JSON, SDP, an uploaded key) may have MaxBody bytes; the server
// reads a little more, so that a file of exactly MaxBody fits with the multipart envelope around
// it.
const (
	MaxBody     = 64 << 10
	envelope    = 8 << 10
	readTimeout = 10 * time.Second // for a whole request, header and body
	idleTimeout = 75 * time.Second // longer than the minute a proxy usually keeps a connection
	headerLimit = 16 << 10         // request line and headers
	connections = 16 << 10         // at once; a stream is one
	handlerTime = 10 * time.Second // what Deadline gives
)

// Config configures the edge. The zero value works: it logs nothing and trusts no proxy.
type Config struct {
	Log            *slog.Logger
	Now            func() time.Time
	PublicURL      string         // scheme and host, before the type of each problem; empty = a type is a path
	TrustedProxies []netip.Prefix // only their X-Forwarded-For is trusted
	Counts         *Counts        // what is counted; nil = nobody reads it
	BodyLimit      int            // bytes; 0 = 64 KiB plus a multipart envelope
	Connections    int            // at once; 0 = 16,384
	MemoryTight    func() bool    // whether memory runs out; nil = MemoryTight
	Nodes          func() int     // that share the limits of changes; nil = one
	Uploads        []string       // patterns of POST routes whose handlers call ReadUpload or ReadDocument; other bodies are read first

	Loopback bool // answer only under names of this machine: dev mode
	HTTPS    bool // people reach it over HTTPS: browsers are told to stay there (RFC 6797)

	// ErrorPage renders an error for a browser, outside /v1 and the checks of health. Nil = a
	// problem document there too.
	ErrorPage func(c *fiber.Ctx, status int, title, detail, requestID string) error
}

// edge is one app's configuration and what its requests share.
type edge struct {
	Config
	gzips   sync.Pool // of *gzip.Writer
	streams *Slots
	uploads *Slots
	memory  memory
	writes  tenants.RateLimiter // see MayWrite
}

// visit is what we keep for one request, from the first handler on.
type visit struct {
	edge *edge
	id   string
}

type visitKey struct{}

// New makes the app that everything is mounted on: its strings are copies, every wait has a limit,
// a panic becomes a 500, every answer has a request id, and every error becomes a problem document
// or the error page.
func New(c Config) *fiber.App {
	e := &edge{Config: c, writes: tenants.RateLimiter{Nodes: c.Nodes}}
	e.PublicURL = strings.TrimRight(c.PublicURL, "/")
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.MemoryTight == nil {
		e.MemoryTight = MemoryTight
	}
	e.memory.look = e.MemoryTight
	if e.Counts == nil {
		e.Counts = new(Counts)
	}
	if e.BodyLimit == 0 {
		e.BodyLimit = MaxBody + envelope
	}
	if e.Connections == 0 {
		e.Connections = connections
	}
	e.streams, e.uploads = NewSlots(streamBounds(e.Connections)), NewSlots(uploadBounds())
	app := fiber.New(fiber.Config{
		Immutable:      true, // strings from a request outlive its buffers
		CaseSensitive:  true,
		BodyLimit:      e.BodyLimit,
		ReadBufferSize: headerLimit,
		ReadTimeout:    readTimeout,
		IdleTimeout:    idleTimeout,
		// it would cut event streams; Serve bounds each write instead
		WriteTimeout:                 0,
		Concurrency:                  2 * e.Connections, // the Listener bounds connections, and answers those it refuses
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // a form counts against BodyLimit like any other body
		StreamRequestBody:            true, // handlers get their bodies from readBody
		// Fiber is given no proxies, so c.IP and c.Hostname trust no header; see IP
		EnableTrustedProxyCheck: true,
		ErrorHandler:            func(c *fiber.Ctx, err error) error { return e.fail(c, err) },
	})
	app.Use(e.enter)
	server := app.Server()
	answer := server.ErrorHandler
	server.ErrorHandler = func(r *fasthttp.RequestCtx, err error) { answer(r, quoteless(err)) }
	server.Handler = e.methods(app, server.Handler)
	return app
}

// quoteless hides the text of a parser's error, which quotes the request. Fiber decides by that
// text: a bad header with "timeout" in it was answered 408.
func quoteless(err error) error {
	if errors.As(err, new(fasthttp.ErrNothingRead)) {
		return err // an idle connection; the text is the system's
	}
	return unquoted{err}
}

type unquoted struct{ error }

func (unquoted) Error() string   { return "the request cannot be read" }
func (u unquoted) Unwrap() error { return u.error }

// methods refuses unknown HTTP methods, which Fiber would answer itself in plain text.
func (e *edge) methods(app *fiber.App, known fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(r *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(r.Method())) {
			known(r)
			return
		}
		c := app.AcquireCtx(r)
		defer app.ReleaseCtx(c)
		r.SetConnectionClose()
		if e.fail(c, fiber.ErrBadRequest) != nil {
			r.SetStatusCode(fiber.StatusBadRequest)
		}
	}
}

// enter is the first handler of every request. It sets the id and safe headers, runs the guards and
// the other handlers, turns an error into an answer, and writes one line to the log.
func (e *edge) enter(c *fiber.Ctx) error {
	start := e.Now()
	v := &visit{edge: e, id: tenants.NewRandomID()}
	c.Locals(visitKey{}, v)
	head := &c.Response().Header
	head.Set("X-Request-Id", v.id) // ours; an id that the client sent is ignored
	head.Set(fiber.HeaderCacheControl, "no-store")
	head.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	if e.HTTPS {
		head.Set(fiber.HeaderStrictTransportSecurity, "max-age=31536000")
	}

	e.checkProxy(c)
	err := e.next(c)
	if err != nil {
		err = e.fail(c, err)
	}
	e.logRequest(c, v.id, start)
	return err
}

// logRequest writes a request's line. It goes to the handler itself: slog's methods look for the
// caller's place in the source each time, which nothing shows.
func (e *edge) logRequest(c *fiber.Ctx, id string, start time.Time) {
	log, ctx, now := e.Log.Handler(), c.UserContext(), e.Now()
	if !log.Enabled(ctx, slog.LevelInfo) {
		return
	}
	line := slog.NewRecord(now, slog.LevelInfo, "request", 0)
	line.AddAttrs(slog.String("method", c.Method()), slog.String("route", pattern(c)), slog.Int("status", c.Response().StatusCode()),
		slog.Float64("ms", float64(now.Sub(start).Microseconds())/1000), slog.String("request_id", id))
	_ = log.Handle(ctx, line) // as slog's methods do
}

// Recovered runs f and turns its panic into an error. What runs after a handler has returned, such
// as the writer of a stream, has a goroutine of its own: a panic there would end the whole server.
func Recovered(f func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %v\n%s", errPanic, p, debug.Stack())
		}
	}()
	return f()
}

var errPanic = errors.New("panic")

// next runs the guards and the handlers after them, and turns a panic into an error.
func (e *edge) next(c *fiber.Ctx) error { return Recovered(func() error { return e.admit(c) }) }

func (e *edge) admit(c *fiber.Ctx) error {
	if err := oneReading(c); err != nil {
		return err
	}
	if err := e.known(c); err != nil {
		return err
	}
	if e.memory.isTight(e.Now()) && !isHealth(c.Path()) {
		e.Counts.RefusedForMemory.Add(1)
		return &tenants.Error{Kind: tenants.Unavailable, Code: "memory_full", RetryAfter: 5 * time.Second,
			Msg: "This server has no memory for another request. Nothing was done. Try again in a few seconds."}
	}
	if err := noKeyInQuery(c); err != nil {
		return err
	}
	if coding := c.Request().Header.ContentEncoding(); len(coding) > 0 && string(coding) != "identity" {
		// Fiber would decompress such a body without a size limit.
		return tenants.Refuse(tenants.Unsupported, "content_encoding",
			"The body must not be compressed. Send it without Content-Encoding.")
	}
	if c.Method() == fiber.MethodPost && slices.ContainsFunc(e.Uploads, func(p string) bool { return follows(c.Path(), p) }) {
		return c.Next()
	}
	if err := e.readBody(c, e.BodyLimit); err != nil {
		return err
	}
	return c.Next()
}

// follows reports whether a path has the pattern of a route, in which ":id" is any one segment.
func follows(path, pattern string) bool {
	for {
		segment, rest, more := strings.Cut(path, "/")
		want, after, longer := strings.Cut(pattern, "/")
		if segment != want && !(strings.HasPrefix(want, ":") && segment != "") || more != longer {
			return false
		}
		if !more {
			return true
		}
		path, pattern = rest, after
	}
}

// pattern is the route's pattern. The path itself is never logged: it holds ids, and people paste
// secrets into it.
func pattern(c *fiber.Ctx) string {
	if r := c.Route(); r != nil && r.Path != "" && r.Path != "/" {
		return r.Path
	}
	if c.Path() == "/" {
		return "/"
	}
	return "-"
}

// visitOf returns the request's visit. A request refused before the first handler ran has none.
func visitOf(c *fiber.Ctx) (*visit, bool) {
	v, ok := c.Locals(visitKey{}).(*visit)
	return v, ok
}

// isAPI reports whether the request is for /v1 or /mcp, which answer in JSON and never in HTML.
func isAPI(c *fiber.Ctx) bool {
	// A URI that cannot be parsed has the path "/", so the raw URI is checked too.
	return forPrograms(c.Path()) || forPrograms(string(c.Request().Header.RequestURI()))
}

func forPrograms(path string) bool {
	for _, prefix := range []string{"/v1", "/mcp"} {
		if rest, ok := strings.CutPrefix(path, prefix); ok && (rest == "" || rest[0] == '/' || rest[0] == '?') {
			return true
		}
	}
	return false
}
