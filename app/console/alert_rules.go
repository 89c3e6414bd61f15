package console

import (
	"context"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// alertRulePages serve the rules that raise alerts.
type alertRulePages struct{ *Console }

func (k alertRulePages) list(v *page.Visitor) page.List[tenants.AlertRule] {
	rules := v.Scope.AlertRules()
	return page.List[tenants.AlertRule]{
		Words: alertRuleWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayAlerts), Find: rules.List, Total: rules.Total,
		Head: []string{"id", "name", "rule", "rings", "quiet_s", "mail", "active", "fires", "fired_at", "created_at"},
		Cells: page.Each(func(r tenants.AlertRule) []string {
			return []string{string(r.ID), r.Name, r.Says(), cutWord(r.Cut), strconv.Itoa(int(r.Quiet / time.Second)),
				strconv.FormatBool(r.Mail), strconv.FormatBool(r.Active), strconv.FormatBool(r.Firing), page.Stamp(r.FiredAt),
				page.Stamp(r.CreatedAt)}
		}),
	}
}

func (k alertRulePages) rules(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Alert rules", views.NavAlerts, up("Alerts", views.PathAlerts)))
	if err != nil {
		return err
	}
	p := views.WatchPage{Shell: s, Table: table, Lead: rulesLead, Head: "Rule", Say: "Now", Key: "fired", When: "Last fired",
		Other: views.Button{Text: "Targets", Href: views.PathAlertTargets, Icon: views.IconSend, Kind: views.Quiet}}
	if v.Role.May(mayAlerts) {
		p.Add = alertRuleWords.Add
	}
	for _, r := range all {
		row := views.WatchRow{Href: views.AlertRulePath(string(r.ID)), Name: r.Name, Note: r.Says(), When: v.At(r.FiredAt)}
		row.Tone, row.Word = ruleState(r)
		if r.Active {
			figure, err := v.Scope.AlertRules().Figure(ctx, r, k.Now())
			if err != nil {
				return err
			}
			row.Say = figureText(r, figure)
		}
		p.Rows = append(p.Rows, row)
	}
	return web.Page(c, views.Watch(p), fiber.StatusOK)
}

func (k alertRulePages) rulesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func (k alertRulePages) ruleForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r := tenants.AlertRule{Metric: "answer_rate", Threshold: 50, Window: 4 * time.Hour, Least: 20, Quiet: 4 * time.Hour, Mail: true,
		Active: true}
	return k.rulePage(ctx, c, v, r, nil, page.Wrong{Status: fiber.StatusOK})
}

func oneRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.AlertRule, error) {
	id, err := web.ID[tenants.AlertRuleID](c, "alert rule")
	if err != nil {
		return tenants.AlertRule{}, err
	}
	return v.Scope.AlertRules().Get(ctx, id)
}

func (k alertRulePages) rule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, err := oneRule(ctx, c, v)
	if err != nil {
		return err
	}
	seen, err := k.preview(ctx, v, r)
	if err != nil {
		return err
	}
	return k.rulePage(ctx, c, v, r, seen, page.Wrong{Status: fiber.StatusOK})
}

// firingsShown bounds the firings of a preview; the latest are shown.
const firingsShown = 12

// preview says what a rule would have done until now. It looks at the same counts with the same
// judgement as the loop that raises alerts.
func (k alertRulePages) preview(ctx context.Context, v *page.Visitor, r tenants.AlertRule) (*views.RulePreview, error) {
	now := k.Now()
	from := now.Add(-r.Looks())
	first, _ := r.Span(from)
	_, last := r.Span(now)
	samples, err := v.Scope.AlertRules().Samples(ctx, r, first, last)
	if err != nil {
		return nil, err
	}
	figure, err := v.Scope.AlertRules().Figure(ctx, r, now)
	if err != nil {
		return nil, err
	}
	firings := r.Replay(samples, from, now)
	p := &views.RulePreview{Now: nowText(r, figure), Lead: previewLead(len(firings), r.Looks())}
	if len(firings) > firingsShown {
		p.More = moreFirings(len(firings) - firingsShown)
		firings = firings[len(firings)-firingsShown:]
	}
	slices.Reverse(firings)
	for _, f := range firings {
		until := f.Until
		if until.IsZero() {
			until = last
		}
		p.Firings = append(p.Firings, views.Firing{From: v.At(f.From), Until: v.At(f.Until), Figure: figureText(r, f.Figure),
			Rings: ringsOfRule(r, f.From, until)})
	}
	return p, nil
}

// ringsOfRule leads to the rings that a rule counted when it fired.
func ringsOfRule(r tenants.AlertRule, from, until time.Time) views.Link {
	first, _ := r.Span(from.Add(-r.Step()))
	return views.Link{Text: "Show these rings", Href: ringsOf(first, until, r.Cut, metricStates[r.Metric])}
}

// rulePage is the form of a rule; one without an id is new.
func (k alertRulePages) rulePage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, r tenants.AlertRule, seen *views.RulePreview,
	w page.Wrong) error {
	cuts, err := k.cuts(ctx, v, r.Cut)
	if err != nil {
		return err
	}
	targets, _, err := v.Scope.AlertTargets().List(ctx, store.Page{Sort: "name"})
	if err != nil {
		return err
	}
	p := ruleFormOf(r, w)
	p.Action, p.CanEdit, p.Preview = views.PathAlertRuleAdd, v.Role.May(mayAlerts), seen
	p.What = append(p.What, views.Pick{Name: "cut", Label: "Rings", Error: w.Fields["cut"], Choices: page.Choose(cutWord(r.Cut), cuts...)})
	for _, t := range targets {
		p.Targets = append(p.Targets, views.Tick{Name: "target", Value: string(t.ID), Label: t.Name, Help: targetNote(t),
			Checked: slices.Contains(r.Targets, t.ID)})
	}
	title := "Add a rule"
	if r.ID != "" {
		title, p.Action = r.Name, views.AlertRulePath(string(r.ID))
		if p.CanEdit {
			p.Remove, p.Pause = views.AlertRuleRemovePath(string(r.ID)), pauseButton(r)
		}
	}
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavAlerts, up("Alerts", views.PathAlerts),
		up("Alert rules", views.PathAlertRules))); err != nil {
		return err
	}
	p.Shell.Own = title != "Add a rule"
	return web.Page(c, views.RuleForm(p), w.Status)
}

// cutsOffered bounds the values of each property that are offered.
const cutsOffered = 50

// cuts are the rings that a rule can be about: all, or those with a value of the last 30 days.
func (k alertRulePages) cuts(ctx context.Context, v *page.Visitor, chosen tenants.Cut) ([]views.Choice, error) {
	names, err := cutNames(ctx, v.Scope)
	if err != nil {
		return nil, err
	}
	a, found := analytics{names: names}, chosen.By == ""
	out := []views.Choice{page.Choice(cutWord(tenants.Cut{}), "All rings")}
	for _, by := range tenants.Splits {
		values, err := v.Scope.Analytics().Values(ctx, by, k.Now().AddDate(0, 0, -30), time.Time{})
		if err != nil {
			return nil, err
		}
		for _, x := range values[:min(len(values), cutsOffered)] {
			cut := tenants.Cut{By: by, Value: x.Value}
			found = found || cut == chosen
			out = append(out, page.Choice(cutWord(cut), splitWords[string(by)].one(a.valueName(by, x.Value))))
		}
	}
	if !found {
		out = append(out, page.Choice(cutWord(chosen), splitWords[string(chosen.By)].one(a.valueName(chosen.By, chosen.Value))))
	}
	return out, nil
}

// readRule reads the form into a rule, and checks it.
func readAlertRule(c *fiber.Ctx, r *tenants.AlertRule) error {
	f := page.FormOf(c)
	r.Name, r.Metric, r.Detail, r.Above = f.Text("name"), f.Text("metric"), f.Text("detail"), f.Raw("way") == "above"
	by, value, _ := strings.Cut(f.Raw("cut"), ":")
	r.Cut = tenants.Cut{By: tenants.Split(by), Value: value}
	threshold, err := strconv.ParseFloat(strings.ReplaceAll(f.Text("threshold"), ",", "."), 64)
	if r.Threshold = math.Round(threshold*1000) / 1000; err != nil || math.IsNaN(threshold) {
		r.Threshold = -1 // refused by Check
	}
	seconds := func(name string) time.Duration {
		n, err := strconv.Atoi(f.Text(name))
		if err != nil || n < 0 || n > 1e9 {
			return -1 // refused by Check
		}
		return time.Duration(n) * time.Second
	}
	r.Window, r.Quiet = seconds("window"), seconds("quiet")
	if r.Least, err = strconv.ParseInt(f.Text("least"), 10, 64); err != nil && f.Text("least") != "" {
		r.Least = -1 // refused by Check
	}
	r.Mail, r.Targets = f.Raw("mail") != "", nil
	for _, id := range f.All("target") {
		r.Targets = append(r.Targets, tenants.AlertTargetID(id))
	}
	*r = r.Clean()
	return r.Check()
}

// save reads the form, and keeps the rule, or only shows what it would have done.
func (k alertRulePages) save(ctx context.Context, c *fiber.Ctx, v *page.Visitor, r tenants.AlertRule, said page.Flash,
	keep func(context.Context, tenants.AlertRule) error) error {
	id := r.ID
	err := readAlertRule(c, &r)
	if err == nil && page.FormOf(c).Raw("do") == "preview" {
		seen, err := k.preview(ctx, v, r)
		if err != nil {
			return err
		}
		return k.rulePage(ctx, c, v, r, seen, page.Wrong{Status: fiber.StatusOK})
	}
	if err == nil {
		if r.ID == "" {
			r.ID = tenants.NewID[tenants.AlertRuleID](k.Now())
		}
		err = keep(ctx, r)
	}
	if w, ok := page.WrongOf(err); ok {
		r.ID = id
		return k.rulePage(ctx, c, v, r, nil, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, said, views.AlertRulePath(string(r.ID)))
}

func (k alertRulePages) addRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r := tenants.AlertRule{Tenant: v.Tenant.ID, Active: true, CreatedAt: k.Now()}
	return k.save(ctx, c, v, r, page.FlashAdded, v.Scope.AlertRules().Add)
}

func (k alertRulePages) setRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, err := oneRule(ctx, c, v)
	if err != nil {
		return err
	}
	return k.save(ctx, c, v, r, page.FlashSaved, v.Scope.AlertRules().Set)
}

// pauseRule pauses a rule, or has it watch again.
func (k alertRulePages) pauseRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, err := oneRule(ctx, c, v)
	if err != nil {
		return err
	}
	r.Active = !r.Active
	if err := v.Scope.AlertRules().Set(ctx, r); err != nil {
		return err
	}
	said := page.FlashRulePaused
	if r.Active {
		said = page.FlashRuleResumed
	}
	return k.Done(c, said, views.AlertRulePath(string(r.ID)))
}

func (k alertRulePages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	r, err := oneRule(ctx, c, v)
	return confirmation{
		ask: views.Confirm{ID: "remove-rule", Title: "Remove " + r.Name + "?", Button: "Remove rule",
			Action: views.AlertRuleRemovePath(string(r.ID)), Back: views.AlertRulePath(string(r.ID)), Consequence: ruleGoes(r)},
		title: "Remove a rule", nav: views.NavAlerts, up: up("Alert rules", views.PathAlertRules),
		do:   func(ctx context.Context) error { return v.Scope.AlertRules().Remove(ctx, r.ID) },
		said: page.FlashRemoved, next: views.PathAlertRules,
	}, err
}
