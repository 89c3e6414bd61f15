package console

import (
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// alertPages serve the alerts.
type alertPages struct{ *Console }

// alertsShown bounds the alerts on the overview.
const alertsShown = 3

// alertRows says each alert in words. Credentials, devices and agents are found once for all.
func alertRows(ctx context.Context, v *page.Visitor, all []tenants.Alert) ([]views.AlertRow, error) {
	if len(all) == 0 {
		return nil, nil
	}
	credentials, err := everyCredential(ctx, v)
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, c := range credentials {
		names[string(c.ID)] = credentialName(c)
	}
	var phones []tenants.DeviceID
	var speakers []tenants.AgentID
	for _, a := range all {
		switch a.Kind {
		case tenants.AlertPhone:
			phones = append(phones, tenants.DeviceID(a.Target))
		case tenants.AlertAgent:
			speakers = append(speakers, tenants.AgentID(a.Target))
		}
	}
	agents, err := v.Scope.Agents().ByID(ctx, speakers)
	if err != nil {
		return nil, err
	}
	for id, a := range agents {
		names[string(id)] = a.Name
	}
	rules, err := alertRules(ctx, v, all, names)
	if err != nil {
		return nil, err
	}
	for _, a := range all {
		if a.Kind == tenants.AlertDuty {
			if g, err := v.Scope.Groups().Get(ctx, tenants.GroupID(a.Target)); err == nil {
				names[a.Target] = g.Name
			}
		}
		if a.Kind != tenants.AlertKeyExpiry {
			continue
		}
		if key, err := v.Scope.Keys().Get(ctx, tenants.KeyID(a.Target)); err == nil {
			names[a.Target] = key.Name
		}
	}
	connections, _, err := v.Scope.Connections().List(ctx, store.Page{}) // fewer than a page
	if err != nil {
		return nil, err
	}
	for _, c := range connections {
		names[string(c.ID)] = c.Name
	}
	devices, err := v.Scope.Devices().ByID(ctx, phones)
	if err != nil {
		return nil, err
	}
	for id, d := range devices {
		names[string(id)] = deviceName(d)
	}
	rows := make([]views.AlertRow, len(all))
	for i, a := range all {
		w := alertWords[a.Kind]
		rows[i] = views.AlertRow{
			Kind: string(a.Kind), Target: a.Target, Title: a.Kind.Title(), Tone: w.tone, Detail: a.Detail, Why: w.why, Cure: w.cure,
			About: alertPlace(a, names), Rings: alertRings(a, rules), First: v.At(a.FirstAt), Last: v.At(a.LastAt),
			Count: int(a.Count), Resolved: v.At(a.ResolvedAt),
		}
		if r, ok := rules[a.Target]; ok && a.Kind == tenants.AlertOfRule {
			rows[i].Title = r.Name
		}
	}
	return rows, nil
}

// alertRules finds the rules and targets that alerts name. It adds their names.
func alertRules(ctx context.Context, v *page.Visitor, all []tenants.Alert, names map[string]string) (map[string]tenants.AlertRule, error) {
	kinds := map[tenants.AlertKind]bool{}
	for _, a := range all {
		kinds[a.Kind] = true
	}
	out := map[string]tenants.AlertRule{}
	if kinds[tenants.AlertOfRule] {
		rules, _, err := v.Scope.AlertRules().List(ctx, store.Page{Limit: int(tenants.CapAlertRules.Most)})
		if err != nil {
			return nil, err
		}
		for _, r := range rules {
			out[string(r.ID)], names[string(r.ID)] = r, r.Name
		}
	}
	if kinds[tenants.AlertTargetFails] {
		targets, _, err := v.Scope.AlertTargets().List(ctx, store.Page{Limit: int(tenants.CapAlertTargets.Most)})
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			names[string(t.ID)] = t.Name
		}
	}
	return out, nil
}

// alertRings leads from an alert of a rule to the rings that it counted.
func alertRings(a tenants.Alert, rules map[string]tenants.AlertRule) views.Link {
	r, ok := rules[a.Target]
	if !ok || a.Kind != tenants.AlertOfRule {
		return views.Link{}
	}
	until := a.ResolvedAt
	if until.IsZero() {
		until = a.LastAt
	}
	return ringsOfRule(r, a.FirstAt, until.Add(r.Step()))
}

// list is the alerts that the filters of q leave.
func (k alertPages) list(v *page.Visitor, q *page.Query) page.List[tenants.Alert] {
	ask := store.AlertQuery{}
	state := q.OneOf("state", "closed", "all")
	ask.Open, ask.Closed = state == "", state == "closed"
	ask.From, ask.To = q.Span(v, k.Now())
	alerts := v.Scope.Alerts()
	return page.List[tenants.Alert]{
		Words: alertListWords, Keeper: v.Keeper(), Bulk: bulkOne(v, mayAlerts, views.PathAlertsBulk, "close", "Close", views.IconCheck),

		Find: func(ctx context.Context, p store.Page) ([]tenants.Alert, string, error) {
			ask, err := searched(ctx, v, ask.At(p), p.Search)
			if err != nil {
				return nil, "", err
			}
			return alerts.Find(ctx, ask)
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) {
			ask, err := searched(ctx, v, ask.At(p), p.Search)
			if err != nil {
				return store.Total{}, err
			}
			return alerts.Total(ctx, ask)
		},
		Head: []string{"kind", "title", "target", "where", "detail", "count", "first_at", "last_at", "closed_at"},
		Cells: func(ctx context.Context, all []tenants.Alert) ([][]string, error) {
			words, err := alertRows(ctx, v, all)
			rows := make([][]string, len(words))
			for i, w := range words {
				rows[i] = []string{w.Kind, w.Title, w.Target, w.About.Text, w.Detail, strconv.FormatInt(all[i].Count, 10),
					page.Stamp(all[i].FirstAt), page.Stamp(all[i].LastAt), page.Stamp(all[i].ResolvedAt)}
			}
			return rows, err
		},
	}
}

// searched adds a search. What is searched for stands in the alert, or on the page beside it: a
// kind's title, a version, the name of what it is about.
func searched(ctx context.Context, v *page.Visitor, ask store.AlertQuery, text string) (store.AlertQuery, error) {
	text = strings.ToLower(text)
	if ask.Search = strings.TrimPrefix(text, "version "); text == "" {
		return ask, nil
	}
	for kind := range alertWords {
		if strings.Contains(strings.ToLower(kind.Title()), text) {
			ask.Kinds = append(ask.Kinds, kind)
		}
	}
	credentials, err := everyCredential(ctx, v)
	for _, c := range credentials {
		if strings.Contains(strings.ToLower(credentialName(c)), text) {
			ask.Targets = append(ask.Targets, string(c.ID))
		}
	}
	if err != nil {
		return ask, err
	}
	named, err := alertsNamed(ctx, v.Scope, store.Page{Search: text, Limit: 200})
	ask.Targets = append(ask.Targets, named...)
	return ask, err
}

// alertsNamed are the ids of what an alert can be about, found by its name.
func alertsNamed(ctx context.Context, s *store.Scope, p store.Page) (ids []string, err error) {
	devices, _, err := s.Devices().List(ctx, store.DeviceQuery{}.At(p))
	if err != nil {
		return nil, err
	}
	ids = mapped(devices, func(d tenants.Device) string { return string(d.ID) })
	agents, _, err1 := s.Agents().List(ctx, p)
	connections, _, err2 := s.Connections().List(ctx, p)
	groups, _, err3 := s.Groups().List(ctx, p)
	keys, _, err4 := s.Keys().List(ctx, p)
	rules, _, err5 := s.AlertRules().List(ctx, p)
	targets, _, err6 := s.AlertTargets().List(ctx, p)
	ids = append(ids, mapped(agents, func(a tenants.Agent) string { return string(a.ID) })...)
	ids = append(ids, mapped(connections, func(x tenants.Connection) string { return string(x.ID) })...)
	ids = append(ids, mapped(groups, func(g tenants.Group) string { return string(g.ID) })...)
	ids = append(ids, mapped(keys, func(x tenants.Key) string { return string(x.ID) })...)
	ids = append(ids, mapped(rules, func(r tenants.AlertRule) string { return string(r.ID) })...)
	ids = append(ids, mapped(targets, func(t tenants.AlertTarget) string { return string(t.ID) })...)
	return ids, errors.Join(err1, err2, err3, err4, err5, err6)
}

func (k alertPages) alerts(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list := k.list(v, q)
	all, table, err := list.Page(ctx, q, views.Filter{Name: "state", Label: "State", Choices: q.Chosen("state", page.Choice("", "Open"),
		page.Choice("closed", "Closed"), page.Choice("all", "All alerts"))}, q.Periods())
	if err != nil {
		return err
	}
	rows, err := alertRows(ctx, v, all)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Alerts", views.NavAlerts))
	if err != nil {
		return err
	}
	return web.Page(c, views.Alerts(views.AlertsPage{Shell: s, Table: table, Alerts: rows, CanEdit: v.Role.May(mayAlerts)}), fiber.StatusOK)
}

func (k alertPages) alertsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	return k.list(v, q).Send(ctx, c, k.Common, q)
}

// closeAlert closes an alert that a person has dealt with. If its cause remains, it is raised
// again.
func (k alertPages) closeAlert(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	if err := v.Scope.Alerts().Resolve(ctx, tenants.AlertKind(f.Raw("kind")), f.Raw("target")); err != nil {
		return err
	}
	return k.Done(c, page.FlashClosed, views.PathAlerts)
}

// overviewAlerts fills in what needs a look.
func overviewAlerts(ctx context.Context, v *page.Visitor, p *views.OverviewPage) error {
	open, _, err := v.Scope.Alerts().Find(ctx, store.AlertQuery{Open: true, Limit: alertsShown})
	if err != nil {
		return err
	}
	p.MoreAlerts = max(0, p.Shell.Alerts-alertsShown)
	p.Alerts, err = alertRows(ctx, v, open)
	return err
}
