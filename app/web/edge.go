package web

import (
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

// Bounds of a request. A document (JSON, SDP, an uploaded key) may have MaxBody bytes; the server reads a little more, so that
// a multipart envelope around a file of exactly MaxBody still fits.
const (
	MaxBody     = 64 << 10
	envelope    = 8 << 10
	readTimeout = 10 * time.Second // for a whole request, header and body: what a slow client may hold
	idleTimeout = 75 * time.Second // between requests; longer than the usual minute of a proxy's own pool
	headerLimit = 16 << 10         // request line and headers
	connections = 16 << 10         // at once; a stream is one
	handlerTime = 10 * time.Second // what Deadline gives
)

// Config is what the edge is made of. The zero value serves: without a log nothing is logged, without proxies none is believed.
type Config struct {
	Log            *slog.Logger
	Now            func() time.Time
	TrustedProxies []netip.Prefix // whose X-Forwarded-For is believed; nobody else's is
	BodyLimit      int            // bytes of a request's body; 0 = 64 KiB and room for a multipart envelope
	Connections    int            // at once; 0 = 16,384

	// ErrorPage draws a refusal for a browser; used outside /v1. Nil = a problem document there too.
	ErrorPage func(c *fiber.Ctx, status int, title, detail, requestID string) error
}

// edge is one app's configuration, and what its requests share.
type edge struct {
	Config
	gzips sync.Pool // of *gzip.Writer
}

// visit is what a request carries from the first handler on.
type visit struct {
	edge *edge
	id   string
}

type visitKey struct{}

// New makes the app that everything is mounted on: strings from it are copies, nothing waits for ever, a panic is a 500, every
// answer has a request id, and every error becomes a problem document or the error page.
func New(c Config) *fiber.App {
	e := &edge{Config: c}
	if e.Log == nil {
		e.Log = slog.New(slog.DiscardHandler)
	}
	if e.Now == nil {
		e.Now = time.Now
	}
	if e.BodyLimit == 0 {
		e.BodyLimit = MaxBody + envelope
	}
	if e.Connections == 0 {
		e.Connections = connections
	}
	app := fiber.New(fiber.Config{
		Immutable:                    true, // strings from a request outlive its buffers
		CaseSensitive:                true,
		BodyLimit:                    e.BodyLimit,
		ReadBufferSize:               headerLimit,
		ReadTimeout:                  readTimeout,
		IdleTimeout:                  idleTimeout,
		WriteTimeout:                 0, // it would cut event streams; Serve bounds each write instead
		Concurrency:                  e.Connections,
		DisableStartupMessage:        true,
		DisablePreParseMultipartForm: true, // a form counts against BodyLimit like any other body
		EnableTrustedProxyCheck:      true, // with no proxies given to Fiber: c.IP and c.Hostname believe no header; see IP
		ErrorHandler:                 func(c *fiber.Ctx, err error) error { return e.fail(c, err) },
	})
	app.Use(e.enter)
	app.Server().Handler = e.methods(app, app.Server().Handler)
	return app
}

// methods refuses methods that HTTP does not know, which Fiber would answer by itself and in plain text.
func (e *edge) methods(app *fiber.App, known fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(r *fasthttp.RequestCtx) {
		if slices.Contains(fiber.DefaultMethods, string(r.Method())) {
			known(r)
			return
		}
		c := app.AcquireCtx(r)
		defer app.ReleaseCtx(c)
		if e.fail(c, fiber.ErrBadRequest) != nil {
			r.SetStatusCode(fiber.StatusBadRequest)
		}
	}
}

// enter is the first handler of every request: id, safe defaults, guards, then the rest; at the end the one place where an error
// becomes an answer, and one line in the log.
func (e *edge) enter(c *fiber.Ctx) error {
	start := e.Now()
	v := &visit{edge: e, id: tenants.NewRandomID()}
	c.Locals(visitKey{}, v)
	head := &c.Response().Header
	head.Set("X-Request-Id", v.id) // our own: one that came with the request is not believed
	head.Set(fiber.HeaderCacheControl, "no-store")
	head.Set(fiber.HeaderXContentTypeOptions, "nosniff")

	err := e.next(c)
	if err != nil {
		err = e.fail(c, err)
	}
	e.Log.LogAttrs(c.UserContext(), slog.LevelInfo, "request",
		slog.String("method", c.Method()), slog.String("route", pattern(c)), slog.Int("status", c.Response().StatusCode()),
		slog.Float64("ms", float64(e.Now().Sub(start).Microseconds())/1000), slog.String("request_id", v.id))
	return err
}

// next runs the guards and the handlers behind, and turns a panic into an error.
func (e *edge) next(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	if err := oneLength(c); err != nil {
		return err
	}
	if err := noKeyInQuery(c); err != nil {
		return err
	}
	if coding := c.Request().Header.ContentEncoding(); len(coding) > 0 && string(coding) != "identity" {
		// A packed body would be unpacked without a limit further in.
		return tenants.Refuse(tenants.Unsupported, "content_encoding", "The body must not be packed. Send it without Content-Encoding.")
	}
	return c.Next()
}

// pattern is the route's pattern, never the path itself: paths hold ids, and people paste secrets into them.
func pattern(c *fiber.Ctx) string {
	if r := c.Route(); r != nil && r.Path != "" && r.Path != "/" {
		return r.Path
	}
	if c.Path() == "/" {
		return "/"
	}
	return "-"
}

// visitOf is the request's visit; one that was refused before the first handler ran has none.
func visitOf(c *fiber.Ctx) (*visit, bool) {
	v, ok := c.Locals(visitKey{}).(*visit)
	return v, ok
}

// isAPI reports whether the request came to the API for programs, which is answered in JSON and never in HTML.
func isAPI(c *fiber.Ctx) bool {
	return underV1(c.Path()) || underV1(string(c.Request().Header.RequestURI())) // an address that cannot be read has the path "/"
}

func underV1(path string) bool {
	rest, ok := strings.CutPrefix(path, "/v1")
	return ok && (rest == "" || rest[0] == '/' || rest[0] == '?')
}
