package console

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// AlertTargets reaches the targets of alerts. *health.Targets does.
type AlertTargets interface {
	// Check refuses an address that we do not connect to.
	Check(address string) error
	// Test sends a made-up alert, and says what the far end answered.
	Test(ctx context.Context, scope *store.Scope, id tenants.AlertTargetID) (good bool, answer string, err error)
}

// alertTargetPages serve the targets of alerts.
type alertTargetPages struct{ *Console }

func (k alertTargetPages) list(v *page.Visitor) page.List[tenants.AlertTarget] {
	targets := v.Scope.AlertTargets()
	return page.List[tenants.AlertTarget]{
		Words: alertTargetWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayAlerts), Find: targets.List, Total: targets.Total,
		Head: []string{"id", "name", "kind", "address", "roles", "every_alert", "tried_at", "good", "answer", "created_at"},
		Cells: page.Each(func(t tenants.AlertTarget) []string {
			return []string{string(t.ID), t.Name, string(t.Kind), t.Shown, strings.Join(roleNames(t.Roles), " "), strconv.FormatBool(t.All),
				page.Stamp(t.TriedAt), strconv.FormatBool(t.Good), t.Answer, page.Stamp(t.CreatedAt)}
		}),
	}
}

func roleNames(roles []tenants.Role) []string {
	return mapped(roles, func(r tenants.Role) string { return string(r) })
}

func (k alertTargetPages) targets(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Alert targets", views.NavAlerts, up("Alerts", views.PathAlerts)))
	if err != nil {
		return err
	}
	p := views.WatchPage{Shell: s, Table: table, Lead: targetsLead, Head: "Target", Say: "Latest answer", Key: "tried", When: "Last try",
		Other: views.Button{Text: "Rules", Href: views.PathAlertRules, Icon: views.IconChart, Kind: views.Quiet}}
	if v.Role.May(mayAlerts) {
		p.Add = alertTargetWords.Add
	}
	for _, t := range all {
		row := views.WatchRow{Href: views.AlertTargetPath(string(t.ID)), Name: t.Name, Note: targetNote(t), Say: t.Answer,
			When: v.At(t.TriedAt)}
		row.Tone, row.Word = targetState(t)
		p.Rows = append(p.Rows, row)
	}
	return web.Page(c, views.Watch(p), fiber.StatusOK)
}

func (k alertTargetPages) targetsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func (k alertTargetPages) targetForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.targetPage(ctx, c, v, tenants.AlertTarget{Kind: tenants.TargetMail, Roles: []tenants.Role{tenants.Owner, tenants.Admin}}, "",
		page.Wrong{Status: fiber.StatusOK})
}

func oneTarget(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.AlertTarget, error) {
	id, err := web.ID[tenants.AlertTargetID](c, "alert target")
	if err != nil {
		return tenants.AlertTarget{}, err
	}
	return v.Scope.AlertTargets().Get(ctx, id)
}

func (k alertTargetPages) target(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	t, err := oneTarget(ctx, c, v)
	if err != nil {
		return err
	}
	return k.targetPage(ctx, c, v, t, "", page.Wrong{Status: fiber.StatusOK})
}

// targetPage is the form of a target; one without an id is new.
func (k alertTargetPages) targetPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, t tenants.AlertTarget, address string,
	w page.Wrong) (err error) {
	title := "Add a target"
	p := views.TargetFormPage{Action: views.PathAlertTargetAdd, CanEdit: v.Role.May(mayAlerts),
		Error: w.Unseen("name", "kind", "url"),
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(t.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: "On-call channel"},
		All: views.Tick{Name: "all", Value: "1", Label: "Send every alert", Help: everyHelp, Checked: t.All}}
	if t.ID == "" {
		p.Kinds = views.Pick{Name: "kind", Label: "Kind", Error: w.Fields["kind"]}
		for _, kind := range tenants.TargetKinds {
			p.Kinds.Choices = append(p.Kinds.Choices, page.Choice(string(kind), kind.Name()))
		}
		p.Kinds.Choices = page.Choose(string(t.Kind), p.Kinds.Choices...)
		p.URL = views.Field{Name: "url", Label: "Address", Type: "url", Value: page.Shown(address, 2048), Max: 2048, Optional: true,
			Help: addressHelp, Error: w.Fields["url"], Placeholder: "https://hooks.example.com/alerts"}
	} else {
		title, p.Action = t.Name, views.AlertTargetPath(string(t.ID))
		p.Rows = targetRows(t, v)
		if !t.TriedAt.IsZero() && !t.Good {
			p.Answer = &views.Callout{Tone: views.ToneBad, Title: targetFailed, Cause: t.Answer}
		}
		if p.CanEdit {
			p.Test, p.Remove = views.AlertTargetTestPath(string(t.ID)), views.AlertTargetRemovePath(string(t.ID))
		}
	}
	if t.ID == "" || t.Kind == tenants.TargetMail {
		for _, r := range tenants.Roles {
			if r.May(tenants.AlertsRead) {
				p.Roles = append(p.Roles, views.Tick{Name: "role", Value: string(r), Label: r.Name(), Checked: slices.Contains(t.Roles, r)})
			}
		}
	}
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavAlerts, up("Alerts", views.PathAlerts),
		up("Alert targets", views.PathAlertTargets))); err != nil {
		return err
	}
	p.Shell.Own = title != "Add a target"
	return web.Page(c, views.TargetForm(p), w.Status)
}

// readTarget reads what can be changed of a target.
func readTarget(f page.Form, t *tenants.AlertTarget) {
	t.Name, t.All, t.Roles = tenants.TrimLabel(f.Text("name")), f.Raw("all") != "", nil
	if t.Kind == tenants.TargetMail {
		t.Roles = mapped(f.All("role"), func(r string) tenants.Role { return tenants.Role(r) })
	}
}

func (k alertTargetPages) addTarget(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	t := tenants.AlertTarget{ID: tenants.NewID[tenants.AlertTargetID](k.Now()), Tenant: v.Tenant.ID,
		Kind: tenants.TargetKind(f.Text("kind")), CreatedAt: k.Now()}
	readTarget(f, &t)
	address := f.Text("url")
	err := t.Check(address)
	if err == nil && t.Kind != tenants.TargetMail {
		err = connections.NoteRefused(ctx, v.Scope, connections.OfTarget, k.AlertTargets.Check(address))
	}
	var secret tenants.Secret
	if err == nil {
		secret, err = v.Scope.AlertTargets().Add(ctx, t, address)
	}
	if w, ok := page.WrongOf(err); ok {
		t.ID = ""
		return k.targetPage(ctx, c, v, t, address, w)
	}
	if err != nil {
		return err
	}
	if secret == "" {
		return k.Done(c, page.FlashAdded, views.AlertTargetPath(string(t.ID)))
	}
	return k.showOnce(ctx, c, v, views.NavAlerts, views.Secret{
		Title: newSecretTitle, Text: string(secret), Note: newSecretNote, Next: views.AlertTargetPath(string(t.ID)),
		Rows:      []views.Row{{Name: "Target", Text: t.Name}, {Name: "Address", Text: tenants.ShownAddress(address), Mono: true}},
		CodeTitle: verifyTitle, Code: verifyProgram,
	})
}

func (k alertTargetPages) setTarget(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	t, err := oneTarget(ctx, c, v)
	if err != nil {
		return err
	}
	readTarget(page.FormOf(c), &t)
	if err = t.Check("https://" + keptAddress); err == nil { // the stored address stays
		err = v.Scope.AlertTargets().Set(ctx, t)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.targetPage(ctx, c, v, t, "", w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.AlertTargetPath(string(t.ID)))
}

// keptAddress stands for the address of a target, which is stored sealed and never changed.
const keptAddress = "kept.invalid"

// testTarget sends a test. The page says what the far end answered.
func (k alertTargetPages) testTarget(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	t, err := oneTarget(ctx, c, v)
	if err != nil {
		return err
	}
	if _, _, err := k.AlertTargets.Test(ctx, v.Scope, t.ID); err != nil {
		return err
	}
	return k.Done(c, page.FlashTested, views.AlertTargetPath(string(t.ID)))
}

func (k alertTargetPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	t, err := oneTarget(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	rules, _, err := v.Scope.AlertRules().List(ctx, store.Page{Limit: 200})
	named := 0
	for _, r := range rules {
		if slices.Contains(r.Targets, t.ID) {
			named++
		}
	}
	return confirmation{
		ask: views.Confirm{ID: "remove-target", Title: "Remove " + t.Name + "?", Button: "Remove target",
			Action: views.AlertTargetRemovePath(string(t.ID)), Back: views.AlertTargetPath(string(t.ID)), Consequence: targetGoes(named)},
		title: "Remove a target", nav: views.NavAlerts, up: up("Alert targets", views.PathAlertTargets),
		do:   func(ctx context.Context) error { return v.Scope.AlertTargets().Remove(ctx, t.ID) },
		said: page.FlashRemoved, next: views.PathAlertTargets,
	}, err
}
