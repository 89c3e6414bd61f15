package console

import (
	"context"
	"encoding/hex"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// invitationTime is how long the link of an invitation works.
const invitationTime = 7 * 24 * time.Hour

var peopleList = list{
	name: "People", path: views.PathPeople, csv: views.PathPeopleCSV, search: "Name or mail address", one: "person", many: "people",
	empty: views.Empty{Icon: views.IconPeople, Text: "Nobody else may sign in yet.",
		Action: views.Button{Text: "Add a person", Href: views.PathPersonAdd, Icon: views.IconPersonAdd, Kind: views.Primary}},
}

// ranks reports whether who acts may touch somebody of this role: only owners change owners.
func (v *visitor) ranks(r tenants.Role) bool {
	return v.role == tenants.Owner || v.role == tenants.Admin && r != tenants.Owner
}

// mayRank refuses what ranks does not allow.
func (v *visitor) mayRank(r tenants.Role) error {
	if v.ranks(r) {
		return nil
	}
	v.missing = "owners:write"
	return tenants.Refuse(tenants.Forbidden, "owners_only", "Only an owner may say who else is one.")
}

// rolesFor are the roles that the visitor may give.
func (v *visitor) rolesFor(now tenants.Role) []views.Choice {
	var out []views.Choice
	for _, r := range []tenants.Role{tenants.Owner, tenants.Admin, tenants.Viewer} {
		if v.ranks(r) {
			out = append(out, choice(string(r), roleName(r)))
		}
	}
	return choose(string(now), out...)
}

var roleRows = []views.Row{
	{Name: "Owner", Text: "Everything, and says who else is an owner"}, {Name: "Administrator", Text: "Everything but owners"}, {Name: "Viewer", Text: "Looks, and changes nothing"},
}

func (k *Console) people(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := pageQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	members, next, err := v.scope.Members(ctx, ask)
	if err != nil {
		return err
	}
	seen, err := v.scope.LastSeen(ctx, idleTime)
	if err != nil {
		return err
	}
	p := views.PeoplePage{Roles: roleRows, CanEdit: v.role.May()}
	if ask.Search == "" && ask.After == "" {
		open, err := v.scope.Invitations(ctx)
		if err != nil {
			return err
		}
		for _, i := range open {
			if k.Now().Before(i.ExpiresAt) {
				p.People = append(p.People, pendingRow(i, v))
			}
		}
	}
	for _, m := range members {
		p.People = append(p.People, memberRow(m, v, seen[m.User]))
	}
	p.Table = q.table(peopleList, len(p.People), next)
	if p.Shell, err = k.shell(ctx, c, v, at("People", views.NavPeople)); err != nil {
		return err
	}
	return web.Page(c, views.People(p), fiber.StatusOK)
}

func memberRow(m tenants.Member, v *visitor, seen time.Time) views.PersonRow {
	return views.PersonRow{
		ID: string(m.User), Name: m.Name, Email: m.Email, Role: roleName(m.Role), Roles: v.rolesFor(m.Role), Self: m.User == v.user.ID,
		Fixed: !v.ranks(m.Role), Kept: !v.ranks(m.Role), Seen: v.at(seen), Remove: removalOfPerson(m),
	}
}

func removalOfPerson(m tenants.Member) views.Confirm {
	return views.Confirm{
		ID: "remove-" + string(m.User), Title: "Remove " + m.Name + "?", Button: "Remove person", Action: views.PersonRemovePath(string(m.User)), Back: views.PathPeople,
		Consequence: []string{"They are signed out at once and cannot come back.", "What they did stays in the audit log."},
	}
}

// invitationID names an open invitation in an address: by its hash, never by the secret of its link.
func invitationID(i store.Invitation) string { return hex.EncodeToString(i.Hash[:]) }

func pendingRow(i store.Invitation, v *visitor) views.PersonRow {
	return views.PersonRow{
		ID: invitationID(i), Name: i.Email, Email: "invited by " + i.By.Name, Role: roleName(i.Role), Fixed: true, Kept: !v.ranks(i.Role), Pending: true,
		Remove: takingBack(i),
	}
}

func takingBack(i store.Invitation) views.Confirm {
	return views.Confirm{
		ID: "remove-" + invitationID(i), Title: "Take back the invitation of " + i.Email + "?", Button: "Take it back",
		Action: views.PersonRemovePath(invitationID(i)), Back: views.PathPeople, Consequence: []string{"The link stops working at once."},
	}
}

func (k *Console) peopleCSV(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	q := queryOf(c)
	ask := pageQuery(q)
	if err := q.err(); err != nil {
		return err
	}
	ask.Limit = sheetPage
	seen, err := v.scope.LastSeen(ctx, idleTime)
	if err != nil {
		return err
	}
	return k.sendSheet(ctx, c, sheet{
		name: "people", head: []string{"id", "name", "email", "role", "joined_at", "last_seen_at"},
		more: func(ctx context.Context, after string) ([][]string, string, error) {
			ask.After = after
			all, next, err := v.scope.Members(ctx, ask)
			rows := make([][]string, len(all))
			for i, m := range all {
				rows[i] = []string{string(m.User), m.Name, m.Email, string(m.Role), stamp(m.CreatedAt), stamp(seen[m.User])}
			}
			return rows, next, err
		},
	})
}

func (k *Console) personForm(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.personPage(ctx, c, v, store.Invitation{Role: tenants.Viewer}, wrong{status: fiber.StatusOK})
}

func (k *Console) personPage(ctx context.Context, c *fiber.Ctx, v *visitor, i store.Invitation, w wrong) error {
	s, err := k.shell(ctx, c, v, at("Add a person", views.NavPeople, up("People", views.PathPeople)))
	if err != nil {
		return err
	}
	return web.Page(c, views.PersonAdd(views.PersonAddPage{
		Shell: s, Error: w.msg, Roles: v.rolesFor(i.Role),
		Email: views.Field{Name: "email", Label: "Mail address", Type: "email", Value: shown(i.Email, 254), Max: 254, Autocomplete: "off", Focus: true, Error: w.fields["email"]},
	}), w.status)
}

// addPerson makes an invitation and shows its link, once.
func (k *Console) addPerson(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	f := formOf(c)
	role := tenants.Role(f.text("role"))
	email, ok := tenants.ParseEmail(f.text("email"))
	if !ok || !tenants.ValidText(email, 3, 254) {
		w := wrong{status: fiber.StatusBadRequest, fields: map[string]string{"email": "An address such as ana@example.com."}}
		return k.personPage(ctx, c, v, store.Invitation{Email: f.text("email"), Role: role}, w)
	}
	if role != tenants.Owner && role != tenants.Admin && role != tenants.Viewer {
		return k.personPage(ctx, c, v, store.Invitation{Email: email, Role: tenants.Viewer}, wrong{status: fiber.StatusBadRequest, msg: "Choose a role."})
	}
	if err := v.mayRank(role); err != nil {
		return err
	}
	secret, now := tenants.NewSecret(tenants.InvitationPrefix), k.Now()
	err := v.scope.AddInvitation(ctx, store.Invitation{
		Hash: secret.Hash(), Tenant: v.tenant.ID, Email: email, Role: role, By: v.who.Actor, CreatedAt: now, ExpiresAt: now.Add(invitationTime),
	})
	if w, ok := wrongOf(err); ok {
		return k.personPage(ctx, c, v, store.Invitation{Email: email, Role: role}, w)
	}
	if err != nil {
		return err
	}
	return k.showOnce(ctx, c, v, views.NavPeople, views.Secret{
		Title: "The link for " + email, Text: k.PublicURL + views.InvitationPath(string(secret)), Next: views.PathPeople,
		Note: "Pass it on. Whoever opens it first joins your organisation; it works once, for seven days, and is not shown again. An earlier link for the same address works no longer.",
		Rows: []views.Row{{Name: "Role", Text: roleName(role)}, {Name: "Works until", When: v.at(now.Add(invitationTime))}},
	})
}

// oneMember finds the person in the path.
func oneMember(ctx context.Context, c *fiber.Ctx, v *visitor) (tenants.Member, error) {
	id, err := idOf[tenants.UserID](c, "member")
	if err != nil {
		return tenants.Member{}, err
	}
	return v.scope.Member(ctx, id)
}

// setRole changes a person's role. The store keeps the last owner.
func (k *Console) setRole(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	m, err := oneMember(ctx, c, v)
	if err != nil {
		return err
	}
	role := tenants.Role(formOf(c).text("role"))
	if role != tenants.Owner && role != tenants.Admin && role != tenants.Viewer {
		return tenants.Refuse(tenants.Invalid, "invalid", "There is no such role. Choose owner, administrator or viewer.")
	}
	if err := v.mayRank(m.Role); err != nil {
		return err
	}
	if err := v.mayRank(role); err != nil {
		return err
	}
	if err := v.scope.SetRole(ctx, m.User, role); err != nil {
		return err
	}
	return k.done(c, flashRole, views.PathPeople)
}

func (k *Console) askRemovePerson(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.removePersonIf(ctx, c, v, false)
}

func (k *Console) removePerson(ctx context.Context, c *fiber.Ctx, v *visitor) error {
	return k.removePersonIf(ctx, c, v, true)
}

// removePersonIf asks, or removes: a member, or an invitation that was not taken up.
func (k *Console) removePersonIf(ctx context.Context, c *fiber.Ctx, v *visitor, posted bool) error {
	ask, role, remove, err := k.leaving(ctx, c, v)
	if err != nil {
		return err
	}
	if err := v.mayRank(role); err != nil {
		return err
	}
	if !posted {
		return k.confirm(ctx, c, v, confirmation{ask, "Remove a person", views.NavPeople, up("People", views.PathPeople)}, fiber.StatusOK)
	}
	if err := remove(); err != nil {
		return err
	}
	return k.done(c, flashRemoved, views.PathPeople)
}

// leaving finds who the path names, and how they are removed.
func (k *Console) leaving(ctx context.Context, c *fiber.Ctx, v *visitor) (ask views.Confirm, role tenants.Role, remove func() error, err error) {
	id := web.Param(c, "id")
	if len(id) == 2*len(tenants.Hash{}) {
		open, err := v.scope.Invitations(ctx)
		if err != nil {
			return ask, "", nil, err
		}
		for _, i := range open {
			if invitationID(i) == id {
				return takingBack(i), i.Role, func() error { return v.scope.RevokeInvitation(ctx, i.Email) }, nil
			}
		}
	}
	m, err := oneMember(ctx, c, v)
	return removalOfPerson(m), m.Role, func() error { return v.scope.RemoveMember(ctx, m.User) }, err
}
