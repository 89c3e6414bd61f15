package app

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"sync/atomic"
	"time"

	"carillon/app/bus/natstest"
	"carillon/app/dev"
	"carillon/tenants/store/postgrestest"
)

// devNodesMost is how many nodes dev mode runs.
const devNodesMost = 9

// devNodes are the nodes of dev mode: one on SQLite, or several on a PostgreSQL and a NATS of their
// own behind a small balancer.
type devNodes struct {
	list  []*node
	addr  net.Addr     // that people use
	front net.Listener // of the balancer; nil = one node
	next  atomic.Uint64
	close []func() error
}

// openNodes opens as many nodes as were asked for, or none.
func (d *devCmd) openNodes(ctx context.Context, good checked, world *dev.World, far dev.FarEnds) (all *devNodes, err error) {
	all = &devNodes{}
	defer func() {
		if err != nil {
			err = errors.Join(err, all.Close())
		}
	}()
	if d.Nodes > 1 {
		if err := all.share(ctx, &good, d.Addr); err != nil {
			return all, err
		}
	}
	for i := range max(1, d.Nodes) {
		if d.Nodes > 1 {
			good.Node = fmt.Sprintf("node-%d", i+1)
		}
		if i > 0 {
			good.OperatorAddr = "" // one console of operators shows all nodes
		}
		n, err := d.open(ctx, good, world, far)
		if err != nil {
			return all, err
		}
		all.list, all.close = append(all.list, n), append(all.close, n.Close)
	}
	if all.front == nil {
		all.addr = all.list[0].addr
	}
	return all, nil
}

// share starts what several nodes have in common, and listens in front of them.
func (a *devNodes) share(ctx context.Context, good *checked, addr string) error {
	rows, err := postgrestest.New(postgrestest.Config{})
	if errors.Is(err, postgrestest.ErrMissing) {
		return fmt.Errorf("--nodes: several nodes need a PostgreSQL, and %w", err)
	}
	if err != nil {
		return fmt.Errorf("--nodes: %w", err)
	}
	a.close = append(a.close, rows.Close)
	name, err := rows.Database(ctx, "template1")
	if err != nil {
		return fmt.Errorf("--nodes: %w", err)
	}
	hints, err := natstest.New()
	if err != nil {
		return fmt.Errorf("--nodes: %w", err)
	}
	a.close = append(a.close, func() error { hints.Stop(); return nil })
	if a.front, err = listen("--addr", addr); err != nil {
		return err
	}
	a.close = append(a.close, func() error { return closed(a.front.Close()) })
	a.addr = a.front.Addr()
	good.Database.URL, good.NATSURL = rows.URL(name), []string{hints.URL()}
	good.Addr, good.PublicURL, good.TrustedProxies = "127.0.0.1:0", "http://"+a.addr.String(), []string{"127.0.0.1"}
	return nil
}

// Run serves until ctx is done, or until one of the nodes cannot go on.
func (a *devNodes) Run(ctx context.Context) error {
	if a.front == nil {
		return a.list[0].Run(ctx)
	}
	nodes, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, len(a.list))
	for _, n := range a.list {
		go func() {
			err := n.Run(nodes)
			stop()
			ended <- err
		}()
	}
	balancer := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: a.balancer()}
	served := make(chan error, 1)
	go func() {
		err := balancer.Serve(a.front)
		stop()
		served <- err
	}()
	var errs []error
	for range a.list {
		errs = append(errs, <-ended)
	}
	errs = append(errs, balancer.Close())
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// balancer gives each request to the next node.
func (a *devNodes) balancer() http.Handler {
	return &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetXForwarded()
			r.Out.Host, r.Out.URL.Scheme, r.Out.URL.Host = r.In.Host, "http", a.pick()
		},
		FlushInterval: -1, // event streams
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) {
			w.Header().Set("Retry-After", "1")
			http.Error(w, "No node answers.", http.StatusServiceUnavailable)
		},
	}
}

// pick is the address of the next node.
func (a *devNodes) pick() string {
	return a.list[a.next.Add(1)%uint64(len(a.list))].addr.String()
}

// Close lets go of every part, the last made first.
func (a *devNodes) Close() error {
	var errs []error
	for i := len(a.close) - 1; i >= 0; i-- {
		errs = append(errs, a.close[i]())
	}
	return errors.Join(errs...)
}
