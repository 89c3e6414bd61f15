package bus

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"net"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"carillon/tenants"
)

const (
	// pipeChunk is how many bytes one message carries at most.
	pipeChunk = 16 << 10
	// pipeWindow is how many messages may be on their way in one direction of a pipe: what waits at
	// an end is at most a mebibyte.
	pipeWindow = 64
	// pipesMost bounds the first ends of pipes of this node, and the second ends. Each kind has its
	// own bound: what this node passes on never takes the room of what it holds itself.
	pipesMost = 250
	// pipeBeat is how often an end shows that it lives. One that was silent for pipeSilent is gone.
	pipeBeat   = 2 * time.Second
	pipeSilent = 8 * time.Second
	// pipeUnused is how long an end that carries no connection yet is kept.
	pipeUnused = 10 * time.Second
	// pipeLast is how long a connection may take for what was sent before the other end ended.
	// Before that it may take as long as it likes: the other end waits for it then.
	pipeLast = 5 * time.Second
)

// The kinds of messages. A number follows: of data its own, then come the bytes; of taken how many
// messages the connection has accepted; of lives how many were sent, which shows the loss of the
// last one.
const (
	pipeData  = 'd'
	pipeTaken = 't'
	pipeLives = 'l'
	pipeEnded = 'e'
)

// pipeHead is the length of a message before its bytes: the kind and a number.
const pipeHead = 5

// Pipe is one end of a connection that another node passes on. What one end reads, the other one
// writes, in order. It ends at both ends when either connection ends, a node or NATS is gone, or a
// message was lost: a gap in a WebSocket cannot be repaired.
type Pipe struct {
	bus    *Shared
	open   *atomic.Int64 // counts the ends of its kind
	name   string
	to     string // the subject of the other end
	sub    *nats.Subscription
	queue  chan []byte   // what came and is not written yet; nil = the other end has ended
	room   chan struct{} // one token for each message that the other end has not taken
	unused *time.Timer

	expect, taken uint32        // of the subscription's goroutine: the next number, and what the other end has taken
	sent          atomic.Uint32 // messages with data
	heard         atomic.Int64

	ready chan struct{} // closed once sub is there
	once  sync.Once
	done  chan struct{} // closed by Close
}

// Pipe opens an end of a pipe. An empty name opens the first end, which makes up a name; the other
// node opens the second end with it. It refuses with Unavailable where NATS is away, and with the
// code too_many_agents where too many ends of its kind are open. The caller must Carry, Serve or
// Close it; an end that is left alone is closed.
func (b *Shared) Pipe(name string) (*Pipe, error) {
	away := &tenants.Error{Kind: tenants.Unavailable, Code: "node_unreachable", RetryAfter: time.Second,
		Msg: "The server that holds this call cannot be reached right now. Try again in a moment."}
	if b.closing.Load() {
		return nil, away
	}
	open, refused, own, other := &b.holding, &b.counts.HoldingFull, "2", "1"
	full := "The server that holds this call takes no more connections from other servers right now. Try again in a moment."
	if name == "" {
		name, open, refused, own, other = rand.Text(), &b.passing, &b.counts.PassingFull, "1", "2"
		full = "This server passes on as many connections to other servers as it can. Try again in a moment."
	}
	if open.Add(1) > pipesMost {
		open.Add(-1)
		refused.Add(1)
		return nil, &tenants.Error{Kind: tenants.Unavailable, Code: "too_many_agents", RetryAfter: 5 * time.Second, Msg: full}
	}
	p := &Pipe{bus: b, open: open, name: name, to: pipeSubject + name + "." + other, done: make(chan struct{}), ready: make(chan struct{}),
		queue: make(chan []byte, pipeWindow+1), room: make(chan struct{}, pipeWindow)}
	p.heard.Store(time.Now().UnixNano())
	var err error
	if p.sub, err = b.conn.Subscribe(pipeSubject+name+"."+own, p.hear); err != nil {
		open.Add(-1)
		away.Err = err
		return nil, away
	}
	p.unused = time.AfterFunc(pipeUnused, p.Close)
	close(p.ready)
	return p, nil
}

// Name is what the other node opens its end with.
func (p *Pipe) Name() string { return p.name }

// Done is closed once this end is closed.
func (p *Pipe) Done() <-chan struct{} { return p.done }

// Close ends the pipe at both ends. Twice is fine.
func (p *Pipe) Close() {
	p.once.Do(func() {
		p.unused.Stop()
		close(p.done)
		_ = p.send(pipeEnded, 0, nil)
		_ = p.sub.Unsubscribe() // the connection may be closed already
		p.open.Add(-1)
	})
}

// Carry passes on what the connection sends, and gives it what the other end sends, until the pipe
// ends. It does not close the connection; nobody uses it any more when Carry returns.
func (p *Pipe) Carry(conn net.Conn) {
	if !p.unused.Stop() {
		p.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	var both sync.WaitGroup
	both.Go(func() {
		defer p.Close()
		p.read(conn)
	})
	both.Go(func() {
		p.live()
		_ = conn.SetDeadline(time.Unix(1, 0)) // ends its Read and Write
	})
	p.write(conn)
	p.Close()
	both.Wait()
}

// Serve gives one end of a connection in this process to serve, and carries the other end. It
// returns at once; both end with the pipe, and Close of the bus waits for them.
func (p *Pipe) Serve(serve func(net.Conn)) {
	near, far := net.Pipe()
	p.bus.mu.Lock()
	defer p.bus.mu.Unlock()
	if p.bus.closing.Load() {
		go p.Close()
		return
	}
	p.bus.ended.Go(func() {
		defer far.Close()
		p.Carry(far)
	})
	p.bus.ended.Go(func() {
		defer near.Close()
		defer func() {
			if e := recover(); e != nil {
				p.bus.log.Error("a connection from another node failed", "err", fmt.Errorf("panic: %v\n%s", e, debug.Stack()))
			}
		}()
		serve(near)
	})
}

// read sends what the connection says.
func (p *Pipe) read(conn net.Conn) {
	buf := make([]byte, pipeChunk)
	for {
		n, err := conn.Read(buf)
		if n > 0 {
			select {
			case p.room <- struct{}{}:
			case <-p.done:
				return
			}
			if p.send(pipeData, p.sent.Load(), buf[:n]) != nil {
				return
			}
			p.sent.Add(1)
			p.bus.counts.PipeSent.Add(int64(n))
		}
		if err != nil {
			return
		}
	}
}

// write gives the connection what came, until the other end has ended.
func (p *Pipe) write(conn net.Conn) {
	for number := uint32(1); ; number++ {
		select {
		case data := <-p.queue:
			if data == nil {
				return
			}
			if _, err := conn.Write(data); err != nil || p.send(pipeTaken, number, nil) != nil {
				return
			}
		case <-p.done:
			return
		}
	}
}

// live shows the other end that this one lives, and closes the pipe when that one is silent or the
// bus is closed. It returns when the pipe is closed.
func (p *Pipe) live() {
	tick := time.NewTicker(pipeBeat)
	defer tick.Stop()
	for {
		select {
		case <-p.done:
			return
		case <-p.bus.stop:
			p.Close()
			return
		case <-tick.C:
		}
		if p.send(pipeLives, p.sent.Load(), nil) != nil || time.Since(time.Unix(0, p.heard.Load())) > pipeSilent {
			p.Close()
		}
	}
}

func (p *Pipe) send(kind byte, number uint32, data []byte) error {
	message := make([]byte, pipeHead, pipeHead+len(data))
	message[0] = kind
	binary.BigEndian.PutUint32(message[1:], number)
	return p.bus.conn.Publish(p.to, append(message, data...))
}

// hear takes a message of the other end. NATS calls it for one message at a time.
func (p *Pipe) hear(m *nats.Msg) {
	if <-p.ready; len(m.Data) < pipeHead {
		return
	}
	p.heard.Store(time.Now().UnixNano())
	number, data := binary.BigEndian.Uint32(m.Data[1:]), m.Data[pipeHead:]
	switch m.Data[0] {
	case pipeData:
		if number != p.expect {
			p.gap()
		} else if len(data) == 0 || !p.wait(data) {
			p.Close()
		}
		p.expect++
		p.bus.counts.PipeHeard.Add(int64(len(data)))
	case pipeLives:
		if int32(number-p.expect) > 0 {
			p.gap()
		}
	case pipeTaken:
		for ; p.taken != number; p.taken++ {
			select {
			case <-p.room:
			default: // more than was sent
				p.Close()
				return
			}
		}
	case pipeEnded:
		time.AfterFunc(pipeLast, p.Close)
		if !p.wait(nil) {
			p.Close()
		}
	}
}

// gap ends a pipe of which a message was lost.
func (p *Pipe) gap() {
	select {
	case <-p.done: // what comes late is no loss
	default:
		p.bus.counts.PipesCut.Add(1)
		p.Close()
	}
}

// wait puts what came behind what waits; false if the other end has sent more than it may.
func (p *Pipe) wait(data []byte) bool {
	select {
	case p.queue <- data:
		return true
	default:
		return false
	}
}

// Pipes is how many ends of pipes this node has.
func (b *Shared) Pipes() int {
	passing, holding := b.PipeEnds()
	return passing + holding
}

// PipeEnds is how many of them pass on a connection of this node, and how many hold one of another
// node.
func (b *Shared) PipeEnds() (passing, holding int) {
	return int(b.passing.Load()), int(b.holding.Load())
}

// PipesEnd waits until this node has no pipe any more, or ctx is done.
func (b *Shared) PipesEnd(ctx context.Context) {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for b.Pipes() > 0 {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
