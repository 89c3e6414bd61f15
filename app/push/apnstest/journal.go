package apnstest

import (
	"sync"
	"sync/atomic"
	"time"
)

// Delivered is one push that was accepted: Apple handed it to the phone.
type Delivered struct {
	Serial      int64 // 1 is the first of this Apple
	Token       string
	Topic       string
	APNsID      string
	PushType    string
	Priority    string
	Expiration  string // empty when the header was absent
	CollapseID  string
	Team, KeyID string // of the provider token; empty for a certificate
	Provider    string // the provider token itself, to count how often it changes
	Payload     []byte
	Connection  int64
	Environment string
	At          time.Time
}

// Violation is a push that breaks Apple's rules or Carillon's contract for pushes. Apple itself may
// accept it.
type Violation struct {
	Rule        string
	Detail      string
	Connection  int64
	Environment string
	At          time.Time
}

// journal records what this Apple received.
type journal struct {
	keep  int
	total atomic.Int64

	mu         sync.Mutex // guards all below, and the order of subscribers' calls
	pushes     []Delivered
	from       int // where the ring buffer of pushes begins
	violations []Violation
	hooks      map[int]func(Delivered)
	nextHook   int
}

func (j *journal) init(keep int, onPush func(Delivered)) {
	j.keep, j.hooks = keep, map[int]func(Delivered){}
	if onPush != nil {
		j.hooks[0], j.nextHook = onPush, 1
	}
}

func (j *journal) recordPush(d Delivered) {
	j.mu.Lock()
	defer j.mu.Unlock()
	d.Serial = j.total.Add(1)
	switch {
	case j.keep < 0:
	case len(j.pushes) < j.keep:
		j.pushes = append(j.pushes, d)
	default:
		j.pushes[j.from] = d
		j.from = (j.from + 1) % j.keep
	}
	for _, hook := range j.hooks {
		hook(d)
	}
}

// OnPush calls do for each push accepted from now on, in order, until the returned function is
// called. It must not block and must not call back into the Apple.
func (a *Apple) OnPush(do func(Delivered)) (stop func()) {
	j := &a.log
	j.mu.Lock()
	defer j.mu.Unlock()
	id := j.nextHook
	j.nextHook++
	j.hooks[id] = do
	return func() {
		j.mu.Lock()
		defer j.mu.Unlock()
		delete(j.hooks, id)
	}
}

// Delivered lists the accepted pushes that are still remembered, oldest first.
func (a *Apple) Delivered() []Delivered {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return append(append([]Delivered{}, a.log.pushes[a.log.from:]...), a.log.pushes[:a.log.from]...)
}

// Total counts all accepted pushes since New.
func (a *Apple) Total() int64 { return a.log.total.Load() }

// Violations lists the violations that are still remembered, oldest first.
func (a *Apple) Violations() []Violation {
	a.log.mu.Lock()
	defer a.log.mu.Unlock()
	return append([]Violation{}, a.log.violations...)
}

func (a *Apple) recordViolation(c *conn, rule, detail string) {
	j := &a.log
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.keep < 0 {
		return
	}
	if len(j.violations) >= j.keep {
		j.violations = j.violations[1:]
	}
	j.violations = append(j.violations, Violation{
		Rule: rule, Detail: detail, Connection: c.number, Environment: c.host.env, At: a.cfg.Now(),
	})
}

func (c *conn) newDelivered(s *stream, now time.Time) Delivered {
	token, _ := s.token()
	d := Delivered{
		Token: token, Topic: s.topic, APNsID: s.apnsID, PushType: s.pushType, Priority: s.priority,
		Expiration: s.expiration, CollapseID: s.collapse, Payload: s.body,
		Connection: c.number, Environment: c.host.env, At: now,
	}
	if t := c.token; t != nil && s.bearer != "" {
		d.Team, d.KeyID, d.Provider = t.team, t.kid, t.text
	}
	return d
}
