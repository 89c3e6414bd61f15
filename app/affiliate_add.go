package app

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"carillon/app/language"
	"carillon/app/page"
	"carillon/app/site"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

type affiliateAddCmd struct {
	Name      string `required:"" help:"Name of the partner."`
	Email     string `required:"" help:"Their mail address; they sign in with it."`
	PublicURL string `help:"The https:// address that people use." default:"http://127.0.0.1:8080" env:"CARILLON_PUBLIC_URL"`
	JSON      bool   `help:"Print one JSON line."`
	PlansFile
	Database
}

// Help says when the command is needed.
func (a *affiliateAddCmd) Help() string {
	return "Partners join by themselves at /affiliate where the server sends mail. This adds one by hand, or gives " +
		"an existing partner a new sign-in link.\n\n" +
		`carillon affiliate add --name "Ana Ruiz" --email ana@partner.example`
}

// madePartner is what affiliate add prints. The sign-in link is shown once.
type madePartner struct {
	Code      string `json:"code"`
	Link      string `json:"link"`      // to pass on
	Dashboard string `json:"dashboard"` // signs the partner in, once
}

// Run makes the partner and the link that lets them in.
func (a *affiliateAddCmd) Run(ctx context.Context, c terminal) error {
	plans, err := a.read()
	if err != nil {
		return fmt.Errorf("CARILLON_PLANS_FILE: %w", err)
	}
	email, err := a.check(plans)
	if err != nil {
		return misused{err}
	}
	token, now := tenants.NewSecret(tenants.PartnerPrefix), c.now()
	fresh := site.NewPartner(plans, language.Composed(strings.TrimSpace(a.Name)), email, now)
	signIn := store.PartnerLink{Hash: token.Hash(), Email: email, Name: fresh.Name, CreatedAt: now,
		ExpiresAt: now.Add(tenants.PartnerLinkTTL)}
	return a.Database.with(ctx, c, plans, func(s *store.Store) error {
		p, added, err := s.Partners().Add(ctx, fresh, signIn)
		if err != nil {
			return err
		}
		base := strings.TrimSuffix(a.PublicURL, "/")
		return a.tell(c, p, added, madePartner{Code: p.Code, Link: base + views.PartnerLinkPath(p.Code),
			Dashboard: base + views.PartnerEnterPath(string(token))})
	})
}

// check names every flag that is wrong.
func (a *affiliateAddCmd) check(plans tenants.Plans) (email string, err error) {
	var f configFaults
	if !tenants.ValidText(strings.TrimSpace(a.Name), 1, 80) {
		f.add("--name", errors.New("1 to 80 characters, no control characters"))
	}
	email, ok := tenants.ParseEmail(a.Email)
	if !ok || !page.Registered(email) {
		f.add("--email", fmt.Errorf("%q is not an email address of a registered domain, such as ana@partner.example", a.Email))
	}
	if plans.Affiliate.Percent == 0 || plans.Affiliate.Months == 0 {
		f.add("CARILLON_PLANS_FILE", errors.New("partners earn nothing on this server; set percent and months of "+
			"affiliate in the plans file first"))
	}
	f.add("CARILLON_PUBLIC_URL", publicURL(a.PublicURL))
	return email, errors.Join(f...)
}

func (a *affiliateAddCmd) tell(c terminal, p tenants.Partner, added bool, m madePartner) error {
	if a.JSON {
		return json.NewEncoder(c.out).Encode(m)
	}
	if !added {
		fmt.Fprintf(c.out, "%s is already a partner. Nothing was changed; here is a new sign-in link.\n\n", p.Email)
	}
	fmt.Fprintf(c.out, "Partner    %s, %s\nCode       %s\nLink       %s\n           theirs to pass on\n",
		p.Name, p.Email, m.Code, m.Link)
	fmt.Fprintf(c.out, "Dashboard  %s\n           send it to %s; it works once, for 24 hours\n", m.Dashboard, p.Email)
	return nil
}
