package console

import (
	"context"
	"slices"
	"strconv"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// ringPages serve the log of rings, one ring, and the test ring.
type ringPages struct{ *Console }

// names are the devices and agents that rings speak of.
type names struct {
	devices map[tenants.DeviceID]tenants.Device
	agents  map[tenants.AgentID]tenants.Agent
	quality *tenants.CallQuality // how the call of a single ring sounded; nil = not measured
}

// namesOf finds them for many rings by two statements.
func namesOf(ctx context.Context, s *store.Scope, rings ...*tenants.Ring) (n names, err error) {
	devices, agents := map[tenants.DeviceID]bool{}, map[tenants.AgentID]bool{}
	for _, r := range rings {
		if r.Agent != "" {
			agents[r.Agent] = true
		}
		if r.To.Device != "" {
			devices[r.To.Device] = true
		}
		for _, a := range r.Attempts {
			devices[a.Device] = true
		}
	}
	if n.devices, err = s.Devices().Called(ctx, keysOf(devices)); err != nil {
		return n, err
	}
	n.agents, err = s.Agents().ByID(ctx, keysOf(agents))
	return n, err
}

func keysOf[K comparable](m map[K]bool) []K {
	out := make([]K, 0, len(m))
	for k := range m {
		out = append(out, k)
	}
	return out
}

// to is who a ring is for.
func (n names) to(r *tenants.Ring) string {
	if r.To.Group != "" {
		return r.To.Name
	}
	if r.To.Person != "" {
		return r.To.Person
	}
	return n.device(r.To.Device)
}

// rungOn says on which devices.
func (n names) rungOn(r *tenants.Ring) string {
	switch {
	case len(r.Attempts) != 1:
		return views.Plural(len(r.Attempts), "device", "devices")
	case r.To.Device != "":
		return joined(", ", n.devices[r.To.Device].Model, n.devices[r.To.Device].Person)
	}
	return n.device(r.Attempts[0].Device)
}

func ringRow(r *tenants.Ring, n names, zone *time.Location) views.RingRow {
	row := views.RingRow{
		ID: string(r.ID), State: views.RingState(r.State), To: n.to(r), Devices: n.rungOn(r), Agent: n.agent(r.Agent), Caller: r.Caller,
		Reference: r.Reference, Placed: views.At(r.CreatedAt, zone), Reason: reasonOf(r), Test: r.Test,
	}
	if r.To.Device != "" {
		row.ToHref = views.DevicePath(string(r.To.Device))
	}
	if r.Call != nil {
		row.Duration = talked(r.Call)
	}
	if len(r.Attempts) > 0 && r.Attempts[0].Push.Status != 0 {
		row.Apple = joined(" ", strconv.Itoa(r.Attempts[0].Push.Status), r.Attempts[0].Push.Reason)
	}
	for _, a := range r.Attempts {
		row.Sandbox = row.Sandbox || a.Push.Environment == tenants.Sandbox
	}
	return row
}

func ringRows(rings []*tenants.Ring, n names, zone *time.Location) []views.RingRow {
	out := make([]views.RingRow, len(rings))
	for i, r := range rings {
		out[i] = ringRow(r, n, zone)
	}
	return out
}

// talked is how long the sound of a call lasted; empty while it lasts, and if there was none.
func talked(c *tenants.Call) string {
	d, ok := c.Talked()
	if !ok {
		return ""
	}
	return views.Millis(int(d.Milliseconds()))
}

// list is the rings that the search and filters of q leave, and what it asks for.
func (k ringPages) list(v *page.Visitor, q *page.Query) (page.List[*tenants.Ring], store.RingQuery) {
	ask := store.RingQuery{
		Person: q.Text("person"), State: tenants.State(q.OneOf("state", mapped(tenants.RingStates[:], func(s tenants.State) string {
			return string(s)
		})...)), Device: tenants.DeviceID(q.ID("device")), Agent: tenants.AgentID(q.ID("agent")),
	}
	ask.From, ask.To = q.Span(v, k.Now())
	k.cut(v, q, &ask)
	rings := v.Scope.Rings()
	return page.List[*tenants.Ring]{
		Words: ringWords, Keeper: v.Keeper(), Bulk: bulkOne(v, mayRing, views.PathRingsBulk, "cancel", "Stop", views.IconBan),
		MayAdd: v.Role.May(mayRing),
		Find: func(ctx context.Context, p store.Page) ([]*tenants.Ring, string, error) {
			return rings.List(ctx, ask.At(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) { return k.total(ctx, v, ask.At(p)) },
		Head: []string{"id", "state", "to", "devices", "agent", "caller", "reference", "test", "placed_at", "ended_at",
			"end_reason", "apple_status", "apple_reason", "call_seconds"},
		Cells: func(ctx context.Context, rows []*tenants.Ring) ([][]string, error) {
			n, err := namesOf(ctx, v.Scope, rows...)
			return mapped(rows, func(r *tenants.Ring) []string { return ringCells(v, r, n) }), err
		},
	}, ask
}

func (k ringPages) rings(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list, ask := k.list(v, q)
	filters, err := ringFilters(ctx, v, q, ask)
	if err != nil {
		return err
	}
	cuts, err := cutFilters(ctx, v, q, ask)
	if err != nil {
		return err
	}
	filters = append(filters, cuts...)
	rings, table, err := list.Page(ctx, q, filters...)
	if err != nil {
		return err
	}
	if !slices.ContainsFunc(rings, func(r *tenants.Ring) bool { return !r.State.Terminal() }) {
		table.Bulk = nil // nothing rings
	}
	n, err := namesOf(ctx, v.Scope, rings...)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Rings", views.NavRings))
	if err != nil {
		return err
	}
	p := views.RingsPage{Shell: s, Table: table, Rings: ringRows(rings, n, v.Zone),
		Live: q.First() && table.Newest} // new rings come to no other page
	return web.Page(c, views.Rings(p), fiber.StatusOK)
}

// ringFilters are the lists beside the search. Devices and agents are the newest ones, and
// whichever is chosen.
func ringFilters(ctx context.Context, v *page.Visitor, q *page.Query, ask store.RingQuery) ([]views.Filter, error) {
	devices, _, err := v.Scope.Devices().List(ctx, store.DeviceQuery{Limit: page.PerPage})
	if err != nil {
		return nil, err
	}
	agents, _, err := v.Scope.Agents().List(ctx, store.Page{Limit: page.PerPage})
	if err != nil {
		return nil, err
	}
	onDevice, byAgent := []views.Choice{page.Choice("", "Any device")}, []views.Choice{page.Choice("", "Any agent")}
	seen := false
	for _, d := range devices {
		onDevice = append(onDevice, page.Choice(string(d.ID), deviceName(d)))
		seen = seen || d.ID == ask.Device
	}
	if ask.Device != "" && !seen {
		onDevice = append(onDevice, page.Choice(string(ask.Device), "The chosen device"))
	}
	for _, a := range agents {
		byAgent = append(byAgent, page.Choice(string(a.ID), a.Name))
	}
	states := q.Chosen("state", page.Choice("", "Any state"), page.Choice("ended", "Answered"), page.Choice("missed", "Missed"),
		page.Choice("declined", "Declined"),
		page.Choice("failed", "Failed"), page.Choice("cancelled", "Cancelled"), page.Choice("ringing", "Ringing"), page.Choice("answered",
			"In call"))
	return []views.Filter{
		{Name: "state", Label: "State", Choices: states},
		{Name: "device", Label: "Device", Choices: q.Chosen("device", onDevice...)},
		{Name: "agent", Label: "Agent", Choices: q.Chosen("agent", byAgent...)},
		q.Periods(),
	}, nil
}

func (k ringPages) ringsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list, _ := k.list(v, q)
	return list.Send(ctx, c, k.Common, q)
}

func ringCells(v *page.Visitor, r *tenants.Ring, n names) []string {
	status, reason, seconds := "", "", ""
	if len(r.Attempts) > 0 && r.Attempts[0].Push.Status != 0 {
		status, reason = strconv.Itoa(r.Attempts[0].Push.Status), r.Attempts[0].Push.Reason
	}
	if r.Call != nil {
		if d, ok := r.Call.Talked(); ok {
			seconds = strconv.FormatFloat(d.Seconds(), 'f', 1, 64)
		}
	}
	return []string{string(r.ID), string(r.State), n.to(r), n.rungOn(r), n.agent(r.Agent), r.Caller, r.Reference,
		strconv.FormatBool(r.Test),
		page.Stamp(r.CreatedAt), page.Stamp(r.EndedAt), string(r.EndReason), status, reason, seconds}
}
