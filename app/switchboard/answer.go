package switchboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/app/agents"
	"carillon/gateway"
	"carillon/tenants"
)

// Media carries the sound of calls. *gateway.Gateway is one.
type Media interface {
	Answer(context.Context, gateway.Offer) (gateway.Answer, error)
	Trickle(context.Context, gateway.Fragment) (gateway.Trickled, error)
	HangUp(call string, reason gateway.EndReason)
	CodecOf(call string) (gateway.Codec, bool) // false = there is no such call
}

// What ended a call, where it was not the gateway that ended it.
const (
	offerUnusable   = "sdp"              // the gateway refused the first offer after the ring was won
	serverRestarted = "server_restarted" // the process that carried the call is gone
)

// CallEndings returns everything that Call.EndedBy can say, in no order.
func CallEndings() []string {
	all := []string{offerUnusable, serverRestarted, nodeLost}
	for _, r := range gateway.EndReasons() {
		all = append(all, string(r))
	}
	return all
}

// callLease is how long an answered ring may go unrenewed before another process assumes that its
// gateway is dead.
const callLease = 30 * time.Second

// Answer makes the ring a call: the first device wins, the same device may answer again and gets a
// new leg. Another device is refused with Conflict, an ended ring with Gone, an offer that cannot
// be carried before anything is written, a first answer while the server drains with Unavailable,
// and a device that answers too often with TooMany before anything is read.
func (b *Board) Answer(ctx context.Context, d tenants.Device, id tenants.RingID, sdp string) (gateway.Answer, error) {
	if b.Media == nil {
		return gateway.Answer{}, tenants.Refuse(tenants.Unavailable, "no_voice", "This server cannot carry calls right now.")
	}
	if err := b.admitMedia(answers, d, id); err != nil {
		return gateway.Answer{}, err
	}
	return Held{b}.answer(ctx, d, id, sdp, false)
}

// answer is Answer on the node that the phone's request reached, or the one that it was passed on
// to.
func (h Held) answer(ctx context.Context, d tenants.Device, id tenants.RingID, sdp string, passed bool) (gateway.Answer, error) {
	b := h.Board
	// The ring first, then the offer: a phone that comes too late must hear that, whatever it
	// offers.
	r := b.ringing.find(id, d, b.Now())
	known := r != nil
	if !known {
		var err error
		if r, err = b.Store.For(d.Tenant).Rings().Get(ctx, id); err != nil {
			return gateway.Answer{}, err
		}
	}
	a, err := answerable(r, d, b.Now())
	if err != nil {
		return gateway.Answer{}, err
	}
	h.pickedUp(a, id)
	to, err := Held{b}.elsewhere(ctx, d.Tenant, id, true)
	switch {
	case err != nil:
		return gateway.Answer{}, err
	case to != "" && passed:
		return gateway.Answer{}, errMoved()
	case passed && b.calls.has(id, d.Tenant) && h.lost(ctx, id): // the request waited here while this process was stopped
		h.letGo(d.Tenant, id)
		return gateway.Answer{}, errMoved()
	case to != "":
		answer, here, err := Held{b}.passAnswer(ctx, to, r, d.ID, sdp)
		if !here {
			if err == nil && h.hungUpBy(id, d.ID) == gateway.PhoneHungUp { // the hang-up may have been there before the answer
				h.post(to, askHangUp, request{Tenant: d.Tenant, Ring: id, Device: d.ID})
				return gateway.Answer{}, errRingEnded
			}
			return answer, err
		}
	}
	if a.State != tenants.Answered || b.Peers != nil && !b.calls.has(id, d.Tenant) {
		leave, err := b.draining.enter()
		if err != nil {
			return gateway.Answer{}, err
		}
		defer leave()
	}
	chain, err := agentLinks{b}.chain(ctx, r)
	if err != nil {
		return gateway.Answer{}, err
	}
	var won, first bool
	answer, err := b.Media.Answer(ctx, gateway.Offer{
		Call: string(id), Leg: string(d.ID), SDP: sdp, Agent: chain,
		On: func(e gateway.Event) { b.heard(d.Tenant, id, a.ID, e) },
		// The commit takes about as long as making the connection, so they go on side by side. The
		// phone gets the answer after both.
		Decide: func() (agent gateway.Agent, tap gateway.Tap, err error) {
			if r, first, err = b.win(ctx, d, r); err != nil {
				return nil, nil, err
			}
			won = true
			agent, tap = h.seated(ctx, r, chain)
			return agent, tap, nil
		},
	})
	if err == nil {
		if by := h.endedMeanwhile(ctx, d, id, first); by != "" {
			b.Media.HangUp(string(id), by)
			return gateway.Answer{}, errRingEnded
		}
		return answer, nil
	}
	if !won && known { // what was known may be out of date
		if r, e := b.Store.For(d.Tenant).Rings().Get(ctx, id); e == nil {
			if _, e := answerable(r, d, b.Now()); e != nil {
				return gateway.Answer{}, e
			}
		}
	}
	if won { // else the ring, or the call, is as it was
		h.answerFailed(d, id, a.ID, first, err)
	}
	return gateway.Answer{}, refusal(err)
}

// endedMeanwhile is who ended the call while it began, when the gateway did not know it yet; "" =
// nobody.
func (h Held) endedMeanwhile(ctx context.Context, d tenants.Device, id tenants.RingID, first bool) gateway.EndReason {
	if by := h.hungUpBy(id, d.ID); by != "" {
		return by
	}
	if h.removed.has(d.ID) || !first && h.overMeanwhile(ctx, d.Tenant, id) {
		return gateway.Cancelled
	}
	return ""
}

// answerFailed ends what is left of a ring that was won with an offer that the gateway refused
// later. A call that is running goes on without this leg. One that is not, or is over, is no call
// of this process: the phone may answer again within the lease, and then the sweep ends the ring.
// But where somebody hung up, or this was the first answer, nobody will ever be on this line.
func (h Held) answerFailed(d tenants.Device, id tenants.RingID, a tenants.AttemptID, first bool, err error) {
	if _, running := h.Media.CodecOf(string(id)); first || !running || gateway.Reason(err) == gateway.CallEnded {
		h.forget(id)
	}
	by := gateway.EndOf(err)
	if by == "" && first {
		by = h.hungUpBy(id, d.ID)
	}
	switch {
	case by != "":
		h.writeHeld(d.Tenant, id, ending(a, endKind(by), string(by), h.Now(), time.Time{}))
	case first:
		h.writeHeld(d.Tenant, id, ending(a, tenants.FactBroken, offerUnusable, h.Now(), time.Time{}))
	}
}

// seated notes that the ring is a call of this process, and returns who converses and listens.
func (h Held) seated(ctx context.Context, r *tenants.Ring, chain *agents.Chain) (gateway.Agent, gateway.Tap) {
	b := h.Board
	b.ringing.drop(r.ID)
	b.calls.add(r)
	chain = b.chains.keep(r, chain)
	b.chains.answered(r.ID)
	b.sounded.begin(r.ID, r.Tenant, b.Now())
	return b.recorded(ctx, r, chain)
}

// forget drops what this process keeps of a call that it does not carry.
func (b *Board) forget(id tenants.RingID) {
	b.calls.drop(id)
	b.sounded.end(id)
	b.dropChain(id)
}

// overMeanwhile reports whether the call that the same phone answered again had ended just before:
// the gateway then began another one, which nobody wants.
func (b *Board) overMeanwhile(ctx context.Context, t tenants.TenantID, id tenants.RingID) bool {
	r, err := b.Store.For(t).Rings().Get(ctx, id)
	return err == nil && r.State.Terminal() || b.late.has(id)
}

// win is the compare-and-set: within one write it looks whether the ring can still be answered by
// the device, and answers it.
func (b *Board) win(ctx context.Context, d tenants.Device, seen *tenants.Ring) (r *tenants.Ring, first bool, err error) {
	now := b.Now()
	r, facts, err := b.Store.For(d.Tenant).By(phone(d)).Rings().Change(ctx, seen.ID, seen, now.Add(callLease),
		func(r *tenants.Ring) ([]tenants.Fact, error) {
			a, err := answerable(r, d, now)
			if err != nil || a.State == tenants.Answered {
				return nil, err
			}
			r.Call = &tenants.Call{Device: d.ID, AnsweredAt: now}
			return r.Fold(tenants.Fact{Attempt: a.ID, Kind: tenants.FactAnswered, At: now, Received: now}), nil
		})
	if err != nil {
		return nil, false, err
	}
	b.tell(r, facts)
	return r, len(facts) > 0, nil
}

// answerable gives the device's attempt if the device may answer the ring, or has answered it and
// may again.
func answerable(r *tenants.Ring, d tenants.Device, now time.Time) (*tenants.Attempt, error) {
	a, ok := r.AttemptOf(d.ID)
	if !ok {
		return nil, tenants.NoSuch("ring")
	}
	switch {
	case a.State == tenants.Answered:
		return a, nil
	case a.State == tenants.Elsewhere, r.State == tenants.Answered:
		return nil, tenants.Refuse(tenants.Conflict, "answered_elsewhere", "Another device has answered this call.")
	case a.State.Terminal(), !now.Before(r.ExpiresAt):
		return nil, tenants.Refuse(tenants.Gone, "ring_ended", "This ring has ended.")
	}
	return a, nil
}

// heard records what the gateway says of a call. It runs on the call's own goroutine.
func (b *Board) heard(t tenants.TenantID, id tenants.RingID, a tenants.AttemptID, e gateway.Event) {
	received := b.Now()
	switch e.Kind {
	case gateway.Connected:
		Held{b}.writeSoon(t, id, true, func(r *tenants.Ring) []tenants.Fact {
			if r.Call != nil {
				r.Call.ConnectedAt = e.At
			}
			return r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactConnected, At: e.At, Received: received})
		})
	case gateway.OneWay: // soon: the call's goroutine, which also ends it, must not wait for the database
		Held{b}.writeSoon(t, id, true, func(r *tenants.Ring) []tenants.Fact {
			return r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactOneWay, At: e.At, Received: received, Detail: string(e.Silent)})
		})
	case gateway.Sampled:
		b.sounded.add(id, e.At, e.Sample)
		if b.Meter != nil {
			b.Meter.Sampled(e.Sample)
		}
	case gateway.Ended:
		if lost := (Held{b}).lost(context.WithoutCancel(b.life), id); lost { // the call goes on
			b.forget(id)
			return
		}
		defer Held{b}.release(t, id)
		b.calls.drop(id)
		b.sounded.end(id)
		if b.life.Err() != nil { // Close has stored the others already
			if err := b.SaveQuality(context.WithoutCancel(b.life)); err != nil {
				b.Log.Error("store how a call sounded", "ring", id, "err", err)
			}
		}
		b.dropChain(id)
		Held{b}.writeHeld(t, id, func(r *tenants.Ring) []tenants.Fact {
			if r.Call != nil {
				measure(r.Call, e)
			}
			return r.Fold(tenants.Fact{Attempt: a, Kind: endKind(e.Reason), At: e.At, Received: received, Detail: endDetail(e)})
		})
	}
}

// endKind tells a call that was talked from one that never carried sound or lost it.
func endKind(e gateway.EndReason) tenants.FactKind {
	switch e {
	case gateway.ConnectTimeout, gateway.NoMedia, gateway.MediaFailed, gateway.AgentFailed:
		return tenants.FactBroken
	}
	return tenants.FactHungUp
}

// endDetail is why a call ended: the gateway's reason, and after a colon what the agent's failure
// was, where a tenant can do something about it.
func endDetail(e gateway.Event) string {
	var f *agents.Failure
	if errors.As(e.Err, &f) {
		return string(e.Reason) + ": " + f.Cause
	}
	return string(e.Reason)
}

// measure keeps the figures of the way in: what the agent heard.
func measure(c *tenants.Call, e gateway.Event) {
	q := e.Quality
	if c.EndedAt.IsZero() { // a cancel has said when and why
		c.EndedAt, c.EndedBy = e.At, string(e.Reason)
	}
	c.LastSoundAt, c.Jitter, c.RoundTrip = q.LastIn, q.JitterIn, q.RoundTrip
	if all := q.PacketsIn + q.LostIn; all > 0 {
		c.Loss = float64(q.LostIn) / float64(all)
	}
}

// end records one ending of ours.
func (b *Board) end(t tenants.TenantID, id tenants.RingID, a tenants.AttemptID, k tenants.FactKind, detail string) {
	b.endHeard(t, id, a, k, detail, time.Time{})
}

// endHeard is end for a call whose last sound was at lastSound at the latest; zero = nobody knows.
func (b *Board) endHeard(
	t tenants.TenantID, id tenants.RingID, a tenants.AttemptID, k tenants.FactKind, detail string, lastSound time.Time,
) {
	b.write(t, id, ending(a, k, detail, b.Now(), lastSound))
}

// ending is the change that ends the attempt and the call of a ring.
func ending(
	a tenants.AttemptID, k tenants.FactKind, detail string, now, lastSound time.Time,
) func(*tenants.Ring) []tenants.Fact {
	return func(r *tenants.Ring) []tenants.Fact {
		if r.Call != nil && r.Call.EndedAt.IsZero() {
			r.Call.EndedAt, r.Call.EndedBy, r.Call.LastSoundAt = now, detail, lastSound
		}
		return r.Fold(tenants.Fact{Attempt: a, Kind: k, At: now, Received: now, Detail: detail})
	}
}

// Trickle passes a phone's candidates or ICE restart to its call. A device that sends too many is
// refused with TooMany.
func (b *Board) Trickle(ctx context.Context, d tenants.Device, id tenants.RingID, ifMatch, fragment string) (gateway.Trickled, error) {
	if err := b.admitMedia(fragments, d, id); err != nil {
		return gateway.Trickled{}, err
	}
	if _, err := b.Phone(ctx, d, id); err != nil {
		return gateway.Trickled{}, err
	}
	if b.Media == nil {
		return gateway.Trickled{}, tenants.NoSuch("call")
	}
	to, err := Held{b}.elsewhere(ctx, d.Tenant, id, false)
	if err != nil {
		return gateway.Trickled{}, err
	}
	if to != "" {
		var t gateway.Trickled
		q := request{Tenant: d.Tenant, Ring: id, Device: d.ID, IfMatch: ifMatch, SDP: fragment}
		err := (Held{b}).ask(ctx, to, askTrickle, q, &t)
		return t, err
	}
	return Held{b}.trickle(ctx, d, id, ifMatch, fragment)
}

// trickle is Trickle for a call of this process.
func (b Held) trickle(ctx context.Context, d tenants.Device, id tenants.RingID, ifMatch, fragment string) (gateway.Trickled, error) {
	t, err := b.Media.Trickle(ctx, gateway.Fragment{
		Call: string(id), Leg: string(d.ID), IfMatch: ifMatch, SDP: fragment,
		Restart: func() error { return b.admitMedia(iceRestarts, d, id) },
	})
	if err != nil {
		return gateway.Trickled{}, refusal(err)
	}
	return t, nil
}

// Renew keeps the calls of this process from being ended as dead. Run it well within callLease.
func (b *Board) Renew(ctx context.Context) error {
	var errs []error
	for id, t := range b.calls.all() {
		if err := b.Store.For(t).Rings().SetDue(ctx, id, b.Now().Add(callLease)); err != nil {
			errs = append(errs, fmt.Errorf("renew call %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// sweepCall ends a claimed call whose gateway is gone. The claim has renewed one of ours, and the
// end of another of ours may wait to be stored. Nobody measured the last sound of the call: it was
// at the latest when its lease was renewed for the last time.
func (b *Board) sweepCall(r *tenants.Ring) {
	if b.calls.has(r.ID, r.Tenant) || b.late.has(r.ID) {
		return
	}
	if b.Peers != nil {
		if !b.Store.Nodes().Steady() { // perhaps no node could renew its calls
			return
		}
		ctx, cancel := context.WithTimeout(b.life, 5*time.Second)
		defer cancel()
		if to, err := (Held{b}).living(ctx, r.ID); err != nil || to != "" {
			return // its node lives and is late, or nobody knows
		}
	}
	Held{b}.endAnswered(r, serverRestarted)
}

// endAnswered ends a call whose gateway is gone.
func (b Held) endAnswered(r *tenants.Ring, why string) {
	for i := range r.Attempts {
		if r.Attempts[i].State == tenants.Answered {
			b.endHeard(r.Tenant, r.ID, r.Attempts[i].ID, tenants.FactBroken, why, b.Now().Add(-callLease))
		}
	}
}

// refusal brings the gateway's refusals into our kinds.
func refusal(err error) error {
	kind, ok := map[gateway.Refusal]tenants.Kind{
		gateway.BadOffer: tenants.Invalid, gateway.TooLarge: tenants.TooLarge, gateway.NoAudio: tenants.Unprocessable,
		gateway.UnsupportedMedia: tenants.Unprocessable, gateway.Unreachable: tenants.Unprocessable,
		gateway.AnsweredElsewhere: tenants.Conflict, gateway.CallEnded: tenants.Gone, gateway.NoCall: tenants.Gone,
		gateway.IfMatchMissing: tenants.Unmatched, gateway.IfMatchStale: tenants.Stale, gateway.BadFragment: tenants.Invalid,
		gateway.UnsupportedChange: tenants.Unprocessable, gateway.Full: tenants.Unavailable, gateway.ShuttingDown: tenants.Unavailable,
	}[gateway.Reason(err)]
	if !ok {
		return err
	}
	var r *gateway.Refused
	msg := "The call cannot be carried."
	if errors.As(err, &r) {
		msg = r.Msg
	}
	e := &tenants.Error{Kind: kind, Code: string(gateway.Reason(err)), Msg: msg, Err: err}
	if kind == tenants.Unavailable {
		e.RetryAfter = time.Second
	}
	return e
}
