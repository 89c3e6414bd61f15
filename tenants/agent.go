package tenants

import "time"

// AgentKind is the way in which Carillon reaches an agent.
type AgentKind string

const (
	Builtin AgentKind = "builtin" // bells, then an echo: speaks with nothing installed
)

// Agent is who speaks for the tenant.
type Agent struct {
	ID        AgentID
	Tenant    TenantID
	Name      string
	Kind      AgentKind
	Caller    string // label shown to the person when a ring gives none
	CreatedAt time.Time
}

// Check refuses an agent whose fields break a rule, naming every wrong one.
func (a Agent) Check() error {
	var f faults
	f.add(ValidText(a.Name, 1, 80), "name", "1 to 80 characters, not blank, no control characters")
	f.add(a.Kind == Builtin, "kind", "builtin")
	f.add(ValidText(a.Caller, 0, 64), "caller", "at most 64 characters, not blank, no control characters")
	return f.err()
}
