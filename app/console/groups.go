package console

import (
	"context"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// groupPages serve groups of persons, schedules and consents.
type groupPages struct{ *Console }

func (k groupPages) list(v *page.Visitor) page.List[tenants.Group] {
	groups := v.Scope.Groups()
	return page.List[tenants.Group]{
		Words: groupWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayGroups), Find: groups.List, Total: groups.Total,
		Head: []string{"id", "name", "way", "step_s", "members", "created_at"},
		Cells: page.Each(func(g tenants.Group) []string {
			return []string{string(g.ID), g.Name, string(g.Way), strconv.Itoa(g.StepSeconds), strings.Join(personsOf(g), " "),
				page.Stamp(g.CreatedAt)}
		}),
	}
}

func personsOf(g tenants.Group) (persons []string) {
	for _, m := range g.Members {
		persons = append(persons, m.Person)
	}
	return persons
}

func (k groupPages) groups(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Groups", views.NavGroups))
	if err != nil {
		return err
	}
	p := views.DutyPage{Shell: s, Table: table, Lead: groupsLead, Head: "Group", Key: "name", What: "Way", By: "way"}
	if v.Role.May(mayGroups) {
		p.Add = groupWords.Add
	}
	for _, g := range all {
		p.Rows = append(p.Rows, views.DutyRow{Href: views.GroupPath(string(g.ID)), Name: g.Name,
			Note: page.Shown(strings.Join(personsOf(g), ", "), 120), Own: true, What: g.Way.Name(), Changed: v.At(g.CreatedAt)})
	}
	return web.Page(c, views.Duty(p), fiber.StatusOK)
}

func (k groupPages) groupsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func (k groupPages) groupForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	g := tenants.Group{Way: tenants.Simultaneous, StepSeconds: int(tenants.DefaultTTL / time.Second)}
	return k.groupPage(ctx, c, v, g, "", page.Wrong{Status: fiber.StatusOK})
}

func oneGroup(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Group, error) {
	id, err := web.ID[tenants.GroupID](c, "group")
	if err != nil {
		return tenants.Group{}, err
	}
	return v.Scope.Groups().Get(ctx, id)
}

func (k groupPages) group(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	g, err := oneGroup(ctx, c, v)
	if err != nil {
		return err
	}
	return k.groupPage(ctx, c, v, g, "", page.Wrong{Status: fiber.StatusOK})
}

// groupPage is the form of a group; one without an id is new. typed are the members as they were
// typed, where they could not be read.
func (k groupPages) groupPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, g tenants.Group, typed string, w page.Wrong) error {
	groups, err := v.Scope.Groups().All(ctx)
	if err != nil {
		return err
	}
	schedules, err := v.Scope.Schedules().All(ctx)
	if err != nil {
		return err
	}
	title := "Add a group"
	p := views.DutyForm{Action: views.PathGroupAdd, Title: "Group", Button: "Save", CanEdit: v.Role.May(mayGroups),
		What: "change groups", Error: w.Unseen("name", "way", "step_s", "members", "escalate")}
	p.Fields = []views.Field{
		{Name: "name", Label: "Name", Value: page.Shown(g.Name, 80), Max: 80, Error: w.Fields["name"], Placeholder: "Night line"},
		{Name: "step_s", Label: stepLabel, Type: "number", Value: strconv.Itoa(g.StepSeconds), Error: w.Fields["step_s"],
			Help: stepHelp},
	}
	way, next := views.Pick{Name: "way", Label: "Who rings", Error: w.Fields["way"]}, views.Pick{Name: "escalate",
		Label: "If nobody answers", Error: w.Fields["escalate"]}
	for _, one := range tenants.Ways {
		way.Choices = append(way.Choices, page.Choice(string(one), one.Name()))
	}
	next.Choices = append(next.Choices, page.Choice("", "The ring ends"))
	for _, other := range sortedGroups(groups) {
		if other.ID != g.ID {
			next.Choices = append(next.Choices, page.Choice(string(other.ID), "Ring the group "+other.Name))
		}
	}
	way.Choices, next.Choices = page.Choose(string(g.Way), way.Choices...), page.Choose(string(g.Escalate), next.Choices...)
	p.Picks = []views.Pick{way, next}
	if typed == "" {
		typed = membersText(g, schedules)
	}
	p.Areas = []views.Field{{Name: "members", Label: "Members, in order", Value: page.Shown(typed, 8000), Error: w.Fields["members"],
		Help: membersHelp}}
	if g.ID != "" {
		title, p.Action = g.Name, views.GroupPath(string(g.ID))
		p.Remove, p.Removal = views.GroupRemovePath(string(g.ID)), "Remove group"
		if p.Rings, err = k.whoRings(ctx, c, v, g.ID); err != nil {
			return err
		}
	}
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavGroups, up("Groups", views.PathGroups))); err != nil {
		return err
	}
	p.Shell.Own = title != "Add a group"
	return web.Page(c, views.DutyFormOf(p), w.Status)
}

// whoRings says who would ring at the moment that the address names, or now.
func (k groupPages) whoRings(ctx context.Context, c *fiber.Ctx, v *page.Visitor, id tenants.GroupID) (*views.WhoRings, error) {
	const layout = "2006-01-02T15:04"
	now := k.Now().In(v.Zone)
	text := web.Query(c, "at")
	when, err := time.ParseInLocation(layout, text, v.Zone)
	field := views.Field{Name: "at", Label: "Moment", Type: "datetime-local", Value: when.Format(layout), Prefix: "who-", Optional: true,
		Help: momentHelp(v.Zone)}
	if err != nil || when.Year() < 2000 || when.Year() > 2200 {
		if when, field.Value = now, ""; text != "" {
			field.Error = wrongMoment
		}
	}
	_, steps, err := k.Board.WouldRing(ctx, callerOf(v), id, when)
	if err != nil {
		return nil, err
	}
	return &views.WhoRings{Path: views.GroupPath(string(id)), At: field, Steps: stepRows(steps, stepWouldRing)}, nil
}

func (k groupPages) addGroup(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	now := k.Now()
	g := tenants.Group{ID: tenants.NewID[tenants.GroupID](now), Tenant: v.Tenant.ID, CreatedAt: now}
	typed, err := k.readGroup(ctx, c, v, &g)
	if err == nil {
		err = v.Scope.Groups().Add(ctx, g)
	}
	if w, ok := page.WrongOf(err); ok {
		g.ID = ""
		return k.groupPage(ctx, c, v, g, typed, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashAdded, views.GroupPath(string(g.ID)))
}

func (k groupPages) setGroup(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	g, err := oneGroup(ctx, c, v)
	if err != nil {
		return err
	}
	typed, err := k.readGroup(ctx, c, v, &g)
	if err == nil {
		err = v.Scope.Groups().Set(ctx, g)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.groupPage(ctx, c, v, g, typed, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.GroupPath(string(g.ID)))
}

// readGroup reads the form into a group, and checks it.
func (k groupPages) readGroup(ctx context.Context, c *fiber.Ctx, v *page.Visitor, g *tenants.Group) (typed string, err error) {
	f := page.FormOf(c)
	g.Name, g.Way, typed = f.Text("name"), tenants.Way(f.Text("way")), f.Text("members")
	g.StepSeconds, _ = strconv.Atoi(f.Text("step_s")) // 0 is refused by Check
	g.Escalate, _ = tenants.ParseID[tenants.GroupID](f.Text("escalate"))
	schedules, err := v.Scope.Schedules().All(ctx)
	if err != nil {
		return typed, err
	}
	if g.Members, err = readMembers(typed, schedules); err != nil {
		return typed, err
	}
	return typed, g.Check()
}

func (k groupPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	g, err := oneGroup(ctx, c, v)
	return confirmation{
		ask: views.Confirm{ID: "remove-group", Title: "Remove " + g.Name + "?", TypeName: g.Name, Button: "Remove group",
			Action: views.GroupRemovePath(string(g.ID)), Back: views.GroupPath(string(g.ID)),
			Consequence: groupGoes},
		title: "Remove a group", nav: views.NavGroups, up: up("Groups", views.PathGroups),
		do:   func(ctx context.Context) error { return v.Scope.Groups().Remove(ctx, g.ID) },
		said: page.FlashRemoved, next: views.PathGroups,
	}, err
}
