package switchboard_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// upload hands over a new key for the world's app, which Apple may or may not know.
func (w *world) upload(keyID string, known bool) tenants.Credential {
	w.t.Helper()
	_, file, err := apnstest.NewKey("TEAM000001", keyID)
	must(w.t, err)
	config := w.config
	if !known {
		config.Opened = nil
	}
	b, err := switchboard.New(config)
	must(w.t, err)
	c, err := b.AddCredential(w.t.Context(), w.caller, switchboard.Upload{Filename: "k.p8", File: file, Bundle: w.bundle, Team: "TEAM000001", KeyID: keyID})
	must(w.t, err)
	must(w.t, b.Close(context.Background()))
	return c
}

func TestProbeSaysWhatIsWrong(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	w.clock.stop() // probes come back with time
	w.config.Probe = w.config.Push.(*push.Sender)
	w.open()
	good, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
	p, err := w.board.Probe(t.Context(), w.caller, good[0].ID)
	must(t, err)
	if !p.OK || len(p.Verdicts) != 2 || !strings.Contains(p.Summary, "key, team and app belong together") {
		t.Errorf("%+v", p)
	}
	bad := w.upload("KEY0000009", false)
	if p, err = w.board.Probe(t.Context(), w.caller, bad.ID); err != nil || p.OK || !strings.Contains(p.Summary, "team id, key id and .p8 file") {
		t.Errorf("%+v %v", p, err)
	}
	after, err := w.scope.Credential(t.Context(), bad.ID)
	must(t, err)
	if after.State != tenants.CredentialDisabled || after.LastError != "InvalidProviderToken" {
		t.Errorf("a key that both hosts call invalid: %+v", after)
	}
	_, err = w.board.Probe(t.Context(), w.caller, good[0].ID)
	must(t, err)
	if code, wait := refusedBy(second(w.board.Probe(t.Context(), w.caller, good[0].ID))); code != "too_many_probes" || wait <= 0 || wait > 10*time.Second {
		t.Errorf("the fourth probe: %s, wait %v", code, wait)
	}
	if _, err := w.board.Probe(t.Context(), w.caller, "nobody's"); tenants.KindOf(err) != tenants.Unknown {
		t.Errorf("an unknown credential: %v", err)
	}
	w.config.Probe = nil
	w.open()
	if _, err := w.board.Probe(t.Context(), w.caller, good[0].ID); tenants.KindOf(err) != tenants.Unavailable {
		t.Errorf("without a prober: %v", err)
	}
}

func second[T any](_ T, err error) error { return err }

// TestABadReplacementIsRolledBack: the new key was typed wrong; one click brings the old one back, and phones ring again.
func TestABadReplacementIsRolledBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	d := w.device("")
	old, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
	bad := w.upload("KEY0000009", false)
	r := w.state(w.place(tenants.Request{To: tenants.To{Device: d.ID}}).ID, tenants.Failed)
	if r.Attempts[0].Credential != bad.ID || r.Attempts[0].Push.Reason != "InvalidProviderToken" {
		t.Fatalf("pushed with %s: %s", r.Attempts[0].Credential, r.Attempts[0].Push.Reason)
	}
	w.eventually("disabled", func() bool {
		c, err := w.scope.Credential(t.Context(), bad.ID)
		return err == nil && c.State == tenants.CredentialDisabled
	})
	back, err := w.board.Rollback(t.Context(), w.caller, bad.ID)
	must(t, err)
	if back.ID != old[0].ID {
		t.Errorf("back to %s", back.ID)
	}
	w.state(w.place(tenants.Request{To: tenants.To{Device: d.ID}}).ID, tenants.Pushed)
	w.eventually("nothing is wrong any more", func() bool { return len(w.alerts(tenants.AlertCredential)) == 0 })
}

func TestUploadsAreFew(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	try := func(c switchboard.Caller) error {
		_, err := w.board.AddCredential(t.Context(), c, switchboard.Upload{Filename: "x.p8", File: []byte("rubbish"), Bundle: w.bundle, Team: "TEAM000001", KeyID: "KEY0000001"})
		return err
	}
	w.clock.stop()
	w.open() // with nothing used up
	for range 20 {
		if err := try(w.caller); tenants.KindOf(err) != tenants.Invalid {
			t.Fatal(err)
		}
	}
	if code, wait := refusedBy(try(w.caller)); code != "too_many_uploads" || wait <= 0 || wait > 20*time.Second {
		t.Errorf("the 21st: %s, wait %v", code, wait)
	}
	other := w.caller
	other.Tenant.ID = "another"
	if err := try(other); tenants.KindOf(err) != tenants.Invalid {
		t.Errorf("another tenant pays for it: %v", err)
	}
}

func TestExpiryIsToldInSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	for range 3 {
		w.device("")
	}
	old, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
	must(t, w.scope.RemoveCredential(t.Context(), old[0].ID))
	ends := w.clock.now().Add(90 * 24 * time.Hour)
	c := tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](w.clock.now()), Kind: tenants.P12, Bundle: w.bundle, Environment: tenants.Auto, NotAfter: ends,
		Fingerprint: "one", State: tenants.CredentialActive, CreatedAt: w.clock.now(),
	}
	must(t, w.scope.AddCredential(t.Context(), c, []byte("x")))
	look := func(left time.Duration, want string, count int64) {
		t.Helper()
		w.clock.pass(ends.Sub(w.clock.now()) - left)
		for range 2 { // the second time it is no news
			must(t, w.board.Review(t.Context()))
		}
		list := w.alerts(tenants.AlertExpiry)
		if want == "" && len(list) == 0 {
			return
		}
		if len(list) != 1 || !strings.Contains(list[0].Detail, want) || list[0].Count != count || list[0].Target != string(c.ID) {
			t.Errorf("%v before the end: %+v, want %q", left, list, want)
		}
	}
	day := 24 * time.Hour
	look(80*day, "", 0)
	look(59*day, "within 60 days", 1)
	look(40*day, "within 60 days", 1)
	look(29*day, "within 30 days", 2)
	look(13*day, "within 14 days", 3)
	look(5*day, "3 devices go silent", 4)
	look(time.Hour, "within a day", 5)
	look(-time.Hour, "expired on", 6)
	w.upload("KEY0000002", true)
	must(t, w.board.Review(t.Context()))
	if list := w.alerts(tenants.AlertExpiry); len(list) != 0 {
		t.Errorf("replaced, and still told: %+v", list)
	}
}

// TestAnOldRefusalIsForgiven: the process that raised the alert is gone; the credential has worked since.
func TestAnOldRefusalIsForgiven(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	creds, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
	target := string(creds[0].ID)
	_, err = w.scope.Alert(t.Context(), tenants.AlertTokensRefused, target, "x")
	must(t, err)
	open := func(want int) {
		t.Helper()
		must(t, w.board.Review(t.Context()))
		if n := len(w.alerts(tenants.AlertTokensRefused)); n != want {
			t.Fatalf("%d alerts, want %d", n, want)
		}
	}
	w.clock.pass(2 * time.Hour)
	open(1) // not used since
	must(t, w.scope.CredentialUsed(t.Context(), creds[0].ID, w.clock.now()))
	open(0)
	_, err = w.scope.Alert(t.Context(), tenants.AlertTokensRefused, target, "x")
	must(t, err)
	w.clock.pass(2 * time.Minute)
	must(t, w.scope.CredentialUsed(t.Context(), creds[0].ID, w.clock.now()))
	open(1) // too soon
}
