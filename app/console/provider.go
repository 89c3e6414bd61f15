package console

import (
	"context"
	"errors"
	"slices"
	"strings"

	"github.com/gofiber/fiber/v2"

	"carillon/app/oidc"
	"carillon/app/page"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/views"
)

// provider is the form of the tenant's own provider.
func (k oidcPages) provider(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	p, err := v.Scope.Providers().Get(ctx)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	if err != nil {
		p.Role = tenants.Viewer
	}
	return k.providerPage(ctx, c, v, p, err == nil, page.Wrong{Status: fiber.StatusOK})
}

func (k oidcPages) providerPage(ctx context.Context, c *fiber.Ctx, v *page.Visitor, p tenants.Provider, set bool, w page.Wrong) error {
	s, err := k.shell(ctx, c, v, at(providerTitle, views.NavSettings, up("Settings", views.PathSettings)))
	if err != nil {
		return err
	}
	var roles []views.Choice
	for _, r := range tenants.Roles[1:] {
		roles = append(roles, page.Choice(string(r), r.Name()))
	}
	keep := ""
	if set {
		keep = keepSecret
	}
	field := func(name, label, value, help string) views.Field {
		return views.Field{Name: name, Label: label, Value: page.Shown(value, 1000), Max: 1000, Help: help, Error: w.Fields[name],
			Autocomplete: "off"}
	}
	form := views.ProviderPage{
		Shell: s, Error: w.Unseen("issuer", "client_id", "secret", "domains", "role"), Set: set, Callback: k.callback(),
		Start:   k.PublicURL + views.OIDCPath(v.Tenant.Slug),
		Issuer:  field("issuer", "Issuer", p.Issuer, issuerHelp),
		Client:  field("client_id", "Client ID", p.ClientID, ""),
		Secret:  field("secret", "Client secret", "", keep),
		Domains: field("domains", "Email domains", strings.Join(p.Domains, ", "), providerDomainsHelp),
		Role: views.Pick{Name: "role", Label: firstRoleLabel, Choices: page.Choose(string(p.Role), roles...),
			Error: w.Fields["role"]},
		Only: views.Tick{Name: "only", Value: "1", Label: onlyProviderLabel, Checked: p.OnlyWay},
	}
	form.Secret.Type = "password"
	return web.Page(c, views.Provider(form), w.Status)
}

// setProvider checks that the provider answers before it is stored: a typo must lock nobody out.
func (k oidcPages) setProvider(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	f := page.FormOf(c)
	old, err := v.Scope.Providers().Get(ctx)
	if err != nil && tenants.KindOf(err) != tenants.Unknown {
		return err
	}
	set := err == nil
	p := tenants.Provider{Issuer: f.Text("issuer"), ClientID: f.Text("client_id"), Secret: tenants.Secret(f.Raw("secret")),
		Role: tenants.Role(f.Text("role")), OnlyWay: f.Text("only") != "", Domains: domainsOf(f.Text("domains"))}
	if p.Secret == "" && set && p.Issuer == old.Issuer { // never to another issuer: it would learn the secret
		p.Secret = old.Secret
	}
	if err = p.Check(); err == nil {
		err = k.claims(ctx, v, p, old)
	}
	if err == nil {
		err = k.answers(ctx, p)
	}
	if err == nil {
		err = v.Scope.Providers().Set(ctx, p)
	}
	if w, ok := page.WrongOf(err); ok {
		return k.providerPage(ctx, c, v, p, set, w)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashSaved, views.PathProvider)
}

// answers asks the provider for its description.
func (k oidcPages) answers(ctx context.Context, p tenants.Provider) error {
	err := k.OIDC.Check(ctx, p.Issuer)
	var no *oidc.Refused
	if errors.As(err, &no) {
		return &tenants.Error{Kind: tenants.Unprocessable, Code: "invalid", Msg: providerUnsaved, Err: err,
			Fields: []tenants.Field{{Name: "issuer", Message: no.Why}}}
	}
	return err
}

// claims refuses a new domain that no owner has a proven address at: it would be somebody else's.
func (k oidcPages) claims(ctx context.Context, v *page.Visitor, p, old tenants.Provider) error {
	owners, err := v.Scope.Providers().OwnersDomains(ctx)
	if err != nil {
		return err
	}
	for _, d := range p.Domains {
		if !slices.Contains(old.Domains, d) && !slices.Contains(owners, d) {
			return &tenants.Error{Kind: tenants.Unprocessable, Code: "invalid", Msg: providerUnsaved,
				Fields: []tenants.Field{{Name: "domains", Message: "no owner of your organisation has an address at " + d}}}
		}
	}
	return nil
}

// domainsOf reads domains parted by commas or spaces, with or without an @.
func domainsOf(text string) (all []string) {
	for _, d := range strings.FieldsFunc(strings.ToLower(text), func(r rune) bool { return r == ',' || r == ' ' || r == ';' }) {
		if d = strings.TrimPrefix(d, "@"); !slices.Contains(all, d) {
			all = append(all, d)
		}
	}
	return all
}

// removal asks before the provider is removed.
func (k oidcPages) removal(ctx context.Context, _ *fiber.Ctx, v *page.Visitor) (confirmation, error) {
	_, err := v.Scope.Providers().Get(ctx)
	return confirmation{
		ask:   removalOfProvider(),
		title: removeProviderTitle, nav: views.NavSettings, up: up(providerTitle, views.PathProvider),
		do: v.Scope.Providers().Remove, said: page.FlashRemoved, next: views.PathProvider,
	}, err
}
