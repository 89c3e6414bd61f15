package switchboard_test

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"carillon/app/notify"
	"carillon/app/notify/notifytest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// tower is a world whose tenant has people, and a post office.
type tower struct {
	*world
	apple  *script
	office *notifytest.Server
	herald *switchboard.Herald
	log    notes
}

func newTower(t *testing.T) *tower {
	w := &tower{}
	w.world, w.apple = scripted(t, nil)
	var err error
	w.office, err = notifytest.New()
	must(t, err)
	t.Cleanup(func() {
		must(t, w.office.Close())
		if f := w.office.Faults(); len(f) > 0 {
			t.Error(f)
		}
	})
	for role, name := range map[tenants.Role]string{tenants.Owner: "olga", tenants.Admin: "adam", tenants.Viewer: "vera"} {
		u := tenants.User{ID: tenants.NewID[tenants.UserID](w.clock.now()), Email: name + "@example.com", Name: name, Password: "phc", Theme: "auto", CreatedAt: w.clock.now()}
		must(t, w.store.AddUser(t.Context(), u))
		must(t, w.scope.AddMember(t.Context(), tenants.Member{User: u.ID, Role: role, CreatedAt: w.clock.now()}))
	}
	w.restart()
	return w
}

// restart gives a herald that knows nothing but what the store does.
func (w *tower) restart() {
	w.t.Helper()
	m, err := notify.New(notify.Config{URL: w.office.URL(), Now: time.Now, Log: slog.New(slog.DiscardHandler)})
	must(w.t, err)
	w.t.Cleanup(func() { must(w.t, m.Close()) })
	w.herald, err = switchboard.NewHerald(switchboard.HeraldConfig{
		Store: w.store, Post: m, Now: w.clock.now, Log: slog.New(slog.NewTextHandler(&w.log, nil)),
		Link: func(a tenants.Alert) string { return "https://ring.example.com/credentials/" + a.Target },
	})
	must(w.t, err)
}

// tell lets the herald write, and gives the letters by who got them.
func (w *tower) tell() map[string]notifytest.Mail {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), time.Minute)
	defer cancel()
	must(w.t, w.herald.Tell(ctx))
	got := map[string]notifytest.Mail{}
	for {
		select {
		case l := <-w.office.Mails():
			if _, twice := got[l.To]; twice {
				w.t.Errorf("%s got two letters at once", l.To)
			}
			got[l.To] = l
		default:
			return got
		}
	}
}

// TestAnAlertIsOneLetter: Apple refuses the credential of many rings; each manager gets one letter, no more after a restart.
func TestAnAlertIsOneLetter(t *testing.T) {
	t.Parallel()
	w := newTower(t)
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters about nothing", n)
	}
	w.apple.set(always(403, "TopicDisallowed"))
	for range 3 {
		w.ringOnce(w.device(""), 403)
	}
	got := w.tell()
	if len(got) != 2 {
		t.Fatalf("letters to %v", got)
	}
	alert := w.alerts(tenants.AlertCredential)[0]
	for _, who := range []string{"olga@example.com", "adam@example.com"} {
		l := got[who]
		for _, want := range []string{
			"Something needs you at Example.", alert.Kind.Title() + ", since ", "TopicDisallowed: This key or certificate may not push to this app. Check the bundle id",
			"https://ring.example.com/credentials/" + alert.Target,
		} {
			if !strings.Contains(strings.ReplaceAll(l.Text, "\n", " "), want) {
				t.Errorf("the letter to %s lacks %q:\n%s", who, want, l.Text)
			}
		}
		if !strings.Contains(l.Head, "Subject: Carillon, Example: Apple refuses a credential") {
			t.Errorf("%s", l.Head)
		}
	}
	w.restart()
	w.ringOnce(w.device(""), 403)
	w.clock.pass(2 * time.Hour)
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters of what was told", n)
	}
	must(t, w.scope.ResolveAlert(t.Context(), alert.Kind, alert.Target))
	w.ringOnce(w.device(""), 403)
	if n := len(w.tell()); n != 2 {
		t.Errorf("%d letters when it began anew", n)
	}
}

// TestManyAlertsAreAFewLetters: after the third letter of an hour the rest waits, and comes in one.
func TestManyAlertsAreAFewLetters(t *testing.T) {
	t.Parallel()
	w := newTower(t)
	raise := func(i int) {
		t.Helper()
		_, err := w.scope.Alert(t.Context(), tenants.AlertBlocked, fmt.Sprint(i), fmt.Sprintf("Detail of %d.", i))
		must(t, err)
	}
	letters := 0
	for i := range 12 {
		raise(i)
		letters += len(w.tell()) / 2
		w.clock.pass(time.Minute)
	}
	if letters != 3 {
		t.Errorf("%d letters for twelve alerts in twelve minutes", letters)
	}
	w.clock.pass(time.Hour)
	l := w.tell()["olga@example.com"]
	if !strings.Contains(l.Head, "9 things need you") || !strings.Contains(l.Text, "Detail of 3.") || !strings.Contains(l.Text, "Detail of 11.") || strings.Contains(l.Text, "Detail of 2.") {
		t.Errorf("%s\n%s", l.Head, l.Text)
	}
	w.clock.pass(2 * time.Hour)
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters more", n)
	}
}

// TestMailThatFails: what nobody took is tried again, what one took is told, and what is over or old is not.
func TestMailThatFails(t *testing.T) {
	t.Parallel()
	w := newTower(t)
	raise := func(target string) {
		t.Helper()
		_, err := w.scope.Alert(t.Context(), tenants.AlertBlocked, target, "Detail.")
		must(t, err)
	}
	raise("1.0")
	w.office.Refuse(func(string) bool { return true })
	if err := w.herald.Tell(t.Context()); err == nil {
		t.Error("a letter that nobody took is no error")
	}
	w.office.Refuse(func(to string) bool { return to == "adam@example.com" })
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters before the pause is over", n)
	}
	w.clock.pass(6 * time.Minute)
	if got := w.tell(); len(got) != 1 || !w.log.say("not taken for everybody") {
		t.Errorf("letters to %v", got)
	}
	w.office.Refuse(nil)
	w.clock.pass(6 * time.Minute)
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters again", n)
	}
	raise("2.0")
	must(t, w.scope.ResolveAlert(t.Context(), tenants.AlertBlocked, "2.0"))
	raise("3.0")
	w.clock.pass(25 * time.Hour) // mail works since today
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters about old trouble", n)
	}
	w.clock.pass(time.Hour)
	if n := len(w.tell()); n != 0 {
		t.Errorf("%d letters about old trouble, later", n)
	}
}

// TestEachStepOfAnEndIsALetter: a certificate's end is told when it is near, and again at each step.
func TestEachStepOfAnEndIsALetter(t *testing.T) {
	t.Parallel()
	w := newTower(t)
	now := w.clock.now()
	c := tenants.Credential{ID: tenants.NewID[tenants.CredentialID](now), Kind: tenants.P12, Bundle: "com.example.other", Environment: tenants.Auto,
		Fingerprint: "f", NotAfter: now.Add(40 * 24 * time.Hour), State: tenants.CredentialActive, CreatedAt: now}
	must(t, w.scope.AddCredential(t.Context(), c, []byte("x")))
	letters := []string{}
	for range 40 {
		must(t, w.board.Review(t.Context()))
		if l, ok := w.tell()["olga@example.com"]; ok {
			_, after, _ := strings.Cut(strings.ReplaceAll(l.Text, "\n", " "), "expires within ")
			days, _, _ := strings.Cut(after, ",")
			letters = append(letters, days)
		}
		w.clock.pass(24 * time.Hour)
	}
	if got := strings.Join(letters, "; "); got != "60 days; 30 days; 14 days; 7 days; a day" {
		t.Errorf("letters about: %s", got)
	}
	must(t, w.scope.RemoveCredential(t.Context(), c.ID))
	_, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
}
