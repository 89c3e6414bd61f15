package tenants

import "time"

// Cap is the most of one thing that a tenant may have. It keeps a program that runs wild from
// filling the database; a plan may allow less.
type Cap struct {
	Code string // of the refusal
	What string // "agents"
	Most int64
	Cure string        // a sentence
	Wait time.Duration // after which some are gone by themselves; 0 = somebody has to remove one
}

// The caps of a tenant's lists.
var (
	CapAgents = Cap{Code: "too_many_agents", What: "agents", Most: 200, Cure: "Remove one that you no longer use."}
	CapSounds = Cap{Code: "too_many_sounds", What: "announcements", Most: 20,
		Cure: "Remove the agent of one that you no longer use."}
	CapKeys = Cap{Code: "too_many_keys", What: "API keys", Most: 200, Cure: "Revoke one that no program uses."}

	CapConnections = Cap{Code: "too_many_connections", What: "connections", Most: 20,
		Cure: "Remove one that you no longer use."}
	CapGroups    = Cap{Code: "too_many_groups", What: "groups", Most: 200, Cure: "Remove one that nobody rings."}
	CapSchedules = Cap{Code: "too_many_schedules", What: "schedules", Most: 200,
		Cure: "Remove one that no group uses."}
	CapConsents = Cap{Code: "too_many_consents", What: "recorded consents", Most: 200_000,
		Cure: "Ask the operator of this server to raise the bound."}
	CapCredentials = Cap{Code: "too_many_credentials", What: "Apple credentials", Most: 200,
		Cure: "Remove one that no app uses."}
	CapInvitations = Cap{Code: "too_many_invitations", What: "open invitations", Most: 500,
		Cure: "Cancel some that nobody will use."}
	CapDevices = Cap{Code: "too_many_devices", What: "devices", Most: 100_000,
		Cure: "Remove some that nobody uses."}
	CapViews = Cap{Code: "too_many_views", What: "saved views", Most: 500, Cure: "Remove one that nobody uses."}
	CapTags  = Cap{Code: "too_many_tags", What: "tags on this device", Most: 20, Cure: "Remove one of them."}

	CapAlertRules   = Cap{Code: "too_many_alert_rules", What: "alert rules", Most: 50, Cure: "Remove one that nobody needs."}
	CapAlertTargets = Cap{Code: "too_many_alert_targets", What: "alert targets", Most: 20, Cure: "Remove one that nobody needs."}

	CapPairings = Cap{Code: "too_many_pairings", What: "open pairing codes", Most: 300,
		Cure: "Wait until some are used or have expired. A code lasts ten minutes.", Wait: time.Minute}
)

// Check refuses one more where there are have already: 429 where time helps, else 422.
func (c Cap) Check(have int64) error {
	if have < c.Most {
		return nil
	}
	e := &Error{Kind: Unprocessable, Code: c.Code, RetryAfter: c.Wait,
		Msg: "This organisation has " + FormatCount(int(c.Most)) + " " + c.What + ", which is the most. " + c.Cure}
	if c.Wait > 0 {
		e.Kind = TooMany
	}
	return e
}
