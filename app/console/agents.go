package console

import (
	"context"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// agentPages serve the agents.
type agentPages struct{ *Console }

var agentWords = page.Words{
	Name: "Agents", Path: views.PathAgents, CSV: views.PathAgentsCSV, File: "agents", Search: "Name", One: "agent", Many: "agents",
	Empty: views.Empty{Icon: views.IconAgent, Text: "Only the built-in bells are available so far."},
	Add:   views.Button{Text: "Add agent", Href: views.PathAgentAdd, Icon: views.IconPlus, Kind: views.Primary},
	Sorts: page.Newest(page.Sort{Key: "name", Text: "Name, A to Z"}, page.Sort{Key: "-name", Text: "Name, Z to A"},
		page.Sort{Key: "kind", Text: "By kind"}, page.Sort{Key: "-kind", Text: "By kind, reversed"}),
	Columns: []page.Column{
		{Key: "kind", Text: "Kind", File: []string{"kind"}},
		{Key: "state", Text: "State"},
		{Key: "rings", Text: "Rings"},
		{Key: "added", Text: "Added", File: []string{"created_at"}},
	},
}

func (k agentPages) list(v *page.Visitor) page.List[tenants.Agent] {
	agents := v.Scope.Agents()
	return page.List[tenants.Agent]{
		Words: agentWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayAgents), Find: agents.List, Total: agents.Total,
		Head: []string{"id", "name", "kind", "caller", "default", "created_at"},
		Cells: page.Each(func(a tenants.Agent) []string {
			return []string{string(a.ID), a.Name, string(a.Kind), a.Caller, yes(a.ID == v.Tenant.DefaultAgent), page.Stamp(a.CreatedAt)}
		}),
	}
}

func (k agentPages) agents(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	counts, err := v.Scope.Analytics().Placed(ctx, k.Now().Add(-7*24*time.Hour)) // attempts
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Agents", views.NavAgents))
	if err != nil {
		return err
	}
	p := views.AgentsPage{Shell: s, Table: table, CanEdit: v.Role.May(mayAgents)}
	for _, a := range all {
		p.Agents = append(p.Agents, views.AgentRow{
			ID: string(a.ID), Name: a.Name, Kind: kindText(a), Note: before("shown to people as ",
				a.Caller), Default: a.ID == v.Tenant.DefaultAgent,
			Tone: views.ToneGood, State: "Ready", Rings: views.Count(int(counts[a.ID])) + " in 7 days", Changed: v.At(a.CreatedAt),
		})
	}
	return web.Page(c, views.Agents(p), fiber.StatusOK)
}

func (k agentPages) agentsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// agentChoices are the agents to choose from, the built-in one first.
func agentChoices(ctx context.Context, v *page.Visitor, chosen string) ([]views.Choice, error) {
	all, _, err := v.Scope.Agents().List(ctx, store.Page{Limit: 200})
	if err != nil {
		return nil, err
	}
	out := []views.Choice{page.Choice("", builtinAgent)}
	for _, a := range all {
		out = append(out, page.Choice(string(a.ID), a.Name))
	}
	return page.Choose(chosen, out...), nil
}

func (k agentPages) agentForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.agentPage(ctx, c, v, tenants.Agent{Kind: tenants.Builtin, Caller: v.Tenant.File().Caller.Of(v.Tenant.Name),
		OpenAI: &tenants.OpenAIAgent{Instructions: v.Tenant.File().Script}}, page.Wrong{Status: fiber.StatusOK})
}

// agentPage is the form of an agent; one without an id is new.
func (k agentPages) agentPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, a tenants.Agent, w page.Wrong) error {
	title := "Add an agent"
	p := views.AgentFormPage{
		ID: string(a.ID), CanEdit: v.Role.May(mayAgents),
		Error: w.Unseen("name", "caller", "url", "dialect", "auth_token", "parameters", "attach_s", "attach", "next", "program", "lost",
			"file", "model", "voice", "instructions", "api_key", "headers"),
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(a.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: "Reception", Help: "Shown in this console only. Callers do not see it."},
		Extra: []views.Field{{Name: "caller", Label: "Shown on the phone as", Value: page.Shown(a.Caller, 64), Max: 64, Optional: true,
			Error: w.Fields["caller"],
			Help:  "Used when a ring has no caller. Organisations with “IDs only, no names” never send it in a notification."}},
		Default: views.Tick{Name: "default", Value: "1", Label: "Use as default agent", Checked: a.ID != "" &&
			a.ID == v.Tenant.DefaultAgent},
	}
	if a.ID == "" {
		for _, kind := range tenants.AgentKinds {
			p.Kinds = append(p.Kinds, page.Choice(string(kind), agentKinds[kind]))
		}
		p.Kinds = page.Choose(string(a.Kind), p.Kinds...)
		p.Program, p.Joins = programPick(a, w), true
		p.Stream, p.OpenAI, p.Pipecat = streamFields(a, w), openAIFields(a, w), pipecatFields(a, nil, w)
		p.Attach, p.When = attachField(a, w), attachPick(a, w)
	} else {
		old, err := v.Scope.Agents().Get(ctx, a.ID) // as it is, whatever was typed
		if err != nil {
			return err
		}
		title, p.Kind = old.Name, agentKinds[old.Kind]
		switch old.Kind {
		case tenants.Builtin:
			p.Program = programPick(a, w)
			p.Sound = &views.SoundUpload{Length: soundLength(old), Error: w.Fields["file"]}
		case tenants.Stream:
			p.Stream = streamFields(a, w)
		case tenants.OpenAI:
			p.OpenAI = openAIFields(a, w)
		case tenants.Pipecat:
			p.Pipecat = pipecatFields(a, storedHeaders(old), w)
		case tenants.WebRTC:
			p.Joins = true
		}
		if old.Kind != tenants.Builtin {
			p.Attach, p.When = attachField(a, w), attachPick(a, w)
		}
		ask := removalOfAgent(old, old.ID == v.Tenant.DefaultAgent)
		p.Remove = &ask
	}
	var err error
	if p.Picks, err = handoverPicks(ctx, v, a, w); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavAgents, up("Agents", views.PathAgents))); err != nil {
		return err
	}
	p.Shell.Own = title != "Add an agent"
	return web.Page(c, views.AgentForm(p), w.Status)
}

func oneAgent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Agent, error) {
	id, err := web.ID[tenants.AgentID](c, "agent")
	if err != nil {
		return tenants.Agent{}, err
	}
	return v.Scope.Agents().Get(ctx, id)
}

func (k agentPages) agent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := oneAgent(ctx, c, v)
	if err != nil {
		return err
	}
	return k.agentPage(ctx, c, v, a, page.Wrong{Status: fiber.StatusOK})
}

func (k agentPages) addAgent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	a := tenants.Agent{
		ID: tenants.NewID[tenants.AgentID](k.Now()), Tenant: v.Tenant.ID, Name: f.Text("name"), Kind: tenants.AgentKind(f.Text("kind")),
		Caller: f.Text("caller"), CreatedAt: k.Now(),
	}
	readKind(f, &a)
	readHandover(f, &a)
	err := k.checkAgent(ctx, v, &a)
	if err == nil {
		err = v.Scope.Agents().Add(ctx, a)
	}
	if w, ok := page.WrongOf(err); ok {
		a.ID = ""
		return k.agentPage(ctx, c, v, a, w)
	}
	if err != nil {
		return err
	}
	return k.keepAgent(ctx, c, v, a.ID, page.FlashAdded)
}

// checkAgent brings the agent into its stored form, and refuses one that breaks a rule or whose
// address we do not connect to.
func (k agentPages) checkAgent(ctx context.Context, v *page.Visitor, a *tenants.Agent) error {
	*a = a.Clean()
	if err := a.Check(); err != nil {
		return err
	}
	return connections.NoteRefused(ctx, v.Scope, connections.OfAgent, k.CheckAgent(*a))
}

func (k agentPages) setAgent(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	a, err := oneAgent(ctx, c, v)
	if err != nil {
		return err
	}
	f := page.FormOf(c)
	a.Name, a.Caller = f.Text("name"), f.Text("caller")
	readKind(f, &a)
	readHandover(f, &a)
	if err = k.checkAgent(ctx, v, &a); err == nil {
		err = v.Scope.Agents().Set(ctx, a)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.agentPage(ctx, c, v, a, w)
	}
	if err != nil {
		return err
	}
	return k.keepAgent(ctx, c, v, a.ID, page.FlashSaved)
}

// keepAgent makes an agent the default, or no longer, as the form says, and leads back to the list.
func (k agentPages) keepAgent(ctx context.Context, c *fiber.Ctx, v *page.Visitor, id tenants.AgentID, said page.Flash) error {
	t := v.Tenant
	switch {
	case page.FormOf(c).Text("default") != "":
		t.DefaultAgent = id
	case t.DefaultAgent == id:
		t.DefaultAgent = ""
	}
	if err := v.Scope.SetTenant(ctx, t); err != nil {
		return err
	}
	return k.Done(c, said, views.PathAgents)
}

func removalOfAgent(a tenants.Agent, byDefault bool) views.Confirm {
	says := []string{"Rings that use this agent are refused.", "Rings in progress use the built-in agent when they are answered.",
		"Agents that name it as the next agent no longer do."}
	if byDefault {
		says = append(says, "It is the default agent. Rings without an agent will use the built-in agent.")
	}
	return views.Confirm{
		ID: "remove-agent", Title: "Remove " + a.Name + "?", TypeName: a.Name, Button: "Remove agent", Consequence: says,
		Action: views.AgentRemovePath(string(a.ID)), Back: views.AgentPath(string(a.ID)),
	}
}

// removal asks about the agent that the path names.
func (k agentPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	a, err := oneAgent(ctx, c, v)
	return confirmation{
		ask:   removalOfAgent(a, a.ID == v.Tenant.DefaultAgent),
		title: "Remove an agent", nav: views.NavAgents, up: up("Agents", views.PathAgents),
		do:   func(ctx context.Context) error { return v.Scope.Agents().Remove(ctx, a.ID) },
		said: page.FlashRemoved, next: views.PathAgents,
	}, err
}
