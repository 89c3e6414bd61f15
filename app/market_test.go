package app

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"carillon/app/billing/stripetest"
	"carillon/app/notify/notifytest"
	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/views"
)

// market is a server in production with a Stripe and a mail server on this machine. All three, and
// the command line, share one clock, which the test moves.
type market struct {
	*server
	stripe *stripetest.Stripe
	office *notifytest.Server
	data   string
	opened time.Time                    // outside
	passed atomic.Int64                 // and what passed here beside what does outside, in nanoseconds
	mails  map[string][]notifytest.Mail // received and not yet asked for, by recipient
}

// marketDay is the day on which it opens: the hold of the first month ends just before the second
// is paid.
func marketDay() time.Time { return time.Date(2026, 3, 20, 9, 0, 0, 0, time.UTC) }

func opens(t *testing.T) *market {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m := &market{data: t.TempDir(), opened: time.Now(), mails: map[string][]notifytest.Mail{}}
	apple, err := apnstest.New(apnstest.Config{})
	must(err)
	t.Cleanup(func() { _ = apple.Close() })
	m.stripe, err = stripetest.New(stripetest.Config{Now: marketDay()})
	must(err)
	t.Cleanup(func() { _ = m.stripe.Close() })
	m.office, err = notifytest.New()
	must(err)
	t.Cleanup(func() { _ = m.office.Close() })
	db := []string{"--data", m.data}
	wants(t, 0, "", append([]string{"migrate", "up"}, db...)...)
	money := []string{"--stripe-key", stripetest.Key, "--stripe-api-url", m.stripe.URL()}
	wants(t, 0, "made the price", append([]string{"plans", "sync", "--public-url", "http://127.0.0.1", "--data", m.data}, money...)...)
	m.stripe.Forgive() // it asked for products that were not there
	m.server = servesAt(t, m.now, db, apple, append(money, "--stripe-webhook-secret", stripetest.Secret, "--smtp-url", m.office.URL())...)
	m.stripe.Hook(m.ready.URL + "/webhooks/stripe")
	return m
}

func (m *market) now() time.Time {
	return marketDay().Add(time.Since(m.opened) + time.Duration(m.passed.Load()))
}

// pass lets time go by, with all that falls due at Stripe and what Carillon makes of it.
func (m *market) pass(d time.Duration) {
	m.passed.Add(int64(d))
	m.stripe.Advance(d)
}

// verb runs the command line beside the server.
func (m *market) verb(args ...string) string {
	m.t.Helper()
	var out bytes.Buffer
	if code := run(m.t.Context(), append(args, "--data", m.data), terminal{&out, &out, m.now}); code != 0 {
		m.t.Fatalf("%v ends with %d: %s", args, code, out.String())
	}
	return out.String()
}

// adds makes a partner as the operator does.
func (m *market) adds(name, email string) (p madePartner) {
	m.t.Helper()
	if err := json.Unmarshal([]byte(m.verb("affiliate", "add", "--name", name, "--email", email, "--public-url",
		"http://127.0.0.1", "--json")), &p); err != nil {
		m.t.Fatal(err)
	}
	return p
}

// mail waits for the next mail to an address and returns it with the path of the link in it.
func (m *market) mail(to string) (text, path string) {
	m.t.Helper()
	late := time.NewTimer(2 * time.Minute)
	defer late.Stop()
	for len(m.mails[to]) == 0 {
		select {
		case l := <-m.office.Mails():
			m.mails[l.To] = append(m.mails[l.To], l)
		case <-late.C:
			m.t.Fatalf("no mail to %s", to)
		}
	}
	l := m.mails[to][0]
	m.mails[to] = m.mails[to][1:]
	_, rest, _ := strings.Cut(l.Text, "http://127.0.0.1")
	return l.Head + l.Text, strings.Fields(rest + " -")[0]
}

// guest is a person with a browser that follows no redirect by itself.
type guest struct {
	*market
	client http.Client
}

func (m *market) guest() *guest {
	m.t.Helper()
	jar, err := cookiejar.New(nil)
	if err != nil {
		m.t.Fatal(err)
	}
	return &guest{m, http.Client{Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}}
}

// sends gives the page, or where it leads.
func (g *guest) sends(method, path string, form url.Values, want int) string {
	g.t.Helper()
	address := path
	if strings.HasPrefix(path, "/") {
		address = g.ready.URL + path
	}
	q, err := http.NewRequestWithContext(g.t.Context(), method, address, strings.NewReader(form.Encode()))
	if err != nil {
		g.t.Fatal(err)
	}
	q.Header.Set("User-Agent", "Mozilla/5.0 (iPhone; CPU iPhone OS 26_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, "+
		"like Gecko) Version/26.0 Mobile/15E148 Safari/604.1")
	if method == http.MethodPost {
		q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	a, err := g.client.Do(q)
	if err != nil {
		g.t.Fatal(err)
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	if err != nil {
		g.t.Fatal(err)
	}
	if a.StatusCode != want {
		g.t.Fatalf("%s %s gave %d:\n%s", method, path, a.StatusCode, body)
	}
	if want == http.StatusSeeOther {
		return a.Header.Get("Location")
	}
	return string(body)
}

func (g *guest) opens(path string) string { g.t.Helper(); return g.sends("GET", path, nil, 200) }
func (g *guest) submits(path string, form url.Values) string {
	g.t.Helper()
	return g.sends("POST", path, form, 303)
}

// leads fails unless something led there.
func (g *guest) leads(where, want string) {
	g.t.Helper()
	if where != want {
		g.t.Fatalf("it leads to %q, not to %q", where, want)
	}
}

// prefilled is the partner's code that the form of a trial holds.
func (g *guest) prefilled() string {
	g.t.Helper()
	for _, field := range regexp.MustCompile(`<input[^>]*>`).FindAllString(g.opens("/trial"), -1) {
		if v := regexp.MustCompile(` value="([^"]*)"`).FindStringSubmatch(field); strings.Contains(field, `name="code"`) && v != nil {
			return v[1]
		}
	}
	return ""
}

// tries signs up by the form and the mail, with a partner's code; then the owner is signed in to
// their own tenant.
func (g *guest) tries(email, code string) {
	g.t.Helper()
	g.pass(time.Hour) // a few sign-ups of one network are taken in ten minutes
	company, _, _ := strings.Cut(strings.SplitN(email, "@", 2)[1], ".")
	g.sends("POST", "/trial", url.Values{"company": {company}, "name": {"Owner"}, "email": {email},
		"password": {"bells in the morning"}, "time_zone": {"UTC"},
		"industry": {string(tenants.RealEstate)}, "code": {code}}, 200)
	_, link := g.mail(email)
	g.opens(link)
	g.leads(g.submits(link, nil), "/overview")
}

// buys subscribes by the month at Stripe's Checkout with what is typed there, and gives Stripe's
// name of the customer.
func (g *guest) buys(plan string, typed url.Values) (customer string) {
	g.t.Helper()
	page := g.submits("/billing/checkout", url.Values{"plan": {plan}, "interval": {string(tenants.Monthly)}})
	g.leads(g.submits(page, typed), "http://127.0.0.1/billing?checkout=done")
	all := g.stripe.Customers()
	return all[len(all)-1]
}

// enters opens the partner dashboard by a link.
func (g *guest) enters(link string) {
	g.t.Helper()
	link = strings.TrimPrefix(link, "http://127.0.0.1")
	if page := g.opens(link); !strings.Contains(page, "Open your partner dashboard") {
		g.t.Fatalf("the link leads to\n%s", page)
	}
	g.leads(g.submits(link, nil), views.PathPartner)
}

// dashboard reads the partner dashboard and fails unless its figures are these, as "Held $1.00"; it
// returns the page.
func (g *guest) dashboard(what string, want ...string) string {
	g.t.Helper()
	page := g.opens(views.PathPartner)
	for _, w := range want {
		label, value := w[:strings.LastIndex(w, " ")], w[strings.LastIndex(w, " ")+1:]
		got := regexp.MustCompile(`stat-label">\s*` + label + `\s*</div>\s*<div class="stat-value">([^<]*)<`).FindStringSubmatch(page)
		if got == nil || got[1] != value {
			g.t.Errorf("%s: the dashboard says %q for %q, want %q", what, got, label, value)
		}
	}
	return page
}
