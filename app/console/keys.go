package console

import (
	"cmp"
	"context"
	"strconv"
	"strings"
	"time"

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
		Head: []string{"id", "name", "shown", "scopes", "rings_per_second", "addresses", "devices", "people", "created_by", "created_at",
			"expires_at", "last_used_at", "last_address", "last_client", "revoked_at"},
		Cells: page.Each(func(x tenants.Key) []string {
			return []string{string(x.ID), x.Name, keyShown(x), strings.Join(scopesOf(x), " "), strconv.Itoa(x.PerSecond),
				networksShown(x, " "), strings.Join(idsOf(x.Only.Devices), " "), strings.Join(x.Only.People, " "), x.Maker,
				page.Stamp(x.CreatedAt), page.Stamp(x.ExpiresAt), page.Stamp(x.LastUsedAt), x.LastIP, x.LastClient, page.Stamp(x.RevokedAt)}
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

// networksShown are the addresses of a key, a single one without the length of its prefix.
func networksShown(k tenants.Key, between string) string {
	out := make([]string, len(k.Networks))
	for i, n := range k.Networks {
		if out[i] = n.String(); n.IsSingleIP() {
			out[i] = n.Addr().String()
		}
	}
	return strings.Join(out, between)
}

func idsOf[T ~string](ids []T) []string {
	return mapped(ids, func(id T) string { return string(id) })
}

// limitsOf are the limits of a key in a few words.
func limitsOf(k tenants.Key) (out []string) {
	if n := len(k.Networks); n > 0 {
		out = append(out, views.Plural(n, "address", "addresses"))
	}
	if n := len(k.Only.Devices); n > 0 {
		out = append(out, views.Plural(n, "device", "devices"))
	}
	if n := len(k.Only.People); n > 0 {
		out = append(out, views.Plural(n, "person", "people"))
	}
	return out
}

// keyState is what is special about a key; empty while it simply works.
func keyState(k tenants.Key, now time.Time) (string, views.Tone) {
	switch _, soon := tenants.KeyExpiryStep(k, now); {
	case !k.RevokedAt.IsZero() && !k.RevokedAt.Equal(k.ExpiresAt):
		return "Revoked", views.ToneNeutral
	case k.Ended(now) && k.ReplacedBy != "":
		return "Replaced", views.ToneNeutral
	case k.Ended(now):
		return "Expired", views.ToneNeutral
	case k.ReplacedBy != "":
		return "Replaced, still works", views.ToneWarn
	case soon:
		return "Expires soon", views.ToneWarn
	}
	return "", views.ToneGood
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
		row := views.KeyRow{
			ID: string(key.ID), Name: key.Name, Shown: keyShown(key), Live: !key.Test, Rate: rateOf(key), Limits: limitsOf(key),
			Scopes: mapped(key.Permissions, scopeWord), May: shareOfScopes(len(key.Permissions), len(tenants.Scopes())),
			Used: v.At(key.LastUsedAt), Created: v.At(key.CreatedAt), By: key.Maker,
			Expires: v.At(key.ExpiresAt), Ended: key.Ended(k.Now()),
		}
		row.State, row.Tone = keyState(key, k.Now())
		p.Keys = append(p.Keys, row)
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

// rateOf is the key's own limit in words; empty when it has none.
func rateOf(key tenants.Key) string {
	if key.PerSecond == 0 {
		return ""
	}
	return views.Plural(key.PerSecond, "ring a second", "rings a second")
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
		said: page.FlashRevoked, next: views.KeyPath(string(key.ID)),
	}, err
}
