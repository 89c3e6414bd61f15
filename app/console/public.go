package console

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

// publicRoutes are the pages for whoever comes by, signed in or not.
func (k *Console) publicRoutes() []route {
	return []route{
		{method: get, path: views.PathHome, public: k.home},
		{method: get, path: views.PathPricing, public: k.pricing},
		{method: get, path: views.PathIndustries, public: k.industries},
		{method: get, path: views.IndustryPath(":industry"), public: k.industry},
		{method: get, path: views.PathSecurity, public: k.security},
		{method: get, path: views.PathDocs, public: k.docs},
		{method: get, path: views.PathStatus, public: k.status},
		{method: get, path: views.PathTerms, public: k.terms},
		{method: get, path: views.PathPrivacy, public: k.privacy},
		{method: get, path: views.PathSitemap, public: k.sitemap},
		{method: get, path: views.PathRobots, public: k.robots},
		{method: get, path: views.PathDemo, public: k.demo},
		{method: get, path: views.PathDemoICE, public: k.demoICE},
		{method: post, path: views.PathDemoAnswer, public: k.answerDemo},
		{method: fiber.MethodDelete, path: views.DemoCallPath(":id"), public: k.hangUpDemo},
		{method: get, path: views.PathTrial, public: k.trialForm},
		{method: post, path: views.PathTrial, public: k.signUp},
		{method: get, path: views.TrialPath(":token"), public: k.askTrial},
		{method: post, path: views.TrialPath(":token"), public: k.startTrial},
	}
}

// front is what surrounds a public page. Whoever is signed in is led to the console; a page does not fail because that cannot be told.
func (k *Console) front(ctx context.Context, c *fiber.Ctx, title, description string) views.Front {
	_, err := k.Visitor(ctx, c)
	k.follow(ctx, c, web.Query(c, views.PathPartnerLinkQuery))
	return views.Front{
		Title: title, Description: description, Path: strings.Clone(c.Path()), BaseURL: k.PublicURL, Theme: page.ThemeOf(c), SignedIn: err == nil,
	}
}

func (k *Console) home(ctx context.Context, c *fiber.Ctx) error {
	p := views.HomePage{Front: k.front(ctx, c, "Carillon",
		"One API call becomes a real incoming call on an iPhone, with the app closed. Your voice agent talks, and you see every step of every ring.")}
	if k.Mail != nil {
		p.Trial = k.trialDays()
	}
	plans := k.Store.Plans()
	for _, one := range plans.Plans {
		p.Prices = append(p.Prices, views.Link{Text: one.Name, Hint: page.Money(one.MonthCents, plans.Currency) + " a month"})
	}
	return web.Page(c, views.Home(p), fiber.StatusOK)
}

func (k *Console) industries(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Industries(views.IndustriesPage{Front: k.front(ctx, c, "Industries",
		"Real estate, healthcare, behavioral health, legal, salons and insurance: who is rung, and what a push may say on a lock screen.")}), fiber.StatusOK)
}

// pitches are what a search engine shows of an industry's page.
var pitches = map[tenants.Industry]string{
	tenants.RealEstate:       "Ring the agent on duty while the lead is still on the page: every phone at once, first answer wins.",
	tenants.Healthcare:       "Ring patients and doctors on call by pushes that carry ids only, never a name.",
	tenants.BehavioralHealth: "Check-in calls that look like any other call to whoever sits next to the phone.",
	tenants.Legal:            "Bring urgent intake to the attorney on duty, with nothing about the matter on the lock screen.",
	tenants.Salon:            "Fill a cancelled appointment by ringing the waiting list, one client after the other.",
	tenants.Insurance:        "Bring the adjuster into the first minute of a claim, by a call and not by a queue.",
}

func (k *Console) industry(ctx context.Context, c *fiber.Ctx) error {
	i := tenants.Industry(web.Param(c, "industry"))
	pitch, ok := pitches[i]
	if !ok {
		return tenants.NoSuch("page")
	}
	return web.Page(c, views.Industry(views.IndustryPage{Front: k.front(ctx, c, i.Name(), pitch), Slug: string(i)}), fiber.StatusOK)
}

func (k *Console) security(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Security(views.SecurityPage{Front: k.front(ctx, c, "Security",
		"What Carillon’s code does to keep tenants apart, secrets sealed and calls private, and what it does not do.")}), fiber.StatusOK)
}

func (k *Console) docs(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Docs(views.DocsPage{Base: k.PublicURL, Front: k.front(ctx, c, "Docs",
		"Ring an iPhone by one request, and what an iOS app does with PushKit, CallKit and WebRTC to be rung.")}), fiber.StatusOK)
}

func (k *Console) terms(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Legal(views.TermsPage(k.front(ctx, c, "Terms", "The terms of this server: a template for whoever runs it."))), fiber.StatusOK)
}

func (k *Console) privacy(ctx context.Context, c *fiber.Ctx) error {
	return web.Page(c, views.Legal(views.PrivacyPage(k.front(ctx, c, "Privacy", "What this server keeps about you: a template for whoever runs it."), store.RingsKept, store.TalliesKept)), fiber.StatusOK)
}

// Part is a piece of the server that the status page asks.
type Part struct {
	Name, Text string
	Answers    func(context.Context) error // nil error = it works now
}

// status asks each part. A stranger learns yes or no; the cause goes to the log.
func (k *Console) status(ctx context.Context, c *fiber.Ctx) error {
	p := views.StatusPage{Front: k.front(ctx, c, "Status", "Whether database, push and voice of this server answer right now."), At: views.At(k.Now(), nil)}
	for _, part := range k.Parts {
		err := part.Answers(ctx)
		if err != nil {
			k.Log.Error("a part is not available", "part", part.Name, "err", err)
		}
		p.Checks = append(p.Checks, views.Check{Name: part.Name, Text: part.Text, OK: err == nil})
	}
	return web.Page(c, views.Status(p), fiber.StatusOK)
}

// sitemap lists the public pages (sitemaps.org, protocol 0.9).
func (k *Console) sitemap(_ context.Context, c *fiber.Ctx) error {
	type address struct {
		Loc string `xml:"loc"`
	}
	list := struct {
		XMLName xml.Name  `xml:"urlset"`
		NS      string    `xml:"xmlns,attr"`
		URLs    []address `xml:"url"`
	}{NS: "http://www.sitemaps.org/schemas/sitemap/0.9"}
	paths := []string{views.PathHome, views.PathDemo, views.PathPricing, views.PathIndustries, views.PathSecurity, views.PathDocs, views.PathTrial, views.PathAffiliate,
		views.PathStatus, views.PathTerms, views.PathPrivacy}
	for _, i := range tenants.Industries {
		paths = append(paths, views.IndustryPath(string(i)))
	}
	for _, p := range paths {
		list.URLs = append(list.URLs, address{k.PublicURL + p})
	}
	body, err := xml.MarshalIndent(list, "", "  ")
	if err != nil {
		return err // strings always marshal
	}
	c.Response().Header.SetContentType("application/xml; charset=utf-8")
	return c.SendString(xml.Header + string(body) + "\n")
}

// robots lets search engines read the public pages and leave the console alone.
func (k *Console) robots(_ context.Context, c *fiber.Ctx) error {
	c.Response().Header.SetContentType("text/plain; charset=utf-8")
	return c.SendString("User-agent: *\nDisallow: /v1/\nDisallow: /invitations/\nDisallow: " + views.PathTrial + "/\nDisallow: " + views.PathAffiliate + "/\nDisallow: " + views.PartnerLinkPath("") + "\nDisallow: " + views.PathSignIn +
		"\n\nSitemap: " + k.PublicURL + views.PathSitemap + "\n")
}
