package push

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"net/url"
	"time"
)

// poolName names a pool: one credential at one host.
type poolName struct {
	id  identity
	env Environment
}

// acquire returns the credential's pool, made on first use; the caller must release it. At MaxPools
// it closes the idle pool that was used least recently. If all are in use, it takes no new pushes
// into the least recently used one and waits until that is closed.
func (s *Sender) acquire(ctx context.Context, k *Key, env Environment, until time.Time) (*pool, error) {
	name := poolName{k.id, env}
	for {
		s.mu.Lock()
		if s.closed {
			s.mu.Unlock()
			return nil, errClosed
		}
		if p := s.pools[name]; p != nil {
			p.refs++
			p.lastUsed = s.cfg.Now()
			s.mu.Unlock()
			return p, nil
		}
		if s.living < s.cfg.MaxPools || s.evict() {
			p := s.open(k, name)
			s.mu.Unlock()
			return p, nil
		}
		freed := s.freed
		s.waiters++
		s.mu.Unlock()
		err := s.awaitPool(ctx, freed, until)
		s.mu.Lock()
		s.waiters--
		s.mu.Unlock()
		if err != nil {
			return nil, err
		}
	}
}

var errFull = errors.New("push: all connection pools were busy until the ring ended")

func (s *Sender) awaitPool(ctx context.Context, freed chan struct{}, until time.Time) error {
	timer := time.NewTimer(until.Sub(s.cfg.Now()))
	defer timer.Stop()
	select {
	case <-freed:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	case <-s.life.Done():
		return errClosed
	case <-timer.C:
		return errFull
	}
}

// open makes a pool with one reference. Called with mu held.
func (s *Sender) open(k *Key, name poolName) *pool {
	p := s.newPool(k, name.env, s.limits)
	p.refs, p.lastUsed = 1, s.cfg.Now()
	s.pools[name] = p
	s.alive[p] = struct{}{}
	s.living++
	return p
}

// openProbe makes a pool that no push uses; the caller must closeProbe it. False means that the
// sender is closed.
func (s *Sender) openProbe(k *Key, env Environment) (*pool, bool) {
	l := s.limits
	l.conns = 1
	p := s.newPool(k, env, l)
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, false
	}
	s.alive[p] = struct{}{}
	return p, true
}

func (s *Sender) closeProbe(p *pool) {
	p.closeAll(errClosed)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.alive, p)
}

// newPool makes a pool that is not in s.pools.
func (s *Sender) newPool(k *Key, env Environment, l limits) *pool {
	h := s.hosts[env]
	config := s.tls.Clone()
	config.ServerName = h.tls
	p := &pool{
		host: h, certificate: k.cert != nil, authority: h.authority, config: config, limits: l, now: s.cfg.Now,
		log: s.cfg.Log, group: &s.group, life: s.life, count: &s.count,
		breaker: newBreaker(s.cfg.Now, s.cfg.Log.With("environment", env)),
	}
	if k.cert != nil {
		config.Certificates = []tls.Certificate{*k.cert}
	} else {
		p.mint = s.tokens.mintFor(poolName{k.id, env}, func() *mint {
			return &mint{team: k.id.team, keyID: k.id.keyID, private: k.private, now: s.cfg.Now, agree: k.id.agree(s.cfg.Agree)}
		})
	}
	p.client = newClient(p)
	return p
}

// evict closes the least recently used pool, or marks it to be closed when it is idle. It says
// whether there is room now. Called with mu held.
func (s *Sender) evict() bool {
	var name poolName
	var oldest *pool
	for n, p := range s.pools {
		if oldest == nil || evictBefore(p, oldest) {
			name, oldest = n, p
		}
	}
	finishing := s.living - len(s.pools)
	if oldest == nil || oldest.refs > 0 && finishing > s.waiters { // enough will be free soon
		return false
	}
	s.count.evicted.Add(1)
	delete(s.pools, name)
	oldest.retired = true
	if oldest.refs > 0 {
		return false
	}
	s.closePool(oldest)
	return true
}

// evictBefore orders pools for eviction: idle ones first, then by last use.
func evictBefore(a, b *pool) bool {
	if idle := a.refs == 0; idle != (b.refs == 0) {
		return idle
	}
	return a.lastUsed.Before(b.lastUsed)
}

func (s *Sender) release(p *pool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	p.refs--
	if p.retired && p.refs == 0 {
		s.closePool(p)
	}
}

// closePool closes a pool that is no longer in s.pools. Called with mu held.
func (s *Sender) closePool(p *pool) {
	p.closeAll(errClosed)
	delete(s.alive, p)
	s.living--
	close(s.freed)
	s.freed = make(chan struct{})
}

// closeIdle closes pools that were idle for IdleTimeout.
func (s *Sender) closeIdle(now time.Time) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for name, p := range s.pools {
		if p.refs == 0 && now.Sub(p.lastUsed) >= s.limits.idle {
			delete(s.pools, name)
			s.closePool(p)
		}
	}
}

// openPools copies the list of pools that are not closed.
func (s *Sender) openPools() []*pool {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*pool, 0, len(s.alive))
	for p := range s.alive {
		all = append(all, p)
	}
	return all
}

// newHost parses a host's address: https, no path.
func newHost(env Environment, address string) (*host, error) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "https" || u.Host == "" || u.Path != "" && u.Path != "/" || u.User != nil || u.RawQuery != "" {
		return nil, errors.New("push: the address of Apple's " + env + " host must look like https://api.push.apple.com, not " + address)
	}
	port := u.Port()
	if port == "" {
		port = "443"
	}
	return &host{env: env, url: "https://" + u.Host, authority: u.Host, tcp: net.JoinHostPort(u.Hostname(), port), tls: u.Hostname()}, nil
}
