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
		{method: get, path: views.PathSignIn, public: signInPages{k}.signInPage},
		{method: post, path: views.PathSignIn, public: signInPages{k}.signIn},
		{method: get, path: views.InvitationPath(":token"), public: peoplePages{k}.welcome},
		{method: post, path: views.InvitationPath(":token"), public: peoplePages{k}.join},
		{method: get, path: views.PathPairHere, public: devicePages{k}.pairHere},
		{method: post, path: views.PathTheme, public: signInPages{k}.theme},
		{method: post, path: views.PathSignOut, out: true, member: signInPages{k}.signOut},
		{method: post, path: views.PathTenant, out: true, member: signInPages{k}.switchTenant},
		{method: get, path: views.PathOverview, member: overviewPages{k}.overview},
		{method: post, path: views.PathChecklist, member: signInPages{k}.hideChecklist},
		{method: get, path: views.PathDevelopers, member: k.developers},
	}
	for _, some := range [][]route{k.ringRoutes(), k.reachRoutes(), k.accountRoutes(), billingPages{k}.billingRoutes(), k.devRoutes()} {
		all = append(all, some...)
	}
	return all
}

func (k *Console) ringRoutes() []route {
	return []route{
		{method: get, path: views.PathRings, member: ringPages{k}.rings},
		{method: get, path: views.PathRingsCSV, member: ringPages{k}.ringsCSV},
		{method: get, path: views.PathRingsLive, part: true, member: ringPages{k}.ringsLive},
		{method: get, path: views.PathTestRing, member: ringPages{k}.testRing},
		{method: post, path: views.PathTestRing, needs: mayRing, member: ringPages{k}.placeTest},
		{method: get, path: views.RingPath(":id"), member: ringPages{k}.ring},
		{method: get, path: views.RingTestPath(":id"), member: ringPages{k}.testLive},
		{method: get, path: views.RingPath(":id") + "/live", part: true, member: ringPages{k}.ringLive},
		{method: get, path: views.RingCancelPath(":id"), needs: mayRing, member: ringPages{k}.askCancel},
		{method: post, path: views.RingCancelPath(":id"), needs: mayRing, member: ringPages{k}.cancel},
	}
}

// reachRoutes: alerts, devices, credentials and agents.
func (k *Console) reachRoutes() []route {
	return []route{
		{method: get, path: views.PathAlerts, member: alertPages{k}.alerts},
		{method: get, path: views.PathAlertsCSV, member: alertPages{k}.alertsCSV},
		{method: post, path: views.PathAlertResolve, needs: mayAlerts, member: alertPages{k}.closeAlert},
		{method: get, path: views.PathPhoneHealth, member: phoneHealthPages{k}.watch},
		{method: get, path: views.PathPhoneHealthCSV, member: phoneHealthPages{k}.watchCSV},
		{method: get, path: views.PathDevices, member: devicePages{k}.devices},
		{method: get, path: views.PathDevicesCSV, member: devicePages{k}.devicesCSV},
		{method: get, path: views.PathPair, needs: mayDevices, member: devicePages{k}.pairForm},
		{method: post, path: views.PathPair, needs: mayDevices, member: devicePages{k}.pair},
		{method: get, path: views.PairWaitPath(":id"), needs: mayDevices, part: true, member: devicePages{k}.pairWait},
		{method: get, path: views.DevicePath(":id"), member: devicePages{k}.device},
		{method: post, path: views.DevicePath(":id"), needs: mayDevices, member: devicePages{k}.setDevice},
		{method: get, path: views.DeviceRemovePath(":id"), needs: mayDevices, member: devicePages{k}.askRemoveDevice},
		{method: post, path: views.DeviceRemovePath(":id"), needs: mayDevices, member: devicePages{k}.removeDevice},
		{method: get, path: views.PathCredentials, member: credentialPages{k}.credentials},
		{method: get, path: views.PathCredCSV, member: credentialPages{k}.credentialsCSV},
		{method: get, path: views.PathCredAdd, needs: mayCredentials, member: credentialPages{k}.credentialForm},
		{method: post, path: views.PathCredAdd, needs: mayCredentials, member: credentialPages{k}.addCredential},
		{method: get, path: views.CredentialPath(":id"), member: credentialPages{k}.credential},
		{method: post, path: views.CredentialCheckPath(":id"), needs: mayCredentials, member: credentialPages{k}.checkCredential},
		{method: post, path: views.CredentialHedgingPath(":id"), needs: mayCredentials, member: credentialPages{k}.setHedging},
		{method: get, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, member: credentialPages{k}.askRollBack},
		{method: post, path: views.CredentialRollbackPath(":id"), needs: mayCredentials, member: credentialPages{k}.rollBack},
		{method: get, path: views.CredentialRemovePath(":id"), needs: mayCredentials, member: credentialPages{k}.askRemoveCredential},
		{method: post, path: views.CredentialRemovePath(":id"), needs: mayCredentials, member: credentialPages{k}.removeCredential},
		{method: get, path: views.PathAgents, member: agentPages{k}.agents},
		{method: get, path: views.PathAgentsCSV, member: agentPages{k}.agentsCSV},
		{method: get, path: views.PathAgentAdd, needs: mayAgents, member: agentPages{k}.agentForm},
		{method: post, path: views.PathAgentAdd, needs: mayAgents, member: agentPages{k}.addAgent},
		{method: get, path: views.AgentPath(":id"), member: agentPages{k}.agent},
		{method: post, path: views.AgentPath(":id"), needs: mayAgents, member: agentPages{k}.setAgent},
		{method: get, path: views.AgentRemovePath(":id"), needs: mayAgents, member: agentPages{k}.askRemoveAgent},
		{method: post, path: views.AgentRemovePath(":id"), needs: mayAgents, member: agentPages{k}.removeAgent},
	}
}

func (k *Console) accountRoutes() []route {
	return []route{
		{method: get, path: views.PathKeys, member: keyPages{k}.keys},
		{method: get, path: views.PathKeysCSV, member: keyPages{k}.keysCSV},
		{method: get, path: views.PathKeyAdd, needs: mayKeys, member: keyPages{k}.keyForm},
		{method: post, path: views.PathKeyAdd, needs: mayKeys, member: keyPages{k}.addKey},
		{method: get, path: views.KeyRevokePath(":id"), needs: mayKeys, member: keyPages{k}.askRevokeKey},
		{method: post, path: views.KeyRevokePath(":id"), needs: mayKeys, member: keyPages{k}.revokeKey},
		{method: get, path: views.PathPeople, member: peoplePages{k}.people},
		{method: get, path: views.PathPeopleCSV, member: peoplePages{k}.peopleCSV},
		{method: get, path: views.PathPersonAdd, needs: mayPeople, member: peoplePages{k}.personForm},
		{method: post, path: views.PathPersonAdd, needs: mayPeople, member: peoplePages{k}.addPerson},
		{method: post, path: views.PersonRolePath(":id"), needs: mayPeople, member: peoplePages{k}.setRole},
		{method: get, path: views.PersonRemovePath(":id"), needs: mayPeople, member: peoplePages{k}.askRemovePerson},
		{method: post, path: views.PersonRemovePath(":id"), needs: mayPeople, member: peoplePages{k}.removePerson},
		{method: get, path: views.PathAudit, member: auditPages{k}.audit},
		{method: get, path: views.PathAuditCSV, member: auditPages{k}.auditCSV},
		{method: get, path: views.PathSettings, member: settingsPages{k}.settings},
		{method: post, path: views.PathSettings, needs: maySettings, member: settingsPages{k}.setSettings},
		{method: post, path: views.PathPassword, member: settingsPages{k}.setPassword},
		{method: post, path: views.PathSignInEnd, member: settingsPages{k}.endSignIn},
	}
}

// devRoutes are absent in production.
func (k *Console) devRoutes() []route {
	if k.Dev == nil {
		return nil
	}
	return []route{
		{method: get, path: views.PathStorybook, public: devPages{k}.storybook},
		{method: get, path: views.SamplePath(":name"), public: devPages{k}.sample},
		{method: get, path: views.PathPhone, public: devPages{k}.anyPhone},
		{method: get, path: views.PhonePath(":slug"), public: devPages{k}.phone},
		{method: get, path: views.PhoneEventsPath(":slug"), public: devPages{k}.phoneEvents},
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
