package site

import (
	"context"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// viaCookie holds the code of the partner whose link this browser followed first. Apart from it
// only the number of clicks is kept.
const viaCookie = "via"

// The rates of counted clicks: a network that reloads a link makes a few clicks, not a thousand.
var (
	networkClicks = tenants.Rate{Of: "network", Every: 10 * time.Minute, Burst: 3}
	allClicks     = tenants.Rate{Of: "all", Every: 50 * time.Millisecond, Burst: 200}
)

// follow remembers the partner's link that led here and counts the click. The first link stays for
// as long as the plans file says; a later one does not replace it. An error is logged, the page is
// drawn.
func (s *frame) follow(ctx context.Context, c *fiber.Ctx, typed string) {
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
	if s.clicks.Admit(s.Now(), "", networkClicks.For(p.Code+" "+web.Network(web.IP(c))), allClicks) == nil {
		s.Store.Partners().CountClick(p.ID)
	}
}

// running is the partner of a code, if there is one and the operator has not ended it.
func (s *frame) running(ctx context.Context, typed string) (tenants.Partner, bool) {
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

// programs are words in the User-Agent headers of programs that no person's browser has.
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
func (s *partners) followLink(ctx context.Context, c *fiber.Ctx) error {
	s.follow(ctx, c, web.Param(c, "code"))
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("X-Robots-Tag", "noindex")
	return c.Redirect(views.PathHome, fiber.StatusSeeOther)
}

// via is the code of the partner who referred this browser: of the link it followed first, or of
// this page's address.
func (s *frame) via(ctx context.Context, c *fiber.Ctx) string {
	for _, typed := range []string{c.Cookies(viaCookie), web.Query(c, views.PathPartnerLinkQuery)} {
		if p, ok := s.running(ctx, typed); ok {
			return p.Code
		}
	}
	return ""
}

// knownCode marks a typed code that belongs to no partner.
func (s *trials) knownCode(ctx context.Context, code string, p *views.TrialPage) (ok bool) {
	if code == "" {
		return true
	}
	if _, ok := s.running(ctx, code); !ok {
		p.Code.Error, p.Error = wrongCode, wrongFields
		return false
	}
	return true
}

// referral is the record that a partner referred the tenant of a new trial, or nil. A partner's own
// trial is recorded too, and earns nothing.
func (s *trials) referral(ctx context.Context, c *fiber.Ctx, n tenants.Signup, tenant tenants.TenantID) (*tenants.Referral, error) {
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
