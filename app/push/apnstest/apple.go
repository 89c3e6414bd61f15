// Package apnstest simulates APNs inside this process: two TLS HTTP/2 hosts, production and
// sandbox. They are as strict as APNs about tokens, topics, headers and payloads, they fail on
// command, and they record every push and every violation of Apple's rules. Development mode, tests
// and benchmarks push to it.
//
// It does not know rings or tenants, and shares no code with the sender, so that neither copies the
// other's mistakes. Start at New. Register and AddToken say what it accepts, the methods of
// faults.go how it fails; Delivered and Violations list what it received. Phones simulates devices
// that react to the pushes. Bare is the plain apns2 client that our own sender is compared with.
package apnstest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// The two environments of APNs, as Carillon names them.
const (
	Production = "production"
	Sandbox    = "sandbox"
)

// Config says how strict an Apple is and what it records. The zero Config is APNs as documented, on
// free ports.
type Config struct {
	ProductionAddr  string           // host:port to listen on; empty = a free port of 127.0.0.1
	SandboxAddr     string           // the same for the sandbox
	Now             func() time.Time // nil = time.Now
	KnownTokensOnly bool             // refuse device tokens that were not given to AddToken
	AnyPayload      bool             // do not record payloads that are not Carillon's
	DropToOne       bool             // after a 4xx allow one stream until the next success, as observed at Apple
	MaxStreams      uint32           // streams allowed once a token was accepted; 0 = 1000
	Window          uint32           // bytes of requests a client may have in flight; 0 = 1 MiB, at least 65535
	TokenInterval   time.Duration    // shortest time between two new provider tokens of a team; 0 = 20 minutes, negative = none
	Keep            int              // pushes and violations remembered, newest kept; 0 = 100,000, negative = none
	OnPush          func(Delivered)  // called in order for each accepted push; it must not block
}

// Apple is a running pair of hosts. Its methods are safe for concurrent use.
type Apple struct {
	cfg   Config
	ca    *authority
	hosts map[string]*host
	group sync.WaitGroup // every goroutine of this Apple

	registry registry // keys, certificates and device tokens it accepts
	faults   faults   // how it fails
	log      journal  // what it received

	serial atomic.Int64 // connections so far
}

// host is one listening environment.
type host struct {
	env string
	ln  net.Listener

	mu     sync.Mutex // guards conns and closed
	conns  map[*conn]struct{}
	closed bool
}

// New starts both hosts and returns once they listen.
func New(cfg Config) (*Apple, error) {
	setDefaults(&cfg)
	ca, err := newAuthority()
	if err != nil {
		return nil, err
	}
	a := &Apple{cfg: cfg, ca: ca, hosts: map[string]*host{}}
	a.registry.init()
	a.faults.init()
	a.log.init(cfg.Keep, cfg.OnPush)
	for env, addr := range map[string]string{Production: cfg.ProductionAddr, Sandbox: cfg.SandboxAddr} {
		ln, err := net.Listen("tcp", addr)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("apnstest: listen for %s: %w", env, err), a.Close())
		}
		h := &host{env: env, ln: ln, conns: map[*conn]struct{}{}}
		a.hosts[env] = h
		a.group.Add(1)
		go a.accept(h)
	}
	return a, nil
}

func setDefaults(cfg *Config) {
	if cfg.Now == nil {
		cfg.Now = time.Now
	}
	if cfg.ProductionAddr == "" {
		cfg.ProductionAddr = "127.0.0.1:0"
	}
	if cfg.SandboxAddr == "" {
		cfg.SandboxAddr = "127.0.0.1:0"
	}
	if cfg.MaxStreams == 0 {
		cfg.MaxStreams = 1000
	}
	if cfg.Window == 0 {
		cfg.Window = 1 << 20
	}
	cfg.Window = max(cfg.Window, 65535)
	if cfg.TokenInterval == 0 {
		cfg.TokenInterval = 20 * time.Minute
	}
	if cfg.Keep == 0 {
		cfg.Keep = 100_000
	}
}

// URL returns the base address of an environment, without a path.
func (a *Apple) URL(env string) string {
	h := a.hosts[env]
	if h == nil {
		return ""
	}
	return "https://" + h.ln.Addr().String()
}

// CAPEM returns the certificate that signed both hosts' certificates, for CARILLON_APNS_CA_FILE.
func (a *Apple) CAPEM() []byte { return a.ca.pem }

// CAPool returns CAPEM as a pool.
func (a *Apple) CAPool() *x509.CertPool { return a.ca.pool() }

// Close cuts every connection and waits until all goroutines of this Apple have ended.
func (a *Apple) Close() error {
	var errs []error
	for _, h := range a.hosts {
		errs = append(errs, h.closeAll())
	}
	a.group.Wait()
	return errors.Join(errs...)
}

// closeAll closes the listener and every connection; later calls do nothing.
func (h *host) closeAll() error {
	h.mu.Lock()
	again := h.closed
	h.closed = true
	conns := h.openConns()
	h.mu.Unlock()
	if again {
		return nil
	}
	err := h.ln.Close()
	for _, c := range conns {
		c.cut()
	}
	return err
}

// openConns copies the open connections; called with mu held.
func (h *host) openConns() []*conn {
	conns := make([]*conn, 0, len(h.conns))
	for c := range h.conns {
		conns = append(conns, c)
	}
	return conns
}

func (a *Apple) accept(h *host) {
	defer a.group.Done()
	config := a.ca.serverConfig()
	for {
		nc, err := h.ln.Accept()
		if err != nil {
			return
		}
		c := newConn(a, h, tls.Server(nc, config))
		h.mu.Lock()
		if h.closed {
			h.mu.Unlock()
			nc.Close()
			return
		}
		h.conns[c] = struct{}{}
		h.mu.Unlock()
		a.group.Add(1)
		go c.serve()
	}
}

func (h *host) removeConn(c *conn) {
	h.mu.Lock()
	delete(h.conns, c)
	h.mu.Unlock()
}

// OpenConnections counts the connections open to an environment now.
func (a *Apple) OpenConnections(env string) int {
	h := a.hosts[env]
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.conns)
}

// TotalConnections counts the connections ever accepted, by both hosts.
func (a *Apple) TotalConnections() int64 { return a.serial.Load() }

func (a *Apple) eachConn(do func(*conn)) {
	for _, h := range a.hosts {
		h.mu.Lock()
		conns := h.openConns()
		h.mu.Unlock()
		for _, c := range conns {
			do(c)
		}
	}
}
