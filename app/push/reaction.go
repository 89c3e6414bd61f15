package push

// RingStep is what an answer means for this push.
type RingStep string

// The steps. Sender takes all of them itself within the ring's time, except Deliver and Fail, which
// are final.
const (
	Deliver       RingStep = "wait_for_phone" // accepted: now the phone must report
	Fail          RingStep = "fail"           // another try would not help
	TryOther      RingStep = "other_host"     // the other environment, if the right one is not known
	TryAgain      RingStep = "try_again"      // a fault at Apple: again, with jitter, until the ring's time is up
	Reconnect     RingStep = "new_connection" // the connection is at fault: once more on another
	NewToken      RingStep = "new_token"      // a newer provider token on another connection, once
	PreviousToken RingStep = "previous_token" // the provider token before, on another connection, once
	Elsewhere     RingStep = "elsewhere"      // the server is shutting down: another connection at once
)

// DeviceStep is what an answer means for the device token.
type DeviceStep string

// The steps for a device token.
const (
	KeepDevice    DeviceStep = "keep"
	TouchDevice   DeviceStep = "touch"            // it works: record when
	SuspectDevice DeviceStep = "suspect"          // disable after the second failure, unless many tokens of a credential fail at once
	RetireDevice  DeviceStep = "disable"          // it belongs to another app
	RetireIfOlder DeviceStep = "disable_if_older" // only if Timestamp is later than the last registration
)

// CredentialStep is what an answer means for the credential.
type CredentialStep string

// The steps for a credential.
const (
	KeepCredential    CredentialStep = "keep"
	HealthyCredential CredentialStep = "healthy"
	SuspectCredential CredentialStep = "suspect" // disable if repeated
	DisableCredential CredentialStep = "disable" // at once
	DisableForHost    CredentialStep = "disable_for_host"
	OneEnvironment    CredentialStep = "one_environment" // it works on the other host only
	NoteCredential    CredentialStep = "note"            // refused for an unknown reason: record it, disable nothing
	RejectTopic       CredentialStep = "reject_topic"    // it may not push to this app
	CheckBundle       CredentialStep = "check_bundle"    // its bundle id is probably mistyped
	WatchMass         CredentialStep = "watch_mass"      // over 20 % of its tokens in ten minutes: stop disabling devices
	CoolDown          CredentialStep = "cool_down"       // push less to this device
	FreezeMinting     CredentialStep = "freeze_minting"  // Sender has done so; another program probably uses the same key
	CheckClock        CredentialStep = "check_clock"
)

// Alert says whom an answer is reported to, and when.
type Alert string

// The alerts.
const (
	NoAlert     Alert = "none"
	AlertMass   Alert = "on_mass"   // when many happen
	AlertRate   Alert = "on_rate"   // when the rate rises
	AlertRepeat Alert = "on_repeat" // when it happens again
	AlertOwner  Alert = "owner"     // the tenant's owner, at once
	AlertBug    Alert = "bug"       // the makers of Carillon
)

// Reaction says what to do after one of Apple's answers, and explains it to a person.
type Reaction struct {
	Ring       RingStep
	Device     DeviceStep
	Credential CredentialStep
	Alert      Alert
	Cause      string // one sentence for the tenant's staff
	Cure       string // what they or their developer can do; empty when there is nothing to do
}

// ReactionTo returns the Reaction to an answer. An unknown reason is judged by its status and
// disables nothing. Status 0 means that no answer came.
func ReactionTo(status int, reason string) Reaction {
	if status == 200 {
		return accepted
	}
	if r, ok := reactions[reason]; ok {
		return r
	}
	switch {
	case status == 0:
		return unanswered
	case status >= 500:
		return serverTrouble
	case status == 429:
		return reactions["TooManyRequests"]
	case reason == "":
		return notApple
	case status == 401, status == 403:
		return unknownForbidden
	}
	return unknownReason
}

var (
	accepted = Reaction{Deliver, TouchDevice, HealthyCredential, NoAlert,
		"Apple accepted the push; that does not mean that the phone rang.", ""}
	unanswered = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Apple did not answer.",
		"Nothing to do at first. If it continues, check that this server reaches Apple's push hosts on port 443 or 2197."}
	serverTrouble = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Apple's push service, or a proxy in front of it, reported an error.", "Nothing to do; Carillon tries again while the ring lasts."}
	notApple = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Something other than Apple answered the push, probably a proxy.",
		"Check for a proxy or firewall between this server and Apple's push hosts."}
	unknownReason = Reaction{Fail, KeepDevice, KeepCredential, AlertBug,
		"Apple refused the push for a reason that Carillon does not know yet.", "Report the reason shown here to the makers of Carillon."}
	// These statuses are about the key or certificate, so its owner can probably mend the fault.
	unknownForbidden = Reaction{Fail, KeepDevice, NoteCredential, AlertOwner,
		"Apple refused this key or certificate for a reason that Carillon does not know yet.",
		"Check the key or certificate in your Apple developer account. Apple explains the reason on its page " +
			"\"Handling notification responses from APNs\"."}
	oneEnvironment = Reaction{TryOther, KeepDevice, OneEnvironment, AlertOwner,
		"The key is limited to the other of Apple's two environments.",
		"Make a key for sandbox and production on Apple's page Keys, or set the credential's environment to the one it was made for."}
)

const (
	bugCause     = "Carillon sent a request that Apple does not accept."
	bugCure      = "This is a fault in Carillon. Report it to the makers of Carillon with the reason shown here."
	appleTrouble = "Apple's push service reported an error."
	waitCure     = "Nothing to do; Carillon tries again while the ring lasts."
)

// reactions has an entry for each reason in the table of Apple's page "Handling notification
// responses from APNs". What Carillon does about each is its own choice.
var reactions = map[string]Reaction{
	"BadDeviceToken": {TryOther, SuspectDevice, WatchMass, AlertMass,
		"The device token is wrong, or it belongs to the other of Apple's two environments.",
		"Set the device's environment to auto, or register the token the app gets at launch. " +
			"Builds from Xcode use sandbox; TestFlight and the App Store use production."},
	"DeviceTokenNotForTopic": {Fail, RetireDevice, CheckBundle, AlertMass,
		"The device token belongs to another app than the credential's bundle id, or it is no PushKit token.",
		"Compare the bundle id in Xcode with the credential's. Register the token that PushKit gives the app for VoIP: " +
			"the app's token for remote notifications is another one and cannot ring."},
	"TopicDisallowed": {Fail, KeepDevice, RejectTopic, AlertOwner,
		"This key or certificate may not push to this app.",
		"Check the bundle id, and on Apple's page Keys whether the key is limited to other apps. " +
			"A certificate must be a VoIP Services Certificate of this app."},
	"BadTopic": {Fail, KeepDevice, CheckBundle, AlertBug,
		"Apple does not know the topic, which is the bundle id followed by .voip.",
		"Check the bundle id of the credential letter by letter."},
	"MissingTopic": {Fail, KeepDevice, CheckBundle, AlertBug, bugCause,
		"Check that the credential has a bundle id. If it has one, report this to the makers of Carillon."},

	"MissingDeviceToken": {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"InvalidPushType":    {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"BadPriority":        {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"BadExpirationDate":  {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"BadMessageId":       {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"BadCollapseId":      {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"DuplicateHeaders":   {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"PayloadEmpty":       {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"PayloadTooLarge":    {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"BadPath":            {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"MethodNotAllowed":   {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},

	"IdleTimeout": {Reconnect, KeepDevice, KeepCredential, AlertRate,
		"Apple closed a connection that was idle.", "Nothing to do; Carillon opened another."},
	"Shutdown": {Elsewhere, KeepDevice, KeepCredential, NoAlert,
		"One of Apple's servers was shutting down.", "Nothing to do; Carillon used another."},

	"ExpiredProviderToken": {NewToken, KeepDevice, CheckClock, AlertRepeat,
		"Apple says that the provider token is too old; the clock of this server may be wrong.",
		"Check that the server's clock is set by NTP."},
	"InvalidProviderToken": {Fail, KeepDevice, DisableCredential, AlertOwner,
		"Apple does not accept the key: team id, key id and .p8 file do not belong together, or the key was revoked.",
		"Compare team id and key id with Apple's page Keys and upload the .p8 file of that key again; if it was revoked, make a new key."},
	"MissingProviderToken": {Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure},
	"UnrelatedKeyIdInToken": {Reconnect, KeepDevice, KeepCredential, AlertBug,
		"Apple saw two keys on one connection.",
		"Nothing to do; Carillon opened another. If it continues, report it to the makers of Carillon."},
	"BadEnvironmentKeyIdInToken": oneEnvironment,
	"BadEnvironmentKeyInToken":   oneEnvironment, // Apple's page has the other name; its hosts have sent this one
	"BadCertificate": {Fail, KeepDevice, DisableCredential, AlertOwner,
		"Apple does not accept the certificate; it is expired, revoked or not for push.",
		"Make a new VoIP Services Certificate on Apple's page Certificates and upload it with its key, " +
			"or use a .p8 key, which does not expire."},
	"BadCertificateEnvironment": {TryOther, KeepDevice, DisableForHost, AlertOwner,
		"The certificate is for the other of Apple's two environments.",
		"Upload a VoIP Services Certificate, which serves both, or a .p8 key."},
	"Forbidden": {Fail, KeepDevice, SuspectCredential, AlertOwner,
		"Apple forbids this push to this key or certificate.",
		"Check in the developer account that the membership is active, its agreements are signed and the key is not limited."},

	"Unregistered": {Fail, RetireIfOlder, KeepCredential, NoAlert,
		"The app was removed from the phone, or its token was replaced.",
		"Open the app on that phone once: it registers its new token at launch."},
	"ExpiredToken": {Fail, RetireIfOlder, KeepCredential, NoAlert,
		"The device token has expired.", "Open the app on that phone once: it registers its new token at launch."},

	"TooManyRequests": {Fail, KeepDevice, CoolDown, AlertRepeat,
		"Apple got too many pushes for this phone in a short time.", "Ring this phone less often; wait a few minutes."},
	"TooManyProviderTokenUpdates": {PreviousToken, KeepDevice, FreezeMinting, AlertOwner,
		"Apple sees too many different provider tokens of this team.",
		"Another program of the team signs tokens too often. It must use each one for at least 20 minutes."},

	"InternalServerError": {TryAgain, KeepDevice, KeepCredential, AlertRate, appleTrouble, waitCure},
	"ServiceUnavailable":  {TryAgain, KeepDevice, KeepCredential, AlertRate, appleTrouble, waitCure},
}
