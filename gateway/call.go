package gateway

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// agentTail is how long a leg stays open after its agent hung up, because the phone is still
// playing the end of the last sentence.
const agentTail = 300 * time.Millisecond

// agentGrace is how long an agent may take to return once its line has ended. A slower agent breaks
// its contract and must not delay a shutdown.
const agentGrace = 5 * time.Second

// call is one call. Its run goroutine owns every timer and sends every event; other goroutines only
// wake it or end the call.
type call struct {
	g         *Gateway
	id, leg   string
	codec     Codec
	agent     Agent
	on        func(Event)
	since     time.Time
	line      *line
	running   bool // g.mu guards it
	announced bool // g.mu guards it: its end was announced

	signalling sync.Mutex // one offer or fragment at a time

	wake    chan struct{} // holds one token: look again
	ending  chan struct{} // closed by end
	once    sync.Once
	reason  EndReason   // set before ending is closed
	failure error       // likewise: why the agent failed while it did not return
	audible atomic.Bool // the person can hear
	heard   bool        // the phone's first sound was reported; only run uses these four
	greeted bool        // the agent's first sound was in a sample
	sampler sampler
	sampled time.Time // when the last sample was sent, or the call began

	agentDone chan struct{} // closed when the agent has left
	agentErr  error         // set before agentDone is closed

	mu      sync.Mutex // guards the rest
	current *leg
	legs    int
	gone    bool           // no leg may join any more
	closing sync.WaitGroup // replaced legs that are closing
}

func newCall(g *Gateway, o Offer, codec Codec) *call {
	now := g.cfg.Now()
	c := &call{
		g: g, id: o.Call, leg: o.Leg, codec: codec, agent: o.Agent, on: o.On,
		since: now, sampled: now, line: newLine(codec, g.cfg.Now),
		wake: make(chan struct{}, 1), ending: make(chan struct{}), agentDone: make(chan struct{}),
	}
	c.line.tap, c.line.failed = o.Tap, c.fail
	return c
}

// end ends the call; the first caller sets the reason.
func (c *call) end(reason EndReason) {
	c.once.Do(func() {
		c.reason = reason
		close(c.ending)
	})
}

// fail ends the call because its agent failed on a goroutine that is not its own.
func (c *call) fail(err error) {
	c.once.Do(func() {
		c.g.cfg.Log.Error("agent failed", "ring", c.id, "error", err)
		c.reason, c.failure = AgentFailed, err
		close(c.ending)
	})
}

func (c *call) over() bool {
	select {
	case <-c.ending:
		return true
	default:
		return false
	}
}

// wakeRun makes run look again. It never blocks, so Pion's callbacks may call it.
func (c *call) wakeRun() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// join makes l the phone's leg and closes the previous one. It returns false if the legs of the
// call were closed already.
func (c *call) join(l *leg) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return false
	}
	old := c.current
	c.current = l
	c.legs++
	c.line.setOutput(l.track)
	if old != nil {
		c.closing.Add(1)
		go func() {
			defer c.closing.Done()
			old.close()
		}()
	}
	c.wakeRun()
	return true
}

// closeLegs closes the last leg and waits for those before it.
func (c *call) closeLegs() {
	c.mu.Lock()
	c.gone = true
	last := c.current
	c.mu.Unlock()
	last.close()
	c.closing.Wait()
}

func (c *call) legNow() *leg {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.current
}

func (c *call) quality() Quality {
	q := c.line.quality()
	c.mu.Lock()
	defer c.mu.Unlock()
	q.Legs = c.legs
	return q
}

// run runs the call from its first leg to its Ended event.
func (c *call) run() {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	left := c.agentDone
	w := callClock{cfg: &c.g.cfg, since: c.since}
	timer := time.NewTimer(0)
	defer timer.Stop()
	go c.converse(ctx)
	for !c.over() {
		now := c.g.cfg.Now()
		l := c.legNow()
		v := w.check(l, c.line.lastSound(), now)
		if v.end != "" {
			c.end(v.end)
			break
		}
		if v.settled {
			l.startMedia()
		}
		if v.greet && !c.audible.Swap(true) {
			w.agentAt = now
			c.wakeRun()           // the timers of the agent begin
			close(c.line.audible) // before reportFirstSound, which may wait for a disk
		}
		if v.warn {
			c.warnAgent(c.since.Add(c.g.cfg.MaxDuration).Sub(now))
		}
		if v.away != w.toldAway {
			w.toldAway = v.away
			c.tellGap(v.away)
		}
		c.reportFirstSound()
		if v.silent != "" {
			c.sendEvent(Event{Kind: OneWay, Silent: v.silent, At: now})
		}
		if v.sample {
			c.sendSample(now)
		}
		timer.Reset(v.next.Sub(now))
		select {
		case <-c.ending:
		case <-c.wake:
		case <-timer.C:
		case <-left:
			left = nil
			w.agentLeft(c.g.cfg.Now(), c.agentErr)
			if c.agentErr != nil {
				c.g.cfg.Log.Error("agent failed", "ring", c.id, "error", c.agentErr)
			}
		}
	}
	c.finish(cancel)
}

// reportFirstSound sends the Connected event at the phone's first sound, once.
func (c *call) reportFirstSound() {
	if c.heard {
		return
	}
	if q := c.quality(); !q.FirstIn.IsZero() {
		c.heard = true
		c.sendEvent(Event{Kind: Connected, At: q.FirstIn})
	}
}

// finish closes the line and the leg, sends the Ended event, and waits for the agent.
func (c *call) finish(cancel context.CancelFunc) {
	at := c.g.cfg.Now()
	close(c.line.over)
	cancel()
	c.closeLegs()
	c.reportFirstSound() // the first sound may have come just before the end
	if at.Sub(c.sampled) >= shortestSample {
		c.sendSample(at)
	}
	ended := Event{Kind: Ended, Reason: c.reason, At: at}
	if ended.Err = c.failure; c.reason == AgentFailed && c.failure == nil {
		ended.Err = c.agentErr // run has seen agentDone
	}
	c.sendEvent(ended)
	select {
	case <-c.agentDone:
	case <-time.After(agentGrace):
		c.g.cfg.Log.Error("agent does not leave its line", "ring", c.id)
	}
}

// shortestSample is the shortest time before the end of a call that is sampled: a few packets say
// nothing about loss.
const shortestSample = time.Second

// sendSample sends how the call sounded since the sample before, if anything was heard.
func (c *call) sendSample(now time.Time) {
	q := c.quality()
	if q.FirstIn.IsZero() && q.FirstOut.IsZero() {
		return
	}
	c.sampled = now
	s := Sample{Phone: c.sampler.next(q), Agent: c.measureAgent(), BargeIns: c.line.takeBargeIns(now)}
	if !q.FirstAgent.IsZero() && !c.greeted {
		c.greeted, s.FirstAudio = true, q.FirstAgent.Sub(c.since)
	}
	c.report(Event{Kind: Sampled, Sample: s, At: now, Quality: q})
}

// guard runs f on the goroutine of the call. Its panic, which is logged, ends neither this call nor
// others.
func (c *call) guard(what string, f func()) error { return guarded(c.g.cfg.Log, c.id, what, f) }

// measureAgent asks an agent that measures its leg. Its panic ends neither this call nor others.
func (c *call) measureAgent() (s LegSample) {
	a, ok := c.agent.(Measured)
	if !ok {
		return s
	}
	_ = c.guard("the agent's measure", func() { s = a.Measure() })
	return s
}

func (c *call) sendEvent(e Event) {
	e.Quality = c.quality()
	c.report(e)
}

func (c *call) report(e Event) { _ = c.guard("the receiver of events", func() { c.on(e) }) }

// converse runs the agent. A panic of one agent must not end everyone's calls.
func (c *call) converse(ctx context.Context) {
	defer close(c.agentDone)
	defer func() {
		if p := recover(); p != nil {
			c.agentErr = panicError("agent panicked", p)
		}
	}()
	c.agentErr = c.agent.Converse(ctx, c.line)
}

// warnAgent warns an agent that wants it. Its panic ends neither this call nor others.
func (c *call) warnAgent(left time.Duration) {
	a, ok := c.agent.(Warned)
	if !ok {
		return
	}
	_ = c.guard("the agent's warning", func() { a.Warn(c.line, left) })
}

// tellGap tells an agent that wants it that the phone is away or back. Its panic ends neither this
// call nor others.
func (c *call) tellGap(away bool) {
	a, ok := c.agent.(Gapped)
	if !ok {
		return
	}
	_ = c.guard("the agent's gap", func() { a.Gap(c.line, away) })
}

// callClock decides when a call connects, greets and ends. It reads no clock: check gets the time.
type callClock struct {
	cfg   *Config
	since time.Time

	leg       *leg      // the next three are about this leg
	connected time.Time // when encryption was first established
	lost      time.Time // since when the phone is away; zero while it is connected
	left      time.Time // when the phone closed its leg

	everConnected time.Time
	hangUpAt      time.Time // when to end, after the agent has left
	agentReason   EndReason
	agentAt       time.Time // since when the person can hear the agent; zero before that
	warned        bool
	toldAway      bool          // the agent knows that the phone is away
	oneWay        map[Side]bool // the sides whose silence was reported
	sampleAt      time.Time     // when the next sample is due; zero until the phone has connected
}

// verdict is the result of check: an end, or when to check again.
type verdict struct {
	end     EndReason
	next    time.Time
	settled bool // the media of the leg may start although the phone is silent
	greet   bool // the person can hear
	warn    bool // the agent is to be warned of MaxDuration
	away    bool // the phone was connected and is not now
	silent  Side // the side whose silence is to be reported; "" = none
	sample  bool // a sample is due
}

func (w *callClock) agentLeft(now time.Time, err error) {
	w.agentReason, w.hangUpAt = AgentHungUp, now.Add(agentTail)
	if err != nil {
		w.agentReason, w.hangUpAt = AgentFailed, now
	}
}

// check decides by the state of the leg and by the last sound.
func (w *callClock) check(l *leg, last soundTimes, now time.Time) verdict {
	w.recordState(l, now)
	v := verdict{next: w.since.Add(w.cfg.MaxDuration)}
	due := func(at time.Time, reason EndReason) {
		switch {
		case !now.Before(at) && v.end == "":
			v.end = reason
		case at.Before(v.next):
			v.next = at
		}
	}
	if w.agentReason != "" {
		due(w.hangUpAt, w.agentReason)
	}
	due(w.since.Add(w.cfg.MaxDuration), MaxDuration)
	switch {
	case !w.left.IsZero():
		due(w.left.Add(w.cfg.LeaveGrace), PhoneHungUp)
	case w.connected.IsZero():
		due(l.since.Add(w.cfg.ConnectWithin), ConnectTimeout)
		if !w.lost.IsZero() {
			due(w.lost.Add(w.cfg.RejoinWithin), MediaFailed)
		}
	case !w.lost.IsZero():
		due(w.lost.Add(w.cfg.RejoinWithin), MediaFailed)
	default:
		w.checkSound(&v, l, last.heard, now, due)
		w.checkOneWay(&v, last, now)
	}
	if at := w.since.Add(w.cfg.MaxDuration - w.cfg.WarnBefore); !w.warned && !w.agentAt.IsZero() {
		v.warn = v.await(at, now)
		w.warned = v.warn
	}
	v.away = !w.everConnected.IsZero() && (w.connected.IsZero() || !w.lost.IsZero() || !w.left.IsZero())
	if !w.everConnected.IsZero() {
		w.checkSample(&v, now)
	}
	return v
}

// checkSample decides whether a sample is due. One that is late moves those behind it.
func (w *callClock) checkSample(v *verdict, now time.Time) {
	if w.sampleAt.IsZero() {
		w.sampleAt = w.everConnected.Add(w.cfg.SampleEvery)
	}
	if v.sample = v.await(w.sampleAt, now); v.sample {
		w.sampleAt = now.Add(w.cfg.SampleEvery)
		v.await(w.sampleAt, now)
	}
}

// await reports whether at has come. If not, the next check is then at the latest.
func (v *verdict) await(at, now time.Time) bool {
	if now.Before(at) && at.Before(v.next) {
		v.next = at
	}
	return !now.Before(at)
}

// talkPause is the longest pause of a side that talks.
const talkPause = time.Second

// checkOneWay decides for a connected leg whether one side is silent while the other talks.
func (w *callClock) checkOneWay(v *verdict, last soundTimes, now time.Time) {
	if w.agentAt.IsZero() {
		return
	}
	report := func(side Side, since, other time.Time) {
		if w.oneWay[side] || !v.await(since.Add(w.cfg.OneWayAfter), now) {
			return
		}
		if now.Sub(other) > talkPause { // nobody talks: look again
			v.await(now.Add(talkPause), now)
			return
		}
		if w.oneWay == nil {
			w.oneWay = map[Side]bool{}
		}
		w.oneWay[side], v.silent = true, side
	}
	if last.said.IsZero() {
		report(AgentSide, w.agentAt, last.spoke)
	}
	since := w.connected
	if last.heard.After(since) {
		since = last.heard
	}
	report(PhoneSide, since, last.said)
}

// checkSound decides for a connected leg whether the agent may start and whether the phone is
// silent for too long.
func (w *callClock) checkSound(v *verdict, l *leg, heard, now time.Time, due func(time.Time, EndReason)) {
	from, reason := w.connected, Silence
	if heard.IsZero() {
		reason = NoMedia
	} else if heard.After(from) {
		from = heard
	}
	due(from.Add(w.cfg.SilenceAfter), reason)
	v.settled = l.track.enabled.Load() || v.await(w.connected.Add(settleTime), now)
	v.greet = l.hasSound.Load() || v.await(w.everConnected.Add(w.cfg.GreetWithin), now)
}

// recordState records when the leg's connection changed.
func (w *callClock) recordState(l *leg, now time.Time) {
	if l != w.leg {
		w.leg, w.connected, w.lost, w.left = l, time.Time{}, time.Time{}, time.Time{}
	}
	switch l.state() {
	case legConnected:
		if w.connected.IsZero() {
			w.connected = now
		}
		if w.everConnected.IsZero() {
			w.everConnected = now
		}
		w.lost = time.Time{}
	case legLost:
		if w.lost.IsZero() {
			w.lost = now
		}
	case legLeft:
		if w.left.IsZero() {
			w.left = now
		}
	}
}
