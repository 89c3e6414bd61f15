package console

import (
	"slices"
	"strings"
	"testing"
	"time"

	"carillon/app/page"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/views"
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

// TestTheTimelineIsInOrder: what happened during a call is among its steps, by time, and counts the
// wait from the step before it.
func TestTheTimelineIsInOrder(t *testing.T) {
	t.Parallel()
	start := time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)
	at := func(ms int, k tenants.FactKind) tenants.Fact {
		return tenants.Fact{Kind: k, At: start.Add(time.Duration(ms) * time.Millisecond)}
	}
	a := tenants.Attempt{State: tenants.Ended, Facts: []tenants.Fact{at(0, tenants.FactPlaced), at(500, tenants.FactAnswered),
		at(660, tenants.FactConnected), at(513, tenants.FactAgentAttached), at(9000, tenants.FactHungUp),
		at(8000, tenants.FactTransferred)}}
	var got []string
	for _, h := range hopsOf(&a, time.UTC) {
		if h.State != views.HopSkipped {
			got = append(got, strings.TrimSpace(h.Label+" "+h.Delta)+": "+string(h.State))
		}
	}
	if want := []string{"The ring was placed: done", "A person picked up 500 ms: done", "The agent joined 13 ms: done",
		"Both could hear each other 147 ms: done", "The call was transferred 7.34 s: done", "The call was over 1.00 s: ended",
	}; !slices.Equal(got, want) {
		t.Errorf("shown %q, want %q", got, want)
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
		if h.Label == "The agent could not join" || h.Label == "The agent joined" {
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
