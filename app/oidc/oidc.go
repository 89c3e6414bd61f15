// Package oidc signs people in through the OpenID provider of their tenant (OpenID Connect Core
// 1.0, with PKCE of RFC 7636). It knows neither pages nor the database: Start says where to send a
// browser, Finish says who came back, or why the answer is refused.
package oidc

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	goidc "github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"carillon/app/language"
	"carillon/tenants"
)

const (
	maxAnswer = 512 << 10       // bytes of one answer of a provider: its description, its keys, its tokens
	skew      = 2 * time.Minute // how far a provider's clock may be ahead of ours
)

// algorithms are the signatures that are accepted. "none" and those with a shared secret are not:
// with HS256 everybody who knows the client secret could sign.
var algorithms = []string{goidc.RS256, goidc.RS384, goidc.RS512, goidc.PS256, goidc.PS384, goidc.PS512, goidc.ES256, goidc.ES384,
	goidc.ES512, goidc.EdDSA}

// Config is what a Client is made of. All are required.
type Config struct {
	HTTP     *http.Client                               // for tenants' addresses: no proxy, no redirects, with a time limit
	CheckURL func(text string, schemes ...string) error // refuses an address that HTTP does not reach
	Now      func() time.Time
}

// Client speaks to providers. It keeps nothing between two sign-ins: a changed key or address of a
// provider counts at once.
type Client struct {
	http  *http.Client
	check func(string, ...string) error
	now   func() time.Time
}

// New checks the parts and gives a Client.
func New(c Config) (*Client, error) {
	if c.HTTP == nil || c.CheckURL == nil || c.Now == nil {
		return nil, errors.New("oidc: HTTP, CheckURL and Now are required")
	}
	bounded := *c.HTTP
	bounded.Transport = capped{cmpTransport(c.HTTP.Transport)}
	return &Client{http: &bounded, check: c.CheckURL, now: c.Now}, nil
}

func cmpTransport(t http.RoundTripper) http.RoundTripper {
	if t == nil {
		return http.DefaultTransport
	}
	return t
}

// Flow is one sign-in under way. Its secret is known to the browser that began it and to nobody
// else; state, nonce and verifier are derived from it.
type Flow struct {
	Secret   tenants.Secret
	Callback string    // our address that the provider sends the browser back to
	Fresh    time.Time // the person must have proved themselves to the provider since then; zero = any sign-in will do
}

// State is the flow's name in the browser's address.
func (f Flow) State() string { return f.derive("state") }

func (f Flow) nonce() string    { return f.derive("nonce") }
func (f Flow) verifier() string { return f.derive("verifier") }

func (f Flow) derive(what string) string {
	sum := sha256.Sum256([]byte(what + " " + string(f.Secret)))
	return base64.RawURLEncoding.EncodeToString(sum[:])
}

// Refused is an answer of a provider that was not accepted, or none.
type Refused struct {
	Why string // one sentence
	Err error
}

func (r *Refused) Error() string { return "oidc: " + r.Why }
func (r *Refused) Unwrap() error { return r.Err }

func refuse(why string, err error) error { return &Refused{Why: why, Err: err} }

// discover reads the provider's description of itself.
func (c *Client) discover(ctx context.Context, issuer string) (*goidc.Provider, error) {
	if err := c.check(issuer, "https"); err != nil {
		return nil, refuse(err.Error(), err) // a sentence for the tenant
	}
	found, err := goidc.NewProvider(goidc.ClientContext(ctx, c.http), issuer)
	if err != nil {
		return nil, refuse("The provider cannot be reached, or it describes itself as another issuer.", err)
	}
	// The browser is sent there, so the same rules hold as for our own requests.
	if err := c.check(found.Endpoint().AuthURL, "https"); err != nil {
		return nil, refuse("The provider names an address for signing in that cannot be used.", err)
	}
	return found, nil
}

// Check refuses a provider that cannot be reached or that describes itself as another issuer.
func (c *Client) Check(ctx context.Context, issuer string) error {
	_, err := c.discover(ctx, issuer)
	return err
}

func configOf(found *goidc.Provider, p tenants.Provider, f Flow) *oauth2.Config {
	return &oauth2.Config{ClientID: p.ClientID, ClientSecret: string(p.Secret), Endpoint: found.Endpoint(), RedirectURL: f.Callback,
		Scopes: []string{goidc.ScopeOpenID, "email", "profile"}}
}

// Start is the address to send the browser to.
func (c *Client) Start(ctx context.Context, p tenants.Provider, f Flow) (string, error) {
	found, err := c.discover(ctx, p.Issuer)
	if err != nil {
		return "", err
	}
	options := []oauth2.AuthCodeOption{goidc.Nonce(f.nonce()), oauth2.S256ChallengeOption(f.verifier())}
	if !f.Fresh.IsZero() {
		options = append(options, oauth2.SetAuthURLParam("prompt", "login"), oauth2.SetAuthURLParam("max_age", "0"))
	}
	return configOf(found, p, f).AuthCodeURL(f.State(), options...), nil
}

// claims are what we read of an ID token or of the provider's user info.
type claims struct {
	Email    string          `json:"email"`
	Verified json.RawMessage `json:"email_verified"` // some providers write the word in quotes
	Name     string          `json:"name"`
	Party    string          `json:"azp"`
	AuthTime int64           `json:"auth_time"`
}

func (c claims) verified() bool { return strings.Trim(string(c.Verified), `"`) == "true" }

// Finish exchanges the code that the browser brought and checks everything that the provider says:
// signature, issuer, audience, times, nonce, and that it vouches for an address of the tenant's
// domains.
func (c *Client) Finish(ctx context.Context, p tenants.Provider, f Flow, code string) (tenants.Identity, error) {
	none := tenants.Identity{}
	found, err := c.discover(ctx, p.Issuer)
	if err != nil {
		return none, err
	}
	ctx = goidc.ClientContext(ctx, c.http)
	token, err := configOf(found, p, f).Exchange(ctx, code, oauth2.VerifierOption(f.verifier()))
	if err != nil {
		return none, refuse("The provider did not accept the code, or the client’s id and secret.", err)
	}
	raw, _ := token.Extra("id_token").(string)
	if raw == "" {
		return none, refuse("The provider sent no ID token.", nil)
	}
	id, err := found.Verifier(&goidc.Config{ClientID: p.ClientID, SupportedSigningAlgs: algorithms, Now: c.now}).Verify(ctx, raw)
	if err != nil {
		return none, refuse(c.fault(raw, p), err)
	}
	var said claims
	if err := id.Claims(&said); err != nil {
		return none, refuse("The ID token cannot be read.", err)
	}
	if why := c.wrong(id, said, p, f); why != "" {
		return none, refuse(why, nil)
	}
	if said.Email == "" { // many providers say it only there
		info, err := found.UserInfo(ctx, oauth2.StaticTokenSource(token))
		if err != nil || info.Subject != id.Subject {
			return none, refuse("The provider does not say the person’s email address.", err)
		}
		at := said.AuthTime
		if err := info.Claims(&said); err != nil {
			return none, refuse("The provider’s user info cannot be read.", err)
		}
		said.AuthTime = at
	}
	return c.identity(id, said, p)
}

// wrong says what of a token that is signed by the provider is not right; empty = nothing.
func (c *Client) wrong(id *goidc.IDToken, said claims, p tenants.Provider, f Flow) string {
	now := c.now()
	switch {
	case id.Nonce != f.nonce():
		return "The ID token is for another sign-in (nonce)."
	case id.IssuedAt.Unix() <= 0 || id.IssuedAt.After(now.Add(skew)):
		return "The ID token was issued in the future (iat)."
	case len(id.Audience) > 1 && said.Party == "" || said.Party != "" && said.Party != p.ClientID:
		return "The ID token is for another client (azp)."
	case id.Subject == "" || len(id.Subject) > 255:
		return "The ID token does not name a person (sub)."
	case time.Unix(said.AuthTime, 0).After(now.Add(skew)):
		return "The provider says that the person signed in in the future (auth_time)."
	case !f.Fresh.IsZero() && time.Unix(said.AuthTime, 0).Before(f.Fresh.Add(-skew)):
		return "The provider did not ask the person to sign in again (auth_time)."
	}
	return ""
}

// identity is who the claims speak of.
func (c *Client) identity(id *goidc.IDToken, said claims, p tenants.Provider) (tenants.Identity, error) {
	email, ok := tenants.ParseEmail(said.Email)
	switch {
	case !ok:
		return tenants.Identity{}, refuse("The provider does not say the person’s email address.", nil)
	case !said.verified():
		return tenants.Identity{}, refuse("The provider does not say that the email address is verified (email_verified).", nil)
	case !p.Takes(email):
		return tenants.Identity{}, refuse("The email address is of a domain that this provider may not sign in.", nil)
	}
	who := tenants.Identity{Issuer: id.Issuer, Subject: id.Subject, Email: email, Name: language.Composed(strings.TrimSpace(said.Name))}
	if !tenants.ValidText(who.Name, 1, 80) {
		who.Name, _, _ = strings.Cut(email, "@")
	}
	if said.AuthTime > 0 { // a clock that is ahead must not make the proof last longer
		who.At = time.Unix(min(said.AuthTime, c.now().Unix()), 0).UTC()
	}
	return who, nil
}

// fault names why a token was refused. It reads the token without trusting it.
func (c *Client) fault(raw string, p tenants.Provider) string {
	var head struct {
		Alg string `json:"alg"`
	}
	var body struct {
		Issuer   string          `json:"iss"`
		Audience json.RawMessage `json:"aud"`
		Expires  float64         `json:"exp"`
	}
	parts := strings.Split(raw, ".")
	if len(parts) != 3 || !read(parts[0], &head) || !read(parts[1], &body) {
		return "The ID token cannot be read."
	}
	var one string
	var all []string
	if json.Unmarshal(body.Audience, &one) == nil {
		all = []string{one}
	} else {
		_ = json.Unmarshal(body.Audience, &all)
	}
	switch {
	case !slices.Contains(algorithms, head.Alg):
		return "The ID token is signed in a way that is not accepted (alg)."
	case body.Issuer != p.Issuer:
		return "The ID token is of another issuer (iss)."
	case !slices.Contains(all, p.ClientID):
		return "The ID token is for another client (aud)."
	case !c.now().Before(time.Unix(int64(body.Expires), 0)):
		return "The ID token has expired (exp)."
	}
	return "The signature of the ID token is wrong, or the provider’s keys cannot be read."
}

func read(part string, into any) bool {
	text, err := base64.RawURLEncoding.DecodeString(part)
	return err == nil && json.Unmarshal(text, into) == nil
}

// SameIssuer reports whether the iss of a callback names the provider (RFC 9207). Many providers
// send none.
func SameIssuer(p tenants.Provider, iss string) bool { return iss == "" || iss == p.Issuer }

// capped bounds what is read of each answer.
type capped struct{ next http.RoundTripper }

var errTooLong = errors.New("oidc: the answer is longer than 512 KiB")

func (t capped) RoundTrip(r *http.Request) (*http.Response, error) {
	res, err := t.next.RoundTrip(r)
	if err == nil {
		res.Body = &cappedBody{ReadCloser: res.Body, left: maxAnswer}
	}
	return res, err
}

type cappedBody struct {
	io.ReadCloser
	left int64
}

func (b *cappedBody) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLong
	}
	n, err := b.ReadCloser.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}
