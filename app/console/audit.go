package console

import (
	"context"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// auditPages serve the audit log.
type auditPages struct{ *Console }

// replacedBy begins the detail of a device that another one with the same push token replaced.
const replacedBy = "replaced by "

// auditNouns are what the list can be filtered by.
var auditNouns = []views.Choice{
	{Value: "", Text: "Changes"}, {Value: "all", Text: "Changes and calls"}, {Value: "ring", Text: "Calls"},
	{Value: "note", Text: "Notes"}, {Value: "recording", Text: "Recordings"},
	{Value: "device", Text: "Devices"}, {Value: "pairing",
		Text: "Pairings"}, {Value: "credential", Text: "Credentials"}, {Value: "alert", Text: "Alerts"},
	{Value: "alert_rule", Text: "Alert rules"}, {Value: "alert_target", Text: "Alert targets"},
	{Value: "agent", Text: "Agents"}, {Value: "group", Text: "Groups"}, {Value: "schedule", Text: "Schedules"},
	{Value: "consent", Text: "Consents"}, {Value: "connection", Text: "Connections"}, {Value: "key", Text: "API keys"},
	{Value: "member", Text: "People"}, {Value: "invitation", Text: "Invitations"}, {Value: "role", Text: "Role previews"},
	{Value: "user", Text: "Sign-ins"}, {Value: "provider", Text: "Sign-in provider"}, {Value: "tenant", Text: "Settings"},
	{Value: "rules", Text: "Rules"}, {Value: "subscription", Text: "Billing"}, {Value: "audit", Text: "Audit log"},
	{Value: "export", Text: "Exports"}, {Value: "person", Text: "Erased people"}, {Value: "retention", Text: "Removals"},
	{Value: "access", Text: "Pages without permission"}, {Value: "address", Text: "Private addresses"},
}

// auditActors are the kinds of actors to choose from.
var auditActors = []views.Choice{
	{Value: "", Text: "Anyone"}, {Value: string(tenants.ActorUser), Text: "People"}, {Value: string(tenants.ActorKey), Text: "API keys"},
	{Value: string(tenants.ActorDevice), Text: "Phones"}, {Value: string(tenants.ActorSystem), Text: "Carillon"},
	{Value: string(tenants.ActorOperator), Text: operatorsShown},
}

// auditOutcomes are whether it was done.
var auditOutcomes = []views.Choice{{Value: "", Text: "Any result"}, {Value: "refused", Text: "Refused only"}}

// list is the entries that the search and filters of q leave.
func (k auditPages) list(v *page.Visitor, q *page.Query) page.List[tenants.Audit] {
	ask := store.AuditQuery{}
	ask.From, ask.To = q.Span(v, k.Now())
	if noun := q.OneOf("action", mapped(auditNouns, func(n views.Choice) string { return n.Value })...); noun == "" {
		ask.Folded = q.Raw("q") == "" // what is searched for may be about a call
	} else if noun != "all" {
		ask.Action = noun + "."
	}
	ask.Kind = tenants.ActorKind(q.OneOf("who", mapped(auditActors, func(n views.Choice) string { return n.Value })...))
	ask.Refused = q.OneOf("outcome", "", "refused") == "refused"
	audits := v.Scope.Audits()
	return page.List[tenants.Audit]{
		Words: auditListWords, Keeper: v.Keeper(),
		Find: func(ctx context.Context, p store.Page) ([]tenants.Audit, string, error) {
			return k.lookBack(ctx, v, ask.At(p))
		},
		Total: func(ctx context.Context, p store.Page) (store.Total, error) { return audits.Total(ctx, ask.At(p)) },
		Head: []string{"seq", "at", "actor_kind", "actor_id", "actor_name", "action", "target", "target_name", "detail",
			"changes", "result", "ip", "request_id", "times", "last_at", "hash"},
		Cells: page.Each(func(a tenants.Audit) []string {
			return []string{strconv.FormatInt(a.Seq, 10), page.Stamp(a.At), string(a.Actor.Kind), a.Actor.ID, a.Actor.Name, a.Action,
				a.Target, a.TargetName, a.Detail, changesCell(a.Changes), resultOf(a), a.IP, a.RequestID, strconv.FormatInt(a.Times, 10),
				page.Stamp(a.LastAt), a.Hash.String()}
		}),
	}
}

func (k auditPages) audit(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	list := k.list(v, q)
	all, table, err := list.Page(ctx, q, views.Filter{Name: "action", Label: "What",
		Choices: q.Chosen("action", append([]views.Choice{}, auditNouns...)...)},
		views.Filter{Name: "who", Label: "Who", Choices: q.Chosen("who", append([]views.Choice{}, auditActors...)...)},
		views.Filter{Name: "outcome", Label: "Outcome", Choices: q.Chosen("outcome", append([]views.Choice{}, auditOutcomes...)...)},
		q.Periods())
	if err != nil {
		return err
	}
	known, err := targetsOf(ctx, v, all)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Audit log", views.NavAudit))
	if err != nil {
		return err
	}
	p := views.AuditPage{Shell: s, Table: table, Lines: q.With(views.PathAuditLines, "after", "")}
	for _, a := range all {
		p.Rows = append(p.Rows, auditRow(a, known, v, k.Store.Plans()))
	}
	return web.Page(c, views.Audit(p), fiber.StatusOK)
}

// How far one page looks back for what was searched for, before it asks whether to go on: the store
// looks through a part of the record at once.
const (
	lookParts = 20
	lookTime  = 16 * time.Millisecond
)

// lookBack gives the first part of the record in which there is something.
func (k auditPages) lookBack(ctx context.Context, v *page.Visitor, ask store.AuditQuery) (all []tenants.Audit, next string, err error) {
	began := k.Now()
	for range lookParts {
		all, next, err = v.Scope.Audits().List(ctx, ask)
		if err != nil || len(all) > 0 || next == "" || k.Now().Sub(began) > lookTime {
			break
		}
		if ask.Upto != "" {
			ask.Upto = next
		} else {
			ask.After = next
		}
	}
	return all, next, err
}

func auditRow(a tenants.Audit, known map[string]views.Link, v *page.Visitor, plans tenants.Plans) views.AuditRow {
	row := views.AuditRow{
		ID: strconv.FormatInt(a.Seq, 10), At: v.At(a.At), Actor: a.Actor.Name, Program: a.Actor.Kind == tenants.ActorKey,
		Action: auditWords[a.Action], Target: a.Target,
		Changed: auditDetail(a), From: orDash(a.IP), Request: orDash(a.RequestID),
	}
	if row.Action == "" {
		row.Action = a.Action
	}
	row.Refused = a.Refused
	for _, c := range a.Changes {
		row.Fields = append(row.Fields, changeShown(a, c, known))
	}
	switch {
	case !a.LastAt.IsZero():
		row.Times = "again " + views.Plural(int(a.Times), "time", "times")
	case a.Times > 1:
		row.Times = views.Count(int(a.Times)) + " times"
	}
	switch a.Actor.Kind {
	case tenants.ActorDevice:
		row.Actor = joined(" ", a.Actor.Name, "(phone)")
	case tenants.ActorOperator:
		row.Actor = joined(" ", a.Actor.Name, "(operator)")
	}
	noun, _, _ := strings.Cut(a.Action, ".")
	row.Own = noun != "credential" // those are called in our words
	if t, ok := known[a.Detail]; ok && a.Action == "pairing.take" {
		row.Target, row.Href, row.Changed = t.Text, t.Href, ""
		return row
	}
	if t, ok := known[a.Target]; ok {
		row.Target, row.Href = t.Text, t.Href
		if noun == "device" || noun == "agent" || noun == "connection" { // people chose these names
			row.Target = "“" + t.Text + "”"
		}
		if a.TargetName != "" && !strings.HasPrefix(t.Text, a.TargetName) { // it had another name then
			row.Target = quoted(a)
		}
		if successor, ok := strings.CutPrefix(a.Detail, replacedBy); ok && known[successor].Text != "" {
			row.Changed = replacedBy + "“" + known[successor].Text + "”"
		}
		if a.Detail == t.Text { // what was removed has its name there
			row.Changed = ""
		}
		return row
	}
	if a.TargetName != "" { // it is gone; this is what it was called
		row.Target = quoted(a)
		if a.Detail == a.TargetName {
			row.Changed = ""
		}
		return row
	}
	switch noun {
	case "group", "schedule", "consent", "view": // what it is called, or whom it is about, is in the detail
		if a.Detail != "" {
			row.Target, row.Changed = a.Detail, ""
			if noun != "consent" {
				row.Target = "“" + a.Detail + "”"
			}
			row.Href = known[noun+" "+a.Target].Href
		}
		return row
	}
	row.Own = false
	switch noun {
	case "ring", "note":
		row.Href = views.RingPath(a.Target)
	case "pairing": // its id is nothing that a person ever saw
		row.Target, row.Changed = "", ""
		switch {
		case a.Action == "pairing.add" && a.Detail == "":
			row.Target = "for a shared phone"
		case a.Action == "pairing.add":
			row.Target = "for " + a.Detail
		}
	case "subscription":
		row.Href = views.PathBilling
		if p, ok := plans.Plan(a.Target); ok {
			row.Target = p.Name
		}
	case "alert":
		place := alertPlace(tenants.Alert{Kind: tenants.AlertKind(a.Detail), Target: a.Target}, nil)
		row.Target, row.Href = place.Text, place.Href
	}
	return row
}

// quoted is what the target was called then. People chose the names of some things.
func quoted(a tenants.Audit) string {
	switch noun, _, _ := strings.Cut(a.Action, "."); noun {
	case "device", "agent", "connection", "key":
		return "“" + a.TargetName + "”"
	}
	return a.TargetName
}

// targetsOf names the devices, agents, credentials, connections and people that entries speak of,
// and where they are: a statement for each kind for a page.
func targetsOf(ctx context.Context, v *page.Visitor, all []tenants.Audit) (map[string]views.Link, error) {
	devices, agents := map[tenants.DeviceID]bool{}, map[tenants.AgentID]bool{}
	credentials, keys, connections := false, false, false
	for _, a := range all {
		switch noun, _, _ := strings.Cut(a.Action, "."); noun {
		case "device":
			devices[tenants.DeviceID(a.Target)] = true
			if successor, ok := strings.CutPrefix(a.Detail, replacedBy); ok {
				devices[tenants.DeviceID(successor)] = true
			}
		case "pairing":
			devices[tenants.DeviceID(a.Detail)] = true
		case "key":
			keys = true
		case "agent":
			agents[tenants.AgentID(a.Target)] = true
		case "credential":
			credentials = true
		case "connection":
			connections = true
		case "alert":
			credentials = true
			switch tenants.AlertKind(a.Detail) {
			case tenants.AlertPhone:
				devices[tenants.DeviceID(a.Target)] = true
			case tenants.AlertAgent:
				agents[tenants.AgentID(a.Target)] = true
			}
		}
	}
	out := map[string]views.Link{string(v.Tenant.ID): {Text: v.Tenant.Name, Href: views.PathSettings}}
	found, err := v.Scope.Devices().ByID(ctx, keysOf(devices))
	if err != nil {
		return nil, err
	}
	for id, d := range found {
		out[string(id)] = views.Link{Text: deviceName(d), Href: views.DevicePath(string(id))}
	}
	speakers, err := v.Scope.Agents().ByID(ctx, keysOf(agents))
	if err != nil {
		return nil, err
	}
	for id, a := range speakers {
		out[string(id)] = views.Link{Text: a.Name, Href: views.AgentPath(string(id))}
	}
	if credentials {
		found, err := everyCredential(ctx, v)
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			out[string(c.ID)] = views.Link{Text: credentialName(c), Href: views.CredentialPath(string(c.ID))}
		}
	}
	if connections {
		found, _, err := v.Scope.Connections().List(ctx, store.Page{Limit: int(tenants.CapConnections.Most)})
		if err != nil {
			return nil, err
		}
		for _, c := range found {
			out[string(c.ID)] = views.Link{Text: c.Name, Href: views.ConnectionPath(string(c.ID))}
		}
	}
	if err := holdersOf(ctx, v, keys, out); err != nil {
		return nil, err
	}
	if err := dutiesOf(ctx, v, all, out); err != nil {
		return nil, err
	}
	return out, removedOf(ctx, v, all, out)
}

// dutiesOf is where the groups and schedules are that entries speak of, under the noun and the id.
func dutiesOf(ctx context.Context, v *page.Visitor, all []tenants.Audit, out map[string]views.Link) error {
	spoken := map[string]bool{}
	for _, a := range all {
		noun, _, _ := strings.Cut(a.Action, ".")
		spoken[noun] = true
	}
	if spoken["group"] {
		found, err := v.Scope.Groups().All(ctx)
		if err != nil {
			return err
		}
		for id := range found {
			out["group "+string(id)] = views.Link{Href: views.GroupPath(string(id))}
		}
	}
	if !spoken["schedule"] {
		return nil
	}
	found, err := v.Scope.Schedules().All(ctx)
	for id := range found {
		out["schedule "+string(id)] = views.Link{Href: views.SchedulePath(string(id))}
	}
	return err
}

// removedOf names what has been removed since, without a link.
func removedOf(ctx context.Context, v *page.Visitor, all []tenants.Audit, out map[string]views.Link) error {
	gone := map[string]bool{}
	for _, a := range all {
		switch noun, _, _ := strings.Cut(a.Action, "."); noun {
		case "device", "agent", "credential", "connection", "alert", "key", "member", "user":
			gone[a.Target] = out[a.Target].Text == ""
		case "pairing":
			gone[a.Detail] = a.Action == "pairing.take" && out[a.Detail].Text == ""
		}
	}
	maps.DeleteFunc(gone, func(_ string, missing bool) bool { return !missing })
	names, err := v.Scope.Audits().Removed(ctx, keysOf(gone))
	for id, name := range names {
		out[id] = views.Link{Text: name}
	}
	return err
}

// holdersOf names the people, and the keys if they are spoken of.
func holdersOf(ctx context.Context, v *page.Visitor, keys bool, out map[string]views.Link) error {
	if keys {
		found, err := everyKey(ctx, v.Scope)
		if err != nil {
			return err
		}
		for _, key := range found {
			out[string(key.ID)] = views.Link{Text: key.Name + " (" + keyShown(key) + ")", Href: views.KeyPath(string(key.ID))}
		}
	}
	members, _, err := v.Scope.Members().List(ctx, store.Page{Limit: 200})
	for _, m := range members {
		out[string(m.User)] = views.Link{Text: m.Name, Href: views.PathPeople}
	}
	return err
}

func (k auditPages) auditCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	return k.list(v, q).Send(ctx, c, k.Common, q)
}
