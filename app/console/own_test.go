package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestAChangedAddressIsProven: the link goes to the new address, the old one gets a note, and every
// sign-in ends. Nothing tells who has an account.
func TestAChangedAddressIsProven(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a, other := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	w := a.Quick(a.Owner)
	change := func(to string) pagetest.Answer { return w.Post("/account/email", url.Values{"email": {to}}) }
	change("nonsense").Want(422).Has("Enter an email address")
	change(a.Owner.Email).Want(422).Has("your address already")
	change(other.Owner.Email).Leads("/account")
	if mails := h.Mails.To(other.Owner.Email); len(mails) > 0 {
		t.Errorf("somebody with an account was written to: %+v", mails)
	}
	change("first@new.example").Leads("/account")
	first, _ := h.Link("first@new.example")
	change("Ana@New.example").Leads("/account")
	w.Get("/account").Want(200).Has("we sent a link to it")
	link, _ := h.Link("ana@new.example")
	h.Browser().Post(first, nil).Want(410).Has("no longer works")
	h.Browser().Get("/email/crl_email_x").Want(410)
	h.Browser().Get(link).Want(200).Has("ana@new.example")
	w.Get("/account").Want(200).Has(a.Owner.Email)
	h.Browser().Post(link, nil).Leads("/signin")
	w.Get("/account").Want(303)
	h.Browser().Post(link, nil).Want(410)
	h.Browser().Post("/signin", signIn(a.Owner.Email, pagetest.Secret)).Want(401)
	w = h.Browser()
	w.Post("/signin", signIn("ana@new.example", pagetest.Secret)).Leads("/overview")
	mails := h.Mails.To(a.Owner.Email) // three changes were asked for, and one made
	if len(mails) != 4 || mails[3].Subject != "Your Carillon email address was changed" {
		t.Errorf("the old address got %+v", mails)
	}
	if m := mails[2]; m.Subject != "Somebody asked to change the email address of your Carillon account" ||
		!strings.Contains(m.Text, "ana@new.example") || !strings.Contains(m.Text, "If it was not you") || strings.Contains(m.Text, link) {
		t.Errorf("when it was asked for, the old address got %+v", m)
	}
	w.Get("/audit?action=user").Want(200).Has("changed the email address of")

	// A link that is too old, and an address that somebody else took meanwhile.
	change("late@new.example").Leads("/account")
	late, _ := h.Link("late@new.example")
	h.Clock.Pass(10 * time.Minute)
	u := other.Person(tenants.Viewer)
	u.Email = "late@new.example"
	pagetest.Must(t, h.Store.Users().Set(t.Context(), u))
	h.Browser().Post(late, nil).Want(410)
	h.Clock.Pass(tenants.EmailChangeTTL)
	h.Browser().Get(late).Want(410)
	pagetest.Must(t, h.Store.Jobs().Forget(t.Context(), h.Clock.Now()))
}

func TestOnesOwnName(t *testing.T) {
	t.Parallel()
	h := open(t)
	a := h.bare("alpha", "Alpha")
	w := a.Quick(a.Person(tenants.Viewer))
	w.Get("/account").Want(200).Has("This one", "last used", "This server sends no email")
	w.Post("/account", url.Values{"name": {""}}).Want(422).Has("1 to 80 characters")
	w.Post("/account", url.Values{"name": {"Ana & Co"}}).Leads("/account")
	w.Get("/account").Want(200).Has("Saved.", "Ana &amp; Co")
	w.Post("/account/email", url.Values{"email": {"new@else.example"}}).Want(409)
}
