package agents

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net"
	"slices"
	"sync"
	"time"

	"carillon/gateway"
	"carillon/tenants"
)

const (
	// JoinWithin is how long a join token can be used.
	JoinWithin = time.Minute
	// The next three bound the tokens that are known at the same time, used or not.
	joinsPerRing, joinsPerTenant, joinsMost = 8, 2000, 20000
	// guestsPerTenant and guestsMost bound the agents that wait for their calls at the same time.
	// They are well below gateway.Config.MaxPeers, so that there is room for those that talk.
	guestsPerTenant, guestsMost = 200, 1000
	// parkFor is how long an agent that came before its call waits for it: as long as a phone may
	// ring. While the call runs it waits on: it may be the next one, if the present agent is lost.
	parkFor = time.Minute
	// lookEvery is how often Waiting names one ring.
	lookEvery = 2 * time.Second
	// replaceEvery is how often we look whether a lost agent has connected again.
	replaceEvery = 500 * time.Millisecond
	// forgetAfter is how long a token is known after it has expired, so that its use can be told
	// from that of a wrong one.
	forgetAfter = time.Minute
)

// Voice makes the WebRTC connections of agents. *gateway.Gateway does.
type Voice interface {
	AnswerPeer(ctx context.Context, cfg gateway.PeerConfig, offer string) (*gateway.Peer, gateway.Answer, error)
	CodecOf(call string) (gateway.Codec, bool)
}

// Joins is where agents that connect to us meet their calls. An agent shows a join token, which
// is for one ring and good for one connection. It may come before the call begins.
//
// Tokens are in the memory of this process, as its calls are: after a restart they are unknown.
type Joins struct {
	voice Voice
	now   func() time.Time
	key   [sha256.Size]byte // of Password

	mu     sync.Mutex // guards the rest, and what it points to
	tokens map[tenants.Hash]*ticket
	rings  map[tenants.RingID]*meeting
	swept  time.Time
	closed bool
}

// ticket is an issued token.
type ticket struct {
	tenant  tenants.TenantID
	ring    tenants.RingID
	expires time.Time
	used    bool
	peer    *gateway.Peer // what it was used for; nil = a stream, or nothing yet
}

// meeting is where the agents and the call of a ring meet.
type meeting struct {
	tenant  tenants.TenantID
	coming  int           // connections that are being made
	peer    *gateway.Peer // came and is not taken yet
	conn    *socket       // likewise
	arrived chan struct{} // closed and replaced when one comes
	waiting int           // calls that wait for one
	leave   *time.Timer   // sends the agents away that nobody takes
	looked  time.Time     // when Waiting named its ring

	life context.Context // ends with the ring
	end  context.CancelFunc
}

// errOver is the refusal of an agent whose connection was being made when the ring ended.
var errOver = tenants.Refuse(tenants.Gone, "ring_ended", "This ring ended while the agent connected.")

// NewJoins returns Joins whose agents speak over v.
func NewJoins(v Voice, now func() time.Time) *Joins {
	j := &Joins{voice: v, now: now, tokens: map[tenants.Hash]*ticket{}, rings: map[tenants.RingID]*meeting{}}
	_, _ = rand.Read(j.key[:]) // never fails
	return j
}

// Issue makes a token with which an agent may join the ring once, within JoinWithin.
func (j *Joins) Issue(t tenants.TenantID, ring tenants.RingID) (tenants.Secret, time.Time, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	now := j.now()
	j.sweep(now)
	unused, own := 0, 0
	for _, k := range j.tokens {
		if k.ring == ring && !k.used && now.Before(k.expires) {
			unused++
		}
		if k.tenant == t {
			own++
		}
	}
	switch {
	case unused >= joinsPerRing:
		return "", time.Time{}, &tenants.Error{Kind: tenants.TooMany, Code: "too_many_joins", RetryAfter: JoinWithin,
			Msg: "This ring has 8 join tokens that were not used. Use one of them, or wait a minute."}
	case own >= joinsPerTenant:
		return "", time.Time{}, &tenants.Error{Kind: tenants.TooMany, Code: "too_many_joins", RetryAfter: JoinWithin,
			Msg: "This account has too many join tokens. Wait a minute and try again."}
	case len(j.tokens) >= joinsMost:
		return "", time.Time{}, &tenants.Error{Kind: tenants.Unavailable, Code: "too_many_joins", RetryAfter: JoinWithin,
			Msg: "This server has too many join tokens right now. Wait a minute and try again."}
	}
	token, expires := tenants.NewSecret(tenants.JoinPrefix), now.Add(JoinWithin)
	j.tokens[token.Hash()] = &ticket{tenant: t, ring: ring, expires: expires}
	return token, expires, nil
}

// sweep forgets tokens and meetings of long ago. Called with mu held.
func (j *Joins) sweep(now time.Time) {
	if now.Sub(j.swept) < JoinWithin {
		return
	}
	j.swept = now
	for h, k := range j.tokens {
		if now.Sub(k.expires) > forgetAfter && (k.peer == nil || isOver(k.peer)) {
			delete(j.tokens, h)
		}
	}
}

func isOver(p *gateway.Peer) bool {
	select {
	case <-p.Ended():
		return true
	default:
		return false
	}
}

// TenantOf returns the tenant that the token was issued to, for this ring. A token that was never
// issued, or was before a restart, is Unauthorized; that of another ring is as good as no ring.
func (j *Joins) TenantOf(token tenants.Secret, ring tenants.RingID) (tenants.TenantID, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k, err := j.ticket(token, ring)
	if err != nil {
		return "", err
	}
	return k.tenant, nil
}

// ticket finds a token. Called with mu held.
func (j *Joins) ticket(token tenants.Secret, ring tenants.RingID) (*ticket, error) {
	k := j.tokens[token.Hash()]
	switch {
	case k == nil:
		return nil, tenants.Refuse(tenants.Unauthorized, "join_unknown",
			"This join token is not known here, or it is from before a restart. Ask for another with POST /v1/rings/{id}/join.")
	case k.ring != ring:
		return nil, tenants.NoSuch("ring")
	}
	return k, nil
}

// use uses a token up. giveBack undoes it.
func (j *Joins) use(token tenants.Secret, ring tenants.RingID) (*ticket, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k, err := j.ticket(token, ring)
	switch {
	case err != nil:
		return nil, err
	case k.used:
		return nil, tenants.Refuse(tenants.Unauthorized, "join_used",
			"This join token has been used, and it is good for one connection. Ask for another with POST /v1/rings/{id}/join.")
	case !j.now().Before(k.expires):
		return nil, tenants.Refuse(tenants.Unauthorized, "join_expired",
			"This join token has expired after 60 seconds. Ask for another with POST /v1/rings/{id}/join.")
	}
	if err := j.room(k.tenant); err != nil {
		return nil, err
	}
	k.used = true
	m := j.meeting(ring)
	m.tenant = k.tenant
	m.coming++
	return k, nil
}

// room refuses one more guest when there are too many. Called with mu held.
func (j *Joins) room(t tenants.TenantID) error {
	own, all := 0, 0
	for _, m := range j.rings {
		n := m.guests()
		all += n
		if m.tenant == t {
			own += n
		}
	}
	switch {
	case own >= guestsPerTenant:
		return &tenants.Error{Kind: tenants.TooMany, Code: "too_many_agents", RetryAfter: 5 * time.Second,
			Msg: "200 agents of this account wait for their calls. Close some, or connect again when a call begins."}
	case all >= guestsMost:
		return &tenants.Error{Kind: tenants.Unavailable, Code: "too_many_agents", RetryAfter: 5 * time.Second,
			Msg: "Too many agents wait for their calls on this server right now. Connect again in a moment."}
	}
	return nil
}

// guests are those that wait, and those that are about to. Called with mu of the Joins held.
func (m *meeting) guests() int {
	n := m.coming
	if m.peer != nil && !isOver(m.peer) {
		n++
	}
	if m.conn != nil && !m.conn.gone() {
		n++
	}
	return n
}

// giveBack undoes use.
func (j *Joins) giveBack(k *ticket) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k.used = false
	j.came(k.ring)
}

// came notes that a connection is made, or failed. Called with mu held.
func (j *Joins) came(ring tenants.RingID) {
	m := j.rings[ring]
	m.coming--
	j.tidy(ring, m)
}

// Offer answers the WebRTC offer of an agent. While the phone's codec is not known, the answer has
// the first of planned that the agent offers: planned are the codecs that the ring's agents speak,
// the best first. The phone must take it too. A refused offer does not use the token up. The errors
// are *tenants.Error or *gateway.Refused.
func (j *Joins) Offer(
	ctx context.Context, token tenants.Secret, ring tenants.RingID, sdp string, planned []gateway.Codec,
) (gateway.Answer, error) {
	k, err := j.use(token, ring)
	if err != nil {
		return gateway.Answer{}, err
	}
	ctx, done := j.whileOpen(ctx, ring)
	defer done()
	peer, answer, err := j.voice.AnswerPeer(ctx, gateway.PeerConfig{ID: string(ring), Codecs: j.codecs(ring, planned)}, sdp)
	over := errors.Is(context.Cause(ctx), errOver)
	switch {
	case err != nil && over:
		j.giveBack(k)
		return gateway.Answer{}, errOver
	case err != nil:
		j.giveBack(k)
		return gateway.Answer{}, err
	}
	j.mu.Lock()
	k.peer = peer
	j.mu.Unlock()
	j.arrive(ring, peer, nil)
	if over {
		return gateway.Answer{}, errOver
	}
	return answer, nil
}

// whileOpen returns a context that ends with ctx, and with the cause errOver when the ring ends.
// Call done.
func (j *Joins) whileOpen(ctx context.Context, ring tenants.RingID) (own context.Context, done func()) {
	j.mu.Lock()
	life := j.rings[ring].life // use has made the meeting
	j.mu.Unlock()
	own, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(life, func() { cancel(errOver) })
	return own, func() {
		stop()
		cancel(nil)
	}
}

// codecs are those that an agent may have: that of the call, or any, the planned ones first.
func (j *Joins) codecs(ring tenants.RingID, planned []gateway.Codec) []gateway.Codec {
	if c, ok := j.voice.CodecOf(string(ring)); ok {
		return []gateway.Codec{c}
	}
	all := slices.Clone(planned)
	for _, c := range gateway.Codecs() {
		if !slices.Contains(all, c) {
			all = append(all, c)
		}
	}
	return all
}

// Trickle passes on a fragment of the agent that joined with the token.
func (j *Joins) Trickle(ctx context.Context, token tenants.Secret, ring tenants.RingID, f gateway.Fragment) (gateway.Trickled, error) {
	p, err := j.peer(token, ring)
	if err != nil {
		return gateway.Trickled{}, err
	}
	return p.Trickle(ctx, f)
}

// Leave closes the connection that was made with the token: the agent hangs up.
func (j *Joins) Leave(token tenants.Secret, ring tenants.RingID) error {
	p, err := j.peer(token, ring)
	if err == nil {
		p.Close()
	}
	return err
}

func (j *Joins) peer(token tenants.Secret, ring tenants.RingID) (*gateway.Peer, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	k, err := j.ticket(token, ring)
	if err == nil && k.peer == nil {
		err = tenants.NoSuch("connection")
	}
	if err != nil {
		return nil, err
	}
	return k.peer, nil
}

// Stream uses the token for a WebSocket. The caller takes the connection from its HTTP server then,
// and gives it to serve, which returns when the connection is not used any more.
func (j *Joins) Stream(token tenants.Secret, ring tenants.RingID, u Upgrade) (serve func(net.Conn), err error) {
	if err := u.check(); err != nil {
		return nil, err
	}
	if _, err := j.use(token, ring); err != nil {
		return nil, err
	}
	return func(c net.Conn) {
		own := lend(c)
		defer own.giveBack()
		var conn *socket
		defer func() { // also when the handshake panics: the caller recovers
			if conn == nil {
				_ = own.Close()
				j.mu.Lock()
				j.came(ring)
				j.mu.Unlock()
			}
		}()
		if conn, _ = u.accept(own); conn != nil {
			j.arrive(ring, nil, conn)
		}
	}, nil
}

// Password returns the password with which the REST subset ends the call of a ring. It is another
// one for each ring, and after each restart, which ends the calls too.
func (j *Joins) Password(t tenants.TenantID, ring tenants.RingID) string {
	mac := hmac.New(sha256.New, j.key[:])
	mac.Write([]byte(string(t) + " " + string(ring)))
	return hex.EncodeToString(mac.Sum(nil)[:16])
}

// IsPassword reports whether the password is that of the ring.
func (j *Joins) IsPassword(t tenants.TenantID, ring tenants.RingID, password string) bool {
	return hmac.Equal([]byte(j.Password(t, ring)), []byte(password))
}

// Close sends away the agents whose calls have not come.
func (j *Joins) Close() {
	j.mu.Lock()
	j.closed = true
	all := map[tenants.RingID]*meeting{}
	for id, m := range j.rings {
		all[id] = m
	}
	j.mu.Unlock()
	for id, m := range all {
		j.dismiss(id, m)
	}
}
