package agents

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"

	"carillon/app/agents/dialect"
	"carillon/gateway"
)

const (
	// queueMost is how much sound an agent may send ahead of the phone. Bots send an answer as fast
	// as they make it, and one is rarely longer than a minute.
	queueMost = 2 * time.Minute
	// queueShare is how much of it each agent may always have, however much the others hold.
	queueShare = 5 * time.Second
	// marksMost bounds the marks that wait; bots send one with each piece of a sentence.
	marksMost = 4096
	// partialAfter is how long a piece shorter than a frame waits for the rest. Filling it with
	// silence at once would be heard as a click at the start of words.
	partialAfter = 40 * time.Millisecond
	// ahead is how long before its deadline a frame is played if it arrives on an empty queue: an
	// agent that speaks at the pace of speech then needs no timer and no switch of goroutines, and
	// is heard sooner. The deadlines stay, so it does not add up, and the phone's jitter buffer
	// holds more than that.
	ahead = gateway.Frame
	// catchUp is how late the pacer may be and still play every frame. After a longer stall of the
	// machine the phone's player has given up on them, and playing on at the usual pace is better.
	catchUp = time.Second
	// sentencePause is the longest pause that is a gap in a sentence, whose sound came too late. A
	// longer one is between two sentences.
	sentencePause = 200 * time.Millisecond
)

var (
	errTooFarAhead = errors.New("the agent sent more than 2 minutes of sound ahead; send it at the pace of speech, or in smaller parts")
	errBusy        = errors.New("all agents together hold too much sound that waits, and this one was more than 5 seconds ahead; " +
		"send it at the pace of speech")
	errMarks = errors.New("the agent sent more than 4096 marks without waiting for their answers")
)

// budget is the memory that the queues of all agents share.
type budget struct {
	most int64
	used atomic.Int64
}

// pacer plays what an agent says at the pace of speech. Each frame has an absolute deadline: with a
// ticker, missed ticks would add up to a delay of seconds on a busy machine.
type pacer struct {
	line   gateway.Line
	voice  *voice
	now    func() time.Time
	size   int    // bytes of a frame, as the agent sends it
	ticks  uint32 // of a frame, on the RTP clock
	budget *budget
	out    func(dialect.Event) // gets marks and what was cleared; called with mu held, it must not wait
	wake   chan struct{}       // holds one token: look again

	mu      sync.Mutex // guards the rest
	queue   []byte     // from head on
	head    int
	added   uint64 // bytes since the start
	played  uint64
	spoken  uint64 // played when the sentence began
	lastAdd time.Time
	marks   []mark
	last    bool // nothing more comes
	audible bool // the person can hear: run plays
	failed  error
	ended   bool // run has returned: what still comes is dropped
	dry     bool // the queue ran out, so what comes next begins at its own time
	gaps    gaps
	packet  gateway.Packet
	next    time.Time // deadline of the next frame
	frame   []byte
}

// gaps are where the sound of an agent came too late, since they were last measured.
type gaps struct {
	underruns int
	silence   time.Duration // that the person heard instead
	played    uint64        // bytes, when it was last measured
}

// measure returns how much sound waits, and what was played and missed since it was last called.
func (p *pacer) measure() (queued, played time.Duration, g gaps) {
	p.mu.Lock()
	defer p.mu.Unlock()
	g = p.gaps
	p.gaps = gaps{played: p.played}
	return p.duration(uint64(len(p.queue) - p.head)), p.duration(p.played - g.played), g
}

// mark is a name that is sent back once played has reached at.
type mark struct {
	name string
	at   uint64
}

func newPacer(l gateway.Line, v *voice, now func() time.Time, b *budget, out func(dialect.Event)) *pacer {
	return &pacer{
		line: l, voice: v, now: now, size: len(v.silence), ticks: l.Codec().FrameTicks(), budget: b, out: out,
		wake: make(chan struct{}, 1), frame: make([]byte, len(v.silence)),
	}
}

// add queues sound. Its error says that the agent is too far ahead.
func (p *pacer) add(sound []byte) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ended {
		return nil
	}
	waiting := len(p.queue) - p.head
	used := p.budget.used.Add(int64(len(sound)))
	switch {
	case waiting+len(sound) > p.bytes(queueMost):
		p.budget.used.Add(-int64(len(sound)))
		return errTooFarAhead
	case used > p.budget.most && waiting+len(sound) > p.bytes(queueShare):
		p.budget.used.Add(-int64(len(sound)))
		return errBusy
	}
	p.lastAdd = p.now()
	if waiting == 0 && p.lastAdd.Sub(p.next) > sentencePause {
		p.spoken = p.played
	}
	if p.head > 0 && len(p.queue)+len(sound) > cap(p.queue) {
		p.queue = p.queue[:copy(p.queue, p.queue[p.head:])]
		p.head = 0
	}
	p.queue = append(p.queue, sound...)
	p.added += uint64(len(sound))
	if waiting < p.size && !p.playNow() { // else run waits for the deadline of a frame, which stays
		p.look()
	}
	return nil
}

// playNow plays what waits if it is one whole frame that is due now or nearly. False means that run
// must look. Called with mu held.
func (p *pacer) playNow() bool {
	if !p.audible || p.last || len(p.queue)-p.head != p.size {
		return false
	}
	p.schedule(p.lastAdd)
	if p.lastAdd.Before(p.next.Add(-ahead)) {
		return false
	}
	p.failed = p.play()
	p.dry = true
	return p.failed == nil && len(p.marks) == 0
}

func (p *pacer) bytes(d time.Duration) int { return int(d/gateway.Frame) * p.size }

func (p *pacer) duration(bytes uint64) time.Duration {
	return time.Duration(bytes) * gateway.Frame / time.Duration(p.size)
}

// addMark sends name back once the sound queued so far has been played.
func (p *pacer) addMark(name string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.marks) == marksMost {
		return errMarks
	}
	p.marks = append(p.marks, mark{name, p.added})
	p.look()
	return nil
}

// clear drops the sound that waits, says how much was played of the present sentence and how much
// was dropped, and sends all marks back. The marks of what was played come before that, and those
// of what was not come after it: a bot knows by them what the person has heard.
func (p *pacer) clear() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.echoMarks()
	p.out(dialect.Event{Kind: dialect.Cleared, Played: p.duration(p.played - p.spoken), Dropped: p.duration(p.added - p.played)})
	p.release()
	p.look()
}

// release empties the queue. Called with mu held.
func (p *pacer) release() {
	p.budget.used.Add(-int64(len(p.queue) - p.head))
	p.queue, p.head = p.queue[:0], 0
	p.played = p.added
	p.spoken = p.played
}

// finish makes run return once everything has been played.
func (p *pacer) finish() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = true
	p.look()
}

// look makes run look again. It never blocks.
func (p *pacer) look() {
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// run plays until finish and the queue is empty, or until ctx is done. Nothing is played before
// audible is closed: the greeting waits until the person can hear it.
func (p *pacer) run(ctx context.Context, audible <-chan struct{}) error {
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.ended = true
		p.release()
	}()
	select {
	case <-audible:
	case <-ctx.Done():
		return ctx.Err()
	}
	p.mu.Lock()
	p.audible = true
	p.mu.Unlock()
	// A select costs by the number of its channels, and this one runs for each frame.
	defer context.AfterFunc(ctx, p.look)()
	timer := time.NewTimer(idle)
	defer timer.Stop()
	for ctx.Err() == nil {
		wait, done, err := p.step(p.now())
		if err != nil || done {
			return err
		}
		timer.Reset(wait)
		select {
		case <-timer.C:
		case <-p.wake:
		}
	}
	return ctx.Err()
}

// idle is how long run waits when nothing is queued. A token of wake ends it.
const idle = time.Minute

// step plays what is due at now. It returns how long to wait for the next step.
func (p *pacer) step(now time.Time) (wait time.Duration, done bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for p.failed == nil {
		p.echoMarks()
		waiting := len(p.queue) - p.head
		switch {
		case waiting == 0:
			p.dry = true
			return idle, p.last, nil
		case waiting < p.size && !p.last:
			if due := p.lastAdd.Add(partialAfter); now.Before(due) {
				p.dry = p.dry || now.After(p.next)
				return due.Sub(now), false, nil
			}
		}
		p.schedule(now)
		if now.Before(p.next) {
			return p.next.Sub(now), false, nil
		}
		p.failed = p.play()
	}
	return 0, false, p.failed
}

// schedule sets the deadline of the next frame after a pause. Called with mu held.
func (p *pacer) schedule(now time.Time) {
	if p.next.IsZero() {
		p.next = now
		return
	}
	if late := now.Sub(p.next); late > catchUp || p.dry && late > 0 {
		// The sound came after its time: what it would have filled was silence.
		if p.dry && late <= sentencePause {
			p.gaps.underruns++
			p.gaps.silence += late
		}
		p.packet.Timestamp += uint32(late/gateway.Frame) * p.ticks
		p.next = now
	}
	p.dry = false
}

// play sends one frame. Called with mu held.
func (p *pacer) play() error {
	n := copy(p.frame, p.queue[p.head:])
	copy(p.frame[n:], p.voice.silence[n:])
	p.head += n
	p.played += uint64(n)
	p.budget.used.Add(-int64(n))
	if p.head == len(p.queue) {
		p.queue, p.head = p.queue[:0], 0
	}
	p.packet.Source, p.packet.Payload = streamSource, p.voice.toPhone(p.frame)
	err := p.line.Say(p.packet)
	p.packet.Sequence++
	p.packet.Timestamp += p.ticks
	p.next = p.next.Add(gateway.Frame)
	return err
}

// streamSource marks the packets of a stream agent.
const streamSource = 2

// echoMarks sends back the marks whose sound has been played. Called with mu held.
func (p *pacer) echoMarks() {
	n := 0
	for n < len(p.marks) && p.marks[n].at <= p.played {
		p.out(dialect.Event{Kind: dialect.Mark, Name: p.marks[n].name})
		n++
	}
	p.marks = p.marks[:copy(p.marks, p.marks[n:])]
}
