// Package page holds what the pages of a tenant (console) and the public pages (site) have in
// common: who is signed in, passwords, cookies, posted forms, notes after a change, files of lists
// and sums of money. It serves no page itself.
//
// Start reading at common.go (what it is made of), then visitor.go (who is signed in).
package page

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants/store"
)

// CommonConfig is what Common is made of. Every field but Memory, Breached and Cookie is required.
type CommonConfig struct {
	Store     *store.Store
	PublicURL string    // scheme and host; over https cookies are Secure
	Memory    int64     // bytes that the process may use: passwords are hashed within it; 0 = no limit is known
	Breached  *Breaches // knows passwords of breaches; nil = nobody is asked
	// Cookie names the sign-in's cookie, and begins the names of the others; empty = carillon.
	// Ports of one host share their cookies (RFC 6265, 8.5), so each listener needs its own.
	Cookie string
	// English keeps every page in English, whatever the reader asks for: the operator console.
	English bool
	Now     func() time.Time
	Log     *slog.Logger
}

// Common is what pages share in this process: console and site hold the same one, so that limits
// count for both.
type Common struct {
	CommonConfig
	Passwords *passwords
	tries     tries
	secure    bool
	exports   *web.Slots
	guard     fiber.Handler // against posts from other sites
}

// NewCommon checks the parts. It refuses a missing one, and a public URL that is not http or https.
func NewCommon(c CommonConfig) (*Common, error) {
	if c.Store == nil || c.Now == nil || c.Log == nil {
		return nil, errors.New("page: Store, Now and Log are required")
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	u, err := url.Parse(c.PublicURL)
	if err != nil || u.Host == "" || u.Scheme != "http" && u.Scheme != "https" {
		return nil, errors.New("page: PublicURL must start with http:// or https://")
	}
	m := &Common{CommonConfig: c, secure: u.Scheme == "https", exports: web.NewSlots(exportBounds())}
	m.tries.limits.Nodes = c.Store.NodesNow
	if m.guard, err = web.CrossSite(c.PublicURL); err != nil {
		return nil, err
	}
	m.Passwords, err = NewPasswords(c.Memory)
	return m, err
}

// Route is one address and what serves it.
type Route struct {
	Method, Path string
	English      bool // this page is not translated, such as a guide for developers
	Serve        func(context.Context, *fiber.Ctx) error
}

// Mount adds routes to r, each with a deadline, and with the guard against posts from other sites
// where it changes something.
func (m *Common) Mount(r fiber.Router, routes []Route) {
	for _, route := range routes {
		serve := func(c *fiber.Ctx) error {
			if !route.English {
				m.speak(c)
			}
			ctx, cancel := web.Deadline(c)
			defer cancel()
			return route.Serve(ctx, c)
		}
		if route.Method == fiber.MethodGet {
			r.Get(route.Path, serve) // and HEAD
			continue
		}
		r.Add(route.Method, route.Path, m.guard, serve)
	}
}
