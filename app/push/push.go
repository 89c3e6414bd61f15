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
)

// Push is one VoIP push of an attempt.
type Push struct {
	APNsID      string      // a UUID; stays the same over every try, here and by callers who push again
	Token       string      // device token, hex
	Topic       string      // bundle id and .voip
	Environment Environment // Auto: production first, then sandbox if the token is not known there
	Payload     []byte      // of Payload
	Expires     time.Time   // the ring's end: no try starts after it
	NoHedge     bool        // never send again merely because a connection is silent
	Enough      func() bool // nil, or whether nothing more is to be sent: the phone has spoken, or its ring is over. Must not block
}

// Answer is what Apple said, or that it said nothing.
type Answer struct {
	APNsID      string
	Environment Environment // of the host that answered last; with Auto and status 200 this is what to store
	Status      int         // of the last answer; 0 = none came
	Reason      string      // Apple's word; empty for 200 and for answers that are not Apple's
	Timestamp   time.Time   // 410 only: since when the token is inactive
	SentAt      time.Time   // first written to a connection
	AnsweredAt  time.Time   // the last answer was read
	Tries       int         // how often the push was written
	Raw         string      // the last answer's body if it was not Apple's JSON, at most 512 bytes
	Err         error       // set only when no answer came before Expires or ErrEnough, or the push cannot be made; never for Apple's refusals
	Reaction    Reaction
	Other       Refusal // with Auto, what the other host said where both were asked; zero otherwise
}

// Refusal is Apple's no, of one host.
type Refusal struct {
	Environment Environment
	Status      int
	Reason      string
}

// OK says that Apple accepted the push.
func (a Answer) OK() bool { return a.Err == nil && a.Status == 200 }

// ErrEnough is the Err of an Answer that did not come because Push.Enough said that nothing more is
// to be sent.
var ErrEnough = errors.New("push: it is needed no more")

// Push sends p with k and waits for Apple's answer. Lost connections, leaving servers, expired
// provider tokens and Apple's own trouble are dealt with inside, always with the same apns-id and
// only before p.Expires; ctx may end it earlier. Callers read Answer.Reaction.
func (s *Sender) Push(ctx context.Context, k *Key, p Push) Answer {
	d := delivery{s: s, k: k, p: p, answer: Answer{APNsID: strings.ToLower(p.APNsID), Environment: p.Environment}}
	if err := d.check(); err != nil {
		d.unmade(err)
		return d.answer
	}
	s.begin()
	defer s.busy.Add(-1)
	d.route(ctx)
	return d.answer
}

// begin counts a push under way, and wakes watch for the first.
func (s *Sender) begin() {
	if s.busy.Add(1) == 1 {
		select {
		case s.stir <- struct{}{}:
		default:
		}
	}
}

// delivery is one Push on its way.
type delivery struct {
	s      *Sender
	k      *Key
	p      Push
	note   apns2.Notification
	answer Answer
	spent  map[RingStep]bool // steps that are taken once
	pauses int
}

func (d *delivery) check() error {
	if d.k == nil || d.k.private == nil && d.k.cert == nil {
		return errNoKey
	}
	token, ok := DeviceToken(d.p.Token)
	switch {
	case !ok:
		return refuse("A device token is 64 to 200 hexadecimal digits.")
	case !uuid(d.p.APNsID):
		return refuse("An apns-id is a UUID.")
	case !topic(d.p.Topic):
		return refuse("The topic of a VoIP push is the app's bundle id followed by .voip.")
	case len(d.p.Payload) == 0 || len(d.p.Payload) > maxPayload || !json.Valid(d.p.Payload):
		return refuse("The payload of a VoIP push is JSON of 1 to 5,120 bytes.")
	case d.p.Environment != Auto && d.s.hosts[d.p.Environment] == nil:
		return refuse("The environment is production, sandbox or auto.")
	}
	d.note = apns2.Notification{
		ApnsID: d.answer.APNsID, DeviceToken: token, Topic: d.p.Topic, Payload: d.p.Payload,
		Priority: apns2.PriorityHigh, PushType: apns2.PushTypeVOIP,
	}
	return nil
}

// route pushes to the right host, or learns which is the right one.
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
	d.spent, d.pauses = nil, 0
	d.deliver(ctx, Sandbox)
	second := d.answer
	if second.better(first) {
		d.answer.Other = first.refusal()
		return
	}
	first.Tries, first.Other = second.Tries, second.refusal()
	d.answer = first
}

// better says whether the sandbox's answer is the one to live with: when it took the push, knows
// the token, or calls it bad as production did. A host that does not take the key has not looked at
// the token, and then the other's refusal is the one to mend.
func (a Answer) better(production Answer) bool {
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

// deliver pushes to one host until there is an answer to live with.
func (d *delivery) deliver(ctx context.Context, env Environment) {
	d.answer.Environment = env
	d.answer.Status, d.answer.Reason, d.answer.Raw, d.answer.Err = 0, "", "", nil
	for {
		step := d.try(ctx, env)
		if step != TryAgain {
			return
		}
		if !d.pause(ctx) {
			return
		}
	}
}

// try makes one attempt in the credential's pool, and says what the answer asks for.
func (d *delivery) try(ctx context.Context, env Environment) RingStep {
	pool, err := d.s.acquire(ctx, d.k, env, d.p.Expires)
	if err != nil {
		return d.unsent(err)
	}
	defer d.s.release(pool)
	if !pool.breaker.pass(ctx, d.p.Expires) {
		return d.unsent(late(ctx))
	}
	return d.exchange(ctx, pool)
}

// exchange makes one attempt, with the steps that repeat it at once.
func (d *delivery) exchange(ctx context.Context, pool *pool) (step RingStep) {
	bearer, err := "", error(nil)
	if pool.mint != nil {
		if bearer, err = pool.mint.header(); err != nil {
			pool.breaker.none()
			return d.unmade(err)
		}
	}
	for again := true; again; {
		r, err := d.send(ctx, pool, bearer)
		if err != nil {
			return d.silence(ctx, pool, err)
		}
		if step = d.answer.Reaction.Ring; step == TryAgain {
			pool.breaker.failure()
			return step
		}
		pool.breaker.success()
		if bearer, again, err = d.repeat(pool, r, step); err != nil {
			return d.unmade(err)
		}
	}
	if step == Elsewhere { // every server is leaving: not so fast
		return TryAgain
	}
	return step
}

// send writes the push once, and what the pool resends of it, and takes the answer down.
func (d *delivery) send(ctx context.Context, pool *pool, bearer string) (*request, error) {
	now := d.s.cfg.Now()
	if !now.Before(d.p.Expires) {
		return nil, errLate
	}
	if d.p.Enough != nil && d.p.Enough() {
		return nil, ErrEnough
	}
	step := trace.From(ctx).Ask("apns")
	defer step.End()
	step.Environment(pool.host.env)
	r := &request{bearer: bearer, until: d.p.Expires, hedge: !d.p.NoHedge, enough: d.p.Enough, done: make(chan struct{}, 1)}
	w, err := pool.client.send(ctx, &d.note, r)
	d.answer.Tries += r.sent
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
	step.Answered(w.StatusCode, w.Reason)
	d.answer.Err = nil
	d.answer.Status, d.answer.Reason, d.answer.AnsweredAt = w.StatusCode, w.Reason, r.answered
	d.answer.Timestamp, d.answer.Raw = time.Time{}, ""
	if w.StatusCode == 410 {
		d.answer.Timestamp = since(r.answer)
	}
	if w.StatusCode != 200 && w.Reason == "" {
		d.answer.Raw = strings.ToValidUTF8(string(r.answer[:min(len(r.answer), 512)]), "")
	}
	d.answer.Reaction = ReactionTo(w.StatusCode, w.Reason)
	return r, nil
}

// since reads the timestamp of a 410, which is in milliseconds; apns2 drops them.
func since(body []byte) time.Time {
	var said struct{ Timestamp int64 }
	if json.Unmarshal(body, &said) != nil || said.Timestamp <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(said.Timestamp).UTC()
}

// repeat takes the steps that send the push again at once, each at most once, on another
// connection.
func (d *delivery) repeat(pool *pool, r *request, step RingStep) (bearer string, again bool, err error) {
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
	if d.spent[step] {
		return "", false, nil
	}
	if d.spent == nil {
		d.spent = map[RingStep]bool{}
	}
	d.spent[step] = true
	bearer, again = r.bearer, true
	if pool.mint != nil && step == NewToken {
		bearer, again, err = pool.mint.newer(r.bearer)
	}
	if pool.mint != nil && step == PreviousToken {
		bearer, again, err = pool.mint.fallback(r.bearer)
	}
	return bearer, again, err
}

// silence is no answer: of the host, or because the push was given up or is needed no more.
func (d *delivery) silence(ctx context.Context, pool *pool, err error) RingStep {
	if errors.Is(err, ErrEnough) || ctx.Err() != nil || d.s.life.Err() != nil || !d.s.cfg.Now().Before(d.p.Expires) {
		pool.breaker.none()
		return d.unsent(err)
	}
	pool.breaker.failure()
	d.unsent(err)
	return TryAgain
}

// unsent notes why there is no answer; an answer that came earlier stays.
func (d *delivery) unsent(err error) RingStep {
	if d.answer.Status == 0 {
		d.answer.Err = err
		d.answer.Reaction = ReactionTo(0, "")
	}
	return Fail
}

// unmade notes why the push cannot be made at all: a fault of ours, which no other try mends.
func (d *delivery) unmade(err error) RingStep {
	if d.unsent(err); d.answer.Err != nil {
		d.answer.Reaction = Reaction{Fail, KeepDevice, KeepCredential, AlertBug, oursCause, oursCure}
	}
	return Fail
}

func late(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	return errLate
}

// pause waits before another try: full jitter under 0.25, 0.5, 1, then 2 seconds; false when the
// ring's time is up.
func (d *delivery) pause(ctx context.Context) bool {
	most := min(250*time.Millisecond<<min(d.pauses, 3), 2*time.Second)
	d.pauses++
	left := d.p.Expires.Sub(d.s.cfg.Now())
	if left < 20*time.Millisecond {
		return false
	}
	wait := min(rand.N(most), left/2)
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
