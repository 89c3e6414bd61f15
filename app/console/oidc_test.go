package console

import (
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
	to := w.Get("/signin/oidc/beta" + query).Want(303).Header.Get("Location")
	return w.Get(strings.TrimPrefix(p.Grant(to, h.Clock.Now(), said), "http://127.0.0.1"))
}

func TestSigningInThroughAProvider(t *testing.T) {
	t.Parallel()
	h, p := open(t), oidctest.New(t)
	a, b := h.full("alpha", "Alpha"), h.full("beta", "Beta")
	o := b.Quick(b.Owner)
	for _, bad := range []struct {
		field, value string
		status       int
	}{{"domains", "alpha.example", 422}, {"issuer", "http://127.0.0.1:2", 422}, {"role", "owner", 400}, {"secret", "", 400}} {
		o.Post("/settings/sign-in", providerForm(p, bad.field, bad.value)).Want(bad.status)
	}
	o.Post("/settings/sign-in", providerForm(p, "domains", "gmail.com")).Want(400).Has("nybody can have an address")
	o.Post("/settings/sign-in", providerForm(p)).Leads("/settings/sign-in")
	o.Get("/settings/sign-in").Want(200).Has(p.URL, "beta.example").Lacks(oidctest.Secret)
	b.Quick(b.Person(tenants.Developer)).Get("/settings/sign-in").Want(403)

	// The domain of an address leads to the provider, whether or not the address has an account.
	for _, email := range []string{b.Owner.Email, "nobody@beta.example"} {
		to := h.Browser().Post("/signin/organisation", fieldsOf("email", email)).Want(303).Header.Get("Location")
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
	to := w.Get("/signin/oidc/beta").Want(303).Header.Get("Location")
	back := strings.TrimPrefix(p.Grant(to, h.Clock.Now(), oidctest.Claims{"sub": "replay", "email": "replay@beta.example"}), "http://127.0.0.1")
	h.Browser().Get(back).Want(410)
	w.Get(back).Leads("/overview")
	w.Get(back).Want(410)

	refusals(t, h, p, a, b)
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

	// Once they are a member, the address is enough; the sign-in reaches this tenant only.
	pagetest.Must(t, b.Scope().Members().Add(t.Context(), tenants.Member{User: eve.ID, Role: tenants.Admin, CreatedAt: now}))
	w := h.Browser()
	through(w, h, p, "", oidctest.Claims{"sub": "s2", "email": eve.Email}).Leads("/overview")
	w.Get("/overview").Want(200).Lacks("Alpha")
	w.Post("/tenant", fieldsOf("tenant", string(a.Id))).Want(404)
	w.Post("/tenant", fieldsOf("tenant", string(b.Id))).Leads("/overview")
	w.Post("/tenant", fieldsOf("tenant", string(a.Id))).Want(404) // its own tenant gave it no other sign-in
	w.Get("/overview").Want(200).Lacks("Alpha")

	// What asks for a fresh proof leads to the provider, which must ask the person again.
	h.Clock.Pass(time.Hour)
	ask := w.Get("/keys/add").Want(303).Header.Get("Location")
	if !strings.HasPrefix(ask, "/signin/oidc/beta?fresh=1") {
		t.Fatalf("a proof is asked for at %s", ask)
	}
	query := strings.TrimPrefix(ask, "/signin/oidc/beta")
	through(w, h, p, query, oidctest.Claims{"sub": "s2", "email": eve.Email, "auth_time": now.Unix()}).Want(403).Has("auth_time")
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
	o.Post("/settings/sign-in/remove", url.Values{}).Leads("/settings/sign-in")
	w.Get("/overview").Want(303)
	h.Browser().Get("/signin/oidc/beta").Want(404)
}
