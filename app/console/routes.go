package console

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/app/page"
	"carillon/tenants"
	"carillon/views"
)

// route is one address of the console and who may come. Exactly one of public and member is set. It
// is the only list of addresses: Mount, Pages and Files read it.
type route struct {
	method, path string
	needs        tenants.Permission // what the role must have; empty = anyone who is signed in
	stepUp       bool               // asks for a proof of who they are where the last one is older than page.ProofTime
	own          bool               // of the person's own account: stays open while a second step must be set up
	out          bool               // a way out: stays open when the tenant is suspended
	part         bool               // no page: a stranger is refused, not sent to sign in
	file         bool               // a download about one thing, no page
	rare         bool               // there only while there is something to decide: no page that is always there
	sample       string             // the page in the storybook
	samples      []string           // queries that show a page in another way: what lists of pages add to its plain address
	public       func(context.Context, *fiber.Ctx) error
	member       func(context.Context, *fiber.Ctx, *page.Visitor) error
}

// The permissions of the console. tenants.Grants says which role has which.
const (
	mayRing        = tenants.RingsWrite
	mayDevices     = tenants.DevicesWrite
	mayAgents      = tenants.AgentsWrite
	mayConnections = tenants.ConnectionsWrite
	mayGroups      = tenants.GroupsWrite
	mayNotes       = tenants.NotesWrite
	mayCredentials = tenants.CredentialsWrite
	mayKeys        = tenants.KeysWrite
	mayPeople      = tenants.PeopleWrite
	maySettings    = tenants.SettingsWrite
	mayAlerts      = tenants.AlertsWrite
	mayBilling     = tenants.BillingWrite
	mayRecord      = tenants.RecordingWrite
	mayData        = tenants.DataWrite

	seeRings       = tenants.RingsRead
	seeFigures     = tenants.AnalyticsRead
	seeNotes       = tenants.NotesRead
	seeAlerts      = tenants.AlertsRead
	seeDevices     = tenants.DevicesRead
	seeAgents      = tenants.AgentsRead
	seeCredentials = tenants.CredentialsRead
	seeConnections = tenants.ConnectionsRead
	seeGroups      = tenants.GroupsRead
	seeKeys        = tenants.KeysRead
	seePeople      = tenants.PeopleRead
	seeAudit       = tenants.AuditRead
	seeBilling     = tenants.BillingRead
	seeSettings    = tenants.SettingsRead
)

const (
	get  = fiber.MethodGet
	post = fiber.MethodPost
)

// routes lists every address. Where two patterns match, the first one wins.
func (k *Console) routes() []route {
	devices, people, signIn, overview := devicePages{k}, peoplePages{k}, signInPages{k}, overviewPages{k}
	forgot, developers := forgotPages{k}, developerPages{k}
	all := []route{
		{method: get, path: "/static/*", public: page.Asset},
		{method: get, path: views.PathSignIn, sample: "signin", public: signIn.signInPage},
		{method: post, path: views.PathSignIn, public: signIn.signIn},
		{method: get, path: views.PathForgot, sample: "forgot", public: forgot.form},
		{method: post, path: views.PathForgot, public: forgot.send},
		{method: get, path: views.ResetPath(":token"), sample: "reset", public: forgot.choose},
		{method: post, path: views.ResetPath(":token"), public: forgot.set},
		{method: get, path: views.PathForgotFormer, rare: true, sample: "forgot", public: forgot.former},
		{method: get, path: views.PathForgotFormer + "/:token", rare: true, sample: "reset", public: forgot.former},
		{method: get, path: views.InvitationPath(":token"), sample: "welcome", public: people.welcome},
		{method: post, path: views.InvitationPath(":token"), public: people.join},
		{method: get, path: views.PathPairHere, sample: "pair-here", public: devices.pairHere},
		{method: get, path: views.PathPalette, part: true, member: k.palette},
		{method: post, path: views.PathTheme, public: signIn.theme},
		{method: post, path: views.PathLanguage, public: signIn.language},
		{method: post, path: views.PathSignOut, out: true, member: signIn.signOut},
		{method: post, path: views.PathTenant, out: true, member: signIn.switchTenant},
		{method: get, path: views.PathOverview, sample: "overview", samples: []string{"?period=week", "?period=month"},
			member: overview.overview},
		{method: post, path: views.PathChecklist, needs: mayRing, member: signIn.hideChecklist},
		{method: get, path: views.PathDevelopers, needs: seeKeys, sample: "developers", member: developers.developers},
		{method: get, path: views.PathDeveloperKey, needs: seeKeys, rare: true, sample: "developers", member: developers.toDevelopers},
		{method: post, path: views.PathDeveloperKey, needs: mayKeys, stepUp: true, member: developers.addTryKey},
	}
	all = append(all, k.secondRoutes()...)
	all = append(all, k.passkeyRoutes()...)
	all = append(all, k.figureRoutes()...)
	for _, some := range [][]route{k.listRoutes(), k.ringRoutes(), k.reachRoutes(), k.connectionRoutes(), k.accountRoutes(), k.roleRoutes(),
		k.billingRoutes(), k.dataRoutes(),
		k.devRoutes()} {
		all = append(all, some...)
	}
	return all
}

// figureRoutes: rings over time, and the rules that watch them.
func (k *Console) figureRoutes() []route {
	analytics, rules, targets, weekly := analyticsPages{k}, alertRulePages{k}, alertTargetPages{k}, digestPages{k}
	return []route{
		{method: get, path: views.PathAnalytics, needs: seeFigures, sample: "analytics", member: analytics.analytics,
			samples: []string{"?range=day", "?range=week&step=hour&split=hour", "?range=year&split=agent",
				"?range=quarter&split=key&hop=answered"}},
		{method: get, path: views.PathAnalyticsCSV, needs: seeFigures, member: analytics.analyticsCSV},
		{method: get, path: views.PathDigestPreview, needs: seeFigures, sample: "digest", member: weekly.preview},
		{method: post, path: views.PathDigest, own: true, member: weekly.set},
		{method: get, path: views.DigestOffPath(":token"), sample: "digest-off", public: weekly.off},
		{method: post, path: views.DigestOffPath(":token"), public: weekly.off},
		{method: get, path: views.PathAlertRules, needs: seeAlerts, sample: "alert-rules", member: rules.rules},
		{method: get, path: views.PathAlertRulesCSV, needs: seeAlerts, member: rules.rulesCSV},
		{method: get, path: views.PathAlertRuleAdd, needs: mayAlerts, sample: "alert-rule-add", member: rules.ruleForm},
		{method: post, path: views.PathAlertRuleAdd, needs: mayAlerts, member: rules.addRule},
		{method: get, path: views.AlertRulePath(":id"), needs: seeAlerts, sample: "alert-rule", member: rules.rule},
		{method: post, path: views.AlertRulePath(":id"), needs: mayAlerts, member: rules.setRule},
		{method: post, path: views.AlertRulePausePath(":id"), needs: mayAlerts, member: rules.pauseRule},
		{method: get, path: views.AlertRuleRemovePath(":id"), needs: mayAlerts, sample: "alert-rule-remove",
			member: k.confirmed(rules.removal)},
		{method: post, path: views.AlertRuleRemovePath(":id"), needs: mayAlerts, member: k.confirmed(rules.removal)},
		{method: get, path: views.PathAlertTargets, needs: seeAlerts, sample: "alert-targets", member: targets.targets},
		{method: get, path: views.PathAlertTargetsCSV, needs: seeAlerts, member: targets.targetsCSV},
		{method: get, path: views.PathAlertTargetAdd, needs: mayAlerts, stepUp: true, sample: "alert-target-add",
			member: targets.targetForm},
		{method: post, path: views.PathAlertTargetAdd, needs: mayAlerts, stepUp: true, member: targets.addTarget},
		{method: get, path: views.AlertTargetPath(":id"), needs: seeAlerts, sample: "alert-target", member: targets.target},
		{method: post, path: views.AlertTargetPath(":id"), needs: mayAlerts, stepUp: true, member: targets.setTarget},
		{method: post, path: views.AlertTargetTestPath(":id"), needs: mayAlerts, member: targets.testTarget},
		{method: get, path: views.AlertTargetRemovePath(":id"), needs: mayAlerts, stepUp: true, sample: "alert-target-remove",
			member: k.confirmed(targets.removal)},
		{method: post, path: views.AlertTargetRemovePath(":id"), needs: mayAlerts, stepUp: true, member: k.confirmed(targets.removal)},
	}
}

func (k *Console) ringRoutes() []route {
	rings := ringPages{k}
	return []route{
		{method: get, path: views.PathRings, needs: seeRings, sample: "rings", samples: []string{"?state=missed", "?q=lead-77"},
			member: rings.rings},
		{method: get, path: views.PathRingsCSV, needs: seeRings, member: rings.ringsCSV},
		{method: get, path: views.PathLive, needs: seeRings, part: true, member: rings.ringsLive},
		{method: get, path: views.PathTestRing, needs: seeRings, sample: "test-ring", member: rings.testRing},
		{method: post, path: views.PathTestRing, needs: mayRing, member: rings.placeTest},
		{method: get, path: views.RingPath(":id"), needs: seeRings, sample: "ring-answered", member: rings.ring},
		{method: get, path: views.RingTestPath(":id"), needs: seeRings, sample: "test-live-ringing", member: rings.testLive},
		{method: get, path: views.RingPath(":id") + "/part", needs: seeRings, part: true, member: rings.ringPart},
		{method: get, path: views.RingNotesPath(":id", "txt"), needs: seeNotes, file: true, member: rings.notesText},
		{method: get, path: views.RingNotesPath(":id", "csv"), needs: seeNotes, file: true, member: rings.notesCSV},
		{method: get, path: views.RingRecordingPath(":id"), needs: seeNotes, file: true, member: rings.recording},
		{method: get, path: views.RingErasePath(":id"), sample: "ring-erase", needs: mayNotes, stepUp: true,
			member: k.confirmed(rings.erasure)},
		{method: post, path: views.RingErasePath(":id"), needs: mayNotes, stepUp: true, member: k.confirmed(rings.erasure)},
		{method: get, path: views.RingCancelPath(":id"), sample: "ring-cancel", needs: mayRing, member: rings.askCancel},
		{method: post, path: views.RingCancelPath(":id"), needs: mayRing, member: rings.cancel},
		{method: get, path: views.RingTransferPath(":id"), sample: "ring-transfer", needs: mayRing, member: rings.askTransfer},
		{method: post, path: views.RingTransferPath(":id"), needs: mayRing, member: rings.transfer},
	}
}

// reachRoutes: alerts, devices, credentials and agents.
func (k *Console) reachRoutes() []route {
	alerts, health, devices, credentials, agents := alertPages{k}, phoneHealthPages{k}, devicePages{k}, credentialPages{k}, agentPages{k}
	return []route{
		{method: get, path: views.PathAlerts, needs: seeAlerts, sample: "alerts", samples: []string{"?state=all"}, member: alerts.alerts},
		{method: get, path: views.PathAlertsCSV, needs: seeAlerts, member: alerts.alertsCSV},
		{method: post, path: views.PathAlertResolve, needs: mayAlerts, member: alerts.closeAlert},
		{method: get, path: views.PathPhoneHealth, needs: seeDevices, sample: "phone-health", member: health.phoneHealth},
		{method: get, path: views.PathPhoneHealthCSV, needs: seeDevices, member: health.phoneHealthCSV},
		{method: get, path: views.PathDevices, needs: seeDevices, sample: "devices", samples: []string{"?q=Phone+7"},
			member: devices.devices},
		{method: get, path: views.PathDevicesCSV, needs: seeDevices, member: devices.devicesCSV},
		{method: get, path: views.PathPair, sample: "pair", needs: mayDevices, member: devices.pairForm},
		{method: post, path: views.PathPair, needs: mayDevices, member: devices.pair},
		{method: get, path: views.PairWaitPath(":id"), needs: mayDevices, part: true, member: devices.pairWait},
		{method: get, path: views.DevicePath(":id"), needs: seeDevices, sample: "device", member: devices.device},
		{method: post, path: views.DevicePath(":id"), needs: mayDevices, member: devices.setDevice},
		{method: get, path: views.DevicePath(":id") + "/merge", needs: mayDevices, part: true, member: k.confirmed(devices.merging)},
		{method: post, path: views.DevicePath(":id") + "/merge", needs: mayDevices, member: k.confirmed(devices.merging)},
		{method: get, path: views.DeviceRemovePath(":id"), sample: "device-remove", needs: mayDevices,
			member: k.confirmed(devices.removal)},
		{method: post, path: views.DeviceRemovePath(":id"), needs: mayDevices, member: k.confirmed(devices.removal)},
		{method: get, path: views.PathCredentials, needs: seeCredentials, sample: "credentials", member: credentials.credentials},
		{method: get, path: views.PathCredCSV, needs: seeCredentials, member: credentials.credentialsCSV},
		{method: get, path: views.PathCredAdd, sample: "credential-add", needs: mayCredentials, stepUp: true,
			member: credentials.credentialForm},
		{method: post, path: views.PathCredAdd, needs: mayCredentials, stepUp: true, member: credentials.addCredential},
		{method: get, path: views.CredentialPath(":id"), needs: seeCredentials, sample: "credential", member: credentials.credential},
		{method: post, path: views.CredentialCheckPath(":id"), needs: mayCredentials, member: credentials.checkCredential},
		{method: post, path: views.CredentialHedgingPath(":id"), needs: mayCredentials, member: credentials.setHedging},
		{method: post, path: views.CredentialProfilePath(":id"), needs: mayCredentials, member: credentials.setProfile},
		{method: get, path: views.CredentialRollbackPath(":id"), sample: "credential-rollback", needs: mayCredentials, stepUp: true,
			member: k.confirmed(credentials.rollback)},
		{method: post, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, stepUp: true,
			member: k.confirmed(credentials.rollback)},
		{method: get, path: views.CredentialRemovePath(":id"), sample: "credential-remove", needs: mayCredentials, stepUp: true,
			member: k.confirmed(credentials.removal)},
		{method: post, path: views.CredentialRemovePath(":id"), needs: mayCredentials, stepUp: true,
			member: k.confirmed(credentials.removal)},
		{method: get, path: views.PathAgents, needs: seeAgents, sample: "agents", member: agents.agents},
		{method: get, path: views.PathAgentsCSV, needs: seeAgents, member: agents.agentsCSV},
		{method: get, path: views.PathAgentAdd, sample: "agent-add-empty", needs: mayAgents, member: agents.agentForm},
		{method: post, path: views.PathAgentAdd, needs: mayAgents, member: agents.addAgent},
		{method: get, path: views.AgentPath(":id"), needs: seeAgents, sample: "agent", member: agents.agent},
		{method: post, path: views.AgentPath(":id"), needs: mayAgents, member: agents.setAgent},
		{method: post, path: views.AgentSoundPath(":id"), needs: mayAgents, member: agents.setSound},
		{method: get, path: views.AgentRemovePath(":id"), sample: "agent-remove", needs: mayAgents, member: k.confirmed(agents.removal)},
		{method: post, path: views.AgentRemovePath(":id"), needs: mayAgents, member: k.confirmed(agents.removal)},
	}
}

func (k *Console) groupRoutes() []route {
	groups, schedules, consents := groupPages{k}, schedulePages{k}, consentPages{k}
	return []route{
		{method: get, path: views.PathGroups, needs: seeGroups, sample: "groups", member: groups.groups},
		{method: get, path: views.PathGroupsCSV, needs: seeGroups, member: groups.groupsCSV},
		{method: get, path: views.PathGroupAdd, sample: "group-add", needs: mayGroups, member: groups.groupForm},
		{method: post, path: views.PathGroupAdd, needs: mayGroups, member: groups.addGroup},
		{method: get, path: views.GroupPath(":id"), needs: seeGroups, sample: "group", member: groups.group},
		{method: post, path: views.GroupPath(":id"), needs: mayGroups, member: groups.setGroup},
		{method: get, path: views.GroupRemovePath(":id"), sample: "group-remove", needs: mayGroups, member: k.confirmed(groups.removal)},
		{method: post, path: views.GroupRemovePath(":id"), needs: mayGroups, member: k.confirmed(groups.removal)},
		{method: get, path: views.PathSchedules, needs: seeGroups, sample: "schedules", member: schedules.schedules},
		{method: get, path: views.PathSchedulesCSV, needs: seeGroups, member: schedules.schedulesCSV},
		{method: get, path: views.PathScheduleAdd, needs: mayGroups, sample: "schedule-add", member: schedules.scheduleForm},
		{method: post, path: views.PathScheduleAdd, needs: mayGroups, member: schedules.addSchedule},
		{method: get, path: views.SchedulePath(":id"), needs: seeGroups, sample: "schedule", member: schedules.schedule},
		{method: post, path: views.SchedulePath(":id"), needs: mayGroups, member: schedules.setSchedule},
		{method: post, path: views.ScheduleReadPath(":id"), needs: mayGroups, member: schedules.readNow},
		{method: get, path: views.ScheduleRemovePath(":id"), needs: mayGroups, sample: "schedule-remove",
			member: k.confirmed(schedules.removal)},
		{method: post, path: views.ScheduleRemovePath(":id"), needs: mayGroups, member: k.confirmed(schedules.removal)},
		{method: get, path: views.PathConsents, needs: seeGroups, sample: "consents", member: consents.consents},
		{method: get, path: views.PathConsentsCSV, needs: seeGroups, member: consents.consentsCSV},
		{method: get, path: views.PathConsentAdd, needs: mayGroups, sample: "consent-add", member: consents.consentForm},
		{method: post, path: views.PathConsentAdd, needs: mayGroups, member: consents.addConsent},
		{method: get, path: views.ConsentPath(":id"), needs: seeGroups, sample: "consent", member: consents.consent},
		{method: get, path: views.ConsentWithdrawPath(":id"), needs: mayGroups, sample: "consent-withdraw",
			member: k.confirmed(consents.withdrawal)},
		{method: post, path: views.ConsentWithdrawPath(":id"), needs: mayGroups, member: k.confirmed(consents.withdrawal)},
	}
}

func (k *Console) connectionRoutes() []route {
	x := connectionPages{k}
	return append([]route{
		{method: get, path: views.PathConnections, needs: seeConnections, sample: "connections",
			samples: []string{"?state=failing", "?role=webhook"}, member: x.connections},
		{method: get, path: views.PathConnectionsCSV, needs: seeConnections, member: x.connectionsCSV},
		{method: get, path: views.PathConnectionAdd, sample: "connection-add", needs: mayConnections, stepUp: true,
			samples: []string{"?role=webhook", "?role=crm", "?role=calendar", "?role=sms", "?role=audit", "?role=transcript"},
			member:  x.connectionForm},
		{method: post, path: views.PathConnectionAdd, needs: mayConnections, stepUp: true, member: x.addConnection},
		{method: get, path: views.ConnectionPath(":id"), needs: seeConnections, sample: "connection", member: x.connection},
		{method: get, path: views.ConnectionEditPath(":id"), sample: "connection-edit", needs: mayConnections, stepUp: true,
			member: x.editConnection},
		{method: post, path: views.ConnectionEditPath(":id"), needs: mayConnections, stepUp: true, member: x.setConnection},
		{method: post, path: views.ConnectionTestPath(":id"), needs: mayConnections, member: x.test},
		{method: post, path: views.ConnectionPausePath(":id"), needs: mayConnections,
			member: x.turn(tenants.ConnectionPaused, page.FlashPaused)},
		{method: post, path: views.ConnectionResumePath(":id"), needs: mayConnections,
			member: x.turn(tenants.ConnectionActive, page.FlashResumed)},
		{method: get, path: views.ConnectionSecretPath(":id"), sample: "connection-secret", needs: mayConnections, stepUp: true,
			member: x.askRotate},
		{method: post, path: views.ConnectionSecretPath(":id"), needs: mayConnections, stepUp: true, member: x.rotate},
		{method: get, path: views.ConnectionReplayPath(":id"), sample: "connection-replay", needs: mayConnections, member: x.replayForm},
		{method: post, path: views.ConnectionReplayPath(":id"), needs: mayConnections, member: x.replay},
		{method: get, path: views.DeliveriesPath(":id"), needs: seeConnections, sample: "deliveries", samples: []string{"?status=failed"},
			member: x.deliveries},
		{method: get, path: views.DeliveriesCSVPath(":id"), needs: seeConnections, file: true, member: x.deliveriesCSV},
		{method: get, path: views.DeliveryPath(":id", ":event"), needs: seeConnections, sample: "delivery", member: x.delivery},
		{method: post, path: views.DeliverySendPath(":id", ":event"), needs: mayConnections, member: x.sendDelivery},
		{method: get, path: views.ConnectionRemovePath(":id"), sample: "connection-remove", needs: mayConnections, stepUp: true,
			member: k.confirmed(x.removal)},
		{method: post, path: views.ConnectionRemovePath(":id"), needs: mayConnections, stepUp: true, member: k.confirmed(x.removal)},
	}, k.groupRoutes()...)
}

func (k *Console) accountRoutes() []route {
	keys, people, audit, settings, proofs := keyPages{k}, peoplePages{k}, auditPages{k}, settingsPages{k}, proofPages{k}
	account := accountPages{k}
	return []route{
		{method: get, path: views.PathKeys, needs: seeKeys, sample: "keys", member: keys.keys},
		{method: get, path: views.PathKeysCSV, needs: seeKeys, member: keys.keysCSV},
		{method: get, path: views.PathKeyAdd, sample: "key-add", needs: mayKeys, stepUp: true, member: keys.keyForm},
		{method: post, path: views.PathKeyAdd, needs: mayKeys, stepUp: true, member: keys.addKey},
		{method: get, path: views.KeyPath(":id"), needs: seeKeys, sample: "key", member: keys.key},
		{method: get, path: views.KeyRequestsCSVPath(":id"), needs: seeKeys, file: true, member: keys.requestsCSV},
		{method: get, path: views.KeyEditPath(":id"), sample: "key-edit", needs: mayKeys, stepUp: true, member: keys.editForm},
		{method: post, path: views.KeyEditPath(":id"), needs: mayKeys, stepUp: true, member: keys.setKey},
		{method: get, path: views.KeyRotatePath(":id"), sample: "key-rotate", needs: mayKeys, stepUp: true, member: keys.askRotate},
		{method: post, path: views.KeyRotatePath(":id"), needs: mayKeys, stepUp: true, member: keys.rotate},
		{method: get, path: views.KeyRevokePath(":id"), sample: "key-revoke", needs: mayKeys, stepUp: true,
			member: k.confirmed(keys.revocation)},
		{method: post, path: views.KeyRevokePath(":id"), needs: mayKeys, stepUp: true, member: k.confirmed(keys.revocation)},
		{method: get, path: views.PathAccount, sample: "account", own: true, member: account.account},
		{method: post, path: views.PathAccount, own: true, member: account.setName},
		{method: post, path: views.PathEmail, stepUp: true, own: true, member: account.changeEmail},
		{method: post, path: views.PathPassword, stepUp: true, own: true, member: account.setPassword},
		{method: post, path: views.PathSignInEnd, own: true, member: account.endSignIn},
		{method: get, path: views.EmailChangePath(":token"), sample: "email-change", public: account.newEmail},
		{method: post, path: views.EmailChangePath(":token"), public: account.takeEmail},
		{method: get, path: views.PathConfirmMe, sample: "confirm-me", own: true, member: proofs.ask},
		{method: post, path: views.PathConfirmMe, own: true, member: proofs.prove},
		{method: get, path: views.PathPeople, needs: seePeople, sample: "people", member: people.people},
		{method: get, path: views.PathPeopleCSV, needs: seePeople, member: people.peopleCSV},
		{method: get, path: views.PathPersonAdd, sample: "person-add", needs: mayPeople, stepUp: true, member: people.personForm},
		{method: post, path: views.PathPersonAdd, needs: mayPeople, stepUp: true, member: people.addPerson},
		{method: post, path: views.PersonRolePath(":id"), needs: mayPeople, stepUp: true, member: people.setRole},
		{method: post, path: views.PersonResendPath(":id"), needs: mayPeople, stepUp: true, member: people.resend},
		{method: get, path: views.PersonRemovePath(":id"), sample: "person-remove", needs: mayPeople, stepUp: true,
			member: k.confirmed(people.removal)},
		{method: post, path: views.PersonRemovePath(":id"), needs: mayPeople, stepUp: true, member: k.confirmed(people.removal)},
		{method: get, path: views.PathAudit, needs: seeAudit, sample: "audit", samples: []string{"?q=lead-77", "?period=day"},
			member: audit.audit},
		{method: get, path: views.PathAuditCSV, needs: seeAudit, member: audit.auditCSV},
		{method: get, path: views.PathAuditLines, needs: seeAudit, file: true, member: audit.export},
		{method: post, path: views.PathAuditEvidence, needs: tenants.AuditReview, stepUp: true, member: audit.evidence},
		{method: get, path: views.PathAuditReview, needs: seeAudit, sample: "audit-review", member: audit.review},
		{method: post, path: views.PathAuditReview, needs: tenants.AuditReview, member: audit.signReview},
		{method: post, path: views.PathAuditVerify, needs: seeAudit, member: audit.verify},
		{method: get, path: views.PathSettings, needs: seeSettings, sample: "settings", member: settings.settings},
		{method: post, path: views.PathSettings, needs: maySettings, member: settings.setSettings},
		{method: get, path: views.PathRules, needs: seeSettings, sample: "rules", member: settings.rules},
		{method: post, path: views.PathRules, needs: maySettings, stepUp: true, member: settings.setRule},
		{method: post, path: views.PathRecording, needs: mayRecord, stepUp: true, member: settings.setRecording},
	}
}

// roleRoutes: what each role may do, and the console as another role has it.
func (k *Console) roleRoutes() []route {
	roles, own, look := rolePages{k}, oidcPages{k}, lookPages{k}
	all := []route{
		{method: get, path: views.LookPath(":token"), sample: "look", public: look.ask},
		{method: post, path: views.LookPath(":token"), public: look.take},
		{method: post, path: views.PathLookEnd, out: true, member: look.end},
		{method: post, path: views.PathLookRule, needs: tenants.LookWrite, stepUp: true, member: look.setLook},
		{method: get, path: views.PathRoles, sample: "roles", member: roles.roles},
		{method: post, path: views.PathPreview, member: roles.preview},
	}
	if k.OIDC == nil {
		return all
	}
	return append(all,
		route{method: get, path: views.PathSignInOrg, sample: "signin-organisation", public: own.find},
		route{method: post, path: views.PathSignInOrg, public: own.lead},
		route{method: get, path: views.PathOIDCBack, part: true, public: own.arrive},
		route{method: get, path: views.OIDCPath(":slug"), sample: "signin-provider", public: own.ask},
		route{method: post, path: views.OIDCPath(":slug"), part: true, public: own.start},
		route{method: post, path: views.PathDomainCheck, needs: tenants.ProviderWrite, stepUp: true, member: own.checkDomain},
		route{method: get, path: views.PathProvider, needs: tenants.ProviderWrite, stepUp: true, sample: "provider", member: own.provider},
		route{method: post, path: views.PathProvider, needs: tenants.ProviderWrite, stepUp: true, member: own.setProvider},
		route{method: get, path: views.PathProviderOff, needs: tenants.ProviderWrite, stepUp: true, sample: "provider-remove",
			member: k.confirmed(own.removal)},
		route{method: post, path: views.PathProviderOff, needs: tenants.ProviderWrite, stepUp: true, member: k.confirmed(own.removal)},
	)
}

// billingRoutes: the page is always there; what leads to Stripe is absent without Stripe.
func (k *Console) billingRoutes() []route {
	bills := billingPages{k}
	all := []route{
		{method: get, path: views.PathBilling, needs: seeBilling, sample: "billing", member: bills.bills},
		{method: get, path: views.PathUsageCSV, needs: seeBilling, member: bills.usageCSV},
	}
	if k.Billing == nil {
		return all
	}
	return append(all,
		route{method: get, path: views.PathInvoices, needs: seeBilling, sample: "invoices", member: bills.invoiceList},
		route{method: get, path: views.PathInvoicesCSV, needs: seeBilling, member: bills.invoicesCSV},
		route{method: post, path: views.PathBillingCheckout, needs: mayBilling, stepUp: true, member: bills.checkout},
		route{method: post, path: views.PathBillingPortal, needs: mayBilling, stepUp: true, member: bills.portal},
		route{method: get, path: views.PathBillingChange, sample: "billing-change", needs: mayBilling, stepUp: true,
			member: bills.previewPlan},
		route{method: post, path: views.PathBillingChange, needs: mayBilling, stepUp: true, member: bills.changePlan},
		route{method: get, path: views.PathBillingCancel, sample: "billing-cancel", needs: mayBilling, stepUp: true,
			member: k.confirmed(bills.cancellation)},
		route{method: post, path: views.PathBillingCancel, needs: mayBilling, stepUp: true, member: k.confirmed(bills.cancellation)},
		route{method: post, path: views.PathBillingResume, needs: mayBilling, stepUp: true, member: bills.resumePlan},
		route{method: post, path: views.PathBillingOverage, needs: mayBilling, stepUp: true, member: bills.setOverage},
	)
}

// devRoutes are absent in production.
func (k *Console) devRoutes() []route {
	dev := devPages{k}
	if k.Dev == nil {
		return nil
	}
	return []route{
		{method: get, path: views.PathStorybook, public: dev.storybook},
		{method: get, path: views.SamplePath(":name"), public: dev.sample},
		{method: get, path: views.PathPhone, sample: "phone", public: dev.anyPhone},
		{method: get, path: views.PhonePath(":slug"), sample: "phone", public: dev.phone},
		{method: get, path: views.PathPhonePushes, part: true, public: dev.phonePushes},
	}
}
