package console

import (
	"carillon/app/page"

	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
	"carillon/views"
)

// route is one address of the console and who may come. Exactly one of public and member is set.
type route struct {
	method, path string
	needs        string // the permission that a viewer lacks; empty = anyone who is signed in
	out          bool   // a way out: stays open when the tenant is suspended
	part         bool   // no page: a stranger is refused, not sent to sign in
	public       func(context.Context, *fiber.Ctx) error
	member       func(context.Context, *fiber.Ctx, *page.Visitor) error
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
		{method: get, path: "/static/*", public: k.asset},
		{method: get, path: views.PathSignIn, public: k.signInPage},
		{method: post, path: views.PathSignIn, public: k.signIn},
		{method: get, path: views.InvitationPath(":token"), public: k.welcome},
		{method: post, path: views.InvitationPath(":token"), public: k.join},
		{method: get, path: views.PathPairHere, public: k.pairHere},
		{method: post, path: views.PathTheme, public: k.theme},
		{method: post, path: views.PathSignOut, out: true, member: k.signOut},
		{method: post, path: views.PathTenant, out: true, member: k.switchTenant},
		{method: get, path: views.PathOverview, member: k.overview},
		{method: post, path: views.PathChecklist, member: k.hideChecklist},
		{method: get, path: views.PathDevelopers, member: k.developers},
	}
	for _, some := range [][]route{k.ringRoutes(), k.reachRoutes(), k.accountRoutes(), k.billingRoutes(), k.devRoutes()} {
		all = append(all, some...)
	}
	return all
}

func (k *Console) ringRoutes() []route {
	return []route{
		{method: get, path: views.PathRings, member: k.rings},
		{method: get, path: views.PathRingsCSV, member: k.ringsCSV},
		{method: get, path: views.PathRingsLive, part: true, member: k.ringsLive},
		{method: get, path: views.PathTestRing, member: k.testRing},
		{method: post, path: views.PathTestRing, needs: mayRing, member: k.placeTest},
		{method: get, path: views.RingPath(":id"), member: k.ring},
		{method: get, path: views.RingTestPath(":id"), member: k.testLive},
		{method: get, path: views.RingPath(":id") + "/live", part: true, member: k.ringLive},
		{method: get, path: views.RingCancelPath(":id"), needs: mayRing, member: k.askCancel},
		{method: post, path: views.RingCancelPath(":id"), needs: mayRing, member: k.cancel},
	}
}

// reachRoutes: alerts, devices, credentials and agents.
func (k *Console) reachRoutes() []route {
	return []route{
		{method: get, path: views.PathAlerts, member: k.alerts},
		{method: get, path: views.PathAlertsCSV, member: k.alertsCSV},
		{method: post, path: views.PathAlertResolve, needs: mayAlerts, member: k.closeAlert},
		{method: get, path: views.PathPhoneHealth, member: k.watch},
		{method: get, path: views.PathPhoneHealthCSV, member: k.watchCSV},
		{method: get, path: views.PathDevices, member: k.devices},
		{method: get, path: views.PathDevicesCSV, member: k.devicesCSV},
		{method: get, path: views.PathPair, needs: mayDevices, member: k.pairForm},
		{method: post, path: views.PathPair, needs: mayDevices, member: k.pair},
		{method: get, path: views.PairWaitPath(":id"), needs: mayDevices, part: true, member: k.pairWait},
		{method: get, path: views.DevicePath(":id"), member: k.device},
		{method: post, path: views.DevicePath(":id"), needs: mayDevices, member: k.setDevice},
		{method: get, path: views.DeviceRemovePath(":id"), needs: mayDevices, member: k.askRemoveDevice},
		{method: post, path: views.DeviceRemovePath(":id"), needs: mayDevices, member: k.removeDevice},
		{method: get, path: views.PathCredentials, member: k.credentials},
		{method: get, path: views.PathCredCSV, member: k.credentialsCSV},
		{method: get, path: views.PathCredAdd, needs: mayCredentials, member: k.credentialForm},
		{method: post, path: views.PathCredAdd, needs: mayCredentials, member: k.addCredential},
		{method: get, path: views.CredentialPath(":id"), member: k.credential},
		{method: post, path: views.CredentialCheckPath(":id"), needs: mayCredentials, member: k.checkCredential},
		{method: post, path: views.CredentialHedgingPath(":id"), needs: mayCredentials, member: k.setHedging},
		{method: get, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, member: k.askRollBack},
		{method: post, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, member: k.rollBack},
		{method: get, path: views.CredentialRemovePath(":id"), needs: mayCredentials, member: k.askRemoveCredential},
		{method: post, path: views.CredentialRemovePath(":id"), needs: mayCredentials, member: k.removeCredential},
		{method: get, path: views.PathAgents, member: k.agents},
		{method: get, path: views.PathAgentsCSV, member: k.agentsCSV},
		{method: get, path: views.PathAgentAdd, needs: mayAgents, member: k.agentForm},
		{method: post, path: views.PathAgentAdd, needs: mayAgents, member: k.addAgent},
		{method: get, path: views.AgentPath(":id"), member: k.agent},
		{method: post, path: views.AgentPath(":id"), needs: mayAgents, member: k.setAgent},
		{method: get, path: views.AgentRemovePath(":id"), needs: mayAgents, member: k.askRemoveAgent},
		{method: post, path: views.AgentRemovePath(":id"), needs: mayAgents, member: k.removeAgent},
	}
}

func (k *Console) accountRoutes() []route {
	return []route{
		{method: get, path: views.PathKeys, member: k.keys},
		{method: get, path: views.PathKeysCSV, member: k.keysCSV},
		{method: get, path: views.PathKeyAdd, needs: mayKeys, member: k.keyForm},
		{method: post, path: views.PathKeyAdd, needs: mayKeys, member: k.addKey},
		{method: get, path: views.KeyRevokePath(":id"), needs: mayKeys, member: k.askRevokeKey},
		{method: post, path: views.KeyRevokePath(":id"), needs: mayKeys, member: k.revokeKey},
		{method: get, path: views.PathPeople, member: k.people},
		{method: get, path: views.PathPeopleCSV, member: k.peopleCSV},
		{method: get, path: views.PathPersonAdd, needs: mayPeople, member: k.personForm},
		{method: post, path: views.PathPersonAdd, needs: mayPeople, member: k.addPerson},
		{method: post, path: views.PersonRolePath(":id"), needs: mayPeople, member: k.setRole},
		{method: get, path: views.PersonRemovePath(":id"), needs: mayPeople, member: k.askRemovePerson},
		{method: post, path: views.PersonRemovePath(":id"), needs: mayPeople, member: k.removePerson},
		{method: get, path: views.PathAudit, member: k.audit},
		{method: get, path: views.PathAuditCSV, member: k.auditCSV},
		{method: get, path: views.PathSettings, member: k.settings},
		{method: post, path: views.PathSettings, needs: maySettings, member: k.setSettings},
		{method: post, path: views.PathPassword, member: k.setPassword},
		{method: post, path: views.PathSignInEnd, member: k.endSignIn},
	}
}

// devRoutes are absent in production.
func (k *Console) devRoutes() []route {
	if k.Dev == nil {
		return nil
	}
	return []route{
		{method: get, path: views.PathStorybook, public: k.storybook},
		{method: get, path: views.SamplePath(":name"), public: k.sample},
		{method: get, path: views.PathPhone, public: k.anyPhone},
		{method: get, path: views.PhonePath(":slug"), public: k.phone},
		{method: get, path: views.PhoneEventsPath(":slug"), public: k.phoneEvents},
	}
}

// serve lets in the people that a route is for.
func (k *Console) serve(r route) func(context.Context, *fiber.Ctx) error {
	if r.public != nil {
		return r.public
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
			return tenants.Refuse(tenants.Forbidden, "missing_permission", "Your role is %s (read only). You cannot make this change.", v.Role)
		}
		return r.member(ctx, c, v)
	}
}
