package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"gorm.io/gorm"

	"carillon/tenants"
)

type scheduleRow struct {
	TenantID   uuid
	ID         uuid
	Name       string
	Zone       string
	Hours      string // JSON of scheduleHours
	CalendarID uuid
	Created    int64 `gorm:"column:created_at"`
}

// scheduleHours are what no list of schedules is sorted or searched by.
type scheduleHours struct {
	Weekly     [7][]tenants.Span   `json:"weekly"`
	Exceptions []tenants.Exception `json:"exceptions"`
}

func (scheduleRow) TableName() string { return "weekly_schedules" }

func rowOfSchedule(tenant tenants.TenantID, s tenants.Schedule) (scheduleRow, error) {
	hours, err := json.Marshal(scheduleHours{s.Weekly, s.Exceptions})
	return scheduleRow{TenantID: uuid(tenant), ID: uuid(s.ID), Name: s.Name, Zone: s.Zone, Hours: string(hours),
		CalendarID: uuid(s.Calendar), Created: micros(s.CreatedAt)}, err
}

func (r scheduleRow) noun() tenants.Schedule {
	var h scheduleHours
	_ = json.Unmarshal([]byte(r.Hours), &h) // ours
	return tenants.Schedule{ID: tenants.ScheduleID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Zone: r.Zone,
		Weekly: h.Weekly, Exceptions: h.Exceptions, Calendar: tenants.ConnectionID(r.CalendarID), CreatedAt: moment(r.Created)}
}

// scheduleOrders: a tenant has at most tenants.CapSchedules, so no index is needed to sort them.
var scheduleOrders = orders[scheduleRow]{"created", map[Sort]order[scheduleRow]{
	"created": by("created_at, id", func(r scheduleRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r scheduleRow) []any { return []any{r.Name, r.ID} }),
}}

// Schedules say when persons of the tenant's groups are on duty.
type Schedules struct{ *scope }

// Schedules returns the tenant's Schedules.
func (s *Scope) Schedules() Schedules { return Schedules{&s.scope} }

// Add adds a schedule. It refuses a calendar that the tenant does not have.
func (s Schedules) Add(ctx context.Context, sched tenants.Schedule) error {
	row, err := rowOfSchedule(s.id, sched)
	if err != nil {
		return fmt.Errorf("store: schedule %s: %w", sched.ID, err)
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapSchedules, "weekly_schedules", "TRUE"); err != nil {
			return err
		}
		if err := s.hasCalendar(t, sched.Calendar); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This schedule exists already.")
		}
		return t.audit(s.scope, "schedule.add", string(sched.ID), sched.Name)
	})
}

func (s Schedules) hasCalendar(t *tx, id tenants.ConnectionID) error {
	if id == "" {
		return nil
	}
	n, err := t.tally("SELECT COUNT(*) FROM connections WHERE tenant_id = ? AND id = ? AND role = ? AND "+there, uuid(s.id), uuid(id),
		string(tenants.RoleCalendar))
	if err != nil || n > 0 {
		return err
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
		Fields: []tenants.Field{{Name: "calendar", Message: "there is no such connection of the role calendar"}}}
}

// Set changes a schedule.
func (s Schedules) Set(ctx context.Context, sched tenants.Schedule) error {
	row, err := rowOfSchedule(s.id, sched)
	if err != nil {
		return fmt.Errorf("store: schedule %s: %w", sched.ID, err)
	}
	return s.write(ctx, func(t *tx) error {
		var old scheduleRow
		if err := s.in(t.db(), "weekly_schedules").Where("id = ?", row.ID).Take(&old).Error; err != nil {
			return missing(err, "schedule")
		}
		if err := s.hasCalendar(t, sched.Calendar); err != nil {
			return err
		}
		c := changes{}
		c.set("name", old.Name, row.Name)
		c.set("time_zone", old.Zone, row.Zone)
		c.add("hours", old.Hours != row.Hours)
		c.set("calendar", string(old.CalendarID), string(row.CalendarID))
		if len(c) == 0 {
			return nil
		}
		if _, err := t.exec("UPDATE weekly_schedules SET name = ?, zone = ?, hours = ?, calendar_id = ? WHERE tenant_id = ? AND id = ?",
			row.Name, row.Zone, row.Hours, row.CalendarID, uuid(s.id), row.ID); err != nil {
			return err
		}
		return t.auditChange(s.scope, "schedule.set", string(sched.ID), sched.Name, c...)
	})
}

// Remove removes a schedule that no group uses: without it, its persons would be on duty always.
func (s Schedules) Remove(ctx context.Context, id tenants.ScheduleID) error {
	return s.write(ctx, func(t *tx) error {
		var old scheduleRow
		if err := s.in(t.db(), "weekly_schedules").Where("id = ?", uuid(id)).Take(&old).Error; err != nil {
			return missing(err, "schedule")
		}
		rows, err := t.query(context.Background(), "SELECT DISTINCT g.name FROM ring_groups g JOIN group_members m ON m.tenant_id = "+
			"g.tenant_id AND m.group_id = g.id WHERE g.tenant_id = ? AND m.schedule_id = ? ORDER BY g.name", uuid(s.id), uuid(id))
		users, err := collect(rows, err, func(n *string) []any { return []any{n} })
		if err != nil {
			return err
		}
		if len(users) > 0 {
			return tenants.Refuse(tenants.Conflict, "schedule_in_use", "The schedule is used by %s. Give their members another one first.",
				strings.Join(users, ", "))
		}
		if _, err := t.exec("DELETE FROM weekly_schedules WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "schedule.remove", string(id), old.Name)
	})
}

// Get is one schedule.
func (s Schedules) Get(ctx context.Context, id tenants.ScheduleID) (tenants.Schedule, error) {
	var row scheduleRow
	if err := s.read(ctx, "weekly_schedules").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Schedule{}, missing(err, "schedule")
	}
	return row.noun(), nil
}

// All are the tenant's schedules.
func (s Schedules) All(ctx context.Context) (map[tenants.ScheduleID]tenants.Schedule, error) {
	var rows []scheduleRow
	if err := s.read(ctx, "weekly_schedules").Limit(int(tenants.CapSchedules.Most)).Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	all := map[tenants.ScheduleID]tenants.Schedule{}
	for _, r := range rows {
		all[tenants.ScheduleID(r.ID)] = r.noun()
	}
	return all, nil
}

// ScheduleUse is a group of which some persons keep a schedule.
type ScheduleUse struct {
	Group   tenants.GroupID
	Name    string
	Persons []string // in the order of the group
}

// Uses are the groups that use each of the schedules, by name.
func (s Schedules) Uses(ctx context.Context, ids ...tenants.ScheduleID) (map[tenants.ScheduleID][]ScheduleUse, error) {
	uses := map[tenants.ScheduleID][]ScheduleUse{}
	if len(ids) == 0 {
		return uses, nil
	}
	rows, err := s.reads().query(ctx, "SELECT m.schedule_id, g.id, g.name, m.person FROM ring_groups g JOIN group_members m ON "+
		"m.tenant_id = g.tenant_id AND m.group_id = g.id WHERE g.tenant_id = ? AND m.schedule_id IN ("+marks(len(ids))+
		") ORDER BY LOWER(g.name), g.id, m.place", some(s.id, ids)...)
	type row struct {
		schedule, group uuid
		name, person    string
	}
	found, err := collect(rows, err, func(r *row) []any { return []any{&r.schedule, &r.group, &r.name, &r.person} })
	for _, r := range found {
		all := uses[tenants.ScheduleID(r.schedule)]
		if len(all) == 0 || all[len(all)-1].Group != tenants.GroupID(r.group) {
			all = append(all, ScheduleUse{Group: tenants.GroupID(r.group), Name: r.name})
		}
		last := &all[len(all)-1]
		last.Persons = append(last.Persons, r.person)
		uses[tenants.ScheduleID(r.schedule)] = all
	}
	return uses, translate(err)
}

// some are those of the schedules that exist.
func (s Schedules) some(ctx context.Context, ids []tenants.ScheduleID) (map[tenants.ScheduleID]tenants.Schedule, error) {
	all := map[tenants.ScheduleID]tenants.Schedule{}
	if len(ids) == 0 {
		return all, nil
	}
	var rows []scheduleRow
	if err := s.read(ctx, "weekly_schedules").Where("id IN ?", uuids(ids)).Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	for _, r := range rows {
		all[tenants.ScheduleID(r.ID)] = r.noun()
	}
	return all, nil
}

func (s Schedules) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "weekly_schedules")
	if q.Search != "" {
		named, args := s.s.db.dialect.alike(q.Search, "name")
		db = db.Where(named, args...)
	}
	return db
}

// List lists schedules. They can be sorted by "created" and "name".
func (s Schedules) List(ctx context.Context, q Page) ([]tenants.Schedule, string, error) {
	rows, next, err := list(s.found(ctx, q), q, scheduleOrders)
	return nouns(rows, scheduleRow.noun), next, err
}

// Total counts the schedules that List finds.
func (s Schedules) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }
