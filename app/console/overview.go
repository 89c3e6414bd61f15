package console

import (
	"context"
	"slices"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// overviewPages serve the overview.
type overviewPages struct{ *Console }

// periods are what the overview can look back on.
var periods = []struct {
	name, text, words string
	back              time.Duration
}{
	{"day", "24 hours", "the last 24 hours", 24 * time.Hour},
	{"week", "7 days", "the last 7 days", 7 * 24 * time.Hour},
	{"month", "30 days", "the last 30 days", 30 * 24 * time.Hour},
}

// dailyDays is how many days stand in the bars.
const dailyDays = 14

// day is one day's rings.
type day struct {
	date   time.Time
	counts counts
}

func (k overviewPages) overview(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	p, days := views.OverviewPage{}, make([]day, 2)
	if v.Role.May(seeFigures) {
		var err error
		if days, err = k.overviewFigures(ctx, c, v, &p); err != nil {
			return err
		}
	}
	if v.Role.May(seeRings) {
		recent, _, err := v.Scope.Rings().List(ctx, store.RingQuery{Limit: 6})
		if err != nil {
			return err
		}
		p.HasRings = len(recent) > 0 && v.Role.May(seeFigures)
		n, err := namesOf(ctx, v.Scope, recent...)
		if err != nil {
			return err
		}
		p.Recent = ringRows(recent, n, v.Zone)
	}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at("Overview", views.NavOverview)); err != nil {
		return err
	}
	if err := k.overviewReach(ctx, c, v, &p, days); err != nil {
		return err
	}
	if v.Role.May(seeAlerts) {
		if err := overviewAlerts(ctx, v, &p); err != nil {
			return err
		}
	}
	if v.Role.May(seeConnections) {
		if p.Pod, err = pod(ctx, v); err != nil {
			return err
		}
	}
	if !v.Role.May(seeFigures) && v.Role.May(seeBilling) {
		p.Instead = billingInstead
	}
	return web.Page(c, views.Overview(p), fiber.StatusOK)
}

// overviewFigures fills in what was counted, and returns the last days.
func (k overviewPages) overviewFigures(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p *views.OverviewPage) ([]day, error) {
	chosenAt := 0
	for i, p := range periods {
		if web.Query(c, "period") == p.name {
			chosenAt = i
		}
	}
	chosen := periods[chosenAt]
	for i, t := range periods {
		p.Periods = append(p.Periods, views.Tab{Text: t.text, Href: views.PathOverview + "?period=" + t.name, Current: i == chosenAt})
	}
	rows, err := k.figures.of(ctx, v.Scope, figure{tenant: v.Tenant.ID, back: chosen.back})
	if err != nil {
		return nil, err
	}
	reasons, _, err := v.Scope.Analytics().Reasons(ctx, k.Now().Add(-chosen.back), time.Time{})
	if err != nil {
		return nil, err
	}
	sounded, err := v.Scope.Analytics().Figures(ctx, k.Now().Add(-chosen.back), time.Time{})
	if err != nil {
		return nil, err
	}
	p.Calls, p.Outcomes = callFiguresOf(sounded, chosen.words), outcomesOf(reasons, chosen.words)
	p.Funnel, p.Latency = funnelOf(countsOf(rows), chosen.words), latencyOf(countsOf(rows), chosen.words)
	over := analytics{q: page.QueryOf(c), v: v, span: spanNamed(chosen.name, "", v, k.Now())}
	over.q.Keep("range", chosen.name)
	if err := over.readHours(ctx, k.hours); err != nil {
		return nil, err
	}
	p.Chart = over.chart()
	return k.daysOf(ctx, v)
}

// overviewReach fills in what depends on devices and credentials: figures, health and first steps.
func (k overviewPages) overviewReach(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p *views.OverviewPage, days []day) error {
	credentials, _, err := v.Scope.Credentials().List(ctx, store.Page{Limit: page.PerPage})
	if err != nil {
		return err
	}
	devices, err := v.Scope.Devices().Count(ctx)
	if err != nil {
		return err
	}
	if v.Role.May(seeFigures) {
		p.Stats = statsOf(days)
	}
	if v.Role.May(seeDevices) {
		p.Stats = append(p.Stats, devicesStat(devices))
	}
	if v.Role.May(seeCredentials) {
		p.Health = k.healthRows(credentials, v)
	}
	reached := p.Shell.Environment != views.EnvNone
	p.CanRing = devices > 0 && reached
	if c.Cookies(doneCookie) != string(v.Tenant.ID) && v.Role.May(mayRing) {
		answered := slices.ContainsFunc(days, func(d day) bool { return d.answered() > 0 })
		p.Checklist, err = checklist{v: v, known: map[tenants.StepCheck]bool{tenants.StepCredential: reached,
			tenants.StepDevice: devices > 0, tenants.StepPersonPhones: devices > 1, tenants.StepAnswered: answered}}.draw(ctx)
		if err == nil {
			p.Checklist.Steps = slices.DeleteFunc(p.Checklist.Steps, func(s views.Step) bool { return !k.opens(v.Role, s.Href) })
		}
	}
	return err
}

// daysOf are the last days' counts, oldest first. A day is one of the tenant's time zone.
func (k overviewPages) daysOf(ctx context.Context, v *page.Visitor) ([]day, error) {
	rows, err := k.figures.of(ctx, v.Scope, figure{tenant: v.Tenant.ID, back: (dailyDays + 1) * 24 * time.Hour, by: "day",
		zone: v.Zone.String()})
	if err != nil {
		return nil, err
	}
	today := v.Midnight(k.Now())
	days := make([]day, dailyDays)
	at := map[string]int{}
	for i := range days {
		days[i] = day{date: today.AddDate(0, 0, i-dailyDays+1), counts: counts{}}
		at[days[i].date.Format(time.DateOnly)] = i
	}
	for _, r := range rows {
		if i, ok := at[r.Group]; ok {
			days[i].counts[r.Fact] = r
		}
	}
	return days, nil
}

func (d day) answered() int { return d.counts.rings(tenants.FactAnswered) }

// share is a part in per cent.
func share(part, whole int) int {
	if whole == 0 {
		return 0
	}
	return min(100, (200*part+whole)/(2*whole))
}

// healthMost bounds the credentials on the overview.
const healthMost = 5

func (k overviewPages) healthRows(all []tenants.Credential, v *page.Visitor) []views.Health {
	var out []views.Health
	for _, c := range all {
		if len(out) == healthMost {
			break
		}
		if c.State == tenants.CredentialPrevious {
			continue // out of use, and nothing to worry about
		}
		h := k.stateOf(c)
		row := views.Health{Name: credentialName(c), Href: views.CredentialPath(string(c.ID)), Tone: h.tone, Word: h.text,
			Note: c.Bundle + ", not used yet"}
		if !c.LastUsedAt.IsZero() {
			row.Note, row.When = c.Bundle+", Apple last accepted it", v.At(c.LastUsedAt)
		}
		if h.tone == views.ToneBad && c.LastError != "" {
			row.Note, row.When = c.Bundle+", Apple’s reason: "+c.LastError+",", v.At(c.LastErrorAt)
		}
		out = append(out, row)
	}
	return out
}
