package operator

import (
	"context"
	"path"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
	pages "carillon/views/operator"
)

// handler serves an operator who is signed in.
type handler = func(context.Context, *fiber.Ctx, *visitor) error

// route is one address. Exactly one of public and operator is set.
type route struct {
	method, path string
	stepUp       bool // asks for a proof of who they are where the last one is older than page.ProofTime
	public       func(context.Context, *fiber.Ctx) error
	operator     handler
}

const (
	get  = fiber.MethodGet
	post = fiber.MethodPost
)

// routes lists every address.
func (k *Console) routes() []route {
	in, record, all, health := signInPages{k}, recordPages{k}, tenantPages{k}, healthPages{k}
	return append([]route{
		{method: get, path: "/static/*", public: page.Asset},
		{method: get, path: "/", public: first},
		{method: get, path: pages.PathSignIn, public: in.form},
		{method: post, path: pages.PathSignIn, public: in.enter},
		{method: get, path: views.PathSecond, public: in.askCode},
		{method: post, path: views.PathSecond, public: in.giveCode},
		{method: get, path: pages.WelcomePath(":token"), public: in.welcome},
		{method: post, path: pages.WelcomePath(":token"), public: in.enrol},
		{method: post, path: views.PathTheme, public: in.theme},
		{method: post, path: pages.PathSignOut, operator: in.leave},
		{method: get, path: pages.PathTenants, operator: all.tenants},
		{method: get, path: pages.PathTenantsCSV, operator: all.csv},
		{method: get, path: pages.TenantPath(":id"), operator: all.tenant},
		{method: get, path: pages.SuspendPath(":id"), stepUp: true, operator: all.askSuspend},
		{method: post, path: pages.SuspendPath(":id"), stepUp: true, operator: all.suspend},
		{method: get, path: pages.ResumePath(":id"), stepUp: true, operator: k.confirmed(all.resumption)},
		{method: post, path: pages.ResumePath(":id"), stepUp: true, operator: k.confirmed(all.resumption)},
		{method: post, path: pages.PlanPath(":id"), stepUp: true, operator: all.setPlan},
		{method: post, path: pages.LookPath(":id"), stepUp: true, operator: all.look},
		{method: get, path: pages.PathHealth, operator: health.health},
		{method: get, path: pages.PathTeams, operator: health.teams},
		{method: get, path: pages.PathTeamsCSV, operator: health.teamsCSV},
		{method: get, path: pages.PathEnding, operator: health.ending},
		{method: get, path: pages.PathEndingCSV, operator: health.endingCSV},
		{method: get, path: pages.PathMails, operator: health.mails},
		{method: get, path: pages.PathMailsCSV, operator: health.mailsCSV},
		{method: post, path: pages.ResendPath(":id"), operator: health.resend},
		{method: get, path: pages.PathOperators, operator: record.operators},
		{method: get, path: pages.PathOperatorsCSV, operator: record.operatorsCSV},
		{method: get, path: pages.PathAudit, operator: record.audit},
		{method: post, path: pages.PathAudit, operator: record.verify},
		{method: get, path: pages.PathAuditCSV, operator: record.auditCSV},
	}, slices.Concat(k.accountRoutes(), k.passkeyRoutes(), k.moneyRoutes())...)
}

// moneyRoutes: partners are there always, Stripe's messages where the server takes money.
func (k *Console) moneyRoutes() []route {
	partners, events := partnerPages{k}, eventPages{k}
	all := []route{
		{method: get, path: pages.PathPartners, operator: partners.partners},
		{method: get, path: pages.PathPartnersCSV, operator: partners.csv},
		{method: get, path: pages.PartnerPath(":id"), operator: partners.partner},
		{method: post, path: pages.PaidPath(":id"), stepUp: true, operator: partners.paid},
		{method: get, path: pages.PayoutsPath(":id"), operator: partners.payoutsCSV},
	}
	if k.Billing == nil {
		return all
	}
	return append(all,
		route{method: get, path: pages.PathEvents, operator: events.events},
		route{method: get, path: pages.PathEventsCSV, operator: events.csv},
		route{method: get, path: pages.PathEvents + "/:id", operator: events.event},
		route{method: post, path: pages.PathEvents + "/:id/replay", operator: events.replay},
	)
}

// back is where the person came from, if it is a page of ours; else otherwise. Of a page that only
// a form leads to, it is the page above it.
func (k *Console) back(c *fiber.Ctx, otherwise string) string {
	from := page.Back(c, otherwise)
	all := k.routes()
	drawn := func(at string) bool {
		return slices.ContainsFunc(all, func(r route) bool { return r.method == get && fiber.RoutePatternMatch(at, r.path) })
	}
	at, _, _ := strings.Cut(from, "?")
	if drawn(at) {
		return from
	}
	for at != "/" && at != "." && !drawn(at) {
		at = path.Dir(at)
	}
	if at == "." {
		return otherwise
	}
	return at
}

func first(_ context.Context, c *fiber.Ctx) error {
	return c.Redirect(pages.PathTenants, fiber.StatusSeeOther)
}

// serve lets in the operators that a route is for.
func (k *Console) serve(r route) func(context.Context, *fiber.Ctx) error {
	if r.public != nil {
		return r.public
	}
	return func(ctx context.Context, c *fiber.Ctx) error {
		v, err := k.visitor(ctx, c)
		switch {
		case tenants.KindOf(err) == tenants.Unauthorized && r.method == get:
			return c.Redirect(pages.PathSignIn, fiber.StatusSeeOther)
		case err != nil:
			return err
		}
		c.Locals(visitorKey{}, v)
		if r.method != get {
			if err := web.MayWrite(c, v.holder()); err != nil {
				return err
			}
		}
		if r.stepUp && k.Now().Sub(v.in.ProvedAt) >= page.ProofTime {
			return k.askProof(c, r)
		}
		return r.operator(ctx, c, v)
	}
}
