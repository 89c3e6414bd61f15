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
	Ratio   float64    `json:"cpu_to_sqlite"`  // at pacedRate, the worst of the rows
	OK      bool       `json:"ok"`
	Faults  []FaultRow `json:"faults"`
}

// NodesRow is a number of nodes at full load, and paced. What is used is per ring.
type NodesRow struct {
	Name       string  `json:"name"`
	Nodes      int     `json:"nodes"`
	Count      int     `json:"count"`
	PerSecond  float64 `json:"per_second"`
	P50        float64 `json:"p50_ms"` // until 201
	P99        float64 `json:"p99_ms"`
	AppleP50   float64 `json:"apple_p50_ms"` // until Apple has answered
	AppleP99   float64 `json:"apple_p99_ms"`
	Lost       int     `json:"lost"`
	CPU        float64 `json:"cpu_us"`       // of all nodes and NATS
	PacedCPU   float64 `json:"paced_cpu_us"` // the same at pacedRate
	Ratio      float64 `json:"cpu_to_sqlite"`
	PacedRatio float64 `json:"paced_cpu_to_sqlite"`

	NATSCPU     float64 `json:"nats_cpu_us"`
	PostgresCPU float64 `json:"postgres_cpu_us"` // 0 where it is another's
	Messages    float64 `json:"nats_messages"`   // that NATS passed on
	Commits     float64 `json:"postgres_commits"`
	Log         float64 `json:"postgres_log_bytes"`
}

// NodesConfig says how to measure. The zero value measures three turns of two seconds with 1, 2 and
// 3 nodes, and all faults.
type NodesConfig struct {
	Database string // postgres://… of an empty database; empty = a PostgreSQL of our own
	Nodes    []int
	Turns    int
	Turn     time.Duration
	At       int    // connections at full load; 0 = 100
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
	c.Shrink = max(1, c.Shrink)
}

const (
	pacedRate = 200 // rings a second
	// ratioMost is how much more processor time a ring may take on nodes than on SQLite, at the
	// same rings a second. At full load the two are not alike: SQLite then writes many more rings
	// at once.
	ratioMost = 1.5
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
	for range c.Turns {
		for _, run := range runs {
			if err := run.turn(ctx, c); err != nil {
				return err
			}
		}
	}
	for _, run := range runs {
		r.Rows = append(r.Rows, run.row(c))
	}
	for i := range r.Rows {
		x := &r.Rows[i]
		x.Ratio, x.PacedRatio = quotient(x.CPU, r.Rows[0].CPU), quotient(x.PacedCPU, r.Rows[0].PacedCPU)
		r.Ratio = max(r.Ratio, x.PacedRatio)
	}
	full, err := cl.used(ctx)
	r.Bytes = quotient(float64(full.figures.Sub(empty.figures).Bytes), float64(many.placed))
	r.OK = r.Ratio <= ratioMost
	return err
}

// nodesRun is one row while it is measured.
type nodesRun struct {
	*rings
	cluster *cluster // nil = SQLite
	name    string
	nodes   int

	count, paced, lost int
	to201, toApple     sample // at full load
	used, slow         used   // at full load, and paced
}

// turn is one turn at full load and one paced.
func (n *nodesRun) turn(ctx context.Context, c NodesConfig) error {
	if n.cluster != nil {
		if err := n.cluster.scale(ctx, n.nodes); err != nil {
			return err
		}
		n.rings.nodes = n.cluster.addresses()
	}
	if _, err := n.rings.turn(ctx, 10, c.Turn/4, n.ours()); err != nil { // connections, caches and prepared statements
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
	middle, err := n.look(ctx)
	if err != nil {
		return err
	}
	slow, err := n.pace(ctx, pacedRate, c.Turn, tenants.MaxTTL)
	if err != nil {
		return err
	}
	n.settle(ctx, slow)
	after, err := n.look(ctx)
	if err != nil {
		return err
	}
	n.used.add(before, middle)
	n.slow.add(middle, after)
	n.gather(got, slow)
	return nil
}

// gather adds the times of rings at full load, and counts the rings that Apple never saw.
func (n *nodesRun) gather(full, paced []placed) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.count, n.paced = n.count+len(full), n.paced+len(paced)
	for _, p := range full {
		n.to201 = append(n.to201, p.took)
		if at, ok := n.answered[p.id]; ok {
			n.toApple = append(n.toApple, at.Sub(p.start))
		} else {
			n.lost++
		}
	}
	for _, p := range paced {
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
	rings, paced := float64(n.count), float64(n.paced)
	each := func(d time.Duration) float64 { return quotient(float64(d.Microseconds()), rings) }
	return NodesRow{
		Name: n.name, Nodes: n.nodes, Count: n.count, PerSecond: rings / (c.Turn * time.Duration(c.Turns)).Seconds(),
		P50: n.to201.at(0.50), P99: n.to201.at(0.99), AppleP50: n.toApple.at(0.50), AppleP99: n.toApple.at(0.99), Lost: n.lost,
		CPU: each(n.used.nodes + n.used.nats), NATSCPU: each(n.used.nats), PostgresCPU: each(n.used.postgres),
		PacedCPU: quotient(float64((n.slow.nodes + n.slow.nats).Microseconds()), paced),
		Messages: quotient(float64(n.used.messages.Out), rings), Commits: quotient(float64(n.used.figures.Commits), rings),
		Log: quotient(float64(n.used.figures.Log), rings),
	}
}

// Print writes the report as tables.
func (r NodesReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\nRings at full load; what is used is per ring. CPU is that of all nodes and NATS, without PostgreSQL, at full "+
		"load and at %d rings a second.\n\n", r.Machine, pacedRate)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "\trings\trings/s\tto 201: p50\tp99 ms\tto Apple: p50\tp99 ms\tlost\tCPU µs\tto SQLite\tpaced CPU µs\tto SQLite\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%d\t%.0f\t%.2f\t%.0f\t%.2f\t\n", x.Name, x.Count, x.PerSecond, x.P50, x.P99,
			x.AppleP50, x.AppleP99, x.Lost, x.CPU, x.Ratio, x.PacedCPU, x.PacedRatio)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\ntarget: CPU ≤ %.1f × that of SQLite at the same %d rings a second: %s\n\n", ratioMost, pacedRate, verdict(r.OK))
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
