package app

import (
	"context"
	"errors"
	"math"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"carillon/app/bus"
	"carillon/app/push"
	"carillon/tenants/store"
)

// metrics serves GET /metrics on its own listener, which belongs on a private address. The figures
// are of the process; none is of one tenant. To a client that accepts OpenMetrics, histograms name
// traces as exemplars.
func (n *node) metrics(c checked) error {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	registry.MustRegister(n.meter.all()...)
	registry.MustRegister(n.gauges()...)
	listener, err := listen("--metrics-addr", c.MetricsAddr)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true}))
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, WriteTimeout: 10 * time.Second, IdleTimeout: time.Minute}
	ended := make(chan error, 1)
	bounded := n.bound(listener, c, n.room.metrics, false)
	go func() { ended <- server.Serve(bounded) }()
	n.close = append(n.close, func() error {
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		err := server.Shutdown(ctx)
		if e := <-ended; !errors.Is(e, http.ErrServerClosed) {
			err = errors.Join(err, e)
		}
		return err
	})
	n.metricsAddr = listener.Addr()
	return nil
}

// databaseUp asks the database, as /readyz does.
func (n *node) databaseUp() float64 {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	if n.store.Ready(ctx) != nil {
		return 0
	}
	return 1
}

// busCounts are what was passed between nodes; nothing on a server that is the only one.
func (n *node) busCounts() *bus.Counts {
	if n.others == nil {
		return &bus.Counts{}
	}
	return n.others.Counts()
}

// gauges read figures that the parts count themselves.
func (n *node) gauges() []prometheus.Collector {
	var all []prometheus.Collector
	gauge := func(name, help string, read func() float64) {
		all = append(all, prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
	total := func(name, help string, read func(push.Stats) int64) {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(read(n.sends.Stats())) }))
	}
	written := func(name, help string, read func(store.Stats) int64) {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(read(n.store.Stats())) }))
	}
	edge := func(name, help string, counted *atomic.Int64) {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(counted.Load()) }))
	}
	edge("carillon_forwarded_untrusted_total", "Requests with X-Forwarded-For from an address that CARILLON_TRUSTED_PROXIES does not name.",
		&n.counts.ForwardedUntrusted)
	edge("carillon_forwarded_unreadable_total", "Requests of a trusted proxy whose X-Forwarded-For cannot be read.",
		&n.counts.ForwardedUnreadable)
	edge("carillon_accepts_failed_total", "Connections that could not be accepted, for want of descriptors.", &n.counts.AcceptsFailed)
	edge("carillon_connections_refused_network_total", "Connections refused because their network has too many.",
		&n.counts.RefusedNetwork)
	edge("carillon_connections_refused_full_total", "Connections refused because all are in use.", &n.counts.RefusedFull)
	edge("carillon_memory_refused_total", "Requests refused because memory runs out.", &n.counts.RefusedForMemory)
	edge("carillon_idle_closed_total", "Idle connections closed to make room.", &n.counts.IdleClosed)
	gauge("carillon_nats_connected", "1 while NATS answers, and on a server that is the only one; 0 while NATS is away.", func() float64 {
		if n.weak() != "" {
			return 0
		}
		return 1
	})
	gauge("carillon_nodes", "Nodes that live, as this one saw at its last heartbeat.",
		func() float64 { return float64(n.store.NodesNow()) })
	gauge("carillon_node_programs", "Versions of the program that run on the database: more than 1 during an upgrade.",
		func() float64 { return float64(n.store.ProgramsNow()) })
	gauge("carillon_clock_off_seconds", "How far this machine's clock is ahead of the database's, which counts; 0 on SQLite.",
		func() float64 { return n.store.ClockOff().Seconds() })
	shared := func(name, help string, read func(*bus.Counts) *atomic.Int64) {
		edge(name, help, read(n.busCounts()))
	}
	shared("carillon_bus_hints_sent_total", "Hints sent to other nodes.", func(c *bus.Counts) *atomic.Int64 { return &c.Sent })
	shared("carillon_bus_hints_heard_total", "Hints that came from other nodes.", func(c *bus.Counts) *atomic.Int64 { return &c.Heard })
	shared("carillon_bus_hints_dropped_total", "Hints that could not be sent: the other nodes find the facts in the database.",
		func(c *bus.Counts) *atomic.Int64 { return &c.Dropped })
	shared("carillon_bus_requests_sent_total", "Requests about calls that were passed on to the node that holds the call.",
		func(c *bus.Counts) *atomic.Int64 { return &c.Asked })
	shared("carillon_bus_requests_answered_total", "Requests about calls that other nodes passed on to this one.",
		func(c *bus.Counts) *atomic.Int64 { return &c.Answered })
	all = append(all, newPipes(n))
	gauge("carillon_connections", "Connections that are open: HTTP, voice over TCP and metrics.",
		func() float64 { return float64(n.listeners.len()) })
	gauge("carillon_room", "1 while there are descriptors, disk and memory; 0 while load is shed.", func() float64 {
		if n.hasRoom() != nil {
			return 0
		}
		return 1
	})
	gauge("carillon_calls", "Calls that are up in this process.", func() float64 { return float64(len(n.voice.Calls())) })
	gauge("carillon_apns_connections", "Connections to Apple that are open.",
		func() float64 { return float64(n.sends.Stats().Connections) })
	gauge("carillon_apns_pools", "Credentials with connections to Apple.", func() float64 { return float64(n.sends.Stats().Pools) })
	gauge("carillon_pushes_under_way", "Pushes that wait for Apple.", func() float64 { return float64(n.sends.Stats().PushesUnderWay) })
	gauge("carillon_store_queue", "Changes that wait for the writer.", func() float64 { return float64(n.store.Stats().Queue) })
	gauge("carillon_store_queue_oldest_seconds", "How long the oldest change has waited for the writer.",
		func() float64 { return n.store.Stats().Oldest.Seconds() })
	gauge("carillon_database_up", "1 while the database answers within two seconds, else 0.", n.databaseUp)
	gauge("carillon_certificate_expiry_timestamp_seconds",
		"When the next certificate in use expires, of all tenants, as Unix time; 0 = none does. Read once an hour.",
		func() float64 {
			if at := n.health.NextExpiry(); !at.IsZero() {
				return float64(at.Unix())
			}
			return 0
		})
	if n.dataDir != "" {
		gauge("carillon_disk_free_bytes", "Room left on the disk of the SQLite database.", func() float64 {
			free, err := diskFree(n.dataDir)
			if err != nil {
				return math.NaN()
			}
			return float64(free)
		})
	}
	if n.billing != nil {
		all = append(all, prometheus.NewCounterFunc(prometheus.CounterOpts{Name: "carillon_stripe_alerts_total",
			Help: "Faults at Stripe that only the operator can mend; the log says which."},
			func() float64 { return float64(n.billing.Alerts()) }))
	}
	written("carillon_store_commits_total", "Durable commits.", func(s store.Stats) int64 { return s.Commits })
	written("carillon_store_writes_total", "Changes; by the commits, how many share one.", func(s store.Stats) int64 { return s.Writes })
	total("carillon_apns_dials_total", "Connections to Apple that were tried.", func(s push.Stats) int64 { return s.Dials })
	total("carillon_apns_failed_dials_total", "Connections to Apple that failed.", func(s push.Stats) int64 { return s.FailedDials })
	total("carillon_apns_resent_total", "Pushes sent again at once on another connection.", func(s push.Stats) int64 { return s.Resent })
	total("carillon_apns_hedged_total", "Pushes sent again because a connection went silent.", func(s push.Stats) int64 { return s.Hedged })
	total("carillon_apns_refused_streams_total", "Streams that Apple refused or ended with GOAWAY.",
		func(s push.Stats) int64 { return s.Refused })
	total("carillon_apns_goaways_total", "Connections that Apple said GOAWAY on.", func(s push.Stats) int64 { return s.GoAways })
	total("carillon_apns_lost_total", "Connections lost with pushes on them.", func(s push.Stats) int64 { return s.Lost })
	total("carillon_apns_evicted_total", "Credentials whose connections were closed to make room.",
		func(s push.Stats) int64 { return s.Evicted })
	return all
}
