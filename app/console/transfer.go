package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// transferPeople is how many people are listed to choose from. With more, the name is typed.
const transferPeople = 200

// askTransfer asks to whom the call of a ring is given.
func (k ringPages) askTransfer(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	return k.transferPage(ctx, c, v, r, n, page.Wrong{Status: fiber.StatusOK})
}

func (k ringPages) transferPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, r *tenants.Ring, n names, w page.Wrong) error {
	p := views.TransferPage{ID: string(r.ID), Error: w.Unseen(), AgentHelp: transferToAgent, PersonHelp: transferToPerson,
		GroupHelp: transferToGroup}
	if r.State != tenants.Answered {
		p.Refused, p.Error = notInCall, ""
	}
	chosen := page.FormOf(c)
	all, err := agentChoices(ctx, v, chosen.Text("agent"))
	if err != nil {
		return err
	}
	p.Agents = all[1:] // not the built-in one, which says nothing of use to a person in a call
	people, more, err := v.Scope.Devices().People(ctx, store.PersonQuery{Limit: transferPeople})
	if err != nil {
		return err
	}
	for _, one := range people {
		if one.Active > 0 && one.Name != r.To.Person {
			p.People = append(p.People, page.Choice(one.Name, one.Name))
		}
	}
	p.People = page.Choose(chosen.Text("person"), p.People...)
	if p.Typed = more != ""; p.Typed {
		p.Person = views.Field{Name: "person", Label: "Person", Value: chosen.Text("person"), Max: 200,
			Help: transferPersonHelp}
	}
	if v.Role.May(seeGroups) {
		groups, _, err := v.Scope.Groups().List(ctx, store.Page{Sort: "name", Limit: transferPeople})
		if err != nil {
			return err
		}
		p.Groups = page.Choose(chosen.Text("group"), mapped(groups, func(g tenants.Group) views.Choice {
			return page.Choice(string(g.ID), g.Name)
		})...)
	}
	to := n.to(r)
	p.Shell, err = k.shell(ctx, c, v, at(transferTitle+to, views.NavRings, up("Rings", views.PathRings),
		up(to, views.RingPath(p.ID))))
	if err != nil {
		return err
	}
	return web.Page(c, views.Transfer(p), w.Status)
}

// transfer gives the call of a ring to an agent or a person. A refusal comes back with the form.
func (k ringPages) transfer(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	f := page.FormOf(c)
	to := switchboard.Transfer{Person: f.Text("person")}
	if id := f.Text("group"); id != "" && to.Person == "" {
		var ok bool
		if to.Group, ok = tenants.ParseID[tenants.GroupID](id); !ok {
			return tenants.NoSuch("group")
		}
	}
	if to.Person == "" && to.Group == "" {
		var ok bool
		if to.Agent, ok = tenants.ParseID[tenants.AgentID](f.Text("agent")); !ok {
			return k.transferPage(ctx, c, v, r, n, page.Wrong{Msg: nobodyChosen, Status: fiber.StatusBadRequest})
		}
	}
	_, err = k.Board.Transfer(ctx, callerOf(v), r.ID, to)
	if w, ok := page.WrongOf(err); ok {
		return k.transferPage(ctx, c, v, r, n, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashTransferred, views.RingPath(string(r.ID)))
}
