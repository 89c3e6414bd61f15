package agents

import (
	"context"
	"time"

	"carillon/gateway"
)

// player plays the sounds of a program one after another, as one stream. Each packet has an
// absolute deadline: with a ticker, missed ticks would add up to a delay.
type player struct {
	line   gateway.Line
	now    func() time.Time
	keys   chan byte // what the person presses; a program that takes no keys has nil
	packet gateway.Packet
	next   time.Time
}

// tune is a sound in the codec of a line.
type tune struct {
	packets [][]byte
	lengths []time.Duration // of each packet; nil = all have gateway.Frame
}

func (t tune) length(i int) time.Duration {
	if t.lengths == nil {
		return gateway.Frame
	}
	return t.lengths[i]
}

// programSource marks the packets of a program.
const programSource = 3

// play plays t until its end, or until a key is pressed, which it returns. The gap since the sound
// before it becomes silence for the phone's player. sent, if it is not nil, gets each packet's
// number before it is said.
func (p *player) play(ctx context.Context, t tune, sent func(i int)) (key byte, err error) {
	now := p.now()
	if late := now.Sub(p.next); p.next.IsZero() || late > 0 {
		if !p.next.IsZero() {
			p.packet.Timestamp += ticks(late, p.line.Codec())
		}
		p.next = now
	}
	timer := time.NewTimer(p.next.Sub(now))
	defer timer.Stop()
	for i, packet := range t.packets {
		select {
		case <-timer.C:
		case key := <-p.keys:
			return key, nil
		case <-ctx.Done():
			return 0, ctx.Err()
		}
		if sent != nil {
			sent(i)
		}
		p.packet.Source, p.packet.Payload = programSource, packet
		if err := p.line.Say(p.packet); err != nil {
			return 0, err
		}
		p.packet.Sequence++
		p.packet.Timestamp += ticks(t.length(i), p.line.Codec())
		p.next = p.next.Add(t.length(i))
		timer.Reset(p.next.Sub(p.now()))
	}
	return 0, nil
}

// wait waits for a key, most at the most; then the key is 0. A most of 0 has no end.
func (p *player) wait(ctx context.Context, most time.Duration) (key byte, err error) {
	var end <-chan time.Time
	if most > 0 {
		timer := time.NewTimer(most)
		defer timer.Stop()
		end = timer.C
	}
	select {
	case key := <-p.keys:
		return key, nil
	case <-end:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func ticks(d time.Duration, c gateway.Codec) uint32 {
	return uint32(d * time.Duration(c.ClockRate()) / time.Second)
}

// press passes a key on. It never blocks: a person who presses many in a moment loses some.
func (p *player) press(key byte) {
	select {
	case p.keys <- key:
	default:
	}
}

// audible waits until the person can hear.
func audible(ctx context.Context, l gateway.Line) error {
	select {
	case <-l.Audible():
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
