package health_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/notify"
	"carillon/tenants"
	"carillon/tenants/store"
)

// brokenMail takes nothing while it is broken, and never takes what goes to bad.
type brokenMail struct {
	letters
	broken bool
	bad    string
	tries  int
}

func (m *brokenMail) Deliver(ctx context.Context, l notify.Mail) error {
	m.tries++
	if m.broken || l.To == m.bad {
		return errors.New("no connection")
	}
	return m.letters.Deliver(ctx, l)
}

// TestDigestInSpanish: text and HTML are in the language of the organisation, if the person chose
// none.
func TestDigestInSpanish(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Stop()
	spanish, err := w.scope.Tenant(t.Context())
	must(t, err)
	spanish.Language = "es"
	must(t, w.scope.SetTenant(t.Context(), spanish))
	olga, vera := w.person("olga", tenants.Owner), w.person("vera", tenants.Viewer)
	vera.Language = "en"
	must(t, w.store.Users().Set(t.Context(), vera))
	w.clock.Pass(8 * 24 * time.Hour)
	mails := &brokenMail{}
	d, err := health.NewDigest(health.DigestConfig{Store: w.store, Mail: mails, Now: w.clock.Now,
		Words: func(store.Reason) (string, string) { return "Why.", "Cure." },
		Pages: health.DigestPages{Off: func(token string) string { return "https://c.example/digest/off/" + token }},
		Log:   slog.New(slog.DiscardHandler)})
	must(t, err)
	for range 8 { // days, of which one is a Monday
		must(t, d.Send(t.Context()))
		w.clock.Pass(24 * time.Hour)
	}
	got, other := mails.to(olga.Email), mails.to(vera.Email)
	if len(got) == 0 || len(other) == 0 {
		t.Fatalf("%d and %d mails", len(got), len(other))
	}
	m := got[0]
	if m.Subject != "Carillon: la semana de Example" || !strings.Contains(m.HTML, "<h2>Alertas abiertas</h2>") ||
		!strings.Contains(m.HTML, `Recibe este correo cada lunes. <a href="`+m.Unsubscribe+`">Desactívelo</a>.`) ||
		!strings.Contains(m.Text, "Recibe este correo cada lunes. Desactívelo: "+m.Unsubscribe) {
		t.Errorf("%+v", m)
	}
	if other[0].Subject != "Carillon: the week of Example" {
		t.Errorf("%+v", other[0])
	}
}

// TestDigest: each person gets the mail of a week once, also after a restart and where the mail
// server was away; those who turned it off and those without figures get none.
func TestDigest(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.clock.Stop()
	zone, err := time.LoadLocation("Asia/Kolkata")
	must(t, err)
	pass := func(weekday time.Weekday, hour int) { // to the next such hour of the tenant's zone
		now := w.clock.Now().In(zone)
		days := (int(weekday)-int(now.Weekday())+6)%7 + 1
		w.clock.Pass(time.Date(now.Year(), now.Month(), now.Day()+days, hour, 0, 0, 0, zone).Sub(now))
	}
	olga, vera, bill := w.person("olga", tenants.Owner), w.person("vera", tenants.Viewer), w.person("bill", tenants.Billing)
	must(t, w.scope.Digests().SetOff(t.Context(), vera.ID, true))
	mails := &brokenMail{}
	open := func() *health.Digest {
		d, err := health.NewDigest(health.DigestConfig{Store: w.store, Mail: mails, Now: w.clock.Now,
			Words: func(store.Reason) (string, string) { return "Why.", "Cure." },
			Pages: health.DigestPages{Off: func(token string) string { return "https://c.example/digest/off/" + token }},
			Log:   slog.New(slog.DiscardHandler)})
		must(t, err)
		return d
	}
	pass(time.Monday, 7)
	must(t, open().Send(t.Context()))
	if len(mails.all) != 0 {
		t.Fatal("a mail before 8:00")
	}
	w.clock.Pass(time.Hour)
	mails.broken = true
	if open().Send(t.Context()) == nil {
		t.Error("a mail that was not taken is no error")
	}
	mails.broken = false
	for range 3 {
		must(t, open().Send(t.Context()))
	}
	got := mails.to(olga.Email)
	if len(mails.all) != 1 || len(got) != 1 {
		t.Fatalf("%d mails, %d to the owner", len(mails.all), len(got))
	}
	m := got[0]
	if !strings.Contains(m.Text, "No rings.") || !strings.Contains(m.HTML, "<h2>Open alerts</h2>") ||
		!strings.HasPrefix(m.Unsubscribe, "https://c.example/digest/off/crl_digest_") || !strings.Contains(m.Text, m.Unsubscribe) {
		t.Errorf("%+v", m)
	}
	token := tenants.Secret(strings.TrimPrefix(m.Unsubscribe, "https://c.example/digest/off/"))
	_, user, err := w.store.Tenants().OfDigest(t.Context(), token.Hash())
	if must(t, err); user != olga.ID {
		t.Error("the link is somebody else's")
	}
	pass(time.Monday, 9)
	must(t, open().Send(t.Context()))
	if len(mails.to(olga.Email)) != 2 || len(mails.to(bill.Email)) != 0 {
		t.Errorf("%d mails after two weeks", len(mails.to(olga.Email)))
	}
	for _, name := range []string{"ana", "bea", "cleo", "dora"} {
		w.person(name, tenants.Owner)
	}
	pass(time.Monday, 9)
	mails.broken, mails.tries = true, 0
	if err := open().Send(t.Context()); err == nil || mails.tries != 3 {
		t.Errorf("%d tries with a mail server that is away: %v", mails.tries, err)
	}
	mails.broken, mails.bad = false, "ana@example.com"
	if open().Send(t.Context()) == nil || len(mails.to(olga.Email)) != 3 || len(mails.all) != 6 {
		t.Errorf("%d mails with one bad mailbox", len(mails.all))
	}
	pass(time.Thursday, 9)
	must(t, w.scope.Digests().SetOff(t.Context(), vera.ID, false))
	must(t, open().Send(t.Context()))
	if len(mails.to(vera.Email)) != 0 {
		t.Error("a mail on a Thursday")
	}
}
