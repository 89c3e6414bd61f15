package console

import (
	"context"
	"net/url"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// alertWords say of each kind why it matters and what to do; what happened stands in the alert itself.
var alertWords = map[tenants.AlertKind]struct {
	tone      views.Tone
	why, cure string
}{
	tenants.AlertMass: {views.ToneBad, "When Apple refuses many phones at once, the phones are not to blame: one setting is. No phone was switched off for it.",
		"Open the credential, press “Check with Apple now”, and set environment and bundle id right."},
	tenants.AlertCredential: {views.ToneBad, "Phones of its app do not ring until this is mended.",
		"Open it and press “Check with Apple now”: it says which of key, team, app and environment is wrong."},
	tenants.AlertExpiry: {views.ToneWarn, "From its last day on, Apple refuses every push that is signed with it.",
		"Press “Upload its successor” on its page."},
	tenants.AlertTooOften: {views.ToneWarn, "Apple slows down whoever asks too often; until it has calmed down, rings may come late.",
		"Wait an hour. If it comes back, look for another server that signs with the same key."},
	tenants.AlertBlocked: {views.ToneBad, "iOS stops waking an app that failed to show calls. It does so phone by phone, and tells nobody.",
		"Let people open the app once, which lifts the block, and give your developer the page about waking."},
	tenants.AlertUnshown: {views.ToneBad, "iOS forgives an app few pushes without a call on the screen, and then stops waking it.",
		"Give your developer the page about waking, before more phones fall silent."},
}

// alertsShown bounds the alerts on the overview.
const alertsShown = 3

var alertList = list{
	name: "Alerts", path: views.PathAlerts, csv: views.PathAlertsCSV, search: "What, where or detail", one: "alert", many: "alerts",
	empty: views.Empty{Icon: views.IconDone, Text: "All is well. Nothing needs a look.",
		Action: views.Button{Text: "See how phones do", Href: views.PathWatch, Kind: views.Quiet}},
}

// alertRows says each alert in words. Credentials are found once for all.
func alertRows(ctx context.Context, v *visitor, all []tenants.Alert) ([]views.AlertRow, error) {
	if len(all) == 0 {
		return nil, nil
	}
	credentials, _, err := v.scope.Credentials(ctx, store.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	names := map[string]string{}
	for _, c := range credentials {
		names[string(c.ID)] = credentialName(c)
	}
	rows := make([]views.AlertRow, len(all))
	for i, a := range all {
		w := alertWords[a.Kind]
		rows[i] = views.AlertRow{
			Kind: string(a.Kind), Target: a.Target, Title: a.Kind.Title(), Tone: w.tone, Detail: a.Detail, Why: w.why, Cure: w.cure,
			About: alertPlace(a, names), First: v.at(a.FirstAt), Last: v.at(a.LastAt), Count: int(a.Count), Resolved: v.at(a.ResolvedAt),
		}
	}
	return rows, nil
}

// alertPlace is where to look: a credential's page, or the phones with a version of the app.
func alertPlace(a tenants.Alert, credentials map[string]string) views.Link {
	if a.Kind == tenants.AlertBlocked || a.Kind == tenants.AlertUnshown {
		link := views.Link{Text: versionName(a.Target), Href: views.PathWatch}
		if a.Target != "" {
			link.Href += "?q=" + url.QueryEscape(a.Target)
		}
		return link
	}
	if name, ok := credentials[a.Target]; ok {
		return views.Link{Text: name, Href: views.CredentialPath(a.Target)}
	}
	return views.Link{Text: "A credential that was removed"}
}

// alertQuery is what the list is asked for.
type alertQuery struct {
	search, state string
	from          int // rows before this page
}

func alertQueryOf(q *query) alertQuery {
	ask := alertQuery{search: strings.ToLower(q.text("q")), state: q.oneOf("state", "closed", "all")}
	if q.after != "" {
		n, err := strconv.Atoi(q.after)
		if err != nil || n < 1 {
			q.faults = append(q.faults, tenants.Field{Name: "after", Message: "the next of the page before"})
		}
		ask.from = n
	}
	return ask
}

func (a alertQuery) wants(r views.AlertRow) bool {
	closed := r.Resolved.ISO != ""
	if a.state == "" && closed || a.state == "closed" && !closed {
		return false
	}
	return a.search == "" || strings.Contains(strings.ToLower(strings.Join([]string{r.Title, r.Detail, r.About.Text, r.Target, r.Kind}, "\n")), a.search)
}

// alertsOf are the alerts that were asked for, the latest first. A tenant has few: one for each kind and target.
func alertsOf(ctx context.Context, v *visitor, ask alertQuery) ([]views.AlertRow, error) {
	all, err := v.scope.Alerts(ctx, ask.state != "")
	if err != nil {
		return nil, err
	}
	rows, err := alertRows(ctx, v, all)
	var out []views.AlertRow
	for _, r := range rows {
		if ask.wants(r) {
			out = append(out, r)
		}
	}
	return out, err
}

func (k *Console) alerts(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := alertQueryOf(q)
	if err := q.err(); err != nil {
		return err
	}
	rows, err := alertsOf(ctx, v, ask)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Alerts", views.RoomAlerts))
	if err != nil {
		return err
	}
	rows, next := paged(rows, ask.from)
	states := views.Filter{Name: "state", Label: "State", Choices: q.chosen("state", choice("", "Open"), choice("closed", "Closed"), choice("all", "Open and closed"))}
	return web.Page(c, views.Alerts(views.AlertsPage{Shell: s, Table: q.table(alertList, len(rows), next, states), Alerts: rows, CanEdit: v.role.May()}), fiber.StatusOK)
}

// paged is a page out of a list that is all here, and where the next one begins.
func paged[T any](all []T, from int) (page []T, next string) {
	all = all[min(from, len(all)):]
	if len(all) > perPage {
		return all[:perPage], strconv.Itoa(from + perPage)
	}
	return all, ""
}

func (k *Console) alertsCSV(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := alertQueryOf(q)
	if err := q.err(); err != nil {
		return err
	}
	all, err := v.scope.Alerts(ctx, ask.state != "")
	if err != nil {
		return err
	}
	words, err := alertRows(ctx, v, all)
	if err != nil {
		return err
	}
	rows := [][]string{}
	for i, a := range all {
		if ask.wants(words[i]) {
			rows = append(rows, []string{string(a.Kind), words[i].Title, a.Target, words[i].About.Text, a.Detail, strconv.FormatInt(a.Count, 10),
				stamp(a.FirstAt), stamp(a.LastAt), stamp(a.ResolvedAt)})
		}
	}
	return k.sendSheet(ctx, c, sheet{
		name: "alerts", head: []string{"kind", "title", "target", "where", "detail", "count", "first_at", "last_at", "closed_at"},
		more: func(context.Context, string) ([][]string, string, error) { return rows, "", nil },
	})
}

// closeAlert closes an alert that somebody has seen to. While its cause goes on it is raised anew.
func (k *Console) closeAlert(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	f := formOf(c)
	if err := v.scope.ResolveAlert(ctx, tenants.AlertKind(f.raw("kind")), f.raw("target")); err != nil {
		return err
	}
	return k.done(c, flashClosed, views.PathAlerts)
}

// overviewAlerts fills in what needs a look.
func overviewAlerts(ctx context.Context, v *visitor, p *views.OverviewPage) error {
	open, err := v.scope.Alerts(ctx, false)
	if err != nil {
		return err
	}
	p.MoreAlerts = max(0, len(open)-alertsShown)
	p.Alerts, err = alertRows(ctx, v, open[:min(len(open), alertsShown)])
	return err
}
