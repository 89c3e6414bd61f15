package health_test

import (
	"strings"
	"testing"

	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

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
	return outcome{status: status, cred: [2]tenants.CredentialState{tenants.CredentialActive, tenants.CredentialActive},
		environment: tenants.Auto}
}

func (o outcome) with(change func(*outcome)) outcome { change(&o); return o }

// reactions is the table of app/push/reaction.go as the tenant sees it.
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
		"BadEnvironmentKeyInToken":    plain(403).with(half),
		"SomethingForbidden":          plain(403).with(told), // never disables, and its owner gets Apple's words
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
	for _, ours := range []string{"MissingDeviceToken", "InvalidPushType", "BadPriority", "BadExpirationDate", "BadMessageId",
		"BadCollapseId", "DuplicateHeaders", "PayloadEmpty"} {
		all[ours] = plain(400).with(bug)
	}
	return all
}

// Each reason changes the device, the credential, the alerts and the log as the table says, and
// nothing else.
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
			w := newWorld(t)
			w.apple.Say(want.status, reason)
			d := w.device("")
			for i := range 2 {
				if r := w.ringOnce(d); r != nil && r.Attempts[0].Push.Status != want.status {
					t.Errorf("Apple answered %d", r.Attempts[0].Push.Status)
				}
				w.checkReaction(d, reason, want, i)
			}
			if got := w.log.count("for a reason that is ours") > 0; got != want.bug {
				t.Errorf("the log says that it is ours: %v", got)
			}
		})
	}
}

func (w *world) checkReaction(d tenants.Device, reason string, want outcome, i int) {
	w.t.Helper()
	got, err := w.scope.Devices().Get(w.t.Context(), d.ID)
	must(w.t, err)
	if dead := got.State == tenants.DeviceDisabled; dead != want.dead[i] || dead && got.DisabledReason != reason {
		w.t.Errorf("ring %d: the device is %s (%s)", i+1, got.State, got.DisabledReason)
	}
	c := w.credential()
	if c.State != want.cred[i] || c.Environment != want.environment || (c.LastError == reason && reason != "") != want.marked {
		w.t.Errorf("ring %d: the credential is %s for %s, and says %q", i+1, c.State, c.Environment, c.LastError)
	}
	open, err := w.scope.Alerts().List(w.t.Context(), false)
	must(w.t, err)
	times := int64(0)
	for _, a := range open {
		if a.Kind != want.alert || a.Target != string(c.ID) ||
			!strings.HasPrefix(a.Detail, reason+": ") || !strings.HasSuffix(a.Detail, ".") {
			w.t.Errorf("ring %d: %+v", i+1, a)
		}
		times += a.Count
	}
	if times != want.alerts[i] {
		w.t.Errorf("ring %d: %d alerts, want %d", i+1, times, want.alerts[i])
	}
}

// A key for one environment is used for that one only. A device whose environment is unknown is
// rung all the same; the credential learns, the next ring asks the right host at once, and a
// production device is refused with the cause.
func TestAKeyOfOneEnvironmentIsUsedForThatOneOnly(t *testing.T) {
	t.Parallel()
	w, _ := realWorld(t, apnstest.Sandbox)
	c := w.credential()
	d := w.device("")
	d.Environment = tenants.Auto
	must(t, w.scope.Devices().Set(t.Context(), d))

	w.ringOnce(d)
	got, err := w.scope.Credentials().Get(t.Context(), c.ID)
	must(t, err)
	if got.Environment != tenants.Sandbox || got.State != tenants.CredentialActive || got.LastError != "BadEnvironmentKeyIdInToken" {
		t.Errorf("%+v", got)
	}
	if a := w.alerts(tenants.AlertCredential); len(a) != 1 || a[0].Target != string(c.ID) || a[0].Count != 1 {
		t.Errorf("%+v", a)
	}
	learnt, err := w.scope.Devices().Get(t.Context(), d.ID)
	must(t, err)
	if learnt.Learnt != tenants.Sandbox {
		t.Errorf("the device's environment is %q", learnt.Learnt)
	}
	fresh := w.device("")
	fresh.Environment = tenants.Auto
	must(t, w.scope.Devices().Set(t.Context(), fresh))
	r := w.ringOnce(fresh)
	if p := r.Attempts[0].Push; r.State != tenants.Pushed || p.Tries != 1 || p.Environment != tenants.Sandbox {
		t.Errorf("the next device was asked for with %+v", p)
	}
	_, _, err = w.board.Place(t.Context(), w.caller, tenants.Request{To: tenants.To{Device: w.device("").ID}}, store.Idempotency{})
	if tenants.KindOf(err) != tenants.Forbidden || !strings.Contains(err.Error(), "in the production environment") {
		t.Errorf("a production device: %v", err)
	}
}

// When a dozen pushes fail for no fault of a tenant's, the log says so once.
func TestTheLogSaysThatAppleIsInTrouble(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.apple.Say(503, "ServiceUnavailable")
	for i := range 12 {
		if told := w.log.count("has trouble") > 0; told != (i >= 10) {
			t.Fatalf("after %d pushes the log says so: %v", i, told)
		}
		w.ringOnce(w.device(""))
	}
	if n := w.log.count("has trouble"); n != 1 {
		t.Errorf("it says so %d times", n)
	}
}
