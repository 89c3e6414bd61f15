package console

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// connectionPages serve the tenant's connections and what was sent over them.
type connectionPages struct{ *Console }

// list is the connections that the search and filters of q leave. A tenant has at most
// tenants.CapConnections, which is less than a page, so the filters apply to what the store found.
func (k connectionPages) list(v *page.Visitor, q *page.Query) page.List[tenants.Connection] {
	role := tenants.ConnectionRole(q.OneOf("role", texts(tenants.ConnectionRoles)...))
	state := q.OneOf("state", "on", "failing", "off")
	fits := func(c tenants.Connection) bool {
		on := c.State == tenants.ConnectionActive
		switch {
		case role != "" && c.Role != role, state == "on" && !on, state == "off" && on:
			return false
		}
		return state != "failing" || on && !c.FailingSince.IsZero()
	}
	connections := v.Scope.Connections()
	return page.List[tenants.Connection]{
		Words: connectionWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayConnections),
		Find: func(ctx context.Context, p store.Page) ([]tenants.Connection, string, error) {
			all, next, err := connections.List(ctx, p)
			return slices.DeleteFunc(all, func(c tenants.Connection) bool { return !fits(c) }), next, err
		},
		Total: connections.Total,
		Head: []string{"id", "name", "role", "url", "events", "state", "created_at", "failing_since", "disabled_at",
			"last_delivered_at"},
		Cells: page.Each(func(c tenants.Connection) []string {
			return []string{string(c.ID), c.Name, string(c.Role), c.URL, strings.Join(texts(c.Events), " "), string(c.State),
				page.Stamp(c.CreatedAt), page.Stamp(c.FailingSince), page.Stamp(c.DisabledAt), page.Stamp(c.LastDelivered)}
		}),
	}
}

// texts are words of any type as plain ones.
func texts[T ~string](all []T) []string { return mapped(all, func(x T) string { return string(x) }) }

func (k connectionPages) connections(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list := k.list(v, q)
	roles := []views.Choice{page.Choice("", "Any type")}
	for _, r := range tenants.ConnectionRoles {
		roles = append(roles, page.Choice(string(r), r.Name()))
	}
	all, table, err := list.Page(ctx, q, views.Filter{Name: "role", Label: "Type", Choices: q.Chosen("role", roles...)},
		views.Filter{Name: "state", Label: "State", Choices: q.Chosen("state", page.Choice("", "Any state"), page.Choice("on", "On"),
			page.Choice("failing", "Failing"), page.Choice("off", "Off or paused"))})
	if err != nil {
		return err
	}
	p := views.ConnectionsPage{Table: table, CanEdit: v.Role.May(mayConnections)}
	for _, one := range all {
		row, err := k.connectionRow(ctx, v, one)
		if err != nil {
			return err
		}
		p.Connections = append(p.Connections, row)
	}
	if p.Pod, err = pod(ctx, v); err != nil {
		return err
	}
	if p.Shell, err = k.shell(ctx, c, v, at("Connections", views.NavConnections)); err != nil {
		return err
	}
	return web.Page(c, views.Connections(p), fiber.StatusOK)
}

func (k connectionPages) connectionsCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	return k.list(v, q).Send(ctx, c, k.Common, q)
}

// pod is what the tenant's industry expects, each with how it does. Of several connections of one
// role the one that fails is shown.
func pod(ctx context.Context, v *page.Visitor) ([]views.PodRow, error) {
	expected := v.Tenant.File().Connections
	if len(expected) == 0 {
		return nil, nil
	}
	all, _, err := v.Scope.Connections().List(ctx, store.Page{Limit: int(tenants.CapConnections.Most)})
	if err != nil {
		return nil, err
	}
	rows := make([]views.PodRow, len(expected))
	for i, e := range expected {
		rows[i] = views.PodRow{Role: e.Role.Name(), Why: e.Why, Tone: views.ToneNeutral, Word: "Not connected"}
		if v.Role.May(mayConnections) {
			rows[i].Add, rows[i].Href = true, views.ConnectionAddPath(string(e.Role))
		}
		for _, c := range all {
			if c.Role != e.Role {
				continue
			}
			if c, _, err = read(ctx, v, c); err != nil {
				return nil, err
			}
			s := connectionState(c)
			if rows[i].Name != "" && s.tone != views.ToneBad {
				continue
			}
			rows[i] = views.PodRow{Role: rows[i].Role, Tone: s.tone, Word: s.text, Name: c.Name, Href: views.ConnectionPath(string(c.ID))}
			if s.tone == views.ToneBad {
				rows[i].When = v.At(failingSince(c))
			}
		}
	}
	return rows, nil
}

func (k connectionPages) connectionForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	role := tenants.ConnectionRole(web.Query(c, "role"))
	if !slices.Contains(tenants.ConnectionRoles, role) {
		return k.roleChoice(ctx, c, v)
	}
	return k.connectionEdit(ctx, c, v, tenants.Connection{Role: role}, page.Wrong{Status: fiber.StatusOK})
}

// roleChoice asks what is to be connected, what the industry expects first.
func (k connectionPages) roleChoice(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	s, err := k.shell(ctx, c, v, at("Add a connection", views.NavConnections, up("Connections", views.PathConnections)))
	if err != nil {
		return err
	}
	p, expected := views.ConnectionFormPage{Shell: s}, map[tenants.ConnectionRole]string{}
	for _, e := range v.Tenant.File().Connections {
		expected[e.Role] = e.Why
	}
	for _, r := range tenants.ConnectionRoles {
		if r == tenants.RoleMLS && expected[r] == "" {
			continue // listings are of real estate
		}
		p.Cards = append(p.Cards, views.RoleCard{Role: string(r), Name: r.Name(), Text: roleWords[r].does, Why: expected[r]})
	}
	slices.SortStableFunc(p.Cards, func(a, b views.RoleCard) int {
		switch {
		case a.Why != "" && b.Why == "":
			return -1
		case a.Why == "" && b.Why != "":
			return 1
		}
		return 0
	})
	return web.Page(c, views.ConnectionForm(p), fiber.StatusOK)
}

// connectionEdit is the form of a connection; one without an id is new.
func (k connectionPages) connectionEdit(ctx context.Context, c *fiber.Ctx, v *page.Visitor, x tenants.Connection, w page.Wrong) error {
	words := roleWords[x.Role]
	p := views.ConnectionFormPage{
		ID: string(x.ID), Role: string(x.Role), Kind: x.Role.Name(), Text: words.does,
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(x.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: x.Role.Name(), Help: connectionNoName},
		Address: views.Field{Name: "url", Label: "Address", Value: page.Shown(x.URL, 2048), Max: 2048, Mono: true, Error: w.Fields["url"],
			Placeholder: words.address, Help: words.addressHelp},
		Wrong: w.Fields["events"],
	}
	p.Parts = roleParts(x, w, v.Tenant.Opaque())
	p.Error = w.Unseen(append([]string{"name", "url", "events", "headers"}, roleFields...)...)
	if len(x.Role.Takes()) > 1 {
		p.Events = eventTicks(x)
	}
	title, crumbs := "Add a connection: "+x.Role.Name(), []views.Link{up("Connections", views.PathConnections)}
	var stored []string
	if x.ID != "" {
		old, err := v.Scope.Connections().Get(ctx, x.ID) // as it is, whatever was typed
		if err != nil {
			return err
		}
		title, stored = "Edit "+old.Name, slices.Sorted(maps.Keys(old.Headers))
		crumbs = append(crumbs, up(old.Name, views.ConnectionPath(string(old.ID))))
	}
	if takesHeaders(x.Role) {
		p.Headers, p.Forget = headerFields(x, stored, w)
	}
	var err error
	if p.Shell, err = k.shell(ctx, c, v, at(title, views.NavConnections, crumbs...)); err != nil {
		return err
	}
	return web.Page(c, views.ConnectionForm(p), w.Status)
}

// takesHeaders: an SMS service has its own way to sign in.
func takesHeaders(r tenants.ConnectionRole) bool { return r != tenants.RoleSMS }

func eventTicks(x tenants.Connection) (groups []views.EventGroup) {
	takes := x.Role.Takes()
	for _, g := range eventGroups {
		group := views.EventGroup{Title: g.title}
		for _, e := range g.events {
			if slices.Contains(takes, e) {
				group.Ticks = append(group.Ticks, views.Tick{Name: "event", Value: string(e), Label: string(e), Help: eventWords[e],
					Checked: slices.Contains(x.Events, e)})
			}
		}
		if len(group.Ticks) > 0 {
			groups = append(groups, group)
		}
	}
	return groups
}

// headerFields are the field of the headers and, where some are stored, the way to remove them. The
// values of stored headers are never shown.
func headerFields(x tenants.Connection, stored []string, w page.Wrong) (*views.Field, *views.Tick) {
	f := &views.Field{Name: "headers", Label: "Headers", Optional: true, Error: w.Fields["headers"],
		Placeholder: "Authorization: Bearer …",
		Help:        headersHelp}
	if typed := slices.ContainsFunc(slices.Collect(maps.Values(x.Headers)), func(value string) bool { return value != "" }); typed &&
		f.Error == "" && w.Msg != "" {
		f.Error = headersAgain
	}
	if len(stored) == 0 {
		return f, nil
	}
	f.Help = "Stored: " + strings.Join(stored, ", ") + headersKept
	return f, &views.Tick{Name: "forget_headers", Value: "1", Label: headersForget}
}

// readConnection reads the form into x.
func readConnection(f page.Form, x *tenants.Connection) {
	x.Name, x.URL, x.Events = f.Text("name"), f.Text("url"), nil
	if len(x.Role.Takes()) > 1 {
		for _, e := range f.All("event") {
			x.Events = append(x.Events, tenants.EventKind(e))
		}
	}
	headers := map[string]string{}
	for line := range strings.Lines(f.Raw("headers")) {
		if line = strings.TrimSpace(line); line != "" {
			name, value, _ := strings.Cut(line, ":")
			headers[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	if len(headers) > 0 || f.Text("forget_headers") != "" {
		x.Headers = headers
	}
	readRole(f, x)
}

func (k connectionPages) addConnection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	x := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](k.Now()), Tenant: v.Tenant.ID,
		Role: tenants.ConnectionRole(f.Text("role")), CreatedAt: k.Now()}
	if !slices.Contains(tenants.ConnectionRoles, x.Role) {
		return k.roleChoice(ctx, c, v)
	}
	readConnection(f, &x)
	err := k.checkConnection(ctx, v, &x)
	var secret tenants.Secret
	if err == nil {
		secret, err = v.Scope.Connections().Add(ctx, x)
	}
	if w, ok := page.WrongOf(err); ok {
		x.ID = ""
		return k.connectionEdit(ctx, c, v, x, w)
	}
	if err != nil {
		return err
	}
	if !signs(x) {
		return k.Done(c, page.FlashAdded, views.ConnectionPath(string(x.ID)))
	}
	return k.showSecret(ctx, c, v, x, secret)
}

// checkConnection brings the connection into its stored form, and refuses one that breaks a rule or
// whose address we do not connect to.
func (k connectionPages) checkConnection(ctx context.Context, v *page.Visitor, x *tenants.Connection) error {
	*x = x.Clean()
	if err := x.Check(); err != nil {
		return err
	}
	return connections.NoteRefused(ctx, v.Scope, connections.OfConnection, k.CheckConnection(*x))
}

// signs: an SMS service and a calendar check another signature, or none, and syslog has no place
// for one.
func signs(x tenants.Connection) bool {
	return x.Role != tenants.RoleSMS && x.Role != tenants.RoleCalendar && !strings.HasPrefix(x.URL, "syslog")
}

// showSecret shows the signing secret, this once, with a program that uses it.
func (k connectionPages) showSecret(ctx context.Context, c *fiber.Ctx, v *page.Visitor, x tenants.Connection, s tenants.Secret) error {
	return k.showOnce(ctx, c, v, views.NavConnections, views.Secret{
		Title: newSecretTitle, Text: string(s), Note: newSecretNote, Next: views.ConnectionPath(string(x.ID)),
		Rows:      []views.Row{{Name: "Connection", Text: x.Name, Own: true}, {Name: "Address", Text: x.URL, Mono: true}},
		CodeTitle: verifyTitle, Code: verifyProgram,
	})
}

func oneConnection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Connection, error) {
	id, err := web.ID[tenants.ConnectionID](c, "connection")
	if err != nil {
		return tenants.Connection{}, err
	}
	return v.Scope.Connections().Get(ctx, id)
}

func (k connectionPages) editConnection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	return k.connectionEdit(ctx, c, v, x, page.Wrong{Status: fiber.StatusOK})
}

func (k connectionPages) setConnection(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	readConnection(page.FormOf(c), &x)
	if err = k.checkConnection(ctx, v, &x); err == nil {
		err = v.Scope.Connections().Change(ctx, x)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.connectionEdit(ctx, c, v, x, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.ConnectionPath(string(x.ID)))
}

// turn makes a connection active or paused.
func (k connectionPages) turn(to tenants.ConnectionState, said page.Flash) member {
	return func(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
		x, err := oneConnection(ctx, c, v)
		if err != nil {
			return err
		}
		x.State = to
		if err := v.Scope.Connections().Change(ctx, x); err != nil {
			return err
		}
		return k.Done(c, said, views.ConnectionPath(string(x.ID)))
	}
}

// removal asks about the connection that the path names.
func (k connectionPages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	x, err := oneConnection(ctx, c, v)
	return confirmation{
		ask: removalOfConnection(x), title: "Remove a connection", nav: views.NavConnections,
		up: up("Connections", views.PathConnections),
		do: func(ctx context.Context) error { return v.Scope.Connections().Remove(ctx, x.ID) }, said: page.FlashRemoved,
		next: views.PathConnections,
	}, err
}

// askRotate asks before the signing secret is rotated.
func (k connectionPages) askRotate(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	return k.confirm(ctx, c, v, confirmation{ask: rotationOfSecret(x), title: rotateTitle, nav: views.NavConnections,
		up: up(x.Name, views.ConnectionPath(string(x.ID)))}, fiber.StatusOK)
}

// rotate gives the connection a new secret and shows it, this once.
func (k connectionPages) rotate(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	x, err := oneConnection(ctx, c, v)
	if err != nil {
		return err
	}
	secret, _, err := v.Scope.Connections().RotateSecret(ctx, x.ID)
	if err != nil {
		return err
	}
	return k.showSecret(ctx, c, v, x, secret)
}
