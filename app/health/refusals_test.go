package health_test

import (
	"strings"
	"sync"
	"testing"

	"carillon/tenants"
	"carillon/tenants/store"
)

// ringAll places a ring to each, many at a time.
func (w *world) ringAll(list []tenants.Device) {
	w.t.Helper()
	var wg sync.WaitGroup
	next := make(chan tenants.Device)
	for range 50 {
		wg.Go(func() {
			for d := range next {
				if _, _, err := w.board.Place(w.t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}},
					store.Idempotency{}); err != nil && tenants.KindOf(err) != tenants.Forbidden {
					w.t.Error(err)
				}
			}
		})
	}
	for _, d := range list {
		next <- d
	}
	close(next)
	wg.Wait()
}

// One mistake makes Apple refuse a thousand tokens, some of them twice.
func TestAWrongEnvironmentDisablesNoDevice(t *testing.T) {
	t.Parallel()
	for _, reason := range []string{"BadDeviceToken", "DeviceTokenNotForTopic"} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.apple.Say(400, reason)
			const devices = crowded
			all := w.crowd(devices)
			w.ringAll(all)
			w.ringAll(all[:devices/5])
			w.settle()
			if n := w.disabledDevices(); n > devices/100 {
				t.Errorf("%d of %d devices are disabled", n, devices)
			}
			if n := len(w.apple.Pushes()); n < devices*6/5-10 {
				t.Errorf("%d pushes: the test proves nothing", n)
			}
			alerts := w.alerts(tenants.AlertTokensRefused)
			if len(alerts) != 1 || !strings.Contains(alerts[0].Detail, reason) {
				t.Fatalf("alerts %+v", alerts)
			}
			if c := w.credential(); c.LastError != reason || c.State != tenants.CredentialActive || alerts[0].Target != string(c.ID) {
				t.Errorf("the credential: %+v", c)
			}
		})
	}
}

// The first nine devices are disabled before there are enough refusals to see the mistake.
func TestDevicesDisabledByAMassRefusalComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apple.Say(400, "DeviceTokenNotForTopic")
	all := w.crowd(12)
	for i, d := range all {
		w.ringOnce(d)
		if n := w.disabledDevices(); i == 8 && n != 9 {
			t.Errorf("%d devices are disabled after nine rings", n)
		}
	}
	if n, alerts := w.disabledDevices(), len(w.alerts(tenants.AlertTokensRefused)); n != 0 || alerts != 1 {
		t.Errorf("%d devices are disabled, %d alerts", n, alerts)
	}
	w.apple.Say(200, "")
	for _, d := range all {
		if r := w.ringOnce(d); r == nil || r.State != tenants.Pushed {
			t.Errorf("the ring after it: %+v", r)
		}
	}
	if n := len(w.alerts(tenants.AlertTokensRefused)); n != 0 {
		t.Errorf("%d alerts after it ended", n)
	}
}

func TestABadTokenIsDisabledOnTheSecondRefusal(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	d := w.device("")
	ring := func(status int, reason string) {
		t.Helper()
		w.apple.Say(status, reason)
		if r := w.ringOnce(d); r == nil || r.Attempts[0].Push.Status != status {
			t.Fatalf("the ring: %+v", r)
		}
		w.open() // a second process decides the same
	}
	wantActive := func(want bool) {
		t.Helper()
		got, err := w.scope.Devices().Get(t.Context(), d.ID)
		must(t, err)
		if (got.State == tenants.DeviceActive) != want {
			t.Fatalf("the device is %s (%s)", got.State, got.DisabledReason)
		}
	}
	ring(400, "BadDeviceToken")
	wantActive(true)
	ring(200, "")
	ring(400, "BadDeviceToken") // a success came between
	wantActive(true)
	must(t, w.scope.Devices().SetToken(t.Context(), d))
	ring(400, "BadDeviceToken") // a registration came between
	wantActive(true)
	ring(503, "ServiceUnavailable")
	wantActive(true)
	ring(400, "BadDeviceToken") // Apple's trouble says nothing about the token, but it was the last answer
	ring(400, "BadDeviceToken")
	wantActive(false)
}

func TestARefusedCredentialIsDisabledWithAnAlert(t *testing.T) {
	t.Parallel()
	for reason, c := range map[string]struct {
		rings int
		state tenants.CredentialState
	}{
		"InvalidProviderToken": {1, tenants.CredentialDisabled},
		"BadCertificate":       {1, tenants.CredentialDisabled},
		"Forbidden":            {2, tenants.CredentialDisabled},
		"TopicDisallowed":      {2, tenants.CredentialActive},
	} {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t)
			w.apple.Say(403, reason)
			for i := range c.rings {
				w.ringOnce(w.device(""))
				if a := w.alerts(tenants.AlertCredential); len(a) != 1 || a[0].Count != int64(i+1) {
					t.Errorf("after ring %d: %+v", i+1, a)
				}
			}
			if got := w.credential(); got.State != c.state || got.LastError != reason {
				t.Errorf("%+v", got)
			}
			if n := w.disabledDevices(); n != 0 {
				t.Errorf("%d devices are disabled for it", n)
			}
		})
	}
}
