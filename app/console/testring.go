package console

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// testDevices bounds the phones to choose from.
const testDevices = 50

// testRing asks which phone to ring.
func (k ringPages) testRing(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	to, _ := testTarget(web.Query(c, "device"))
	return k.testForm(ctx, c, v, to, page.Wrong{Status: fiber.StatusOK})
}

// groupTarget is what stands before the id of a group where a test ring names a phone or a group.
const groupTarget = "group:"

// testTarget reads what a test ring is for: the id of a phone, or of a group behind groupTarget.
func testTarget(s string) (to tenants.To, ok bool) {
	if id, is := strings.CutPrefix(s, groupTarget); is {
		to.Group, ok = tenants.ParseID[tenants.GroupID](id)
		return to, ok
	}
	to.Device, ok = tenants.ParseID[tenants.DeviceID](s)
	return to, ok
}

func (k ringPages) testForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor, chosen tenants.To, w page.Wrong) error {
	p := views.TestRingPage{Error: w.Unseen(), Emergency: emergencyTick(v, page.FormOf(c).Has("emergency"))}
	var err error
	if p.Groups, err = groupsToTest(ctx, v, chosen.Group); err != nil {
		return err
	}
	if p.Devices, err = k.phonesToTest(ctx, v, chosen); err != nil {
		return err
	}
	if p.Agents, err = agentChoices(ctx, v, string(v.Tenant.DefaultAgent)); err != nil {
		return err
	}
	if p.Recent, err = k.earlierTests(ctx, v); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Test ring", views.NavTest)); err != nil {
		return err
	}
	return web.Page(c, views.TestRing(p), w.Status)
}

// groupsToTest are the groups by name, as many as there may be phones.
func groupsToTest(ctx context.Context, v *page.Visitor, chosen tenants.GroupID) ([]views.TestGroup, error) {
	if !v.Role.May(seeGroups) {
		return nil, nil
	}
	all, _, err := v.Scope.Groups().List(ctx, store.Page{Sort: "name", Limit: testDevices})
	return mapped(all, func(g tenants.Group) views.TestGroup {
		return views.TestGroup{Value: groupTarget + string(g.ID), Name: g.Name, Selected: g.ID == chosen,
			Text: page.Shown(joined(": ", g.Way.Name(), strings.Join(personsOf(g), ", ")), 80)}
	}), err
}

// phonesToTest are the newest living phones, and the chosen one in any case.
func (k ringPages) phonesToTest(ctx context.Context, v *page.Visitor, to tenants.To) ([]views.TestDevice, error) {
	chosen := to.Device
	all, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{State: tenants.DeviceActive, Limit: testDevices})
	if err != nil {
		return nil, err
	}
	found := false
	for _, d := range all {
		found = found || d.ID == chosen
	}
	if chosen != "" && !found {
		more, err := v.Scope.Devices().ByID(ctx, []tenants.DeviceID{chosen})
		if err != nil {
			return nil, err
		}
		if d, ok := more[chosen]; ok {
			all, found = append([]tenants.Device{d}, all...), true
		}
	}
	judged, err := k.judged.of(ctx, v.Tenant.ID, v.Scope)
	if err != nil {
		return nil, err
	}
	if !found && to.Group == "" {
		chosen = k.likely(all, judged)
	}
	out := make([]views.TestDevice, len(all))
	for i, d := range all {
		out[i] = views.TestDevice{
			ID: string(d.ID), Name: deviceName(d), Person: orDash(d.Person),
			Model:       orDash(joined(", ", d.Model, before("iOS ", d.OSVersion))),
			Environment: envOf(d.Host()), Selected: d.ID == chosen, Page: k.phonePath(d.ID),
		}
		if status := judged.status(d, k.Now()); !status.OK() {
			out[i].Warning = status.Title
		}
	}
	return out, nil
}

// likely is the phone that most likely shows the ring: in dev mode the phone in the browser, which
// the newcomer can open, else the one with the best verdict. Empty if there is none.
func (k ringPages) likely(all []tenants.Device, judged phones) (best tenants.DeviceID) {
	most := -1
	for _, d := range all {
		score := slices.Index(tenants.PhoneStates, judged.status(d, k.Now()).State)
		if k.Dev != nil && d.Platform == tenants.Browser {
			score += len(tenants.PhoneStates)
		}
		if score > most {
			best, most = d.ID, score
		}
	}
	return best
}

// earlierTests are the latest rings that came from the test button.
func (k ringPages) earlierTests(ctx context.Context, v *page.Visitor) ([]views.RingRow, error) {
	rings, _, err := v.Scope.Rings().List(ctx, store.RingQuery{Limit: page.PerPage, From: k.Now().AddDate(0, 0, -7)})
	if err != nil {
		return nil, err
	}
	var tests []*tenants.Ring
	for _, r := range rings {
		if r.Test && r.By.Kind == tenants.ActorUser && len(tests) < 5 {
			tests = append(tests, r)
		}
	}
	n, err := namesOf(ctx, v.Scope, tests...)
	return ringRows(tests, n, v.Zone), err
}

// placeTest rings the chosen phone and leads to the page that follows the ring. A refusal comes
// back with the form.
func (k ringPages) placeTest(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	to, ok := testTarget(f.Text("device"))
	if !ok {
		return k.testForm(ctx, c, v, tenants.To{}, page.Wrong{Msg: noPhoneChosen, Status: fiber.StatusBadRequest})
	}
	agent, ok := tenants.ParseID[tenants.AgentID](f.Text("agent"))
	if !ok && f.Text("agent") != "" {
		return tenants.NoSuch("agent")
	}
	caller := callerOf(v)
	if caller.Emergency = f.Has("emergency"); caller.Emergency && !v.Role.May(tenants.RingsEmergency) {
		return tenants.Refuse(tenants.Forbidden, "missing_permission", lacksPermission, v.Role.Name(), tenants.RingsEmergency.Does())
	}
	r, _, err := k.Board.Place(ctx, caller, tenants.Request{To: to, Agent: agent}, store.Idempotency{})
	if w, ok := page.WrongOf(err); ok {
		return k.testForm(ctx, c, v, to, w)
	}
	if err != nil {
		return err
	}
	return c.Redirect(views.RingTestPath(string(r.ID)), fiber.StatusSeeOther)
}

// testLive follows a test ring. Any ring may be followed so.
func (k ringPages) testLive(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	r, n, err := k.oneRing(ctx, c, v)
	if err != nil {
		return err
	}
	p := k.testLivePage(r, n, v)
	if p.Shell, err = k.shell(ctx, c, v, at("Test ring to "+p.Device, views.NavTest, up("Test ring", views.PathTestRing))); err != nil {
		return err
	}
	return web.Page(c, views.TestLive(p), fiber.StatusOK)
}

// testLivePage is a ring for the page that follows it, without the shell. The caller is the label
// that the phone shows: the app gets it from the push, or asks for it where the industry lets no
// push carry it. Without a label the phone shows the organisation.
func (k *Console) testLivePage(r *tenants.Ring, n names, v *page.Visitor) views.TestLivePage {
	p := views.TestLivePage{
		ID: string(r.ID), State: views.RingState(r.State), Device: n.to(r), Model: n.rungOn(r),
		Caller: cmp.Or(r.Caller, v.Tenant.Name), Tenant: v.Tenant.Name, CanRing: v.Role.May(mayRing), Problem: problemOf(r),
	}
	a := decisive(r)
	if a == nil && len(r.Attempts) > 0 {
		a = &r.Attempts[0]
	}
	if r.To.Group != "" {
		p.DeviceID = groupTarget + string(r.To.Group)
	}
	if a != nil {
		p.Device, p.DeviceID, p.Hops = n.device(a.Device), cmp.Or(p.DeviceID, string(a.Device)), hopsOf(a, v.Zone)
		p.Phone = k.phonePath(a.Device)
		if d := n.devices[a.Device]; d.Model != "" {
			p.Model = d.Model
		}
		if f := factOf(a, tenants.FactShown); r.State.Terminal() && !f.At.IsZero() {
			p.Elapsed = views.Millis(int(f.At.Sub(r.CreatedAt).Round(time.Millisecond).Milliseconds()))
		}
	}
	p.Model = orDash(p.Model)
	p.Headline = headline(r, p.Device)
	return p
}

func orDash(s string) string {
	if s == "" {
		return "–"
	}
	return s
}
