package console

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

func TestInvitations(t *testing.T) {
	t.Parallel()
	h := open(t)
	a, b := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	link := func(x *tenant, email string) string {
		s := tenants.NewSecret(tenants.InvitationPrefix)
		pagetest.Must(t, x.Scope().Invitations().Add(t.Context(), store.Invitation{
			Hash: s.Hash(), Tenant: x.Id, Email: email, Role: tenants.Admin, CreatedAt: h.Clock.Now(),
			ExpiresAt: h.Clock.Now().Add(invitationTime)}, nil))
		return "/invitations/" + string(s)
	}
	fresh := link(a, "new@alpha.example")
	w := h.Browser()
	w.Get(fresh).Want(200).Has("Alpha Homes", "new@alpha.example", "Choose a password")
	w.Post(fresh, url.Values{"name": {"Neo"}, "password": {"short"}}).Want(422).Has("at least 12")
	w.Post(fresh, url.Values{"name": {"Neo\n"}, "password": {""}}).Want(422)
	w.Post(fresh, url.Values{"name": {"Neo"}, "password": {pagetest.Secret}}).Leads("/overview")
	w.Get("/overview").Want(200).Has("Alpha Homes", "Neo", "Administrator")
	h.Browser().Get(fresh).Want(410).Has("no longer works")
	h.Browser().Post(fresh, url.Values{"name": {"Eve"}, "password": {pagetest.Secret}}).Want(410)

	// The link alone does not open an account that is there.
	known := link(a, b.Owner.Email)
	h.Browser().Get(known).Want(200).Has("has an account here", "Forgot password?").Lacks("Your name")
	h.Browser().Post(known, url.Values{"name": {"Eve"}, "password": {"a password of Eve's"}}).Want(422).Has("The password is wrong")
	if u, err := h.Store.Users().Get(t.Context(), b.Owner.ID); err != nil || u.Password != h.Phc {
		t.Fatal("an invitation changed somebody's password")
	}
	joined := h.Browser()
	joined.Post(known, url.Values{"password": {pagetest.Secret}}).Leads("/overview")
	joined.Get("/overview").Has("Alpha Homes", "Beta Homes")

	late := link(a, "late@alpha.example")
	h.Clock.Pass(invitationTime)
	h.Browser().Get(late).Want(410)
	h.Browser().Get("/invitations/nonsense").Want(410)
}

// mailing opens a server as in production: it sends mail, and has no dev mode.
func mailing(t *testing.T) *server {
	t.Helper()
	return openAs(t, "http://127.0.0.1", func(h *server, c *Config) { c.Mail, c.Dev = h.Mails, nil })
}

func TestInvitationsAreMailed(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Get("/people/add").Want(200).Has("We send an invitation link", "Send invitation")
	w.Post("/people/add", url.Values{"email": {"new@else.example"}, "role": {"viewer"}}).Leads("/people")
	w.Get("/people").Want(200).Has("The invitation was sent by email", "new@else.example").Lacks("crl_invite_")
	link, text := h.Link("new@else.example")
	if !strings.Contains(text, "Alpha Homes") || !strings.Contains(text, "Viewer") {
		t.Errorf("the mail says %q", text)
	}
	guest := h.Browser()
	guest.Post(link, url.Values{"name": {"Neo"}, "password": {pagetest.Secret}}).Leads("/overview")
	if u, err := h.Store.Users().ByEmail(t.Context(), "new@else.example"); err != nil || u.Unproven {
		t.Errorf("a mailed link proves the address: %+v, %v", u, err)
	}
	for range 3 {
		w.Post("/people/add", url.Values{"email": {"often@else.example"}, "role": {"viewer"}}).Leads("/people")
	}
	w.Post("/people/add", url.Values{"email": {"often@else.example"}, "role": {"viewer"}}).Want(429).Has("Too many invitations")
	if n := len(h.Mails.To("often@else.example")); n != 3 {
		t.Errorf("%d mails to one address", n)
	}
}

// TestInvitationsAreSentAgain: the old link is over, and there is a bound.
func TestInvitationsAreSentAgain(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Owner)
	w.Post("/people/add", url.Values{"email": {"new@else.example"}, "role": {"viewer"}}).Leads("/people")
	old, _ := h.Link("new@else.example")
	resend := func() pagetest.Answer {
		t.Helper()
		found := regexp.MustCompile(`/people/[0-9a-f]{64}/resend`).FindString(w.Get("/people").Want(200).Body)
		return w.Post(found, nil)
	}
	resend().Want(429).Has("once a minute")
	h.Clock.Pass(20 * time.Minute)
	w = a.Quick(a.Owner)
	a.Quick(a.Person(tenants.Viewer)).Get("/people").Want(200).Lacks("Send again")
	resend().Leads("/people")
	w.Get("/people").Want(200).Has("The invitation was sent by email", "Send again")
	fresh, _ := h.Link("new@else.example")
	if fresh == old {
		t.Fatal("the link stayed the same")
	}
	h.Browser().Get(old).Want(410)
	h.Browser().Get(fresh).Want(200)
	for range 4 {
		h.Clock.Pass(20 * time.Minute)
		w = a.Quick(a.Owner)
		resend().Leads("/people")
	}
	h.Clock.Pass(20 * time.Minute)
	w = a.Quick(a.Owner)
	resend().Want(429)
	h.Clock.Pass(24 * time.Hour)
	w = a.Quick(a.Owner)
	resend().Leads("/people")
	w.Get("/audit?action=invitation").Want(200).Has("sent the invitation again to")
	fresh, _ = h.Link("new@else.example")
	h.Browser().Post(fresh, url.Values{"name": {"Neo"}, "password": {pagetest.Secret}}).Leads("/overview")
}

// TestAnInvitationDoesNotBindAnAddress takes up an invitation for somebody else's address on a
// server without mail, where the inviter sees the link. The person with the address gets in by
// proving it, and the inviter is out.
func TestAnInvitationDoesNotBindAnAddress(t *testing.T) {
	t.Parallel()
	h := open(t)
	eve, b, c := h.bare("eve", "Eve"), h.bare("beta", "Beta"), h.bare("gamma", "Gamma")
	const victim, phrase = "ana@clinic.example", "the phrase of a thief"
	invite := func(x *tenant, email string) string {
		t.Helper()
		page := x.Quick(x.Owner).Post("/people/add", url.Values{"email": {email}, "role": {"viewer"}}).Want(200).Body
		return "/invitations/" + between(page, "/invitations/", "<")[0]
	}
	thief := h.Browser()
	thief.Post(invite(eve, victim), url.Values{"name": {"Ana"}, "password": {phrase}}).Leads("/overview")
	thief.Get("/overview").Want(200)

	// the real Ana is invited by somebody else, by mail
	mailed := tenants.NewSecret(tenants.InvitationPrefix)
	pagetest.Must(t, b.Scope().Invitations().Add(t.Context(), store.Invitation{Hash: mailed.Hash(), Email: victim, Role: tenants.Admin,
		CreatedAt: h.Clock.Now(), ExpiresAt: h.Clock.Now().Add(invitationTime)}, nil))
	ana := h.Browser()
	ana.Get("/invitations/" + string(mailed)).Want(200).Has("Choose a password").Lacks("has an account")
	ana.Post("/invitations/"+string(mailed), url.Values{"name": {"Ana Ruiz"}, "password": {pagetest.Secret}}).Leads("/overview")
	ana.Get("/overview").Want(200).Has("Beta Homes")
	thief.Get("/overview").Want(303)
	h.Browser().Post("/signin", signIn(victim, phrase)).Want(401)

	// a page for a link that the inviter saw does not tell who has an account
	known, unknown := invite(c, victim), invite(c, "nobody@clinic.example")
	for _, form := range []url.Values{nil, {"name": {"X"}, "password": {"short"}}, {"password": {phrase}}} {
		var seen []string
		for _, link := range []string{known, unknown} {
			res := h.Browser().Get(link)
			if form != nil {
				res = h.Browser().Post(link, form)
			}
			body := strings.NewReplacer(link, "LINK", strings.TrimPrefix(link, "/invitations/"), "TOKEN", victim, "ADDRESS",
				"nobody@clinic.example", "ADDRESS").Replace(res.Body)
			seen = append(seen, fmt.Sprint(res.StatusCode, body))
		}
		if seen[0] != seen[1] {
			t.Errorf("%v: the page tells who has an account:\n%s", form, diff(seen[0], seen[1]))
		}
	}
	h.Browser().Post(known, url.Values{"name": {"X"}, "password": {phrase}}).Want(422)
	h.Browser().Post(known, url.Values{"name": {"X"}, "password": {pagetest.Secret}}).Leads("/overview")
	if u, err := h.Store.Users().ByEmail(t.Context(), victim); err != nil || u.Name != "Ana Ruiz" || u.Unproven {
		t.Errorf("%+v %v", u, err)
	}
}

// TestOwnersInvitationsAreOwners checks that an administrator neither makes, replaces nor cancels
// the invitation of an owner.
func TestOwnersInvitationsAreOwners(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a := h.bare("alpha", "Alpha")
	administrator := a.Person(tenants.Admin)
	owner, admin := a.Quick(a.Owner), a.Quick(administrator)
	admin.Post("/people/add", url.Values{"email": {"boss@else.example"}, "role": {"owner"}}).Want(403)
	owner.Post("/people/add", url.Values{"email": {"boss@else.example"}, "role": {"owner"}}).Leads("/people")
	admin.Post("/people/add", url.Values{"email": {"boss@else.example"}, "role": {"viewer"}}).Want(403)
	list, err := a.Scope().Invitations().List(t.Context())
	pagetest.Must(t, err)
	if len(list) != 1 || list[0].Role != tenants.Owner {
		t.Fatalf("%+v", list)
	}
	h.Clock.Pass(time.Hour) // the limit of an address
	owner, admin = a.Quick(a.Owner), a.Quick(administrator)
	admin.Post("/people/"+invitationID(list[0])+"/remove", url.Values{"confirm": {"1"}}).Want(403)
	owner.Post("/people/add", url.Values{"email": {"boss@else.example"}, "role": {"viewer"}}).Leads("/people")
	admin.Post("/people/add", url.Values{"email": {"boss@else.example"}, "role": {"admin"}}).Leads("/people")
}
