package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"carillon/tenants"
)

// NodesReport is what `bench nodes` found.
type NodesReport struct {
	Machine string     `json:"machine"`
	Rows    []NodesRow `json:"rows"`
	Bytes   float64    `json:"bytes_per_ring"` // of PostgreSQL's database, indexes included
	Ratio   float64    `json:"cpu_to_sqlite"`  // the worst at a rate that was kept
	OK      bool       `json:"ok"`
	Faults  []FaultRow `json:"faults"`
}

// NodesRow is a number of nodes at full load, and at fixed rates. What is used is per ring.
type NodesRow struct {
	Name      string  `json:"name"`
	Nodes     int     `json:"nodes"`
	Count     int     `json:"count"`
	PerSecond float64 `json:"per_second"`
	P50       float64 `json:"p50_ms"` // until 201
	P99       float64 `json:"p99_ms"`
	AppleP50  float64 `json:"apple_p50_ms"` // until Apple has answered
	AppleP99  float64 `json:"apple_p99_ms"`
	Lost      int     `json:"lost"`
	CPU       float64 `json:"cpu_us"` // of all nodes and NATS
	Ratio     float64 `json:"cpu_to_sqlite"`

	NATSCPU     float64 `json:"nats_cpu_us"`
	PostgresCPU float64 `json:"postgres_cpu_us"` // 0 where it is another's
	Messages    float64 `json:"nats_messages"`   // that NATS passed on
	Commits     float64 `json:"postgres_commits"`
	Log         float64 `json:"postgres_log_bytes"`

	Paced []PacedRow `json:"paced"`
}

// PacedRow is a number of nodes at a fixed rate. What is used is per ring.
type PacedRow struct {
	Rate        int     `json:"rate"`       // rings a second that were asked for
	PerSecond   float64 `json:"per_second"` // and that were placed
	Kept        bool    `json:"kept"`       // the rate was kept
	CPU         float64 `json:"cpu_us"`     // of all nodes and NATS
	NATSCPU     float64 `json:"nats_cpu_us"`
	PostgresCPU float64 `json:"postgres_cpu_us"`
	Commits     float64 `json:"postgres_commits"`
	Ratio       float64 `json:"cpu_to_sqlite"` // at the same rate
}

// NodesConfig says how to measure. The zero value measures three turns of two seconds with 1, 2 and
// 3 nodes, and all faults.
type NodesConfig struct {
	Database string // postgres://… of an empty database; empty = a PostgreSQL of our own
	Nodes    []int
	Turns    int
	Turn     time.Duration
	At       int    // connections at full load; 0 = 100
	Rates    []int  // rings a second of the fixed rates; empty = 200 and 1,000
	Faults   bool   // also the faults
	Only     string // faults with this in their name; empty = all
	Shrink   int    // stretches of time and numbers of calls in faults are divided by it; 0 = 1
}

func (c *NodesConfig) fill() {
	if len(c.Nodes) == 0 {
		c.Nodes = []int{1, 2, 3}
	}
	if c.Turns == 0 {
		c.Turns = 3
	}
	if c.Turn == 0 {
		c.Turn = 2 * time.Second
	}
	if c.At == 0 {
		c.At = 100
	}
	if len(c.Rates) == 0 {
		c.Rates = []int{200, 1000}
	}
	c.Shrink = max(1, c.Shrink)
}

const (
	// ratioMost is how much more processor time a ring may take on nodes than on SQLite, at the
	// same rings a second. At full load the two are not alike: SQLite then writes many more rings
	// at once, and nodes share the machine with PostgreSQL and NATS.
	ratioMost = 1.5
	// keptFrom is the part of a fixed rate from which on it counts as kept. Below it the machine is
	// full, and the row is like one at full load.
	keptFrom = 0.95
)

// Nodes measures rings on several nodes beside one node on SQLite, in turns, and then what becomes
// of rings and calls when something goes wrong with three nodes.
func Nodes(ctx context.Context, c NodesConfig) (r NodesReport, err error) {
	c.fill()
	r.Machine = Machine()
	if err := r.measure(ctx, c); err != nil {
		return r, err
	}
	if c.Faults {
		r.Faults, err = nodeFaults(ctx, c)
	}
	return r, err
}

// measure fills in the rows.
func (r *NodesReport) measure(ctx context.Context, c NodesConfig) (err error) {
	lite := &rings{answered: map[string]time.Time{}}
	if lite.stage, err = setUp(ctx, 1000, lite.hear); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, lite.stage.close()) }()
	many := &rings{answered: map[string]time.Time{}}
	cl, err := newCluster(ctx, c.Database, 1000, many.hear)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, cl.close()) }()
	many.stage = cl.stage
	empty, err := cl.used(ctx)
	if err != nil {
		return err
	}
	runs := []*nodesRun{{rings: lite, name: "SQLite, 1 node", nodes: 1}}
	for _, n := range c.Nodes {
		runs = append(runs, &nodesRun{rings: many, cluster: cl, name: fmt.Sprintf("PostgreSQL, nodes: %d", n), nodes: n})
	}
	// The fixed rates come first: what a turn at full load leaves to do, such as to count its rings
	// and to end them, is not theirs.
	for _, turn := range []func(*nodesRun, context.Context, NodesConfig) error{(*nodesRun).paces, (*nodesRun).full} {
		for range c.Turns {
			for _, run := range runs {
				if err := turn(run, ctx, c); err != nil {
					return err
				}
			}
		}
	}
	for _, run := range runs {
		r.Rows = append(r.Rows, run.row(c))
	}
	r.compare()
	full, err := cl.used(ctx)
	r.Bytes = quotient(float64(full.figures.Sub(empty.figures).Bytes), float64(many.placed))
	return err
}

// compare fills in the ratios to the first row.
func (r *NodesReport) compare() {
	for i := range r.Rows {
		x := &r.Rows[i]
		x.Ratio = quotient(x.CPU, r.Rows[0].CPU)
		for j := range x.Paced {
			p, lite := &x.Paced[j], r.Rows[0].Paced[j]
			if p.Ratio = quotient(p.CPU, lite.CPU); i > 0 && p.Kept && lite.Kept {
				r.Ratio = max(r.Ratio, p.Ratio)
			}
		}
	}
	r.OK = r.Ratio > 0 && r.Ratio <= ratioMost
}

// nodesRun is one row while it is measured.
type nodesRun struct {
	*rings
	cluster *cluster // nil = SQLite
	name    string
	nodes   int

	count, lost    int
	to201, toApple sample // at full load
	used           used   // at full load
	paced          []pacedRun
}

// pacedRun is a fixed rate of a row while it is measured.
type pacedRun struct {
	count int
	took  time.Duration
	used  used
}

// begins has as many nodes run as the row has, and warms up connections, caches and prepared
// statements.
func (n *nodesRun) begins(ctx context.Context, c NodesConfig) error {
	if n.cluster != nil {
		if err := n.cluster.scale(ctx, n.nodes); err != nil {
			return err
		}
		n.rings.nodes = n.cluster.addresses()
	}
	got, err := n.pace(ctx, c.Rates[0], c.Turn/2, tenants.MaxTTL)
	n.settle(ctx, got)
	n.missing(got)
	return err
}

// paces is one turn at each fixed rate.
func (n *nodesRun) paces(ctx context.Context, c NodesConfig) error {
	if err := n.begins(ctx, c); err != nil {
		return err
	}
	if n.paced == nil {
		n.paced = make([]pacedRun, len(c.Rates))
	}
	for i, rate := range c.Rates {
		if err := n.turnAt(ctx, rate, c.Turn, &n.paced[i]); err != nil {
			return err
		}
	}
	return nil
}

// full is one turn at full load.
func (n *nodesRun) full(ctx context.Context, c NodesConfig) error {
	if err := n.begins(ctx, c); err != nil {
		return err
	}
	before, err := n.look(ctx)
	if err != nil {
		return err
	}
	got, err := n.rings.turn(ctx, c.At, c.Turn, n.ours())
	if err != nil {
		return err
	}
	n.settle(ctx, got)
	after, err := n.look(ctx)
	if err != nil {
		return err
	}
	n.used.add(before, after)
	n.gather(got)
	return nil
}

// turnAt is one turn at a fixed rate.
func (n *nodesRun) turnAt(ctx context.Context, rate int, d time.Duration, p *pacedRun) error {
	before, err := n.look(ctx)
	if err != nil {
		return err
	}
	start := time.Now()
	got, err := n.pace(ctx, rate, d, tenants.MaxTTL)
	if err != nil {
		return err
	}
	p.took += max(d, time.Since(start))
	n.settle(ctx, got)
	after, err := n.look(ctx)
	if err != nil {
		return err
	}
	p.used.add(before, after)
	p.count += len(got)
	n.missing(got)
	return nil
}

// gather adds the times of rings at full load, and counts the rings that Apple never saw.
func (n *nodesRun) gather(full []placed) {
	n.count += len(full)
	n.mu.Lock()
	for _, p := range full {
		n.to201 = append(n.to201, p.took)
		if at, ok := n.answered[p.id]; ok {
			n.toApple = append(n.toApple, at.Sub(p.start))
		}
	}
	n.mu.Unlock()
	n.missing(full)
}

// missing counts the rings that Apple never saw, and forgets the others.
func (n *nodesRun) missing(all []placed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, p := range all {
		if _, ok := n.answered[p.id]; !ok {
			n.lost++
		}
	}
	clear(n.answered)
}

// look is what was used so far.
func (n *nodesRun) look(ctx context.Context) (used, error) {
	if n.cluster == nil {
		return used{nodes: n.stage.server.cpu()}, nil
	}
	return n.cluster.used(ctx)
}

// row is what the turns came to.
func (n *nodesRun) row(c NodesConfig) NodesRow {
	rings := float64(n.count)
	row := NodesRow{
		Name: n.name, Nodes: n.nodes, Count: n.count, PerSecond: rings / (c.Turn * time.Duration(c.Turns)).Seconds(),
		P50: n.to201.at(0.50), P99: n.to201.at(0.99), AppleP50: n.toApple.at(0.50), AppleP99: n.toApple.at(0.99), Lost: n.lost,
		CPU: micros(n.used.nodes+n.used.nats, n.count), NATSCPU: micros(n.used.nats, n.count),
		PostgresCPU: micros(n.used.postgres, n.count),
		Messages:    quotient(float64(n.used.messages.Out), rings), Commits: quotient(float64(n.used.figures.Commits), rings),
		Log: quotient(float64(n.used.figures.Log), rings),
	}
	for i, p := range n.paced {
		x := PacedRow{Rate: c.Rates[i], PerSecond: float64(p.count) / p.took.Seconds(),
			CPU: micros(p.used.nodes+p.used.nats, p.count), NATSCPU: micros(p.used.nats, p.count),
			PostgresCPU: micros(p.used.postgres, p.count), Commits: quotient(float64(p.used.figures.Commits), float64(p.count))}
		x.Kept = x.PerSecond >= keptFrom*float64(x.Rate)
		row.Paced = append(row.Paced, x)
	}
	return row
}

// micros is the time of one of n.
func micros(d time.Duration, n int) float64 { return quotient(float64(d.Microseconds()), float64(n)) }

// Print writes the report as tables.
func (r NodesReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\nRings at fixed rates, the same for all rows. What is used is per ring; CPU is that of all nodes and NATS, "+
		"without PostgreSQL.\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\tasked/s\trings/s\tCPU µs\tto SQLite\tof it NATS µs\tPostgreSQL CPU µs\tcommits\t")
	for i := range r.Rows[0].Paced {
		for _, x := range r.Rows {
			p := x.Paced[i]
			said := fmt.Sprintf("%.2f", p.Ratio)
			if !p.Kept {
				said += " (rate not kept)"
			}
			fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%s\t%.0f\t%.0f\t%.2f\t\n", x.Name, p.Rate, p.PerSecond, p.CPU, said, p.NATSCPU,
				p.PostgresCPU, p.Commits)
		}
	}
	if err := t.Flush(); err != nil {
		return err
	}
	said := fmt.Sprintf("%s, %.2f at most", verdict(r.OK), r.Ratio)
	if r.Ratio == 0 {
		said = "not measured, this machine kept no rate"
	}
	fmt.Fprintf(w, "\ntarget: CPU ≤ %.1f × that of SQLite at each rate that is kept: %s\n", ratioMost, said)
	return r.printFull(w)
}

// printFull writes what happens at full load, and the faults.
func (r NodesReport) printFull(w io.Writer) error {
	fmt.Fprint(w, "\nAt full load. The rates differ, and nodes, PostgreSQL, NATS, Apple and the program that asks share this "+
		"machine: the CPU of a row says little about another's.\n\n")
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trings\trings/s\tto 201: p50\tp99 ms\tto Apple: p50\tp99 ms\tlost\tCPU µs\tto SQLite\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%.0f\t%.2f\t\n", x.Name, x.Count, x.PerSecond, x.P50, x.P99,
			x.AppleP50, x.AppleP99, x.Lost, x.CPU, x.Ratio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	t = tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "per ring\tNATS CPU µs\tNATS messages\tPostgreSQL CPU µs\tcommits\tlog bytes\t")
	for _, x := range r.Rows[1:] {
		fmt.Fprintf(t, "%s\t%.0f\t%.1f\t%.0f\t%.2f\t%.0f\t\n", x.Name, x.NATSCPU, x.Messages, x.PostgresCPU, x.Commits, x.Log)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\nThe database of PostgreSQL grew by %.0f bytes per ring.\n", r.Bytes)
	if len(r.Faults) == 0 {
		return nil
	}
	fmt.Fprintf(w, "\nThree nodes with %d rings a second and %d calls. Times are from when a ring was due until Apple has the push.\n\n",
		faultRate, faultCalls)
	return printFaults(w, r.Faults)
}

// PrintJSON writes the report as one JSON line.
func (r NodesReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
