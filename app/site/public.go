package site

import (
	"cmp"
	"context"
	"encoding/xml"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
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
		{Method: get, Path: views.PathDocs, English: true, Serve: s.docs},
		{Method: get, Path: views.PathDocSearch, English: true, Serve: s.searchDocs},
		{Method: get, Path: views.DocPath(":page"), English: true, Serve: s.docs},
		{Method: get, Path: views.DocPath("api/:tag"), English: true, Serve: s.docsOfTag},
		{Method: get, Path: views.PathStatus, Serve: s.status},
		{Method: get, Path: views.PathTerms, Serve: s.terms},
		{Method: get, Path: views.PathPrivacy, Serve: s.privacy},
		{Method: get, Path: views.PathSitemap, Serve: s.sitemap},
		{Method: get, Path: views.PathRobots, Serve: s.robots},
		{Method: get, Path: views.PathDemo, Serve: s.demo},
		{Method: get, Path: views.PathDemoICE, Serve: s.demoICE},
		{Method: post, Path: views.PathDemoAnswer, Serve: s.answerDemo},
		{Method: fiber.MethodDelete, Path: views.DemoCallPath(":id"), Serve: s.hangUpDemo},
	}
}

func (s *Site) home(ctx context.Context, c *fiber.Ctx) error {
	p := views.HomePage{Front: s.front(ctx, c, homeHeading), Industries: s.industryTexts()}
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
	return web.Page(c, views.Industries(views.IndustriesPage{Front: s.front(ctx, c, industriesHeading), Industries: s.industryTexts()}),
		fiber.StatusOK)
}

func (s *Site) industryTexts() (all []views.IndustryText) {
	for _, f := range s.Store.Industries().List() {
		all = append(all, industryText(f))
	}
	return all
}

func industryText(f tenants.IndustryFile) views.IndustryText {
	rows := func(list []tenants.NamedText) (rows []views.Row) {
		for _, t := range list {
			rows = append(rows, views.Row{Name: t.Name, Text: t.Text})
		}
		return rows
	}
	p := f.Page
	return views.IndustryText{Slug: string(f.Slug), Name: f.Name, Opaque: f.Rules.Payload.Value == tenants.PayloadOpaque, Short: p.Short,
		Title: p.Title, Lead: p.Lead, Steps: rows(p.Steps), Caller: p.Caller, Asked: p.Asked, App: p.App, Reference: p.Reference,
		Person: cmp.Or(p.Person, "on-duty"),
		TTL:    cmp.Or(p.TTL, int(tenants.DefaultTTL/time.Second)), Asks: rows(p.Asks)}
}

func (s *Site) industry(ctx context.Context, c *fiber.Ctx) error {
	f, ok := s.Store.Industries().File(tenants.Industry(web.Param(c, "industry")))
	if !ok {
		return tenants.NoSuch("page")
	}
	p := views.IndustryPage{Front: s.front(ctx, c, heading{f.Name, f.Page.Description}), Industry: industryText(f)}
	for _, e := range f.Connections {
		p.Pod = append(p.Pod, views.Row{Name: e.Role.Name(), Text: e.Why})
	}
	return web.Page(c, views.Industry(p), fiber.StatusOK)
}

func (s *Site) security(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Security(views.SecurityPage{Front: s.front(ctx, c, securityHeading)}), fiber.StatusOK)
}

func (s *Site) terms(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Legal(views.TermsPage(s.front(ctx, c, termsHeading))),
		fiber.StatusOK)
}

func (s *Site) privacy(ctx context.Context, c *fiber.Ctx) error {
	p := views.PrivacyPage(s.front(ctx, c, privacyHeading), s.Store.RingsMost(), store.TalliesKept)
	return web.Page(c, views.Legal(p), fiber.StatusOK)
}

// Part is a piece of the server that the status page asks.
type Part struct {
	Name, Text string
	Answers    func(context.Context) error // nil error = it works now
}

// status asks each part. A stranger learns yes or no; the cause goes to the log.
func (s *Site) status(ctx context.Context, c *fiber.Ctx) error {
	p := views.StatusPage{Front: s.front(ctx, c, statusHeading),
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
	paths := []string{views.PathHome, views.PathDemo, views.PathPricing, views.PathIndustries, views.PathSecurity,
		views.PathTrial, views.PathAffiliate,
		views.PathStatus, views.PathTerms, views.PathPrivacy}
	for _, i := range s.Store.Industries().Slugs() {
		paths = append(paths, views.IndustryPath(string(i)))
	}
	slugs, err := s.Docs.Slugs()
	if err != nil {
		return err
	}
	for _, slug := range slugs {
		paths = append(paths, views.DocPath(slug))
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
