// Package billing sells plans through Stripe: checkout, the customer portal, changes of plan with their price shown first, metered
// overage, invoices, and the messages that Stripe sends.
//
// Stripe is the truth about who has paid. Whatever it says, in a message or on a page it sends people back from, is only a hint: the
// customer's subscriptions are then asked for and written into the tenant's tenants.Subscription, and by that alone the rest of
// Carillon goes. It refuses to know rings, pages and HTTP requests, and it grants nothing itself.
//
// Start reading at sync.go (what Stripe says becomes a subscription), then hook.go (its messages), then checkout.go.
package billing

import (
	"errors"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/stripe/stripe-go/v76"
	"github.com/stripe/stripe-go/v76/client"

	"carillon/tenants"
	"carillon/tenants/store"
)

// Config is what billing is made of. All but Secrets, URL and Tax are required.
type Config struct {
	Store     *store.Store
	Key       string   // sk_test_…, sk_live_… or a restricted rk_…
	Secrets   []string // of the webhook; two while one replaces the other; none = no webhook is served
	URL       string   // of a stand-in for api.stripe.com; empty = Stripe itself
	PublicURL string   // where people are sent back to
	Tax       bool     // let Stripe reckon taxes
	Now       func() time.Time
	Log       *slog.Logger
}

// Billing speaks to one Stripe account.
type Billing struct {
	Config
	api   *client.API
	live  bool
	plans tenants.Plans

	mu      sync.Mutex // guards below
	syncing map[string]*turn
	prices  map[string]string // id of a price by its lookup key
	read    time.Time         // when prices were read
}

// turn lets one at a time sync a customer.
type turn struct {
	sync.Mutex
	waiting int // guarded by Billing.mu
}

// stripeTime bounds one request to Stripe; a page waits for it.
const stripeTime = 8 * time.Second

// New checks the parts and gives a Billing. It asks Stripe nothing.
func New(c Config) (*Billing, error) {
	if c.Store == nil || c.Now == nil || c.Log == nil || c.PublicURL == "" {
		return nil, errors.New("billing: Store, PublicURL, Now and Log are required")
	}
	live, err := Mode(c.Key)
	if err != nil {
		return nil, err
	}
	for _, s := range c.Secrets {
		if !Secret(s) { // with an empty one, anybody's message would pass
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
		api: client.New(c.Key, &stripe.Backends{API: b, Connect: b, Uploads: b}), // never the package's own key: two of these may live side by side
	}, nil
}

// Mode tells a live key from a test key, and refuses what is neither.
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

// Secret tells whether s can be a webhook's secret.
func Secret(s string) bool { return strings.HasPrefix(s, "whsec_") && len(s) > len("whsec_")+8 }

// Hooked reports whether Stripe's messages can be told from forged ones, so that they may be taken.
func (b *Billing) Hooked() bool { return len(b.Secrets) > 0 }

// Origins are where our forms lead people: a page that posts to one of ours must allow them in its policy.
func (b *Billing) Origins() []string {
	if u, err := url.Parse(b.URL); err == nil && u.Host != "" {
		return []string{u.Scheme + "://" + u.Host}
	}
	return []string{"https://checkout.stripe.com", "https://billing.stripe.com"}
}

// lookup is the name under which Stripe finds a plan's price; ours on their side, so that no file of ids is needed.
func lookup(plan string, i tenants.Interval) string { return "carillon_" + plan + "_" + string(i) }

func lookupOverage(plan string, i tenants.Interval) string {
	return "carillon_" + plan + "_overage_" + string(i)
}

// The metadata that we write at Stripe.
const (
	metaTenant  = "carillon_tenant"
	metaPlan    = "carillon_plan"
	metaOverage = "carillon_overage"
	meterName   = "carillon_rings"
)

// refusal brings what Stripe said into our kinds. What it says of a card is for the person who pays; everything else is for us.
func refusal(err error) error {
	var ours *tenants.Error
	var theirs *stripe.Error
	switch {
	case err == nil, errors.As(err, &ours):
		return err
	case errors.As(err, &theirs) && theirs.Type == stripe.ErrorTypeCard:
		return &tenants.Error{Kind: tenants.Unpaid, Code: "card_refused", Err: err,
			Msg: "The payment did not go through, so nothing was changed. Update the payment method and try again."}
	case errors.As(err, &theirs) && theirs.HTTPStatusCode >= 400 && theirs.HTTPStatusCode < 500 && theirs.HTTPStatusCode != http.StatusTooManyRequests:
		return &tenants.Error{Kind: tenants.Unavailable, Code: "stripe_refused", Err: err,
			Msg: "Stripe refused the request, so nothing was changed. The operator of this server finds the reason in its log and by `carillon doctor`."}
	}
	return &tenants.Error{Kind: tenants.Unavailable, Code: "stripe_away", Err: err, RetryAfter: 10 * time.Second,
		Msg: "Stripe does not answer at the moment, so nothing was changed. Try again in a minute; rings go on."}
}
