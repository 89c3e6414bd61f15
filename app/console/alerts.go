package console

import (
	"carillon/app/page"

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

// alertPages serve the alerts.
type alertPages struct{ *Console }

// alertWords say of each kind why it matters and what to do; what happened stands in the alert
// itself.
var alertWords = map[tenants.AlertKind]struct {
	tone      views.Tone
	why, cure string
}{
	tenants.AlertTokensRefused: {views.ToneBad, "When Apple refuses many phones at once, the cause is usually one wrong setting, not the " +
		"phones. No phone was disabled.",
		"Open the credential, choose “Test with Apple now”, and correct the environment and bundle ID."},
	tenants.AlertCredential: {views.ToneBad, "Phones with this app do not ring until this is fixed.",
		"Open it and choose “Test with Apple now”. The result shows what is wrong: key, team, app or environment."},
	tenants.AlertExpiry: {views.ToneWarn, "After it expires, Apple refuses every push that uses it.",
		"Choose “Replace key” on its page."},
	tenants.AlertTooOften: {views.ToneWarn, "Apple slows down senders that make too many requests. Rings may be late for a while.",
		"Wait an hour. If it happens again, check if another server uses the same key."},
	tenants.AlertBlocked: {views.ToneBad, "iOS stops waking an app that did not show its calls. This happens on each phone separately, " +
		"without a message.",
		"Ask people to open the app once, which removes the block. Send your developer to the page “Phone health”."},
	tenants.AlertUnshown: {views.ToneBad, "iOS stops waking an app after a few pushes that did not show a call.",
		"Send your developer to the page “Phone health” before more phones stop ringing."},
	tenants.AlertPhone: {views.ToneWarn, "Calls do not reach the person on this phone. It may be off, offline or without the app, " +
		"or iOS has stopped waking the app on it.",
		"Open the app once on the phone, then start a test ring."},
	tenants.AlertTrial: {views.ToneBad, "When the trial ends, phones stop ringing.",
		"Subscribe before then, so that phones keep ringing."},
}

// alertsShown bounds the alerts on the overview.
const alertsShown = 3

var alertListWords = page.Words{
	Name: "Alerts", Path: views.PathAlerts, CSV: views.PathAlertsCSV, File: "alerts", Search: "Problem, place or detail",
	One: "alert", Many: "alerts",
	Empty: views.Empty{Icon: views.IconDone, Text: "No open alerts.",
		Action: views.Button{Text: "View phone health", Href: views.PathPhoneHealth, Kind: views.Quiet}},
	Sorts: []page.Sort{{Key: "-last", Text: "Latest first"}, {Key: "last", Text: "Longest ago first"},
		{Key: "-first", Text: "Newest first"}, {Key: "first", Text: "Oldest first"}, {Key: "kind", Text: "By problem"}},
}

// alertRows says each alert in words. Credentials and devices are found once for all.
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
	for _, a := range all {
		if a.Kind == tenants.AlertPhone {
			phones = append(phones, tenants.DeviceID(a.Target))
		}
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
			About: alertPlace(a, names), First: v.At(a.FirstAt), Last: v.At(a.LastAt), Count: int(a.Count), Resolved: v.At(a.ResolvedAt),
		}
	}
	return rows, nil
}

// alertPlace is where to look: the page of a credential or phone, the phones with a version of the
// app, or the billing page. names are those of credentials and phones, by id.
func alertPlace(a tenants.Alert, names map[string]string) views.Link {
	name, known := names[a.Target]
	switch a.Kind {
	case tenants.AlertBlocked, tenants.AlertUnshown:
		link := views.Link{Text: versionName(a.Target), Href: views.PathPhoneHealth}
		if a.Target != "" {
			link.Href += "?q=" + url.QueryEscape(a.Target)
		}
		return link
	case tenants.AlertTrial:
		return views.Link{Text: "Billing", Href: views.PathBilling}
	case tenants.AlertPhone:
		if !known {
			return views.Link{Text: "A phone that was removed"}
		}
		return views.Link{Text: name, Href: views.DevicePath(a.Target)}
	}
	if !known {
		return views.Link{Text: "A credential that was removed"}
	}
	return views.Link{Text: name, Href: views.CredentialPath(a.Target)}
}

// list is the alerts that the filters of q leave.
func (k alertPages) list(v *page.Visitor, q *page.Query) page.List[tenants.Alert] {
	ask := store.AlertQuery{}
	state := q.OneOf("state", "closed", "all")
	ask.Open, ask.Closed = state == "", state == "closed"
	alerts := v.Scope.Alerts()
	return page.List[tenants.Alert]{
		Words: alertListWords,
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
// kind's title, the name of a credential, a version.
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
	return ask, err
}

func (k alertPages) alerts(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list := k.list(v, q)
	all, table, err := list.Page(ctx, q, views.Filter{Name: "state", Label: "State", Choices: q.Chosen("state", page.Choice("", "Open"),
		page.Choice("closed", "Closed"), page.Choice("all", "Open and closed"))})
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
	return web.Page(c, views.Alerts(views.AlertsPage{Shell: s, Table: table, Alerts: rows, CanEdit: v.Role.May()}), fiber.StatusOK)
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
