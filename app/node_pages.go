package app

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"carillon/app/api"
	"carillon/app/billing"
	"carillon/app/console"
	"carillon/app/deploy"
	"carillon/app/docs"
	"carillon/app/oidc"
	"carillon/app/page"
	"carillon/app/site"
	"carillon/app/switchboard"
	"carillon/app/web"
	"carillon/views"
)

// mount opens the listener first, so that a taken address is found early, then builds the pages and
// the API on it.
func (n *node) mount(c checked, x extras) error {
	listener, err := listen("--addr", c.Addr)
	if err != nil {
		return err
	}
	n.close = append(n.close, func() error { return closed(listener.Close()) })
	n.addr = listener.Addr()
	if c.PublicURL == "" {
		c.PublicURL = "http://" + n.addr.String()
	}
	if n.billing, err = n.openBilling(c); err != nil {
		return err
	}
	pages, err := n.openPages(c, x)
	if err != nil {
		return err
	}
	edge := web.New(web.Config{Log: n.log, Now: c.now, Nodes: n.store.NodesNow,
		PublicURL: c.PublicURL, TrustedProxies: prefixes(c.TrustedProxies),
		Counts: &n.counts, Connections: n.room.http, MemoryTight: n.memoryTight,
		ErrorPage: pages.console.ErrorPage, Uploads: []string{api.PathUpload, api.PathNotes, api.PathAnnouncement, views.PathCredAdd,
			views.PathDevicesImport, views.PathDevicesImportNow,
			views.AgentSoundPath(":id"), views.PathRecording},
		Loopback: x.local && !x.public, HTTPS: strings.HasPrefix(c.PublicURL, "https://")})
	bounded := n.bound(listener, c, n.room.http, false)
	web.Health(edge, n.ready, n.weak)
	n.v1, err = api.New(api.Config{Store: n.store, Board: n.board, Credentials: n.creds, CheckAgent: n.checkAgent,
		CheckConnection: n.checkConnection, Events: n.events, Feed: switchboard.NewFeed(n.board),
		Media: n.board, Joining: switchboard.NewJoining(n.board),
		PublicURL: c.PublicURL, ICEServers: c.iceServers, Trace: n.trace, Now: c.now, Log: n.log})
	if err != nil {
		return err
	}
	n.v1.Mount(edge)
	if n.billing != nil && n.billing.Hooked() {
		web.Webhook(edge, billing.HookPath, billing.SignatureHeader, n.billing.Hook)
	}
	pages.public.Mount(edge)
	pages.console.Mount(edge)
	n.serve = func(ctx context.Context) error { return web.Serve(ctx, edge, bounded) }
	return nil
}

// listen says of an address that cannot be had which setting it is and what to do.
func listen(name, at string) (net.Listener, error) {
	l, err := net.Listen("tcp", at)
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return nil, fmt.Errorf("%s: another program listens on %s; stop it, or give another address", name, at)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: this user may not listen on %s; give a port above 1023", name, at)
	case err != nil:
		return nil, fmt.Errorf("%s: cannot listen on %s; give an address of this machine: %w", name, at, err)
	}
	return l, nil
}

// pages are what people open in a browser.
type pages struct {
	console *console.Console
	public  *site.Site
}

// openPages makes the pages for people.
func (n *node) openPages(c checked, x extras) (p pages, err error) {
	mail, err := n.openMail(c, x)
	if err != nil {
		return p, err
	}
	if err := n.openAlertMail(mail, strings.TrimRight(c.PublicURL, "/")); err != nil {
		return p, err
	}
	if err := n.openDigest(mail, strings.TrimRight(c.PublicURL, "/")); err != nil {
		return p, err
	}
	if err := n.openAlertTargets(mail, strings.TrimRight(c.PublicURL, "/")); err != nil {
		return p, err
	}
	breached, err := c.BreachedPasswords.open()
	if err != nil {
		return p, err
	}
	n.common, err = page.NewCommon(page.CommonConfig{Store: n.store, PublicURL: c.PublicURL, Memory: x.memory.heap, Breached: breached,
		Now: c.now, Log: n.log})
	if err != nil {
		return p, err
	}
	texts, err := docs.New(docs.Config{API: api.Description(), Changelog: x.changelog, Metrics: deploy.Page(metricTable()),
		BaseURL: strings.TrimRight(c.PublicURL, "/")})
	if err != nil {
		return p, err
	}
	p.public, err = site.New(site.Config{
		Common: n.common, Docs: texts, Dev: x.dev != nil, Billing: n.billing != nil, Mail: mail, Opened: x.opened,
		Voice: n.voice, Agent: n.demo.agent, DemoName: n.demo.name, DemoClosed: n.demo.closed, DemoICE: c.demoICE(),
		Parts: []site.Part{
			{Name: "Database", Text: "Stores rings and settings.", Answers: n.store.Ready},
			{Name: "Push", Text: "Sends call notifications to Apple.",
				Answers: func(context.Context) error { return n.reachesApple() }},
			{Name: "Voice", Text: "Connects the audio of calls.", Answers: func(context.Context) error { return n.voice.Healthy() }},
		},
	})
	if err != nil {
		return p, err
	}
	passkeys, err := openPasskeys(c.PublicURL)
	if err != nil {
		return p, err
	}
	own, err := oidc.New(oidc.Config{HTTP: n.targets.Client(providerTime), CheckURL: n.targets.CheckURL, Now: c.now})
	if err != nil {
		return p, err
	}
	p.console, err = console.New(console.Config{
		OIDC: own, Resolver: net.DefaultResolver, Passkeys: passkeys,
		Common: n.common, Board: n.board, Credentials: n.creds, Billing: n.billing, Dev: x.dev, Login: x.login,
		Calendars: n.calendars,
		PerSecond: c.RingsPerSecond.is, Mail: mail, Connections: n.events, CheckAgent: n.checkAgent,
		CheckConnection: n.checkConnection, Exports: n.exports(c.Database), AlertTargets: n.sendsNews,
		Digest: n.digest,
	})
	n.console = p.console
	return p, err
}

// exportFolder is where this server keeps exports. PostgreSQL may have several servers on one data
// folder, so theirs are named after the host. SQLite has one server, whose host has another name in
// each container.
func exportFolder(d Database) console.ExportFolder {
	node := "server"
	if host, err := os.Hostname(); d.URL != "" && err == nil && host != "" {
		node = filepath.Base(host)
	}
	return console.ExportFolder{Dir: filepath.Join(d.Data, "exports"), Node: node, Free: diskFree}
}
