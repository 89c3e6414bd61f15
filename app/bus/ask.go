package bus

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"github.com/nats-io/nats.go"

	"carillon/tenants"
)

const (
	// askFor bounds a request to another node; the caller's context may end it sooner.
	askFor = 8 * time.Second
	// askedMost bounds the requests of other nodes that are answered at the same time.
	askedMost = 256
)

// Answerer answers a request of another node. Its error reaches the caller of Ask if it is a
// *tenants.Error; another one is logged here and Internal there.
type Answerer func(ctx context.Context, kind string, body []byte) ([]byte, error)

// ErrUnreachable is the cause of Ask's refusal when the other node does not answer: it is gone, or
// NATS is away.
var ErrUnreachable = errors.New("the node does not answer")

// request and reply travel as JSON.
type request struct {
	Kind string          `json:"kind"`
	Body json.RawMessage `json:"body"`
}

type reply struct {
	Body  json.RawMessage `json:"body,omitempty"`
	Error *problem        `json:"error,omitempty"`
}

type problem struct {
	Kind    tenants.Kind    `json:"kind"`
	Code    string          `json:"code"`
	Msg     string          `json:"msg"`
	Fields  []tenants.Field `json:"fields,omitempty"`
	RetryMS int64           `json:"retry_ms,omitempty"`
}

// Serve sets who answers the requests of other nodes. Until then they are refused.
func (b *Shared) Serve(a Answerer) { b.answer.Store(&a) }

// Self is the id of this node.
func (b *Shared) Self() tenants.NodeID { return b.node }

// Ask passes a request on to another node and returns its answer. A node that does not answer is
// Unavailable, caused by ErrUnreachable.
func (b *Shared) Ask(ctx context.Context, to tenants.NodeID, kind string, body []byte) ([]byte, error) {
	b.counts.Asked.Add(1)
	data, err := json.Marshal(request{kind, body})
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, askFor)
	defer cancel()
	m, err := b.conn.RequestWithContext(ctx, askSubject+string(to), data)
	if err != nil {
		return nil, &tenants.Error{Kind: tenants.Unavailable, Code: "node_unreachable", RetryAfter: time.Second,
			Msg: "The server that holds this call does not answer. Try again in a moment.",
			Err: fmt.Errorf("%w: node %s, %s: %w", ErrUnreachable, to, kind, err)}
	}
	var r reply
	if err := json.Unmarshal(m.Data, &r); err != nil {
		return nil, fmt.Errorf("the answer of node %s: %w", to, err)
	}
	if p := r.Error; p != nil {
		return nil, &tenants.Error{Kind: p.Kind, Code: p.Code, Msg: p.Msg, Fields: p.Fields,
			RetryAfter: time.Duration(p.RetryMS) * time.Millisecond, Err: fmt.Errorf("answered by node %s", to)}
	}
	return r.Body, nil
}

// Post passes a request on and does not wait for its answer.
func (b *Shared) Post(to tenants.NodeID, kind string, body []byte) {
	b.counts.Asked.Add(1)
	if data, err := json.Marshal(request{kind, body}); err == nil {
		_ = b.conn.Publish(askSubject+string(to), data) // what is lost is found in the database
	}
}

// ask answers a request of another node on a goroutine of its own; Close waits for it.
func (b *Shared) ask(m *nats.Msg) {
	b.counts.Answered.Add(1)
	select {
	case b.asked <- struct{}{}:
	default:
		respond(m, nil, &tenants.Error{Kind: tenants.Unavailable, Code: "node_unreachable", RetryAfter: time.Second,
			Msg: "The server that holds this call is busy. Try again in a moment."})
		return
	}
	go func() {
		defer func() { <-b.asked }()
		body, err := b.answerTo(m.Data)
		var known *tenants.Error
		if err != nil && !errors.As(err, &known) {
			b.log.Error("answer another node", "err", err)
		}
		respond(m, body, err)
	}()
}

func (b *Shared) answerTo(data []byte) (body []byte, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	var q request
	if err := json.Unmarshal(data, &q); err != nil {
		return nil, err
	}
	a := b.answer.Load()
	if a == nil {
		return nil, tenants.Refuse(tenants.Unavailable, "node_unreachable", "The server is starting. Try again in a moment.")
	}
	ctx, cancel := context.WithTimeout(context.Background(), askFor)
	defer cancel()
	return (*a)(ctx, q.Kind, q.Body)
}

func respond(m *nats.Msg, body []byte, err error) {
	if m.Reply == "" {
		return
	}
	r := reply{Body: body}
	if err != nil {
		r = reply{Error: &problem{Kind: tenants.Internal}}
		var known *tenants.Error
		if errors.As(err, &known) {
			r.Error = &problem{known.Kind, known.Code, known.Msg, known.Fields, known.RetryAfter.Milliseconds()}
		}
	}
	if data, err := json.Marshal(r); err == nil {
		_ = m.Respond(data)
	}
}
