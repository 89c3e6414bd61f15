package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"carillon/app/agents"
	"carillon/app/api"
	"carillon/app/billing"
	"carillon/app/bus"
	"carillon/app/connections"
	"carillon/app/console"
	"carillon/app/health"
	"carillon/app/notify"
	"carillon/app/operator"
	"carillon/app/outbound"
	"carillon/app/page"
	"carillon/app/push"
	"carillon/app/switchboard"
	"carillon/app/trace"
	"carillon/app/web"
	"carillon/gateway"
	"carillon/tenants"
	"carillon/tenants/store"
)

// node is one running server: every part, wired by hand. Parts are closed in the opposite order of
// their making.
type node struct {
	log       *slog.Logger
	now       func() time.Time
	store     *store.Store
	voice     *gateway.Gateway
	board     *switchboard.Board
	console   *console.Console
	events    *connections.Engine
	lookups   *connections.Lookups
	calendars *connections.Calendars
	sends     *push.Sender
	bus       bus.Bus
	others    *bus.Shared  // the other nodes; nil = this is the only one
	self      store.Node   // how the other nodes see this one
	missed    []store.Held // rings at which follow could not look; they belong to its loop
	oldKeys   bool         // the key files have keys that only open
	creds     *health.Credentials
	health    *health.Monitor
	alerts    *health.AlertMail // nil = no mail about alerts
	sendsNews *health.Targets   // sends alerts to tenants' targets
	digest    *health.Digest    // sends the weekly mail
	trace     *trace.Tracer     // nil = nobody asked for traces
	agents    agents.Kinds
	demo      speaker

	streams *agents.Streams
	dialled *agents.Dialled
	targets *outbound.Dialer // of addresses that tenants type
	joins   *agents.Joins

	v1      *api.API
	common  *page.Common     // what all pages share
	billing *billing.Billing // nil = no money is taken
	addr    net.Addr

	metricsAddr net.Addr // nil = no metrics listener

	operatorAddr net.Addr       // nil = no operator console
	mailer       *notify.Mailer // nil = no mail, or dev mode's folder
	started      time.Time
	meter        *meter // nil likewise
	counts       web.Counts
	room         room
	listeners    listeners
	memoryTight  func() bool
	dataDir      string // of SQLite; "" = PostgreSQL

	drainFor time.Duration // how long calls may last once the server must stop
	draining atomic.Bool
	opened   atomic.Pointer[store.Store] // the store, once it is open

	serve func(context.Context) error
	close []func() error
}

// extras are what the modes do not share: the parts of dev mode, and the memory of serve.
type extras struct {
	added  func(tenants.Credential, *push.Key) // called for each new credential
	local  bool                                // phones are on this machine
	public bool                                // dev mode that other machines may reach
	dev    console.Waker                       // the pages that play a phone
	login  string                              // said on the page of signing in

	operator func() *operator.Seen // a sign-in to the operator console; nil = not dev mode
	memory   budget                // of serve

	changelog string // CHANGELOG.md

	opened func(context.Context, store.Opening) error // called for each new trial
	heard  switchboard.Audience                       // gets the facts; nil = nobody more
}

// echoAfter is how long the built-in agent waits before it says what it heard.
const echoAfter = time.Second

// open makes a node that is ready to run, or closes what it made and says what is wrong.
func open(ctx context.Context, c checked, x extras) (n *node, err error) {
	n = &node{log: c.logger(c.logTo), now: c.now, started: c.now(), memoryTight: web.MemoryTight, drainFor: c.Drain.is}
	files, _ := openFiles() // 0 = not known
	n.room = roomOf(files, x.memory.heap)
	if c.Database.URL == "" {
		n.dataDir = c.Data
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, n.Close())
		}
	}()
	if err = n.openBus(c); err != nil {
		return n, err
	}
	if err = n.openStore(ctx, c, x); err != nil {
		return n, err
	}
	c.now = n.now
	if err = n.join(ctx, c); err != nil {
		return n, err
	}
	if n.trace, err = c.Tracing.open(ctx, n.log); err != nil {
		return n, err
	}
	n.close = append(n.close, n.trace.Close) // after everything that makes spans
	if err = n.openPush(c); err != nil {
		return n, err
	}
	if err = n.openVoice(ctx, c, x); err != nil {
		return n, err
	}
	if err = n.openBoard(c, x); err != nil {
		return n, err
	}
	if err = n.mount(c, x); err != nil {
		return n, err
	}
	return n, n.openOperator(c, x)
}

func (n *node) openStore(ctx context.Context, c checked, x extras) (err error) {
	rows := c.store(n.log)
	rows.Pages = x.memory.pages
	rows.Revoked = func(t tenants.TenantID) { n.bus.Tell(t, "") }
	n.oldKeys = c.seal.Old()
	if n.store, err = store.Open(ctx, rows); err != nil {
		return err
	}
	n.close = append(n.close, n.store.Close)
	n.now = n.store.Now
	if err := n.store.KeepKeyCheck(ctx); err != nil {
		return err
	}
	if _, err := n.store.AuditKey(ctx); err != nil { // made here, because pages only read it
		return err
	}
	if err := n.store.CheckIsolation(ctx); err != nil {
		n.log.Warn("the database does not isolate tenants", "why", err)
	}
	return nil
}

func (n *node) openPush(c checked) (err error) {
	n.sends, err = push.New(push.Config{
		ProductionURL: c.APNsProductionURL, SandboxURL: c.APNsSandboxURL, RootCAs: c.roots, Now: c.now, Log: n.log,
		Agree: n.agreeToken(),
	})
	if err == nil {
		n.close = append(n.close, n.sends.Close)
	}
	return err
}

// agreeToken has all nodes show the same provider token to Apple. One node alone makes the same one
// by itself.
func (n *node) agreeToken() push.Agree {
	if !n.store.Shared() {
		return nil
	}
	return n.store.AgreeToken
}

// openVoice opens the gateway, and finds who speaks.
func (n *node) openVoice(ctx context.Context, c checked, x extras) (err error) {
	n.voice, err = gateway.New(gateway.Config{
		UDPAddr: c.RTCUDPAddr, TCPAddr: c.RTCTCPAddr, PublicIPs: c.RTCPublicIPs,
		ListenTCP:     func(ln net.Listener) net.Listener { return n.bound(ln, c, n.room.voice, true) },
		AllowLoopback: x.local, AllowPrivate: x.local, AgentTargets: prefixes(c.AllowPrivateTargets),
		ICEServers: c.iceServers, Now: c.now, Log: n.log,
	})
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another program listens there; stop it, or give another --rtc-udp-addr or --rtc-tcp-addr: %w", err)
	}
	if err != nil {
		return err
	}
	n.close = append(n.close, func() error { // after the calls have ended
		if n.dialled != nil {
			n.dialled.Close()
		}
		return nil
	}, n.voice.Close)

	builtin, err := agents.NewBuiltin(echoAfter, c.now)
	if err != nil {
		return err
	}
	n.targets = c.outbound(x)
	n.joins = agents.NewJoins(n.voice, c.now)
	n.close = append(n.close, func() error { n.joins.Close(); return nil })
	n.streams = agents.NewStreams(n.targets, n.joins, c.now, n.log)
	n.close = append(n.close, func() error { n.streams.Close(); return nil })
	n.dialled = agents.NewDialled(agents.DialledConfig{
		Peers: n.voice, Dialer: n.targets, OpenAI: c.OpenAI.dialer(), OpenAIURL: c.OpenAI.url(), Log: n.log,
	})
	n.agents = agents.NewKinds(builtin, n.streams, n.dialled, n.agentSecret, n.announcement)
	n.demo, err = c.DemoAgent.find(ctx, n)
	return err
}

// outbound dials the addresses that tenants type. In dev mode their programs are on this machine.
func (c checked) outbound(x extras) *outbound.Dialer {
	if x.local {
		return outbound.New([]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}, outbound.AllowPlain())
	}
	return outbound.New(prefixes(c.AllowPrivateTargets))
}

// providerTime bounds each request to a tenant's own OpenID provider: a person waits for it.
const providerTime = 8 * time.Second

// checkAgent refuses an agent whose address tenants may not reach.
func (n *node) checkAgent(a tenants.Agent) error { return agents.CheckAddress(n.targets, a) }

// checkConnection refuses a connection whose address tenants may not reach.
func (n *node) checkConnection(c tenants.Connection) error {
	return connections.CheckAddress(n.targets, c)
}

// agentSecret opens the stored token of an agent.
func (n *node) agentSecret(ctx context.Context, a tenants.Agent) (string, error) {
	return n.store.For(a.Tenant).Agents().Secret(ctx, a.ID)
}

// announcement reads the uploaded sound of an agent.
func (n *node) announcement(ctx context.Context, a tenants.Agent) (tenants.Sound, error) {
	return n.store.For(a.Tenant).Agents().Sound(ctx, a.ID)
}

// openBoard joins all of these to the switchboard, and counts what it does where somebody reads the
// metrics.
func (n *node) openBoard(c checked, x extras) (err error) {
	n.creds, err = health.NewCredentials(health.CredentialsConfig{Store: n.store, Probe: n.sends, Added: x.added, Now: c.now})
	if err != nil {
		return err
	}
	n.health, err = health.NewMonitor(health.Config{Store: n.store, Now: c.now, Log: n.log})
	if err != nil {
		return err
	}
	board := switchboard.Config{
		Store: n.store, Push: n.sends, Keys: n.creds, Health: n.health, Bus: n.bus,
		Media: n.voice, Agents: n.agents.Open, Joins: n.joins,
		Trace: n.trace, RingsPerSecond: c.RingsPerSecond.is, Spacing: c.DeviceSpacing.is, Now: c.now, Log: n.log,
	}
	if n.others != nil {
		board.Peers = n.others
	}
	if x.heard != nil {
		board.Audiences = append(board.Audiences, x.heard)
	}
	if n.trace != nil {
		board.Audiences = append(board.Audiences, traceAudience{n.trace})
	}
	if c.MetricsAddr != "" {
		n.meter = newMeter(n.trace)
		board.Meter = n.meter
		board.Audiences = append(board.Audiences, n.meter)
	}
	if err := n.openConnections(c.PublicURL); err != nil {
		return err
	}
	board.Lookup = n.lookups
	board.Audiences = append(board.Audiences, n.events)
	n.board, err = switchboard.New(board)
	if err != nil {
		return err
	}
	n.close = append(n.close, n.endPushes)
	if n.others != nil {
		n.others.Serve(answerNodes(exportFolder(c.Database), switchboard.NewHeld(n.board)))
	}
	if c.MetricsAddr != "" {
		return n.metrics(c)
	}
	return nil
}

// Run serves until ctx is done, then lets go in order: no new rings and calls, calls under way, no
// new requests, requests under way. Close ends the pushes under way.
func (n *node) Run(ctx context.Context) error {
	if _, err := n.store.Nodes().Inherit(ctx); err != nil { // their leases end all the same
		n.log.Error("take over the rings of the server before this one", "err", err)
	}
	loops, stop := context.WithCancel(context.WithoutCancel(ctx))
	serving, shut := context.WithCancel(loops)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer shut()
		select {
		case <-ctx.Done():
			n.drain(serving)
		case <-serving.Done():
		}
	})
	for _, l := range n.loops() {
		n.every(loops, &wg, l)
	}
	err := n.serve(serving)
	stop()
	wg.Wait()
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	return errors.Join(err, n.v1.SaveRequests(last), n.common.RecordFailures(last))
}

// Close lets go of every part, the last made first.
func (n *node) Close() error {
	var errs []error
	for i := len(n.close) - 1; i >= 0; i-- {
		errs = append(errs, n.close[i]())
	}
	n.close = nil
	return errors.Join(errs...)
}

func closed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

func (c checked) store(log *slog.Logger) store.Config {
	return store.Config{URL: c.Database.URL, Dir: c.Database.Data, Seal: c.seal, Plans: c.plans, Industries: c.industries,
		Now: c.now, ClockOfDatabase: true, Log: log}
}

func prefixes(list []string) []netip.Prefix {
	var out []netip.Prefix
	for _, s := range list {
		if p, err := netip.ParsePrefix(s); err == nil {
			out = append(out, p)
		} else if a, err := netip.ParseAddr(s); err == nil {
			out = append(out, netip.PrefixFrom(a, a.BitLen()))
		}
	}
	return out
}

// ready says whether database, bus and gateway answer. It fails while the server drains, so that
// balancers send nothing more.
func (n *node) ready(ctx context.Context) error {
	if n.draining.Load() {
		return errors.New("the server is stopping")
	}
	if err := n.store.Ready(ctx); err != nil {
		return fmt.Errorf("database: %w", err)
	}
	return cmp.Or(n.hasRoom(), n.voice.Healthy())
}
