package push_test

import (
	"strings"
	"testing"

	"carillon/app/push"
	"carillon/app/push/apnstest"
)

// TestReactions covers each reason of Apple's page "Handling notification responses from APNs".
func TestReactions(t *testing.T) {
	t.Parallel()
	const bug = push.AlertBug
	rows := []struct {
		status int
		reason string
		ring   push.RingStep
		device push.DeviceStep
		cred   push.CredentialStep
		alert  push.Alert
	}{
		{200, "", push.Deliver, push.TouchDevice, push.HealthyCredential, push.NoAlert},
		{400, "BadDeviceToken", push.TryOther, push.SuspectDevice, push.WatchMass, push.AlertMass},
		{400, "DeviceTokenNotForTopic", push.Fail, push.RetireDevice, push.CheckBundle, push.AlertMass},
		{400, "TopicDisallowed", push.Fail, push.KeepDevice, push.RejectTopic, push.AlertOwner},
		{400, "BadTopic", push.Fail, push.KeepDevice, push.CheckBundle, bug},
		{400, "MissingTopic", push.Fail, push.KeepDevice, push.CheckBundle, bug},
		{400, "MissingDeviceToken", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "InvalidPushType", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "BadPriority", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "BadExpirationDate", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "BadMessageId", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "BadCollapseId", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "DuplicateHeaders", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "PayloadEmpty", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{400, "IdleTimeout", push.Reconnect, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{403, "ExpiredProviderToken", push.NewToken, push.KeepDevice, push.CheckClock, push.AlertRepeat},
		{403, "InvalidProviderToken", push.Fail, push.KeepDevice, push.DisableCredential, push.AlertOwner},
		{403, "MissingProviderToken", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{403, "UnrelatedKeyIdInToken", push.Reconnect, push.KeepDevice, push.KeepCredential, bug},
		{403, "BadEnvironmentKeyIdInToken", push.TryOther, push.KeepDevice, push.OneEnvironment, push.AlertOwner},
		{403, "BadEnvironmentKeyInToken", push.TryOther, push.KeepDevice, push.OneEnvironment, push.AlertOwner},
		{403, "SomethingNew", push.Fail, push.KeepDevice, push.NoteCredential, push.AlertOwner},
		{401, "SomethingNew", push.Fail, push.KeepDevice, push.NoteCredential, push.AlertOwner},
		{403, "BadCertificate", push.Fail, push.KeepDevice, push.DisableCredential, push.AlertOwner},
		{403, "BadCertificateEnvironment", push.TryOther, push.KeepDevice, push.DisableForHost, push.AlertOwner},
		{403, "Forbidden", push.Fail, push.KeepDevice, push.SuspectCredential, push.AlertOwner},
		{404, "BadPath", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{405, "MethodNotAllowed", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{410, "Unregistered", push.Fail, push.RetireIfOlder, push.KeepCredential, push.NoAlert},
		{410, "ExpiredToken", push.Fail, push.RetireIfOlder, push.KeepCredential, push.NoAlert},
		{413, "PayloadTooLarge", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{429, "TooManyRequests", push.Fail, push.KeepDevice, push.CoolDown, push.AlertRepeat},
		{429, "TooManyProviderTokenUpdates", push.PreviousToken, push.KeepDevice, push.FreezeMinting, push.AlertOwner},
		{500, "InternalServerError", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{503, "ServiceUnavailable", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{503, "Shutdown", push.Elsewhere, push.KeepDevice, push.KeepCredential, push.NoAlert},
		{400, "SomethingNew", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{410, "SomethingNew", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{503, "SomethingNew", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{500, "SomethingNew", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{499, "SomethingNew", push.Fail, push.KeepDevice, push.KeepCredential, bug},
		{429, "SomethingNew", push.Fail, push.KeepDevice, push.CoolDown, push.AlertRepeat},
		{401, "MissingProviderToken", push.Fail, push.KeepDevice, push.KeepCredential, bug}, // some answer so
		{522, "", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{502, "", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{307, "", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{403, "", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
		{0, "", push.TryAgain, push.KeepDevice, push.KeepCredential, push.AlertRate},
	}
	seen := map[string]bool{}
	if r := push.ReactionTo(400, "DeviceTokenNotForTopic"); !strings.Contains(r.Cure, "PushKit") || !strings.Contains(r.Cure, "bundle id") {
		t.Errorf("a token for alerts is explained by %q", r.Cure)
	}
	for _, row := range rows {
		seen[row.reason] = true
		r := push.ReactionTo(row.status, row.reason)
		if r.Ring != row.ring || r.Device != row.device || r.Credential != row.cred || r.Alert != row.alert {
			t.Errorf("%d %s: %+v", row.status, row.reason, r)
		}
		if !strings.HasSuffix(r.Cause, ".") || r.Alert != push.NoAlert && r.Alert != push.AlertMass && !strings.HasSuffix(r.Cure, ".") {
			t.Errorf("%d %s says %q, %q", row.status, row.reason, r.Cause, r.Cure)
		}
	}
	for _, reason := range apnstest.Reasons() {
		if !seen[reason] {
			t.Errorf("%s has no row", reason)
		}
	}
}

func FuzzReactionTo(f *testing.F) {
	f.Add(400, "BadDeviceToken")
	f.Add(-1, "")
	f.Fuzz(func(t *testing.T, status int, reason string) {
		if r := push.ReactionTo(status, reason); r.Ring == "" || r.Device == "" || r.Credential == "" || r.Alert == "" || r.Cause == "" {
			t.Fatalf("%d %q: %+v", status, reason, r)
		}
	})
}
