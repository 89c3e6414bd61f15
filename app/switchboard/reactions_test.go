package switchboard_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// notes is a log that a test reads.
type notes struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (n *notes) Write(p []byte) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.text.Write(p)
}

func (n *notes) say(what string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	return strings.Contains(n.text.String(), what)
}

// outcome is what a reason leaves behind, after the first ring and after the second.
type outcome struct {
	status      int
	dead        [2]bool // the device
	cred        [2]tenants.CredentialState
	environment tenants.Environment // of the credential, which was for both
	marked      bool                // the credential says what is wrong
	alert       tenants.AlertKind
	alerts      [2]int64 // how often it was raised
	bug         bool     // the log says that it is ours
}

func plain(status int) outcome {
	return outcome{status: status, cred: [2]tenants.CredentialState{tenants.CredentialActive, tenants.CredentialActive}, environment: tenants.Auto}
}

func (o outcome) with(change func(*outcome)) outcome { change(&o); return o }

// reactions is reference page apns.md, 3.3, as the tenant sees it.
func reactions() map[string]outcome {
	bug := func(o *outcome) { o.bug = true }
	gone := func(o *outcome) { o.dead = [2]bool{true, true} }
	told := func(o *outcome) { o.marked, o.alert, o.alerts = true, tenants.AlertCredential, [2]int64{1, 2} }
	off := func(o *outcome) {
		told(o)
		o.cred, o.alerts[1] = [2]tenants.CredentialState{tenants.CredentialDisabled, tenants.CredentialDisabled}, 1
	}
	half := func(o *outcome) { told(o); o.environment, o.alerts[1] = tenants.Sandbox, 1 }
	all := map[string]outcome{
		"":                            plain(200),
		"BadDeviceToken":              plain(400).with(func(o *outcome) { o.dead[1] = true }),
		"DeviceTokenNotForTopic":      plain(400).with(gone),
		"TopicDisallowed":             plain(400).with(told),
		"BadTopic":                    plain(400).with(func(o *outcome) { o.marked, o.bug = true, true }),
		"MissingTopic":                plain(400).with(func(o *outcome) { o.marked, o.bug = true, true }),
		"IdleTimeout":                 plain(400),
		"ExpiredProviderToken":        plain(403).with(func(o *outcome) { told(o); o.alerts = [2]int64{0, 1} }),
		"InvalidProviderToken":        plain(403).with(off),
		"MissingProviderToken":        plain(403).with(bug),
		"UnrelatedKeyIdInToken":       plain(403).with(bug),
		"BadEnvironmentKeyIdInToken":  plain(403).with(half),
		"BadCertificate":              plain(403).with(off),
		"BadCertificateEnvironment":   plain(403).with(half),
		"Forbidden":                   plain(403).with(func(o *outcome) { told(o); o.cred[1] = tenants.CredentialDisabled }),
		"BadPath":                     plain(404).with(bug),
		"MethodNotAllowed":            plain(405).with(bug),
		"Unregistered":                plain(410).with(gone),
		"ExpiredToken":                plain(410).with(gone),
		"PayloadTooLarge":             plain(413).with(bug),
		"TooManyRequests":             plain(429).with(func(o *outcome) { o.alert, o.alerts = tenants.AlertTooOften, [2]int64{0, 1} }),
		"TooManyProviderTokenUpdates": plain(429).with(func(o *outcome) { o.alert, o.alerts = tenants.AlertTooOften, [2]int64{1, 2} }),
		"InternalServerError":         plain(500),
		"ServiceUnavailable":          plain(503),
		"Shutdown":                    plain(503),
		"SomethingNew":                plain(410).with(bug), // never disables
	}
	for _, ours := range []string{"MissingDeviceToken", "InvalidPushType", "BadPriority", "BadExpirationDate", "BadMessageId", "BadCollapseId", "DuplicateHeaders", "PayloadEmpty"} {
		all[ours] = plain(400).with(bug)
	}
	return all
}

// TestEveryReasonDoesWhatTheTableSays, and nothing else: to the ring, the device, the credential, the alerts and the log.
func TestEveryReasonDoesWhatTheTableSays(t *testing.T) {
	t.Parallel()
	table := reactions()
	for _, reason := range apnstest.Reasons() {
		if _, ok := table[reason]; !ok {
			t.Errorf("%s has no row", reason)
		}
	}
	for reason, want := range table {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			var log notes
			w, apple := scripted(t, func(c *switchboard.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
			apple.set(always(want.status, reason))
			d := w.device("")
			for i := range 2 {
				w.ringOnce(d, want.status)
				w.reacted(d, reason, want, i)
			}
			if got := log.say("for a reason that is ours"); got != want.bug {
				t.Errorf("the log says that it is ours: %v", got)
			}
		})
	}
}

// ringOnce rings the device and waits for everything that follows; a device or credential that is out of use by now is refused.
func (w *world) ringOnce(d tenants.Device, status int) {
	w.t.Helper()
	r, _, err := w.board.Place(w.t.Context(), w.caller, tenants.Request{To: tenants.To{Device: d.ID}}, store.Idempotency{})
	if tenants.KindOf(err) == tenants.Forbidden {
		return
	}
	must(w.t, err)
	w.until(r.ID, "answered by Apple", func(r *tenants.Ring) bool {
		over := r.State == tenants.Failed
		if status == 200 {
			over = r.State == tenants.Pushed
		}
		return over && r.Attempts[0].Push.Status == status
	})
	w.eventually("all that follows is done", w.board.Idle)
}

func (w *world) reacted(d tenants.Device, reason string, want outcome, i int) {
	w.t.Helper()
	got, err := w.scope.Device(w.t.Context(), d.ID)
	must(w.t, err)
	if dead := got.State == tenants.DeviceDisabled; dead != want.dead[i] || dead && got.DisabledReason != reason {
		w.t.Errorf("ring %d: the device is %s (%s)", i+1, got.State, got.DisabledReason)
	}
	creds, _, err := w.scope.Credentials(w.t.Context(), store.Page{})
	must(w.t, err)
	if c := creds[0]; c.State != want.cred[i] || c.Environment != want.environment || (c.LastError == reason && reason != "") != want.marked {
		w.t.Errorf("ring %d: the credential is %s for %s, and says %q", i+1, c.State, c.Environment, c.LastError)
	}
	open, err := w.scope.Alerts(w.t.Context(), false)
	must(w.t, err)
	times := int64(0)
	for _, a := range open {
		if a.Kind != want.alert || a.Target != string(creds[0].ID) || !strings.HasPrefix(a.Detail, reason+": ") || !strings.HasSuffix(a.Detail, ".") {
			w.t.Errorf("ring %d: %+v", i+1, a)
		}
		times += a.Count
	}
	if times != want.alerts[i] {
		w.t.Errorf("ring %d: %d alerts, want %d", i+1, times, want.alerts[i])
	}
}

// TestAKeyOfOneEnvironmentIsUsedForThatOneOnly: real answers of Apple. The device that did not say where it lives is rung all the
// same; the credential learns, the next ring asks the right host at once, and production is refused with the cause.
func TestAKeyOfOneEnvironmentIsUsedForThatOneOnly(t *testing.T) {
	t.Parallel()
	w := newWorld(t, tenants.Salon)
	creds, _, err := w.scope.Credentials(t.Context(), store.Page{})
	must(t, err)
	must(t, w.scope.RemoveCredential(t.Context(), creds[0].ID))
	w.config.Opened = func(c tenants.Credential, k *push.Key) {
		public, _ := k.Public()
		must(t, w.apple.Register(apnstest.Key{Team: c.Team, KeyID: c.KeyID, Public: public, Environments: []string{apnstest.Sandbox}}))
	}
	w.open()
	_, file, err := apnstest.NewKey("TEAM000002", "KEY0000002")
	must(t, err)
	c, err := w.board.AddCredential(t.Context(), w.caller, switchboard.Upload{Filename: "AuthKey_KEY0000002.p8", File: file, Bundle: w.bundle, Team: "TEAM000002"})
	must(t, err)
	d := w.device("")
	d.Environment = tenants.Auto
	must(t, w.scope.SetDevice(t.Context(), d))

	w.ringOnce(d, 200)
	got, err := w.scope.Credential(t.Context(), c.ID)
	must(t, err)
	if got.Environment != tenants.Sandbox || got.State != tenants.CredentialActive || got.LastError != "BadEnvironmentKeyIdInToken" {
		t.Errorf("%+v", got)
	}
	if a := w.alerts(tenants.AlertCredential); len(a) != 1 || a[0].Target != string(c.ID) || a[0].Count != 1 {
		t.Errorf("%+v", a)
	}
	learnt, err := w.scope.Device(t.Context(), d.ID)
	must(t, err)
	if learnt.Learnt != tenants.Sandbox {
		t.Errorf("the device lives in %q", learnt.Learnt)
	}
	fresh := w.device("")
	fresh.Environment = tenants.Auto
	must(t, w.scope.SetDevice(t.Context(), fresh))
	r := w.place(tenants.Request{To: tenants.To{Device: fresh.ID}})
	r = w.state(r.ID, tenants.Pushed)
	if p := r.Attempts[0].Push; p.Tries != 1 || p.Environment != tenants.Sandbox {
		t.Errorf("the next device was asked for with %+v", p)
	}
	_, _, err = w.board.Place(t.Context(), w.caller, tenants.Request{To: tenants.To{Device: w.device("").ID}}, store.Idempotency{})
	if tenants.KindOf(err) != tenants.Forbidden || !strings.Contains(err.Error(), "in the production environment") {
		t.Errorf("a production device: %v", err)
	}
}

// TestAppleInTrouble: the log says once that pushes fail by the dozen for no fault of a tenant's.
func TestAppleInTrouble(t *testing.T) {
	t.Parallel()
	var log notes
	w, apple := scripted(t, func(c *switchboard.Config) { c.Log = slog.New(slog.NewTextHandler(&log, nil)) })
	apple.set(always(503, "ServiceUnavailable"))
	for i := range 12 {
		if log.say("has trouble") != (i >= 10) {
			t.Fatalf("after %d pushes the log says so: %v", i, log.say("has trouble"))
		}
		w.ringOnce(w.device(""), 503)
	}
	if n := strings.Count(log.text.String(), "has trouble"); n != 1 {
		t.Errorf("it says so %d times", n)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must(t, w.board.Close(ctx))
}
