// Package push sends VoIP pushes to iPhones through Apple's push service (APNs). A caller gives one
// push and gets Apple's answer. The package handles lost connections, expired provider tokens and
// failing hosts itself, and starts no try after the ring has ended.
//
// It knows credentials, device tokens and bytes. It does not know tenants, rings or the database,
// and it disables no device: callers do that by Answer.Reaction.
//
// Start reading at Sender.Push. OpenP8 and OpenCertificate open the Key to push with, Payload makes
// the body, and ReactionTo says what an answer means for the ring, the device and the credential.
// The rules are Apple's: "Sending notification requests to APNs", "Establishing a token-based
// connection to APNs" and "Handling notification responses from APNs".
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

// Environment is one of Apple's two push environments, or Auto for a device token whose environment
// is not known yet.
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

// Config holds Apple's addresses and the limits of a Sender. Now and Log are required; any other
// zero field gets its default, which stands beside it.
type Config struct {
	ProductionURL string           // ProductionURL
	SandboxURL    string           // SandboxURL
	RootCAs       *x509.CertPool   // nil = the system's
	Now           func() time.Time // required
	Log           *slog.Logger     // required

	Agree Agree // with other processes on provider tokens; nil = each makes the token of the term

	MaxPools       int           // credentials per host that keep connections at the same time; 256
	MaxConnections int           // of one credential to one host; 4
	DialTimeout    time.Duration // TCP and TLS; 3 s
	PingAfter      time.Duration // without an answer: is the connection alive? 200 ms
	HedgeAfter     time.Duration // without an answer, a PING's answer or anything read: send on another connection; 400 ms
	SilenceTimeout time.Duration // without an answer to a PING: close the connection; 1 s
	AnswerTimeout  time.Duration // on a connection that is alive, while later pushes are answered: try another; 5 s
	KeepAlive      time.Duration // between PINGs on an idle connection; 30 s
	IdleTimeout    time.Duration // without a push: close the credential's connections; 1 h
}

// Agree gives when the provider token of a key was issued that all processes use, which sign the
// same token from that. It is the proposed moment if they have none, theirs is the refused one, or
// was issued at oldest or before. It must give up with ctx.
type Agree func(ctx context.Context, key string, proposed, refused, oldest time.Time) (issued time.Time, err error)

// Sender sends pushes. It is safe for concurrent use. It owns connections and goroutines until
// Close.
type Sender struct {
	cfg            Config
	limits         limits
	hosts          map[Environment]*host
	tls            *tls.Config
	life           context.Context
	end            context.CancelFunc
	group          sync.WaitGroup // every goroutine
	wakeSupervisor chan struct{}  // wakes supervise
	busy           atomic.Int64   // pushes under way
	count          counters
	tokens         tokenCache
	teams          teams

	mu      sync.Mutex         // guards all below
	pools   map[poolName]*pool // the pools that new pushes use
	alive   map[*pool]struct{} // every pool that is not closed, also evicted ones in use and probes
	living  int                // of alive, without probes
	waiters int                // pushes that wait for a pool
	freed   chan struct{}
	closed  bool
}

// New returns a Sender, or an error if a required field is missing or an address is not an https
// host. It opens no connection until the first push. The caller must Close it.
func New(cfg Config) (*Sender, error) {
	if cfg.Now == nil || cfg.Log == nil {
		return nil, errors.New("push: Config needs Now and Log")
	}
	fillDefaults(&cfg)
	s := &Sender{
		cfg: cfg, hosts: map[Environment]*host{}, pools: map[poolName]*pool{}, alive: map[*pool]struct{}{},
		wakeSupervisor: make(chan struct{}, 1), freed: make(chan struct{}),
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
	go s.supervise()
	return s, nil
}

func fillDefaults(cfg *Config) {
	defaultText(&cfg.ProductionURL, ProductionURL)
	defaultText(&cfg.SandboxURL, SandboxURL)
	defaultNumber(&cfg.MaxPools, 256)
	defaultNumber(&cfg.MaxConnections, 4)
	defaultNumber(&cfg.DialTimeout, 3*time.Second)
	defaultNumber(&cfg.PingAfter, 200*time.Millisecond)
	defaultNumber(&cfg.HedgeAfter, 400*time.Millisecond)
	defaultNumber(&cfg.SilenceTimeout, time.Second)
	defaultNumber(&cfg.AnswerTimeout, 5*time.Second)
	defaultNumber(&cfg.KeepAlive, 30*time.Second)
	defaultNumber(&cfg.IdleTimeout, time.Hour)
}

func defaultText(s *string, standard string) {
	if *s == "" {
		*s = standard
	}
}

func defaultNumber[T int | time.Duration](n *T, standard T) {
	if *n <= 0 {
		*n = standard
	}
}

// Close ends all pushes with an error, closes every connection and waits for every goroutine of the
// Sender.
func (s *Sender) Close() error {
	s.mu.Lock()
	s.closed = true
	clear(s.pools)
	s.mu.Unlock()
	s.end()
	for _, p := range s.openPools() {
		p.closeAll(errClosed)
	}
	s.group.Wait()
	return nil
}

// Stats counts what the Sender did since New.
type Stats struct {
	Connections    int64 // open now
	Pools          int   // credentials with connections now
	Dials          int64
	FailedDials    int64
	Resent         int64 // pushes sent again at once on another connection
	Hedged         int64 // pushes sent again because their connection was silent
	Refused        int64 // streams that Apple did not process: REFUSED_STREAM or GOAWAY
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
