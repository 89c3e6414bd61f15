package console

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"carillon/app/page"
	"carillon/app/page/pagetest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// recorded says which audit rows each address that changes something writes, the oldest first. An
// action with a * also has what changed, before and after.
var recorded = map[string]string{
	"POST /agents/:id":                             "agent.set*",
	"POST /agents/:id/remove":                      "agent.remove",
	"POST /agents/add":                             "agent.add",
	"POST /alerts/bulk":                            "alert.resolve",
	"POST /alerts/close":                           "alert.resolve",
	"POST /alerts/rules/:id":                       "alert_rule.set*",
	"POST /alerts/rules/:id/pause":                 "alert_rule.set*",
	"POST /alerts/rules/:id/remove":                "alert_rule.remove",
	"POST /alerts/rules/add":                       "alert_rule.add",
	"POST /alerts/targets/:id":                     "alert_target.set*",
	"POST /alerts/targets/:id/remove":              "alert_target.remove",
	"POST /alerts/targets/:id/test":                "alert_target.test",
	"POST /alerts/targets/add":                     "alert_target.add",
	"POST /audit/evidence.zip":                     "audit.evidence",
	"POST /audit/review":                           "audit.review",
	"POST /connections/:id/edit":                   "connection.set*",
	"POST /connections/:id/pause":                  "connection.pause*",
	"POST /connections/:id/remove":                 "connection.remove",
	"POST /connections/:id/replay":                 "connection.replay",
	"POST /connections/:id/secret":                 "connection.secret",
	"POST /connections/:id/test":                   "connection.test",
	"POST /connections/add":                        "connection.add",
	"POST /consents/:id/withdraw":                  "consent.withdraw",
	"POST /consents/add":                           "consent.add",
	"POST /credentials/:id/check":                  "credential.probe",
	"POST /credentials/:id/hedging":                "credential.hedging*",
	"POST /credentials/:id/profile":                "credential.profile*",
	"POST /credentials/:id/remove":                 "credential.remove",
	"POST /credentials/:id/rollback":               "credential.rollback*",
	"POST /developers/key":                         "key.add",
	"POST /devices/:id":                            "device.set*",
	"POST /devices/:id/merge":                      "device.merge*",
	"POST /devices/:id/remove":                     "device.remove",
	"POST /devices/bulk":                           "device.remove",
	"POST /devices/import/now":                     "device.import",
	"POST /devices/pair":                           "pairing.add",
	"POST /groups/:id":                             "group.set*",
	"POST /groups/:id/remove":                      "group.remove",
	"POST /groups/add":                             "group.add",
	"POST /keys/:id/edit":                          "key.set*",
	"POST /keys/:id/revoke":                        "key.revoke",
	"POST /keys/:id/rotate":                        "key.add key.rotate", // a new key, and an end for the old one
	"POST /keys/add":                               "key.add",
	"POST /keys/bulk":                              "key.revoke",
	"POST /lists/views/:id/remove":                 "view.remove",
	"POST /people/:id/remove":                      "member.remove",
	"POST /people/:id/role":                        "member.role*",
	"POST /people/add":                             "invitation.add",
	"POST /rings/:id/erase":                        "note.erase",
	"POST /rings/test":                             "ring.place",
	"POST /schedules/:id":                          "schedule.set*",
	"POST /schedules/:id/remove":                   "schedule.remove",
	"POST /schedules/add":                          "schedule.add",
	"POST /settings":                               "tenant.set*",
	"POST /settings/data/export":                   "export.ask",
	"POST /settings/look":                          "tenant.look_set*",
	"POST /settings/recording":                     "recording.policy",
	"POST /settings/rules":                         "rules.set*",
	"POST /settings/sign-in/remove":                "provider.remove",
	"POST /connections/:id/deliveries/:event/send": "connection.replay",
}

// unrecorded are the other addresses, and why this walk sees no row of theirs.
var unrecorded = map[string]string{
	"POST /checklist":      "what one person sees",
	"POST /lists/columns":  "what one person sees",
	"POST /lists/views":    "there is no such list; see TestSavedViews",
	"POST /account/digest": "what one person gets by mail",

	"POST /people/roles/preview": "what one person sees",
	"POST /audit/verify":         "changes nothing",
	"POST /devices/import":       "says what it would do",
	"POST /schedules/:id/read":   "reads again what it reads anyway",

	"POST /rings/bulk":              "no ring is going; see ring.cancel in app/api",
	"POST /rings/:id/cancel":        "the ring is over; see ring.cancel in app/api",
	"POST /rings/:id/transfer":      "no call is going; see TestTransferPage",
	"POST /connections/:id/resume":  "it is active already",
	"POST /people/:id/resend":       "too early; see TestInvitationsAreSentAgain",
	"POST /agents/:id/announcement": "the file is no sound",
	"POST /credentials/add":         "the file is no key; see TestCredentials",

	"POST /settings/data/delete":        "another name is typed; see TestDeletingATenant",
	"POST /settings/data/keep":          "nothing is deleted; see TestDeletingATenant",
	"POST /settings/data/erase":         "nobody is found",
	"POST /settings/data/export/remove": "there is none; see TestExportEverything",
	"POST /settings/sign-in":            "no provider answers; see TestSigningInThroughAProvider",
	"POST /settings/sign-in/check":      "there is no such claim; see TestSigningInThroughAProvider",
	"POST /settings/two-steps":          "the owner has one step; see TestTwoStepSignIn",
}

// TestEveryChangeIsRecorded visits each address that changes something of a tenant, and finds in
// the audit log what recorded says: by the person who did it, with their address, and with the
// changed fields before and after. A new address that is in neither list fails.
func TestEveryChangeIsRecorded(t *testing.T) {
	t.Parallel()
	h := open(t)
	for address, v := range visits {
		method, pattern, _ := strings.Cut(address, " ")
		own := strings.HasPrefix(pattern, "/account/") || pattern == "/account" // of the person, in no tenant
		want, known := recorded[address]
		if method == "GET" || v.access == public || v.access == wayOut || own || unrecorded[address] != "" {
			if known {
				t.Errorf("%s is in recorded, and changes nothing here", address)
			}
			continue
		}
		if !known {
			t.Errorf("%s is in neither recorded nor unrecorded: say which audit row it writes", address)
			continue
		}
		h.Serial++
		b := h.full("t"+strconv.Itoa(h.Serial), "Beta")
		b.viewer()
		if v.path != nil {
			v.path(b) // may make what it names
		}
		last := b.rowsAfter(0)[0].Seq
		if res := v.goes(b.Quick(b.Owner), method, pattern, b); res.StatusCode != 200 && res.StatusCode != 303 {
			t.Errorf("%s: %d", address, res.StatusCode)
			continue
		}
		var got []string
		rows := b.rowsAfter(last)
		slices.Reverse(rows)
		for i, a := range rows {
			if a.Actor.Kind != tenants.ActorUser || a.Actor.ID != string(b.Owner.ID) || a.IP == "" || a.RequestID == "" {
				t.Errorf("%s: by %+v from %q in %q", address, a.Actor, a.IP, a.RequestID)
			}
			action := a.Action
			if words := strings.Fields(want); i < len(words) && words[i] == action+"*" && len(a.Changes) > 0 {
				action += "*"
			}
			got = append(got, action)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: recorded %q, want %q: %s", address, got, want, page.Clip(rowsText(rows), 600))
		}
	}
	for address := range recorded {
		if _, ok := visits[address]; !ok {
			t.Errorf("%s is in recorded and is no address", address)
		}
	}
	for address := range unrecorded {
		if _, ok := visits[address]; !ok {
			t.Errorf("%s is in unrecorded and is no address", address)
		}
	}
}

// rowsAfter are the newest audit rows of the tenant after a seq, the newest first.
func (t *tenant) rowsAfter(seq int64) []tenants.Audit {
	t.h.Helper()
	rows, _, err := t.Scope().Audits().List(t.h.Context(), store.AuditQuery{Limit: 20})
	pagetest.Must(t.h, err)
	return slices.DeleteFunc(rows, func(a tenants.Audit) bool { return a.Seq <= seq })
}

func rowsText(rows []tenants.Audit) string {
	var b strings.Builder
	for _, a := range rows {
		b.WriteString(a.Action + " (" + changesCell(a.Changes) + ") ")
	}
	return b.String()
}
