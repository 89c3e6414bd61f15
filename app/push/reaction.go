package push

// RingStep is what an answer means for the push of this ring.
type RingStep string

// The steps. All but Deliver, Fail and Unknown are taken by Sender itself, within the ring's time.
const (
	Deliver       RingStep = "wait_for_phone" // accepted: now the phone has to speak
	Fail          RingStep = "fail"           // no further try of this push can help
	TryOther      RingStep = "other_host"     // the other environment, if the right one is not known
	TryAgain      RingStep = "try_again"      // Apple's trouble: again with jitter until the ring's time is up
	Reconnect     RingStep = "new_connection" // the connection is at fault: once more on another
	NewToken      RingStep = "new_token"      // a newer provider token on another connection, once
	PreviousToken RingStep = "previous_token" // the provider token before, on another connection, once
	Elsewhere     RingStep = "elsewhere"      // the server is leaving: another connection at once
)

// DeviceStep is what an answer means for the device token.
type DeviceStep string

const (
	KeepDevice    DeviceStep = "keep"
	TouchDevice   DeviceStep = "touch"            // it works: note when
	SuspectDevice DeviceStep = "suspect"          // disable on the second proof, unless many of a credential fail at once
	RetireDevice  DeviceStep = "disable"          // it belongs to another app
	RetireIfOlder DeviceStep = "disable_if_older" // only if Timestamp is later than the last registration
)

// CredentialStep is what an answer means for the credential.
type CredentialStep string

const (
	KeepCredential    CredentialStep = "keep"
	HealthyCredential CredentialStep = "healthy"
	SuspectCredential CredentialStep = "suspect" // disable if repeated
	DisableCredential CredentialStep = "disable" // at once
	DisableForHost    CredentialStep = "disable_for_host"
	OneEnvironment    CredentialStep = "one_environment" // it works on the other host only
	RejectTopic       CredentialStep = "reject_topic"    // it may not push to this app
	CheckBundle       CredentialStep = "check_bundle"    // its bundle id is probably mistyped
	WatchMass         CredentialStep = "watch_mass"      // over 20 % of its tokens in ten minutes: stop disabling devices
	CoolDown          CredentialStep = "cool_down"       // push less to this device
	FreezeMinting     CredentialStep = "freeze_minting"  // Sender did; look for a second program with the same key
	CheckClock        CredentialStep = "check_clock"
)

// Alert is who should hear of an answer.
type Alert string

const (
	NoAlert     Alert = "none"
	AlertMass   Alert = "on_mass"   // when many happen
	AlertRate   Alert = "on_rate"   // when the rate rises
	AlertRepeat Alert = "on_repeat" // when it happens again
	AlertOwner  Alert = "owner"     // the tenant's owner, at once
	AlertBug    Alert = "bug"       // us
)

// Reaction is what to do about one answer of Apple's, and how to say it to a person.
type Reaction struct {
	Ring       RingStep
	Device     DeviceStep
	Credential CredentialStep
	Alert      Alert
	Cause      string // one sentence for the people of the clinic
	Cure       string // what to do, for them or their developer; empty when nothing
}

// ReactionTo looks an answer up. A reason it does not know is classed by its status and disables
// nothing. Status 0 is no answer at all.
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
		return troubled
	case status == 429:
		return reactions["TooManyRequests"]
	case reason == "":
		return strange
	}
	return unheard
}

var (
	accepted = Reaction{Deliver, TouchDevice, HealthyCredential, NoAlert,
		"Apple accepted the push; that does not mean that the phone rang.", ""}
	unanswered = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Apple did not answer.", "Nothing to do; if it goes on, check that this server reaches Apple's push hosts on port 443 or 2197."}
	troubled = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Apple's push service, or something on the way to it, had trouble.", "Nothing to do; Carillon tries again while the ring lasts."}
	strange = Reaction{TryAgain, KeepDevice, KeepCredential, AlertRate,
		"Something other than Apple answered the push, probably a proxy.", "Check what stands between this server and Apple's push hosts."}
	unheard = Reaction{Fail, KeepDevice, KeepCredential, AlertBug,
		"Apple refused the push for a reason that Carillon does not know yet.", "Report the reason shown here to the makers of Carillon."}
)

const (
	oursCause = "Carillon sent Apple a request that Apple does not take."
	oursCure  = "This is a fault of Carillon; report it to its makers with the reason shown here."
	appleLate = "Apple's push service had trouble."
	patience  = "Nothing to do; Carillon tries again while the ring lasts."
)

// reactions is the table of reference page apns.md, 3.3; the reasons and their meaning are Apple's
// ("Handling notification responses from APNs").
var reactions = map[string]Reaction{
	"BadDeviceToken": {TryOther, SuspectDevice, WatchMass, AlertMass,
		"The device token is wrong, or it belongs to the other of Apple's two environments.",
		"Set the device's environment to auto, or register the token the app gets at launch: builds from Xcode use sandbox, TestFlight and the App Store production."},
	"DeviceTokenNotForTopic": {Fail, RetireDevice, CheckBundle, AlertMass,
		"The device token belongs to another app than the credential's bundle id.",
		"Compare the bundle id in Xcode with the credential's; register the token of the app that should ring."},
	"TopicDisallowed": {Fail, KeepDevice, RejectTopic, AlertOwner,
		"This key or certificate may not push to this app.",
		"Check the bundle id, and on Apple's page Keys whether the key is limited to other apps; a certificate must be a VoIP Services Certificate of this app."},
	"BadTopic": {Fail, KeepDevice, CheckBundle, AlertBug,
		"Apple does not know the topic, which is the bundle id followed by .voip.",
		"Check the bundle id of the credential letter by letter."},
	"MissingTopic": {Fail, KeepDevice, CheckBundle, AlertBug, oursCause, "Check that the credential has a bundle id; otherwise report it to the makers of Carillon."},

	"MissingDeviceToken": {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"InvalidPushType":    {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"BadPriority":        {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"BadExpirationDate":  {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"BadMessageId":       {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"BadCollapseId":      {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"DuplicateHeaders":   {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"PayloadEmpty":       {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"PayloadTooLarge":    {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"BadPath":            {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"MethodNotAllowed":   {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},

	"IdleTimeout": {Reconnect, KeepDevice, KeepCredential, AlertRate,
		"Apple closed a connection that was idle.", "Nothing to do; Carillon opened another."},
	"Shutdown": {Elsewhere, KeepDevice, KeepCredential, NoAlert,
		"One of Apple's servers was shutting down.", "Nothing to do; Carillon used another."},

	"ExpiredProviderToken": {NewToken, KeepDevice, CheckClock, AlertRepeat,
		"Apple finds our provider token too old; the clock of this server may be wrong.",
		"Check that the server's clock is set by NTP."},
	"InvalidProviderToken": {Fail, KeepDevice, DisableCredential, AlertOwner,
		"Apple does not take the key: team id, key id and .p8 file do not belong together, or the key was revoked.",
		"Compare team id and key id with Apple's page Keys and upload the .p8 file of that key again; if it was revoked, make a new key."},
	"MissingProviderToken": {Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure},
	"UnrelatedKeyIdInToken": {Reconnect, KeepDevice, KeepCredential, AlertBug,
		"Apple saw two keys on one connection.", "Nothing to do; Carillon opened another. If it goes on, report it to the makers of Carillon."},
	"BadEnvironmentKeyIdInToken": {TryOther, KeepDevice, OneEnvironment, AlertOwner,
		"The key is limited to the other of Apple's two environments.",
		"Make a key for sandbox and production on Apple's page Keys, or set the credential's environment to the one it was made for."},
	"BadCertificate": {Fail, KeepDevice, DisableCredential, AlertOwner,
		"Apple does not take the certificate; it is expired, revoked or not for push.",
		"Make a new VoIP Services Certificate on Apple's page Certificates and upload it with its key, or use a .p8 key, which does not expire."},
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
		"Another program of the team signs tokens too often; let it use each one for at least 20 minutes."},

	"InternalServerError": {TryAgain, KeepDevice, KeepCredential, AlertRate, appleLate, patience},
	"ServiceUnavailable":  {TryAgain, KeepDevice, KeepCredential, AlertRate, appleLate, patience},
}
