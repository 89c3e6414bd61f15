package console

import (
	"context"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// schedulePages serve the hours in which persons of groups are on duty.
type schedulePages struct{ *Console }

func (k schedulePages) list(v *page.Visitor) page.List[tenants.Schedule] {
	schedules := v.Scope.Schedules()
	return page.List[tenants.Schedule]{
		Words: scheduleWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayGroups), Find: schedules.List, Total: schedules.Total,
		Head: []string{"id", "name", "time_zone", "hours", "exceptions", "calendar", "used_by", "created_at"},
		Cells: func(ctx context.Context, all []tenants.Schedule) ([][]string, error) {
			uses, err := schedules.Uses(ctx, mapped(all, func(s tenants.Schedule) tenants.ScheduleID { return s.ID })...)
			return mapped(all, func(s tenants.Schedule) []string {
				return []string{string(s.ID), s.Name, s.Zone, hoursText(s), exceptionsText(s), string(s.Calendar), usersText(uses[s.ID]),
					page.Stamp(s.CreatedAt)}
			}), err
		},
	}
}

func (k schedulePages) schedules(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	uses, err := v.Scope.Schedules().Uses(ctx, mapped(all, func(s tenants.Schedule) tenants.ScheduleID { return s.ID })...)
	if err != nil {
		return err
	}
	feeds, err := calendars(ctx, v)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Schedules", views.NavSchedules))
	if err != nil {
		return err
	}
	p := views.DutyPage{Shell: s, Table: table, Lead: schedulesLead, Head: "Schedule", Key: "name", What: "Used by"}
	if v.Role.May(mayGroups) {
		p.Add = scheduleWords.Add
	}
	for _, one := range all {
		hours := hoursText(one)
		for _, feed := range feeds {
			if feed.ID == one.Calendar {
				hours = "By the calendar " + feed.Name
			}
		}
		p.Rows = append(p.Rows, views.DutyRow{Href: views.SchedulePath(string(one.ID)), Name: one.Name,
			Note: joined(" · ", hours, one.Zone), What: orDash(page.Shown(usersText(uses[one.ID]), 80)), Changed: v.At(one.CreatedAt)})
	}
	return web.Page(c, views.Duty(p), fiber.StatusOK)
}

func (k schedulePages) schedulesCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

// calendars are the tenant's connections of that role, by name.
func calendars(ctx context.Context, v *page.Visitor) (found []tenants.Connection, err error) {
	all, _, err := v.Scope.Connections().List(ctx, store.Page{Sort: "name", Limit: int(tenants.CapConnections.Most)})
	for _, one := range all {
		if one.Role == tenants.RoleCalendar {
			found = append(found, one)
		}
	}
	return found, err
}

func (k schedulePages) scheduleForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s := tenants.Schedule{Zone: v.Tenant.TimeZone}
	return k.schedulePage(ctx, c, v, s, typedOf(s), page.Wrong{Status: fiber.StatusOK})
}

func oneSchedule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Schedule, error) {
	id, err := web.ID[tenants.ScheduleID](c, "schedule")
	if err != nil {
		return tenants.Schedule{}, err
	}
	return v.Scope.Schedules().Get(ctx, id)
}

func (k schedulePages) schedule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s, err := oneSchedule(ctx, c, v)
	if err != nil {
		return err
	}
	return k.schedulePage(ctx, c, v, s, typedOf(s), page.Wrong{Status: fiber.StatusOK})
}

// schedulePage is the form of a schedule; one without an id is new. t are its hours as they were
// typed.
func (k schedulePages) schedulePage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, s tenants.Schedule, t typedHours,
	w page.Wrong) error {
	feeds, err := calendars(ctx, v)
	if err != nil {
		return err
	}
	title := "Add a schedule"
	p := views.SchedulePage{Action: views.PathScheduleAdd, CanEdit: v.Role.May(mayGroups),
		Error:     w.Unseen("name", "time_zone", "calendar", "weekly", "exceptions"),
		WrongDays: w.Fields["weekly"], WrongDates: w.Fields["exceptions"], Days: t.dayRows(), Dates: t.dateRows()}
	p.Name = views.Field{Name: "name", Label: "Name", Value: page.Shown(s.Name, 80), Max: 80, Error: w.Fields["name"],
		Placeholder: "Office hours"}
	p.Zone = views.Pick{Name: "time_zone", Label: "Time zone", Error: w.Fields["time_zone"], Choices: zoneChoices(s.Zone)}
	p.Calendar = views.Pick{Name: "calendar", Label: dutyLabel, Error: w.Fields["calendar"], Help: calendarHelp,
		Choices: []views.Choice{page.Choice("", byHours)}}
	for _, feed := range feeds {
		p.Calendar.Choices = append(p.Calendar.Choices, page.Choice(string(feed.ID), byCalendar+feed.Name))
	}
	page.Choose(string(s.Calendar), p.Calendar.Choices...)
	if v.Role.May(mayConnections) {
		p.AddCalendar = views.ConnectionAddPath(string(tenants.RoleCalendar))
	}
	if s.ID != "" {
		kept, err := v.Scope.Schedules().Get(ctx, s.ID) // as it is, whatever was typed
		if err != nil {
			return err
		}
		title, p.Action, p.Remove = kept.Name, views.SchedulePath(string(s.ID)), views.ScheduleRemovePath(string(s.ID))
		if err := k.besides(ctx, v, kept, &p); err != nil {
			return err
		}
	}
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavSchedules, up("Schedules", views.PathSchedules))); err != nil {
		return err
	}
	p.Shell.Own = title != "Add a schedule"
	return web.Page(c, views.ScheduleForm(p), w.Status)
}

// besides draws what stands beside the form of a kept schedule: its next days, who uses it, and how
// its calendar was read.
func (k schedulePages) besides(ctx context.Context, v *page.Visitor, s tenants.Schedule, p *views.SchedulePage) error {
	uses, err := v.Scope.Schedules().Uses(ctx, s.ID)
	if err != nil {
		return err
	}
	for _, u := range uses[s.ID] {
		p.Uses = append(p.Uses, views.Row{Name: page.Shown(strings.Join(u.Persons, ", "), 80), Text: u.Name,
			Href: views.GroupPath(string(u.Group))})
	}
	p.Zoned = zonedNote(s)
	if s.Calendar == "" {
		p.Ahead = weekRows(s, k.Now())
		return nil
	}
	feed, err := v.Scope.Connections().Get(ctx, s.Calendar)
	if tenants.KindOf(err) == tenants.Unknown {
		p.Roster = removedCalendar()
		return nil
	}
	if err != nil {
		return err
	}
	kept, err := v.Scope.Rosters().Get(ctx, s.Calendar)
	if err != nil {
		return err
	}
	p.Roster, p.Ahead = rosterCard(feed, kept.Roster, v), rosterRows(s, kept.Roster, k.Now())
	if p.CanEdit {
		p.Roster.Read = views.ScheduleReadPath(string(s.ID))
	}
	return nil
}

func (k schedulePages) addSchedule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	now := k.Now()
	s := tenants.Schedule{ID: tenants.NewID[tenants.ScheduleID](now), Tenant: v.Tenant.ID, CreatedAt: now}
	t, err := readSchedule(page.FormOf(c), &s)
	if t.copied {
		s.ID = ""
		return k.schedulePage(ctx, c, v, s, t, page.Wrong{Status: fiber.StatusOK})
	}
	if err == nil {
		err = v.Scope.Schedules().Add(ctx, s)
	}
	if w, ok := page.WrongOf(err); ok {
		s.ID = ""
		return k.schedulePage(ctx, c, v, s, t, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashAdded, views.SchedulePath(string(s.ID)))
}

func (k schedulePages) setSchedule(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s, err := oneSchedule(ctx, c, v)
	if err != nil {
		return err
	}
	t, err := readSchedule(page.FormOf(c), &s)
	if t.copied {
		return k.schedulePage(ctx, c, v, s, t, page.Wrong{Status: fiber.StatusOK})
	}
	if err == nil {
		err = v.Scope.Schedules().Set(ctx, s)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.schedulePage(ctx, c, v, s, t, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.SchedulePath(string(s.ID)))
}

// readNow reads the calendar of a schedule. What came of it, also a failure, is on its page.
func (k schedulePages) readNow(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s, err := oneSchedule(ctx, c, v)
	if err != nil {
		return err
	}
	if s.Calendar == "" {
		return tenants.NoSuch("calendar")
	}
	if err := k.Calendars.ReadNow(ctx, v.Scope, s.Calendar); err != nil {
		return err
	}
	return k.Done(c, page.FlashRead, views.SchedulePath(string(s.ID)))
}

func (k schedulePages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	s, err := oneSchedule(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	uses, err := v.Scope.Schedules().Uses(ctx, s.ID)
	return confirmation{
		ask: views.Confirm{ID: "remove-schedule", Title: "Remove " + s.Name + "?", TypeName: s.Name, Button: "Remove schedule",
			Action: views.ScheduleRemovePath(string(s.ID)), Back: views.SchedulePath(string(s.ID)), Consequence: scheduleGoes(uses[s.ID])},
		title: "Remove a schedule", nav: views.NavSchedules, up: up("Schedules", views.PathSchedules),
		do:   func(ctx context.Context) error { return v.Scope.Schedules().Remove(ctx, s.ID) },
		said: page.FlashRemoved, next: views.PathSchedules,
	}, err
}
