package console

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gofiber/fiber/v2"

	"carillon/app/connections"
	"carillon/app/health"
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
		Claims: domainRows(p, v),
		Only:   views.Tick{Name: "only", Value: "1", Label: onlyProviderLabel, Checked: p.OnlyWay},
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
		err = connections.NoteRefused(ctx, v.Scope, connections.OfProvider, k.answers(ctx, p))
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

// Rates of looking domains up.
var (
	tenantChecks = tenants.Rate{Of: "domains of", Every: 10 * time.Second, Burst: 10, Says: manyChecks}
	allChecks    = tenants.Rate{Of: "domains", Every: 500 * time.Millisecond, Burst: 40, Shared: true, Says: manyChecks}
)

// checkDomain looks for the record that proves a domain. What was verified before stays so.
func (k oidcPages) checkDomain(ctx context.Context, c *fiber.Ctx, v *page.Visitor) error {
	p, err := v.Scope.Providers().Get(ctx)
	if err != nil {
		return err
	}
	at := slices.IndexFunc(p.Claims, func(d tenants.DomainClaim) bool { return d.Domain == page.FormOf(c).Text("domain") })
	if at < 0 {
		return tenants.NoSuch("domain")
	}
	d := p.Claims[at]
	back := func(status int, msg string) error {
		return k.providerPage(ctx, c, v, p, true, page.Wrong{Status: status, Msg: msg})
	}
	if err := k.mails.Admit(k.Now(), "too_many_tries", tenantChecks.For(string(v.Tenant.ID)), allChecks); err != nil {
		return page.SlowDown(c, err, func(msg string) error { return back(fiber.StatusTooManyRequests, msg) })
	}
	answer, err := health.LookUpDomain(ctx, k.Resolver, d)
	switch {
	case err != nil:
		k.Log.Warn("a domain was not looked up", "domain", d.Domain, "err", err)
		return back(fiber.StatusUnprocessableEntity, fmt.Sprintf(domainNoAnswer, d.Domain))
	case answer != tenants.DomainProved:
		return back(fiber.StatusUnprocessableEntity, fmt.Sprintf(domainNoRecord, d.Domain))
	}
	err = v.Scope.Providers().Verify(ctx, d)
	if w, ok := page.WrongOf(err); ok {
		return back(w.Status, w.Msg)
	}
	if err != nil {
		return err
	}
	return k.Done(c, page.FlashVerified, views.PathProvider)
}

// domainRows say of each domain whether it is verified, and what its record must hold.
func domainRows(p tenants.Provider, v *page.Visitor) (rows []views.DomainRow) {
	for _, d := range p.Claims {
		row := views.DomainRow{Domain: d.Domain, Record: d.Record(), Verified: !d.VerifiedAt.IsZero(), At: v.At(d.VerifiedAt),
			State: domainWaits}
		if row.Verified {
			row.State = domainVerified
		} else if !d.LostAt.IsZero() {
			row.State = domainLost
		}
		rows = append(rows, row)
	}
	return rows
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
