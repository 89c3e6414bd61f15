package console

import (
	"context"
	"slices"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// checklist decides the steps of the tenant's industry from what is stored. A check reads only what
// it needs, and only if the industry has a step for it.
type checklist struct {
	v     *page.Visitor
	known map[tenants.StepCheck]bool // what the overview has read already
}

// draw lists the steps, each with whether it is done.
func (l checklist) draw(ctx context.Context) (*views.Checklist, error) {
	file := l.v.Tenant.File()
	out := &views.Checklist{Title: "Get started", Steps: []views.Step{setUp(file.Name)}}
	for _, s := range file.Checklist {
		done, err := l.done(ctx, s.Check)
		if err != nil {
			return nil, err
		}
		to := stepLinks[s.Check]
		if role, ok := s.Check.Connection(); ok {
			to = views.Link{Href: views.ConnectionAddPath(string(role)), Text: "Connect"}
		}
		out.Steps = append(out.Steps, views.Step{Text: s.Title, Why: s.Text, Href: to.Href, Action: to.Text, Done: done})
	}
	return out, nil
}

func (l checklist) done(ctx context.Context, check tenants.StepCheck) (bool, error) {
	if done, ok := l.known[check]; ok {
		return done, nil
	}
	if role, ok := check.Connection(); ok {
		return l.connected(ctx, role)
	}
	scope := l.v.Scope
	switch check {
	case tenants.StepPeople:
		members, _, err := scope.Members().List(ctx, store.Page{Limit: 2})
		if err != nil || len(members) > 1 {
			return len(members) > 1, err
		}
		invited, err := scope.Invitations().List(ctx)
		return len(invited) > 0, err
	case tenants.StepAgent:
		all, _, err := scope.Agents().List(ctx, store.Page{Limit: int(tenants.CapAgents.Most)})
		return slices.ContainsFunc(all, func(a tenants.Agent) bool { return a.Kind != tenants.Builtin }), err
	case tenants.StepKey:
		all, _, err := scope.Keys().List(ctx, store.Page{Limit: page.PerPage})
		return slices.ContainsFunc(all, func(k tenants.Key) bool { return !k.LastUsedAt.IsZero() }), err
	case tenants.StepRecording:
		rule, err := scope.Recordings().Rule(ctx)
		return !rule.SetAt.IsZero(), err
	}
	return false, nil
}

func (l checklist) connected(ctx context.Context, role tenants.ConnectionRole) (bool, error) {
	all, _, err := l.v.Scope.Connections().List(ctx, store.Page{Limit: int(tenants.CapConnections.Most)})
	return slices.ContainsFunc(all, func(c tenants.Connection) bool { return c.Role == role }), err
}
