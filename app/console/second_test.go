package console

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// withApp sets an authenticator app up for the person of w, as a person does it.
func withApp(t *testing.T, h *server, w *pagetest.Browser) (seed string, recovery []string) {
	t.Helper()
	form := w.Get("/account/app").Want(200).Has("<svg", "authenticator app")
	seed = between(form.Body, `name="seed" value="`, `"`)[0]
	w.Post("/account/app", url.Values{"seed": {seed}, "code": {"000000"}}).Want(422).Has("not the code", seed)
	done := w.Post("/account/app", url.Values{"seed": {seed}, "code": {codeAt(t, seed, h.Clock.Now())}}).Want(200)
	recovery = regexp.MustCompile(`[A-Z2-7]{5}-[A-Z2-7]{5}-[A-Z2-7]{5}`).FindAllString(done.Body, -1)
	if len(recovery) != 10 {
		t.Fatalf("%d recovery codes", len(recovery))
	}
	return seed, recovery
}

func codeAt(t *testing.T, seed string, at time.Time) string {
	t.Helper()
	c, err := totp.GenerateCode(seed, at)
	pagetest.Must(t, err)
	return c
}

// TestTwoStepSignIn: with an app, a password alone opens nothing, no code works twice, and each
// recovery code works once.
func TestTwoStepSignIn(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w, elsewhere := a.Quick(a.Owner), a.Quick(a.Owner)
	seed, recovery := withApp(t, h, w)
	elsewhere.Get("/overview").Want(303)
	w.Get("/account").Want(200).Has("Recovery codes left: 10", "Change app").Lacks(seed)
	if dump := h.Dump(""); strings.Contains(dump, seed) || strings.Contains(dump, recovery[0]) {
		t.Error("a seed or a recovery code is stored in clear")
	}
	second := func(code string) (*pagetest.Browser, pagetest.Answer) {
		b := h.Browser()
		b.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Leads("/signin/second?next=%2Foverview")
		b.Get("/overview").Want(303)
		b.Get("/signin/second").Want(200).Has("Second step")
		return b, b.Post("/signin/second", url.Values{"code": {code}, "next": {"/rings"}})
	}
	used := codeAt(t, seed, h.Clock.Now())
	_, again := second(used) // it confirmed the app
	again.Want(401).Has("used already")
	h.Clock.Pass(30 * time.Second)
	fresh := codeAt(t, seed, h.Clock.Now())
	b, in := second(fresh)
	in.Leads("/rings")
	b.Get("/overview").Want(200)
	b.Post("/signin/second", url.Values{"code": {fresh}}).Leads("/signin")
	_, replayed := second(fresh)
	replayed.Want(401)
	_, recovered := second(strings.ToLower(recovery[3]))
	recovered.Leads("/rings")
	_, twice := second(recovery[3])
	twice.Want(401)
	h.Clock.Pass(halfTime)
	late := h.Browser()
	late.Get("/signin/second").Leads("/signin")

	// A code is the proof, the password alone is none, and a new set of codes ends the old one.
	w = a.Quick(a.Owner)
	h.Clock.Pass(page.ProofTime)
	w.Get("/account/confirm").Want(200).Has("Code from your app").Lacks(`type="password"`)
	w.Post("/account/confirm", url.Values{"password": {pagetest.Secret}, "next": {"/account"}}).Want(422).Has("This code is wrong")
	w.Post("/account/confirm", url.Values{"code": {"123"}, "next": {"/account"}}).Want(422).Has("This code is wrong")
	w.Post("/account/confirm", url.Values{"code": {codeAt(t, seed, h.Clock.Now())}, "next": {"/account"}}).Leads("/account")
	w.Get("/account/recovery").Want(200).Has("stop working")
	w.Post("/account/recovery", nil).Want(200).Lacks(recovery[0])
	_, old := second(recovery[5])
	old.Want(401)
	w.Post("/account/app/remove", nil).Leads("/account")
	h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Leads("/overview")
	w.Post("/account/recovery", nil).Leads("/account/app")
	w.Get("/audit?action=user").Want(200).Has("set up an authenticator app", "removed the authenticator app", "used a recovery code")
}

// TestCodesCannotBeGuessed: guesses are slowed down for everybody who has the password, and the
// person can go on after a pause.
func TestCodesCannotBeGuessed(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	seed, _ := withApp(t, h, a.Quick(a.Owner))
	slowed := 0
	b := h.Browser()
	b.Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(303)
	for range 30 {
		if b.Post("/signin/second", url.Values{"code": {"000000"}}).StatusCode == 429 {
			slowed++
		}
	}
	if slowed != 20 {
		t.Errorf("%d of 30 guesses were slowed down", slowed)
	}
	h.Clock.Pass(time.Minute)
	b.Post("/signin/second", url.Values{"code": {codeAt(t, seed, h.Clock.Now())}}).Leads("/overview")
}

// TestAPasskeyThatCannotBeIsNoWayAroundTheRate: without passkeys, a guess of the code is one, also
// with a credential beside it.
func TestAPasskeyThatCannotBeIsNoWayAroundTheRate(t *testing.T) {
	t.Parallel()
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) { c.Passkeys = nil })
	a := h.bare("alpha", "Alpha")
	withApp(t, h, a.Quick(a.Owner))
	slowed := 0
	w := a.Quick(a.Owner)
	for range 15 {
		if w.Post("/account/confirm", url.Values{"code": {"000000"}, "credential": {"x"}}).StatusCode == 429 {
			slowed++
		}
	}
	if slowed != 5 {
		t.Errorf("%d of 15 guesses were slowed down", slowed)
	}
}

// TestATenantCanRequireTwoSteps: its people set one up before anything else, and others do not.
func TestATenantCanRequireTwoSteps(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	viewer := a.Person(tenants.Viewer)
	pagetest.Must(t, b.Scope().Members().Add(t.Context(), tenants.Member{Tenant: b.Id, User: viewer.ID, Role: tenants.Admin,
		CreatedAt: h.Clock.Now()}))
	owner := a.Quick(a.Owner)
	rule := url.Values{"two_steps": {"1"}}
	a.Quick(a.Person(tenants.Admin)).Post("/settings/two-steps", rule).Want(403)
	owner.Post("/settings/two-steps", rule).Want(409).Has("Set up your own second step first")
	withApp(t, h, owner)
	owner.Post("/settings/two-steps", rule).Leads("/settings")
	owner.Get("/settings").Want(200).Has("Saved.")
	w := a.Quick(viewer)
	w.Get("/overview").Leads("/account/app")
	w.Get("/account").Want(200).Has("Your organisation requires it")
	w.Post("/tenant", url.Values{"tenant": {string(b.Id)}}).Leads("/overview")
	w.Get("/overview").Want(200)
	w.Get("/keys/add").Want(200) // an administrator there, a viewer here
	w.Post("/tenant", url.Values{"tenant": {string(a.Id)}}).Leads("/overview")
	withApp(t, h, w)
	w.Get("/overview").Want(200)
	w.Get("/keys/add").Want(403)
}
