package api

import (
	"testing"

	"carillon/tenants"
)

func TestAgents(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.tenant("lakeside", "Lakeside")
	var made, got agent
	h.do(ask{method: "POST", path: "/v1/agents", key: a.key, body: `{"name":"Night desk","kind":"builtin"}`}).want(201).into(&made)
	h.do(ask{method: "PATCH", path: "/v1/agents/" + made.ID, key: a.key, body: `{"caller":"Night"}`}).want(200).into(&got)
	if got.Name != "Night desk" || *got.Caller != "Night" || got.Default {
		t.Errorf("%+v", got)
	}
	tn, err := a.scope().Tenant(t.Context())
	must(t, err)
	tn.DefaultAgent = tenants.AgentID(made.ID)
	must(t, a.scope().SetTenant(t.Context(), tn))
	h.do(ask{method: "GET", path: "/v1/agents/" + made.ID, key: a.key}).want(200).into(&got)
	if !got.Default {
		t.Error("the default agent is not said to be it")
	}
	var p list[agent]
	h.do(ask{method: "GET", path: "/v1/agents", key: a.key}).want(200).into(&p)
	if len(p.Data) != 2 || p.Next != nil {
		t.Errorf("%+v", p)
	}
	h.do(ask{method: "DELETE", path: "/v1/agents/" + string(a.agent), key: a.key}).want(204)
	h.do(ask{method: "GET", path: "/v1/agents/" + string(a.agent), key: a.key}).want(404)
}
