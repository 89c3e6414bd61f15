package push

import (
	"context"
	"encoding/json"
	"errors"
	"math/rand/v2"
	"strings"
	"time"

	"github.com/sideshow/apns2"

	"carillon/app/trace"
	"carillon/tenants"
)

// Push is one VoIP push for one attempt of a ring.
type Push struct {
	APNsID      string      // a UUID; the same for every try, also when the caller pushes again
	Token       string      // device token, hex
	Topic       string      // the bundle id followed by .voip
	Environment Environment // Auto: production first, then sandbox if the token is not known there
	Payload     []byte      // made by Payload
	Expires     time.Time   // the ring's end: no try starts after it
	NoHedge     bool        // do not send again only because a connection is silent
	Tried       int         // how often earlier calls wrote it without an answer
	Enough      func() bool // nil, or says that no more is to be sent: the phone reported, or its ring is over. Must not block
	// Over is nil, or asks before a try, after so many, what Enough cannot know without waiting.
	Over func(ctx context.Context, tries int) bool
}

// Answer is Apple's answer to a push, or the reason why there is none.
type Answer struct {
	APNsID      string
	Environment Environment // of the host that answered last; with Auto and status 200, store this one
	Status      int         // of the last answer; 0 = none came
	Reason      string      // Apple's reason string; empty for 200 and for answers that are not Apple's
	Timestamp   time.Time   // 410 only: since when the token is inactive
	SentAt      time.Time   // first written to a connection
	AnsweredAt  time.Time   // the last answer was read
	Tries       int         // how often the push was written
	Raw         string      // the last answer's body if it was not Apple's JSON, at most 512 bytes
	Err         error       // set when no answer came in time, Enough said stop, or the push is invalid; nil for Apple's refusals
	Reaction    Reaction
	Other       Refusal // with Auto, the other host's refusal if both were asked; otherwise zero
}

// Refusal is the refusal of one of Apple's hosts.
type Refusal struct {
	Environment Environment
	Status      int
	Reason      string
}

// OK says that Apple accepted the push.
func (a Answer) OK() bool { return a.Err == nil && a.Status == 200 }

// ErrEnough is Answer.Err when Push.Enough stopped the push before Apple answered.
var ErrEnough = errors.New("push: no further push is needed")

// ErrSpent is Answer.Err of a push that was written maxPushes times before without an answer.
var ErrSpent = errors.New("push: it was sent too often without an answer")

// maxPushes bounds how often a push is written without an answer: Apple may have processed each,
// and a push that fails by itself fails again.
const maxPushes = 4

// Push sends p with credential k and waits for Apple's answer. It sends p again after lost
// connections, GOAWAY, expired provider tokens and Apple's 5xx answers, always with the same
// apns-id and only before p.Expires, and not more than four times without an answer. ctx may end it
// earlier. Callers act on Answer.Reaction.
func (s *Sender) Push(ctx context.Context, k *Key, p Push) Answer {
	d := delivery{s: s, k: k, p: p, unanswered: p.Tried, answer: Answer{APNsID: strings.ToLower(p.APNsID), Environment: p.Environment}}
	if err := d.validate(); err != nil {
		d.cannotSend(err)
		return d.answer
	}
	s.begin()
	defer s.busy.Add(-1)
	d.route(ctx)
	s.teams.count(k.team(), d.answer.Status, s.cfg.Now())
	return d.answer
}

// begin counts a push under way. The first one wakes supervise.
func (s *Sender) begin() {
	if s.busy.Add(1) == 1 {
		select {
		case s.wakeSupervisor <- struct{}{}:
		default:
		}
	}
}

// delivery is the state of one call of Push.
type delivery struct {
	s          *Sender
	k          *Key
	p          Push
	note       apns2.Notification
	answer     Answer
	stepsTaken map[RingStep]bool // steps that were taken; each is taken once
	pauses     int
	unanswered int // how often it was written and perhaps processed
}

func (d *delivery) validate() error {
	if d.k == nil || d.k.private == nil && d.k.cert == nil {
		return errNoKey
	}
	token, ok := tenants.ParseDeviceToken(d.p.Token)
	switch {
	case !ok:
		return invalidPush("A device token is 64 to 200 hexadecimal digits.")
	case !tenants.ValidID(d.p.APNsID):
		return invalidPush("An apns-id is a UUID.")
	case !isVoIPTopic(d.p.Topic):
		return invalidPush("The topic of a VoIP push is the app's bundle id followed by .voip.")
	case len(d.p.Payload) == 0 || len(d.p.Payload) > maxPayload || !json.Valid(d.p.Payload):
		return invalidPush("The payload of a VoIP push is JSON of 1 to 5,120 bytes.")
	case d.p.Environment != Auto && d.s.hosts[d.p.Environment] == nil:
		return invalidPush("The environment is production, sandbox or auto.")
	}
	d.note = apns2.Notification{
		ApnsID: d.answer.APNsID, DeviceToken: token, Topic: d.p.Topic, Payload: d.p.Payload,
		Priority: apns2.PriorityHigh, PushType: apns2.PushTypeVOIP,
	}
	return nil
}

// route pushes to the host of the environment. With Auto it tries production, then sandbox.
func (d *delivery) route(ctx context.Context) {
	if d.p.Environment != Auto {
		d.deliver(ctx, d.p.Environment)
		return
	}
	d.deliver(ctx, Production)
	if d.answer.Err != nil || d.answer.Reaction.Ring != TryOther {
		return
	}
	first := d.answer
	d.stepsTaken, d.pauses = nil, 0
	d.deliver(ctx, Sandbox)
	second := d.answer
	if second.betterThan(first) {
		d.answer.Other = first.refusal()
		return
	}
	first.Tries, first.Other = second.Tries, second.refusal()
	d.answer = first
}

// betterThan says whether the sandbox's answer is the one to report. It is when the sandbox
// accepted the push, knows the token, or calls it bad as production did. A host that rejects the
// key has not checked the token; then production's refusal says what to fix.
func (a Answer) betterThan(production Answer) bool {
	switch {
	case a.Err != nil:
		return false
	case a.Status == 200, a.Status == 410:
		return true
	}
	return a.Reason == "BadDeviceToken" && production.Reason == "BadDeviceToken"
}

func (a Answer) refusal() Refusal {
	if a.Err != nil || a.Status == 0 || a.Status == 200 {
		return Refusal{}
	}
	return Refusal{a.Environment, a.Status, a.Reason}
}

// deliver pushes to one host until there is a final answer.
func (d *delivery) deliver(ctx context.Context, env Environment) {
	d.answer.Environment = env
	d.answer.Status, d.answer.Reason, d.answer.Raw, d.answer.Err = 0, "", "", nil
	for {
		step := d.tryOnce(ctx, env)
		if step != TryAgain || d.unanswered >= maxPushes || !d.pause(ctx) {
			return
		}
	}
}

// tryOnce makes one attempt in the credential's pool and returns the step that the answer asks for.
func (d *delivery) tryOnce(ctx context.Context, env Environment) RingStep {
	if d.unanswered >= maxPushes {
		return d.noteNoAnswer(ErrSpent)
	}
	pool, err := d.s.acquire(ctx, d.k, env, d.p.Expires)
	if err != nil {
		return d.noteNoAnswer(err)
	}
	defer d.s.release(pool)
	if !pool.breaker.allow(ctx, d.p.Expires, pool.isSuspect(d.path())) {
		return d.noteNoAnswer(timeUp(ctx))
	}
	return d.exchange(ctx, pool)
}

// exchange makes one attempt, with the steps that repeat it at once.
func (d *delivery) exchange(ctx context.Context, pool *pool) (step RingStep) {
	bearer, err := "", error(nil)
	if pool.mint != nil {
		if bearer, err = pool.mint.header(); err != nil {
			pool.breaker.abandoned()
			return d.cannotSend(err)
		}
	}
	for again := true; again; {
		r, err := d.send(ctx, pool, bearer)
		if err != nil {
			return d.noAnswer(ctx, pool, r, err)
		}
		if step = d.answer.Reaction.Ring; step == TryAgain {
			if !pool.noteFailure(r, nil) {
				pool.breaker.failure()
				return step
			}
			pool.breaker.abandoned()
			if d.answer.Tries >= maxPushes {
				return Fail
			}
			return step
		}
		pool.breaker.success()
		if bearer, again, err = d.resendAtOnce(pool, r, step); err != nil {
			return d.cannotSend(err)
		}
	}
	if step == Elsewhere { // more than one server is shutting down: wait before the next try
		return TryAgain
	}
	return step
}

// send gives the push to the pool, which may write it more than once, and records the answer.
func (d *delivery) send(ctx context.Context, pool *pool, bearer string) (*request, error) {
	now := d.s.cfg.Now()
	if !now.Before(d.p.Expires) {
		return nil, errLate
	}
	if d.p.Over != nil && d.p.Over(ctx, d.answer.Tries) || d.p.Enough != nil && d.p.Enough() {
		return nil, ErrEnough
	}
	step := trace.From(ctx).Ask("apns")
	defer step.End()
	step.Environment(pool.host.env)
	r := &request{
		bearer: bearer, until: d.p.Expires, hedge: !d.p.NoHedge, enough: d.p.Enough, most: maxPushes - d.unanswered,
		done: make(chan struct{}, 1),
	}
	w, err := pool.client.send(ctx, &d.note, r)
	d.answer.Tries += r.sent
	if d.unanswered += r.unanswered(); err == nil {
		d.unanswered--
	}
	if d.answer.SentAt.IsZero() {
		d.answer.SentAt = r.first
	}
	if r.sent > 1 {
		step.Event("sent again on another connection")
	}
	if err != nil {
		step.Answered(0, "no_answer")
		return r, err
	}
	reason := clipReason(w.Reason)
	step.Answered(w.StatusCode, reason)
	d.answer.Err = nil
	d.answer.Status, d.answer.Reason, d.answer.AnsweredAt = w.StatusCode, reason, r.answered
	d.answer.Timestamp, d.answer.Raw = time.Time{}, ""
	if w.StatusCode == 410 {
		d.answer.Timestamp = inactiveSince(r.answer)
	}
	if w.StatusCode != 200 && reason == "" {
		d.answer.Raw = strings.ToValidUTF8(string(r.answer[:min(len(r.answer), 512)]), "")
	}
	d.answer.Reaction = ReactionTo(w.StatusCode, reason)
	return r, nil
}

// clipReason bounds a reason, which is stored, mailed and shown. Apple's longest has 27 characters.
func clipReason(reason string) string {
	return strings.ToValidUTF8(reason[:min(len(reason), 100)], "")
}

// inactiveSince reads the timestamp of a 410, which is in milliseconds; apns2 drops them.
func inactiveSince(body []byte) time.Time {
	var said struct{ Timestamp int64 }
	if json.Unmarshal(body, &said) != nil || said.Timestamp <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(said.Timestamp).UTC()
}

// resendAtOnce takes the steps that send the push again without a pause, on another connection.
// Each step is taken at most once.
func (d *delivery) resendAtOnce(pool *pool, r *request, step RingStep) (bearer string, again bool, err error) {
	switch step {
	case NewToken, PreviousToken, Reconnect, Elsewhere:
	default:
		if d.answer.Reaction.Credential == DisableCredential {
			pool.retireAll() // "close all open connections" of a revoked key (Apple, "Establishing a token-based connection to APNs")
		}
		return "", false, nil
	}
	if r.via != nil {
		pool.retire(r.via)
	}
	if d.stepsTaken[step] {
		return "", false, nil
	}
	if d.stepsTaken == nil {
		d.stepsTaken = map[RingStep]bool{}
	}
	d.stepsTaken[step] = true
	bearer, again = r.bearer, true
	if pool.mint != nil && step == NewToken {
		bearer, again, err = pool.mint.replaceExpired(r.bearer)
	}
	if pool.mint != nil && step == PreviousToken {
		bearer, again, err = pool.mint.fallBack(r.bearer)
	}
	return bearer, again, err
}

// path is the push's path at Apple; it names the device token.
func (d *delivery) path() string { return "/3/device/" + d.note.DeviceToken }

// noAnswer handles an exchange without an answer: the host failed, or the device token, or the push
// was ended by its caller, its time or Enough. Only the first counts as a failure of the host.
func (d *delivery) noAnswer(ctx context.Context, pool *pool, r *request, err error) RingStep {
	if errors.Is(err, ErrEnough) || ctx.Err() != nil || d.s.life.Err() != nil || !d.s.cfg.Now().Before(d.p.Expires) {
		pool.breaker.abandoned()
		return d.noteNoAnswer(err)
	}
	if pool.noteFailure(r, err) {
		pool.breaker.abandoned()
	} else {
		pool.breaker.failure()
	}
	d.noteNoAnswer(err)
	return TryAgain
}

// noteNoAnswer records why there is no answer. It keeps an answer of an earlier try.
func (d *delivery) noteNoAnswer(err error) RingStep {
	if d.answer.Status == 0 {
		d.answer.Err = err
		d.answer.Reaction = ReactionTo(0, "")
	}
	return Fail
}

// cannotSend records why the push cannot be built or signed. Another try would not help.
func (d *delivery) cannotSend(err error) RingStep {
	if d.noteNoAnswer(err); d.answer.Err != nil {
		d.answer.Reaction = Reaction{Fail, KeepDevice, KeepCredential, AlertBug, bugCause, bugCure}
	}
	return Fail
}

func timeUp(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errLate
}

// pause waits before another try: full jitter under 0.25, 0.5, 1, then 2 seconds; false when the
// ring's time is up. The last of maxPushes waits longer: whatever lost the others may take a while.
func (d *delivery) pause(ctx context.Context) bool {
	most, least := min(250*time.Millisecond<<min(d.pauses, 3), 2*time.Second), time.Duration(0)
	if d.unanswered == maxPushes-1 {
		most, least = 3*time.Second, time.Second
	}
	d.pauses++
	left := d.p.Expires.Sub(d.s.cfg.Now())
	if left < 20*time.Millisecond {
		return false
	}
	wait := min(least+rand.N(most-least), left/2)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
	case <-d.s.life.Done():
	}
	return false
}
