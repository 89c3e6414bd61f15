package health_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/notify/notifytest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// mailWorld is a world whose tenant has people, and a mail server.
type mailWorld struct {
	*world
	mailServer *notifytest.Server
	mail       *health.AlertMail
}

func newMailWorld(t *testing.T) *mailWorld {
	w := &mailWorld{world: newWorld(t)}
	var err error
	w.mailServer, err = notifytest.New()
	must(t, err)
	t.Cleanup(func() {
		must(t, w.mailServer.Close())
		if f := w.mailServer.Faults(); len(f) > 0 {
			t.Error(f)
		}
	})
	for role, name := range map[tenants.Role]string{tenants.Owner: "olga", tenants.Admin: "adam", tenants.Viewer: "vera"} {
		u := tenants.User{ID: tenants.NewID[tenants.UserID](w.clock.Now()), Email: name + "@example.com", Name: name, Password: "phc",
			Theme: "auto", CreatedAt: w.clock.Now()}
		must(t, w.store.Users().Add(t.Context(), u))
		must(t, w.scope.Members().Add(t.Context(), tenants.Member{User: u.ID, Role: role, CreatedAt: w.clock.Now()}))
	}
	w.restart()
	return w
}

// restart makes an AlertMail that knows only what the store does.
func (w *mailWorld) restart() {
	w.t.Helper()
	m, err := notify.New(notify.Config{URL: w.mailServer.URL(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, m.Close()) })
	w.mail, err = health.NewAlertMail(health.AlertMailConfig{
		Store: w.store, Mail: m, Now: w.clock.Now, Log: slog.New(slog.NewTextHandler(&w.world.log, nil)),
		Link: func(a tenants.Alert) string { return "https://ring.example.com/credentials/" + a.Target },
	})
	must(w.t, err)
}

// send sends what is due, and returns the mails by who got them.
func (w *mailWorld) send() map[string]notifytest.Mail {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	must(w.t, w.mail.Send(ctx))
	got := map[string]notifytest.Mail{}
	for {
		select {
		case l := <-w.mailServer.Mails():
			if _, twice := got[l.To]; twice {
				w.t.Errorf("%s got two mails at once", l.To)
			}
			got[l.To] = l
		default:
			return got
		}
	}
}

// Apple refuses the credential of many rings. Each manager gets one mail, and none again after a
// restart.
func TestAnAlertIsOneMail(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails about nothing", n)
	}
	w.apple.Say(403, "TopicDisallowed")
	for range 3 {
		w.ringOnce(w.device(""))
	}
	got := w.send()
	if len(got) != 2 {
		t.Fatalf("mails to %v", got)
	}
	alert := w.alerts(tenants.AlertCredential)[0]
	for _, who := range []string{"olga@example.com", "adam@example.com"} {
		l := got[who]
		for _, want := range []string{
			"There is a new alert for Example.",
			alert.Kind.Title() + ", since " + alert.FirstAt.In(w.caller.Tenant.Zone()).Format("2 January, 15:04") + " IST",
			"TopicDisallowed: This key or certificate may not push to this " +
				"app. Check the bundle id",
			"https://ring.example.com/credentials/" + alert.Target,
		} {
			if !strings.Contains(strings.ReplaceAll(l.Text, "\n", " "), want) {
				t.Errorf("the mail to %s lacks %q:\n%s", who, want, l.Text)
			}
		}
		if !strings.Contains(l.Head, "Subject: Carillon, Example: Apple refuses a credential") {
			t.Errorf("%s", l.Head)
		}
	}
	w.restart()
	w.ringOnce(w.device(""))
	w.clock.Pass(2 * time.Hour)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails about what was sent already", n)
	}
	must(t, w.scope.Alerts().Resolve(t.Context(), alert.Kind, alert.Target))
	w.ringOnce(w.device(""))
	if n := len(w.send()); n != 2 {
		t.Errorf("%d mails when it began again", n)
	}
}

// A mail about an alert is in the language of each reader, else in that of the tenant.
func TestAnAlertInTheReadersLanguage(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	u, err := w.store.Users().ByEmail(t.Context(), "olga@example.com")
	must(t, err)
	u.Language = "es"
	must(t, w.store.Users().Set(t.Context(), u))
	w.apple.Say(403, "TopicDisallowed")
	w.ringOnce(w.device(""))
	got := w.send()
	for who, want := range map[string]string{
		"olga@example.com": "Hay una alerta nueva para Example.", "adam@example.com": "There is a new alert for Example.",
	} {
		if !strings.Contains(got[who].Text, want) || !strings.Contains(got[who].Text, "https://ring.example.com/credentials/") {
			t.Errorf("%s got %+v", who, got[who])
		}
	}
	if l := got["olga@example.com"].Text; !strings.Contains(l, ", desde el ") || !strings.Contains(l, "Detalles: https://") {
		t.Errorf("%s", l)
	}
}

// After the third mail of an hour the rest waits, and comes in one mail.
func TestManyAlertsAreAFewMails(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	raise := func(i int) {
		t.Helper()
		_, err := w.scope.Alerts().Raise(t.Context(), tenants.AlertBlocked, fmt.Sprint(i), fmt.Sprintf("Detail of %d.", i))
		must(t, err)
	}
	mails := 0
	for i := range 12 {
		raise(i)
		mails += len(w.send()) / 2
		w.clock.Pass(time.Minute)
	}
	if mails != 3 {
		t.Errorf("%d mails for twelve alerts in twelve minutes", mails)
	}
	w.clock.Pass(time.Hour)
	l := w.send()["olga@example.com"]
	if !strings.Contains(l.Head, "9 new alerts") || !strings.Contains(l.Text, "Detail of 3.") ||
		!strings.Contains(l.Text, "Detail of 11.") || strings.Contains(l.Text, "Detail of 2.") {
		t.Errorf("%s\n%s", l.Head, l.Text)
	}
	w.clock.Pass(2 * time.Hour)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails more", n)
	}
}

// A mail that nobody got is tried again; one that somebody got is not; resolved and old alerts get
// none.
func TestMailIsRetried(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	raise := func(target string) {
		t.Helper()
		_, err := w.scope.Alerts().Raise(t.Context(), tenants.AlertBlocked, target, "Detail.")
		must(t, err)
	}
	raise("1.0")
	w.mailServer.Defer(func(string) bool { return true })
	if err := w.mail.Send(t.Context()); err == nil {
		t.Error("a mail that nobody got is no error")
	}
	w.mailServer.Defer(nil)
	w.mailServer.Refuse(func(to string) bool { return to == "adam@example.com" })
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails before the pause is over", n)
	}
	w.clock.Pass(6 * time.Minute)
	if got := w.send(); len(got) != 1 || w.log.count("not delivered to everybody") != 1 {
		t.Errorf("mails to %v", got)
	}
	w.mailServer.Refuse(nil)
	w.clock.Pass(6 * time.Minute)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails again", n)
	}
	raise("1.5")
	w.mailServer.Refuse(func(string) bool { return true })
	if err := w.mail.Send(t.Context()); !errors.Is(err, notify.ErrRefused) {
		t.Errorf("every address refused: %v", err)
	}
	w.mailServer.Refuse(nil)
	w.clock.Pass(6 * time.Minute)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails to addresses that refused for good", n)
	}
	raise("2.0")
	must(t, w.scope.Alerts().Resolve(t.Context(), tenants.AlertBlocked, "2.0"))
	raise("3.0")
	w.clock.Pass(25 * time.Hour) // mail works since today
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails about old trouble", n)
	}
	w.clock.Pass(time.Hour)
	if n := len(w.send()); n != 0 {
		t.Errorf("%d mails about old trouble, later", n)
	}
}

// People get a mail when a certificate expires soon, and again at each step.
func TestEachStepOfAnExpiryIsAMail(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	now := w.clock.Now()
	c := tenants.Credential{ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P12, Bundle: "com.example.other",
		Environment: tenants.Auto,
		Fingerprint: "f", NotAfter: now.Add(40 * 24 * time.Hour), State: tenants.CredentialActive, CreatedAt: now}
	must(t, w.scope.Credentials().Add(t.Context(), c, []byte("x")))
	mails := []string{}
	for range 40 {
		must(t, w.monitor.Review(t.Context()))
		if l, ok := w.send()["olga@example.com"]; ok {
			_, after, _ := strings.Cut(strings.ReplaceAll(l.Text, "\n", " "), "expires within ")
			days, _, _ := strings.Cut(after, ",")
			mails = append(mails, days)
		}
		w.clock.Pass(24 * time.Hour)
	}
	if got := strings.Join(mails, "; "); got != "60 days; 30 days; 14 days; 7 days; a day" {
		t.Errorf("mails about: %s", got)
	}
	must(t, w.scope.Credentials().Remove(t.Context(), c.ID))
	_, _, err := w.scope.Credentials().List(t.Context(), store.Page{})
	must(t, err)
}
