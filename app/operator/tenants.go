package operator

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
	pages "carillon/views/operator"
)

// tenantPages serve all tenants, and one.
type tenantPages struct{ *Console }

// overview is a tenant with what its subscription allows.
type overview struct {
	store.TenantOverview
	may    tenants.Entitlement
	owners []string // their addresses, where somebody searches
}

// words are what a tenant is found by, beside its owners.
func (t overview) words() []string {
	return []string{t.Tenant.Name, t.Tenant.Slug, t.Tenant.File().Name, string(t.Tenant.ID), planName(t)}
}

// foundBy are the owners by which a search found the tenant; none where its other words are enough.
func (t overview) foundBy(search string) (owners []string) {
	typed := typedWords(search)
	if hasAll(t.words(), typed) {
		return nil
	}
	for _, email := range t.owners {
		if slices.ContainsFunc(typed, func(word string) bool { return hasAll([]string{email}, []string{word}) }) {
			owners = append(owners, email)
		}
	}
	return owners
}

// month is the first moment of the month, UTC.
func month(now time.Time) time.Time {
	year, m, _ := now.UTC().Date()
	return time.Date(year, m, 1, 0, 0, 0, 0, time.UTC)
}

func (k tenantPages) all(ctx context.Context) ([]overview, error) {
	found, err := k.Store.Operators().Tenants(ctx, month(k.Now()))
	if err != nil {
		return nil, err
	}
	plans, out := k.Store.Plans(), make([]overview, len(found))
	for i, t := range found {
		out[i] = overview{TenantOverview: t}
		plan := tenants.Plan{}
		if t.Subscription != nil {
			plan = planOf(plans, t.Subscription.Plan)
		}
		out[i].may = tenants.Entitle(t.Subscription, plan, tenants.Usage{}, k.Now())
	}
	return out, nil
}

// searched is all for a list: where somebody searches, with the addresses of owners.
func (k tenantPages) searched(ctx context.Context, q *page.Query) ([]overview, error) {
	all, err := k.all(ctx)
	if err != nil || q.Raw("q") == "" {
		return all, err
	}
	owners, err := k.Store.Operators().Owners(ctx)
	for i := range all {
		all[i].owners = owners[all[i].Tenant.ID]
	}
	return all, err
}

// planOf is the plan of a code; one that the plans file does not have has its code as name.
func planOf(plans tenants.Plans, code string) tenants.Plan {
	if p, ok := plans.Plan(code); ok {
		return p
	}
	return tenants.Plan{Code: code, Name: code}
}

// share is how many of the rings that ended were answered.
func share(c tenants.Counts) float64 {
	if c.Over() == 0 {
		return -1
	}
	return float64(c.Answered) / float64(c.Over())
}

var tenantOrders = map[store.Sort]func(a, b overview) int{
	"name": func(a, b overview) int {
		return strings.Compare(strings.ToLower(a.Tenant.Name), strings.ToLower(b.Tenant.Name))
	},
	"created":  func(a, b overview) int { return a.Tenant.CreatedAt.Compare(b.Tenant.CreatedAt) },
	"rings":    func(a, b overview) int { return cmp.Compare(a.Counts.Rings, b.Counts.Rings) },
	"calls":    func(a, b overview) int { return cmp.Compare(a.Counts.Answered, b.Counts.Answered) },
	"answered": func(a, b overview) int { return cmp.Compare(share(a.Counts), share(b.Counts)) },
	"devices":  func(a, b overview) int { return cmp.Compare(a.Devices, b.Devices) },
	"last":     func(a, b overview) int { return a.LastRing.Compare(b.LastRing) },
	"alerts":   func(a, b overview) int { return cmp.Compare(a.Alerts, b.Alerts) },
	"plan":     func(a, b overview) int { return strings.Compare(planName(a), planName(b)) },
}

// list is the tenants that the search and filters of q leave.
func (k tenantPages) list(all []overview, q *page.Query) page.List[overview] {
	state := q.OneOf("state", string(tenants.TenantActive), string(tenants.TenantSuspended), "trouble")
	found := []overview{}
	for _, t := range matching(all, q.Text("q"), func(t overview) []string { return append(t.words(), t.owners...) }) {
		if state == "" || state == string(t.Tenant.State) || state == "trouble" && t.may.Refusal() != nil {
			found = append(found, t)
		}
	}
	return page.List[overview]{Words: tenantWords, Find: page.InMemory(found, tenantOrders), Total: totalOf(found),
		Head: []string{"id", "slug", "name", "industry", "plan", "standing", "state", "rings_this_month", "calls_this_month",
			"answered_percent", "devices", "people", "last_ring_at", "open_alerts", "created_at"},
		Cells: page.Each(func(t overview) []string {
			return []string{string(t.Tenant.ID), t.Tenant.Slug, t.Tenant.Name, string(t.Tenant.Industry), planCode(t),
				string(t.may.Standing), string(t.Tenant.State), plain(t.Counts.Rings), plain(t.Counts.Answered),
				percentCell(t.Counts), plain(t.Devices), plain(t.People), page.Stamp(t.LastRing), plain(t.Alerts),
				page.Stamp(t.Tenant.CreatedAt)}
		})}
}

func (k tenantPages) tenants(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := page.QueryOf(c)
	all, err := k.searched(ctx, q)
	if err != nil {
		return err
	}
	l := k.list(all, q)
	rows, table, err := l.Page(ctx, q, filtered(all, "state", stateLabel, q.Chosen("state", stateChoices()...))...)
	if err != nil {
		return err
	}
	p := pages.TenantsPage{Shell: k.shell(c, v, tenantWords.Name, pages.NavTenants), Table: table, Stats: tenantStats(all)}
	for _, t := range rows {
		p.Rows = append(p.Rows, pages.TenantRow{ID: string(t.Tenant.ID), Name: t.Tenant.Name, Slug: t.Tenant.Slug,
			Industry: t.Tenant.File().Name, Plan: planName(t), Standing: standingShown(t), Trouble: t.may.Refusal() != nil,
			State: stateOfTenant(t.Tenant), Rings: count(t.Counts.Rings), Calls: count(t.Counts.Answered),
			Answered: views.Percent(int(t.Counts.Answered), int(t.Counts.Over())), Devices: count(t.Devices), Last: at(t.LastRing),
			Alerts: int(t.Alerts), Owners: strings.Join(t.foundBy(table.Query), ", ")})
	}
	return web.Page(c, pages.Tenants(p), fiber.StatusOK)
}

func (k tenantPages) csv(ctx context.Context, c *fiber.Ctx, _ *visitor) error {
	q := page.QueryOf(c)
	all, err := k.searched(ctx, q)
	if err != nil {
		return err
	}
	return k.list(all, q).Send(ctx, c, k.Common, q)
}

// one is the tenant of the address, and its scope with the operator as the actor.
func (k tenantPages) one(ctx context.Context, c *fiber.Ctx, v *visitor) (overview, *store.Scope, error) {
	id, err := web.ID[tenants.TenantID](c, "tenant")
	if err != nil {
		return overview{}, nil, err
	}
	all, err := k.all(ctx)
	if err != nil {
		return overview{}, nil, err
	}
	for _, t := range all {
		if t.Tenant.ID == id {
			return t, k.Store.For(id).By(v.who), nil
		}
	}
	return overview{}, nil, tenants.NoSuch("tenant")
}

// actsShown is how many acts of operators a tenant's page has.
const actsShown = 20

func (k tenantPages) tenant(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	t, scope, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	return k.show(ctx, c, v, t, scope, pages.PlanForm{}, fiber.StatusOK)
}

func (k tenantPages) show(ctx context.Context, c *fiber.Ctx, v *visitor, t overview, scope *store.Scope, give pages.PlanForm,
	status int) error {
	may, err := scope.Subscription().Entitlement(ctx)
	if err != nil {
		return err
	}
	may.Usage.Devices, may.Usage.People = t.Devices, t.People
	acts, _, err := k.Store.Operators().Audits(ctx, store.OperatorAuditQuery{Target: string(t.Tenant.ID),
		Page: store.Page{Limit: actsShown}})
	if err != nil {
		return err
	}
	alerts, err := scope.Alerts().List(ctx, false)
	if err != nil {
		return err
	}
	members, _, err := scope.Members().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return err
	}
	credentials, _, err := scope.Credentials().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return err
	}
	give.Plans, give.Stripe = k.choices(t), t.Subscription != nil && t.Subscription.Live()
	p := pages.TenantPage{Shell: k.shell(c, v, t.Tenant.Name, pages.NavTenants, up(tenantWords.Name, pages.PathTenants)),
		ID: string(t.Tenant.ID), Notices: noticesOf(t.Tenant, may), Stats: statsOf(t), Facts: factsOf(t), Plan: planRows(t, may),
		Owners: ownersOf(members), Health: healthOf(credentials, k.Now()), Alerts: alertRows(alerts), Acts: auditRows(acts),
		Active: t.Tenant.State == tenants.TenantActive, Give: give}
	if t.Tenant.LookUntil.After(k.Now()) && p.Active {
		p.Look.Until = at(t.Tenant.LookUntil)
	}
	return web.Page(c, pages.Tenant(p), status)
}

// choices are the plans that can be given.
func (k tenantPages) choices(t overview) []views.Choice {
	all := []views.Choice{page.Choice("none", noPlan), page.Choice("trial", trialPlan)}
	for _, p := range k.Store.Plans().Plans {
		all = append(all, page.Choice(p.Code, p.Name))
	}
	return page.Choose(planCode(t), all...)
}

func (k tenantPages) askSuspend(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.suspendForm(ctx, c, v, "", "", fiber.StatusOK)
}

func (k tenantPages) suspendForm(ctx context.Context, c *fiber.Ctx, v *visitor, why, fault string, status int) error {
	t, _, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	id := string(t.Tenant.ID)
	return web.Page(c, pages.Suspend(pages.SuspendPage{
		Shell: k.shell(c, v, suspendTitle, pages.NavTenants, up(tenantWords.Name, pages.PathTenants),
			up(t.Tenant.Name, pages.TenantPath(id))),
		ID: id, Name: t.Tenant.Name, Consequence: consequenceOf(t),
		Why: views.Field{Name: "why", Label: whyLabel, Value: why, Help: whyHelp, Error: fault}}), status)
}

func (k tenantPages) suspend(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	t, scope, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	why := page.FormOf(c).Text("why")
	err = scope.Suspend(ctx, why)
	if w, ok := page.WrongOf(err); ok {
		return k.suspendForm(ctx, c, v, page.Shown(why, tenants.SuspendedWhyMost), w.Fields["why"], w.Status)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSuspended, pages.TenantPath(string(t.Tenant.ID)))
}

func (k tenantPages) resumption(ctx context.Context, c *fiber.Ctx, v *visitor) (confirmation, error) {
	t, scope, err := k.one(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	home := pages.TenantPath(string(t.Tenant.ID))
	return confirmation{ask: resumeQuestion(t.Tenant), title: resumeTitle, nav: pages.NavTenants,
		up: []views.Link{up(tenantWords.Name, pages.PathTenants), up(t.Tenant.Name, home)},
		do: scope.Resume, said: page.FlashTenantBack, next: home}, nil
}

// setPlan gives a plan. It refuses a tenant who pays through Stripe, so that nobody pays for a plan
// that was given.
func (k tenantPages) setPlan(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	t, scope, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	f := page.FormOf(c)
	code, until := f.Text("plan"), time.Time{}
	again := func(fault string) error {
		return k.show(ctx, c, v, t, scope, pages.PlanForm{Error: fault, Until: page.Shown(f.Text("until"), 10)},
			fiber.StatusUnprocessableEntity)
	}
	if day := f.Text("until"); day != "" {
		if until, err = time.Parse(time.DateOnly, day); err != nil || !until.After(k.Now()) {
			return again(wrongUntil)
		}
	}
	var given tenants.Subscription
	if t.Subscription != nil {
		given = *t.Subscription
	}
	plans := k.Store.Plans()
	n := plans.Assigned(t.Tenant.ID, code, k.Now(), until)
	if code == "trial" {
		n = plans.Trial(t.Tenant.ID, plans.Plans[0].Code, k.Now())
	}
	switch _, known := plans.Plan(n.Plan); {
	case given.Live():
		return again(paysStripe)
	case code == "none" && t.Subscription == nil:
		return k.Done(c, page.FlashPlanGiven, pages.TenantPath(string(t.Tenant.ID)))
	case code == "none":
		err = scope.Subscription().Remove(ctx)
	case !known:
		return again(wrongPlan)
	default:
		n.Customer = given.Customer
		err = scope.Subscription().Set(ctx, n)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashPlanGiven, pages.TenantPath(string(t.Tenant.ID)))
}

// look makes a one-time link to the tenant's console, where the tenant agrees; without that both
// records have the attempt. It is a link and no redirect, because a form may not lead to another
// address.
func (k tenantPages) look(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	t, scope, err := k.one(ctx, c, v)
	if err != nil {
		return err
	}
	code := tenants.NewSecret(tenants.OperatorPrefix)
	if err := k.Store.Operators().NewLook(ctx, v.operator.ID, t.Tenant.ID, code.Hash()); err != nil {
		if tenants.KindOf(err) == tenants.Forbidden {
			err = cmp.Or(scope.Audits().Refused(ctx, "tenant.look", string(t.Tenant.ID), withoutConsent), err)
		}
		return err
	}
	home := pages.TenantPath(string(t.Tenant.ID))
	shell := k.shell(c, v, lookTitle, pages.NavTenants, up(tenantWords.Name, pages.PathTenants), up(t.Tenant.Name, home))
	shell.Once = true
	return web.Page(c, pages.Look(pages.LookPage{
		Shell: shell, Name: t.Tenant.Name, Href: k.ConsoleURL + views.LookPath(string(code)), Back: home}), fiber.StatusOK)
}
