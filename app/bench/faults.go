package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// FaultsReport is what `bench faults` found.
type FaultsReport struct {
	Machine string     `json:"machine"`
	Rows    []FaultRow `json:"rows"`
}

// FaultRow is one fault on one path. The Sender's times end when it says Apple's answer; the
// server's when Apple has the push.
type FaultRow struct {
	Fault    string  `json:"fault"`
	Count    int     `json:"count"`      // rings
	Lost     int     `json:"lost"`       // that Apple never took
	Repeated int     `json:"repeated"`   // that came under another apns-id too
	Slowest  float64 `json:"slowest_ms"` // from when it was due
	OK       bool    `json:"ok"`
	Figure   string  `json:"figure"`
	Target   string  `json:"target"`
}

// FaultsConfig says what to measure. The zero value measures everything as issue 4 asks.
type FaultsConfig struct {
	Only   string // faults with this in their name; empty = all
	Shrink int    // counts and stretches of time are divided by it, for tests; 0 = 1
}

// count shrinks a number of rings.
func (c FaultsConfig) count(n int) int { return max(1, n/max(1, c.Shrink)) }

// span shrinks a stretch of time.
func (c FaultsConfig) span(d time.Duration) time.Duration { return d / time.Duration(max(1, c.Shrink)) }

// fault is one thing that goes wrong.
type fault struct {
	name, target string
	run          func(context.Context, FaultsConfig) (FaultRow, error)
}

// faults lists what goes wrong, in the order of the report.
func faults() []fault {
	var list []fault
	for _, f := range []struct {
		name, target string
		run          func(context.Context, FaultsConfig, *loadPath) (FaultRow, error)
	}{
		{"cold burst of 200, 30 ms away", "slowest ≤ 150 ms", coldBurst},
		{"the connection falls silent under 100/s", "none later than 1 s", silence},
		{"GOAWAY every 300 of 2,000, polite", "0 lost, 0 under another apns-id", polite},
		{"GOAWAY every 300 of 2,000, abrupt", "0 lost, 0 under another apns-id", abrupt},
		{"503 for 3 s under 100/s", "0 lost, all within 5 s of its end", storm},
		{"another's ids with a wrong key", "victim: 0 refused", wrongKey},
	} {
		list = append(list, fault{f.name + " (Sender alone)", f.target, func(ctx context.Context, c FaultsConfig) (FaultRow, error) {
			r, err := senderPath(2, 1, nil)
			return on(ctx, c, r, err, f.run)
		}}, fault{f.name + " (server)", f.target, func(ctx context.Context, c FaultsConfig) (FaultRow, error) {
			r, err := serverPath(ctx, population{tenants: 2, devices: c.count(200), thief: 1})
			return on(ctx, c, r, err, f.run)
		}})
	}
	for _, f := range floods() {
		list = append(list, fault{f.name + " beside B 5/s (server)", "B: p99 ≤ idle + 50 ms, no 429", besieged(f)})
	}
	const quiet = "B: p99 ≤ idle + 25 ms, no 429"
	return append(list,
		fault{"50 teams, pool of 20 (Sender alone)", "0 on another's connection, ≤ 80 open, 0 leaked", manyTeams},
		fault{"ten phones fail by themselves (Sender alone)", "others ≤ 1 s, a ring ≤ 4 pushes", badTokens},
		fault{"A 1,000/s beside B 5/s (Sender alone)", quiet, floodedSender},
		fault{"A 1,000/s beside B 5/s (server, no limits)", quiet, floodedServer()},
		fault{"A 1,000/s beside B 5/s (server, 20/s a tenant)", quiet, floodedServer("CARILLON_RINGS_PER_SECOND=20")},
		fault{"wrong environment for 1,000 devices (server)", "≤ 1 % disabled, an alert", wrongEnvironment},
		fault{"400 streams, 60 sign-ins, 20 uploads (server)", "peak ≤ 256 MiB, 0 lost", crowded},
		fault{"sustained at concurrency 100 (Sender alone)", "≥ 0.90 of bare", sustained},
	)
}

// FaultNames lists what can go wrong, in the order of the report.
func FaultNames() []string {
	var names []string
	for _, f := range faults() {
		names = append(names, f.name)
	}
	return names
}

// on runs a fault on a path, and closes it.
func on(ctx context.Context, c FaultsConfig, r *loadPath, err error,
	run func(context.Context, FaultsConfig, *loadPath) (FaultRow, error)) (FaultRow, error) {
	if err != nil {
		return FaultRow{}, err
	}
	row, err := run(ctx, c, r)
	return row, errors.Join(err, r.close())
}

// Faults makes the failures that happen between us and Apple happen, one after the other, each with
// its own simulated Apple.
func Faults(ctx context.Context, c FaultsConfig) (FaultsReport, error) {
	r := FaultsReport{Machine: Machine()}
	for _, f := range faults() {
		if !strings.Contains(f.name, c.Only) {
			continue
		}
		row, err := f.run(ctx, c)
		if err != nil {
			return r, fmt.Errorf("%s: %w", f.name, err)
		}
		row.Fault, row.Target = f.name, f.target
		r.Rows = append(r.Rows, row)
	}
	if len(r.Rows) == 0 {
		return r, fmt.Errorf("no fault has %q in its name", c.Only)
	}
	return r, nil
}

// fill puts a tally into a row.
func (t tally) fill(row *FaultRow) {
	row.Count, row.Lost, row.Repeated, row.Slowest = t.count, t.lost, t.repeated, t.took.at(1)
}

// Print writes the report as a table.
func (r FaultsReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\nTimes are from when a ring was due: of the Sender alone until it knows Apple's answer, of "+
		"the server until Apple has the push.\n\n", r.Machine)
	return printFaults(w, r.Rows)
}

func printFaults(w io.Writer, rows []FaultRow) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "fault\trings\tlost\trepeated\tslowest ms\ttarget\tfigure\tok")
	for _, x := range rows {
		fmt.Fprintf(t, "%s\t%d\t%d\t%d\t%.1f\t%s\t%s\t%s\n", x.Fault, x.Count, x.Lost, x.Repeated, x.Slowest, x.Target,
			x.Figure, verdict(x.OK))
	}
	return t.Flush()
}

// PrintJSON writes the report as one JSON line.
func (r FaultsReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
