package console

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/factor/factortest"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

const passkeyOrigin = "https://ring.example"

// withPasskey registers a passkey for the person of w, as a browser does it.
func withPasskey(t *testing.T, w *pagetest.Browser, a *factortest.Authenticator) pagetest.Answer {
	t.Helper()
	w.Get("/account/passkeys/add").Want(200).Has("Add passkey", "passkey.")
	options := w.Post("/account/passkeys/begin", nil).Want(200).Body
	form := url.Values{"name": {"My laptop"}, "credential": {string(a.Create([]byte(options)))}}
	done := w.Post("/account/passkeys/add", form)
	w.Post("/account/passkeys/add", form).Want(422).Has("sent twice") // a challenge works once
	return done
}

// byPasskey signs in with a passkey; change may make the answer a lie.
func byPasskey(w *pagetest.Browser, a *factortest.Authenticator, change func()) (url.Values, pagetest.Answer) {
	options := w.Post("/signin/passkey/begin", nil).Want(200).Body
	was := *a
	change()
	form := url.Values{"credential": {string(a.Get([]byte(options)))}, "next": {"/rings"}}
	counter := a.Counter
	*a = was
	a.Counter = max(counter, was.Counter)
	return form, w.Post("/signin/passkey", form)
}

// TestSigningInWithAPasskey: it counts as both steps, and whatever is not quite right is refused.
func TestSigningInWithAPasskey(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	w, elsewhere := a.Quick(a.Owner), a.Quick(a.Owner)
	key := factortest.New(t, passkeyOrigin)
	done := withPasskey(t, w, key).Want(200).Body
	if codes := regexp.MustCompile(`[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{5}`).FindAllString(done, -1); len(codes) != 10 {
		t.Errorf("%d recovery codes come with the first second step", len(codes))
	}
	elsewhere.Get("/overview").Want(303)
	w.Get("/account").Want(200).Has("My laptop", "never used")
	h.Browser().Get("/signin").Want(200).Has("Sign in with a passkey")

	in := h.Browser()
	form, answer := byPasskey(in, key, func() {})
	answer.Leads("/rings")
	in.Get("/overview").Want(200).Has("Alpha Homes")
	w.Get("/account").Want(200).Lacks("never used")
	in.Post("/signin/passkey", form).Want(401).Has("sent twice")
	h.Browser().Post("/signin/passkey", form).Want(401)
	for name, lie := range map[string]func(){
		"another origin":           func() { key.Origin = "https://evil.example" },
		"another domain":           func() { key.RPID = "evil.example" },
		"nobody was verified":      func() { key.Unverified = true },
		"another person's name":    func() { key.Handle = []byte(b.Owner.ID) },
		"a copy with an old count": func() { key.Counter = 0 },
	} {
		if _, got := byPasskey(h.Browser(), key, lie); got.StatusCode != 401 || !strings.Contains(got.Body, passkeyRefused) {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
	}
	_, unknown := byPasskey(h.Browser(), signer(t, b.Owner.ID), func() {})
	unknown.Want(401).Has(passkeyRefused)
	h.Browser().Post("/signin/passkey", url.Values{"credential": {string(key.Get([]byte(
		h.Browser().Post("/signin/passkey/begin", nil).Body)))}}).Want(401) // the challenge of another browser

	// With a passkey, a password alone opens nothing.
	half := h.Browser()
	half.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Leads("/signin/second?next=%2Foverview")
	half.Get("/signin/second").Want(200).Has("Use a passkey")

	provesWith(t, h, a, b, key)

	gone := a.Owner
	gone.DisabledAt = h.Clock.Now()
	pagetest.Must(t, h.Store.Users().Set(t.Context(), gone))
	_, disabled := byPasskey(h.Browser(), key, func() {})
	disabled.Want(401)
}

// signer is an authenticator whose passkey nobody registered.
func signer(t *testing.T, handle tenants.UserID) *factortest.Authenticator {
	a := factortest.New(t, passkeyOrigin)
	a.Create([]byte(`{"publicKey":{"challenge":"AAAAAAAAAAAAAAAAAAAAAAAA","rp":{"id":"ring.example"},"user":{"id":"AAAA"},` +
		`"authenticatorSelection":{"residentKey":"required","userVerification":"required"}}}`))
	a.Handle = []byte(handle)
	return a
}

// provesWith: a passkey is a proof for its person alone, and only theirs to change.
func provesWith(t *testing.T, h *server, a, b *tenant, key *factortest.Authenticator) {
	t.Helper()
	w, other := a.Quick(a.Owner), b.Quick(b.Owner)
	theirs := factortest.New(t, passkeyOrigin)
	withPasskey(t, other, theirs).Want(200)
	h.Clock.Pass(page.ProofTime)
	w.Get("/keys/add").Want(303)
	w.Get("/account/confirm").Want(200).Has("Use a passkey").Lacks(`type="password"`)
	prove := func(begin string, with *factortest.Authenticator) pagetest.Answer {
		t.Helper()
		options := w.Post(begin, nil).Want(200).Body
		return w.Post("/account/confirm", url.Values{"credential": {string(with.Get([]byte(options)))}, "next": {"/keys/add"}})
	}
	prove("/account/confirm/begin", theirs).Want(422).Has(passkeyRefused)
	b.Quick(b.Owner).Get("/account").Want(200).Has("never used")      // it is refused before it counts as used
	prove("/signin/passkey/begin", key).Want(422).Has(passkeyRefused) // made for something else
	w.Get("/keys/add").Want(303)
	prove("/account/confirm/begin", key).Leads("/keys/add")
	w.Get("/keys/add").Want(200)

	id := regexp.MustCompile(`/account/passkeys/([0-9a-f-]{36})/remove`).FindStringSubmatch(w.Get("/account").Want(200).Body)[1]
	w.Post("/account/passkeys/"+id, url.Values{"name": {""}}).Want(400)
	w.Post("/account/passkeys/"+id, url.Values{"name": {"Old laptop"}}).Leads("/account")
	w.Get("/account").Want(200).Has("Old laptop")
	other = b.Quick(b.Owner)
	other.Post("/account/passkeys/"+id, url.Values{"name": {"stolen"}}).Want(404)
	other.Get("/account/passkeys/" + id + "/remove").Want(404)
	other.Post("/account/passkeys/"+id+"/remove", nil).Want(404)
	mine := regexp.MustCompile(`/account/passkeys/([0-9a-f-]{36})/remove`).FindStringSubmatch(other.Get("/account").Body)[1]
	other.Post("/account/passkeys/"+mine+"/remove", nil).Leads("/account")
	h.Browser().Post("/signin", signIn(b.Owner.Email, pagetest.Secret)).Leads("/overview")
	_, removed := byPasskey(h.Browser(), theirs, func() {})
	removed.Want(401)
	other.Get("/audit?action=user").Want(200).Has("added a passkey of", "removed a passkey of")
}

// TestChallengesAreBounded: each way to ask for one has the rate, also for members: all share the
// places for challenges.
func TestChallengesAreBounded(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	for _, begin := range []string{"/account/passkeys/begin", "/account/confirm/begin", "/signin/passkey/begin"} {
		for range 60 {
			w.Post(begin, nil).Want(200)
		}
		w.Post(begin, nil).Want(429)
		h.Clock.Pass(2 * time.Minute)
	}
}

// TestServersWithoutADomainHaveNoPasskeys says why, and offers nothing.
func TestServersWithoutADomainHaveNoPasskeys(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Passkeys = nil })
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/account").Want(200).Has("Passkeys need a server with a domain name").Lacks("Add a passkey")
	w.Get("/account/passkeys/add").Want(200).Has("Passkeys need a server with a domain name")
	w.Post("/account/passkeys/begin", nil).Want(409)
	h.Browser().Post("/signin/passkey/begin", nil).Want(409)
	h.Browser().Get("/signin").Want(200).Lacks("passkey")
}
