package app

import (
	"context"
	"log/slog"
	"time"

	"carillon/app/bus"
	"carillon/app/switchboard"
)

// drainMost is the longest time to wait for calls: the gateway ends every call after an hour.
const drainMost = time.Hour

// Once the time for calls is over: how long their ends may take to be recorded and to reach agents
// on other nodes, and how long event streams then have to send them to phones before they are cut.
const (
	endWithin   = 5 * time.Second
	pipesWithin = 2 * time.Second // for the WebSockets of these calls
	lastWords   = 300 * time.Millisecond
)

// drain refuses new rings and calls, and returns when the calls under way have ended, which those
// that last longer than drainFor do with a notice. It also waits for the WebSockets that pass
// between this node and others. Without any of them it returns at once. Requests and background
// loops go on meanwhile.
func (n *node) drain(ctx context.Context) {
	n.draining.Store(true)
	n.board.Drain()
	if err := switchboard.NewHeld(n.board).ReleaseIdle(ctx); err != nil {
		n.log.Warn("stopping: agents that wait for calls here keep other nodes from answering", "err", err)
	}
	n.endStreams(ctx)
	calls := len(n.voice.Calls())
	if calls > 0 {
		n.log.Info("stopping: waiting for calls to end", "calls", calls, "at_most", n.drainFor.String())
	}
	limit, cancel := context.WithTimeout(ctx, n.drainFor)
	defer cancel()
	if err := n.voice.Drain(limit); err != nil {
		n.log.Warn("stopping: calls were ended", "calls", len(n.voice.Calls()))
	}
	endPipes(ctx, limit, n.others, n.log)
	if calls == 0 {
		return
	}
	ended, cancel := context.WithTimeout(ctx, endWithin)
	defer cancel()
	_ = n.voice.Drain(ended) // it says that time is up, and then there is nothing more to wait for
	select {
	case <-time.After(lastWords):
	case <-ctx.Done():
	}
}

// endPipes waits until no WebSocket passes between this node and others any more: at least
// pipesWithin, and until limit is done. The calls of those that this node passes on are on other
// nodes. An agent that merely waits for its call is sent away by its holder within a minute, and no
// new one is passed on. The calls of those that it holds have ended, perhaps only now, and each
// WebSocket gets its last message after that.
func endPipes(ctx, limit context.Context, others *bus.Shared, log *slog.Logger) {
	if others == nil || others.Pipes() == 0 {
		return
	}
	log.Info("stopping: waiting for WebSockets that pass between nodes", "websockets", others.Pipes())
	if others.PipesEnd(limit); limit.Err() != nil {
		last, cancel := context.WithTimeout(ctx, pipesWithin)
		defer cancel()
		others.PipesEnd(last)
	}
	if left := others.Pipes(); left > 0 {
		log.Warn("stopping: WebSockets that pass between nodes are cut", "websockets", left)
		return
	}
	log.Info("stopping: no WebSocket passes between nodes any more")
}

// endStreams ends the event streams of this node where another one lives: their clients connect
// again, and the balancer gives them to a node that is ready.
func (n *node) endStreams(ctx context.Context) {
	if n.others == nil {
		return
	}
	if living, err := n.store.Nodes().Living(ctx); err == nil && len(living) > 1 {
		n.others.EndListeners()
	}
}
