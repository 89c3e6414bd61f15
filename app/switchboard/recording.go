package switchboard

import (
	"context"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// recorded is the agent of the ring's call, and the tap of its line. Where the tenant's rule is off
// it is the chain itself, without a tap. A rule that cannot be read is off: the call matters more,
// and nobody is recorded by mistake. A call between two persons is not recorded either: each of
// them agreed to a recording of their own call at most. A phone that answers again does not begin
// another recording: the gateway goes on with the first.
func (b *Board) recorded(ctx context.Context, r *tenants.Ring, chain *agents.Chain) (gateway.Agent, gateway.Tap) {
	switch has, between := b.chains.recording(r.ID); {
	case between:
		return chain, nil
	case has != nil:
		return has, has
	}
	scope := b.Store.For(r.Tenant).Recordings()
	rule, err := scope.Rule(ctx)
	if err != nil || rule.Policy == tenants.RecordOff {
		if err != nil {
			b.Log.Error("a call is not recorded", "ring", r.ID, "tenant", r.Tenant, "err", err)
		}
		return chain, nil
	}
	announcement, err := agents.NewAnnouncement(rule.Ogg, rule.PCMU)
	if err != nil {
		b.Log.Error("a call is not recorded", "ring", r.ID, "tenant", r.Tenant, "err", err)
		return chain, nil
	}
	rec := b.chains.record(r.ID, agents.NewRecording(chain, agents.RecordingConfig{
		Policy: rule.Policy, Announcement: announcement, Tape: tape{scope, r.ID}, Note: agentLinks{b}.noteOf(r), Now: b.Now,
		Log: b.Log.With("ring", r.ID, "tenant", r.Tenant),
	}))
	if rec == nil {
		return chain, nil
	}
	return rec, rec
}

// tape stores the recording of one ring.
type tape struct {
	of   store.Recordings
	ring tenants.RingID
}

func (t tape) Begin(ctx context.Context, r tenants.Recording) error {
	return t.of.Begin(ctx, t.ring, r)
}

func (t tape) Add(ctx context.Context, chunk []byte, length int64, lost int) error {
	return t.of.Add(ctx, t.ring, chunk, length, lost)
}
