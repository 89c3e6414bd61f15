package agents

import (
	"context"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

// arrive parks what came until its call takes it. It replaces what came before and was not taken.
func (j *Joins) arrive(ring tenants.RingID, peer *gateway.Peer, conn *socket) {
	j.mu.Lock()
	m := j.meeting(ring)
	m.coming--
	old := *m
	if peer != nil {
		m.peer = peer
		old.conn = nil
	} else {
		m.conn = conn
		old.peer = nil
	}
	close(m.arrived)
	m.arrived = make(chan struct{})
	if m.leave != nil {
		m.leave.Stop() // one that runs already finds another guest, who has to come again
	}
	m.leave = time.AfterFunc(parkFor, func() { j.expire(ring, m) })
	closed := j.closed || m.life.Err() != nil
	j.mu.Unlock()
	old.sendAway()
	if closed {
		j.dismiss(ring, m)
	}
}

// meeting returns the meeting of a ring. Called with mu held.
func (j *Joins) meeting(ring tenants.RingID) *meeting {
	m := j.rings[ring]
	if m == nil {
		m = &meeting{arrived: make(chan struct{}), looked: j.now()}
		m.life, m.end = context.WithCancel(context.Background())
		j.rings[ring] = m
	}
	return m
}

// expire sends away who was not taken in time. During the call they stay.
func (j *Joins) expire(ring tenants.RingID, m *meeting) {
	if _, talking := j.voice.CodecOf(string(ring)); !talking {
		j.dismiss(ring, m)
		return
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	if m.leave != nil {
		m.leave.Reset(parkFor)
	}
}

// Dismiss returns what sends away the agents that came for a ring which has ended; nil = there are
// none. It may wait a moment for each. A connection that is being made is cancelled at once.
func (j *Joins) Dismiss(ring tenants.RingID) (away func()) {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.rings[ring]
	if m == nil || m.peer == nil && m.conn == nil && m.coming == 0 {
		return nil
	}
	m.end()
	return func() { j.dismiss(ring, m) }
}

// Guest is a ring that an agent waits for.
type Guest struct {
	Tenant tenants.TenantID
	Ring   tenants.RingID
}

// Waiting returns rings that agents wait for, at most `most`, and each once in lookEvery: the
// caller looks whether they have ended, which another process may have done.
func (j *Joins) Waiting(most int) (list []Guest) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	for id, m := range j.rings {
		if len(list) < most && (m.peer != nil || m.conn != nil) && now.Sub(m.looked) >= lookEvery {
			m.looked = now
			list = append(list, Guest{m.tenant, id})
		}
	}
	return list
}

// dismiss sends away who came and was not taken.
func (j *Joins) dismiss(ring tenants.RingID, m *meeting) {
	j.mu.Lock()
	old := *m
	m.peer, m.conn, m.leave = nil, nil, nil
	j.tidy(ring, m)
	j.mu.Unlock()
	old.sendAway()
}

// sendAway closes what is parked.
func (m *meeting) sendAway() {
	if m.peer != nil {
		m.peer.Close()
	}
	if m.conn != nil {
		m.conn.close()
	}
}

// tidy forgets a meeting that nobody needs. Called with mu held.
func (j *Joins) tidy(ring tenants.RingID, m *meeting) {
	if m.peer == nil && m.conn == nil && m.leave != nil {
		m.leave.Stop()
		m.leave = nil
	}
	if m.peer == nil && m.conn == nil && m.waiting == 0 && m.coming == 0 && j.rings[ring] == m {
		m.end()
		delete(j.rings, ring)
	}
}

// take waits for an agent of the ring: pick takes it out of the meeting. A peer whose agent has
// left again is not one.
func (j *Joins) take(ctx context.Context, ring tenants.RingID, pick func(*meeting) bool) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	m := j.meeting(ring)
	m.waiting++
	defer func() {
		m.waiting--
		j.tidy(ring, m)
	}()
	for {
		if m.peer != nil && isOver(m.peer) {
			m.peer = nil
		}
		if m.conn != nil && m.conn.gone() {
			go m.conn.close() // it waits
			m.conn = nil
		}
		if pick(m) {
			return nil
		}
		arrived := m.arrived
		j.mu.Unlock()
		select {
		case <-arrived:
		case <-ctx.Done():
		}
		j.mu.Lock()
		if ctx.Err() != nil {
			return &Failure{Cause: "no agent connected to the call in time; " +
				"ask for a token with POST /v1/rings/{id}/join as soon as the ring is placed", Err: ctx.Err()}
		}
	}
}

func (j *Joins) takePeer(ctx context.Context, ring tenants.RingID) (p *gateway.Peer, err error) {
	err = j.take(ctx, ring, func(m *meeting) bool {
		p, m.peer = m.peer, nil
		return p != nil
	})
	return p, err
}

// takeInstead waits until the agent of a running call is lost and another connection of the ring is
// there, and takes that. It returns nil when ctx is done.
func (j *Joins) takeInstead(ctx context.Context, ring tenants.RingID, lost func() bool) *gateway.Peer {
	look := time.NewTicker(replaceEvery)
	defer look.Stop()
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return nil
		}
		if !lost() {
			continue
		}
		j.mu.Lock()
		var p *gateway.Peer
		if m := j.rings[ring]; m != nil && m.peer != nil && !isOver(m.peer) {
			p, m.peer = m.peer, nil
			j.tidy(ring, m)
		}
		j.mu.Unlock()
		if p != nil {
			return p
		}
	}
}

func (j *Joins) takeConn(ctx context.Context, ring tenants.RingID) (c *socket, err error) {
	err = j.take(ctx, ring, func(m *meeting) bool {
		c, m.conn = m.conn, nil
		return c != nil
	})
	return c, err
}

// parked returns the codecs of the peer that waits for the ring's call, or of any.
func (j *Joins) parked(ring tenants.RingID) []gateway.Codec {
	j.mu.Lock()
	defer j.mu.Unlock()
	if m := j.rings[ring]; m != nil && m.peer != nil && !isOver(m.peer) {
		return m.peer.Codecs()
	}
	return gateway.Codecs()
}
