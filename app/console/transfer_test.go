package console

import (
	"context"
	"errors"
	"net/url"
	"sync"
	"testing"
	"time"

	"carillon/app/page/pagetest"
	"carillon/app/switchboard"
	"carillon/tenants"
)

// transferring is a Board whose calls can be transferred.
type transferring struct {
	Board
	mu  sync.Mutex
	got []switchboard.Transfer
	err error
}

func (b *transferring) Transfer(_ context.Context, _ switchboard.Caller, _ tenants.RingID, to switchboard.Transfer) (*tenants.Ring, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.got = append(b.got, to)
	return nil, b.err
}

// TestTransferPage: while a call is up those who may place rings give it to an agent or a person.
// The page says what happens, and a refusal comes back with the form.
func TestTransferPage(t *testing.T) {
	t.Parallel()
	var b *transferring
	h := openAs(t, "http://127.0.0.1", func(_ *server, c *Config) {
		b = &transferring{Board: c.Board}
		c.Board = b
	})
	ours := h.full("ours", "Ours")
	r := ours.placed()
	admin, viewer, path := ours.Quick(ours.Person(tenants.Admin)), ours.Quick(ours.viewer()), "/rings/"+string(r.ID)
	admin.Get(path).Want(200).Lacks("Transfer the call")
	admin.Get(path + "/transfer").Want(200).Has("not in a call").Lacks("<select name=\"agent\"")
	_, _, err := ours.Scope().Rings().Change(t.Context(), r.ID, nil, time.Time{}, func(r *tenants.Ring) ([]tenants.Fact, error) {
		now := h.Clock.Now()
		r.Call = &tenants.Call{Device: ours.device, AnsweredAt: now}
		return r.Fold(tenants.Fact{Attempt: r.Attempts[0].ID, Kind: tenants.FactAnswered, At: now, Received: now}), nil
	})
	pagetest.Must(t, err)
	admin.Get(path).Want(200).Has("Transfer the call", path+"/transfer")
	admin.Get(path + "/part?view=ring").Want(200).Has("Transfer the call") // the button comes while the page is open
	viewer.Get(path).Want(200).Lacks("Transfer the call")
	viewer.Get(path + "/transfer").Want(403)
	admin.Get(path+"/transfer").Want(200).Has(string(ours.agent), "goes back to the agent of its ring", "hears a tone")
	admin.Post(path+"/transfer", url.Values{}).Want(400).Has(nobodyChosen)
	admin.Post(path+"/transfer", url.Values{"agent": {string(ours.agent)}}).Leads(path)
	admin.Post(path+"/transfer", url.Values{"person": {"dr-okafor"}}).Leads(path)
	admin.Get(path+"/transfer").Has("To a group", "Ours line", "as its steps say")
	admin.Post(path+"/transfer", url.Values{"group": {string(ours.group)}}).Leads(path)
	b.err = tenants.Refuse(tenants.Conflict, "no_agent_talks", "No agent talks.")
	admin.Post(path+"/transfer", url.Values{"person": {"dr-okafor"}}).Want(409).Has("No agent talks.")
	b.err = errors.New("no disk")
	admin.Post(path+"/transfer", url.Values{"person": {"dr-okafor"}}).Want(500).Lacks("no disk")
	want := []switchboard.Transfer{{Agent: ours.agent}, {Person: "dr-okafor"}, {Group: ours.group},
		{Person: "dr-okafor"}, {Person: "dr-okafor"}}
	if len(b.got) != len(want) || b.got[0] != want[0] || b.got[1] != want[1] || b.got[2] != want[2] {
		t.Errorf("transferred to %v, want %v", b.got, want)
	}
}
