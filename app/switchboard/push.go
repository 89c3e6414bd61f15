package switchboard

import (
	"context"
	"errors"
	"fmt"
	"time"

	"carillon/app/push"
	"carillon/app/trace"
	"carillon/tenants"
	"carillon/tenants/store"
)

// send puts one push for each attempt of a committed ring on its way and returns at once. The
// attempts are in b.pushing already.
func (b *Board) send(t tenants.Tenant, r *tenants.Ring, span trace.Span) {
	for i := range r.Attempts {
		a := r.Attempts[i] // a copy: the caller keeps reading its ring
		step := span.Step("push")
		step.Ring(string(r.ID))
		b.Trace.Follow(string(a.ID), span, step)
		b.pushers.run(b.open, func() {
			defer b.pushing.finish(r.ID, a.ID)
			defer step.End() // at Apple's answer, if it comes so far
			if err := b.pushOne(t, r, a, step); err != nil {
				step.Failed()
				b.Log.Error("push", "ring", r.ID, "attempt", a.ID, "err", err)
			}
		})
	}
}

// pushOne pushes and records what Apple said. An error is ours (the credential cannot be opened,
// the database is away): the sweep comes back to the attempt while the ring lives.
func (b *Board) pushOne(t tenants.Tenant, r *tenants.Ring, a tenants.Attempt, span trace.Span) error {
	ctx, cancel := context.WithTimeout(trace.With(b.life, span), r.ExpiresAt.Sub(b.Now())) // by our clock, as the ring is
	defer cancel()
	scope := b.Store.For(t.ID).By(store.Who{Actor: tenants.System})
	key, err := b.Keys.Key(ctx, t.ID, a.Credential)
	if err != nil {
		return fmt.Errorf("open credential %s: %w", a.Credential, err)
	}
	body, err := push.PayloadFor(a.Push.Profile, string(r.ID), r.CreatedAt, r.ExpiresAt, tenants.CallerLabel(t, r.Caller))
	if err != nil {
		return err
	}
	if may, err := b.space(ctx, r, a); err != nil || !may {
		return err
	}
	answer := b.Push.Push(ctx, key, push.Push{
		APNsID: a.Push.APNsID, Token: a.Push.Token, Topic: a.Push.Topic, Environment: push.Environment(a.Push.Environment),
		Payload: body, Expires: r.ExpiresAt, NoHedge: a.Push.NoHedge, Tried: a.Push.Tries,
		Enough: func() bool { return b.pushing.done(a.ID, b.Now()) }, Over: b.overAt(r, a),
	})
	if answer.Status == 0 && b.life.Err() != nil {
		return nil // we are closing; the next process's sweep sends it again with the same apns-id
	}
	if answer.Tries == 0 && (errors.Is(answer.Err, push.ErrEnough) || errors.Is(answer.Err, push.ErrSpent)) {
		return nil // it ended before anything was sent, or earlier pushes of it were enough
	}
	if answer.Err != nil && answer.Reaction.Alert == push.AlertBug {
		b.Log.Error("a push cannot be made", "ring", r.ID, "attempt", a.ID, "err", answer.Err)
	}
	if b.Meter != nil {
		b.Meter.Pushed(a.ID, answer)
	}
	span.Environment(answer.Environment)
	span.Answered(answer.Status, answer.Reason)
	span.End()
	// The answer is recorded even when the ring's time is up: b.life, not ctx.
	write, done := context.WithTimeout(context.WithoutCancel(b.life), 10*time.Second)
	defer done()
	commit := span.Step("commit")
	defer commit.End()
	err = b.record(write, scope.Patient().Fenced(), r, a, answer)
	if errors.Is(err, store.ErrTaken) {
		b.Log.Info("another server pushes this ring now", "ring", r.ID, "attempt", a.ID)
		return nil
	}
	if err != nil {
		commit.Failed()
		return err
	}
	commit.End()
	b.paced.answered(a.Device, answer, b.Now())
	return b.Health.Answered(write, scope, a, answer)
}

// record writes Apple's answer as facts. No answer at all is no fact: expiry ends the attempt and
// says that Apple never took it.
func (b *Board) record(ctx context.Context, scope *store.Scope, r *tenants.Ring, a tenants.Attempt, answer push.Answer) error {
	now := b.Now()
	due := r.ExpiresAt
	if len(r.Attempts) > 1 || r.To.Group != "" {
		due = time.Time{} // the sweep looks whether the other attempts were pushed too, and for the next step
	}
	changed, facts, err := scope.Rings().Change(ctx, r.ID, r, due, func(r *tenants.Ring) ([]tenants.Fact, error) {
		p, ok := r.AttemptOf(a.Device)
		if !ok {
			return nil, nil
		}
		p.Push.Tries += answer.Tries
		p.Push.Status, p.Push.Reason = answer.Status, answer.Reason
		p.Push.SentAt, p.Push.AnsweredAt = answer.SentAt, answer.AnsweredAt
		if answer.Environment != "" {
			p.Push.Environment = tenants.Environment(answer.Environment)
		}
		return b.foldAnswer(r, a.ID, answer, now), nil
	})
	if err != nil {
		return fmt.Errorf("record Apple's answer: %w", err)
	}
	b.tell(changed, facts)
	return nil
}

// foldAnswer folds Apple's answer into the ring.
func (b *Board) foldAnswer(r *tenants.Ring, a tenants.AttemptID, answer push.Answer, now time.Time) []tenants.Fact {
	facts := make([]tenants.Fact, 0, 2)
	if !answer.SentAt.IsZero() {
		facts = append(facts, r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactSent, At: answer.SentAt, Received: now})...)
	}
	switch {
	case answer.Status == 200:
		facts = append(facts, r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactAccepted, At: answer.AnsweredAt, Received: now})...)
	case answer.Status != 0:
		facts = append(facts, r.Fold(tenants.Fact{Attempt: a, Kind: tenants.FactRefused, At: answer.AnsweredAt, Received: now,
			Detail: answer.Reason})...)
	}
	return facts
}

// tell says that facts of the ring were committed; without facts there is nothing to tell.
func (b *Board) tell(r *tenants.Ring, facts []tenants.Fact) {
	if len(facts) == 0 {
		return
	}
	for i := range r.Attempts {
		if a := &r.Attempts[i]; a.State != tenants.Placed && a.State != tenants.Pushed {
			b.pushing.setDone(a.ID)
		}
	}
	if r.State.Terminal() {
		b.ringing.drop(r.ID)
		if !b.calls.has(r.ID, r.Tenant) {
			b.dropChain(r.ID)
		}
	}
	b.tellAudiences(r, facts)
	if r.To.Group != "" {
		groups{b}.later(r)
	}
}

func (b *Board) tellAudiences(r *tenants.Ring, facts []tenants.Fact) {
	for _, a := range b.Audiences {
		a.Recorded(r, facts)
	}
}
