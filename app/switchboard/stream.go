package switchboard

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"carillon/app/agents"
	"carillon/tenants"
)

// passedMost bounds the WebSockets of one tenant that other nodes pass on to this one.
const passedMost = 120

// passed counts the WebSockets that other nodes pass on to this one.
type passed struct {
	mu sync.Mutex // guards of
	of map[tenants.TenantID]int
}

// add counts one of the tenant, and refuses it where there are too many.
func (p *passed) add(t tenants.TenantID) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[t] >= passedMost {
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_agents", RetryAfter: 5 * time.Second,
			Msg: "Too many agents of this account are connected through other servers. Wait a moment and try again."}
	}
	if p.of == nil {
		p.of = map[tenants.TenantID]int{}
	}
	p.of[t]++
	return nil
}

func (p *passed) remove(t tenants.TenantID) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of[t]--; p.of[t] <= 0 {
		delete(p.of, t)
	}
}

// errOtherNode is the refusal of a WebSocket whose ring is on a server of an earlier version.
func errOtherNode(err error) error {
	return &tenants.Error{Kind: tenants.Conflict, Code: "other_node", Err: err,
		Msg: "Another server holds this ring, and cannot take a WebSocket from this one. Connect again in a moment."}
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

// ofHandshake are the headers of a WebSocket's handshake that its holder needs.
var ofHandshake = []string{"Authorization", "Connection", "Origin", "Sec-Websocket-Extensions", "Sec-Websocket-Key",
	"Sec-Websocket-Protocol", "Sec-Websocket-Version", "Upgrade"}

// passStream passes a WebSocket on to the node that holds the ring.
func (j Joining) passStream(
	ctx context.Context, to tenants.NodeID, id tenants.RingID, u agents.Upgrade,
) (serve func(net.Conn), err error) {
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
		if tenants.KindOf(err) == tenants.Internal { // as a version answers that does not know this request
			err = errOtherNode(err)
		}
		return nil, err
	}
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
	if err := j.b.passed.add(r.Tenant); err != nil {
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
