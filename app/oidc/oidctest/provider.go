// Package oidctest is an OpenID provider inside the test's process. It is strict about what it is
// asked, and says what the test wants it to say: also what no honest provider would.
package oidctest

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// The client that the provider knows.
const (
	ClientID = "carillon"
	Secret   = "a secret of the client"
)

// Claims are what an ID token says.
type Claims map[string]any

// Provider is a provider on a port of this machine. Its fields may be changed before a sign-in.
type Provider struct {
	URL    string
	Issuer string                // in its description; URL unless it lies
	Sign   func(c Claims) string // makes a token; nil = signed honestly
	Keys   func() jose.JSONWebKeySet
	Padded int // bytes of padding in the description

	t    testing.TB
	key  *ecdsa.PrivateKey
	mu   sync.Mutex
	open map[string]grant
	last int
}

// grant is a code that was not used yet.
type grant struct {
	challenge, redirect string
	claims              Claims
}

// New starts a provider that ends with the test.
func New(t testing.TB) *Provider {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	p := &Provider{t: t, key: key, open: map[string]grant{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", p.describe)
	mux.HandleFunc("GET /keys", p.keys)
	mux.HandleFunc("POST /token", p.token)
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	p.URL, p.Issuer = s.URL, s.URL
	return p
}

func send(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (p *Provider) describe(w http.ResponseWriter, _ *http.Request) {
	send(w, http.StatusOK, map[string]any{"issuer": p.Issuer, "authorization_endpoint": p.URL + "/authorize",
		"token_endpoint": p.URL + "/token", "jwks_uri": p.URL + "/keys", "response_types_supported": []string{"code"},
		"id_token_signing_alg_values_supported": []string{"ES256", "HS256", "none"},
		"token_endpoint_auth_methods_supported": []string{"client_secret_basic"}, "padding": make([]byte, p.Padded)})
}

func (p *Provider) keys(w http.ResponseWriter, _ *http.Request) {
	if p.Keys != nil {
		send(w, http.StatusOK, p.Keys())
		return
	}
	send(w, http.StatusOK, jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: p.key.Public(), KeyID: "1", Algorithm: "ES256", Use: "sig"}}})
}

// Grant is what the provider does when a person has signed in: it checks the address that the
// browser was sent to, and gives the one it is sent back to. said overwrites what the token says; a
// nil value leaves a claim out.
func (p *Provider) Grant(authorize string, now time.Time, said Claims) string {
	p.t.Helper()
	u, err := url.Parse(authorize)
	if err != nil {
		p.t.Fatal(err)
	}
	q := u.Query()
	if q.Get("response_type") != "code" || q.Get("client_id") != ClientID || q.Get("code_challenge_method") != "S256" ||
		q.Get("state") == "" || q.Get("nonce") == "" || q.Get("redirect_uri") == "" {
		p.t.Fatalf("the browser was sent to %s", authorize)
	}
	claims := Claims{"iss": p.URL, "aud": ClientID, "sub": "subject-1", "iat": now.Unix(), "exp": now.Add(time.Minute).Unix(),
		"auth_time": now.Unix(), "nonce": q.Get("nonce"), "email": "ana@beta.example", "email_verified": true, "name": "Ana Ruiz"}
	maps.Copy(claims, said)
	maps.DeleteFunc(claims, func(_ string, v any) bool { return v == nil })
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last++
	code := "code-" + string(rune('a'+p.last))
	p.open[code] = grant{challenge: q.Get("code_challenge"), redirect: q.Get("redirect_uri"), claims: claims}
	return q.Get("redirect_uri") + "?" + url.Values{"code": {code}, "state": {q.Get("state")}}.Encode()
}

func (p *Provider) token(w http.ResponseWriter, r *http.Request) {
	id, secret, _ := r.BasicAuth()
	secret, _ = url.QueryUnescape(secret)
	p.mu.Lock()
	g, ok := p.open[r.PostFormValue("code")]
	delete(p.open, r.PostFormValue("code"))
	p.mu.Unlock()
	sum := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !ok || id != ClientID || secret != Secret || r.PostFormValue("redirect_uri") != g.redirect ||
		base64.RawURLEncoding.EncodeToString(sum[:]) != g.challenge {
		send(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	sign := p.Sign
	if sign == nil {
		sign = p.Honest
	}
	send(w, http.StatusOK, map[string]any{"access_token": "opaque", "token_type": "Bearer", "id_token": sign(g.claims)})
}

// Honest signs as the provider's description says.
func (p *Provider) Honest(c Claims) string {
	return p.With(jose.SigningKey{Algorithm: jose.ES256, Key: jose.JSONWebKey{Key: p.key, KeyID: "1"}}, c)
}

// With signs with another key or algorithm.
func (p *Provider) With(key jose.SigningKey, c Claims) string {
	signer, err := jose.NewSigner(key, nil)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	text, _ := json.Marshal(c)
	signed, err := signer.Sign(text)
	if err != nil {
		p.t.Error(err)
		return ""
	}
	raw, _ := signed.CompactSerialize()
	return raw
}

// Unsigned is a token with the algorithm "none".
func Unsigned(c Claims) string {
	text, _ := json.Marshal(c)
	return base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none"}`)) + "." + base64.RawURLEncoding.EncodeToString(text) + "."
}
