package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
	"carillon/views"
)

// route is one address of the console and who may come. Exactly one of open and room is set.
type route struct {
	method, path string
	needs        string // the permission that a viewer lacks; empty = whoever is signed in
	out          bool   // a way out: stays open when the tenant is suspended
	part         bool   // no page: a stranger is refused, not sent to sign in
	open         func(context.Context, *fiber.Ctx) error
	room         func(context.Context, *fiber.Ctx, *page.Visitor) error
}

// The permissions of the console, in the words of the API where it has them.
const (
	mayRing        = string(tenants.RingsWrite)
	mayDevices     = string(tenants.DevicesWrite)
	mayAgents      = string(tenants.AgentsWrite)
	mayCredentials = string(tenants.CredentialsWrite)
	mayKeys        = "keys:write"
	mayPeople      = "people:write"
	maySettings    = "settings:write"
	mayAlerts      = "alerts:write"
)

const (
	get  = fiber.MethodGet
	post = fiber.MethodPost
)

// routes lists every address. Where two patterns match, the first one wins.
func (k *Console) routes() []route {
	all := []route{
		{method: get, path: "/static/*", open: k.asset},
		{method: get, path: views.PathSignIn, open: k.signInPage},
		{method: post, path: views.PathSignIn, open: k.signIn},
		{method: get, path: views.InvitationPath(":token"), open: k.welcome},
		{method: post, path: views.InvitationPath(":token"), open: k.join},
		{method: get, path: views.PathPairHere, open: k.pairHere},
		{method: post, path: views.PathTheme, open: k.theme},
		{method: post, path: views.PathSignOut, out: true, room: k.signOut},
		{method: post, path: views.PathTenant, out: true, room: k.switchTenant},
		{method: get, path: views.PathOverview, room: k.overview},
		{method: post, path: views.PathChecklist, room: k.hideChecklist},
		{method: get, path: views.PathDevelopers, room: k.developers},
	}
	for _, some := range [][]route{k.publicRoutes(), k.affiliateRoutes(), k.ringRoutes(), k.reachRoutes(), k.accountRoutes(), k.billingRoutes(), k.devRoutes()} {
		all = append(all, some...)
	}
	return all
}

func (k *Console) ringRoutes() []route {
	return []route{
		{method: get, path: views.PathRings, room: k.rings},
		{method: get, path: views.PathRingsCSV, room: k.ringsCSV},
		{method: get, path: views.PathRingsLive, part: true, room: k.ringsLive},
		{method: get, path: views.PathTestRing, room: k.testRing},
		{method: post, path: views.PathTestRing, needs: mayRing, room: k.placeTest},
		{method: get, path: views.RingPath(":id"), room: k.ring},
		{method: get, path: views.RingTestPath(":id"), room: k.testLive},
		{method: get, path: views.RingPath(":id") + "/live", part: true, room: k.ringLive},
		{method: get, path: views.RingCancelPath(":id"), needs: mayRing, room: k.askCancel},
		{method: post, path: views.RingCancelPath(":id"), needs: mayRing, room: k.cancel},
	}
}

// reachRoutes: alerts, devices, credentials and agents.
func (k *Console) reachRoutes() []route {
	return []route{
		{method: get, path: views.PathAlerts, room: k.alerts},
		{method: get, path: views.PathAlertsCSV, room: k.alertsCSV},
		{method: post, path: views.PathAlertResolve, needs: mayAlerts, room: k.closeAlert},
		{method: get, path: views.PathPhoneHealth, room: k.watch},
		{method: get, path: views.PathPhoneHealthCSV, room: k.watchCSV},
		{method: get, path: views.PathDevices, room: k.devices},
		{method: get, path: views.PathDevicesCSV, room: k.devicesCSV},
		{method: get, path: views.PathPair, needs: mayDevices, room: k.pairForm},
		{method: post, path: views.PathPair, needs: mayDevices, room: k.pair},
		{method: get, path: views.PairWaitPath(":id"), needs: mayDevices, part: true, room: k.pairWait},
		{method: get, path: views.DevicePath(":id"), room: k.device},
		{method: post, path: views.DevicePath(":id"), needs: mayDevices, room: k.setDevice},
		{method: get, path: views.DeviceRemovePath(":id"), needs: mayDevices, room: k.askRemoveDevice},
		{method: post, path: views.DeviceRemovePath(":id"), needs: mayDevices, room: k.removeDevice},
		{method: get, path: views.PathCredentials, room: k.credentials},
		{method: get, path: views.PathCredCSV, room: k.credentialsCSV},
		{method: get, path: views.PathCredAdd, needs: mayCredentials, room: k.credentialForm},
		{method: post, path: views.PathCredAdd, needs: mayCredentials, room: k.addCredential},
		{method: get, path: views.CredentialPath(":id"), room: k.credential},
		{method: post, path: views.CredentialCheckPath(":id"), needs: mayCredentials, room: k.checkCredential},
		{method: post, path: views.CredentialHedgingPath(":id"), needs: mayCredentials, room: k.setHedging},
		{method: get, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, room: k.askRollBack},
		{method: post, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, room: k.rollBack},
		{method: get, path: views.CredentialRemovePath(":id"), needs: mayCredentials, room: k.askRemoveCredential},
		{method: post, path: views.CredentialRemovePath(":id"), needs: mayCredentials, room: k.removeCredential},
		{method: get, path: views.PathAgents, room: k.agents},
		{method: get, path: views.PathAgentsCSV, room: k.agentsCSV},
		{method: get, path: views.PathAgentAdd, needs: mayAgents, room: k.agentForm},
		{method: post, path: views.PathAgentAdd, needs: mayAgents, room: k.addAgent},
		{method: get, path: views.AgentPath(":id"), room: k.agent},
		{method: post, path: views.AgentPath(":id"), needs: mayAgents, room: k.setAgent},
		{method: get, path: views.AgentRemovePath(":id"), needs: mayAgents, room: k.askRemoveAgent},
		{method: post, path: views.AgentRemovePath(":id"), needs: mayAgents, room: k.removeAgent},
	}
}

func (k *Console) accountRoutes() []route {
	return []route{
		{method: get, path: views.PathKeys, room: k.keys},
		{method: get, path: views.PathKeysCSV, room: k.keysCSV},
		{method: get, path: views.PathKeyAdd, needs: mayKeys, room: k.keyForm},
		{method: post, path: views.PathKeyAdd, needs: mayKeys, room: k.addKey},
		{method: get, path: views.KeyRevokePath(":id"), needs: mayKeys, room: k.askRevokeKey},
		{method: post, path: views.KeyRevokePath(":id"), needs: mayKeys, room: k.revokeKey},
		{method: get, path: views.PathPeople, room: k.people},
		{method: get, path: views.PathPeopleCSV, room: k.peopleCSV},
		{method: get, path: views.PathPersonAdd, needs: mayPeople, room: k.personForm},
		{method: post, path: views.PathPersonAdd, needs: mayPeople, room: k.addPerson},
		{method: post, path: views.PersonRolePath(":id"), needs: mayPeople, room: k.setRole},
		{method: get, path: views.PersonRemovePath(":id"), needs: mayPeople, room: k.askRemovePerson},
		{method: post, path: views.PersonRemovePath(":id"), needs: mayPeople, room: k.removePerson},
		{method: get, path: views.PathAudit, room: k.audit},
		{method: get, path: views.PathAuditCSV, room: k.auditCSV},
		{method: get, path: views.PathSettings, room: k.settings},
		{method: post, path: views.PathSettings, needs: maySettings, room: k.setSettings},
		{method: post, path: views.PathPassword, room: k.setPassword},
		{method: post, path: views.PathSignInEnd, room: k.endSignIn},
	}
}

// devRoutes are absent in production.
func (k *Console) devRoutes() []route {
	if k.Dev == nil {
		return nil
	}
	return []route{
		{method: get, path: views.PathStorybook, open: k.storybook},
		{method: get, path: views.SamplePath(":name"), open: k.sample},
		{method: get, path: views.PathPhone, open: k.anyPhone},
		{method: get, path: views.PhonePath(":slug"), open: k.phone},
		{method: get, path: views.PhoneEventsPath(":slug"), open: k.phoneEvents},
	}
}

// serve lets in the people that a route is for.
func (k *Console) serve(r route) func(context.Context, *fiber.Ctx) error {
	if r.open != nil {
		return r.open
	}
	return func(ctx context.Context, c *fiber.Ctx) error {
		v, err := k.Visitor(ctx, c)
		switch {
		case tenants.KindOf(err) == tenants.Unauthorized && !r.part:
			return toSignIn(c)
		case err != nil:
			return err
		}
		c.Locals(visitorKey{}, v)
		if v.Tenant.State != tenants.TenantActive && !r.out {
			return tenants.Refuse(tenants.Forbidden, "tenant_suspended", "This account is suspended. Its owner can ask the operator of this server why.")
		}
		if r.needs != "" && !v.Role.May() {
			v.Missing = r.needs
			return tenants.Refuse(tenants.Forbidden, "missing_permission", "Your role here is %s: you may look, and change nothing.", v.Role)
		}
		return r.room(ctx, c, v)
	}
}
