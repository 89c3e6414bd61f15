package switchboard

import (
	"context"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"carillon/app/agents"
	"carillon/tenants"
)

const (
	// passedMost bounds the WebSockets of one tenant that other nodes pass on to this one.
	passedMost = 120
	// passingMost bounds the WebSockets of one ring that this node passes on to another one. Until
	// that one has looked at the token, the ring is all that is known of the agent.
	passingMost = 20
)

// passed counts WebSockets that pass between nodes: by tenant those that others pass on to this
// one, and by ring those that this one passes on.
type passed[K comparable] struct {
	mu sync.Mutex // guards of
	of map[K]int

	refused atomic.Int64
}

// add counts one, and refuses it where there are so many already.
func (p *passed[K]) add(k K, most int, says string) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[k] >= most {
		p.refused.Add(1)
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_agents", RetryAfter: 5 * time.Second, Msg: says}
	}
	if p.of == nil {
		p.of = map[K]int{}
	}
	p.of[k]++
	return nil
}

func (p *passed[K]) remove(k K) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[k]--; p.of[k] <= 0 {
		delete(p.of, k)
	}
}

// Stream lets an agent that joins the ring have a WebSocket. It returns what takes the connection.
// Where another node holds the ring, the connection is passed on to it as it is.
func (j Joining) Stream(ctx context.Context, id tenants.RingID, u agents.Upgrade) (serve func(net.Conn), err error) {
	token := tenants.Secret(u.Token())
	to, err := j.holder(ctx, token, id)
	if err != nil {
		return nil, err
	}
	if to != "" {
		return j.passStream(ctx, to, id, u)
	}
	if _, err := j.joining(ctx, token, id); err != nil {
		return nil, err
	}
	return j.b.Joins.Stream(token, id, u)
}

// Refused counts the WebSockets that were not passed on because their ring had too many, and those
// not taken because their tenant had.
func (j Joining) Refused() (ring, tenant int64) {
	return j.b.passing.refused.Load(), j.b.passed.refused.Load()
}

// ofHandshake are the headers of a WebSocket's handshake that its holder needs.
var ofHandshake = []string{"Authorization", "Connection", "Origin", "Sec-Websocket-Extensions", "Sec-Websocket-Key",
	"Sec-Websocket-Protocol", "Sec-Websocket-Version", "Upgrade"}

// passStream passes a WebSocket on to the node that holds the ring. A node that drains passes no
// more on: it would have to wait for it.
func (j Joining) passStream(
	ctx context.Context, to tenants.NodeID, id tenants.RingID, u agents.Upgrade,
) (serve func(net.Conn), err error) {
	if j.b.draining.begun.Load() {
		return nil, stopping()
	}
	err = j.b.passing.add(id, passingMost, "Too many agents of this ring are connected through this server. Wait a moment and try again.")
	if err != nil {
		return nil, err
	}
	defer func() {
		if serve == nil {
			j.b.passing.remove(id)
		}
	}()
	headers := http.Header{}
	for _, name := range ofHandshake {
		if values := u.Header.Values(name); len(values) > 0 {
			headers[name] = values
		}
	}
	pipe, err := j.b.Peers.Pipe("")
	if err != nil {
		return nil, err
	}
	var none any
	q := request{Ring: id, Pipe: pipe.Name(), Upgrade: &agents.Upgrade{Host: u.Host, Header: headers}}
	if err := (Held{j.b}).ask(ctx, to, askJoinStream, q, &none); err != nil {
		pipe.Close()
		return nil, err
	}
	go func() { // the caller may lose the connection before it can be carried
		<-pipe.Done()
		j.b.passing.remove(id)
	}()
	return pipe.Carry, nil
}

// streamHere takes a WebSocket that another node passes on.
func (j Joining) streamHere(ctx context.Context, q request) error {
	if q.Upgrade == nil || q.Pipe == "" {
		return tenants.Refuse(tenants.Invalid, "upgrade_required", "Open this address as a WebSocket (RFC 6455, version 13).")
	}
	token := tenants.Secret(q.Upgrade.Token())
	r, err := j.joining(ctx, token, q.Ring)
	if err != nil {
		return err
	}
	says := "Too many agents of this account are connected through other servers. Wait a moment and try again."
	if err := j.b.passed.add(r.Tenant, passedMost, says); err != nil {
		return err
	}
	pipe, err := j.b.Peers.Pipe(q.Pipe)
	if err != nil {
		j.b.passed.remove(r.Tenant)
		return err
	}
	serve, err := j.b.Joins.Stream(token, q.Ring, *q.Upgrade)
	if err != nil {
		j.b.passed.remove(r.Tenant)
		pipe.Close()
		return err
	}
	pipe.Serve(func(c net.Conn) {
		defer j.b.passed.remove(r.Tenant)
		serve(c)
	})
	return nil
}
