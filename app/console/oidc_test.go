package console

import (
	"encoding/hex"
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/oidc/oidctest"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func providerForm(p *oidctest.Provider, more ...string) url.Values {
	f := fieldsOf("issuer", p.URL, "client_id", oidctest.ClientID, "secret", oidctest.Secret, "domains", "@Beta.example", "role", "viewer")
	for i := 0; i < len(more); i += 2 {
		f.Set(more[i], more[i+1])
	}
	return f
}

// through signs in through the provider of the tenant beta, which says what said says.
func through(w *pagetest.Browser, h *server, p *oidctest.Provider, query string, said oidctest.Claims) pagetest.Answer {
	return w.Get(strings.TrimPrefix(p.Grant(depart(w, query), h.Clock.Now(), said), "http://127.0.0.1"))
}

// depart presses the button that begins a sign-in in the tenant beta, and gives the address that
// the browser is sent to.
func depart(w *pagetest.Browser, query string) string {
	asked := w.Get("/signin/oidc/beta"+query).Want(200).Has("Continue", "Beta")
	if len(asked.Cookies()) > 0 {
		w.H.Error("a visit began a sign-in")
	}
	form, _ := url.ParseQuery(strings.TrimPrefix(query, "?"))
	return aim(w.Post("/signin/oidc/beta", form))
}

// aim is where an answer sends the browser.
func aim(a pagetest.Answer) string {
	return strings.TrimPrefix(a.Want(200).Header.Get("Refresh"), "0; url=")
}

func TestSigningInThroughAProvider(t *testing.T) {
	t.Parallel()
	dns, p := newDNS(t), oidctest.New(t)
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Resolver = dns.resolver() })
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	o := b.Quick(b.Owner)
	for _, bad := range []struct {
		field, value string
		status       int
	}{{"issuer", "http://127.0.0.1:2", 422}, {"role", "owner", 400}, {"secret", "", 400}} {
		o.Post("/settings/sign-in", providerForm(p, bad.field, bad.value)).Want(bad.status)
	}
	o.Post("/settings/sign-in", providerForm(p, "domains", "gmail.com")).Want(400).Has("nybody can have an address")
	o.Post("/settings/sign-in", providerForm(p)).Leads("/settings/sign-in")
	o.Get("/settings/sign-in").Want(200).Has(p.URL, "beta.example").Lacks(oidctest.Secret)
	proves(t, h, dns, p, a, b)
	b.Quick(b.Person(tenants.Developer)).Get("/settings/sign-in").Want(403)

	// The domain of an address leads to the provider, whether or not the address has an account.
	for _, email := range []string{b.Owner.Email, "nobody@beta.example"} {
		to := aim(h.Browser().Post("/signin/organisation", fieldsOf("email", email)))
		if !strings.HasPrefix(to, p.URL+"/authorize?") {
			t.Errorf("%s leads to %s", email, to)
		}
	}
	h.Browser().Post("/signin/organisation", fieldsOf("email", "x@other.example")).Want(404).Has("No organisation signs in")

	// A newcomer gets the role of the form, once.
	w := h.Browser()
	through(w, h, p, "?next=/rings", oidctest.Claims{"email": "new@beta.example"}).Leads("/rings")
	w.Get("/overview").Want(200).Has("Viewer", "Ana Ruiz")
	w.Post("/account/password", fieldsOf("current", "x", "password", "another long phrase")).Want(403).Has("through your organisation")
	through(h.Browser(), h, p, "", oidctest.Claims{"email": "renamed@beta.example"}).Leads("/overview")
	if _, err := h.Store.Users().ByEmail(t.Context(), "renamed@beta.example"); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("a known subject became somebody else: %v", err)
	}

	// A state works once, and only in the browser that began.
	w = h.Browser()
	to := depart(w, "")
	back := strings.TrimPrefix(p.Grant(to, h.Clock.Now(), oidctest.Claims{"sub": "replay", "email": "replay@beta.example"}), "http://127.0.0.1")
	h.Browser().Get(back).Want(410)
	w.Get(back).Leads("/overview")
	w.Get(back).Want(410)

	refusals(t, h, p, a, b)
}

// proves shows that a domain is proved by its DNS record, and that nobody new comes in before.
func proves(t *testing.T, h *server, dns *dnsServer, p *oidctest.Provider, a, b *tenant) {
	t.Helper()
	through(h.Browser(), h, p, "", oidctest.Claims{"email": "new@beta.example"}).Want(403).Has("has not proved yet", "beta.example")
	h.Browser().Post("/signin/organisation", fieldsOf("email", "x@beta.example")).Want(404)
	o, domain := b.Quick(b.Owner), fieldsOf("domain", "beta.example")
	record := func(x *tenant, domain string) string {
		t.Helper()
		found, err := x.Scope().Providers().Get(t.Context())
		pagetest.Must(t, err)
		for _, d := range found.Claims {
			if d.Domain == domain {
				return d.Record()
			}
		}
		t.Fatalf("%s is not claimed", domain)
		return ""
	}
	o.Get("/settings/sign-in").Want(200).Has(record(b, "beta.example"), "Not verified")
	o.Post("/settings/sign-in/check", domain).Want(422).Has("No such record was found at beta.example")
	dns.set("beta.example", "v=spf1 -all", "carillon-domain=another")
	o.Post("/settings/sign-in/check", domain).Want(422).Has("No such record")
	dns.set("beta.example")
	o.Post("/settings/sign-in/check", domain).Want(422).Has("did not answer")
	dns.set("beta.example", "v=spf1 -all", record(b, "beta.example"))
	o.Post("/settings/sign-in/check", domain).Leads("/settings/sign-in")
	o.Get("/settings/sign-in").Want(200).Has("Verified").Lacks("Not verified")
	o.Post("/settings/sign-in/check", fieldsOf("domain", "other.example")).Want(404)

	// Anybody may claim it. One has it.
	thief := a.Quick(a.Owner)
	thief.Post("/settings/sign-in", providerForm(p)).Leads("/settings/sign-in")
	dns.set("beta.example", record(b, "beta.example"), record(a, "beta.example"))
	thief.Post("/settings/sign-in/check", domain).Want(409).Has("Another organisation has verified beta.example")
	thief.Post("/settings/sign-in/remove", url.Values{}).Leads("/settings/sign-in")
	for range 20 {
		o.Post("/settings/sign-in/check", domain)
	}
	o.Post("/settings/sign-in/check", domain).Want(429).Has("Too many checks")
}

// refusals: nobody else's account opens, and the tenant's record says what was refused.
func refusals(t *testing.T, h *server, p *oidctest.Provider, a, b *tenant) {
	t.Helper()
	now := h.Clock.Now()
	eve := tenants.User{ID: tenants.NewID[tenants.UserID](now), Email: "eve@beta.example", Name: "Eve", Theme: "auto", CreatedAt: now}
	pagetest.Must(t, h.Store.Users().Add(t.Context(), eve))
	pagetest.Must(t, a.Scope().Members().Add(t.Context(), tenants.Member{User: eve.ID, Role: tenants.Admin, CreatedAt: now}))
	for _, x := range []struct {
		name, says string
		said       oidctest.Claims
	}{
		{"somebody of another tenant", "is no member of the organisation", oidctest.Claims{"sub": "s2", "email": eve.Email}},
		{"an owner", "Owners sign in with their password", oidctest.Claims{"sub": "s3", "email": b.Owner.Email}},
		{"another domain", "domain", oidctest.Claims{"sub": "s4", "email": a.Owner.Email}},
		{"another nonce", "nonce", oidctest.Claims{"sub": "s5", "nonce": "x"}},
	} {
		through(h.Browser(), h, p, "", x.said).Want(403).Has(x.says)
	}
	all, _, err := b.Scope().Audits().List(t.Context(), store.AuditQuery{Action: "user.sign_in"})
	pagetest.Must(t, err)
	if len(all) == 0 || !strings.Contains(all[0].Detail, "nonce") {
		t.Errorf("the record does not name the last refusal: %v", all)
	}

	// An invitation does not open the account that somebody has elsewhere: its person accepts it.
	invitation := tenants.NewSecret(tenants.InvitationPrefix)
	pagetest.Must(t, b.Scope().Invitations().Add(t.Context(), store.Invitation{Hash: invitation.Hash(), Email: eve.Email,
		Role: tenants.Admin, CreatedAt: now, ExpiresAt: now.Add(invitationTime)}, nil))
	through(h.Browser(), h, p, "", oidctest.Claims{"sub": "s2", "email": eve.Email}).Want(403).
		Has("Accept the invitation in the mail first")
	if _, err := b.Scope().Members().Get(t.Context(), eve.ID); tenants.KindOf(err) != tenants.Unknown {
		t.Fatalf("a provider accepted an invitation: %v", err)
	}

	// Once they are a member, the address is enough; the sign-in reaches this tenant only.
	pagetest.Must(t, b.Scope().Members().Add(t.Context(), tenants.Member{User: eve.ID, Role: tenants.Admin, CreatedAt: now}))
	w := h.Browser()
	through(w, h, p, "", oidctest.Claims{"sub": "s2", "email": eve.Email}).Leads("/overview")
	w.Get("/overview").Want(200).Lacks("Alpha")
	w.Post("/tenant", fieldsOf("tenant", string(a.Id))).Want(404)
	w.Post("/tenant", fieldsOf("tenant", string(b.Id))).Leads("/overview")
	w.Post("/tenant", fieldsOf("tenant", string(a.Id))).Want(404) // its own tenant gave it no other sign-in
	w.Get("/overview").Want(200).Lacks("Alpha")

	elsewhere := a.Quick(eve)
	w.Get("/account").Want(200).Has("sign in with your password").Lacks("New password", "Sign out everywhere else")
	hidden, err := h.Store.SignIns().List(t.Context(), eve.ID)
	pagetest.Must(t, err)
	for _, s := range hidden {
		if s.Tenant == a.Id {
			w.Post("/account/sessions/end", fieldsOf("id", hex.EncodeToString(s.Hash[:]))).Want(404)
		}
	}
	w.Post("/account/sessions/end", fieldsOf("id", "others")).Leads("/account")
	elsewhere.Get("/overview").Want(200).Has("Alpha")

	// What asks for a fresh proof leads to the provider, which must ask the person again.
	h.Clock.Pass(time.Hour)
	ask := w.Get("/keys/add").Want(303).Header.Get("Location")
	if !strings.HasPrefix(ask, "/signin/oidc/beta?fresh=1") {
		t.Fatalf("a proof is asked for at %s", ask)
	}
	query := strings.TrimPrefix(ask, "/signin/oidc/beta")
	through(w, h, p, query, oidctest.Claims{"sub": "s2", "email": eve.Email, "auth_time": now.Unix()}).Want(403).Has("auth_time")
	through(w, h, p, query, oidctest.Claims{"sub": "s2", "email": eve.Email, "auth_time": h.Clock.Now().Add(time.Hour).Unix()}).Want(403)
	through(w, h, p, query, oidctest.Claims{"sub": "s2", "email": eve.Email}).Leads("/keys/add")
	w.Get("/keys/add").Want(200)

	// Nobody but owners keeps a password. The way out is the removal.
	with := b.Person(tenants.Viewer)
	kept := b.Quick(with)
	o := b.Quick(b.Owner)
	o.Post("/settings/sign-in", providerForm(p, "only", "1", "secret", "")).Leads("/settings/sign-in")
	kept.Get("/overview").Want(303)
	o.Get("/overview").Want(200)
	h.Browser().Post("/signin", fieldsOf("email", with.Email, "password", pagetest.Secret)).Want(403).Has("through its own provider")
	h.Browser().Post("/signin", fieldsOf("email", b.Owner.Email, "password", pagetest.Secret)).Leads("/overview")
	pagetest.Must(t, a.Scope().Members().Add(t.Context(), tenants.Member{User: with.ID, Role: tenants.Viewer,
		CreatedAt: now.Add(time.Hour)}))
	other := h.Browser() // of their tenants, one takes their password
	other.Post("/signin", fieldsOf("email", with.Email, "password", pagetest.Secret)).Leads("/overview")
	other.Get("/overview").Want(200).Has("Alpha Homes")

	// With another client or domain, what the provider vouched for is over.
	w.Get("/overview").Want(200)
	o.Post("/settings/sign-in", providerForm(p, "secret", "", "role", "admin")).Leads("/settings/sign-in")
	w.Get("/overview").Want(200)
	o.Post("/settings/sign-in", providerForm(p, "secret", "", "domains", "beta.example, beta.test.example")).Leads("/settings/sign-in")
	w.Get("/overview").Want(303)
	through(w, h, p, "", oidctest.Claims{"sub": "s2", "email": eve.Email}).Leads("/overview")
	o.Post("/settings/sign-in", providerForm(p, "client_id", "other")).Leads("/settings/sign-in")
	w.Get("/overview").Want(303)
	o.Post("/settings/sign-in/remove", url.Values{}).Leads("/settings/sign-in")
	h.Browser().Get("/signin/oidc/beta").Want(404)
	h.Browser().Post("/signin/oidc/beta", url.Values{}).Want(404)
}

// TestWhoWasRemovedComesBack: a person whom the provider brought is removed, stays out, and comes
// back when they are invited again.
func TestWhoWasRemovedComesBack(t *testing.T) {
	t.Parallel()
	dns, p := newDNS(t), oidctest.New(t)
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Resolver = dns.resolver() })
	b := h.full("beta", "Beta")
	b.Quick(b.Owner).Post("/settings/sign-in", providerForm(p)).Leads("/settings/sign-in")
	claimed, err := b.Scope().Providers().Get(t.Context())
	pagetest.Must(t, err)
	pagetest.Must(t, b.Scope().Providers().Verify(t.Context(), claimed.Claims[0]))
	said := oidctest.Claims{"email": "new@beta.example"}
	through(h.Browser(), h, p, "", said).Leads("/overview")
	u, err := h.Store.Users().ByEmail(t.Context(), "new@beta.example")
	pagetest.Must(t, err)
	pagetest.Must(t, b.Scope().Members().Remove(t.Context(), u.ID))
	through(h.Browser(), h, p, "", said).Want(403).Has("no longer a member")
	pagetest.Must(t, b.Scope().Invitations().Add(t.Context(), store.Invitation{Hash: tenants.Secret("x").Hash(), Email: u.Email,
		Role: tenants.Developer, CreatedAt: h.Clock.Now(), ExpiresAt: h.Clock.Now().Add(invitationTime)}, nil))
	w := h.Browser()
	through(w, h, p, "", said).Leads("/overview")
	w.Get("/overview").Want(200).Has("Developer")
	for range 35 {
		h.Browser().Post("/signin/oidc/beta", url.Values{})
	}
	h.Browser().Post("/signin/oidc/beta", url.Values{}).Want(429)
}
