package operator

import (
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/factor"
	"carillon/app/factor/factortest"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

const opsOrigin = "http://ops.example"

// withPasskey registers a passkey for the operator of b, as a browser does it.
func withPasskey(t testing.TB, b *pagetest.Browser, a *factortest.Authenticator, name string) {
	t.Helper()
	b.Get("/account/passkeys/add").Want(200).Has("Add passkey", "passkey.")
	options := b.Post("/account/passkeys/begin", nil).Want(200).Body
	form := url.Values{"name": {name}, "credential": {string(a.Create([]byte(options)))}}
	b.Post("/account/passkeys/add", form).Leads("/account")
	b.Post("/account/passkeys/add", form).Want(422).Has("sent twice") // a challenge works once
}

// byPasskey signs in with a passkey; change may make the answer a lie.
func byPasskey(b *pagetest.Browser, a *factortest.Authenticator, change func()) (url.Values, pagetest.Answer) {
	options := b.Post("/signin/passkey/begin", nil).Want(200).Body
	was := *a
	change()
	form := url.Values{"credential": {string(a.Get([]byte(options)))}}
	counter := a.Counter
	*a = was
	a.Counter = max(counter, was.Counter)
	return form, b.Post("/signin/passkey", form)
}

// entries are the newest entries of the record: action and detail, the newest first.
func (h *server) entries(n int) (all []string) {
	h.Helper()
	rows, _, err := h.Store.Operators().Audits(h.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: n}})
	pagetest.Must(h, err)
	for _, a := range rows {
		all = append(all, strings.TrimSpace(a.Action+" "+a.Detail))
	}
	return all
}

// TestPasskeys: a passkey counts as both steps, whatever is not quite right is refused and
// recorded, and only its owner changes it.
func TestPasskeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	other, _ := h.operator("kim@ops.example")
	b, elsewhere := h.signedIn(o, false), h.signedIn(o, false)
	key := factortest.New(t, opsOrigin)
	b.Get("/account").Want(200).Has("Add a passkey", "Change app", "Recovery codes left: ").Lacks("Remove app")
	withPasskey(t, b, key, "My laptop")
	if got := h.entries(1); got[0] != "operator.passkey My laptop" {
		t.Errorf("the record has %v", got)
	}
	elsewhere.Get("/tenants").Leads("/signin")
	b.Get("/account").Want(200).Has("My laptop", "never used")
	b.Get("/operators").Want(200).Has("app, 1 passkey")
	h.Browser().Get("/signin").Want(200).Has("Sign in with a passkey")

	in := h.Browser()
	form, answer := byPasskey(in, key, func() {})
	answer.Leads("/")
	in.Get("/tenants").Want(200).Has("Harbor Homes")
	if got := h.entries(1); got[0] != "operator.sign_in with a passkey" {
		t.Errorf("the record has %v", got)
	}
	in.Post("/signin/passkey", form).Want(401).Has("sent twice")
	h.Browser().Post("/signin/passkey", form).Want(401)
	for name, lie := range map[string]func(){
		"another origin":            func() { key.Origin = "http://evil.example" },
		"another port":              func() { key.Origin = opsOrigin + ":8443" },
		"the console of tenants":    func() { key.Origin, key.RPID = "http://ring.example", "ring.example" },
		"another domain":            func() { key.RPID = "evil.example" },
		"nobody was verified":       func() { key.Unverified = true },
		"another operator's handle": func() { key.Handle = []byte(other.ID) },
		"a copy with an old count":  func() { key.Counter = 0 },
	} {
		if _, got := byPasskey(h.Browser(), key, lie); got.StatusCode != 401 || !strings.Contains(got.Body, passkeyRefused) {
			t.Errorf("%s: %d", name, got.StatusCode)
		}
		if got := h.entries(1); got[0] != "operator.sign_in "+failedPasskey {
			t.Errorf("%s: the record has %v", name, got)
		}
	}
	h.Browser().Post("/signin/passkey", url.Values{"credential": {string(key.Get([]byte(
		h.Browser().Post("/signin/passkey/begin", nil).Body)))}}).Want(401) // the challenge of another browser
	half := h.signedIn(o, true)
	half.Get("/signin/second").Want(200).Has("Use a passkey")
	half.Post("/account/passkeys/begin", nil).Want(401)
	h.changesPasskeys(b, h.signedIn(other, false), key)

	pagetest.Must(t, h.Store.Operators().Disable(t.Context(), store.Who{}, o.ID, h.Clock.Now()))
	_, disabled := byPasskey(h.Browser(), key, func() {})
	disabled.Want(401)
}

var passkeyLink = regexp.MustCompile(`/account/passkeys/([0-9a-f-]{36})/remove`)

// changesPasskeys: b's passkey is renamed by b alone, and a second one removed by b alone. Both are
// recorded.
func (h *server) changesPasskeys(b, other *pagetest.Browser, key *factortest.Authenticator) {
	h.Helper()
	id := passkeyLink.FindStringSubmatch(b.Get("/account").Want(200).Body)[1]
	b.Post("/account/passkeys/"+id, url.Values{"name": {""}}).Want(400)
	b.Post("/account/passkeys/"+id, url.Values{"name": {"Old laptop"}}).Leads("/account")
	rows, _, err := h.Store.Operators().Audits(h.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}})
	pagetest.Must(h, err)
	if len(rows[0].Changes) != 1 || rows[0].Changes[0].Before != "My laptop" || rows[0].Changes[0].After != "Old laptop" {
		h.Errorf("renaming recorded %+v", rows[0])
	}
	other.Post("/account/passkeys/"+id, url.Values{"name": {"stolen"}}).Want(404)
	other.Get("/account/passkeys/" + id + "/remove").Want(404)
	other.Post("/account/passkeys/"+id+"/remove", nil).Want(404)
	withPasskey(h, b, factortest.New(h, opsOrigin), "Spare")
	spare := ""
	for _, found := range passkeyLink.FindAllStringSubmatch(b.Get("/account").Want(200).Has("Spare").Body, -1) {
		if found[1] != id {
			spare = found[1]
		}
	}
	b.Post("/account/passkeys/"+spare+"/remove", nil).Leads("/account")
	if got := h.entries(1); got[0] != "operator.passkey_removed Spare" {
		h.Errorf("the record has %v", got)
	}
	b.Get("/account").Want(200).Lacks("Spare")
	_, still := byPasskey(h.Browser(), key, func() {})
	still.Leads("/")
}

// TestPasskeyInPlaceOfAnApp: the link takes a passkey too. Then it is the only second step, and
// stays.
func TestPasskeyInPlaceOfAnApp(t *testing.T) {
	t.Parallel()
	h := open(t)
	now, link := h.Clock.Now(), tenants.NewSecret(tenants.OperatorPrefix)
	o := tenants.Operator{ID: tenants.NewID[tenants.OperatorID](now), Email: "sam@ops.example", Name: "Sam Hill", CreatedAt: now}
	pagetest.Must(t, h.Store.Operators().Add(t.Context(), store.Who{}, o, store.OperatorLink{Hash: link.Hash(),
		ExpiresAt: now.Add(time.Hour)}))
	b, welcome, key := h.Browser(), "/welcome/"+string(link), factortest.New(t, opsOrigin)
	b.Get(welcome).Want(200).Has("Use a passkey instead")
	b.Get(welcome+"?with=passkey").Want(200).Has("Add passkey", "Use an authenticator app instead").Lacks("Key:")
	b.Post("/welcome/nothing/passkey", nil).Want(410)
	form := url.Values{"password": {"short"}, "credential": {string(key.Create([]byte(b.Post(welcome+"/passkey", nil).Want(200).Body)))}}
	b.Post(welcome, form).Want(422).Has("at least 12 characters", "Add passkey")
	form.Set("password", pagetest.Secret)
	b.Post(welcome, form).Want(200).Has("Recovery codes")
	if got := h.entries(1); got[0] != "operator.sign_in "+passkeyToo {
		t.Errorf("the record has %v", got)
	}
	b.Post(welcome+"/passkey", nil).Want(410)
	b.Get("/account").Want(200).Has("Set up an app")
	id := passkeyLink.FindStringSubmatch(b.Get("/account").Body)[1]
	b.Post("/account/passkeys/"+id+"/remove", nil).Want(409).Has("only second step")
	_, in := byPasskey(h.Browser(), key, func() {})
	in.Leads("/")

	fresh := tenants.NewSecret(tenants.OperatorPrefix)
	pagetest.Must(t, h.Store.Operators().Reset(t.Context(), store.Who{}, o.ID, store.OperatorLink{Hash: fresh.Hash(),
		ExpiresAt: now.Add(time.Hour)}))
	_, gone := byPasskey(h.Browser(), key, func() {})
	gone.Want(401)
	b.Get("/account").Leads("/signin")
}

// TestStepUp: what is guarded most asks for a code or a passkey of the operator's own when the last
// proof is old, and does nothing before.
func TestStepUp(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, seed := h.operator("sam@ops.example")
	kim, _ := h.operator("kim@ops.example")
	b, other := h.signedIn(o, false), h.signedIn(kim, false)
	key, theirs := factortest.New(t, opsOrigin), factortest.New(t, opsOrigin)
	withPasskey(t, b, key, "My laptop")
	withPasskey(t, other, theirs, "Theirs")
	h.Clock.Pass(page.ProofTime)
	b.Get("/tenants").Want(200) // notes that the sign-in is in use
	before := h.Dump("")
	guarded := 0
	for _, r := range h.k.routes() {
		if !r.stepUp {
			continue
		}
		guarded++
		to := b.Send(r.method, h.address(r.path), "application/x-www-form-urlencoded", "why=x&plan=none").Want(303).Header.Get("Location")
		if !strings.HasPrefix(to, "/account/confirm?") || r.method == post != strings.Contains(to, "again=1") {
			t.Errorf("%s %s leads to %s", r.method, r.path, to)
		}
	}
	if h.Dump("") != before || guarded < 15 {
		t.Errorf("%d routes are guarded; the rows changed: %v", guarded, h.Dump("") != before)
	}
	token := b.Cookies[h.common.CookieName()]
	b.Get("/account/confirm?next=%2Fcodes").Want(200).Has("Use a passkey")
	b.Post("/account/confirm", url.Values{"code": {"000000"}, "next": {"/codes"}}).Want(422)
	h.failedProof(o, failedCode)
	prove := func(begin string, with *factortest.Authenticator) pagetest.Answer {
		options := b.Post(begin, nil).Want(200).Body
		return b.Post("/account/confirm", url.Values{"credential": {string(with.Get([]byte(options)))}, "next": {"//evil.example"}})
	}
	prove("/account/confirm/begin", theirs).Want(422).Has(passkeyRefused)
	h.failedProof(o, failedPasskey)
	other.Get("/account").Want(200).Has("Theirs", "never used")    // it is refused before it counts as used
	prove("/signin/passkey/begin", key).Want(422).Has(passkeyLate) // made for something else
	b.Get("/codes").Want(303)
	prove("/account/confirm/begin", key).Leads("/tenants")
	if b.Cookies[h.common.CookieName()] == token {
		t.Error("a proof left the sign-in's token as it was")
	}
	b.Get("/codes").Want(200)
	b.Post("/codes", nil).Want(200)
	if got := h.entries(1); got[0] != "operator.codes" {
		t.Errorf("the record has %v", got)
	}

	h.Clock.Pass(page.ProofTime)
	for range 12 { // more passkeys than codes may be tried
		prove("/account/confirm/begin", theirs).Want(422)
	}
	b.Get("/account/app").Want(303)
	b.Post("/account/confirm", url.Values{"code": {factor.CodeAt(seed, h.Clock.Now())}, "next": {"/account/app"}}).Leads("/account/app")
	fresh := factor.NewSeed()
	b.Get("/account/app").Want(200).Has("stops working")
	b.Post("/account/app", url.Values{"seed": {fresh}, "code": {"000000"}}).Want(422)
	b.Post("/account/app", url.Values{"seed": {fresh}, "code": {factor.CodeAt(fresh, h.Clock.Now())}}).Leads("/account")
	again := h.signedIn(o, false)
	b.Get("/account").Want(200).Has("Sign out everywhere else")
	b.Post("/account/sessions/end", nil).Leads("/account")
	again.Get("/tenants").Leads("/signin")
	if got := strings.Join(h.entries(3), ", "); got != "operator.sign_ins_ended, operator.sign_in, operator.app" {
		t.Errorf("the record has %s", got)
	}
}

// failedProof: the newest entry of the record is that the operator did not prove who they are.
func (h *server) failedProof(o tenants.Operator, why string) {
	h.Helper()
	rows, _, err := h.Store.Operators().Audits(h.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}})
	pagetest.Must(h, err)
	if a := rows[0]; a.Action != "operator.proof" || !a.Refused || a.Actor.ID != string(o.ID) || a.Target != string(o.ID) ||
		a.Detail != why {
		h.Errorf("a failed proof is recorded as %+v", a)
	}
}

// TestWithoutADomainNobodyHasPasskeys says why, and offers nothing.
func TestWithoutADomainNobodyHasPasskeys(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.k.Passkeys = nil
	h.mount()
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Get("/account").Want(200).Has("CARILLON_OPERATOR_URL").Lacks("Add a passkey")
	b.Get("/account/passkeys/add").Want(200).Has("CARILLON_OPERATOR_URL")
	b.Post("/account/passkeys/begin", nil).Want(409)
	h.Browser().Post("/signin/passkey/begin", nil).Want(409)
	h.Browser().Get("/signin").Want(200).Lacks("passkey")
}
