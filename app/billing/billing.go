// Package billing sells plans through Stripe: checkout, the customer portal, plan changes with a
// price preview, metered overage, invoices, and Stripe's webhook messages.
//
// Stripe decides who has paid. A message, or a redirect from a Stripe page, is only a hint: billing
// then reads the customer's subscriptions from Stripe and writes them into the tenant's
// tenants.Subscription, and the rest of Carillon uses only that. It knows no rings, pages or HTTP
// requests, and it grants nothing itself.
//
// Start reading at sync.go (from Stripe's answer to a subscription), then hook.go (messages), then
// checkout.go.
package billing

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Config configures billing. All but Secrets, URL and Tax are required.
type Config struct {
	Store     *store.Store
	Key       string   // sk_test_…, sk_live_… or a restricted rk_…
	Secrets   []string // of the webhook; two during a rotation; none = no webhook route
	URL       string   // of a stand-in for api.stripe.com; empty = Stripe
	PublicURL string   // where people are sent back to
	Tax       bool     // have Stripe calculate tax
	Now       func() time.Time
	Log       *slog.Logger
}

// Billing works with one Stripe account.
type Billing struct {
	Config
	api    *client.API
	alerts atomic.Int64
	live   bool
	plans  tenants.Plans

	mu      sync.Mutex // guards below
	syncing map[string]*turn
	prices  map[string]string // price ids by lookup key
	read    time.Time         // when prices was read
}

// turn serializes the syncs of one customer.
type turn struct {
	sync.Mutex
	waiting int // guarded by Billing.mu
}

// stripeTime limits one request to Stripe; a page waits for it.
const stripeTime = 8 * time.Second

// New checks the configuration and returns a Billing. It makes no request to Stripe.
func New(c Config) (*Billing, error) {
	if c.Store == nil || c.Now == nil || c.Log == nil || c.PublicURL == "" {
		return nil, errors.New("billing: Store, PublicURL, Now and Log are required")
	}
	live, err := Mode(c.Key)
	if err != nil {
		return nil, err
	}
	for _, s := range c.Secrets {
		if !Secret(s) { // with an empty secret, anyone could sign a message
			return nil, errors.New("billing: a webhook secret starts with whsec_")
		}
	}
	c.PublicURL = strings.TrimRight(c.PublicURL, "/")
	backend := &stripe.BackendConfig{
		HTTPClient: &http.Client{Timeout: stripeTime}, MaxNetworkRetries: stripe.Int64(1), EnableTelemetry: stripe.Bool(false),
		LeveledLogger: &stripe.LeveledLogger{Level: stripe.LevelNull},
	}
	if c.URL != "" {
		backend.URL = stripe.String(strings.TrimRight(c.URL, "/"))
	}
	b := stripe.GetBackendWithConfig(stripe.APIBackend, backend)
	return &Billing{
		Config: c, live: live, plans: c.Store.Plans(), syncing: map[string]*turn{},
		// not the global stripe.Key: tests run several accounts at once
		api: client.New(c.Key, &stripe.Backends{API: b, Connect: b, Uploads: b}),
	}, nil
}

// Mode reports whether a Stripe key is live or test, and refuses anything else.
func Mode(key string) (live bool, err error) {
	for _, kind := range []string{"sk_", "rk_"} {
		if rest, ok := strings.CutPrefix(key, kind+"live_"); ok && rest != "" {
			return true, nil
		}
		if rest, ok := strings.CutPrefix(key, kind+"test_"); ok && rest != "" {
			return false, nil
		}
	}
	return false, errors.New("a Stripe key starts with sk_live_, sk_test_, rk_live_ or rk_test_; the publishable pk_ key is not needed")
}

// Secret reports whether s can be a webhook secret.
func Secret(s string) bool { return strings.HasPrefix(s, "whsec_") && len(s) > len("whsec_")+8 }

// alert logs a fault that only the operator can mend, at Stripe.
func (b *Billing) alert(msg string, args ...any) {
	b.alerts.Add(1)
	b.Log.Error(msg, args...)
}

// Alerts returns how many faults since the start only the operator can mend. The log says what.
func (b *Billing) Alerts() int64 { return b.alerts.Load() }

// Hooked reports whether a webhook secret is set, so that messages can be verified and accepted.
func (b *Billing) Hooked() bool { return len(b.Secrets) > 0 }

// Origins are the sites that our forms redirect to. A page with such a form must allow them in its
// content policy.
func (b *Billing) Origins() []string {
	if u, err := url.Parse(b.URL); err == nil && u.Host != "" {
		return []string{u.Scheme + "://" + u.Host}
	}
	return []string{"https://checkout.stripe.com", "https://billing.stripe.com"}
}

// lookup is the lookup key of a plan's price at Stripe. We choose it, so no file of price ids is
// needed.
func lookup(plan string, i tenants.Interval) string { return "carillon_" + plan + "_" + string(i) }

func lookupOverage(plan string, i tenants.Interval) string {
	return "carillon_" + plan + "_overage_" + string(i)
}

// Metadata keys that we set at Stripe.
const (
	metaTenant  = "carillon_tenant"
	metaPlan    = "carillon_plan"
	metaOverage = "carillon_overage"
	meterName   = "carillon_rings"
)

// refusal maps an error of Stripe to a tenants.Error. A card error is for the person who pays;
// every other cause is only logged.
func refusal(err error) error {
	var ours *tenants.Error
	var theirs *stripe.Error
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case errors.As(err, &theirs) && theirs.Type == stripe.ErrorTypeCard:
		return &tenants.Error{Kind: tenants.Unpaid, Code: "card_refused", Err: err,
			Msg: "The payment did not go through, so nothing was changed. Update the payment method and try again."}
	case errors.As(err, &theirs) && theirs.HTTPStatusCode >= 400 && theirs.HTTPStatusCode < 500 &&
		theirs.HTTPStatusCode != http.StatusTooManyRequests:
		return &tenants.Error{Kind: tenants.Unavailable, Code: "stripe_refused", Err: err,
			Msg: "Stripe refused the request, so nothing was changed. " +
				"The operator of this server can find the reason in the log or with `carillon doctor`."}
	}
	return &tenants.Error{Kind: tenants.Unavailable, Code: "stripe_away", Err: err, RetryAfter: 10 * time.Second,
		Msg: "Stripe does not answer at the moment, so nothing was changed. Try again in a minute. Rings still work."}
}
