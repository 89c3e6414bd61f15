package gateway

import (
	"context"
	_ "embed" // for the recordings
	"time"
)

//go:generate -command say flite -voice slt --setf duration_stretch=1.05 -o notice.wav -t
//go:generate say "This call is about to end, because the service is being restarted. Please call again in a minute."
//go:generate -command encode opusenc --quiet --bitrate 32 --framesize 20 --max-delay 20
//go:generate encode --padding 0 --discard-comments notice.wav notice.ogg
//go:generate rm notice.wav
//go:generate sh -c "opusdec --quiet --rate 8000 notice.ogg - | go run bells/pcmu.go > notice.pcmu"

// noticeOgg tells the person on a call that it is about to end: one 20 ms Opus packet in a page.
//
//go:embed notice.ogg
var noticeOgg []byte

// noticePCMU is the same in PCMU, without a header.
//
//go:embed notice.pcmu
var noticePCMU []byte

// readNotices returns the notice in every codec that it exists in.
func readNotices() (notices [numCodecs][][]byte, err error) {
	for c := range numCodecs {
		if notices[c], err = readRecording("notice", c, noticeOgg, noticePCMU); err != nil {
			return notices, err
		}
	}
	return notices, nil
}

// noticeSource marks the packets of the notice on a line.
const noticeSource = ServerSources + 255

// Drain refuses new calls and waits for the running ones to end. Shortly before the deadline of ctx
// the persons on the remaining calls hear a notice instead of their agents, except on calls in
// G722. When ctx ends, Drain
// ends these calls with reason Draining, does not wait for them, and returns the error of ctx.
func (g *Gateway) Drain(ctx context.Context) error {
	g.mu.Lock()
	g.draining = true
	g.mu.Unlock()
	quiet := ctx // until the notice
	if end, ok := ctx.Deadline(); ok {
		var cancel context.CancelFunc
		quiet, cancel = context.WithDeadline(ctx, end.Add(-time.Duration(len(g.notices[Opus]))*Frame-agentTail))
		defer cancel()
	}
	err := g.waitEmpty(quiet)
	if err != nil {
		g.announceEnd()
		err = g.waitEmpty(ctx)
	}
	if err != nil {
		g.endAll(Draining)
	}
	return err
}

func (g *Gateway) waitEmpty(ctx context.Context) error {
	for {
		g.mu.Lock()
		n, empty := len(g.calls), g.empty
		g.mu.Unlock()
		if n == 0 {
			return nil
		}
		select {
		case <-empty:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// announceEnd plays the notice on every call whose codec has one.
func (g *Gateway) announceEnd() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return
	}
	for _, c := range g.calls {
		notice := g.notices[c.codec]
		if c.announced || notice == nil {
			continue
		}
		c.announced = true
		g.running.Add(1)
		go func() {
			defer g.running.Done()
			_ = c.guard("the notice", func() { c.line.announce(notice) })
		}()
	}
}

// announce plays frames to the phone, until the line ends. What the agent says from now on is
// dropped.
func (l *line) announce(frames [][]byte) {
	l.announcing.Store(true)
	timer := time.NewTimer(0)
	defer timer.Stop()
	began := time.Now()
	for i, frame := range frames {
		select {
		case <-timer.C:
		case <-l.over:
			return
		}
		l.send(Packet{Source: noticeSource, Sequence: uint16(i), Timestamp: uint32(i) * l.codec.FrameTicks(), Payload: frame})
		timer.Reset(time.Until(began.Add(time.Duration(i+1) * Frame)))
	}
}
