package agents

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"carillon/gateway"
)

// Bridge joins the calls of two phones: each phone is the other call's agent. Both calls have one
// codec, and packets pass unchanged. Keys that are pressed stay in their own call.
type Bridge struct {
	codec   gateway.Codec
	now     func() time.Time
	release func()

	answered chan struct{} // closed when second is set: the called person is there
	second   gateway.Line
	joined   chan struct{} // closed when first is set
	first    gateway.Line
	refused  atomic.Bool   // the called person's ring has ended without an answer
	over     chan struct{} // closed when one side has left
	leaveOne sync.Once
	freeOne  sync.Once
}

// NewBridge returns a bridge in a codec. release is called when the waiting call gives up before
// the called person has answered.
func NewBridge(codec gateway.Codec, now func() time.Time, release func()) *Bridge {
	return &Bridge{
		codec: codec, now: now, release: release,
		answered: make(chan struct{}), joined: make(chan struct{}), over: make(chan struct{}),
	}
}

// Caller returns the agent of the call that waits. It is attached when the called person answers.
func (b *Bridge) Caller() Agent { return callerEnd{b} }

// Called returns the agent of the call of the person who is called.
func (b *Bridge) Called() Agent { return calledEnd{b} }

func (b *Bridge) leave() { b.leaveOne.Do(func() { close(b.over) }) }

func (b *Bridge) isAnswered() bool {
	select {
	case <-b.answered:
		return true
	default:
		return false
	}
}

// pass gives what is heard on one line to the other, until one side leaves. What was said before
// they were joined is not passed on: a phone plays what comes at once with a delay that stays.
func (b *Bridge) pass(ctx context.Context, from, to gateway.Line) error {
	since := b.now()
	defer from.Attend(func(p gateway.Packet) {
		if p.Digit == 0 && !p.At.Before(since) {
			_ = to.Say(p) // a line that has ended ends the bridge too
		}
	})()
	select {
	case <-b.over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

type callerEnd struct{ *Bridge }

func (e callerEnd) Codecs() []gateway.Codec { return []gateway.Codec{e.codec} }

func (e callerEnd) Attach(ctx context.Context) error {
	select {
	case <-e.answered:
		return nil
	case <-e.over:
		return &Failure{Cause: "nobody answered"}
	case <-ctx.Done():
		return &Failure{Cause: "nobody answered in time", Err: ctx.Err()}
	}
}

func (e callerEnd) Converse(ctx context.Context, l gateway.Line) error {
	defer e.leave()
	e.first = l
	close(e.joined)
	return e.pass(ctx, l, e.second)
}

func (e callerEnd) Close() {
	e.leave()
	e.freeOne.Do(func() {
		if !e.isAnswered() && !e.refused.Load() {
			e.release()
		}
	})
}

type calledEnd struct{ *Bridge }

func (e calledEnd) Codecs() []gateway.Codec { return []gateway.Codec{e.codec} }

func (e calledEnd) Attach(context.Context) error { return nil }

func (e calledEnd) Converse(ctx context.Context, l gateway.Line) error {
	defer e.leave()
	e.second = l
	close(e.answered)
	select {
	case <-e.joined:
	case <-e.over: // the other one did not wait
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	return e.pass(ctx, l, e.first)
}

func (e calledEnd) Close() {
	if !e.isAnswered() {
		e.refused.Store(true)
	}
	e.leave()
}
