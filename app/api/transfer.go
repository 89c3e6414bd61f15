package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
)

// transferRequest is the body of POST /v1/rings/{id}/transfer.
type transferRequest struct {
	To struct {
		Agent  *string `json:"agent"`
		Person *string `json:"person"`
		Group  *string `json:"group"`
	} `json:"to"`
}

// transfer converts the body for the switchboard.
func (q transferRequest) transfer() (t switchboard.Transfer, err error) {
	fault := func(name, message string) error {
		return &tenants.Error{Kind: tenants.Invalid, Code: "invalid", Msg: "Please correct the fields below.",
			Fields: []tenants.Field{{Name: name, Message: message}}}
	}
	switch to := q.To; {
	case (to.Agent != nil) != (to.Person != nil) == (to.Group != nil), to.Agent != nil && to.Person != nil:
		return t, fault("to", "give either an agent, a person or a group")
	case to.Group != nil:
		id, ok := tenants.ParseID[tenants.GroupID](*to.Group)
		if !ok {
			return t, fault("to.group", "a group id: a UUID")
		}
		return switchboard.Transfer{Group: id}, nil
	case to.Agent != nil:
		id, ok := tenants.ParseID[tenants.AgentID](*to.Agent)
		if !ok {
			return t, fault("to.agent", "an agent id: a UUID")
		}
		return switchboard.Transfer{Agent: id}, nil
	}
	if !tenants.ValidReference(*q.To.Person) {
		return t, fault("to.person", "1 to 64 of A-Z, a-z, 0-9, '.', '_' and '-'")
	}
	return switchboard.Transfer{Person: *q.To.Person}, nil
}

// transferRing: POST /v1/rings/{id}/transfer. The answer is the ring; its facts say what follows.
func (a *API) transferRing(ctx context.Context, c *fiber.Ctx, k caller) error {
	id, err := web.ID[tenants.RingID](c, "ring")
	if err != nil {
		return err
	}
	var body transferRequest
	if err := web.JSON(c, &body); err != nil {
		return err
	}
	to, err := body.transfer()
	if err != nil {
		return err
	}
	r, err := a.Board.Transfer(ctx, k.Caller, id, to)
	if err != nil {
		return err
	}
	return replyRing(c, fiber.StatusAccepted, r)
}
