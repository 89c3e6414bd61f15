package views

// PathForgotFormer is where PathForgot was before: mails that are out have links to it.
const PathForgotFormer = "/forgot-password"

// Addresses of the console. Handlers mount these very names, so a link cannot miss its page.
const (
	PathSignIn        = "/signin"       // GET form, POST email, password, next
	PathForgot        = "/forgot"       // GET form, POST email
	PathSignOut       = "/signout"      // POST
	PathPalette       = "/palette"      // GET: the entries of the Ctrl-K palette
	PathLanguage      = "/language"     // POST language=en|es or empty, back
	PathTheme         = "/theme"        // POST theme=light|dark|auto, back
	PathTenant        = "/tenant"       // POST tenant: switch to another tenant
	PathOverview      = "/overview"     // GET
	PathRings         = "/rings"        // GET q, state, device, agent, period, after
	PathRingsCSV      = "/rings.csv"    // GET, the same filters
	PathLive          = "/rings/live"   // GET session, events: the ids of rings with something new
	PathTestRing      = "/rings/test"   // GET ?device=, POST device, agent
	PathDevices       = "/devices"      // GET q, environment, health, after
	PathDevicesCSV    = "/devices.csv"  // GET, the same filters
	PathPairHere      = "/pair"         // GET, public: what a pairing code leads to in a browser
	PathPair          = "/devices/pair" // GET form, POST person
	PathCredentials   = "/credentials"  // GET
	PathCredAdd       = "/credentials/add"
	PathAgents        = "/agents" // GET
	PathAgentAdd      = "/agents/add"
	PathKeys          = "/keys" // GET q
	PathKeyAdd        = "/keys/add"
	PathPeople        = "/people" // GET
	PathPersonAdd     = "/people/add"
	PathAudit         = "/audit"                // GET q, actor, action, period, after
	PathAuditLines    = "/audit.jsonl"          // GET, period
	PathAuditReview   = "/audit/review"         // GET; POST note, upto
	PathAuditVerify   = "/audit/verify"         // POST
	PathAuditEvidence = "/audit/evidence.zip"   // POST from, to
	PathAuditCSV      = "/audit.csv"            // GET, the same filters
	PathBilling       = "/billing"              // GET ?until=2026-11-24 the last day drawn, ?invoices= the next of the page before
	PathUsageCSV      = "/billing/usage.csv"    // GET rings by day
	PathInvoices      = "/billing/invoices"     // GET
	PathInvoicesCSV   = "/billing/invoices.csv" // GET
	PathSettings      = "/settings"             // GET, POST
	PathData          = "/settings/data"        // GET
	PathDataExport    = "/settings/data/export" // GET a part: how far it is; POST asks for one
	PathDataFile      = "/settings/data/export.zip"
	PathDataExportOff = "/settings/data/export/remove" // GET asks, POST
	PathDataErase     = "/settings/data/erase"         // GET ?who= asks, POST
	PathDataDelete    = "/settings/data/delete"        // GET asks, POST
	PathDataKeep      = "/settings/data/keep"          // GET asks, POST
	PathAccount       = "/account"                     // GET, POST name
	PathTwoSteps      = "/settings/two-steps"          // POST two_steps=1|
	PathSecond        = "/signin/second"               // GET ?next=, POST code, next
	PathApp           = "/account/app"                 // GET form, POST seed, code
	PathAppRemove     = "/account/app/remove"          // GET asks, POST
	PathRecovery      = "/account/recovery"            // GET asks, POST makes new codes
	PathEmail         = "/account/email"               // POST email: mails a link to it
	PathPassword      = "/account/password"            // POST current, password
	PathSignInEnd     = "/account/sessions/end"        // POST id=hash, or id=others
	PathConfirmMe     = "/account/confirm"             // GET ?next=, POST password, next
	PathRecording     = "/settings/recording"          // POST multipart: policy, reason, file
	PathCredCSV       = "/credentials.csv"             // GET q
	PathAgentsCSV     = "/agents.csv"                  // GET q
	PathKeysCSV       = "/keys.csv"                    // GET q
	PathPeopleCSV     = "/people.csv"                  // GET q
	PathChecklist     = "/checklist"                   // POST dismiss=1
	PathDevelopers    = "/developers"                  // GET
	PathDeveloperKey  = "/developers/key"              // POST makes a test key for the page; GET leads to the page
	PathStorybook     = "/storybook"                   // GET, dev mode
	PathPhone         = "/phone"                       // GET, dev mode
	PathPhonePushes   = "/phones/pushes"               // GET, dev mode, events: "push" with the phone's slug, a space and the payload
)

// Addresses of figures. Those of rings take cut, since, until, hour and weekday too.
const (
	PathAnalytics    = "/analytics"     // GET range, from, to, step, cut, split, hop
	PathAnalyticsCSV = "/analytics.csv" // GET, the same and panel
)

// Addresses of the billing page.
const (
	PathBillingCheckout = "/billing/checkout" // POST plan, interval: leads to Stripe
	PathBillingPortal   = "/billing/portal"   // POST: leads to Stripe
	PathBillingChange   = "/billing/change"   // GET ?plan=&interval= shows the price, POST plan, interval, at
	PathBillingCancel   = "/billing/cancel"   // GET asks, POST
	PathBillingResume   = "/billing/resume"   // POST
	PathBillingOverage  = "/billing/overage"  // POST overage=on|off
)

// BillingChangePath shows what a change of plan costs.
func BillingChangePath(plan, interval string) string {
	return PathBillingChange + "?plan=" + plan + "&interval=" + interval
}

// Addresses of what people keep of lists.
const (
	PathColumns = "/lists/columns" // POST list, column…, place
	PathViews   = "/lists/views"   // POST list, name, place, shared
)

// ViewRemovePath asks before a saved view is removed (GET) and removes it (POST).
func ViewRemovePath(id string) string { return PathViews + "/" + id + "/remove" }

// InvitationPath is where the link of an invitation leads (GET) and where it is taken up (POST
// name, password).
func InvitationPath(token string) string { return "/invitations/" + token }

// ResetPath is where the link of a password reset leads (GET) and where it is used (POST password).
func ResetPath(token string) string { return PathForgot + "/" + token }

// The addresses of operators who look at the console.
const (
	PathLookEnd  = "/signout/look"
	PathLookRule = "/settings/look"
)

// LookPath is where an operator's one-time link leads (GET) and where it is used (POST).
func LookPath(token string) string { return "/look/" + token }

// EmailChangePath is where the link to a new address leads (GET) and where it is used (POST).
func EmailChangePath(token string) string { return "/email/" + token }

// SamplePath is one page of the storybook.
func SamplePath(name string) string { return PathStorybook + "/" + name }

// PhonePath is the virtual phone of a tenant, by its slug.
func PhonePath(slug string) string { return PathPhone + "/" + slug }

// PairWaitPath tells whether a pairing code was used: 204 not yet, 286 never, HX-Redirect to the
// device when it was.
func PairWaitPath(id string) string { return PathPair + "/" + id }

// RingPath is the page of a ring.
func RingPath(id string) string { return PathRings + "/" + id }

// RingTestPath is the live page of a test ring.
func RingTestPath(id string) string { return PathRings + "/" + id + "/test" }

// LivePath is the event stream of all pages that one sign-in has open: "ready" once it listens,
// then "rings" with the ids of rings that have something new. It is refused when the sign-in has
// changed.
func LivePath(session string) string { return PathLive + "?session=" + session }

// RingPartPath is the part of a ring's page that changes: TestHops or RingFacts, by
// ?view=test|ring.
func RingPartPath(id, view string) string { return PathRings + "/" + id + "/part?view=" + view }

// RingCancelPath asks before cancelling (GET) and cancels (POST).
func RingCancelPath(id string) string { return PathRings + "/" + id + "/cancel" }

// RingTransferPath asks who takes the call (GET) and gives it to them (POST).
func RingTransferPath(id string) string { return PathRings + "/" + id + "/transfer" }

// RingNotesPath is what was said in a call as a file, "txt" or "csv".
func RingNotesPath(id, kind string) string { return PathRings + "/" + id + "/notes." + kind }

// RingRecordingPath is the recording of a call as a file: ?track=person|agent for one of its
// tracks, &download=1 to keep it.
func RingRecordingPath(id string) string { return PathRings + "/" + id + "/recording" }

// RingErasePath asks before what was said is erased (GET) and erases it (POST confirm).
func RingErasePath(id string) string { return PathRings + "/" + id + "/erase" }

// DevicePath shows a device (GET) and changes its name, person and environment (POST).
func DevicePath(id string) string { return PathDevices + "/" + id }

// Addresses of the import of devices from a file.
const (
	PathDevicesImport    = "/devices/import"     // GET, POST multipart file: says what it would do
	PathDevicesImportNow = "/devices/import/now" // POST multipart devices: imports them
)

// Addresses of what is done to several things at once. GET asks, POST does it: do says what, and
// each id to which thing.
const (
	PathDevicesBulk = "/devices/bulk" // do=tag|untag|ring|remove, tag, id…
	PathRingsBulk   = "/rings/bulk"   // do=cancel, id…
	PathKeysBulk    = "/keys/bulk"    // do=revoke, id…
	PathAlertsBulk  = "/alerts/bulk"  // do=close, id…
)

// PathDevicesAlike lists entries that look like one phone.
const PathDevicesAlike = "/devices/alike"

// DeviceMergePath asks before an older entry is merged into a newer one (GET), and does it (POST).
func DeviceMergePath(old, into string) string { return DevicePath(old) + "/merge?into=" + into }

// DeviceRemovePath asks before removing (GET) and removes (POST confirm).
func DeviceRemovePath(id string) string { return PathDevices + "/" + id + "/remove" }

// CredentialPath shows a credential.
func CredentialPath(id string) string { return PathCredentials + "/" + id }

// Addresses of connections.
const (
	PathConnections    = "/connections"     // GET q, role, state, after
	PathConnectionsCSV = "/connections.csv" // GET, the same filters
	PathConnectionAdd  = "/connections/add" // GET ?role=, POST
)

// ConnectionAddPath is the form of a new connection of a role.
func ConnectionAddPath(role string) string { return PathConnectionAdd + "?role=" + role }

// ConnectionPath shows a connection.
func ConnectionPath(id string) string { return PathConnections + "/" + id }

// ConnectionEditPath is a connection's form (GET) and changes it (POST).
func ConnectionEditPath(id string) string { return ConnectionPath(id) + "/edit" }

// ConnectionTestPath sends a test event (POST) and shows what came of it.
func ConnectionTestPath(id string) string { return ConnectionPath(id) + "/test" }

// TextsPath is where a provider of texts sends what people answer to a connection's texts. It is a
// path of the API.
func TextsPath(id string) string { return "/v1/sms/" + id }

// ConnectionPausePath pauses a connection (POST).
func ConnectionPausePath(id string) string { return ConnectionPath(id) + "/pause" }

// ConnectionResumePath lets a connection work again (POST).
func ConnectionResumePath(id string) string { return ConnectionPath(id) + "/resume" }

// ConnectionSecretPath asks before the signing secret is rotated (GET) and rotates it (POST).
func ConnectionSecretPath(id string) string { return ConnectionPath(id) + "/secret" }

// ConnectionReplayPath counts what would be sent again (GET which, from, to) and sends it (POST).
func ConnectionReplayPath(id string) string { return ConnectionPath(id) + "/replay" }

// ConnectionRemovePath asks before removing (GET) and removes (POST confirm).
func ConnectionRemovePath(id string) string { return ConnectionPath(id) + "/remove" }

// DeliveriesPath is the list of what was sent over a connection (GET status, event, ring, after).
func DeliveriesPath(connection string) string { return ConnectionPath(connection) + "/deliveries" }

// DeliveriesCSVPath is that list as a file.
func DeliveriesCSVPath(connection string) string { return DeliveriesPath(connection) + ".csv" }

// DeliveryPath shows one event that was sent over a connection, with its attempts.
func DeliveryPath(connection, event string) string { return DeliveriesPath(connection) + "/" + event }

// DeliverySendPath sends it now: again if it had arrived, at once if it still waits (POST).
func DeliverySendPath(connection, event string) string {
	return DeliveryPath(connection, event) + "/send"
}

// Addresses of what is wrong, and of how phones do.
const (
	PathAlerts         = "/alerts"           // GET q, state, after
	PathAlertsCSV      = "/alerts.csv"       // GET, the same filters
	PathAlertResolve   = "/alerts/close"     // POST kind, target
	PathPhoneHealth    = "/phone-health"     // GET q, verdict, after
	PathPhoneHealthCSV = "/phone-health.csv" // GET, the same filters
)

// CredentialReplacePath is the form for the credential that takes the place of another.
func CredentialReplacePath(id string) string { return PathCredAdd + "?replaces=" + id }

// CredentialCheckPath asks Apple about a credential (POST).
func CredentialCheckPath(id string) string { return PathCredentials + "/" + id + "/check" }

// CredentialProfilePath says which fields the credential's pushes have: POST profile.
func CredentialProfilePath(id string) string { return PathCredentials + "/" + id + "/profile" }

// CredentialHedgingPath says whether pushes are sent again while a connection to Apple is silent
// (POST).
func CredentialHedgingPath(id string) string { return PathCredentials + "/" + id + "/hedging" }

// CredentialRollbackPath asks before going back to the previous credential (GET) and goes back
// (POST).
func CredentialRollbackPath(id string) string { return PathCredentials + "/" + id + "/rollback" }

// CredentialRemovePath asks before removing (GET) and removes (POST confirm).
func CredentialRemovePath(id string) string { return PathCredentials + "/" + id + "/remove" }

// Addresses of alert rules and alert targets.
const (
	PathAlertRules      = "/alerts/rules" // GET q, sort
	PathAlertRulesCSV   = "/alerts/rules.csv"
	PathAlertRuleAdd    = "/alerts/rules/add" // POST do=preview only shows what the rule would have done
	PathAlertTargets    = "/alerts/targets"   // GET q, sort
	PathAlertTargetsCSV = "/alerts/targets.csv"
	PathAlertTargetAdd  = "/alerts/targets/add"
	PathDigestPreview   = "/alerts/digest"
	PathDigest          = "/account/digest" // POST digest: on or off
)

// DigestOffPath asks before the weekly mail is turned off (GET), and does so (POST).
func DigestOffPath(token string) string { return "/digest/off/" + token }

// AlertRulePath shows a rule's form (GET) and changes it (POST).
func AlertRulePath(id string) string { return PathAlertRules + "/" + id }

// AlertRulePausePath pauses a rule, or has it watch again (POST).
func AlertRulePausePath(id string) string { return PathAlertRules + "/" + id + "/pause" }

// AlertRuleRemovePath asks before removing (GET) and removes (POST).
func AlertRuleRemovePath(id string) string { return PathAlertRules + "/" + id + "/remove" }

// AlertTargetPath shows a target's form (GET) and changes it (POST).
func AlertTargetPath(id string) string { return PathAlertTargets + "/" + id }

// AlertTargetTestPath sends a test to a target (POST).
func AlertTargetTestPath(id string) string { return PathAlertTargets + "/" + id + "/test" }

// AlertTargetRemovePath asks before removing (GET) and removes (POST).
func AlertTargetRemovePath(id string) string { return PathAlertTargets + "/" + id + "/remove" }

// Addresses of groups of persons.
const (
	PathGroups    = "/groups" // GET q; with ?at= on the page of one: who would ring then
	PathGroupsCSV = "/groups.csv"
	PathGroupAdd  = "/groups/add"
)

// GroupPath shows a group's form and who would ring (GET ?at=), and changes it (POST).
func GroupPath(id string) string { return PathGroups + "/" + id }

// GroupRemovePath asks before removing (GET) and removes (POST confirm).
func GroupRemovePath(id string) string { return PathGroups + "/" + id + "/remove" }

// Addresses of schedules.
const (
	PathSchedules    = "/schedules" // GET q
	PathSchedulesCSV = "/schedules.csv"
	PathScheduleAdd  = "/schedules/add"
)

// SchedulePath shows a schedule's form and its next days (GET), and changes it (POST).
func SchedulePath(id string) string { return PathSchedules + "/" + id }

// ScheduleReadPath reads the calendar of a schedule now (POST).
func ScheduleReadPath(id string) string { return SchedulePath(id) + "/read" }

// ScheduleRemovePath asks before removing (GET) and removes (POST confirm).
func ScheduleRemovePath(id string) string { return SchedulePath(id) + "/remove" }

// Addresses of recorded consents.
const (
	PathConsents    = "/consents" // GET q
	PathConsentsCSV = "/consents.csv"
	PathConsentAdd  = "/consents/add" // GET ?person=, POST
)

// ConsentPath shows a consent and the others of its person.
func ConsentPath(id string) string { return PathConsents + "/" + id }

// ConsentWithdrawPath asks before a consent is withdrawn (GET) and withdraws it (POST).
func ConsentWithdrawPath(id string) string { return ConsentPath(id) + "/withdraw" }

// AgentPath shows an agent's form (GET) and changes it (POST).
func AgentPath(id string) string { return PathAgents + "/" + id }

// AgentSoundPath takes the upload of an agent's announcement (POST).
func AgentSoundPath(id string) string { return PathAgents + "/" + id + "/announcement" }

// AgentRemovePath asks before removing (GET) and removes (POST confirm).
func AgentRemovePath(id string) string { return PathAgents + "/" + id + "/remove" }

// KeyPath shows a key and its latest requests.
func KeyPath(id string) string { return PathKeys + "/" + id }

// KeyRequestsCSVPath is a file with those requests.
func KeyRequestsCSVPath(id string) string { return KeyPath(id) + "/requests.csv" }

// KeyEditPath changes what a key may do.
func KeyEditPath(id string) string { return KeyPath(id) + "/edit" }

// KeyRotatePath asks how a key is rotated (GET) and rotates it (POST overlap).
func KeyRotatePath(id string) string { return KeyPath(id) + "/rotate" }

// KeyRevokePath asks before revoking (GET) and revokes (POST confirm).
func KeyRevokePath(id string) string { return PathKeys + "/" + id + "/revoke" }

// PersonRolePath changes a person's role (POST role).
func PersonRolePath(id string) string { return PathPeople + "/" + id + "/role" }

// PersonResendPath sends the link of an invitation again.
func PersonResendPath(id string) string { return PathPeople + "/" + id + "/resend" }

// PersonRemovePath asks before removing (GET) and removes (POST).
func PersonRemovePath(id string) string { return PathPeople + "/" + id + "/remove" }

// PathRules lists the rules of the tenant's industry: GET; POST rule, and its value or reset=1.
const PathRules = "/settings/rules"
