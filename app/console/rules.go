package console

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// ruleEdit is a rule as it was typed, and what is wrong with it.
type ruleEdit struct {
	id     string
	typed  tenants.Rules
	wrong  page.Wrong
	delete bool // data would be deleted, and nobody has ticked the box for it yet
}

func (k settingsPages) rules(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.rulesPage(ctx, c, v, ruleEdit{wrong: page.Wrong{Status: fiber.StatusOK}})
}

func (k settingsPages) rulesPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, e ruleEdit) error {
	file := v.Tenant.File()
	d := ruleDraw{set: file.Rules, is: v.Tenant.Rules(), changes: v.Tenant.Changes, edit: e, most: daysOf(k.Store.RingsMost())}
	p := views.RulesPage{Industry: file.Name, CanEdit: v.Role.May(maySettings), Groups: d.groups()}
	if e.id == "" || !slices.Contains(ruleIDs(), e.id) {
		p.Error = e.wrong.Unseen()
	}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at("Rules", views.NavSettings, up("Settings", views.PathSettings))); err != nil {
		return err
	}
	return web.Page(c, views.Rules(p), e.wrong.Status)
}

// ruleIDs are the names of the forms on the page.
func ruleIDs() []string {
	ids := []string{"payload", "quiet_hours", "consent", "recording_reason"}
	for _, kind := range tenants.DataKinds {
		ids = append(ids, "retention."+string(kind))
	}
	return ids
}

// setRule changes one rule, or gives it back its default.
func (k settingsPages) setRule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	e := ruleEdit{id: f.Text("rule"), typed: v.Tenant.Rules()}
	if !slices.Contains(ruleIDs(), e.id) {
		return tenants.NoSuch("rule")
	}
	reset := f.Text("reset") == "1"
	err := readRuleForm(f, e.id, &e.typed)
	change := func(c *tenants.RuleChanges) { keepRule(c, e.id, e.typed) }
	if reset {
		e.typed, err = v.Tenant.File().Rules.With(nil), nil
		change = func(c *tenants.RuleChanges) { resetRule(c, e.id) }
	}
	if err == nil && sooner(e, v.Tenant.Rules()) && f.Text("delete") != "1" {
		e.delete = true
		err = &tenants.Error{Kind: tenants.Unprocessable, Code: "invalid", Msg: unconfirmedDeletion}
	}
	if err == nil {
		err = v.Scope.SetRules(ctx, change)
	}
	if w, ok := page.WrongOf(err); ok {
		e.wrong = w
		return k.rulesPage(ctx, c, v, e)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathRules)
}

// sooner reports whether data would be deleted sooner than before.
func sooner(e ruleEdit, is tenants.Rules) bool {
	kind, ok := strings.CutPrefix(e.id, "retention.")
	was, days := is.Retention[tenants.DataKind(kind)], e.typed.Retention[tenants.DataKind(kind)]
	return ok && days != 0 && (was == 0 || days < was)
}

// readRuleForm reads the form of one rule.
func readRuleForm(f page.Form, id string, r *tenants.Rules) error {
	switch id {
	case "payload":
		r.Payload = tenants.Payload(f.Text("payload"))
	case "consent":
		r.Consent = tenants.Consent(f.Text("consent"))
	case "recording_reason":
		r.Reason = f.Text("recording_reason") == "yes"
	case "quiet_hours":
		return readQuiet(f, &r.Quiet)
	default:
		days, err := strconv.Atoi(f.Text("days"))
		if err != nil {
			return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: wrongDays}
		}
		r.Retention[tenants.DataKind(strings.TrimPrefix(id, "retention."))] = days
	}
	return nil
}

func readQuiet(f page.Form, q *tenants.QuietHours) error {
	*q = tenants.QuietHours{}
	if f.Text("quiet") != "1" {
		return nil
	}
	var ok1, ok2 bool
	q.From, ok1 = tenants.ParseClock(f.Text("from"))
	q.To, ok2 = tenants.ParseClock(f.Text("to"))
	for _, day := range f.All("day") {
		if n, err := strconv.Atoi(day); err == nil && n >= 0 && n <= int(time.Saturday) {
			q.Days |= 1 << n
		}
	}
	if !ok1 || !ok2 || q.None() {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: wrongQuiet}
	}
	return nil
}

// keepRule stores a rule's value. The value of the default is stored too: a later change of the
// industry's file does not move what a person has chosen.
func keepRule(c *tenants.RuleChanges, id string, r tenants.Rules) {
	switch id {
	case "payload":
		c.Payload = &r.Payload
	case "consent":
		c.Consent = &r.Consent
	case "recording_reason":
		c.Reason = &r.Reason
	case "quiet_hours":
		c.Quiet = &r.Quiet
	default:
		kind := tenants.DataKind(strings.TrimPrefix(id, "retention."))
		c.Keep(kind, r.Retention[kind])
	}
}

func resetRule(c *tenants.RuleChanges, id string) {
	switch id {
	case "payload":
		c.Payload = nil
	case "consent":
		c.Consent = nil
	case "recording_reason":
		c.Reason = nil
	case "quiet_hours":
		c.Quiet = nil
	default:
		delete(c.Retention, tenants.DataKind(strings.TrimPrefix(id, "retention.")))
	}
}
