package push

import (
	"errors"
	"time"
)

// A push can fail because of its host or because of its device token. The host's failures must hold
// pushes back, and the token's must not: one bad token would stop every ring of its credential.

// maxSuspects bounds the tokens that a pool remembers. A full list is emptied.
const maxSuspects = 4096

// suspects are the device tokens whose last push failed, by path. The zero value is ready. The
// pool's mu guards it.
type suspects struct {
	byPath map[string]suspect
	worked time.Time // when Apple last answered a push with anything but a fault of its own
}

type suspect struct {
	failed time.Time
	cuts   bool // a connection was lost with only its push on it
}

// isSuspect says whether the token failed and others have worked since.
func (p *pool) isSuspect(path string) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	s, ok := p.tokens.byPath[path]
	return ok && p.tokens.worked.After(s.failed)
}

// needsOwn says whether the push must be alone on its connection, because it perhaps cuts
// connections: nobody else's push is lost with it then. Called with mu held.
func (p *pool) needsOwn(r *request) bool {
	return r.cuts >= 2 || p.tokens.byPath[r.path].cuts
}

// noteFailure records an exchange that failed with err, or with Apple's 5xx if err is nil. It says
// whether the failure is the token's own: its connection worked, or the token failed before and
// others have worked since.
func (p *pool) noteFailure(r *request, err error) (own bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before, known := p.tokens.byPath[r.path]
	own = r.cutAlone && r.cuts >= 2 || errors.Is(err, errReset) || errors.Is(err, errLate) ||
		known && p.tokens.worked.After(before.failed)
	if p.tokens.byPath == nil || len(p.tokens.byPath) >= maxSuspects {
		p.tokens.byPath = map[string]suspect{}
	}
	p.tokens.byPath[r.path] = suspect{failed: p.now(), cuts: before.cuts || r.cutAlone && r.cuts > 2}
	return own
}

// noteAnswer records an answer: how long it took, and that the token works. Called with mu held.
func (p *pool) noteAnswer(l *leg) {
	now := p.now()
	p.slowest = max(now.Sub(l.written), p.slowest-p.slowest/16)
	if l.written.After(p.proven) {
		p.proven = l.written
	}
	if l.status < 500 {
		p.tokens.worked = now
		if len(p.tokens.byPath) > 0 {
			delete(p.tokens.byPath, l.r.path)
		}
	}
}

// stuck says whether a push that waits longer than AnswerTimeout on a working connection was
// probably lost there. Apple may only be slow, and a second push could ring the phone twice: so
// others that were written later must have been answered, and in half the time. A push that has no
// others to compare with waits three times as long. Called with mu held.
func (p *pool) stuck(l *leg, now time.Time) bool {
	age := now.Sub(l.written)
	return age >= 3*p.limits.answer || p.proven.After(l.written) && age >= 2*p.slowest
}
