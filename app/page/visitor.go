package page

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// How long a sign-in lasts.
const (
	IdleTime   = 12 * time.Hour     // when nobody does anything
	SignInTime = 7 * 24 * time.Hour // in any case
	TouchEvery = 5 * time.Minute    // how exactly idleness is known
	ProofTime  = 15 * time.Minute   // how long a proof of who they are is enough for what is guarded most
)

// Visitor is a person who is signed in, in the tenant that they look at. The tenant comes from the
// sign-in and from nowhere else.
type Visitor struct {
	User    tenants.User
	In      store.SignIn
	Tenant  tenants.Tenant
	Role    tenants.Role       // what they may do now: their own, or the one that they try out
	Own     tenants.Role       // as a member
	Tenants []store.Membership // every tenant of the person
	Who     store.Who
	Scope   *store.Scope // acts as the person
	Zone    *time.Location
	Guest   *store.Look        // an operator of the server who looks; nil = a person of the tenant
	Missing tenants.Permission // the permission that they were refused for
}

// Visitor finds who is there by the cookie; anyone else is Unauthorized, also a person who
// was removed from the tenant.
func (m *Common) Visitor(ctx context.Context, c *fiber.Ctx) (*Visitor, error) {
	if v, err := m.guest(ctx, c); v != nil || err != nil {
		return v, err
	}
	token := c.Cookies(m.CookieName())
	if token == "" {
		return nil, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are not signed in.")
	}
	now := m.Now()
	in, user, err := m.Store.SignIns().Get(ctx, tenants.Secret(token).Hash(), now)
	if err != nil {
		return nil, err
	}
	v := &Visitor{User: user, In: in}
	if v.Tenants, err = m.Store.Users().Memberships(ctx, user.ID); err != nil {
		return nil, err
	}
	if in.Provider { // who one tenant's provider vouches for may not reach another
		v.Tenants = slices.DeleteFunc(v.Tenants, func(m store.Membership) bool { return m.Tenant.ID != in.Tenant })
	}
	for _, one := range v.Tenants {
		if one.Tenant.ID == in.Tenant {
			v.Tenant, v.Role = one.Tenant, one.Role
		}
	}
	if v.Role == "" {
		return nil, tenants.Refuse(tenants.Unauthorized, "unauthorized", "You are no longer a member of this organisation. Sign in again.")
	}
	if v.Own = v.Role; in.Preview != "" && v.Own.Covers(in.Preview) {
		v.Role = in.Preview
	}
	v.Who = WhoOf(c, user)
	v.Scope = m.Store.For(v.Tenant.ID).By(v.Who)
	v.Zone = v.Tenant.Zone()
	HeldBy(c, v.Holder())
	m.speakTo(c, v)
	if in.IdleAt.Sub(now) < IdleTime-TouchEvery {
		return v, m.Store.SignIns().Touch(ctx, in.Hash, now.Add(IdleTime))
	}
	return v, nil
}

// LookCookie is the cookie of an operator who looks at the console.
func (m *Common) LookCookie() string { return m.CookieName() + "-look" }

// guest is the operator who looks, as a viewer of the tenant; nil when nobody does, or not any
// more.
func (m *Common) guest(ctx context.Context, c *fiber.Ctx) (*Visitor, error) {
	token := c.Cookies(m.LookCookie())
	if token == "" {
		return nil, nil
	}
	l, found, err := m.Store.Operators().Look(ctx, tenants.Secret(token).Hash())
	if err != nil || !found {
		return nil, err
	}
	v := &Visitor{Guest: &l, Tenant: l.Tenant, Role: tenants.Viewer, Own: tenants.Viewer, Zone: l.Tenant.Zone(),
		User:    tenants.User{Name: l.Operator.Name, Email: l.Operator.Email, TwoSteps: true},
		Tenants: []store.Membership{{Tenant: l.Tenant, Role: tenants.Viewer}},
		Who:     store.Who{Actor: l.Operator.Actor(), IP: web.IP(c), RequestID: web.RequestID(c)}}
	v.Scope = m.Store.For(l.Tenant.ID).By(v.Who)
	HeldBy(c, v.Holder())
	return v, nil
}

// WhoOf is a person as the actor of what a request changes.
func WhoOf(c *fiber.Ctx, u tenants.User) store.Who {
	actor := tenants.Actor{Kind: tenants.ActorUser, ID: string(u.ID), Name: u.Name}
	return store.Who{Actor: actor, IP: web.IP(c), RequestID: web.RequestID(c)}
}

// Session names the sign-in and the tenant that a page is drawn for, so that the page's script can
// say so. It is no secret: it opens nothing. It stays the same when the sign-in gets a new token.
func (v *Visitor) Session() string {
	sum := sha256.Sum256([]byte("session " + v.In.Origin + " " + string(v.Tenant.ID)))
	return base64.RawURLEncoding.EncodeToString(sum[:12])
}

type holderKey struct{}

// Holder is the person as a holder of what all share. All of their sign-ins count together.
func (v *Visitor) Holder() web.Holder {
	if v.Guest != nil {
		return web.Holder{Kind: web.KindPerson, ID: string(v.Guest.Operator.ID)}
	}
	return web.Holder{Kind: web.KindPerson, ID: string(v.User.ID), Tenant: string(v.Tenant.ID)}
}

// HeldBy notes who sent a request, for the bounds of SendSheet.
func HeldBy(c *fiber.Ctx, h web.Holder) { c.Locals(holderKey{}, h) }

// holderOf is who sent a request, as HeldBy noted, and their network.
func holderOf(c *fiber.Ctx) web.Holder {
	h, _ := c.Locals(holderKey{}).(web.Holder)
	h.Network = web.Network(web.IP(c))
	return h
}

func (v *Visitor) At(t time.Time) views.Time { return views.At(t, v.Zone) }

// Midnight is when the day of now began in the tenant's time zone.
func (v *Visitor) Midnight(now time.Time) time.Time {
	year, month, day := now.In(v.Zone).Date()
	return time.Date(year, month, day, 0, 0, 0, 0, v.Zone)
}

// The names of our cookies. __Host- makes browsers refuse a cookie that another host set or that
// came without TLS (RFC 6265bis).
const (
	securePrefix = "__Host-"
	plainCookie  = "carillon"
	ThemeCookie  = "theme" // the script that switches the theme writes it too
	FlashCookie  = "flash"
)

func (m *Common) CookieName() string {
	name := cmp.Or(m.Cookie, plainCookie)
	if m.secure {
		return securePrefix + name
	}
	return name
}

// SetCookie sets one of ours; an age of zero or less takes it away.
func (m *Common) SetCookie(c *fiber.Ctx, name, value string, age time.Duration, script bool) {
	cookie := &fiber.Cookie{Name: name, Value: value, Path: "/", Secure: m.secure, HTTPOnly: !script, SameSite: fiber.CookieSameSiteLaxMode}
	if cookie.MaxAge = int(age.Seconds()); age <= 0 {
		cookie.Expires = time.Unix(1, 0)
	}
	c.Cookie(cookie)
}

// Enter starts a sign-in under a new token and ends the one that the browser had: the old token is
// worth nothing then. proved is when the person last proved who they are.
//
// A tenant whose provider is the only way in is entered with a password by its owners alone.
func (m *Common) Enter(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID, proved, until time.Time) error {
	only, err := m.Store.For(t).Providers().OnlyWay(ctx)
	if err != nil {
		return err
	}
	if only {
		one, err := m.Store.For(t).Members().Get(ctx, u.ID)
		if err != nil {
			return err
		}
		if one.Role != tenants.Owner {
			return tenants.Refuse(tenants.Forbidden, "provider_only", providerOnly)
		}
	}
	return m.enter(ctx, c, u, t, proved, until, false)
}

// providerOnly is said when a password is right and the organisation takes none.
const providerOnly = "Your organisation signs in through its own provider. Choose “Sign in with your organisation”."

// AdmitThrough starts a sign-in that the tenant's provider vouches for. It opens this tenant only.
// proved is when the person proved themselves to the provider; a moment to come counts as now.
func (m *Common) AdmitThrough(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID, proved time.Time) error {
	if now := m.Now(); proved.After(now) {
		proved = now
	}
	if err := m.enter(ctx, c, u, t, proved, m.Now().Add(SignInTime), true); err != nil {
		return err
	}
	return m.Store.For(t).By(WhoOf(c, u)).Audits().Add(ctx, "user.sign_in", string(u.ID), "provider")
}

func (m *Common) enter(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID, proved, until time.Time,
	provider bool) error {
	now := m.Now()
	token := NewToken()
	in := store.SignIn{
		Hash: tenants.Secret(token).Hash(), User: u.ID, Tenant: t, CreatedAt: now, IdleAt: now.Add(IdleTime), ExpiresAt: until,
		ProvedAt: proved, Origin: tenants.NewRandomID(), Provider: provider,
		IP: web.IP(c), UserAgent: Clip(web.Header(c, fiber.HeaderUserAgent), 200),
	}
	if !provider { // who vouches for a person does not ask for their password
		in.Password = u.Password
	}
	if err := m.Store.SignIns().Add(ctx, in); err != nil {
		return err
	}
	if old := c.Cookies(m.CookieName()); old != "" {
		if err := m.Store.SignIns().End(ctx, tenants.Secret(old).Hash()); err != nil {
			return err
		}
	}
	m.SetCookie(c, m.CookieName(), token, until.Sub(now), false)
	return nil
}

// Prove notes that a person proved again who they are, and gives their sign-in a new token.
func (m *Common) Prove(ctx context.Context, c *fiber.Ctx, v *Visitor) error {
	now, token := m.Now(), NewToken()
	if err := m.Store.SignIns().Renew(ctx, v.In.Hash, tenants.Secret(token).Hash(), now); err != nil {
		return err
	}
	m.SetCookie(c, m.CookieName(), token, v.In.ExpiresAt.Sub(now), false)
	return nil
}

// Proved reports whether the person's last proof is recent enough for what is guarded most.
func (v *Visitor) Proved(now time.Time) bool { return now.Sub(v.In.ProvedAt) < ProofTime }

// NewToken has 256 random bits.
func NewToken() string {
	var b [32]byte
	rand.Read(b[:])
	return base64.RawURLEncoding.EncodeToString(b[:])
}

// Clip is at most n bytes of s, as valid text.
func Clip(s string, n int) string {
	if len(s) > n {
		s = s[:n]
	}
	return strings.ToValidUTF8(s, "")
}

// Admit starts a sign-in in a tenant and writes it into the tenant's record. The browser is known
// to the account from then on; see Try.
func (m *Common) Admit(ctx context.Context, c *fiber.Ctx, u tenants.User, t tenants.TenantID) error {
	if err := m.Enter(ctx, c, u, t, m.Now(), m.Now().Add(SignInTime)); err != nil {
		return err
	}
	if err := m.Know(c, u.Email); err != nil {
		return err
	}
	return m.Store.For(t).By(WhoOf(c, u)).Audits().Add(ctx, "user.sign_in", string(u.ID), "")
}
