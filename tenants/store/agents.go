package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"

	"gorm.io/gorm"

	"carillon/tenants"
)

type agentRow struct {
	TenantID uuid
	ID       uuid
	Name     string
	Kind     string
	Caller   string
	Settings string // JSON of agentSettings
	Secret   []byte // sealed; empty = none
	Created  int64  `gorm:"column:created_at"`
}

// agentSettings are what no list of agents is sorted or searched by.
type agentSettings struct {
	AttachSeconds int                   `json:"attach_s,omitempty"`
	Attach        tenants.Attach        `json:"attach,omitempty"`
	Next          []tenants.AgentID     `json:"next,omitempty"`
	Lost          tenants.Lost          `json:"lost,omitempty"`
	Builtin       *tenants.BuiltinAgent `json:"builtin,omitempty"`
	Stream        *tenants.StreamAgent  `json:"stream,omitempty"`
	OpenAI        *tenants.OpenAIAgent  `json:"openai,omitempty"`
	Pipecat       *tenants.PipecatAgent `json:"pipecat,omitempty"`
}

// settingsOf is the row's text of an agent's settings.
func settingsOf(a tenants.Agent) (string, error) {
	b, err := json.Marshal(agentSettings{
		AttachSeconds: a.AttachSeconds, Attach: a.Attach, Next: a.Next, Lost: a.Lost, Builtin: a.Builtin,
		Stream: a.Stream, OpenAI: a.OpenAI, Pipecat: a.Pipecat,
	})
	return string(b), err
}

func (agentRow) TableName() string { return "agents" }

func (r agentRow) noun() tenants.Agent {
	var s agentSettings
	_ = json.Unmarshal([]byte(r.Settings), &s) // ours; an agent without settings cannot be opened and says so
	return tenants.Agent{
		ID: tenants.AgentID(r.ID), Tenant: tenants.TenantID(r.TenantID), Name: r.Name, Kind: tenants.AgentKind(r.Kind), Caller: r.Caller,
		CreatedAt: moment(r.Created), AttachSeconds: s.AttachSeconds, Attach: cmp.Or(s.Attach, tenants.AttachAnswered), Next: s.Next,
		Lost: cmp.Or(s.Lost, tenants.LostMessage), Builtin: s.Builtin, Stream: s.Stream, OpenAI: s.OpenAI, Pipecat: s.Pipecat,
		HasSecret: len(r.Secret) > 0,
	}
}

// agentOrders: a tenant has at most tenants.CapAgents, so no index is needed to sort them.
var agentOrders = orders[agentRow]{"created", map[Sort]order[agentRow]{
	"created": by("created_at, id", func(r agentRow) []any { return []any{r.Created, r.ID} }),
	"name":    byText("LOWER(name)", "id", func(r agentRow) []any { return []any{r.Name, r.ID} }),
	"kind":    by("kind, id", func(r agentRow) []any { return []any{r.Kind, r.ID} }),
}}

// sealedAgent is the associated data of an agent's secret: a blob that is copied to another row
// does not open.
func (s *scope) sealedAgent(id tenants.AgentID) []string {
	return []string{string(s.id), "agents", string(id)}
}

// Agents are the tenant's agents.
type Agents struct{ *scope }

// Agents returns the tenant's Agents.
func (s *Scope) Agents() Agents { return Agents{&s.scope} }

// Add adds an agent, and seals its secret.
func (s Agents) Add(ctx context.Context, a tenants.Agent) error {
	row := agentRow{TenantID: uuid(s.id), ID: uuid(a.ID), Name: a.Name, Kind: string(a.Kind), Caller: a.Caller,
		Created: micros(a.CreatedAt)}
	var err error
	if row.Settings, err = settingsOf(a); err != nil {
		return fmt.Errorf("store: agent %s: %w", a.ID, err)
	}
	if row.Secret, err = s.sealSecret(a); err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		if err := t.room(s.scope, tenants.CapAgents, "agents", "TRUE"); err != nil {
			return err
		}
		if err := s.haveAll(t, a.Next); err != nil {
			return err
		}
		if err := t.db().Create(&row).Error; err != nil {
			return taken(err, "This agent exists already.")
		}
		return t.audit(s.scope, "agent.add", string(row.ID), "")
	})
}

// sealSecret seals an agent's new secret. None gives an empty blob.
func (s Agents) sealSecret(a tenants.Agent) ([]byte, error) {
	if a.Secret == nil || *a.Secret == "" {
		return []byte{}, nil
	}
	blob, err := s.s.seal.Seal([]byte(*a.Secret), s.sealedAgent(a.ID)...)
	if err != nil {
		return nil, fmt.Errorf("store: agent %s: %w", a.ID, err)
	}
	return blob, nil
}

// Secret opens an agent's secret; "" = it has none.
func (s Agents) Secret(ctx context.Context, id tenants.AgentID) (string, error) {
	var row agentRow
	if err := s.read(ctx, "agents").Select("secret").Where("id = ?", uuid(id)).Take(&row).Error; err != nil {
		return "", missing(err, "agent")
	}
	if len(row.Secret) == 0 {
		return "", nil
	}
	secret, err := s.s.seal.Open(row.Secret, s.sealedAgent(id)...)
	if err != nil {
		return "", fmt.Errorf("store: agent %s: %w", id, err)
	}
	return string(secret), nil
}

// Set changes an agent. Its stored secret stays unless a has one, or becomes of another kind: a
// token of one service must not reach another.
func (s Agents) Set(ctx context.Context, a tenants.Agent) error {
	set, err := settingsOf(a)
	if err != nil {
		return fmt.Errorf("store: agent %s: %w", a.ID, err)
	}
	blob, err := s.sealSecret(a)
	if err != nil {
		return err
	}
	return s.write(ctx, func(t *tx) error {
		var old agentRow
		if err := s.in(t.db(), "agents").Where("id = ?", uuid(a.ID)).Take(&old).Error; err != nil {
			return missing(err, "agent")
		}
		if err := s.haveAll(t, a.Next); err != nil {
			return err
		}
		if a.Secret == nil && old.Kind == string(a.Kind) {
			blob = append([]byte{}, old.Secret...) // never nil: the column takes none
		}
		if a.Kind != tenants.Builtin {
			if err := s.dropSound(t, a.ID); err != nil {
				return err
			}
		}
		c := changes{}
		c.set("name", old.Name, a.Name)
		c.set("kind", old.Kind, string(a.Kind))
		c.set("caller", old.Caller, a.Caller)
		c.add("settings", old.Settings != set)
		c.add("token", a.Secret != nil && len(blob)+len(old.Secret) > 0 || a.Secret == nil && len(blob) != len(old.Secret))
		if len(c) == 0 {
			return nil
		}
		_, err := t.exec("UPDATE agents SET name = ?, kind = ?, caller = ?, settings = ?, secret = ? WHERE tenant_id = ? AND id = ?",
			a.Name, string(a.Kind), a.Caller, set, blob, uuid(s.id), uuid(a.ID))
		if err != nil {
			return err
		}
		return t.auditChange(s.scope, "agent.set", string(a.ID), "", c...)
	})
}

// haveAll refuses agents that the tenant does not have.
func (s Agents) haveAll(t *tx, next []tenants.AgentID) error {
	if len(next) == 0 {
		return nil
	}
	var n int64
	if err := s.in(t.db(), "agents").Where("id IN ?", uuids(next)).Count(&n).Error; err != nil {
		return translate(err)
	}
	if int(n) == len(next) {
		return nil
	}
	return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
		Fields: []tenants.Field{{Name: "next", Message: "no such agent, or one is named twice"}}}
}

// unfollow takes a removed agent out of the lists of those that others name next.
func (s Agents) unfollow(t *tx, id tenants.AgentID) error {
	var rows []agentRow
	if err := s.in(t.db(), "agents").Where("settings LIKE ?", "%"+string(id)+"%").Find(&rows).Error; err != nil {
		return translate(err)
	}
	for _, row := range rows {
		a := row.noun()
		a.Next = slices.DeleteFunc(a.Next, func(n tenants.AgentID) bool { return n == id })
		set, err := settingsOf(a)
		if err != nil {
			return fmt.Errorf("store: agent %s: %w", a.ID, err)
		}
		if _, err := t.exec("UPDATE agents SET settings = ? WHERE tenant_id = ? AND id = ?", set, uuid(s.id), uuid(a.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Remove removes an agent. If it was the tenant's default, the built-in one is again. Other agents
// do not name it next any more.
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
		if err := s.unfollow(t, id); err != nil {
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
		named, args := s.s.db.dialect.alike(q.Search, "name")
		db = db.Where(named, args...)
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
