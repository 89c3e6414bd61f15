package agents_test

import (
	"context"
	"errors"
	"testing"

	"carillon/app/agents"
	"carillon/tenants"
)

// TestKindsOpen: a kind is opened by its own function, and whatever fails is an error, never the
// built-in agent.
func TestKindsOpen(t *testing.T) {
	t.Parallel()
	b := builtin(t, 0)
	kinds := agents.NewKinds(b, nil, nil, nil, nil)
	got, err := kinds.Open(t.Context(), tenants.Agent{Kind: tenants.Builtin}, agents.Call{})
	if err != nil || got != (agents.Ready{Agent: b}) {
		t.Errorf("the built-in agent: %v, %v", got, err)
	}
	if got, err := kinds.Open(t.Context(), tenants.Agent{Kind: "carrier pigeon"}, agents.Call{}); err == nil || got != nil {
		t.Errorf("a kind that nothing serves: %v, %v", got, err)
	}
	away := errors.New("away")
	kinds["far"] = func(context.Context, tenants.Agent, agents.Call) (agents.Agent, error) { return nil, away }
	if got, err := kinds.Open(t.Context(), tenants.Agent{Kind: "far"}, agents.Call{}); !errors.Is(err, away) || got != nil {
		t.Errorf("an agent that cannot be reached: %v, %v", got, err)
	}
}
