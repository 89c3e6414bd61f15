package app

import (
	"errors"
	"fmt"

	"carillon/app/billing"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Stripe configures billing. Without a key nothing is charged, and everything else works.
type Stripe struct {
	Key     string   `name:"stripe-key" help:"Stripe's secret or restricted key; empty = no billing." env:"CARILLON_STRIPE_KEY"`
	Secrets []string `name:"stripe-webhook-secret" help:"Of the webhook; two during a change." env:"CARILLON_STRIPE_WEBHOOK_SECRET"`
	API     string   `name:"stripe-api-url" help:"A stand-in for api.stripe.com." env:"CARILLON_STRIPE_API_URL"`
	Tax     optional `name:"stripe-tax" help:"Have Stripe calculate tax; set up tax there first." env:"CARILLON_STRIPE_TAX"`
}

// PlansFile is where the plans are.
type PlansFile struct {
	PlansFile string `help:"Plans file in place of the built-in one; see 'carillon plans show'." env:"CARILLON_PLANS_FILE" type:"path"`
}

// read returns the plans of the file, or the built-in ones.
func (p PlansFile) read() (tenants.Plans, error) {
	if p.PlansFile == "" {
		return tenants.BuiltinPlans(), nil
	}
	b, err := contents(p.PlansFile)
	if err != nil {
		return tenants.Plans{}, err
	}
	return tenants.ParsePlans(b)
}

// check reports every fault through fault, with the variable's name.
func (s Stripe) check(fault func(name string, err error)) {
	fault("CARILLON_STRIPE_TAX", s.Tax.wrong)
	if s.Key == "" {
		if len(s.Secrets) > 0 {
			fault("CARILLON_STRIPE_WEBHOOK_SECRET",
				errors.New("is set, but CARILLON_STRIPE_KEY is not; set the key too, which is needed to act on Stripe's messages"))
		}
		return
	}
	_, err := billing.Mode(s.Key)
	fault("CARILLON_STRIPE_KEY", err)
	for _, x := range s.Secrets {
		if !billing.Secret(x) {
			fault("CARILLON_STRIPE_WEBHOOK_SECRET", errors.New("each starts with whsec_; Stripe shows it on the endpoint's page"))
		}
	}
	if s.API != "" {
		fault("CARILLON_STRIPE_API_URL", standIn(s.API))
	}
}

// standIn is the address of a Stripe that is not Stripe: on this machine, or over TLS, since the
// key goes to it.
func standIn(s string) error {
	if publicURL(s) != nil {
		return fmt.Errorf("%q is neither an https:// address nor http:// on this machine; leave it out to use Stripe", s)
	}
	return nil
}

// config is the part of billing's configuration that comes from outside; the caller adds the parts.
func (s Stripe) config(publicURL string) billing.Config {
	return billing.Config{Key: s.Key, Secrets: s.Secrets, URL: s.API, PublicURL: publicURL, Tax: s.Tax.is}
}

// openBilling returns the billing of a server; nil without Stripe's key.
func (n *node) openBilling(c checked) (*billing.Billing, error) {
	if c.Stripe.Key == "" {
		return nil, nil
	}
	b := c.Stripe.config(c.PublicURL)
	b.Store, b.Now, b.Log = n.store, c.now, n.log
	return billing.New(b)
}

// open returns the billing for a verb of the command line.
func (s Stripe) open(c terminal, rows *store.Store, publicURL string) (*billing.Billing, error) {
	b := s.config(publicURL)
	b.Store, b.Now, b.Log = rows, c.now, quiet(c)
	return billing.New(b)
}
