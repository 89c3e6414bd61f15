package site

import (
	"carillon/app/page"

	"context"
	"encoding/xml"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// publicRoutes are the pages for everyone, signed in or not.
func (s *Site) publicRoutes() []page.Route {
	return []page.Route{
		{Method: get, Path: views.PathHome, Serve: s.home},
		{Method: get, Path: views.PathPricing, Serve: s.pricing},
		{Method: get, Path: views.PathIndustries, Serve: s.industries},
		{Method: get, Path: views.IndustryPath(":industry"), Serve: s.industry},
		{Method: get, Path: views.PathSecurity, Serve: s.security},
		{Method: get, Path: views.PathDocs, Serve: s.docs},
		{Method: get, Path: views.PathStatus, Serve: s.status},
		{Method: get, Path: views.PathTerms, Serve: s.terms},
		{Method: get, Path: views.PathPrivacy, Serve: s.privacy},
		{Method: get, Path: views.PathSitemap, Serve: s.sitemap},
		{Method: get, Path: views.PathRobots, Serve: s.robots},
		{Method: get, Path: views.PathDemo, Serve: s.demo},
		{Method: get, Path: views.PathDemoICE, Serve: s.demoICE},
		{Method: post, Path: views.PathDemoAnswer, Serve: s.answerDemo},
		{Method: fiber.MethodDelete, Path: views.DemoCallPath(":id"), Serve: s.hangUpDemo},
		{Method: get, Path: views.PathTrial, Serve: s.trialForm},
		{Method: post, Path: views.PathTrial, Serve: s.signUp},
		{Method: get, Path: views.TrialPath(":token"), Serve: s.askTrial},
		{Method: post, Path: views.TrialPath(":token"), Serve: s.startTrial},
	}
}

// front is what surrounds a public page. A signed-in person gets a link to the console; a page does
// not fail because that cannot be told.
func (s *Site) front(ctx context.Context, c *fiber.Ctx, title, description string) views.Front {
	_, err := s.Visitor(ctx, c)
	s.follow(ctx, c, web.Query(c, views.PathPartnerLinkQuery))
	return views.Front{
		Title: title, Description: description, Path: strings.Clone(c.Path()), BaseURL: s.PublicURL, Theme: page.ThemeOf(c),
		SignedIn: err == nil,
	}
}

func (s *Site) home(ctx context.Context, c *fiber.Ctx) error {
	p := views.HomePage{Front: s.front(ctx, c, "Carillon",
		"One API call becomes a real incoming call on an iPhone, with the app closed. Your voice agent talks, and you see every step of "+
			"every ring.")}
	if s.Mail != nil {
		p.Trial = s.trialDays()
	}
	plans := s.Store.Plans()
	for _, one := range plans.Plans {
		p.Prices = append(p.Prices, views.Link{Text: one.Name, Hint: page.Money(one.MonthCents, plans.Currency) + " a month"})
	}
	return web.Page(c, views.Home(p), fiber.StatusOK)
}

func (s *Site) industries(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Industries(views.IndustriesPage{Front: s.front(ctx, c, "Industries",
		"Real estate, healthcare, behavioral health, legal, salons and insurance: who is rung, and what a push may say on a lock "+
			"screen.")}), fiber.StatusOK)
}

// pitches are what a search engine shows of an industry's page.
var pitches = map[tenants.Industry]string{
	tenants.RealEstate:       "Ring the agent on duty while the lead is still on the page: every phone at once, first answer wins.",
	tenants.Healthcare:       "Ring patients and doctors on call by pushes that carry ids only, never a name.",
	tenants.BehavioralHealth: "Check-in calls that look like any other call to a person next to the phone.",
	tenants.Legal:            "Bring urgent intake to the attorney on duty, with nothing about the matter on the lock screen.",
	tenants.Salon:            "Fill a cancelled appointment by ringing the waiting list, one client after the other.",
	tenants.Insurance:        "Bring the adjuster into the first minute of a claim, by a call and not by a queue.",
}

func (s *Site) industry(ctx context.Context, c *fiber.Ctx) error {
	i := tenants.Industry(web.Param(c, "industry"))
	pitch, ok := pitches[i]
	if !ok {
		return tenants.NoSuch("page")
	}
	return web.Page(c, views.Industry(views.IndustryPage{Front: s.front(ctx, c, i.Name(), pitch), Slug: string(i)}), fiber.StatusOK)
}

func (s *Site) security(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Security(views.SecurityPage{Front: s.front(ctx, c, "Security",
		"What Carillon’s code does to keep tenants apart, secrets sealed and calls private, and what it does not do.")}), fiber.StatusOK)
}

func (s *Site) docs(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Docs(views.DocsPage{Base: s.PublicURL, Front: s.front(ctx, c, "Docs",
		"Ring an iPhone by one request, and what an iOS app does with PushKit, CallKit and WebRTC to be rung.")}), fiber.StatusOK)
}

func (s *Site) terms(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Legal(views.TermsPage(s.front(ctx, c, "Terms", "The terms of this server: a template for its operator."))),
		fiber.StatusOK)
}

func (s *Site) privacy(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Legal(views.PrivacyPage(s.front(ctx, c, "Privacy",
		"What this server keeps about you: a template for its operator."), store.RingsKept, store.TalliesKept)), fiber.StatusOK)
}

// Part is a piece of the server that the status page asks.
type Part struct {
	Name, Text string
	Answers    func(context.Context) error // nil error = it works now
}

// status asks each part. A stranger learns yes or no; the cause goes to the log.
func (s *Site) status(ctx context.Context, c *fiber.Ctx) error {
	p := views.StatusPage{Front: s.front(ctx, c, "Status", "Whether database, push and voice of this server answer right now."),
		At: views.At(s.Now(), nil)}
	for _, part := range s.Parts {
		err := part.Answers(ctx)
		if err != nil {
			s.Log.Error("a part is not available", "part", part.Name, "err", err)
		}
		p.Checks = append(p.Checks, views.Check{Name: part.Name, Text: part.Text, OK: err == nil})
	}
	return web.Page(c, views.Status(p), fiber.StatusOK)
}

// sitemap lists the public pages (sitemaps.org, protocol 0.9).
func (s *Site) sitemap(_ context.Context, c *fiber.Ctx) error {
	type address struct {
		Loc string `xml:"loc"`
	}
	list := struct {
		XMLName xml.Name  `xml:"urlset"`
		NS      string    `xml:"xmlns,attr"`
		URLs    []address `xml:"url"`
	}{NS: "http://www.sitemaps.org/schemas/sitemap/0.9"}
	paths := []string{views.PathHome, views.PathDemo, views.PathPricing, views.PathIndustries, views.PathSecurity, views.PathDocs,
		views.PathTrial, views.PathAffiliate,
		views.PathStatus, views.PathTerms, views.PathPrivacy}
	for _, i := range tenants.Industries {
		paths = append(paths, views.IndustryPath(string(i)))
	}
	for _, p := range paths {
		list.URLs = append(list.URLs, address{s.PublicURL + p})
	}
	body, err := xml.MarshalIndent(list, "", "  ")
	if err != nil {
		return err // strings always marshal
	}
	c.Response().Header.SetContentType("application/xml; charset=utf-8")
	return c.SendString(xml.Header + string(body) + "\n")
}

// robots lets search engines read the public pages and leave the console alone.
func (s *Site) robots(_ context.Context, c *fiber.Ctx) error {
	c.Response().Header.SetContentType("text/plain; charset=utf-8")
	return c.SendString("User-agent: *\nDisallow: /v1/\nDisallow: /invitations/\nDisallow: " + views.PathTrial + "/\nDisallow: " +
		views.PathAffiliate + "/\nDisallow: " + views.PartnerLinkPath("") + "\nDisallow: " + views.PathSignIn +
		"\n\nSitemap: " + s.PublicURL + views.PathSitemap + "\n")
}
