package api

import (
	"context"

	"github.com/gofiber/fiber/v2"

	"carillon/tenants"
)

// Route is one path of /v1: who may call it, and what it does.
type Route struct {
	Method, Path string
	Needs        tenants.Permission // scope the API key must have; empty = no API key

	// Exactly one of these is set. It says how the caller is authenticated.
	key   func(context.Context, *fiber.Ctx, caller) error
	phone func(context.Context, *fiber.Ctx, phone) error
	open  func(context.Context, *fiber.Ctx) error // public, or the handler checks another secret

	traced bool // starts a trace
}

// routes lists every path of /v1.
func (a *API) routes() []Route {
	list := []Route{
		{Method: "GET", Path: "/v1/openapi.yaml", open: a.description},

		{Method: "POST", Path: "/v1/rings", Needs: tenants.RingsWrite, key: a.placeRing, traced: true},
		{Method: "GET", Path: "/v1/rings", Needs: tenants.RingsRead, key: a.listRings},
		{Method: "GET", Path: "/v1/rings/:id", Needs: tenants.RingsRead, key: a.showRing},
		{Method: "POST", Path: "/v1/rings/:id/cancel", Needs: tenants.RingsWrite, key: a.cancelRing},
		{Method: "POST", Path: "/v1/rings/:id/transfer", Needs: tenants.RingsWrite, key: a.transferRing},
		{Method: "GET", Path: "/v1/rings/:id/events", Needs: tenants.RingsRead, key: a.followRing},
		{Method: "GET", Path: "/v1/events", Needs: tenants.RingsRead, key: a.followEvents},
		{Method: "POST", Path: PathNotes, Needs: tenants.NotesWrite, key: a.addNotes},
		{Method: "GET", Path: PathNotes, Needs: tenants.NotesRead, key: a.showNotes},

		{Method: "GET", Path: "/v1/rings/:id/recording", Needs: tenants.NotesRead, key: a.recording},

		{Method: "POST", Path: "/v1/devices", Needs: tenants.DevicesWrite, key: a.addDevice},
		{Method: "GET", Path: "/v1/devices", Needs: tenants.DevicesRead, key: a.listDevices},
		{Method: "GET", Path: "/v1/devices/:id", Needs: tenants.DevicesRead, key: a.showDevice},
		{Method: "PATCH", Path: "/v1/devices/:id", Needs: tenants.DevicesWrite, key: a.changeDevice},
		{Method: "DELETE", Path: "/v1/devices/:id", Needs: tenants.DevicesWrite, key: a.removeDevice},
		{Method: "POST", Path: "/v1/pairings", Needs: tenants.DevicesWrite, key: a.addPairing},

		{Method: "POST", Path: "/v1/agents", Needs: tenants.AgentsWrite, key: a.addAgent},
		{Method: "GET", Path: "/v1/agents", Needs: tenants.AgentsRead, key: a.listAgents},
		{Method: "GET", Path: "/v1/agents/:id", Needs: tenants.AgentsRead, key: a.showAgent},
		{Method: "PATCH", Path: "/v1/agents/:id", Needs: tenants.AgentsWrite, key: a.changeAgent},
		{Method: "POST", Path: PathAnnouncement, Needs: tenants.AgentsWrite, key: a.setAnnouncement},
		{Method: "DELETE", Path: "/v1/agents/:id", Needs: tenants.AgentsWrite, key: a.removeAgent},

		{Method: "GET", Path: "/v1/analytics/funnel", Needs: tenants.AnalyticsRead, key: a.funnel},
		{Method: "GET", Path: "/v1/analytics/outcomes", Needs: tenants.AnalyticsRead, key: a.outcomes},
		{Method: "GET", Path: "/v1/analytics/callkit", Needs: tenants.AnalyticsRead, key: a.callKit},

		{Method: "POST", Path: PathMCP, open: a.mcp.converse},

		{Method: "POST", Path: "/v1/sms/:id", open: a.takeText},

		{Method: "POST", Path: "/v1/phone/devices", open: a.pairPhone},
		{Method: "PUT", Path: "/v1/phone/token", phone: a.renewToken},
		{Method: "GET", Path: "/v1/phone/rings/:id", phone: a.showPhoneRing},
		{Method: "POST", Path: "/v1/phone/rings/:id/facts", phone: a.reportFact},
		{Method: "GET", Path: "/v1/phone/rings/:id/events", phone: a.followPhoneRing},
	}
	list = append(list, connectionAPI{a}.connectionRoutes()...)
	list = append(list, credentialAPI{a}.credentialRoutes()...)
	list = append(list, groupAPI{a}.groupRoutes()...)
	return append(append(list, a.mediaRoutes()...), a.joinRoutes()...)
}

// connectionRoutes keep the systems of a tenant's own.
func (a connectionAPI) connectionRoutes() []Route {
	return []Route{
		{Method: "POST", Path: "/v1/connections", Needs: tenants.ConnectionsWrite, key: a.addConnection},
		{Method: "GET", Path: "/v1/connections", Needs: tenants.ConnectionsRead, key: a.listConnections},
		{Method: "GET", Path: "/v1/connections/:id", Needs: tenants.ConnectionsRead, key: a.showConnection},
		{Method: "PATCH", Path: "/v1/connections/:id", Needs: tenants.ConnectionsWrite, key: a.changeConnection},
		{Method: "DELETE", Path: "/v1/connections/:id", Needs: tenants.ConnectionsWrite, key: a.removeConnection},
		{Method: "GET", Path: "/v1/connections/:id/attempts", Needs: tenants.ConnectionsRead, key: a.listAttempts},
		{Method: "POST", Path: "/v1/connections/:id/replay", Needs: tenants.ConnectionsWrite, key: a.replay},
		{Method: "POST", Path: "/v1/connections/:id/secret", Needs: tenants.ConnectionsWrite, key: a.rotateSecret},
		{Method: "POST", Path: "/v1/connections/:id/test", Needs: tenants.ConnectionsWrite, key: a.tryConnection},
	}
}

// mediaRoutes exchange SDP. A server without media has none.
func (a *API) mediaRoutes() []Route {
	if a.Media == nil {
		return nil
	}
	return []Route{
		{Method: "POST", Path: "/v1/phone/rings/:id/answer", phone: a.answerRing},
		{Method: "PATCH", Path: "/v1/phone/rings/:id/leg", phone: a.trickle},
		{Method: "DELETE", Path: "/v1/phone/rings/:id/leg", phone: a.hangUp},
	}
}
