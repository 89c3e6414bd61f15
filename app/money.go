package app

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/app/billing"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Stripe is what a server is told about taking money. Without a key no money is taken, and
// everything else works.
type Stripe struct {
	Key     string   `name:"stripe-key" help:"Stripe's secret or restricted key; empty = no money is taken and the operator gives plans by hand." env:"CARILLON_STRIPE_KEY"`
	Secrets []string `name:"stripe-webhook-secret" help:"Secret of Stripe's webhook endpoint; two while one replaces the other." env:"CARILLON_STRIPE_WEBHOOK_SECRET"`
	API     string   `name:"stripe-api-url" help:"A stand-in for api.stripe.com." env:"CARILLON_STRIPE_API_URL"`
	Tax     optional `name:"stripe-tax" help:"Let Stripe reckon taxes; it must be set up there." env:"CARILLON_STRIPE_TAX"`
}

// PlansFile is where the plans are.
type PlansFile struct {
	PlansFile string `help:"Plans file in place of the built-in one; 'carillon plans show' prints that." env:"CARILLON_PLANS_FILE" type:"path"`
}

// read gives the plans of the file, or the built-in ones.
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

// check names every fault; fault is called with the variable's name.
func (s Stripe) check(fault func(name string, err error)) {
	fault("CARILLON_STRIPE_TAX", s.Tax.wrong)
	if s.Key == "" {
		if len(s.Secrets) > 0 {
			fault("CARILLON_STRIPE_WEBHOOK_SECRET", errors.New("is given and CARILLON_STRIPE_KEY is not; Stripe's messages cannot be acted on without a key"))
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

// config is what billing is told of Stripe; the caller adds what billing stands on.
func (s Stripe) config(publicURL string) billing.Config {
	return billing.Config{Key: s.Key, Secrets: s.Secrets, URL: s.API, PublicURL: publicURL, Tax: s.Tax.is}
}

// till opens the billing of a server that has a key; nil without one.
func (n *node) till(c checked) (*billing.Billing, error) {
	if c.Stripe.Key == "" {
		return nil, nil
	}
	b := c.Stripe.config(c.PublicURL)
	b.Store, b.Now, b.Log = n.store, c.now, n.log
	return billing.New(b)
}

// till opens the billing of a verb of the command line.
func (s Stripe) till(c terminal, rows *store.Store, publicURL string) (*billing.Billing, error) {
	b := s.config(publicURL)
	b.Store, b.Now, b.Log = rows, c.now, quiet(c)
	return billing.New(b)
}

// money runs what billing does by itself.
func (n *node) money(ctx context.Context, wg *sync.WaitGroup) {
	if n.billing == nil {
		return
	}
	n.every(ctx, wg, 20*time.Second, "report rings to Stripe", n.billing.Report)
	n.every(ctx, wg, 30*time.Minute, "reconcile with Stripe", n.billing.Reconcile)
}
