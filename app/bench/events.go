package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"os"
	"slices"
	"text/tabwriter"
	"time"

	"carillon/tenants"
	"carillon/tenants/store"
)

// EventsReport is what `bench events` found: rings at a fixed rate, without and with the delivery
// of their events, and beside another process that sends as many and uses as much of the processor.
type EventsReport struct {
	Machine   string    `json:"machine"`
	Rings     float64   `json:"rings_per_second"`
	Without   RingRow   `json:"without"`
	With      RingRow   `json:"with"`
	Elsewhere RingRow   `json:"elsewhere"`
	Ratios    []float64 `json:"p99_ratios"` // of placing a ring, with to without, in each turn
	Ratio     float64   `json:"p99_ratio"`  // the median of them
	Together  float64   `json:"p99_ratio_together"`
	Low       float64   `json:"p99_ratio_together_low"` // of nine in ten draws of as many turns; see spread
	High      float64   `json:"p99_ratio_together_high"`
	Load      float64   `json:"p99_ratio_elsewhere"`    // elsewhere to without, all turns together
	Own       float64   `json:"p99_ratio_to_elsewhere"` // with to elsewhere
	LoadCPU   float64   `json:"elsewhere_cpu_us"`       // of the other process for an event
	Delivered int       `json:"delivered"`
	PerSecond float64   `json:"per_second"` // deliveries
	P50       float64   `json:"p50_ms"`     // from the fact to the receiver
	P99       float64   `json:"p99_ms"`
	Lost      int       `json:"lost"`
	Repeated  int       `json:"repeated"`
	CPU       float64   `json:"cpu_us"` // of the server for a delivery; 0 where the system does not say
}

// EventsConfig says how long to measure. The zero value measures sixteen turns of three seconds of
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
		c.Turns = 16
	}
	if c.Turn == 0 {
		c.Turn = 3 * time.Second
	}
	e := &events{rings: &rings{answered: map[string]time.Time{}}}
	dir, err := os.MkdirTemp("", "carillon-bench-")
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	if e.receiver, err = spawn(ctx, dir, nil, "bench", "receive"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.receiver.stop()) }()
	if e.sender, err = spawn(ctx, dir, nil, "bench", "send"); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.sender.stop()) }()
	if e.rings.stage, err = setUp(ctx, 1000, e.rings.hear, e.connect(c.Connections)); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, e.rings.stage.close()) }()
	r.Machine = Machine()
	if _, err := e.rings.pace(ctx, c.PerSecond, time.Second, tenants.MaxTTL); err != nil { // for caches
		return r, err
	}
	for i := range c.Turns {
		for k := range kinds { // none is always the first
			if err := e.turn(ctx, c, kind((int(k)+i)%int(kinds))); err != nil {
				return r, err
			}
		}
	}
	return r, e.report(ctx, c, &r)
}

// events is a run of the benchmark.
type events struct {
	rings            *rings
	receiver, sender *child
	connections      []tenants.ConnectionID

	turns [kinds][]turn
	busy  time.Duration // from the first ring of a turn to its last event
	spin  time.Duration // of the sender, after each event
}

// kind is what happens beside the rings of a turn.
type kind int

const (
	without   kind = iota // nothing: the connections are paused
	with                  // the server delivers their events
	elsewhere             // another process sends as many
	kinds
)

// turn is some seconds of rings.
type turn struct {
	placed []placed
	cpu    time.Duration // of the server
	load   time.Duration // of the sender
	sent   int           // by the sender
}

// all are the rings of all turns of a kind, and what was used for them.
func (e *events) all(k kind) (all turn) {
	for _, t := range e.turns[k] {
		all.placed = append(all.placed, t.placed...)
		all.cpu, all.load, all.sent = all.cpu+t.cpu, all.load+t.load, all.sent+t.sent
	}
	return all
}

func (e *events) turn(ctx context.Context, c EventsConfig, k kind) error {
	if err := e.set(ctx, k == with); err != nil {
		return err
	}
	start, t := time.Now(), turn{cpu: -e.rings.stage.server.cpu(), load: -e.sender.cpu()}
	sent := make(chan error, 1)
	go func() {
		var err error
		if k == elsewhere {
			t.sent, err = e.send(ctx, c)
		}
		sent <- err
	}()
	var err error
	t.placed, err = e.rings.pace(ctx, c.PerSecond, c.Turn, tenants.MaxTTL)
	if err := errors.Join(err, <-sent); err != nil {
		return err
	}
	e.rings.settle(ctx, t.placed)
	if k == with {
		last, err := e.settle(ctx, (len(e.all(with).placed)+len(t.placed))*len(eventsOfRing)*c.Connections)
		if err != nil {
			return err
		}
		e.busy += last.Sub(start)
	} else {
		time.Sleep(readsFacts)
	}
	t.cpu, t.load = t.cpu+e.rings.stage.server.cpu(), t.load+e.sender.cpu()
	e.turns[k] = append(e.turns[k], t)
	return nil
}

// usualSend is the sender's processor time for an event before anything is known of it.
const usualSend = 60 * time.Microsecond

// send has the sender send as many events as the server would, and use as much of the processor.
func (e *events) send(ctx context.Context, c EventsConfig) (n int, err error) {
	used := e.spin + usualSend
	if turns := e.turns[elsewhere]; len(turns) > 0 {
		last := turns[len(turns)-1]
		used = last.load / time.Duration(max(1, last.sent))
	}
	e.spin = max(0, e.spin+e.ofServer(c)-used)
	return sendElsewhere(ctx, e.sender.addr, sending{To: "http://" + e.receiver.addr + "/elsewhere",
		PerSecond: c.PerSecond * len(eventsOfRing) * c.Connections, For: c.Turn, Spin: e.spin})
}

// ofServer is the server's processor time for a delivery.
func (e *events) ofServer(c EventsConfig) time.Duration {
	a, b := e.all(without), e.all(with)
	if len(a.placed) == 0 || len(b.placed) == 0 {
		return 0
	}
	rings := a.cpu * time.Duration(len(b.placed)) / time.Duration(len(a.placed))
	return (b.cpu - rings) / time.Duration(len(b.placed)*len(eventsOfRing)*c.Connections)
}

// connect adds the connections, and lets the server reach the receiver.
func (e *events) connect(n int) func(context.Context, *stage, *store.Store) error {
	return func(ctx context.Context, s *stage, db *store.Store) error {
		s.env = append(s.env, "CARILLON_ALLOW_PRIVATE_TARGETS=127.0.0.0/8")
		for i := range n {
			c := tenants.Connection{ID: tenants.NewID[tenants.ConnectionID](time.Now()), Name: fmt.Sprint("Receiver ", i+1),
				URL: fmt.Sprintf("http://%s/%d", e.receiver.addr, i), Events: eventsOfRing, State: tenants.ConnectionPaused,
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

// settle waits until the receiver has this many events, or settles is over, and says when it took
// the last one.
func (e *events) settle(ctx context.Context, want int) (last time.Time, err error) {
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	give := time.After(settles)
	for {
		t, err := takenAt(ctx, e.receiver.addr, "/taken")
		if err != nil || t.Events >= want {
			return t.Last, err
		}
		select {
		case <-ctx.Done():
			return t.Last, ctx.Err()
		case <-give:
			return t.Last, nil
		case <-tick.C:
		}
	}
}

func (e *events) report(ctx context.Context, c EventsConfig, r *EventsReport) error {
	t, err := takenAt(ctx, e.receiver.addr, "/times")
	if err != nil {
		return err
	}
	var rows [kinds]RingRow
	answered := e.rings.answered // measure empties it
	for k := range kinds {
		e.rings.answered = maps.Clone(answered)
		e.rings.measure(&rows[k], e.all(k).placed)
	}
	r.Without, r.With, r.Elsewhere = rows[without], rows[with], rows[elsewhere]
	for i := range e.turns[without] {
		r.Ratios = append(r.Ratios, quotient(p99(e.turns[with][i].placed), p99(e.turns[without][i].placed)))
	}
	r.Ratio, r.Together = median(r.Ratios), quotient(r.With.P99, r.Without.P99)
	r.Load, r.Own = quotient(r.Elsewhere.P99, r.Without.P99), quotient(r.With.P99, r.Elsewhere.P99)
	r.Low, r.High = e.spread()
	r.Rings = float64(r.With.Count) / (c.Turn * time.Duration(c.Turns)).Seconds()
	r.Delivered, r.Lost, r.Repeated = t.Events, r.With.Count*len(eventsOfRing)*c.Connections-t.Events, t.Repeated
	r.PerSecond, r.P50, r.P99 = quotient(float64(t.Events), e.busy.Seconds()), t.P50, t.P99
	r.CPU = float64(e.ofServer(c).Nanoseconds()) / 1000
	beside := e.all(elsewhere)
	r.LoadCPU = quotient(float64(beside.load.Microseconds()), float64(beside.sent))
	return nil
}

// draws is how many ratios tell their spread.
const draws = 400

// spread is between which bounds nine in ten ratios are when turns are drawn at random, the same
// ones of both kinds: the p99 of some thousand rings hangs on a few of them, and the bounds say how
// much the ratio of one run means.
func (e *events) spread() (low, high float64) {
	n := len(e.turns[without])
	random := rand.New(rand.NewPCG(1, 1)) // the same draws for the same turns
	ratios := make([]float64, draws)
	for i := range ratios {
		var all [elsewhere][]placed
		for range n {
			turn := random.IntN(n)
			for kind := range all {
				all[kind] = append(all[kind], e.turns[kind][turn].placed...)
			}
		}
		ratios[i] = quotient(p99(all[with]), p99(all[without]))
	}
	slices.Sort(ratios)
	return ratios[draws/20], ratios[draws-1-draws/20]
}

func p99(all []placed) float64 {
	var took sample
	for _, p := range all {
		took = append(took, p.took)
	}
	return took.at(0.99)
}

// median is the middle one, or the mean of the two in the middle.
func median(of []float64) float64 {
	if len(of) == 0 {
		return 0
	}
	of = slices.Sorted(slices.Values(of))
	return (of[len(of)/2] + of[(len(of)-1)/2]) / 2
}

// Print writes the report as a table.
func (r EventsReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "events\trings\trings/s\tto 201: p50\tp95\tp99 ms\tlost\t")
	for i, x := range []RingRow{r.Without, r.With, r.Elsewhere} {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%d\t\n", []string{"without", "with", "elsewhere"}[i], x.Count, r.Rings, x.P50,
			x.P95, x.P99, x.Lost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\np99 of placing a ring, with to without: %.2f for all turns together, %.2f to %.2f for nine in ten draws of them;\n"+
		"%.2f, the median of %d turns (%.2f)\n", r.Together, r.Low, r.High, r.Ratio, len(r.Ratios), r.Ratios)
	fmt.Fprintf(w, "elsewhere: another process sends as many events to the same receiver, CPU %.0f µs each; to without %.2f, "+
		"with to it %.2f\n", r.LoadCPU, r.Load, r.Own)
	_, err := fmt.Fprintf(w, "deliveries: %d, %.0f a second, p50 %.0f ms and p99 %.0f ms after their fact, %d lost, %d repeated, "+
		"CPU %.0f µs each\n", r.Delivered, r.PerSecond, r.P50, r.P99, r.Lost, r.Repeated, r.CPU)
	return err
}

// PrintJSON writes the report as one JSON line.
func (r EventsReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
