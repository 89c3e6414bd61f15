package operator

import (
	"context"
	"errors"
	"log/slog"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/factor"
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/app/push"
	"carillon/app/web"
	"carillon/tenants"
	"carillon/tenants/store"
)

// server is an operator console with one tenant.
type server struct {
	*pagetest.Server
	k      *Console
	common *page.Common
	tenant *pagetest.Account
	teams  []push.TeamAnswers
	mails  mails
	stripe stripe
}

// stripe counts what is processed again.
type stripe struct{ replayed []string }

func (s *stripe) Payload(context.Context, string) (string, error) {
	return `{"object": "invoice"}`, nil
}

func (s *stripe) Replay(_ context.Context, id string) error {
	s.replayed = append(s.replayed, id)
	return nil
}

// mails are mails that failed.
type mails []notify.Failed

func (m *mails) Failed() []notify.Failed { return *m }

func (m *mails) Resend(id string) (notify.Failed, error) {
	for _, f := range *m {
		if f.ID == id {
			*m = nil
			return f, nil
		}
	}
	return notify.Failed{}, notify.ErrNotFailed
}

func open(t *testing.T) *server {
	t.Helper()
	h := &server{Server: pagetest.NewServer(t, "http://ring.example")}
	var err error
	h.common, err = page.NewCommon(page.CommonConfig{Store: h.Store, PublicURL: opsOrigin, Cookie: "carillon-operator",
		Now: h.Clock.Now, Log: slog.New(slog.DiscardHandler)})
	pagetest.Must(t, err)
	keys, err := factor.NewPasskeys(opsOrigin)
	pagetest.Must(t, err)
	h.k, err = New(Config{Common: h.common, Server: func() Server { return Server{Name: "one", Started: h.Clock.Now(), DiskFree: -1} },
		Teams: func() []push.TeamAnswers { return h.teams }, Mails: &h.mails, Billing: &h.stripe, Passkeys: keys})
	pagetest.Must(t, err)
	h.mount()
	h.tenant = h.Bare("harbor", "Harbor")
	return h
}

// mount serves the routes as they are now.
func (h *server) mount() {
	app := web.New(web.Config{Now: h.Clock.Now, PublicURL: opsOrigin, ErrorPage: h.k.ErrorPage})
	h.k.Mount(app)
	h.Serve(app)
}

// operator adds an operator who has used their link, and gives the seed of their app.
func (h *server) operator(email string) (tenants.Operator, string) {
	h.Helper()
	now, link, seed := h.Clock.Now(), tenants.NewSecret(tenants.OperatorPrefix), factor.NewSeed()
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: email, Name: "Sam Hill", CreatedAt: now}
	pagetest.Must(h, h.Store.Operators().Add(h.Context(), store.Who{}, o, store.OperatorLink{Hash: link.Hash(),
		ExpiresAt: now.Add(time.Hour)}))
	_, err := h.Store.Operators().Enrol(h.Context(), link.Hash(), store.Enrolment{Password: h.Phc, Seed: seed,
		Codes: factor.NewRecoveryCodes()}, store.Who{})
	pagetest.Must(h, err)
	return o, seed
}

// signedIn is a browser with an operator's sign-in, half or whole.
func (h *server) signedIn(o tenants.Operator, half bool) *pagetest.Browser {
	h.Helper()
	b, token, now := h.Browser(), page.NewToken(), h.Clock.Now()
	pagetest.Must(h, h.Store.Operators().SignIn(h.Context(), store.Who{Actor: o.Actor()}, store.OperatorSignIn{
		Hash: tenants.Secret(token).Hash(), Operator: o.ID, Half: half, Password: h.Phc, CreatedAt: now,
		IdleAt: now.Add(idleTime), ExpiresAt: now.Add(signInTime)}, tenants.Hash{}))
	b.Cookies[h.common.CookieName()] = token
	return b
}

// address fills the parameters of a route.
func (h *server) address(pattern string) string {
	return strings.NewReplacer(":id", string(h.tenant.Id), ":token", "x", "*", "x").Replace(pattern)
}

// TestOnlyOperatorsComeIn: every route with everybody who is no operator. Each is sent away, and no
// row changes.
func TestOnlyOperatorsComeIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	gone, _ := h.operator("gone@ops.example")
	disabled := h.signedIn(gone, false)
	pagetest.Must(t, h.Store.Operators().Disable(t.Context(), store.Who{}, gone.ID, h.Clock.Now()))
	owner := h.tenant.Quick(h.tenant.Owner) // signed in to the console, with that token under both names
	owner.Cookies[h.common.CookieName()] = owner.Cookies[h.Common.CookieName()]
	whole := h.signedIn(o, false)
	actors := map[string]*pagetest.Browser{"nobody": h.Browser(), "an owner of a tenant": owner, "a disabled operator": disabled,
		"an operator without a code": h.signedIn(o, true)}
	before := h.Dump("")
	asked := 0
	for _, r := range h.k.routes() {
		if r.public != nil {
			continue
		}
		for name, b := range actors {
			res := b.Send(r.method, h.address(r.path), "application/x-www-form-urlencoded", "why=x&plan=none")
			asked++
			if want := map[string]int{get: 303, post: 401}[r.method]; res.StatusCode != want || strings.Contains(res.Body, "Harbor Homes") {
				t.Errorf("%s %s as %s: %d, want %d", r.method, r.path, name, res.StatusCode, want)
			}
		}
	}
	if after := h.Dump(""); after != before || asked < 40 {
		t.Errorf("%d requests of strangers were made; the rows changed: %v", asked, after != before)
	}
	for _, r := range h.k.routes() {
		if r.public != nil || r.method != get {
			continue
		}
		if res := whole.Get(h.address(r.path)); res.StatusCode != 200 && res.StatusCode != 404 {
			t.Errorf("GET %s as an operator: %d", r.path, res.StatusCode)
		}
	}
	for _, path := range []string{"/overview", "/rings", "/settings", "/v1/rings", "/mcp", "/trial", "/docs/ios", "/metrics"} {
		whole.Get(path).Want(404)
	}
}

// TestOperatorSignsIn: the link, then password and code; neither works alone, and none twice.
func TestOperatorSignsIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	now, link := h.Clock.Now(), tenants.NewSecret(tenants.OperatorPrefix)
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: "sam@ops.example", Name: "Sam Hill", CreatedAt: now}
	pagetest.Must(t, h.Store.Operators().Add(t.Context(), store.Who{}, o, store.OperatorLink{Hash: link.Hash(),
		ExpiresAt: now.Add(time.Hour)}))
	b, welcome := h.Browser(), "/welcome/"+string(link)
	b.Get(welcome).Want(200).Has("sam@ops.example", "Key:")
	seed := factor.NewSeed()
	form := url.Values{"password": {"short"}, "seed": {seed}, "code": {factor.CodeAt(seed, now)}}
	b.Post(welcome, form).Want(422).Has("at least 12 characters")
	form.Set("password", pagetest.Secret)
	form.Set("code", "000000")
	b.Post(welcome, form).Want(422).Has("does not fit")
	form.Set("code", factor.CodeAt(seed, now))
	b.Post(welcome, form).Want(200).Has("Recovery codes")
	b.Get("/tenants").Want(200).Has("Harbor Homes")
	b.Get(welcome).Want(410)
	b.Post(welcome, form).Want(410)
	b.Post("/signout", nil).Leads("/signin")
	b.Get("/tenants").Leads("/signin")

	h.Clock.Pass(time.Minute)
	b.Post("/signin", url.Values{"email": {o.Email}, "password": {"a wrong passphrase"}}).Want(401)
	b.Post("/signin", url.Values{"email": {"nobody@ops.example"}, "password": {pagetest.Secret}}).Want(401).Has("wrong")
	b.Post("/signin", url.Values{"email": {o.Email}, "password": {pagetest.Secret}}).Leads("/signin/second")
	b.Get("/tenants").Leads("/signin")
	b.Post("/signin/second", url.Values{"code": {"000000"}}).Want(401)
	code := factor.CodeAt(seed, h.Clock.Now())
	b.Post("/signin/second", url.Values{"code": {code}}).Leads("/")
	b.Get("/").Leads("/tenants")
	b.Get("/audit").Want(200).Has("signed in", "refused", "chose a password")
	again := h.Browser()
	again.Post("/signin", url.Values{"email": {o.Email}, "password": {pagetest.Secret}}).Leads("/signin/second")
	again.Post("/signin/second", url.Values{"code": {code}}).Want(401)

	h.Clock.Pass(idleTime + time.Minute)
	b.Get("/tenants").Leads("/signin")

	wrong := url.Values{"email": {o.Email}, "password": {"a wrong passphrase"}}
	for range 8 {
		again.Post("/signin", wrong).Want(401)
	}
	again.Post("/signin", wrong).Want(429)
	b.Post("/signin", url.Values{"email": {o.Email}, "password": {pagetest.Secret}}).Leads("/signin/second") // a known browser
	for h.k.failures.Admit(h.Clock.Now(), "", recordRate) == nil {
	}
	was, err := h.Store.Operators().AuditsTotal(t.Context(), store.OperatorAuditQuery{})
	pagetest.Must(t, err)
	b.Post("/signin", wrong).Want(401)
	if is, err := h.Store.Operators().AuditsTotal(t.Context(), store.OperatorAuditQuery{}); err != nil || is.N != was.N {
		t.Errorf("beyond the rate a failed sign-in made %d entries, %v", is.N-was.N, err)
	}
}

// TestSuspendingIsInBothRecords: the tenant's people read why, and both audit logs say who did it.
func TestSuspendingIsInBothRecords(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b, home := h.signedIn(o, false), "/tenants/"+string(h.tenant.Id)
	b.Post(home+"/suspend", url.Values{"why": {" "}}).Want(400).Has("Say in 1 to 300 characters")
	b.Post(home+"/suspend", url.Values{"why": {"invoices are open"}}).Leads(home)
	b.Get(home).Has("Suspended. Its people", "Its people read: Invoices are open.", "suspended the tenant")
	b.Get("/tenants?state=suspended").Has("Harbor Homes", "Suspended")
	tenant, err := h.Store.For(h.tenant.Id).Tenant(t.Context())
	if err != nil || tenant.State != tenants.TenantSuspended || tenant.SuspendedWhy != "invoices are open" {
		t.Fatalf("%+v %v", tenant, err)
	}
	theirs, _, err := h.Store.For(h.tenant.Id).Audits().List(t.Context(), store.AuditQuery{Action: "tenant.suspend"})
	if err != nil || len(theirs) != 1 || theirs[0].Actor != o.Actor() || len(theirs[0].Changes) != 2 {
		t.Fatalf("the tenant's audit log has %+v %v", theirs, err)
	}
	b.Post(home+"/resume", nil).Leads(home)
	b.Post(home+"/plan", url.Values{"plan": {"growth"}, "until": {"2001-01-01"}}).Want(422)
	b.Post(home+"/plan", url.Values{"plan": {"nonsense"}}).Want(422)
	b.Post(home+"/plan", url.Values{"plan": {"growth"}}).Leads(home)
	ours, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Target: string(h.tenant.Id)})
	var said []string
	for _, a := range ours {
		said = append(said, a.Action)
	}
	if err != nil || strings.Join(said, " ") != "subscription.set tenant.resume tenant.suspend" {
		t.Fatalf("the record of operators has %v %v", said, err)
	}
	b.Post("/audit", nil).Want(200).Has("The record is whole")
	b.Get("/tenants.csv").Want(200).Has("harbor", "growth")
	b.Get("/audit.csv").Want(200).Has("tenant.suspend")
	b.Get("/audit?q=suspended").Want(200).Has("suspended the tenant", "1 entry").Lacks("resumed the tenant")        // a word of the page
	b.Get("/audit?q=suspended+harbor").Want(200).Has("suspended the tenant", "1 entry").Lacks("resumed the tenant") // of two columns
	b.Get("/audit?q=suspended+mirabelle").Want(200).Has("No matches")
	b.Get(home).Want(200).Has(`href="/audit?target=` + string(h.tenant.Id) + `"`)
	b.Get("/audit?target="+string(h.tenant.Id)).Want(200).Has("suspended the tenant", "3 entries").Lacks("signed in")
	b.Get("/audit?target="+string(h.tenant.Id)+"&q=resumed").Want(200).Has("resumed the tenant", "1 entry")
	b.Get("/audit?target=" + string(tenants.NewID[tenants.TenantID](time.Now()))).Want(200).Has("No matches") // of one that is gone
	b.Get("/audit?result=refused").Want(200).Lacks("suspended the tenant")
}

// recorded says which entry each address that changes something writes, and with which form.
var recorded = map[string]struct {
	action string
	form   url.Values
}{
	"POST /tenants/:id/suspend": {"tenant.suspend", url.Values{"why": {"invoices are open"}}},
	"POST /tenants/:id/resume":  {"tenant.resume", nil},
	"POST /tenants/:id/plan":    {"subscription.set", url.Values{"plan": {"growth"}}},
}

// unrecorded are the other addresses of operators, and where their entries are tested.
var unrecorded = map[string]string{
	"POST /signout": "ends a sign-in", "POST /codes": "TestStepUp", "POST /account/confirm": "renews a sign-in; TestStepUp",
	"POST /account/confirm/begin": "gives a challenge", "POST /account/passkeys/begin": "gives a challenge",
	"POST /account/passkeys/add": "TestPasskeys", "POST /account/passkeys/:id": "TestPasskeys",
	"POST /account/passkeys/:id/remove": "TestPasskeys", "POST /account/app": "TestStepUp", "POST /account/sessions/end": "TestStepUp",
	"POST /account/password": "TestPassword", "POST /audit": "verifies; changes nothing",
	"POST /tenants/:id/look": "needs the tenant's consent; TestLook of console", "POST /mails/:id/resend": "TestHealth",
	"POST /partners/:id/paid": "TestPartners", "POST /events/:id/replay": "TestEvents",
}

// TestEveryChangeIsRecorded: what an operator does to a tenant is one entry in the record of
// operators and one in the tenant's audit log, with the operator's name and what changed. A new
// address that is in neither list fails.
func TestEveryChangeIsRecorded(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	for _, r := range h.k.routes() {
		address := r.method + " " + r.path
		want, known := recorded[address]
		if r.method == get || r.public != nil || unrecorded[address] != "" {
			continue
		}
		if !known {
			t.Errorf("%s is in neither recorded nor unrecorded: say which entry it writes", address)
			continue
		}
		b.Post(h.address(r.path), want.form).Want(303)
		ours, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}})
		pagetest.Must(t, err)
		theirs, _, err := h.Store.For(h.tenant.Id).Audits().List(t.Context(), store.AuditQuery{Action: want.action})
		pagetest.Must(t, err)
		if len(theirs) != 1 || theirs[0].Actor != o.Actor() || theirs[0].IP == "" || len(theirs[0].Changes) == 0 ||
			ours[0].Action != want.action || ours[0].Actor != o.Actor() || len(ours[0].Changes) == 0 {
			t.Errorf("%s: the operators' record has %+v, the tenant's %+v", address, ours, theirs)
		}
	}
}

// TestHealth: the page says what waits, what Apple answered, and which mails failed; a mail is sent
// again once.
func TestHealth(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.teams = []push.TeamAnswers{{Team: "TEAM123456", Hour: push.Answers{Accepted: 90, Limited: 10},
		Day: push.Answers{Accepted: 990, Limited: 10}}}
	h.mails = mails{{ID: "7", To: "ana@clinic.example", Subject: "Your invitation", At: h.Clock.Now(), Tries: 4, Why: "450 try later"}}
	pagetest.Must(t, h.tenant.Scope().Credentials().Add(t.Context(), tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](h.Clock.Now()), Kind: tenants.P12, Bundle: "com.example.app",
		Environment: tenants.Production, NotAfter: h.Clock.Now().Add(72 * time.Hour), CreatedAt: h.Clock.Now()}, []byte("x")))
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Get("/health").Want(200).Has("TEAM123456", "10 %", "ana@clinic.example", "450 try later", "Harbor Homes", "Rings to end")
	b.Post("/mails/7/resend", nil).Leads("/health")
	b.Post("/mails/7/resend", nil).Want(404)
	b.Get("/audit").Has("sent again an email:", "Your invitation")
	h.teams, h.mails = nil, nil
	b.Get("/health").Want(200).Has("No pushes in the last 24 hours.").Lacks("nodes-title") // SQLite's only node is listed nowhere
	_, err := h.Store.Nodes().Start(t.Context(), store.Node{ID: tenants.NewID[tenants.NodeID](time.Now()), Name: "node-1", Shared: true,
		Program: "abc123def456"})
	pagetest.Must(t, err)
	b.Get("/health").Want(200).Has("nodes-title", "node-1", "abc123def456", "0.0 s")
}

// TestMoney: events are shown and processed again, and a partner is paid once.
func TestMoney(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b, now := h.signedIn(o, false), h.Clock.Now()
	_, err := h.Store.StripeEvents().Claim(t.Context(), store.StripeEvent{ID: "evt_1", Type: "invoice.paid", Object: "in_1"})
	pagetest.Must(t, err)
	pagetest.Must(t, h.Store.StripeEvents().End(t.Context(), "evt_1", errors.New("no answer")))
	b.Get("/events?state=failed").Want(200).Has("invoice.paid", "no answer", "Failed")
	b.Get("/events?state=done").Want(200).Lacks("invoice.paid")
	b.Get("/events/evt_1").Want(200).Has("invoice", "Process again")
	b.Get("/events/evt_2").Want(404)
	b.Post("/events/evt_1/replay", nil).Leads("/events/evt_1")
	if len(h.stripe.replayed) != 1 || h.stripe.replayed[0] != "evt_1" {
		t.Errorf("processed again: %v", h.stripe.replayed)
	}
	link := tenants.NewSecret(tenants.PartnerPrefix)
	p := tenants.Partner{ID: tenants.NewID[tenants.PartnerID](now), Code: "ABCDEFGH", Email: "ana@partner.example", Name: "Ana Ruiz",
		CreatedAt: now}
	_, _, err = h.Store.Partners().Add(t.Context(), p, store.PartnerLink{Hash: link.Hash(), Email: p.Email, ExpiresAt: now.Add(time.Hour)})
	pagetest.Must(t, err)
	home := "/partners/" + string(p.ID)
	b.Get("/partners").Want(200).Has("Ana Ruiz", "ABCDEFGH")
	b.Get(home).Want(200).Has("Nothing is payable now.")
	b.Post(home+"/paid", url.Values{"reference": {""}}).Want(422).Has("Give a reference")
	b.Post(home+"/paid", url.Values{"reference": {"bank 7"}, "amount": {"12.00"}}).Want(409).Has("another sum")
	b.Get("/audit").Lacks("recorded a payout")
	h.earns(p)
	pay := url.Values{"reference": {"bank 7"}, "amount": {"109.78"}}
	b.Post(home+"/paid", pay).Leads(home)
	b.Post(home+"/paid", pay).Want(409).Has("recorded already")
	b.Get(home).Want(200).Has(home + "/payouts.csv")
	b.Get(home+"/payouts.csv").Want(200).Has("id,partner,code,reference,amount,currency,paid_at", ",Ana Ruiz,ABCDEFGH,bank 7,109.78,usd,")
}

// earns makes a partner's commission of one payment of 499 payable.
func (h *server) earns(p tenants.Partner) {
	h.Helper()
	ctx, now, link := h.Context(), h.Clock.Now(), tenants.NewSecret(tenants.TrialPrefix).Hash()
	pagetest.Must(h, h.Store.SignUps().Add(ctx, tenants.Signup{Hash: link, Email: "o@x.example", CreatedAt: now,
		ExpiresAt: now.Add(time.Hour)}))
	of := tenants.Tenant{ID: tenants.NewID[tenants.TenantID](now), Slug: "brought", Name: "Brought", Industry: tenants.Salon,
		State: tenants.TenantActive, TimeZone: "UTC", RingTTL: tenants.DefaultTTL, CreatedAt: now}
	pagetest.Must(h, h.Store.SignUps().OpenTrial(ctx, store.Opening{Signup: link, Key: "x.example", Tenant: of,
		Owner:  tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: "o@x.example", Name: "O", Theme: "auto", CreatedAt: now},
		Agents: of.File().NewAgents(of, now), Subscription: h.Store.Plans().Trial(of.ID, "starter", now),
		Referral: &tenants.Referral{ID: tenants.ReferralID(tenants.NewRandomID()), Partner: p.ID, Tenant: of.ID,
			Terms: tenants.Affiliate{Percent: 22, Months: 12, HoldDays: 30}, CreatedAt: now}}))
	pagetest.Must(h, h.Store.Ledger().Settle(ctx, store.Settlement{Tenant: of.ID, Asked: now,
		Payments: []tenants.Payment{{ID: "in_1", At: now.AddDate(0, 0, -31), Cents: 49900, Untaxed: 49900}}}))
}
