package console

import (
	"net/url"
	"testing"
	"time"

	"carillon/app/page"
	"carillon/app/page/pagetest"
)

// TestOldProofsAreAskedForAgain: a browser that was left open makes no key, and what a form sent is
// not lost without a word.
func TestOldProofsAreAskedForAgain(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	key := url.Values{"name": {"Bot"}, "kind": {"live"}, "scope": {"rings:write"}}
	h.Clock.Pass(page.ProofTime - time.Second)
	w.Get("/keys/add").Want(200)
	session := between(w.Get("/keys").Body, `data-session="`, `"`)[0]
	h.Clock.Pass(time.Second)
	w.Get("/keys").Want(200)
	w.Get("/keys/add").Leads("/account/confirm?next=%2Fkeys%2Fadd")
	kind, upload := multipartOf(map[string]string{"bundle_id": "com.x.y"}, "AuthKey_X.p8", "no key")
	w.Send("POST", "/credentials/add", kind, upload).Leads("/account/confirm?again=1&next=%2Foverview")
	w.Headers["Referer"] = w.Address() + "/keys/add"
	w.Post("/keys/add", key).Leads("/account/confirm?again=1&next=%2Fkeys%2Fadd")
	w.Get("/account/confirm?again=1&next=%2Fkeys%2Fadd").Want(200).Has("Nothing was changed yet", `value="/keys/add"`)
	w.Get("/account/confirm?next=https://evil.example/").Want(200).Has(`value="/overview"`).Lacks("evil")
	proof := url.Values{"password": {"wrong"}, "next": {"/keys/add"}}
	w.Post("/account/confirm", proof).Want(422).Has("The password is wrong")
	before := w.SignIn()
	stolen := h.Browser()
	stolen.Cookies[h.Common.CookieName()] = w.Cookies[h.Common.CookieName()]
	proof.Set("password", pagetest.Secret)
	w.Post("/account/confirm", proof).Leads("/keys/add")
	if w.SignIn() == before {
		t.Error("the token stayed the same")
	}
	stolen.Get("/keys").Want(303)
	if now := between(w.Get("/keys").Body, `data-session="`, `"`)[0]; now != session {
		t.Error("pages in other tabs would say that they are out of date")
	}
	w.Post("/keys/add", key).Want(200).Has("crl_live_")
	proof.Set("next", "//evil.example")
	w.Post("/account/confirm", proof).Leads("/overview")
}

// TestSwitchingTenantsIsNoProof: the proof stays as old as it was.
func TestSwitchingTenantsIsNoProof(t *testing.T) {
	t.Parallel()
	h := open(t)
	b := h.bare("beta", "Beta")
	w := b.Quick(b.Owner)
	h.Clock.Pass(page.ProofTime)
	w.Post("/tenant", url.Values{"tenant": {string(b.Id)}}).Leads("/overview")
	w.Get("/keys/add").Want(303)
}
