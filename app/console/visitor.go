package console

import (
	"context"
	"crypto/rand"
	"encoding/base64"
	"net/url"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// How long a sign-in lasts.
const (
	idleTime   = 12 * time.Hour     // when nobody does anything
	signInTime = 7 * 24 * time.Hour // in any case
	touchEvery = 5 * time.Minute    // how exactly idleness is known
)

// visitor is a person who is signed in, in the tenant that they look at. The tenant comes from the sign-in and from nowhere else.
type visitor struct {
	user    tenants.User
	in      store.SignIn
	tenant  tenants.Tenant
	role    tenants.Role
	houses  []store.Membership // every tenant of the person
	who     store.Who
	scope   *store.Scope // acts as the person
	zone    *time.Location
	missing string // the permission that they were refused for
}

type visitorKey struct{}

// visitorOf is whom the route let in, for the error page; ok is false on open routes.
func visitorOf(c *fiber.Ctx) (*visitor, bool) {
	v, ok := c.Locals(visitorKey{}).(*visitor)
	return v, ok
}

// visitor finds who is there by the cookie; whoever is not is Unauthorized. A person who was taken out of the tenant is not.
func (k *Console) visitor(ctx context.Context, c *fiber.Ctx) (*visitor, error) {
	token := c.Cookies(k.cookieName())
	if token == "" {
		return nil, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in.")
	}
	now := k.Now()
	in, user, err := k.Store.SignInOf(ctx, tenants.Secret(token).Hash(), now)
	if err != nil {
		return nil, err
	}
	v := &visitor{user: user, in: in}
	if v.houses, err = k.Store.Memberships(ctx, user.ID); err != nil {
		return nil, err
	}
	for _, m := range v.houses {
		if m.Tenant.ID == in.Tenant {
			v.tenant, v.role = m.Tenant, m.Role
		}
	}
	if v.role == "" {
		return nil, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are no member of this organisation any more. Sign in again.")
	}
	v.who = store.Who{Actor: tenants.Actor{Kind: "user", ID: string(user.ID), Name: user.Name}, IP: web.IP(c), RequestID: web.RequestID(c)}
	v.scope = k.Store.For(v.tenant.ID).By(v.who)
	v.zone = zoneOf(v.tenant)
	if in.IdleAt.Sub(now) < idleTime-touchEvery {
		return v, k.Store.TouchSignIn(ctx, in.Hash, now.Add(idleTime))
	}
	return v, nil
}

func zoneOf(t tenants.Tenant) *time.Location {
	zone, err := time.LoadLocation(t.TimeZone)
	if err != nil {
		return time.UTC // zones were checked when they were set; this machine lacks the data
	}
	return zone
}

// caller is the visitor for the switchboard. Rings of the console are trials: the test button places them.
func (v *visitor) caller() switchboard.Caller {
	return switchboard.Caller{Tenant: v.tenant, Trial: true, Who: v.who}
}

func (v *visitor) at(t time.Time) views.Time { return views.At(t, v.zone) }

// The names of our cookies. __Host- makes browsers refuse a cookie that another host set or that came without TLS (RFC 6265bis).
const (
	secureCookie = "__Host-carillon"
	plainCookie  = "carillon"
	themeCookie  = "theme" // the script that switches the theme writes it too
	flashCookie  = "flash"
	doneCookie   = "checklist" // the tenant whose checklist is hidden
)

func (k *Console) cookieName() string {
	if k.secure {
		return secureCookie
	}
	return plainCookie
}

// setCookie sets one of ours; an age of zero or less takes it away.
func (k *Console) setCookie(c *fiber.Ctx, name, value string, age time.Duration, script bool) {
	cookie := &fiber.Cookie{Name: name, Value: value, Path: "/", Secure: k.secure, HTTPOnly: !script, SameSite: fiber.CookieSameSiteLaxMode}
	if cookie.MaxAge = int(age.Seconds()); age <= 0 {
		cookie.Expires = time.Unix(1, 0)
	}
	c.Cookie(cookie)
}

// enter starts a sign-in under a new token and ends the one that the browser had: whoever knew the old token holds nothing.
func (k *Console) enter(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID, until time.Time) error {
	now := k.Now()
	token := newToken()
	err := k.Store.AddSignIn(ctx, store.SignIn{
		Hash: tenants.Secret(token).Hash(), User: u.ID, Tenant: t, CreatedAt: now, IdleAt: now.Add(idleTime), ExpiresAt: until,
		IP: web.IP(c), UserAgent: clip(web.Header(c, fiber.HeaderUserAgent), 200),
	})
	if err != nil {
		return err
	}
	if old := c.Cookies(k.cookieName()); old != "" {
		if err := k.Store.EndSignIn(ctx, tenants.Secret(old).Hash()); err != nil {
			return err
		}
	}
	k.setCookie(c, k.cookieName(), token, until.Sub(now), false)
	return nil
}

// newToken has 256 random bits.
func newToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// clip is at most n bytes of s, as valid text.
func clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// toSignIn sends a stranger to sign in, and back afterwards if they came to read.
func toSignIn(c *fiber.Ctx) error {
	to := views.PathSignIn
	if next := ownPath(c.OriginalURL()); c.Method() == get && next != "" && next != "/" {
		to += "?next=" + url.QueryEscape(next)
	}
	return c.Redirect(to, fiber.StatusSeeOther)
}

// ownPath is s if it is a path on this server, else empty: whoever follows it stays here. Backslashes and control characters are read
// differently by different browsers, so that none may stand in it.
func ownPath(s string) string {
	if !strings.HasPrefix(s, "/") || strings.HasPrefix(s, "//") || len(s) > 1000 {
		return ""
	}
	if strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f || r > 0x7e }) {
		return ""
	}
	u, err := url.Parse(s)
	if err != nil || u.Host != "" || u.Scheme != "" || strings.HasPrefix(u.Path, "//") || strings.HasPrefix(u.Path, views.PathSignIn) {
		return ""
	}
	return s
}

// back is where the person came from, if that was one of our pages.
func back(c *fiber.Ctx) string {
	u, err := url.Parse(web.Header(c, fiber.HeaderReferer))
	if err != nil || u.Host != string(c.Request().Host()) {
		return views.PathOverview
	}
	if p := ownPath(u.RequestURI()); p != "" {
		return p
	}
	return views.PathOverview
}
