package console

import (
	"testing"

	"carillon/app/page"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// TestEveryEndOfACallHasWords: none is shown as a program reads it.
func TestEveryEndOfACallHasWords(t *testing.T) {
	t.Parallel()
	for _, reason := range switchboard.CallEndings() {
		if got := endedBy(reason); got == page.Sentence(reason) {
			t.Errorf("%s is shown as %q", reason, got)
		}
	}
}

// TestFactsOfAgentsAreShownOneByOne: each with the agent's name, and a failure with its cause.
func TestFactsOfAgentsAreShownOneByOne(t *testing.T) {
	t.Parallel()
	a := tenants.Attempt{State: tenants.Answered, Facts: []tenants.Fact{
		{Kind: tenants.FactPlaced}, {Kind: tenants.FactAnswered},
		{Kind: tenants.FactAgentFailed, Detail: "Ärzte: the agent's server answered 401: the token is wrong"},
		{Kind: tenants.FactAgentFailed, Nth: 1, Detail: "Desk: it was not there within 5s"},
		{Kind: tenants.FactAgentAttached, Detail: "Night"},
	}}
	want := []string{"Ärzte: the agent's server answered 401: the token is wrong.", "Desk: it was not there within 5s.", "Night."}
	var got []string
	for _, h := range hopsOf(&a, nil) {
		if h.Label == "The call could not be taken" || h.Label == "The call was taken" {
			got = append(got, h.Note)
		}
	}
	if len(got) != len(want) {
		t.Fatalf("shown %q", got)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("shown %q, want %q", got[i], want[i])
		}
	}
}
