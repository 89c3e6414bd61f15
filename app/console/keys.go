package console

import (
	"cmp"
	"context"
	"errors"
	"strconv"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// keyPages serve the API keys.
type keyPages struct{ *Console }

func (k keyPages) list(v *page.Visitor) page.List[tenants.Key] {
	keys := v.Scope.Keys()
	return page.List[tenants.Key]{
		Words: keyWords, Keeper: v.Keeper(), Bulk: bulkOne(v, mayKeys, views.PathKeysBulk, "revoke", "Revoke", views.IconBan),
		MayAdd: v.Role.May(mayKeys), Find: keys.List, Total: keys.Total,
		Head: []string{"id", "name", "shown", "scopes", "rings_per_second", "created_at", "last_used_at", "revoked_at"},
		Cells: page.Each(func(x tenants.Key) []string {
			return []string{string(x.ID), x.Name, keyShown(x), strings.Join(scopesOf(x), " "), strconv.Itoa(x.PerSecond),
				page.Stamp(x.CreatedAt), page.Stamp(x.LastUsedAt), page.Stamp(x.RevokedAt)}
		}),
	}
}

// keyShown is what stays visible of a key.
func keyShown(k tenants.Key) string {
	if k.Test {
		return tenants.TestPrefix + "…" + k.Last4
	}
	return tenants.LivePrefix + "…" + k.Last4
}

func scopesOf(k tenants.Key) []string {
	out := make([]string, len(k.Permissions))
	for i, p := range k.Permissions {
		out[i] = string(p)
	}
	return out
}

func (k keyPages) keys(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	all, table, err := k.list(v).Page(ctx, page.QueryOf(c))
	if err != nil {
		return err
	}
	s, err := k.shell(ctx, c, v, at("API keys", views.NavKeys))
	if err != nil {
		return err
	}
	p := views.KeysPage{Shell: s, Table: table, CanEdit: v.Role.May(mayKeys)}
	for _, key := range all {
		p.Keys = append(p.Keys, views.KeyRow{
			ID: string(key.ID), Name: key.Name, Shown: keyShown(key), Live: !key.Test, Rate: rateOf(key), Scopes: mapped(key.Permissions,
				scopeWord), Used: v.At(key.LastUsedAt),
			Created: v.At(key.CreatedAt), Revoked: !key.RevokedAt.IsZero(), Revoke: revocationOf(key, v),
		})
	}
	return web.Page(c, views.Keys(p), fiber.StatusOK)
}

func (k keyPages) keysCSV(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.list(v).Send(ctx, c, k.Common, page.QueryOf(c))
}

// scopeWord is a permission in words, or as the API has it.
func scopeWord(p tenants.Permission) string {
	return cmp.Or(p.Does(), string(p))
}

func (k keyPages) keyForm(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	return k.keyPage(ctx, c, v, tenants.Key{Permissions: []tenants.Permission{tenants.RingsWrite, tenants.RingsRead}},
		page.Wrong{Status: fiber.StatusOK})
}

func (k keyPages) keyPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, key tenants.Key, w page.Wrong) error {
	s, err := k.shell(ctx, c, v, at(createKeyTitle, views.NavKeys, up("API keys", views.PathKeys)))
	if err != nil {
		return err
	}
	kind := "live"
	switch {
	case key.Test:
		kind = "test"
	case w.Fields["kind"] != "":
		kind = ""
	}
	rate := ""
	if key.PerSecond != 0 {
		rate = strconv.Itoa(key.PerSecond)
	}
	p := views.KeyAddPage{
		Shell: s, Error: joined(" ", w.Unseen("name", "scopes", "kind", "per_second"), w.Fields["scopes"]), Kind: w.Fields["kind"],
		Name: views.Field{Name: "name", Label: "Name", Value: page.Shown(key.Name, 80), Max: 80, Error: w.Fields["name"],
			Placeholder: "Booking", Help: keyNameHelp},
		Kinds: page.Choose(kind, page.Choice("live", "Live"), page.Choice("test", "Test")),
		Rate: views.Field{Name: "per_second", Label: "Rings a second", Type: "number", Value: rate, Optional: true,
			Error: w.Fields["per_second"], Help: k.rateHelp()},
	}
	for _, may := range tenants.Scopes() {
		if v.Role.May(may) { // nobody gives what they do not have
			p.Scopes = append(p.Scopes, views.Tick{Name: "scope", Value: string(may), Label: may.Does(), Checked: key.May(may)})
		}
	}
	return web.Page(c, views.KeyAdd(p), w.Status)
}

// addKey makes a key and shows its secret. It is kept as a hash, so that this page is the only one
// that ever holds it.
func (k keyPages) addKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	key, err := k.keyOf(page.FormOf(c), v)
	if w, ok := page.WrongOf(err); ok {
		return k.keyPage(ctx, c, v, key, w)
	}
	prefix := tenants.LivePrefix
	if key.Test {
		prefix = tenants.TestPrefix
	}
	secret := tenants.NewSecret(prefix)
	key.Last4 = string(secret[len(secret)-4:])
	if err = key.Check(); err == nil {
		err = v.Scope.Keys().Add(ctx, key, secret.Hash())
	}
	if w, ok := page.WrongOf(err); ok {
		return k.keyPage(ctx, c, v, key, w)
	}
	if err != nil {
		return err
	}
	return k.showKey(ctx, c, v, key, secret)
}

// keyOf reads the form. A kind that is none is refused: a key that rings real phones must be asked
// for by name.
func (k keyPages) keyOf(f page.Form, v *page.Visitor) (tenants.Key, error) {
	key := tenants.Key{ID: tenants.NewID[tenants.KeyID](k.Now()), Tenant: v.Tenant.ID, Name: f.Text("name"),
		Test: f.Text("kind") == "test", CreatedAt: k.Now()}
	for _, s := range f.All("scope") {
		if !key.May(tenants.Permission(s)) {
			key.Permissions = append(key.Permissions, tenants.Permission(s))
		}
	}
	refused := &tenants.Error{Kind: tenants.Unprocessable, Code: "invalid", Msg: keyRefused}
	if kind := f.Text("kind"); kind != "live" && kind != "test" {
		refused.Fields = append(refused.Fields, tenants.Field{Name: "kind", Message: "choose live or test"})
	}
	if rate := f.Text("per_second"); rate != "" {
		n, err := strconv.Atoi(rate)
		if err != nil || n < 0 || n > 1000 {
			refused.Fields = append(refused.Fields,
				tenants.Field{Name: "per_second", Message: "enter a whole number up to 1000, or leave empty"})
		} else {
			key.PerSecond = n
		}
	}
	for _, p := range key.Permissions {
		if p.Does() != "" && !v.Role.May(p) {
			refused.Fields = append(refused.Fields, tenants.Field{Name: "scopes", Message: "your role cannot give " + string(p)})
		}
	}
	if len(refused.Fields) == 0 {
		return key, nil
	}
	var more *tenants.Error
	if errors.As(key.Check(), &more) { // every fault at once
		refused.Fields = append(refused.Fields, more.Fields...)
	}
	return key, refused
}

// rateOf is the key's own limit in words; empty when it has none.
func rateOf(key tenants.Key) string {
	if key.PerSecond == 0 {
		return ""
	}
	return views.Plural(key.PerSecond, "ring a second", "rings a second")
}

// showKey shows the secret, this once.
func (k keyPages) showKey(ctx context.Context, c *fiber.Ctx, v *page.Visitor, key tenants.Key, secret tenants.Secret) error {
	return k.showOnce(ctx, c, v, views.NavKeys, views.Secret{
		Title: newKeyTitle, Text: string(secret), Next: views.PathKeys,
		Note: newKeyNote,
		Rows: []views.Row{{Name: "Name", Text: key.Name}, {Name: "May", Text: joined(", "+
			"", append(mapped(key.Permissions, scopeWord), rateOf(key))...)}, {Name: "Later shown as", Text: keyShown(key), Mono: true}},
	})
}

// showOnce shows a secret that is kept nowhere. web.Page sends every page with no-store.
func (k *Console) showOnce(ctx context.Context, c *fiber.Ctx, v *page.Visitor, nav views.Nav, s views.Secret) error {
	shell, err := k.shell(ctx, c, v, at(s.Title, nav, up("Back", s.Next)))
	if err != nil {
		return err
	}
	return web.Page(c, views.SecretOnce(views.SecretPage{Shell: shell, Secret: s}), fiber.StatusOK)
}

// revocation asks about the key that the path names.
func (k keyPages) revocation(ctx context.Context, c *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	id, err := web.ID[tenants.KeyID](c, "key")
	if err != nil {
		return confirmation{}, err
	}
	key, err := v.Scope.Keys().Get(ctx, id)
	return confirmation{
		ask:   revocationOf(key, v),
		title: revokeTitle, nav: views.NavKeys, up: up("API keys", views.PathKeys),
		do:   func(ctx context.Context) error { return v.Scope.Keys().Revoke(ctx, key.ID) },
		said: page.FlashRevoked, next: views.PathKeys,
	}, err
}
