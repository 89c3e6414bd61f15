package console

import (
	"net/url"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestNobodyLearnsWhoHasAnAccount asks the same for an address with an account and one without: the
// answers are the same, and so is the number of passwords that are hashed, which is what takes
// time.
func TestNobodyLearnsWhoHasAnAccount(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a, b := h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	known, unknown := b.Owner.Email, "somebody@beta.example"
	inviter := a.Quick(a.Owner)
	for _, ask := range []struct {
		name   string
		hashes int64
		with   func(w *pagetest.Browser, email string) pagetest.Answer
	}{
		{"a sign-in", 1, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/signin", signIn(email, "not the passphrase"))
		}},
		{"a forgotten password", 0, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/forgot-password", url.Values{"email": {email}})
		}},
		{"a sign-up", 1, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/trial", url.Values{"company": {"Gamma"}, "name": {"Ana"}, "email": {email}, "industry": {"healthcare"},
				"password": {"heron under the bridge"}, "time_zone": {"UTC"}})
		}},
		{"a sign-up with a weak password", 0, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/trial", url.Values{"company": {"Gamma"}, "name": {"Ana"}, "email": {email}, "industry": {"healthcare"},
				"password": {"password1234"}, "time_zone": {"UTC"}})
		}},
		{"an invitation", 0, func(_ *pagetest.Browser, email string) pagetest.Answer {
			return inviter.Post("/people/add", url.Values{"email": {email}, "role": {"viewer"}})
		}},
		{"an organisation", 0, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/signin/organisation", url.Values{"email": {email}})
		}},
		{"a passkey", 0, func(w *pagetest.Browser, email string) pagetest.Answer {
			return w.Post("/signin/passkey", url.Values{"email": {email}, "credential": {"{}"}})
		}},
	} {
		answer := func(email string) (pagetest.Answer, int64) {
			before := h.Common.Passwords.Hashed()
			res := ask.with(h.Browser(), email)
			return res, h.Common.Passwords.Hashed() - before
		}
		one, costs := answer(known)
		other, cost := answer(unknown)
		if one.StatusCode != other.StatusCode || one.Header.Get("Location") != other.Header.Get("Location") {
			t.Errorf("%s: %d to %q with an account, %d to %q without", ask.name, one.StatusCode, one.Header.Get("Location"),
				other.StatusCode, other.Header.Get("Location"))
		}
		if was := strings.ReplaceAll(one.Body, known, unknown); was != other.Body {
			t.Errorf("%s: the pages differ:\n%s", ask.name, diff(was, other.Body))
		}
		if costs != ask.hashes || cost != ask.hashes {
			t.Errorf("%s: %d hashes with an account, %d without, want %d", ask.name, costs, cost, ask.hashes)
		}
	}
	// Where the inviter sees the link, its page does not tell either, nor does a password that is
	// refused.
	h = open(t)
	a, b = h.bare("alpha", "Alpha"), h.bare("beta", "Beta")
	inviter = a.Quick(a.Owner)
	pages := map[string]string{}
	for _, email := range []string{b.Owner.Email, unknown} {
		shown := inviter.Post("/people/add", url.Values{"email": {email}, "role": {string(tenants.Viewer)}}).Want(200).Body
		token := between(shown, "/invitations/", "<")[0]
		before := h.Common.Passwords.Hashed()
		text := h.Browser().Get("/invitations/"+token).Want(200).Body +
			h.Browser().Post("/invitations/"+token, url.Values{"name": {"Ana"}, "password": {"short"}}).Want(422).Body
		if n := h.Common.Passwords.Hashed() - before; n > 0 {
			t.Errorf("%s costs %d hashes", email, n)
		}
		pages[email] = strings.NewReplacer(token, "TOKEN", email, "EMAIL").Replace(text)
	}
	if pages[b.Owner.Email] != pages[unknown] {
		t.Errorf("the pages of shown links differ:\n%s", diff(pages[b.Owner.Email], pages[unknown]))
	}
}
