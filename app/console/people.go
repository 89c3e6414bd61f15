package console

import (
	"cmp"
	"context"
	"encoding/hex"
	"errors"
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

// peoplePages serve the members and their invitations.
type peoplePages struct{ *Console }

// invitationTime is how long the link of an invitation works.
const invitationTime = 7 * 24 * time.Hour

func (k peoplePages) list(v *page.Visitor) page.List[tenants.Member] {
	members := v.Scope.Members()
	return page.List[tenants.Member]{
		Words: peopleWords, Keeper: v.Keeper(), MayAdd: v.Role.May(mayPeople), Find: members.List, Total: members.Total,
		Head: []string{"id", "name", "email", "role", "joined_at", "last_seen_at"},
		Cells: func(ctx context.Context, rows []tenants.Member) ([][]string, error) {
			seen, err := members.LastSeen(ctx, page.IdleTime)
			return mapped(rows, func(m tenants.Member) []string {
				return []string{string(m.User), m.Name, m.Email, string(m.Role), page.Stamp(m.CreatedAt), page.Stamp(seen[m.User])}
			}), err
		},
	}
}

// ranks reports whether who acts may touch somebody of this role, or give it: only owners change
// owners, and nobody gives what they do not have.
func ranks(v *page.Visitor, r tenants.Role) bool {
	return v.Role.May(mayPeople) && v.Role.Covers(r)
}

// rolesFor are the roles that the visitor may give.
func rolesFor(v *page.Visitor, now tenants.Role) []views.Choice {
	var out []views.Choice
	for _, r := range tenants.Roles {
		if ranks(v, r) {
			out = append(out, page.Choice(string(r), r.Name()))
		}
	}
	return page.Choose(string(now), out...)
}

func (k peoplePages) people(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	q := page.QueryOf(c)
	members, table, err := k.list(v).Page(ctx, q)
	if err != nil {
		return err
	}
	seen, err := v.Scope.Members().LastSeen(ctx, page.IdleTime)
	if err != nil {
		return err
	}
	p := views.PeoplePage{Table: table, Roles: roleRows(), CanEdit: v.Role.May(mayPeople)}
	if q.First() {
		open, err := v.Scope.Invitations().List(ctx)
		if err != nil {
			return err
		}
		for _, i := range open {
			if k.Now().Before(i.ExpiresAt) && strings.Contains(i.Email, strings.ToLower(table.Query)) {
				p.People = append(p.People, pendingRow(i, v))
			}
		}
	}
	if n := len(p.People); n > 0 {
		open := views.Plural(n, "open invitation", "open invitations")
		if p.Table.Rows == 0 { // no member was found
			p.Table.Rows, p.Table.Total = n, open
		} else {
			p.Table.Total += ", " + open
		}
	}
	for _, m := range members {
		p.People = append(p.People, memberRow(m, v, seen[m.User]))
	}
	if p.Shell, err = k.shell(ctx, c, v, at("People", views.NavPeople)); err != nil {
		return err
	}
	return web.Page(c, views.People(p), fiber.StatusOK)
}

func memberRow(m tenants.Member, v *page.Visitor, seen time.Time) views.PersonRow {
	return views.PersonRow{
		ID: string(m.User), Name: m.Name, Email: m.Email, Role: m.Role.Name(), Roles: rolesFor(v, m.Role), Self: m.User == v.User.ID,
		Fixed: !ranks(v, m.Role), Kept: !ranks(v, m.Role), Seen: v.At(seen), Remove: removalOfPerson(m),
	}
}

// invitationID names an open invitation in an address: by its hash, never by the secret of its
// link.
func invitationID(i store.Invitation) string { return hex.EncodeToString(i.Hash[:]) }

func pendingRow(i store.Invitation, v *page.Visitor) views.PersonRow {
	return views.PersonRow{
		ID: invitationID(i), Name: i.Email, Email: "invited by " + i.By.Name, Role: i.Role.Name(), Fixed: true, Kept: !ranks(v,
			i.Role), Pending: true,
		Remove: takingBack(i), Resend: views.PersonResendPath(invitationID(i)),
	}
}

func (k peoplePages) peopleCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

func (k peoplePages) personForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.personPage(ctx, c, v, store.Invitation{Role: v.Tenant.File().DefaultRole}, page.Wrong{Status: fiber.StatusOK})
}

func (k peoplePages) personPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, i store.Invitation, w page.Wrong) error {
	s, err := k.shell(ctx, c, v, at("Invite person", views.NavPeople, up("People", views.PathPeople)))
	if err != nil {
		return err
	}
	return web.Page(c, views.PersonAdd(views.PersonAddPage{
		Shell: s, Error: w.Msg, Roles: rolesFor(v, i.Role), Says: roleRows(), Mailed: k.Mail != nil,
		Email: views.Field{Name: "email", Label: "Email", Type: "email", Value: page.Shown(i.Email, 254), Max: 254, Autocomplete: "off",
			Focus: true, Error: w.Fields["email"]},
	}), w.Status)
}

// addPerson makes an invitation and mails its link. A server that sends no mail shows the link once
// instead.
func (k peoplePages) addPerson(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	role := tenants.Role(f.Text("role"))
	email, ok := tenants.ParseEmail(f.Text("email"))
	if !ok || !tenants.ValidText(email, 3, 254) {
		w := page.Wrong{Status: fiber.StatusBadRequest,
			Fields: map[string]string{"email": wrongEmail}}
		return k.personPage(ctx, c, v, store.Invitation{Email: f.Text("email"), Role: role}, w)
	}
	if !role.Known() {
		return k.personPage(ctx, c, v, store.Invitation{Email: email, Role: tenants.Viewer},
			page.Wrong{Status: fiber.StatusBadRequest, Msg: "Choose a role."})
	}
	if err := mayRank(v, role); err != nil {
		return err
	}
	secret, now := tenants.NewSecret(tenants.InvitationPrefix), k.Now()
	i := store.Invitation{
		Hash: secret.Hash(), Tenant: v.Tenant.ID, Email: email, Role: role, Shown: k.Mail == nil, By: v.Who.Actor, CreatedAt: now,
		ExpiresAt: now.Add(invitationTime),
	}
	link := k.PublicURL + views.InvitationPath(string(secret))
	err := k.invite(ctx, v, i, link)
	if tenants.KindOf(err) == tenants.TooMany {
		return page.SlowDown(c, err, func(msg string) error {
			return k.personPage(ctx, c, v, i, page.Wrong{Status: fiber.StatusTooManyRequests, Msg: msg})
		})
	}
	if w, ok := page.WrongOf(err); ok {
		return k.personPage(ctx, c, v, i, w)
	}
	if err != nil {
		return err
	}
	return k.invited(ctx, c, v, i, link)
}

// invited says that the mail was sent, or shows the link once. In dev mode no mail arrives, so the
// link is shown too.
func (k peoplePages) invited(ctx context.Context, c *fiber.Ctx, v *page.Visitor, i store.Invitation, link string) error {
	if k.Mail != nil && k.Dev == nil {
		return k.Done(c, page.FlashInvited, views.PathPeople)
	}
	return k.showOnce(ctx, c, v, views.NavPeople, views.Secret{
		Title: "Invitation for " + i.Email, Text: link, Next: views.PathPeople,
		Note: invitationNote,
		Rows: []views.Row{{Name: "Role", Text: i.Role.Name()}, {Name: "Works until", When: v.At(i.ExpiresAt)}},
	})
}

// resend gives an open invitation a new link and mails it. The old link is over.
func (k peoplePages) resend(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	i, err := openInvitation(ctx, c, v)
	if err != nil {
		return err
	}
	if err := mayRank(v, i.Role); err != nil {
		return err
	}
	if k.Mail != nil {
		if err := k.mayInvite(v.Tenant.ID, i.Email); err != nil {
			return err
		}
	}
	secret := tenants.NewSecret(tenants.InvitationPrefix)
	i, err = v.Scope.Invitations().Resend(ctx, i.Hash, secret.Hash(), k.Mail == nil, k.Now().Add(invitationTime))
	if err != nil {
		return err
	}
	link := k.PublicURL + views.InvitationPath(string(secret))
	if k.Mail != nil {
		if err := k.sendInvitation(ctx, v, i, link); err != nil {
			return &tenants.Error{Kind: tenants.Unavailable, Code: "mail_busy", Err: err, Msg: mailBusy}
		}
	}
	return k.invited(ctx, c, v, i, link)
}

// sendInvitation writes in the language of who is invited, if they have an account and chose one,
// else in that of the tenant.
func (k peoplePages) sendInvitation(ctx context.Context, v *page.Visitor, i store.Invitation, link string) error {
	u, err := k.Store.Users().ByEmail(ctx, i.Email)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	return k.Mail.Send(invitationMail(i, v, link).In(cmp.Or(u.Language, v.Tenant.Language)))
}

// openInvitation finds the invitation that the path names.
func openInvitation(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (store.Invitation, error) {
	open, err := v.Scope.Invitations().List(ctx)
	if err != nil {
		return store.Invitation{}, err
	}
	at := slices.IndexFunc(open, func(i store.Invitation) bool { return invitationID(i) == web.Param(c, "id") })
	if at < 0 {
		return store.Invitation{}, tenants.NoSuch("invitation")
	}
	return open[at], nil
}

// invite keeps an invitation and mails it. Only an owner replaces an invitation of an owner.
func (k peoplePages) invite(ctx context.Context, v *page.Visitor, i store.Invitation, link string) error {
	if k.Mail != nil {
		if err := k.mayInvite(v.Tenant.ID, i.Email); err != nil {
			return err
		}
	}
	err := v.Scope.Invitations().Add(ctx, i, func(r tenants.Role) error { return mayRank(v, r) })
	if err != nil || k.Mail == nil {
		return err
	}
	if err := k.sendInvitation(ctx, v, i, link); err != nil {
		busy := &tenants.Error{Kind: tenants.Unavailable, Code: "mail_busy", Err: err,
			Msg: mailBusy}
		return errors.Join(busy, v.Scope.Invitations().Revoke(ctx, i))
	}
	return nil
}

// oneMember finds the person in the path.
func oneMember(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (tenants.Member, error) {
	id, err := web.ID[tenants.UserID](c, "member")
	if err != nil {
		return tenants.Member{}, err
	}
	return v.Scope.Members().Get(ctx, id)
}

// setRole changes a person's role. The store keeps the last owner.
func (k peoplePages) setRole(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	m, err := oneMember(ctx, c, v)
	if err != nil {
		return err
	}
	role := tenants.Role(page.FormOf(c).Text("role"))
	if !role.Known() {
		return tenants.Refuse(tenants.Invalid, "invalid", noSuchRole)
	}
	if err := mayRank(v, m.Role); err != nil {
		return err
	}
	if err := mayRank(v, role); err != nil {
		return err
	}
	if err := v.Scope.Members().SetRole(ctx, m.User, role); err != nil {
		return err
	}
	return k.Done(c, page.FlashRole, views.PathPeople)
}

// removal asks about the member, or the invitation that was not accepted, that the path names.
func (k peoplePages) removal(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	ask, role, remove, err := k.leaving(ctx, c, v)
	if err != nil {
		return confirmation{}, err
	}
	return confirmation{
		ask: ask, title: "Remove a person", nav: views.NavPeople, up: up("People", views.PathPeople),
		do: remove, said: page.FlashRemoved, next: views.PathPeople,
	}, mayRank(v, role)
}

// leaving finds who the path names, and how they are removed.
func (k peoplePages) leaving(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (ask views.Confirm, role tenants.Role,
	remove func(context.Context) error, err error) {
	id := web.Param(c, "id")
	if len(id) == 2*len(tenants.Hash{}) {
		i, err := openInvitation(ctx, c, v)
		return takingBack(i), i.Role, func(ctx context.Context) error { return v.Scope.Invitations().Revoke(ctx, i) }, err
	}
	m, err := oneMember(ctx, c, v)
	return removalOfPerson(m), m.Role, func(ctx context.Context) error { return v.Scope.Members().Remove(ctx, m.User) }, err
}
