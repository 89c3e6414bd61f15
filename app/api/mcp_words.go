package api

import "carillon/tenants"

// What a model reads. It decides by these words and by those of mcp.json alone, so they say when to
// use a tool, when not to, and what its values mean.

const mcpInstructions = "Carillon rings people's iPhones so that a voice agent can talk with them. " +
	"To reach someone: list_people finds the person, ring_person rings all their phones; list_groups finds a team, ring_group rings " +
	"those of it who are on duty; get_ring with wait_s follows the ring " +
	"until it has ended. The person talks with the tenant's voice agent, not with you. Ringing interrupts a person: ring only when " +
	"the user asked for it, once, and not again after they declined."

const (
	dryMeaning = "Nothing was rung. With the same arguments and without dry_run these devices would ring now."
	dryNext    = "Call ring_person again without dry_run to ring."

	dryGroupMeaning = "Nothing was rung. With the same arguments and without dry_run the persons in steps whose state is planned would " +
		"ring now, in this order."
	dryGroupNext = "Call ring_group again without dry_run to ring."
)

// stateWords is what a state means and what to do next.
var stateWords = map[tenants.State]struct{ meaning, next string }{
	tenants.Placed:    {"The ring is recorded and Apple is being asked to wake the phones.", waitFor("placed")},
	tenants.Pushed:    {"Apple has accepted the push. No phone has reported yet.", waitFor("pushed")},
	tenants.Ringing:   {"At least one phone is ringing.", waitFor("ringing")},
	tenants.Answered:  {"The person has answered and is talking with the voice agent.", waitFor("answered")},
	tenants.Ended:     {"The call took place and is over.", "Nothing more happens. add_note can keep what was said."},
	tenants.Declined:  {"The person declined the ring.", "Do not ring again unless the user asks for it."},
	tenants.Missed:    {"Nobody answered in time.", "Tell the user. Ring again later only if they ask for it."},
	tenants.Cancelled: {"The ring was cancelled before anyone answered.", "Nothing more happens."},
	tenants.Failed:    {"No phone could be rung.", "Tell the user what end_detail says. Ringing again at once does not help."},
}

func waitFor(state string) string {
	return `Call get_ring with "wait_s":25 and "seen_state":"` + state + `" to wait for the next change.`
}
