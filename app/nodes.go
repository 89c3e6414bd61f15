package app

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"slices"
	"strings"
	"time"

	"carillon/app/bus"
	"carillon/app/switchboard"
	"carillon/tenants"
	"carillon/tenants/store"
)

// Cluster is what a node needs to run beside others on one PostgreSQL.
type Cluster struct {
	NATSURL       []string `name:"nats-url" help:"Servers of NATS, for several nodes on one PostgreSQL; empty = one node." env:"CARILLON_NATS_URL"`
	NATSCredsFile string   `name:"nats-creds-file" help:"Credentials of a NATS user, which choose the account." env:"CARILLON_NATS_CREDS_FILE" type:"path"`
	NATSCAFile    string   `name:"nats-ca-file" help:"CA of the NATS servers; empty = the system's." env:"CARILLON_NATS_CA_FILE" type:"path"`
	NATSCertFile  string   `name:"nats-cert-file" help:"Our certificate for NATS servers that ask for one." env:"CARILLON_NATS_CERT_FILE" type:"path"`
	NATSKeyFile   string   `name:"nats-key-file" help:"Key of that certificate." env:"CARILLON_NATS_KEY_FILE" type:"path"`
	Node          string   `help:"Name of this node; empty = the host's." env:"CARILLON_NODE"`
}

func (c Cluster) check(fault func(string, error), d Database) {
	for _, s := range c.NATSURL {
		fault("CARILLON_NATS_URL", natsServer(s))
	}
	if len(c.NATSURL) > 0 && d.URL == "" {
		fault("CARILLON_NATS_URL", errors.New("is set, but the database is SQLite, which one node uses alone; "+
			"set CARILLON_DATABASE_URL to a PostgreSQL that all nodes share, or leave NATS out"))
	}
	for _, f := range []struct{ name, file string }{{"CARILLON_NATS_CREDS_FILE", c.NATSCredsFile}} {
		if f.file != "" {
			_, err := contents(f.file)
			fault(f.name, err)
		}
	}
	_, err := roots(c.NATSCAFile)
	fault("CARILLON_NATS_CA_FILE", err)
	_, err = c.certificates()
	fault("CARILLON_NATS_CERT_FILE", err)
	if len(c.Node) > 64 || strings.ContainsFunc(c.Node, func(r rune) bool { return r < ' ' }) {
		fault("CARILLON_NODE", errors.New("is too long or holds control characters; give a name of at most 64 bytes"))
	}
}

func natsServer(s string) error {
	u, err := url.Parse(s)
	if err != nil || u.Host == "" || u.Scheme != "nats" && u.Scheme != "tls" {
		return errors.New("is not a list of servers; give nats://host:4222, or tls://host:4222 where NATS speaks TLS only, " +
			"several with commas between them")
	}
	return nil
}

// certificates are what we show to NATS; none is fine.
func (c Cluster) certificates() ([]tls.Certificate, error) {
	if c.NATSCertFile == "" && c.NATSKeyFile == "" {
		return nil, nil
	}
	if c.NATSCertFile == "" || c.NATSKeyFile == "" {
		return nil, errors.New("and CARILLON_NATS_KEY_FILE belong together; give both or neither")
	}
	pair, err := tls.LoadX509KeyPair(c.NATSCertFile, c.NATSKeyFile)
	if err != nil {
		return nil, fmt.Errorf("does not fit CARILLON_NATS_KEY_FILE, or one of them is no PEM file: %w", err)
	}
	return []tls.Certificate{pair}, nil
}

// tls is how to speak to NATS where it wants TLS.
func (c Cluster) tls() (*tls.Config, error) {
	var pool *x509.CertPool
	pool, err := roots(c.NATSCAFile)
	if err != nil {
		return nil, err
	}
	own, err := c.certificates()
	return &tls.Config{RootCAs: pool, Certificates: own, MinVersion: tls.VersionTLS12}, err
}

// nats is how to connect to these servers of NATS.
func (c Cluster) nats(servers []string) (bus.SharedConfig, error) {
	secure, err := c.tls()
	return bus.SharedConfig{Servers: servers, TLS: secure, Creds: c.NATSCredsFile,
		Secure: c.NATSCAFile != "" || c.NATSCertFile != "" || strings.HasPrefix(servers[0], "tls:")}, err
}

// nodeName is what this node is called.
func (c Cluster) nodeName() string {
	if c.Node != "" {
		return c.Node
	}
	host, err := os.Hostname()
	if err != nil || host == "" {
		return "node"
	}
	return host[:min(len(host), 64)]
}

// beatEvery is how often a node says that it lives; store.NodeGone is several times as long.
// beatMost is how long it tries: a connection that is broken must not hold up the next try.
const (
	beatEvery = 1500 * time.Millisecond
	beatMost  = 2 * time.Second
)

// errAlone is why a second server is refused.
func errAlone(name string) error {
	return fmt.Errorf("another server, %s, runs on this database. Two servers need a message system: set CARILLON_NATS_URL "+
		"on both, or stop the other one first", name)
}

// openBus opens the bus of this process, or of several nodes.
func (n *node) openBus(c checked) (err error) {
	n.self = store.Node{ID: tenants.NewID[tenants.NodeID](n.now()), Name: c.nodeName(), Shared: len(c.NATSURL) > 0, Program: built()}
	if !n.self.Shared {
		n.bus = bus.New()
		n.close = append(n.close, n.bus.Close)
		return nil
	}
	shared, err := c.nats(c.NATSURL)
	if err != nil {
		return err
	}
	shared.Node, shared.Name, shared.Revoked, shared.Log = n.self.ID, n.self.Name, n.revoked, n.log
	if n.others, err = bus.Share(shared); err != nil {
		return fmt.Errorf("CARILLON_NATS_URL: %w", err)
	}
	n.bus = n.others
	n.close = append(n.close, n.bus.Close)
	return nil
}

// revoked follows a revocation on another node.
func (n *node) revoked(tenants.TenantID) {
	if s := n.opened.Load(); s != nil {
		s.ForgetCached()
	}
}

// weak says what does not work on a server that is ready all the same; empty = nothing.
func (n *node) weak() string {
	if n.others == nil || n.others.Away().IsZero() {
		return ""
	}
	return "NATS is away"
}

// followEvery is how long a hint that was lost may be missed; followMost bounds one read.
const (
	followEvery = time.Second
	followMost  = 5000
	// followWithin is how long one turn may last; what is left is done in the next one.
	followWithin = 10 * time.Second
)

// follow finds what other nodes have done and what the bus has not passed on. While NATS is away
// the listeners look again whether they may still listen. A ring at which it cannot look now is
// looked at again the next time.
func (n *node) follow(ctx context.Context, f *store.Follower) (err error) {
	if n.weak() != "" {
		n.others.WakeAll()
	}
	ctx, cancel := context.WithTimeout(ctx, followWithin)
	defer cancel()
	if len(n.missed) == 0 && !n.others.Listening() && !switchboard.NewHeld(n.board).Busy() {
		return f.Skip(ctx) // a listener that comes later reads the ring itself, and so does a call
	}
	again := n.missed
	n.missed = nil
	look := func(r store.Held) {
		e := switchboard.NewHeld(n.board).Followed(ctx, r.Tenant, r.Ring)
		if e != nil && !slices.Contains(n.missed, r) {
			n.missed = append(n.missed, r)
		}
		if err == nil {
			err = e // the first of them says enough
		}
	}
	for _, r := range again {
		look(r)
	}
	for more := true; more && ctx.Err() == nil; {
		var rings []store.Held
		var e error
		if rings, more, e = f.Next(ctx, followMost); e != nil {
			return e
		}
		for _, r := range rings {
			n.others.Hear(r.Tenant, r.Ring)
			look(r)
		}
	}
	return err
}

// join lists this node in the database. A node that was killed counts as living for some seconds:
// join waits until it is gone, and refuses if it beats meanwhile.
func (n *node) join(ctx context.Context, c checked) error {
	n.opened.Store(n.store)
	if c.Database.URL == "" {
		return nil
	}
	tick := time.NewTicker(beatEvery / 3)
	defer tick.Stop()
	var first store.Node
	for {
		beside, err := n.store.Nodes().Start(ctx, n.self)
		if err == nil {
			break
		}
		if tenants.KindOf(err) != tenants.Conflict {
			return err
		}
		if first.ID == beside.ID && !first.Seen.Equal(beside.Seen) {
			return errAlone(beside.Name)
		}
		first = beside
		select {
		case <-tick.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n.close = append(n.close, n.leave)
	return nil
}

// leave says that this node has stopped.
func (n *node) leave() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if err := n.store.Nodes().Stop(ctx, n.self.ID); err != nil {
		n.log.Warn("stopping: the other nodes find out by themselves", "err", err)
	}
	return nil
}

// beat says that this node lives.
func (n *node) beat(ctx context.Context) error {
	try, cancel := context.WithTimeout(ctx, beatMost)
	defer cancel()
	lived, err := n.store.Nodes().Beat(try, n.self.ID)
	if err == nil && !lived {
		if n.others != nil {
			err = switchboard.NewHeld(n.board).Keep(ctx)
		}
		n.log.Warn("this node did not reach the database for a while, and counted as gone", "node", n.self.Name)
	}
	return err
}
