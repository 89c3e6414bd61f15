package store

import (
	"context"

	"gorm.io/gorm"

	"carillon/tenants"
)

type agentRow struct {
	TenantID uuid
	ID       uuid
	Name     string
	Kind     string
	Caller   string
	Created  int64 `gorm:"column:created_at"`
}

func (agentRow) TableName() string { return "agents" }

func (r agentRow) noun() tenants.Agent {
	return tenants.Agent{
		ID: tenants.AgentID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Kind: tenants.AgentKind(r.Kind), Caller: r.Caller,
		CreatedAt: moment(r.Created),
	}
}

// agentOrders: a tenant has at most tenants.CapAgents, so no index is needed to sort them.
var agentOrders = orders[agentRow]{"created", map[Sort]order[agentRow]{
	"created": by("created_at, id", func(r agentRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r agentRow) []any { return []any{r.Name, r.ID} }),
}}

// Agents are the tenant's agents.
type Agents struct{ *scope }

// Agents returns the tenant's Agents.
func (s *Scope) Agents() Agents { return Agents{&s.scope} }

// Add adds an agent.
func (s Agents) Add(ctx context.Context, a tenants.Agent) error {
	row := agentRow{TenantID: uuid(s.id), ID: uuid(a.ID), Name: a.Name, Kind: string(a.Kind), Caller: a.Caller,
		Created: micros(a.CreatedAt)}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapAgents, "agents", "TRUE"); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This agent exists already.")
		}
		return t.audit(s.scope, "agent.add", string(row.ID), "")
	})
}

// Set changes an agent's name, kind and caller.
func (s Agents) Set(ctx context.Context, a tenants.Agent) error {
	return s.write(ctx, func(t *tx) error {
		var old agentRow
		if err := s.in(t.db(), "agents").Where("id = ?", uuid(a.ID)).Take(&old).Error; err != nil {
			return missing(err, "agent")
		}
		c := changes{}
		c.add("name", old.Name != a.Name)
		c.add("kind", old.Kind != string(a.Kind))
		c.add("caller", old.Caller != a.Caller)
		if len(c) == 0 {
			return nil
		}
		_, err := t.exec("UPDATE agents SET name = ?, kind = ?, caller = ? WHERE tenant_id = ? AND id = ?",
			a.Name, string(a.Kind), a.Caller, uuid(s.id), uuid(a.ID))
		if err != nil {
			return err
		}
		return t.audit(s.scope, "agent.set", string(a.ID), c.String())
	})
}

// Remove removes an agent. If it was the tenant's default, the built-in one is again.
func (s Agents) Remove(ctx context.Context, id tenants.AgentID) error {
	err := s.write(ctx, func(t *tx) error {
		var old agentRow
		if err := s.in(t.db(), "agents").Where("id = ?", uuid(id)).Take(&old).Error; err != nil {
			return missing(err, "agent")
		}
		if _, err := t.exec("DELETE FROM agents WHERE tenant_id = ? AND id = ?", uuid(s.id), uuid(id)); err != nil {
			return err
		}
		if _, err := t.exec("UPDATE tenants SET default_agent = ? WHERE id = ? AND default_agent = ?", uuid(""), uuid(s.id),
			uuid(id)); err != nil {
			return err
		}
		return t.audit(s.scope, "agent.remove", string(id), old.Name)
	})
	s.s.seen.forget()
	return err
}

// Get is one agent.
func (s Agents) Get(ctx context.Context, id tenants.AgentID) (tenants.Agent, error) {
	var row agentRow
	if err := s.read(ctx, "agents").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return tenants.Agent{}, missing(err, "agent")
	}
	return row.noun(), nil
}

func (s Agents) found(ctx context.Context, q Page) *gorm.DB {
	db := s.read(ctx, "agents")
	if q.Search != "" {
		db = db.Where(`LOWER(name) LIKE ? ESCAPE '\'`, like("%", q.Search, "%"))
	}
	return db
}

// List lists agents. They can be sorted by "created" and "name".
func (s Agents) List(ctx context.Context, q Page) ([]tenants.Agent, string, error) {
	rows, next, err := list(s.found(ctx, q), q, agentOrders)
	return nouns(rows, agentRow.noun), next, err
}

// Total counts the agents that List finds.
func (s Agents) Total(ctx context.Context, q Page) (Total, error) { return totalOf(s.found(ctx, q)) }

// ByID finds agents by their ids in one statement. Ids that name none of the tenant's are left out.
func (s Agents) ByID(ctx context.Context, ids []tenants.AgentID) (map[tenants.AgentID]tenants.Agent, error) {
	out := map[tenants.AgentID]tenants.Agent{}
	if len(ids) == 0 {
		return out, nil
	}
	var rows []agentRow
	if err := s.read(ctx, "agents").Where("id IN ?", uuids(ids)).Find(&rows).Error; err != nil {
		return nil, translate(err)
	}
	for _, r := range rows {
		out[tenants.AgentID(r.ID)] = r.noun()
	}
	return out, nil
}
