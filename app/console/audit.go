package console

import (
	"context"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// auditWords say an action as a person would. What is not here is shown as it is recorded.
var auditWords = map[string]string{
	"ring.place": "placed the ring", "ring.cancel": "cancelled the ring", "ring.hang_up": "hung up the call of", "ring.set": "changed the ring",
	"device.add": "added the device", "device.register": "registered again", "device.set": "changed the device",
	"device.remove": "removed the device", "device.token": "renewed the token of", "device.disable": "disabled the device", "device.learn": "learnt the environment of",
	"pairing.add": "made a pairing code", "pairing.take": "used the pairing code", "credential.add": "added the credential",
	"credential.remove": "removed the credential", "credential.trouble": "was refused with the credential", "credential.disable": "disabled the credential",
	"credential.probe": "checked with Apple", "credential.rollback": "went back to the credential", "alert.raise": "raised an alert about", "alert.resolve": "closed the alert about",
	"agent.add": "added the agent", "agent.set": "changed the agent", "agent.remove": "removed the agent", "key.add": "created the API key",
	"key.revoke": "revoked the API key", "member.add": "joined as", "member.role": "changed the role of", "member.remove": "removed the person",
	"invitation.add": "invited", "invitation.revoke": "took back the invitation of", "tenant.add": "made the organisation", "tenant.set": "changed the organisation",
	"user.sign_in": "signed in", "user.password": "changed the password of",
}

var auditList = list{
	name: "Audit log", path: views.PathAudit, csv: views.PathAuditCSV, search: "Person, key, target or detail", one: "entry", many: "entries",
	empty: views.Empty{Icon: views.IconAudit, Text: "Nothing has been changed yet.", Action: views.Button{Text: "Go to the overview", Href: views.PathOverview}},
}

// auditNouns are what the list can be filtered by.
var auditNouns = []views.Choice{
	{Value: "", Text: "Anything"}, {Value: "ring", Text: "Rings"}, {Value: "device", Text: "Devices"}, {Value: "pairing", Text: "Pairings"}, {Value: "credential", Text: "Credentials"}, {Value: "alert", Text: "Alerts"},
	{Value: "agent", Text: "Agents"}, {Value: "key", Text: "API keys"}, {Value: "member", Text: "People"}, {Value: "invitation", Text: "Invitations"},
	{Value: "user", Text: "Sign-ins"}, {Value: "tenant", Text: "Settings"},
}

func (k *Console) auditQuery(q *query) store.AuditQuery {
	words := make([]string, len(auditNouns))
	for i, n := range auditNouns {
		words[i] = n.Value
	}
	ask := store.AuditQuery{Search: q.text("q"), From: q.since(k.Now()), After: q.after, Limit: perPage}
	if noun := q.oneOf("action", words...); noun != "" {
		ask.Action = noun + "."
	}
	return ask
}

func (k *Console) audit(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := k.auditQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	all, next, err := v.scope.Audits(ctx, ask)
	if err != nil {
		return err
	}
	known, err := targetsOf(ctx, v, all)
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("Audit log", views.RoomAudit))
	if err != nil {
		return err
	}
	p := views.AuditPage{Shell: s, Table: q.table(auditList, len(all), next,
		views.Filter{Name: "action", Label: "What", Choices: q.chosen("action", append([]views.Choice{}, auditNouns...)...)}, q.periods())}
	for _, a := range all {
		p.Rows = append(p.Rows, auditRow(a, known, v))
	}
	return web.Page(c, views.Audit(p), fiber.StatusOK)
}

func auditRow(a tenants.Audit, known map[string]views.Link, v *visitor) views.AuditRow {
	row := views.AuditRow{
		ID: strconv.FormatInt(a.Seq, 10), At: v.at(a.At), Actor: a.Actor.Name, Program: a.Actor.Kind == "key", Action: auditWords[a.Action], Target: a.Target,
		Changed: a.Detail, From: orDash(a.IP), Request: orDash(a.RequestID),
	}
	if row.Action == "" {
		row.Action = a.Action
	}
	if a.Actor.Kind == "device" {
		row.Actor = joined(" ", a.Actor.Name, "(phone)")
	}
	if title := tenants.AlertKind(a.Detail).Title(); strings.HasPrefix(a.Action, "alert.") && title != "" {
		row.Changed = title
	}
	if t, ok := known[a.Target]; ok {
		row.Target, row.Href = t.Text, t.Href
		return row
	}
	switch noun, _, _ := strings.Cut(a.Action, "."); noun {
	case "ring":
		row.Href = views.RingPath(a.Target)
	case "alert":
		place := alertPlace(tenants.Alert{Kind: tenants.AlertKind(a.Detail), Target: a.Target}, nil)
		row.Target, row.Href = place.Text, place.Href
	}
	return row
}

// targetsOf names the devices, agents, credentials and people that entries speak of, and where they are: four statements for a page.
func targetsOf(ctx context.Context, v *visitor, all []tenants.Audit) (map[string]views.Link, error) {
	devices, agents, credentials := map[tenants.DeviceID]bool{}, map[tenants.AgentID]bool{}, false
	for _, a := range all {
		switch noun, _, _ := strings.Cut(a.Action, "."); noun {
		case "device":
			devices[tenants.DeviceID(a.Target)] = true
		case "agent":
			agents[tenants.AgentID(a.Target)] = true
		case "credential", "alert":
			credentials = true
		}
	}
	out := map[string]views.Link{string(v.tenant.ID): {Text: v.tenant.Name, Href: views.PathSettings}}
	found, err := v.scope.DevicesOf(ctx, keysOf(devices))
	if err != nil {
		return nil, err
	}
	for id, d := range found {
		out[string(id)] = views.Link{Text: deviceName(d), Href: views.DevicePath(string(id))}
	}
	speakers, err := v.scope.AgentsOf(ctx, keysOf(agents))
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
	members, _, err := v.scope.Members(ctx, store.Page{Limit: 200})
	for _, m := range members {
		out[string(m.User)] = views.Link{Text: m.Name, Href: views.PathPeople}
	}
	return out, err
}

func (k *Console) auditCSV(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := k.auditQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	ask.Limit = sheetPage
	return k.sendSheet(ctx, c, sheet{
		name: "audit", head: []string{"seq", "at", "actor_kind", "actor_id", "actor_name", "action", "target", "detail", "ip", "request_id"},
		more: func(ctx context.Context, after string) ([][]string, string, error) {
			ask.After = after
			all, next, err := v.scope.Audits(ctx, ask)
			rows := make([][]string, len(all))
			for i, a := range all {
				rows[i] = []string{strconv.FormatInt(a.Seq, 10), stamp(a.At), a.Actor.Kind, a.Actor.ID, a.Actor.Name, a.Action, a.Target, a.Detail, a.IP, a.RequestID}
			}
			return rows, next, err
		},
	})
}
