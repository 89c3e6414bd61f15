package console

import (
	"net/url"
	"strings"
	"testing"

	"carillon/app/page/pagetest"
	"carillon/tenants"
)

// TestNobodyLearnsWhoHasAnAccount asks the same for an address with an account and one without: the
// answers are the same, and so is what takes time, which is the passwords that are hashed and the
// statements of the database.
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
			return w.Post("/forgot", url.Values{"email": {email}})
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
		answer := func(email string) (res pagetest.Answer, hashes int64, statements string) {
			hashes, all := h.Work(func() { res = ask.with(h.Browser(), email) })
			return res, hashes, strings.Join(all, "\n")
		}
		one, costs, did := answer(known)
		other, cost, does := answer(unknown)
		if did != does {
			t.Errorf("%s: the work differs:\n%s", ask.name, diff(did, does))
		}
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
	pages, works := map[string]string{}, map[string]string{}
	inviter.Get("/people").Want(200) // what is cached is read once
	for _, email := range []string{b.Owner.Email, unknown} {
		var shown string
		_, inviting := h.Work(func() {
			shown = inviter.Post("/people/add", url.Values{"email": {email}, "role": {string(tenants.Viewer)}}).Want(200).Body
		})
		token := between(shown, "/invitations/", "<")[0]
		var text string
		hashes, looking := h.Work(func() {
			text = h.Browser().Get("/invitations/"+token).Want(200).Body +
				h.Browser().Post("/invitations/"+token, url.Values{"name": {"Ana"}, "password": {"short"}}).Want(422).Body
		})
		if hashes > 0 {
			t.Errorf("%s costs %d hashes", email, hashes)
		}
		// A password that could be chosen costs one hash, compared or made.
		hashes, _ = h.Work(func() {
			h.Browser().Post("/invitations/"+token, url.Values{"name": {"Ana"}, "password": {"heron under the bridge"}})
		})
		if hashes != 1 {
			t.Errorf("accepting as %s costs %d hashes", email, hashes)
		}
		pages[email] = strings.NewReplacer(token, "TOKEN", email, "EMAIL").Replace(text)
		works[email] = strings.Join(append(inviting, looking...), "\n")
	}
	if pages[b.Owner.Email] != pages[unknown] {
		t.Errorf("the pages of shown links differ:\n%s", diff(pages[b.Owner.Email], pages[unknown]))
	}
	if works[b.Owner.Email] != works[unknown] {
		t.Errorf("the work of shown links differs:\n%s\n\n%s", works[b.Owner.Email], works[unknown])
	}
}
