package health_test

import (
	"strings"
	"testing"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// TestKeyExpiryIsMailed: who made a key and those who manage keys hear 14 and 3 days before it
// expires, once each; its end closes the alert.
func TestKeyExpiryIsMailed(t *testing.T) {
	t.Parallel()
	w := newMailWorld(t)
	day := 24 * time.Hour
	members, _, err := w.scope.Members().List(t.Context(), store.Page{})
	must(t, err)
	var maker tenants.UserID
	for _, m := range members {
		if m.Role == tenants.Viewer { // a viewer who could make keys once
			maker = m.User
		}
	}
	k := tenants.Key{ID: tenants.NewID[tenants.KeyID](w.clock.Now()), Name: "Booking", Permissions: tenants.Scopes(), MadeBy: maker,
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(90 * day)}
	must(t, w.scope.Keys().Add(t.Context(), k, tenants.Secret("key").Hash()))
	look := func(left time.Duration, mails int) {
		t.Helper()
		w.clock.Pass(k.ExpiresAt.Sub(w.clock.Now()) - left)
		for range 2 {
			must(t, w.monitor.ReviewKeys(t.Context()))
		}
		got := w.send()
		for to, m := range got {
			if !strings.Contains(m.Text, "“Booking” expires on") {
				t.Errorf("to %s: %q", to, m.Text)
			}
		}
		if len(got) != mails || mails > 0 && got["vera@example.com"].To == "" {
			t.Errorf("%v before the end: %d mails, want %d", left, len(got), mails)
		}
	}
	look(20*day, 0)
	look(13*day, 3)
	look(5*day, 0)
	look(2*day, 3)
	look(day, 0)
	if n := len(w.alerts(tenants.AlertKeyExpiry)); n != 1 {
		t.Errorf("%d open alerts", n)
	}
	look(-time.Minute, 0)
	if n := len(w.alerts(tenants.AlertKeyExpiry)); n != 0 {
		t.Errorf("expired, and %d alerts are open", n)
	}
	got, err := w.scope.Keys().Get(t.Context(), k.ID)
	must(t, err)
	if got.RevokedAt.UnixMicro() != k.ExpiresAt.UnixMicro() {
		t.Errorf("the end was not noted: %v", got.RevokedAt)
	}
}

// TestAClosedKeyAlertStaysClosed until the next step.
func TestAClosedKeyAlertStaysClosed(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	day := 24 * time.Hour
	k := tenants.Key{ID: tenants.NewID[tenants.KeyID](w.clock.Now()), Name: "Booking", Permissions: tenants.Scopes(),
		CreatedAt: w.clock.Now(), ExpiresAt: w.clock.Now().Add(20 * day)}
	must(t, w.scope.Keys().Add(t.Context(), k, tenants.Secret("key").Hash()))
	look := func(pass time.Duration, open int) {
		t.Helper()
		w.clock.Pass(pass)
		must(t, w.monitor.ReviewKeys(t.Context()))
		if n := len(w.alerts(tenants.AlertKeyExpiry)); n != open {
			t.Errorf("%d open alerts, want %d", n, open)
		}
	}
	look(8*day, 1)
	must(t, w.scope.Alerts().Resolve(t.Context(), tenants.AlertKeyExpiry, string(k.ID)))
	look(day, 0)
	look(9*day, 1)
	k.ExpiresAt = k.ExpiresAt.Add(100 * day)
	must(t, w.scope.Keys().Change(t.Context(), k))
	look(0, 0)
}
