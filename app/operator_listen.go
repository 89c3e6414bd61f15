package app

import (
	"context"
	"errors"
	"strings"
	"sync"

	"carillon/app/billing"
	"carillon/app/operator"
	"carillon/app/page"
	"carillon/app/web"
)

// operatorMost is how many connections the operator console has at once. They do not count as those
// of the public listener: whether it is full is no sign that the server is.
const operatorMost = 64

// operatorCookie names the cookies of the operator console.
const operatorCookie = "carillon-operator"

// openOperator opens the operator console on its own listener, if it has an address.
func (n *node) openOperator(c checked, x extras) error {
	if c.OperatorAddr == "" {
		return nil
	}
	listener, err := listen("--operator-addr", c.OperatorAddr)
	if err != nil {
		return err
	}
	n.close = append(n.close, func() error { return closed(listener.Close()) })
	n.operatorAddr = listener.Addr()
	base := strings.TrimRight(c.OperatorURL, "/")
	if base == "" {
		base = "http://" + n.operatorAddr.String()
	}
	common, err := page.NewCommon(page.CommonConfig{Store: n.store, PublicURL: base, Cookie: operatorCookie, English: true,
		Memory: x.memory.heap, Breached: n.common.Breached, Now: c.now, Log: n.log})
	if err != nil {
		return err
	}
	common.Passwords = n.common.Passwords // one bound for the memory of hashes
	passkeys, err := openPasskeys(base)
	if err != nil {
		return err
	}
	config := operator.Config{Common: common, ConsoleURL: n.common.PublicURL, Dev: x.operator, Server: n.server, Teams: n.sends.Teams,
		Passkeys: passkeys}
	if n.billing != nil {
		config.Billing = billing.Messages{Billing: n.billing}
	}
	if n.mailer != nil {
		config.Mails = n.mailer
	}
	console, err := operator.New(config)
	if err != nil {
		return err
	}
	edge := web.New(web.Config{Log: n.log, Now: c.now, Nodes: n.store.NodesNow,
		PublicURL: base, TrustedProxies: prefixes(c.TrustedProxies), Counts: &n.counts,
		Connections: operatorMost, MemoryTight: n.memoryTight, ErrorPage: console.ErrorPage, Loopback: x.local && !x.public,
		HTTPS: strings.HasPrefix(base, "https://")})
	console.Mount(edge)
	bounded := web.NewListener(listener, web.ListenerConfig{Total: operatorMost, TrustedProxies: prefixes(c.TrustedProxies),
		Counts: &n.counts, Log: n.log, Now: n.now})
	public := n.serve
	n.serve = func(ctx context.Context) error {
		return both(ctx, public, func(ctx context.Context) error { return web.Serve(ctx, edge, bounded) })
	}
	return nil
}

// both serves on two listeners until ctx ends, or one of them fails.
func both(ctx context.Context, a, b func(context.Context) error) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	var second error
	wg.Go(func() {
		defer stop()
		second = b(ctx)
	})
	first := a(ctx)
	stop()
	wg.Wait()
	return errors.Join(first, second)
}

// server is what the page of health says of this process.
func (n *node) server() operator.Server {
	s := operator.Server{Version: built(), Started: n.started, Draining: n.draining.Load(), Connections: n.listeners.len(),
		Calls: len(n.voice.Calls()), Push: n.sends.Stats(), Store: n.store.Stats(), DiskFree: -1}
	s.Name = n.self.Name
	if n.others != nil {
		s.NATSAway = n.others.Away()
	}
	if err := n.hasRoom(); err != nil {
		s.NoRoom = err.Error()
	}
	if n.dataDir != "" {
		if free, err := diskFree(n.dataDir); err == nil {
			s.DiskFree = int64(free)
		}
		s.BackupAt, _, _ = readBackup(n.dataDir) // one that cannot be read is none; doctor says more
	}
	s.Postgres = n.dataDir == ""
	return s
}

// operatorURL is the address of the operator console; empty without one.
func (n *node) operatorURL() string {
	if n.operatorAddr == nil {
		return ""
	}
	return "http://" + n.operatorAddr.String()
}
