package gateway

import (
	"time"

	"github.com/pion/ice/v4"
	"github.com/pion/stun/v4"
)

// nominating is how long after its first nomination a browser may nominate several paths at once,
// of which Pion takes the one with the highest priority (RFC 5245, aggressive nomination). After a
// restart of ICE there is a first one again.
const nominating = 3 * time.Second

// path follows a phone that changes its network, from Wi-Fi to mobile say: the phone checks a new
// path of the same ICE session and nominates it. Pion alone stays on the old one, because the new
// address was in no offer and so has a lower priority; nothing would reach the phone there. A path
// belongs to one connection, and only its ICE agent's goroutine calls follow.
type path struct {
	now   func() time.Time
	names string    // of the ICE session: a restart changes them
	first time.Time // the session's first nomination
	last  *ice.CandidatePair
}

// follow reports whether the connection must send over the pair from now on. Pion has checked who
// sent the request. The pair has answered a check of ours, so nobody can direct sound to an address
// that does not want it.
func (p *path) follow(request *stun.Message, _, _ ice.Candidate, pair *ice.CandidatePair) bool {
	if !request.Contains(stun.AttrUseCandidate) || pair.ResponsesReceived() == 0 {
		return false
	}
	if names, err := request.Get(stun.AttrUsername); err == nil && string(names) != p.names {
		p.names, p.first, p.last = string(names), time.Time{}, nil
	}
	now := p.now()
	if p.first.IsZero() {
		p.first = now
	}
	if pair == p.last || now.Sub(p.first) < nominating {
		return false
	}
	p.last = pair
	return true
}
