package oidc_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"errors"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/example/server/exampleop"
	"github.com/zitadel/oidc/v3/example/server/storage"

	"carillon/app/oidc"
	"carillon/app/oidc/oidctest"
	"carillon/app/outbound"
	"carillon/tenants"
)

func client(t *testing.T, now func() time.Time) *oidc.Client {
	t.Helper()
	dialer := outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, outbound.AllowPlain())
	http := dialer.Client(time.Minute)
	t.Cleanup(http.CloseIdleConnections)
	c, err := oidc.New(oidc.Config{HTTP: http, CheckURL: dialer.CheckURL, Now: now})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

const callback = "http://127.0.0.1/signin/oidc/callback"

// TestARealProvider signs in at the provider of zitadel/oidc, with its page for the password.
func TestARealProvider(t *testing.T) {
	t.Parallel()
	var router http.Handler
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { router.ServeHTTP(w, r) }))
	t.Cleanup(server.Close)
	storage.RegisterClients(storage.WebClient("web", "a long secret", callback))
	router = exampleop.SetupServer(server.URL, storage.NewStorage(storage.NewUserStore(server.URL)), nil, false)
	c := client(t, time.Now)
	p := tenants.Provider{Issuer: server.URL, ClientID: "web", Secret: "a long secret", Domains: []string{"zitadel.ch"}}
	f := oidc.Flow{Secret: "one", Callback: callback, Fresh: time.Now()}
	to, err := c.Start(t.Context(), p, f)
	if err != nil {
		t.Fatal(err)
	}
	browser := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	next := func(res *http.Response, err error) string {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		defer res.Body.Close()
		u, err := res.Location()
		if err != nil {
			t.Fatalf("%s: %v", res.Status, err)
		}
		return u.String()
	}
	form, err := url.Parse(next(browser.Get(to)))
	if err != nil {
		t.Fatal(err)
	}
	back := next(browser.Get(next(browser.PostForm(server.URL+"/login/username", url.Values{"username": {"test-user2"},
		"password": {"verysecure"}, "id": {form.Query().Get("authRequestID")}}))))
	u, err := url.Parse(back)
	if err != nil || !strings.HasPrefix(back, callback) || u.Query().Get("state") != f.State() {
		t.Fatalf("the browser came back to %s: %v", back, err)
	}
	who, err := c.Finish(t.Context(), p, f, u.Query().Get("code"))
	if err != nil || who.Email != "test-user2@zitadel.ch" || who.Subject != "id2" || who.Issuer != server.URL || who.At.IsZero() {
		t.Errorf("it speaks of %+v: %v", who, err)
	}
	if _, err := c.Finish(t.Context(), p, f, u.Query().Get("code")); err == nil {
		t.Error("a code worked twice")
	}
}

func TestLiesAreRefused(t *testing.T) {
	t.Parallel()
	now := time.Now()
	foreign, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := oidctest.New(t)
	c := client(t, func() time.Time { return now })
	type claims = oidctest.Claims
	for _, x := range []struct {
		name  string
		said  claims
		sign  func(claims) string
		fresh bool
		why   string // empty = accepted
	}{
		{name: "the truth"},
		{name: "the truth, asked again", fresh: true},
		{name: "a clock one minute ahead", said: claims{"iat": now.Add(time.Minute).Unix()}},
		{name: "verified as a word", said: claims{"email_verified": "true"}},
		{name: "two audiences and the party", said: claims{"aud": []string{oidctest.ClientID, "other"}, "azp": oidctest.ClientID}},
		{name: "another issuer", said: claims{"iss": "https://evil.example"}, why: "(iss)"},
		{name: "another audience", said: claims{"aud": "other"}, why: "(aud)"},
		{name: "two audiences", said: claims{"aud": []string{oidctest.ClientID, "other"}}, why: "(azp)"},
		{name: "another party", said: claims{"azp": "other"}, why: "(azp)"},
		{name: "expired", said: claims{"exp": now.Add(-time.Second).Unix()}, why: "(exp)"},
		{name: "no end", said: claims{"exp": nil}, why: "(exp)"},
		{name: "of the future", said: claims{"iat": now.Add(time.Hour).Unix()}, why: "(iat)"},
		{name: "no beginning", said: claims{"iat": nil}, why: "(iat)"},
		{name: "another nonce", said: claims{"nonce": "other"}, why: "(nonce)"},
		{name: "no nonce", said: claims{"nonce": nil}, why: "(nonce)"},
		{name: "nobody", said: claims{"sub": nil}, why: "(sub)"},
		{name: "not verified", said: claims{"email_verified": false}, why: "(email_verified)"},
		{name: "nothing of verified", said: claims{"email_verified": nil}, why: "(email_verified)"},
		{name: "no address", said: claims{"email": nil}, why: "email address"},
		{name: "another domain", said: claims{"email": "ana@evil.example"}, why: "domain"},
		{name: "a domain below", said: claims{"email": "ana@x.beta.example"}, why: "domain"},
		{name: "an old sign-in", said: claims{"auth_time": now.Add(-time.Hour).Unix()}, fresh: true, why: "(auth_time)"},
		{name: "no time of the sign-in", said: claims{"auth_time": nil}, fresh: true, why: "(auth_time)"},
		{name: "a sign-in of the future", said: claims{"auth_time": now.Add(time.Hour).Unix()}, why: "(auth_time)"},
		{name: "a sign-in one minute ahead", said: claims{"auth_time": now.Add(time.Minute).Unix()}, fresh: true},
		{name: "no signature", sign: oidctest.Unsigned, why: "(alg)"},
		{name: "signed with the client's secret", why: "(alg)", sign: func(c claims) string {
			return p.With(jose.SigningKey{Algorithm: jose.HS256, Key: []byte(oidctest.Secret + oidctest.Secret)}, c)
		}},
		{name: "signed by somebody else", why: "signature", sign: func(c claims) string {
			return p.With(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: foreign, KeyID: "1"}}, c)
		}},
		{name: "no token", why: "no ID token", sign: func(claims) string { return "" }},
		{name: "garbage", why: "cannot be read", sign: func(claims) string { return "a.b" }},
	} {
		p.Sign = x.sign
		own := tenants.Provider{Issuer: p.URL, ClientID: oidctest.ClientID, Secret: oidctest.Secret, Domains: []string{"beta.example"}}
		f := oidc.Flow{Secret: tenants.Secret(x.name), Callback: callback}
		if x.fresh {
			f.Fresh = now
		}
		to, err := c.Start(t.Context(), own, f)
		if err != nil {
			t.Fatal(err)
		}
		back, err := url.Parse(p.Grant(to, now, x.said))
		if err != nil || back.Query().Get("state") != f.State() {
			t.Fatalf("the state is not the flow's: %v", err)
		}
		who, err := c.Finish(t.Context(), own, f, back.Query().Get("code"))
		var refused *oidc.Refused
		switch {
		case who.At.After(now):
			t.Errorf("%s: proved at %s, which is to come", x.name, who.At)
		case x.why == "" && (err != nil || who.Email != "ana@beta.example" || who.Subject != "subject-1"):
			t.Errorf("%s: refused or misread: %+v, %v", x.name, who, err)
		case x.why != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Why, x.why)):
			t.Errorf("%s: %v, want %s", x.name, err, x.why)
		}
	}
}

// TestProvidersThatCannotBeUsed: descriptions that lie or have no end, and addresses that are ours.
func TestProvidersThatCannotBeUsed(t *testing.T) {
	t.Parallel()
	c := client(t, time.Now)
	lying, endless := oidctest.New(t), oidctest.New(t)
	lying.Issuer, endless.Padded = "https://evil.example", 1<<20
	for name, issuer := range map[string]string{"another issuer": lying.URL, "an endless description": endless.URL,
		"an address inside": "http://10.0.0.1", "no provider": "http://127.0.0.1:1"} {
		if err := c.Check(t.Context(), issuer); err == nil {
			t.Errorf("%s is accepted", name)
		}
	}
	if err := c.Check(t.Context(), oidctest.New(t).URL); err != nil {
		t.Errorf("an honest one is refused: %v", err)
	}
}
