package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"text/tabwriter"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// EventsReport is what `bench events` found: rings at a fixed rate, without and with the delivery
// of their events.
type EventsReport struct {
	Machine   string  `json:"machine"`
	Rings     float64 `json:"rings_per_second"`
	Without   RingRow `json:"without"`
	With      RingRow `json:"with"`
	Ratio     float64 `json:"p99_ratio"` // of placing a ring, with to without
	Delivered int     `json:"delivered"`
	PerSecond float64 `json:"per_second"` // deliveries
	P50       float64 `json:"p50_ms"`     // from the fact to the receiver
	P99       float64 `json:"p99_ms"`
	Lost      int     `json:"lost"`
	Repeated  int     `json:"repeated"`
	CPU       float64 `json:"cpu_us"` // of the server for a delivery; 0 where the system does not say
}

// EventsConfig says how long to measure. The zero value measures three turns of five seconds of
// each kind, with a hundred rings a second whose two events go to five connections each: a thousand
// deliveries a second.
type EventsConfig struct {
	Connections, PerSecond, Turns int
	Turn                          time.Duration
}

// eventsOfRing are the events that a ring has while nobody answers it.
var eventsOfRing = []tenants.EventKind{tenants.EventRingPlaced, tenants.EventRingAccepted}

// readsFacts is longer than a server without active connections waits until it passes new facts.
const readsFacts = 2 * time.Second

// Events measures how the delivery of events bears on placing rings.
func Events(ctx context.Context, c EventsConfig) (r EventsReport, err error) {
	if c.Connections == 0 {
		c.Connections = 5
	}
	if c.PerSecond == 0 {
		c.PerSecond = 100
	}
	if c.Turns == 0 {
		c.Turns = 3
	}
	if c.Turn == 0 {
		c.Turn = 5 * time.Second
	}
	e := &events{rings: &rings{answered: map[string]time.Time{}}, took: map[string]int{}}
	if err := e.listen(); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.receiver.Close()) }()
	if e.rings.stage, err = setUp(ctx, 1000, e.rings.hear, e.connect(c.Connections)); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.rings.stage.close()) }()
	r.Machine = Machine()
	if _, err := e.rings.pace(ctx, c.PerSecond, time.Second, tenants.MaxTTL); err != nil { // for caches
		return r, err
	}
	var without, with []placed
	var busy time.Duration
	cpu := map[bool]time.Duration{}
	for range c.Turns {
		for _, active := range []bool{false, true} {
			if err := e.set(ctx, active); err != nil {
				return r, err
			}
			start, before := time.Now(), e.rings.stage.server.cpu()
			all, err := e.rings.pace(ctx, c.PerSecond, c.Turn, tenants.MaxTTL)
			if err != nil {
				return r, err
			}
			e.rings.settle(ctx, all)
			if active {
				with = append(with, all...)
				e.settle(ctx, len(with)*len(eventsOfRing)*c.Connections)
				busy += e.lastAt().Sub(start)
			} else {
				without = append(without, all...)
				time.Sleep(readsFacts)
			}
			cpu[active] += e.rings.stage.server.cpu() - before
		}
	}
	answered := maps.Clone(e.rings.answered) // measure empties it
	e.rings.measure(&r.Without, without)
	e.rings.answered = answered
	e.rings.measure(&r.With, with)
	r.Rings = float64(len(with)) / (c.Turn * time.Duration(c.Turns)).Seconds()
	r.Ratio = quotient(r.With.P99, r.Without.P99)
	e.report(&r, len(with)*len(eventsOfRing)*c.Connections, busy)
	r.CPU = quotient(float64((cpu[true] - cpu[false]).Microseconds()), float64(r.Delivered))
	return r, nil
}

// events is a run of the benchmark.
type events struct {
	rings       *rings
	receiver    *http.Server
	addr        string
	connections []tenants.ConnectionID

	mu   sync.Mutex // guards the rest
	took map[string]int
	late sample
	last time.Time
}

// listen starts the receiver of all connections.
func (e *events) listen() error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	e.addr = l.Addr().String()
	e.receiver = &http.Server{Handler: http.HandlerFunc(e.take), ReadHeaderTimeout: 10 * time.Second}
	go func() { _ = e.receiver.Serve(l) }() // until Close
	return nil
}

func (e *events) take(w http.ResponseWriter, q *http.Request) {
	now := time.Now()
	var body struct{ Timestamp time.Time }
	text, err := io.ReadAll(io.LimitReader(q.Body, 64<<10))
	if err == nil {
		err = json.Unmarshal(text, &body)
	}
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.took[q.Header.Get("webhook-id")]++
	e.late, e.last = append(e.late, now.Sub(body.Timestamp)), now
}

// connect adds the connections, and lets the server reach the receiver.
func (e *events) connect(n int) func(context.Context, *stage, *store.Store) error {
	return func(ctx context.Context, s *stage, db *store.Store) error {
		s.env = append(s.env, "CARILLON_ALLOW_PRIVATE_TARGETS=127.0.0.0/8")
		for i := range n {
			c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](time.Now()), Name: fmt.Sprint("Receiver ", i+1),
				URL: fmt.Sprintf("http://%s/%d", e.addr, i), Events: eventsOfRing, State: tenants.ConnectionPaused,
				CreatedAt: time.Now()}.Clean()
			if _, err := db.For(s.tenant).Connections().Add(ctx, c); err != nil {
				return err
			}
			e.connections = append(e.connections, c.ID)
		}
		return nil
	}
}

// set makes the connections active or paused.
func (e *events) set(_ context.Context, active bool) error {
	state := tenants.ConnectionPaused
	if active {
		state = tenants.ConnectionActive
	}
	c, err := dial(e.rings.stage.server.addr)
	if err != nil {
		return err
	}
	defer c.close()
	for _, id := range e.connections {
		status, answer, err := c.ask(request("PATCH", "/v1/connections/"+string(id), string([]byte(e.rings.stage.key)),
			fmt.Appendf(nil, `{"state":%q}`, state)))
		if err == nil && status != http.StatusOK {
			err = fmt.Errorf("%d: %s", status, answer)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// settle waits until the receiver has this many events, or settles is over.
func (e *events) settle(ctx context.Context, want int) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	give := time.After(settles)
	for e.count() < want {
		select {
		case <-ctx.Done():
			return
		case <-give:
			return
		case <-tick.C:
		}
	}
}

func (e *events) count() int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return len(e.took)
}

func (e *events) lastAt() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.last
}

func (e *events) report(r *EventsReport, want int, busy time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	r.Delivered, r.Lost = len(e.took), want-len(e.took)
	for _, n := range e.took {
		r.Repeated += n - 1
	}
	r.PerSecond = quotient(float64(r.Delivered), busy.Seconds())
	r.P50, r.P99 = e.late.at(0.50), e.late.at(0.99)
}

// Print writes the report as a table.
func (r EventsReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "events\trings\trings/s\tto 201: p50\tp95\tp99 ms\tlost\t")
	for i, x := range []RingRow{r.Without, r.With} {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t\n", []string{"without", "with"}[i], x.Count, r.Rings, x.P50, x.P95,
			x.P99, x.Lost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\np99 of placing a ring, with to without: %.2f\ndeliveries: %d, %.0f a second, p50 %.0f ms and p99 "+
		"%.0f ms "+
		"after their fact, %d lost, %d repeated, CPU %.0f µs each\n", r.Ratio, r.Delivered, r.PerSecond, r.P50, r.P99, r.Lost,
		r.Repeated, r.CPU)
	return err
}

// PrintJSON writes the report as one JSON line.
func (r EventsReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
