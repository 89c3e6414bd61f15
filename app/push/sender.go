// Package push rings iPhones through Apple's push service: one VoIP push in, Apple's answer out,
// whatever happens to connections, provider tokens and hosts on the way, and never later than the
// ring lasts.
//
// It knows credentials, device tokens and bytes; rings, tenants' rows and what to do about a
// refused device are its callers'. Start at Sender.Push. OpenP8 and OpenP12 make the Key to push
// with, Payload the body, and ReactionTo says what an answer means for ring, device and credential.
// The rules obeyed are Apple's, "Sending notification requests to APNs" and its neighbours.
package push

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// Environment is one of Apple's two worlds, or Auto for a token whose world is not known yet.
type Environment = string

// The environments.
const (
	Production Environment = "production"
	Sandbox    Environment = "sandbox"
	Auto       Environment = "auto"
)

// Apple's hosts.
const (
	ProductionURL = "https://api.push.apple.com"
	SandboxURL    = "https://api.sandbox.push.apple.com"
)

// Config says where Apple is and how patient a Sender is. Now and Log are required; a zero
// elsewhere means the default.
type Config struct {
	ProductionURL string           // ProductionURL
	SandboxURL    string           // SandboxURL
	RootCAs       *x509.CertPool   // nil = the system's
	Now           func() time.Time // required
	Log           *slog.Logger     // required

	MaxPools       int           // credentials per host that keep connections at the same time; 256
	MaxConnections int           // of one credential to one host; 4
	DialTimeout    time.Duration // TCP and TLS; 3 s
	PingAfter      time.Duration // without an answer: is the connection alive? 200 ms
	HedgeAfter     time.Duration // without an answer, a PING's answer or anything read: send on another connection; 400 ms
	SilenceTimeout time.Duration // without an answer to a PING: close the connection; 1 s
	AnswerTimeout  time.Duration // on a connection that is alive: try another; 5 s
	KeepAlive      time.Duration // between PINGs on an idle connection; 30 s
	IdleTimeout    time.Duration // without a push: close the credential's connections; 1 h
}

// Sender pushes. It is safe for concurrent use, and owns connections and goroutines until Close.
type Sender struct {
	cfg    Config
	limits limits
	hosts  map[Environment]*host
	tls    *tls.Config
	life   context.Context
	end    context.CancelFunc
	group  sync.WaitGroup // every goroutine
	stir   chan struct{}  // wakes watch
	busy   atomic.Int64   // pushes under way
	count  counters
	mints  mints

	mu      sync.Mutex         // guards all below
	pools   map[poolName]*pool // those that pushes find
	alive   map[*pool]struct{} // those that are not closed: also the ones that are finishing, and probes
	living  int                // of alive, without probes
	waiters int                // pushes that wait for a pool
	freed   chan struct{}
	closed  bool
}

// New gives a ready Sender. It opens no connection until the first push.
func New(cfg Config) (*Sender, error) {
	if cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("push: Config needs Now and Log")
	}
	fill(&cfg)
	s := &Sender{
		cfg: cfg, hosts: map[Environment]*host{}, pools: map[poolName]*pool{}, alive: map[*pool]struct{}{},
		stir: make(chan struct{}, 1), freed: make(chan struct{}),
		tls: &tls.Config{RootCAs: cfg.RootCAs, NextProtos: []string{"h2"}, MinVersion: tls.VersionTLS12},
		limits: limits{
			conns: cfg.MaxConnections, dial: cfg.DialTimeout, ping: cfg.PingAfter, hedge: cfg.HedgeAfter,
			silence: cfg.SilenceTimeout, answer: cfg.AnswerTimeout, keepAlive: cfg.KeepAlive, idle: cfg.IdleTimeout,
		},
	}
	for env, address := range map[Environment]string{Production: cfg.ProductionURL, Sandbox: cfg.SandboxURL} {
		h, err := newHost(env, address)
		if err != nil {
			return nil, err
		}
		s.hosts[env] = h
	}
	s.life, s.end = context.WithCancel(context.Background())
	s.group.Add(1)
	go s.watch()
	return s, nil
}

func fill(cfg *Config) {
	text(&cfg.ProductionURL, ProductionURL)
	text(&cfg.SandboxURL, SandboxURL)
	number(&cfg.MaxPools, 256)
	number(&cfg.MaxConnections, 4)
	number(&cfg.DialTimeout, 3*time.Second)
	number(&cfg.PingAfter, 200*time.Millisecond)
	number(&cfg.HedgeAfter, 400*time.Millisecond)
	number(&cfg.SilenceTimeout, time.Second)
	number(&cfg.AnswerTimeout, 5*time.Second)
	number(&cfg.KeepAlive, 30*time.Second)
	number(&cfg.IdleTimeout, time.Hour)
}

func text(s *string, standard string) {
	if *s == "" {
		*s = standard
	}
}

func number[T int | time.Duration](n *T, standard T) {
	if *n <= 0 {
		*n = standard
	}
}

// Close ends all pushes with an error, closes every connection and waits until nothing of the
// Sender runs.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	clear(s.pools)
	s.mu.Unlock()
	s.end()
	for _, p := range s.list() {
		p.shut(errClosed)
	}
	s.group.Wait()
	return nil
}

// Stats is what the transport did since New.
type Stats struct {
	Connections    int64 // open now
	Pools          int   // credentials with connections now
	Dials          int64
	FailedDials    int64
	Resent         int64 // pushes sent again at once on another connection
	Hedged         int64 // of a connection that went silent
	Refused        int64 // streams that Apple refused or said GOAWAY to
	GoAways        int64
	Lost           int64 // connections lost with pushes on them
	Evicted        int64 // pools closed because of MaxPools
	PushesUnderWay int64
}

// Stats reads the counters, for metrics.
func (s *Sender) Stats() Stats {
	s.mu.Lock()
	pools := s.living
	s.mu.Unlock()
	c := &s.count
	return Stats{
		Connections: c.open.Load(), Pools: pools, Dials: c.dials.Load(), FailedDials: c.failedDials.Load(),
		Resent: c.resent.Load(), Hedged: c.hedged.Load(), Refused: c.refused.Load(), GoAways: c.goAways.Load(),
		Lost: c.lost.Load(), Evicted: c.evicted.Load(), PushesUnderWay: s.busy.Load(),
	}
}
