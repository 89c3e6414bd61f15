package site

import (
	"carillon/app/page"

	"context"
	"errors"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// viaCookie holds the code of the partner whose link this browser followed first. It is all that is
// kept of a click but its number.
const viaCookie = "via"

// clicks slow the counting of clicks down: a network that reloads a link makes a few clicks, not a
// thousand.
type clicks struct{ network, all *web.Limiter }

func newClicks(now func() time.Time) (c clicks, err error) {
	var errs [2]error
	c.network, errs[0] = web.NewLimiter(10*time.Minute, 3, now)
	c.all, errs[1] = web.NewLimiter(50*time.Millisecond, 200, now)
	return c, errors.Join(errs[:]...)
}

// follow takes note that a partner's link led here: the first one stays for as long as the plans
// file says, and later ones do not replace it. A page does not fail because that cannot be done.
func (s *Site) follow(ctx context.Context, c *fiber.Ctx, typed string) {
	code, ok := tenants.ParsePartnerCode(typed)
	if !ok || c.Method() != get || !byPerson(c) {
		return
	}
	p, ok := s.running(ctx, code)
	if !ok {
		return
	}
	if _, ok := s.running(ctx, c.Cookies(viaCookie)); !ok {
		if age := time.Duration(s.Store.Plans().Affiliate.CookieDays) * 24 * time.Hour; age > 0 {
			s.SetCookie(c, viaCookie, p.Code, age, false)
		}
	}
	if _, ok := s.clicks.network.Take(p.Code + " " + web.Network(web.IP(c))); !ok {
		return
	}
	if _, ok := s.clicks.all.Take(""); ok {
		s.Store.Partners().CountClick(p.ID)
	}
}

// running is the partner of a code, unless there is none or the operator ended it.
func (s *Site) running(ctx context.Context, typed string) (tenants.Partner, bool) {
	code, ok := tenants.ParsePartnerCode(typed)
	if !ok {
		return tenants.Partner{}, false
	}
	p, err := s.Store.Partners().ByCode(ctx, code)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		s.Log.Error("a partner's code cannot be looked up", "err", err)
	}
	return p, err == nil && p.StoppedAt.IsZero()
}

// programs are words of User-Agent headers that no browser of a person has. Those that say an
// address are programs that introduce themselves.
var programs = []string{"bot", "crawl", "spider", "slurp", "preview", "scan", "monitor", "headless", "lighthouse", "curl", "wget",
	"python", "http",
	"java/", "okhttp", "facebookexternalhit", "whatsapp", "embed"}

// byPerson reports whether a request looks like somebody who opens a page: no program that says it
// is one, nothing that a browser loads ahead of a click (Sec-Purpose of the Fetch standard, and its
// older names), nothing but a document.
func byPerson(c *fiber.Ctx) bool {
	agent := strings.ToLower(web.Header(c, fiber.HeaderUserAgent))
	if agent == "" {
		return false
	}
	for _, word := range programs {
		if strings.Contains(agent, word) {
			return false
		}
	}
	for _, name := range []string{"Sec-Purpose", "Purpose", "X-Moz", "X-Purpose"} {
		if s := strings.ToLower(web.Header(c, name)); strings.Contains(s, "prefetch") || strings.Contains(s, "preview") ||
			strings.Contains(s, "prerender") {
			return false
		}
	}
	dest := web.Header(c, "Sec-Fetch-Dest")
	return dest == "" || dest == "document"
}

// followLink is a partner's link. Whether the code is one or not, it leads to the front page.
func (s *Site) followLink(ctx context.Context, c *fiber.Ctx) error {
	s.follow(ctx, c, web.Param(c, "code"))
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Robots-Tag", "noindex")
	return c.Redirect(views.PathHome, fiber.StatusSeeOther)
}

// via is the code that brought this browser: of the link it followed first, or of this page's own
// address.
func (s *Site) via(ctx context.Context, c *fiber.Ctx) string {
	for _, typed := range []string{c.Cookies(viaCookie), web.Query(c, views.PathPartnerLinkQuery)} {
		if p, ok := s.running(ctx, typed); ok {
			return p.Code
		}
	}
	return ""
}

// codeField asks who brought an applicant.
func codeField(code string) views.Field {
	return views.Field{Name: "code", Label: "Referral code", Value: page.Shown(code, 20), Max: 20, Optional: true, Mono: true,
		Autocomplete: "off", Help: "From the person who told you about Carillon."}
}

// knownCode marks a typed code that is nobody's.
func (s *Site) knownCode(ctx context.Context, code string, p *views.TrialPage) (ok bool) {
	if code == "" {
		return true
	}
	if _, ok := s.running(ctx, code); !ok {
		p.Code.Error, p.Error = "This code does not exist. Correct it or leave it empty.", "Please correct the fields below."
		return false
	}
	return true
}

// referral is what is written down when a trial opens that a partner brought; nil when nobody did.
// One that is the partner's own is written down too, and earns nothing.
func (s *Site) referral(ctx context.Context, c *fiber.Ctx, n tenants.Signup, tenant tenants.TenantID) (*tenants.Referral, error) {
	if n.Code == "" {
		return nil, nil
	}
	p, err := s.Store.Partners().ByCode(ctx, n.Code)
	if tenants.KindOf(err) == tenants.Unknown || err == nil && !p.StoppedAt.IsZero() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	plans := s.Store.Plans()
	domain, _ := page.Registrable(n.Email)
	var user tenants.UserID
	if v, err := s.Visitor(ctx, c); err == nil {
		user = v.User.ID
	}
	return &tenants.Referral{
		ID: tenants.ReferralID(tenants.NewRandomID()), Partner: p.ID, Tenant: tenant, Terms: plans.Affiliate,
		Refused: p.SelfReferral(plans.TrialKey(n.Email, domain), user), CreatedAt: s.Now(),
	}, nil
}
