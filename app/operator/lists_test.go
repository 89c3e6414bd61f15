package operator

import (
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"carillon/app/factor"
	"carillon/app/notify"
	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
	"carillon/views"
)

// TestPassword: an operator changes their own password with the one of before and a proof. Every
// other sign-in ends, this one gets another token, and the record has it, and each failed attempt.
func TestPassword(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, seed := h.operator("sam@ops.example")
	b, other, half := h.signedIn(o, false), h.signedIn(o, false), h.signedIn(o, true)
	const fresh = "quiet lanterns over the harbor"
	form := func(current, password string) url.Values {
		return url.Values{"current": {current}, "password": {password}}
	}
	b.Get("/account").Want(200).Has(`href="/account/password"`)
	b.Get("/account/password").Want(200).Has("Current password")
	b.Post("/account/password", form("not the password", fresh)).Want(422).Has(wrongCurrent)
	if rows, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}}); err != nil ||
		rows[0].Action != "operator.password" || !rows[0].Refused || rows[0].Detail != failedCurrent || rows[0].Actor != o.Actor() {
		t.Errorf("a wrong current password is recorded as %+v %v", rows, err)
	}
	b.Post("/account/password", form(pagetest.Secret, "short")).Want(422).Has("at least 12 characters")
	b.Post("/account/password", form(pagetest.Secret, pagetest.Secret)).Want(422).Has(samePassword)
	other.Get("/tenants").Want(200)
	h.Clock.Pass(page.ProofTime)
	token := b.Cookies[h.common.CookieName()]
	b.Post("/account/password", form(pagetest.Secret, fresh)).Want(303) // asks for a proof first
	b.Post("/account/confirm", url.Values{"code": {factor.CodeAt(seed, h.Clock.Now())}, "next": {"/account/password"}}).
		Leads("/account/password")
	proved := b.Cookies[h.common.CookieName()]
	b.Post("/account/password", form(pagetest.Secret, fresh)).Leads("/account")
	if now := b.Cookies[h.common.CookieName()]; now == token || now == proved {
		t.Error("the sign-in has the token of before")
	}
	if rows, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}}); err != nil ||
		rows[0].Action != "operator.password" || rows[0].Refused || rows[0].Target != string(o.ID) {
		t.Errorf("the change is recorded as %+v %v", rows, err)
	}
	b.Get("/tenants").Want(200)
	other.Get("/tenants").Leads("/signin")
	half.Get("/signin/second").Leads("/signin")
	stale := h.Browser()
	stale.Cookies[h.common.CookieName()] = proved
	stale.Get("/tenants").Leads("/signin")
	in := h.Browser()
	in.Post("/signin", url.Values{"email": {o.Email}, "password": {pagetest.Secret}}).Want(401)
	in.Post("/signin", url.Values{"email": {o.Email}, "password": {fresh}}).Leads("/signin/second")
	for range 20 {
		b.Post("/account/password", form("not the password", fresh))
	}
	b.Post("/account/password", form(fresh, "another quiet lantern here")).Want(429)
}

// TestFailedMails: the list is searched, sorted, paged and counted, and is a file too.
func TestFailedMails(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Get("/mails").Want(200).Has("No email failed in the last 24 hours.").Lacks("CSV")
	for n := range 60 {
		h.mails = append(h.mails, notify.Failed{ID: strconv.Itoa(n), To: "p" + strconv.Itoa(100+n) + "@clinic.example",
			Subject: "Your invitation", At: h.Clock.Now().Add(-time.Duration(n) * time.Minute), Tries: 4,
			Why: "450 try later"})
	}
	b.Get("/health").Want(200).Has("5 of 60 emails", `href="/mails"`, "p104@", "450 try later").Lacks("p105@")
	b.Get("/mails").Want(200).Has("1–50 of 60 emails", "p100@", "p149@", "Older").Lacks("p150@")
	b.Get("/mails?after=50&row=50").Want(200).Has("51–60 of 60 emails", "p150@").Lacks("p149@")
	b.Get("/mails?sort=at").Want(200).Has("p159@").Lacks("p100@")
	b.Get("/mails?q=later+P117").Want(200).Has("p117@", "1 email").Lacks("p118@")
	b.Get("/mails?q=nothing").Want(200).Has("No matches")
	file := b.Get("/mails.csv?q=p11").Want(200).Has("to,subject,why,tries,last_try_at",
		"p117@clinic.example,Your invitation,450 try later,4,")
	if n := strings.Count(file.Body, "@clinic.example"); n != 10 {
		t.Errorf("the file has %d emails, want 10", n)
	}
	b.Send("POST", "/mails/7/resend", "application/x-www-form-urlencoded", "").Leads("/health")
	h.k.Mails = nil
	b.Get("/mails").Want(200).Has(noMail)
	b.Get("/mails.csv").Want(200).Lacks("@")
}

// TestCertificates: those in use that end soon come first; keys, replaced ones and later ends are
// left out, or asked for.
func TestCertificates(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Get("/health/certificates").Want(200).Has("No certificate ends within 60 days.").Lacks(">CSV", `id="list-q"`)
	mirabelle := h.Bare("mirabelle", "Mirabelle")
	add := func(of *pagetest.Account, kind tenants.CredentialKind, bundle string, days int) {
		c := tenants.Credential{ID: tenants.NewID[tenants.CredentialID](h.Clock.Now()), Kind: kind, Bundle: bundle,
			Environment: tenants.Production, CreatedAt: h.Clock.Now()}
		if kind == tenants.P12 {
			c.NotAfter = h.Clock.Now().Add(time.Duration(days)*24*time.Hour + time.Hour)
		} else {
			c.Team, c.KeyID = "TEAM123456", "KEY1234567"
		}
		pagetest.Must(t, of.Scope().Credentials().Add(t.Context(), c, []byte("x")))
	}
	add(h.tenant, tenants.P12, "com.example.b", 300)
	b.Get("/health").Want(200).Has("1 certificate in use", `href="/health/certificates?ends=any"`)
	add(h.tenant, tenants.P12, "com.example.a", 6)
	add(mirabelle, tenants.P12, "com.example.c", -2)
	add(mirabelle, tenants.P8, "com.example.d", 0)
	whole := b.Get("/health/certificates").Want(200).Has("2 certificates", "in 6 days", "ended", "Mirabelle", "Harbor Homes").
		Lacks("in 300 days", "com.example")
	if strings.LastIndex(whole.Body, ">Mirabelle") > strings.LastIndex(whole.Body, ">Harbor Homes") {
		t.Error("the certificate that ended is not in front")
	}
	b.Get("/health/certificates?ends=ended").Want(200).Has("1 certificate", "Mirabelle").Lacks("in 6 days")
	b.Get("/health/certificates?ends=any").Want(200).Has("3 certificates", "in 300 days")
	b.Get("/health/certificates?q=mirabelle").Want(200).Has("1 certificate").Lacks("in 6 days")
	b.Get("/health/certificates.csv?ends=any").Want(200).Has("tenant_id,tenant,credential_id,environment,ends_at,days_left",
		",production,", ",300\r\n", ",-2\r\n")
	b.Get("/health").Want(200).Has("2 certificates", `href="/health/certificates"`)
}

// TestTeams: Apple's answers by team are sorted, searched and a file, with how much of the budget
// of errors a team has used.
func TestTeams(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Get("/health/teams").Want(200).Has("No pushes in the last 24 hours.")
	h.teams = []push.TeamAnswers{
		{Team: "LOUD123456", Hour: push.Answers{Accepted: 8, Limited: 2}, Day: push.Answers{Accepted: 80, Limited: 10, Refused: 10}},
		{Team: "QUIET23456", Day: push.Answers{Accepted: 49, None: 1}},
		{Day: push.Answers{Accepted: 98, Failed: 1, Refused: 1}}}
	b.Get("/health/teams").Want(200).Has("LOUD123456", "400 %", "20 %", "2 × 429", "3 teams")
	b.Get("/health/teams?q=quiet").Want(200).Has("QUIET23456", "2 %").Lacks("LOUD123456", "40 %")
	b.Get("/health/teams.csv").Want(200).Has("team,hour_accepted,hour_429", ",day_no_answer,budget_used\r\n",
		"LOUD123456,8,2,0,0,0,80,10,10,0,0,400.0\r\n",
		"QUIET23456,0,0,0,0,0,49,0,0,0,1,0.0\r\n", "other teams,0,0,0,0,0,98,0,1,1,0,20.0\r\n")
	b.Get("/health").Want(200).Has("3 teams", `href="/health/teams"`, "400 %")
	for n := range 60 {
		h.teams = append(h.teams, push.TeamAnswers{Team: "TEAM" + strconv.Itoa(n), Day: push.Answers{Accepted: 1}})
	}
	b.Get("/health/teams").Want(200).Has("1–50 of 63 teams", "Next").Lacks("Older") // an order that is not of time
}

// TestPartnersByName: the list begins with the first name, not with the oldest partner.
func TestPartnersByName(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	for i, name := range []string{"Zoe Hall", "ana Ruiz"} {
		p := tenants.Partner{ID: tenants.NewID[tenants.PartnerID](h.Clock.Now()), Code: "ABCDEFG" + strconv.Itoa(i+2), Name: name,
			Email: "p" + strconv.Itoa(i) + "@partner.example", CreatedAt: h.Clock.Now()}
		_, _, err := h.Store.Partners().Add(t.Context(), p, store.PartnerLink{Hash: tenants.Secret(p.Code).Hash(), Email: p.Email,
			ExpiresAt: h.Clock.Now().Add(time.Hour)})
		pagetest.Must(t, err)
	}
	for query, first := range map[string]string{"": "ana Ruiz", "?sort=-name": "Zoe Hall"} {
		body := h.signedIn(o, false).Get("/partners" + query).Want(200).Body
		if first != "ana Ruiz" == (strings.Index(body, "ana Ruiz") < strings.Index(body, "Zoe Hall")) {
			t.Errorf("/partners%s does not begin with %s", query, first)
		}
	}
}

// TestOwnersAreSearched: a tenant is found by the address of an owner, and of nobody else, and its
// row says by which.
func TestOwnersAreSearched(t *testing.T) {
	t.Parallel()
	h := open(t)
	h.Bare("mirabelle", "Mirabelle")
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	mail := h.tenant.Owner.Email
	b.Get("/tenants").Want(200).Lacks(mail)
	b.Get("/tenants?q="+url.QueryEscape(strings.ToUpper(mail))).Want(200).Has("Harbor Homes", mail, "1 tenant").Lacks("Mirabelle")
	b.Get("/tenants.csv?q="+url.QueryEscape(mail)).Want(200).Has("Harbor Homes").Lacks("Mirabelle", mail)
	b.Get("/tenants?q=harbor").Want(200).Has("Harbor Homes")
	viewer := h.tenant.Person(tenants.Viewer)
	b.Get("/tenants?q=" + url.QueryEscape(viewer.Email)).Want(200).Has("No matches")
}

// TestLookWithoutConsent: the attempt is refused, and both records have it.
func TestLookWithoutConsent(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	b.Post("/tenants/"+string(h.tenant.Id)+"/look", nil).Want(403).Has("does not let operators look")
	ours, _, err := h.Store.Operators().Audits(t.Context(), store.OperatorAuditQuery{Page: store.Page{Limit: 1}})
	pagetest.Must(t, err)
	theirs, _, err := h.Store.For(h.tenant.Id).Audits().List(t.Context(), store.AuditQuery{Action: "tenant.look"})
	pagetest.Must(t, err)
	for name, all := range map[string][]tenants.Audit{"the record of operators": ours, "the tenant's log": theirs} {
		if len(all) != 1 || all[0].Action != "tenant.look" || !all[0].Refused || all[0].Actor != o.Actor() ||
			all[0].Detail != withoutConsent {
			t.Errorf("%s has %+v", name, all)
		}
	}
}

// TestThemeLeadsBack: the switch of the theme leads to the page it is on, and from one that only a
// form leads to, to the page above it. The page with a link that works once has no switch.
func TestThemeLeadsBack(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	b := h.signedIn(o, false)
	home := "/tenants/" + string(h.tenant.Id)
	for from, to := range map[string]string{
		"/tenants?q=harbor": "/tenants?q=harbor", home: home, home + "/suspend": home + "/suspend",
		home + "/look": home, home + "/plan?x=1": home, "/partners/x/paid": "/partners/x", "/nowhere": "/", "": "/",
	} {
		b.Headers["Referer"] = b.Address() + from
		if from == "" {
			b.Headers["Referer"] = "https://elsewhere.example/tenants"
		}
		b.Post(views.PathTheme, url.Values{"theme": {"dark"}}).Leads(to)
	}
	b.Get(home).Want(200).Has("data-theme-form")
	pagetest.Must(t, h.tenant.Scope().SetLook(t.Context(), h.Clock.Now().Add(time.Hour)))
	b.Post(home+"/look", nil).Want(200).Has("Open the console").Lacks("data-theme-form")
}

// TestOperatorsFile: the list of operators has a file and a filter by state.
func TestOperatorsFile(t *testing.T) {
	t.Parallel()
	h := open(t)
	o, _ := h.operator("sam@ops.example")
	gone, _ := h.operator("gone@ops.example")
	pagetest.Must(t, h.Store.Operators().Disable(t.Context(), store.Who{}, gone.ID, h.Clock.Now()))
	b := h.signedIn(o, false)
	b.Get("/operators").Want(200).Has("/operators.csv", "2 operators")
	b.Get("/operators?state=disabled").Want(200).Has("gone@", "1 operator").Lacks("<small>sam@")
	b.Get("/operators.csv").Want(200).Has("id,name,email,state,app,passkeys,last_sign_in_at,created_at,disabled_at",
		",sam@ops.example,active,true,0,", ",gone@ops.example,disabled,true,0,")
	b.Get("/operators.csv?state=active").Want(200).Has("sam@").Lacks("gone@")
}
