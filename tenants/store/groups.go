package store

import (
	"context"
	"slices"
	"strconv"

	"gorm.io/gorm"

	"carillon/tenants"
)

type groupRow struct {
	TenantID   uuid
	ID         uuid
	Name       string
	Way        string
	StepS      int
	EscalateID uuid
	Turns      int64
	Created    int64 `gorm:"column:created_at"`
}

func (groupRow) TableName() string { return "ring_groups" }

func (r groupRow) noun() tenants.Group {
	return tenants.Group{ID: tenants.GroupID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Way: tenants.Way(r.Way),
		StepSeconds: r.StepS, Escalate: tenants.GroupID(r.EscalateID), CreatedAt: moment(r.Created)}
}

// groupOrders: a tenant has at most tenants.CapGroups, so no index is needed to sort them.
var groupOrders = orders[groupRow]{"created", map[Sort]order[groupRow]{
	"created": by("created_at, id", func(r groupRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r groupRow) []any { return []any{r.Name, r.ID} }),
	"way":     by("way, id", func(r groupRow) []any { return []any{r.Way, r.ID} }),
}}

type groupMemberRow struct {
	group, schedule uuid
	person          string
	turn            int64
}

// Groups are the tenant's groups of persons who are rung together.
type Groups struct{ *scope }

// Groups returns the tenant's Groups.
func (s *Scope) Groups() Groups { return Groups{&s.scope} }

// Add adds a group. It refuses schedules and a next group that the tenant does not have, and a
// group that comes round to itself.
func (s Groups) Add(ctx context.Context, g tenants.Group) error {
	row := groupRow{TenantID: uuid(s.id), ID: uuid(g.ID), Name: g.Name, Way: string(g.Way), StepS: g.StepSeconds,
		EscalateID: uuid(g.Escalate), Created: micros(g.CreatedAt)}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapGroups, "ring_groups", "TRUE"); err != nil {
			return err
		}
		if err := s.fits(t, g); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This group exists already.")
		}
		if err := s.setMembers(t, g, nil); err != nil {
			return err
		}
		return t.audit(s.scope, "group.add", string(g.ID), g.Name)
	})
}

// Set changes a group. The turns of persons who stay in it stay.
func (s Groups) Set(ctx context.Context, g tenants.Group) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.get(context.Background(), t, g.ID)
		if err != nil {
			return err
		}
		if err := s.fits(t, g); err != nil {
			return err
		}
		turns := map[string]int64{}
		for i := range old.Members {
			turns[old.Members[i].Person] = old.Members[i].Turn
			old.Members[i].Turn = 0
		}
		members := slices.Clone(g.Members)
		for i := range members {
			members[i].Turn = 0
		}
		c := changes{}
		c.set("name", old.Name, g.Name)
		c.set("way", string(old.Way), string(g.Way))
		c.set("step_s", strconv.Itoa(int(old.StepSeconds)), strconv.Itoa(int(g.StepSeconds)))
		c.set("escalate", string(old.Escalate), string(g.Escalate))
		c.add("members", !slices.Equal(old.Members, members))
		if len(c) == 0 {
			return nil
		}
		if _, err := t.exec("UPDATE ring_groups SET name = ?, way = ?, step_s = ?, escalate_id = ? WHERE tenant_id = ? AND id = ?",
			g.Name, string(g.Way), g.StepSeconds, uuid(g.Escalate), uuid(s.id), uuid(g.ID)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM group_members WHERE tenant_id = ? AND group_id = ?", uuid(s.id), uuid(g.ID)); err != nil {
			return err
		}
		if err := s.setMembers(t, g, turns); err != nil {
			return err
		}
		if !g.Timed() { // somebody is always on duty now
			if err := t.alerts().settle(s.scope, string(g.ID)); err != nil {
				return err
			}
		}
		return t.auditChange(s.scope, "group.set", string(g.ID), g.Name, c...)
	})
}

func (s Groups) setMembers(t *tx, g tenants.Group, turns map[string]int64) error {
	rows := newBatch("group_members", "tenant_id", "group_id", "person", "place", "schedule_id", "turn")
	for i, m := range g.Members {
		rows.add(uuid(s.id), uuid(g.ID), m.Person, int64(i), uuid(m.Schedule), turns[m.Person])
	}
	return rows.flush(t.d.dialect, func(text string, args []any, _ int) error { _, err := t.exec(text, args...); return err })
}

// fits refuses what a group names and the tenant does not have.
func (s Groups) fits(t *tx, g tenants.Group) error {
	if g.Escalate != "" {
		all, err := s.all(context.Background(), t)
		if err != nil {
			return err
		}
		if err := g.CheckEscalation(all); err != nil {
			return err
		}
	}
	named := map[tenants.ScheduleID]bool{}
	for _, m := range g.Members {
		if m.Schedule != "" {
			named[m.Schedule] = true
		}
	}
	for id := range named {
		n, err := t.tally("SELECT COUNT(*) FROM weekly_schedules WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id))
		if err != nil {
			return err
		}
		if n == 0 {
			return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
				Fields: []tenants.Field{{Name: "members", Message: "there is no such schedule"}}}
		}
	}
	return nil
}

// Remove removes a group. Groups that escalated to it escalate to none. Rings to it that are under
// way go on as they were planned.
func (s Groups) Remove(ctx context.Context, id tenants.GroupID) error {
	return s.write(ctx, func(t *tx) error {
		old, err := s.get(context.Background(), t, id)
		if err != nil {
			return err
		}
		if _, err := t.exec("UPDATE ring_groups SET escalate_id = ? WHERE tenant_id = ? AND escalate_id = ?", uuid(""), uuid(s.id),
			uuid(id)); err != nil {
			return err
		}
		if _, err := t.exec("DELETE FROM ring_groups WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		if err := t.alerts().settle(s.scope, string(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "group.remove", string(id), old.Name)
	})
}

// Get is one group with its members in order.
func (s Groups) Get(ctx context.Context, id tenants.GroupID) (tenants.Group, error) {
	g, err := s.get(ctx, s.reads(), id)
	return g, translate(err)
}

func (s Groups) get(ctx context.Context, q querier, id tenants.GroupID) (tenants.Group, error) {
	all, err := s.bare(ctx, q, " AND id = ?", uuid(id))
	if err != nil {
		return tenants.Group{}, err
	}
	if len(all) == 0 {
		return tenants.Group{}, tenants.NoSuch("group")
	}
	return all[0], s.fill(ctx, q, all)
}

// bare reads groups without their members.
func (s Groups) bare(ctx context.Context, q querier, where string, args ...any) ([]tenants.Group, error) {
	rows, err := q.query(ctx,
		"SELECT tenant_id, id, name, way, step_s, escalate_id, turns, created_at FROM ring_groups WHERE tenant_id = ?"+
			where, append([]any{uuid(s.id)}, args...)...)
	found, err := collect(rows, err, func(r *groupRow) []any {
		return []any{&r.TenantID, &r.ID, &r.Name, &r.Way, &r.StepS, &r.EscalateID, &r.Turns, &r.Created}
	})
	return nouns(found, groupRow.noun), err
}

// fill reads the members of groups.
func (s Groups) fill(ctx context.Context, q querier, groups []tenants.Group) error {
	if len(groups) == 0 {
		return nil
	}
	ids := make([]tenants.GroupID, len(groups))
	at := map[uuid]*tenants.Group{}
	for i := range groups {
		ids[i] = groups[i].ID
		at[uuid(groups[i].ID)] = &groups[i]
	}
	rows, err := q.query(ctx, "SELECT group_id, person, schedule_id, turn FROM group_members WHERE tenant_id = ? AND group_id IN ("+
		marks(len(ids))+") ORDER BY group_id, place", some(s.id, ids)...)
	found, err := collect(rows, err, func(m *groupMemberRow) []any { return []any{&m.group, &m.person, &m.schedule, &m.turn} })
	for _, m := range found {
		g := at[m.group]
		g.Members = append(g.Members, tenants.GroupMember{Person: m.person, Schedule: tenants.ScheduleID(m.schedule), Turn: m.turn})
	}
	return err
}

func (s Groups) all(ctx context.Context, q querier) (map[tenants.GroupID]tenants.Group, error) {
	groups, err := s.bare(ctx, q, " LIMIT ?", tenants.CapGroups.Most)
	if err == nil {
		err = s.fill(ctx, q, groups)
	}
	byID := map[tenants.GroupID]tenants.Group{}
	for _, g := range groups {
		byID[g.ID] = g
	}
	return byID, err
}

// All are the tenant's groups.
func (s Groups) All(ctx context.Context) (map[tenants.GroupID]tenants.Group, error) {
	all, err := s.all(ctx, s.reads())
	return all, translate(err)
}

func (s Groups) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "ring_groups")
	if q.Search != "" {
		named, args := s.s.db.dialect.alike(q.Search, "name")
		db = db.Where(named, args...)
	}
	return db
}

// List lists groups with their members. They can be sorted by "created", "name" and "way".
func (s Groups) List(ctx context.Context, q Page) ([]tenants.Group, string, error) {
	rows, next, err := list(s.found(ctx, q), q, groupOrders)
	if err != nil {
		return nil, "", err
	}
	groups := nouns(rows, groupRow.noun)
	return groups, next, translate(s.fill(ctx, s.reads(), groups))
}

// Total counts the groups that List finds.
func (s Groups) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }

// takeTurn puts the ring's first group into the order of its turns, and moves the turn of the
// person who is first. The group's row is held until the commit, so that no two rings take the same
// turn.
func (t ringsTx) takeTurn(s *scope, r *tenants.Ring) error {
	turns, err := t.turnsOf(s, r.To.Group)
	if err != nil || turns == nil {
		return err
	}
	person := tenants.TakeTurns(r.Steps, r.To.Group, turns)
	if person == "" {
		return nil
	}
	return t.moveTurn(s, r.To.Group, person)
}

// turnsOf holds a group and reads its turns; nil if it is gone.
func (t ringsTx) turnsOf(s *scope, g tenants.GroupID) (map[string]int64, error) {
	held, err := t.query(context.Background(), "SELECT turns FROM ring_groups WHERE tenant_id = ? AND id = ?"+t.hold(), uuid(s.id), uuid(g))
	found, err := collect(held, err, func(n *int64) []any { return []any{n} })
	if err != nil || len(found) == 0 {
		return nil, err
	}
	rows, err := t.query(context.Background(), "SELECT group_id, person, schedule_id, turn FROM group_members WHERE tenant_id = ? AND "+
		"group_id = ?", uuid(s.id), uuid(g))
	members, err := collect(rows, err, func(m *groupMemberRow) []any { return []any{&m.group, &m.person, &m.schedule, &m.turn} })
	turns := map[string]int64{}
	for _, m := range members {
		turns[m.person] = m.turn
	}
	return turns, err
}

func (t ringsTx) moveTurn(s *scope, g tenants.GroupID, person string) error {
	if _, err := t.exec("UPDATE ring_groups SET turns = turns + 1 WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(g)); err != nil {
		return err
	}
	_, err := t.exec("UPDATE group_members SET turn = (SELECT turns FROM ring_groups WHERE tenant_id = ? AND id = ?) WHERE tenant_id = ? "+
		"AND group_id = ? AND person = ?", uuid(s.id), uuid(g), uuid(s.id), uuid(g), person)
	return err
}

// TargetsOf is Rings.Targets for several persons at once, in two statements. Persons without a
// device are not in it.
func (s Rings) TargetsOf(ctx context.Context, persons []string) (map[string][]Target, error) {
	of := map[string][]Target{}
	if len(persons) == 0 {
		return of, nil
	}
	args := []any{uuid(s.id)}
	for i := range room(len(persons)) {
		args = append(args, persons[min(i, len(persons)-1)])
	}
	rows, err := s.reads().query(ctx, "SELECT "+deviceColumns+" FROM devices WHERE tenant_id = ? AND person <> '' AND person IN ("+
		marks(len(persons))+") ORDER BY created_at, id", args...)
	found, err := collect(rows, err, (*deviceRow).fields)
	if err != nil {
		return nil, translate(err)
	}
	credentials, err := s.pushedWith(ctx)
	if err != nil {
		return nil, err
	}
	now := s.s.now()
	for _, d := range nouns(found, deviceRow.noun) {
		of[d.Person] = append(of[d.Person], Target{Device: d, Credential: choose(credentials, d, now)})
	}
	return of, nil
}
