// Package site serves the public pages: the front page with prices, industries and docs, the demo
// call, the trial, and the pages of partners. Anyone may open them, signed in or not.
//
// It turns requests into calls of the store and the gateway, and their results into the structs
// that package views draws. It has no rules of its own about money, knows no SQL and draws nothing.
// A GET writes nothing, except that a partner's link was followed.
//
// Start reading at Mount in this file (every address), then public.go (the pages that only inform).
package site

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/docs"
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// Config is what the site is made of. Common and Docs are required.
type Config struct {
	*page.Common
	Docs    *docs.Docs
	Dev     bool   // the links of mails are shown on the page too
	Billing bool   // this server takes payments
	Mail    Mailer // sends the links of trials and partners; nil = nobody can sign up
	Parts   []Part // what the status page asks

	Opened func(context.Context, store.Opening) error // called after a trial was opened; nil = nothing is

	Voice      Voice                      // carries the demo's calls; nil = no demo
	Agent      func() gateway.Agent       // opens who speaks on one of them; required with Voice
	DemoName   string                     // the agent's name, if it belongs to a tenant
	DemoClosed bool                       // the operator wants no demo
	DemoTime   time.Duration              // how long one call may last; 0 = DemoTime
	DemoICE    func() []gateway.ICEServer // the current STUN and TURN servers for the demo's calls; nil = none
}

// Mailer sends mail: soon, and not while the caller waits. *notify.Mailer does.
type Mailer interface {
	Send(notify.Mail) error
}

// Site is the public pages of this process.
type Site struct {
	*frame
	demos *demos
}

// frame is what all public pages share: the configuration, their head, and which partner's link a
// visitor followed.
type frame struct {
	Config
	signups tenants.RateLimiter // of mails to people who are not signed in; see maySignUp
	clicks  tenants.RateLimiter // of what is counted for partners; see follow
}

// New returns a Site to mount. It refuses a Config without Common or Docs, and a Voice without an
// Agent.
func New(c Config) (*Site, error) {
	if c.Common == nil || c.Docs == nil {
		return nil, errors.New("site: Common and Docs are required")
	}
	if c.Voice != nil && c.Agent == nil {
		return nil, errors.New("site: Voice needs an Agent to speak")
	}
	if c.DemoClosed {
		c.Voice = nil
	}
	if c.DemoTime <= 0 {
		c.DemoTime = DemoTime
	}
	s := &Site{frame: &frame{Config: c}, demos: newDemos(c.Now, c.Store.NodesNow)}
	s.signups.Nodes, s.clicks.Nodes = c.Store.NodesNow, c.Store.NodesNow
	return s, nil
}

const (
	get  = fiber.MethodGet
	post = fiber.MethodPost
)

// Mount adds every public page to r, at the root of an app made by web.New.
func (s *Site) Mount(r fiber.Router) {
	s.Common.Mount(r, slices.Concat(s.publicRoutes(), s.downloadRoutes(), (&trials{s.frame}).routes(), (&partners{s.frame}).routes()))
}

// front is the head of a public page. A signed-in person gets a link to the console; if that cannot
// be found out, the page is drawn for a stranger.
func (s *frame) front(ctx context.Context, c *fiber.Ctx, h heading) views.Front {
	_, err := s.Visitor(ctx, c)
	s.follow(ctx, c, web.Query(c, views.PathPartnerLinkQuery))
	f := views.Front{
		Title: h.title, Description: h.description, Path: strings.Clone(c.Path()), BaseURL: s.PublicURL, Theme: page.ThemeOf(c),
		SignedIn: err == nil,
	}
	for _, i := range s.Store.Industries().List() {
		f.Industries = append(f.Industries, views.Link{Text: i.Name, Href: views.IndustryPath(string(i.Slug))})
	}
	return f
}

// send hands a mail over, in the language of the page on which it was asked for. When too many
// wait, it refuses with Unavailable.
func (s *frame) send(c *fiber.Ctx, m notify.Mail) error {
	if err := s.Mail.Send(m.In(web.Spoken(c))); err != nil {
		return mailBusy(err)
	}
	return nil
}

// trialDays is how long a trial lasts, in words.
func (s *frame) trialDays() string { return views.Plural(s.Store.Plans().TrialDays, "day", "days") }
