package health_test

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
)

func TestExpiryAlertsComeInSteps(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for range 3 {
		w.device("")
	}
	must(t, w.scope.Credentials().Remove(t.Context(), w.credential().ID))
	ends := w.clock.Now().Add(90 * 24 * time.Hour)
	c := tenants.Credential{
		ID: tenants.NewID[tenants.CredentialID](w.clock.Now()), Kind: tenants.P12, Bundle: bundle, Environment: tenants.Auto,
		NotAfter: ends, Fingerprint: "one", State: tenants.CredentialActive, CreatedAt: w.clock.Now(),
	}
	must(t, w.scope.Credentials().Add(t.Context(), c, []byte("x")))
	look := func(left time.Duration, want string, count int64) {
		t.Helper()
		w.clock.Pass(ends.Sub(w.clock.Now()) - left)
		for range 2 { // the second time changes nothing
			must(t, w.monitor.Review(t.Context()))
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
	if at := w.monitor.NextExpiry(); at.Unix() != ends.Unix() {
		t.Errorf("the next expiry is %s, want %s", at, ends)
	}
	w.upload("TEAM000001", "KEY0000002")
	must(t, w.monitor.Review(t.Context()))
	if at := w.monitor.NextExpiry(); !at.IsZero() {
		t.Errorf("replaced, and the next expiry is still %s", at)
	}
	if list := w.alerts(tenants.AlertExpiry); len(list) != 0 {
		t.Errorf("replaced, and the alert is still open: %+v", list)
	}
}

// The process that raised the alert has ended; the credential has worked since.
func TestAnOldRefusalIsResolved(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	c := w.credential()
	target := string(c.ID)
	_, err := w.scope.Alerts().Raise(t.Context(), tenants.AlertTokensRefused, target, "x")
	must(t, err)
	open := func(want int) {
		t.Helper()
		must(t, w.monitor.Review(t.Context()))
		if n := len(w.alerts(tenants.AlertTokensRefused)); n != want {
			t.Fatalf("%d alerts, want %d", n, want)
		}
	}
	w.clock.Pass(2 * time.Hour)
	open(1) // not used since
	must(t, w.scope.Credentials().NoteUse(t.Context(), c.ID, w.clock.Now()))
	open(0)
	_, err = w.scope.Alerts().Raise(t.Context(), tenants.AlertTokensRefused, target, "x")
	must(t, err)
	w.clock.Pass(2 * time.Minute)
	must(t, w.scope.Credentials().NoteUse(t.Context(), c.ID, w.clock.Now()))
	open(1) // too soon
}
