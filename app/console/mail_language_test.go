package console

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"carillon/app/page/pagetest"
)

// TestMailsFollowTheirReader: a mail is in the language of who reads it, else of the tenant, else
// of the page. Links stay as they are.
func TestMailsFollowTheirReader(t *testing.T) {
	t.Parallel()
	h := mailing(t)
	a := h.bare("alpha", "Alpha")
	last := func(to, subject, text string) {
		t.Helper()
		mails := h.Mails.To(to)
		if len(mails) == 0 {
			t.Fatalf("%s got no mail", to)
		}
		if m := mails[len(mails)-1]; m.Subject != subject || !strings.Contains(m.Text, text) {
			t.Errorf("%s got %+v", to, m)
		}
	}
	w := a.Quick(a.Owner)
	invite := func(to string) { w.Post("/people/add", url.Values{"email": {to}, "role": {"viewer"}}).Want(303) }
	invite("english@else.example")
	last("english@else.example", "Invitation to Alpha Homes on Carillon", "Open this link to join:")
	scope := a.Scope()
	spanish, err := scope.Tenant(t.Context())
	pagetest.Must(t, err)
	spanish.Language = "es"
	pagetest.Must(t, scope.SetTenant(t.Context(), spanish))
	invite("new@else.example")
	last("new@else.example", "Invitación a Alpha Homes en Carillon", "Su rol será: Lector.\n\nAbra este enlace para unirse:\n\nhttp")
	b := h.bare("beta", "Beta")
	b.Owner.Language = "en"
	pagetest.Must(t, h.Store.Users().Set(t.Context(), b.Owner))
	invite(b.Owner.Email)
	last(b.Owner.Email, "Invitation to Alpha Homes on Carillon", "Open this link to join:")

	w.Post("/account/email", url.Values{"email": {"ana@new.example"}}).Want(303)
	last("ana@new.example", "Confirme su nueva dirección para Carillon", "El enlace funciona una vez")
	reset := func() {
		t.Helper()
		h.Clock.Pass(11 * time.Minute) // the limit of a network
		h.Browser().Post("/forgot", url.Values{"email": {a.Owner.Email}}).Want(200)
	}
	reset()
	last(a.Owner.Email, "Choose a new Carillon password", "Open this link to choose one:")
	a.Owner.Language = "es"
	pagetest.Must(t, h.Store.Users().Set(t.Context(), a.Owner))
	reset()
	last(a.Owner.Email, "Elija una contraseña nueva de Carillon", "Hola:")
}
