package app

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"carillon/app/bench"
	"carillon/tenants"
)

// benchCmd measures this machine.
type benchCmd struct {
	Rings  benchRingsCmd  `cmd:"" help:"Rings placed, committed and pushed, beside a bare apns2 loop."`
	Calls  benchCallsCmd  `cmd:"" help:"Calls answered and echoed, beside Pion's bare echo."`
	Soak   benchSoakCmd   `cmd:"" help:"Calls of each kind that stay, and calls that come and go: what they leave behind."`
	Pages  benchPagesCmd  `cmd:"" help:"Every page of the console on a database with many rings."`
	Events benchEventsCmd `cmd:"" help:"Rings beside the delivery of their events, and without it."`
	Faults benchFaultsCmd `cmd:"" help:"What goes wrong between us and Apple, and what becomes of the rings."`
	Sweep  benchSweepCmd  `cmd:"" help:"Rings that nobody answers: how late they end, and what becomes of them when the server is killed."`
	Nodes  benchNodesCmd  `cmd:"" help:"Rings on several nodes beside one on SQLite, and what goes wrong with them."`
	NATS   benchNATSCmd   `cmd:"" name:"nats" hidden:"" help:"Serve NATS; bench nodes starts it."`
	Node   benchNodeCmd   `cmd:"" hidden:"" help:"Serve with a wrong clock; bench nodes starts it."`
	Taker  benchTakerCmd  `cmd:"" name:"receive" hidden:"" help:"Serve the receiver of events; bench events starts it."`
	Sender benchSenderCmd `cmd:"" name:"send" hidden:"" help:"Serve a sender of events; bench events starts it."`
	Stock  benchStockCmd  `cmd:"" hidden:"" help:"Serve a push server that stores nothing; bench rings starts it."`
	Store  benchStoreCmd  `cmd:"" hidden:"" help:"Write the rows of rings and nothing else; bench rings starts it."`
	Bare   benchBareCmd   `cmd:"" hidden:"" help:"Serve Pion's bare echo; bench calls starts it."`
}

// bound is the range of a number: lower values measure nothing, higher ones overload the machine.
type bound[T int | time.Duration] struct {
	flag      string
	is        T
	low, high T
}

// check reports every flag that is out of its range.
func check[T int | time.Duration](bounds ...bound[T]) error {
	var f []error
	for _, b := range bounds {
		if b.is < b.low || b.is > b.high {
			f = append(f, fmt.Errorf("%s must be from %v to %v, not %v", b.flag, b.low, b.high, b.is))
		}
	}
	return errors.Join(f...)
}

// each checks every number of a list, which must not be empty.
func each(flag string, list []int, high int) error {
	if len(list) == 0 {
		return fmt.Errorf("%s needs a number, or several separated by commas", flag)
	}
	var bounds []bound[int]
	for _, n := range list {
		bounds = append(bounds, bound[int]{flag, n, 1, high})
	}
	return check(bounds...)
}

// The ranges.
const (
	mostConnections = 10_000
	mostCalls       = 1000
	mostTurns       = 1000
	mostRate        = 20_000 // rings a second
)

type benchRingsCmd struct {
	Concurrency []int         `help:"Connections at once, 1 to 10000." default:"1,10,100,500"`
	Turns       int           `help:"Turns of each kind, one after the other." default:"3"`
	Turn        time.Duration `help:"Length of a turn." default:"2s"`
	JSON        bool          `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing.
func (b *benchRingsCmd) Validate() error {
	return errors.Join(each("--concurrency", b.Concurrency, mostConnections), check(bound[int]{"--turns", b.Turns, 1, mostTurns}),
		check(bound[time.Duration]{"--turn", b.Turn, 100 * time.Millisecond, time.Hour}))
}

// Run prints the result.
func (b *benchRingsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Rings(ctx, bench.RingsConfig{Concurrency: b.Concurrency, Turns: b.Turns, Turn: b.Turn})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchCallsCmd struct {
	Calls   []int         `help:"Calls at once with the built-in agent, 1 to 1000." default:"1,10,50,100"`
	Streams []int         `help:"Calls at once with a stream agent, 1 to 1000." default:"60"`
	Bridges []int         `help:"Calls at once with a WebRTC agent, 1 to 1000." default:"50"`
	Turns   int           `help:"Turns of each kind, one after the other." default:"2"`
	Window  time.Duration `help:"How long the calls of a turn echo." default:"8s"`
	JSON    bool          `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing.
func (b *benchCallsCmd) Validate() error {
	return errors.Join(each("--calls", b.Calls, mostCalls), each("--streams", b.Streams, mostCalls),
		each("--bridges", b.Bridges, mostCalls), check(bound[int]{"--turns", b.Turns, 1, mostTurns}),
		check(bound[time.Duration]{"--window", b.Window, 100 * time.Millisecond, time.Hour}))
}

// report is the result of a benchmark.
type report interface {
	Print(io.Writer) error
	PrintJSON(io.Writer) error
}

func show(r report, asJSON bool, w io.Writer) error {
	if asJSON {
		return r.PrintJSON(w)
	}
	return r.Print(w)
}

// Run prints the result.
func (b *benchCallsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Calls(ctx, bench.CallsConfig{Calls: b.Calls, Streams: b.Streams, Bridges: b.Bridges, Turns: b.Turns, Window: b.Window})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchSoakCmd struct {
	Calls     int           `help:"Calls that stay, 1 to 1000: a third each with the built-in, a stream and a WebRTC agent." default:"50"`
	For       time.Duration `help:"How long they stay, 1m to 55m." default:"10m"`
	PerSecond int           `help:"Then: calls a second that come and go, 1 to 100." default:"5"`
	ChurnFor  time.Duration `help:"For how long." default:"5m"`
	JSON      bool          `help:"Print one JSON line."`
}

// Validate refuses what is too short to be flat, and calls that would reach their longest duration.
func (b *benchSoakCmd) Validate() error {
	return errors.Join(check(bound[int]{"--calls", b.Calls, 1, mostCalls}, bound[int]{"--per-second", b.PerSecond, 1, 100}),
		check(bound[time.Duration]{"--for", b.For, time.Minute, 55 * time.Minute},
			bound[time.Duration]{"--churn-for", b.ChurnFor, time.Minute, 24 * time.Hour}))
}

// Run prints the result.
func (b *benchSoakCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Soak(ctx, bench.SoakConfig{Calls: b.Calls, For: b.For, PerSecond: b.PerSecond, ChurnFor: b.ChurnFor})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchEventsCmd struct {
	Connections int           `help:"Connections that get each event, 1 to 20." default:"5"`
	PerSecond   int           `help:"Rings a second, 1 to 1000; each has two events." default:"100"`
	Turns       int           `help:"Turns of each kind, one after the other." default:"16"`
	Turn        time.Duration `help:"Length of a turn." default:"3s"`
	JSON        bool          `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing.
func (b *benchEventsCmd) Validate() error {
	return errors.Join(check(bound[int]{"--connections", b.Connections, 1, int(tenants.CapConnections.Most)},
		bound[int]{"--per-second", b.PerSecond, 1, 1000}, bound[int]{"--turns", b.Turns, 1, mostTurns}),
		check(bound[time.Duration]{"--turn", b.Turn, 100 * time.Millisecond, time.Hour}))
}

// Run prints the result.
func (b *benchEventsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Events(ctx, bench.EventsConfig{Connections: b.Connections, PerSecond: b.PerSecond, Turns: b.Turns, Turn: b.Turn})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchBareCmd struct{}

// Run serves until ctx is done.
func (b *benchBareCmd) Run(ctx context.Context, c terminal) error { return bench.Bare(ctx, c.out) }

type benchPagesCmd struct {
	Rings    *int   `help:"Rings in the database, 1 to 10000000. Without it 10000, or those of --data." placeholder:"N"`
	Times    int    `help:"How often each page is asked for, 1 to 100000." default:"100"`
	Database string `help:"Address (postgres://…) of an empty PostgreSQL database to fill; empty = SQLite."`
	Data     string `help:"Folder to keep the filled database in: the next run with it measures at once. Empty = a temporary one."`
	Only     string `help:"Only pages with this in their address, such as /rings."`
	JSON     bool   `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing.
func (b *benchPagesCmd) Validate() error {
	all := []bound[int]{{"--times", b.Times, 1, 100_000}}
	if b.Rings != nil {
		all = append(all, bound[int]{"--rings", *b.Rings, 1, 10_000_000})
	}
	return check(all...)
}

// Run prints the result.
func (b *benchPagesCmd) Run(ctx context.Context, c terminal) error {
	rings := 0
	if b.Rings != nil {
		rings = *b.Rings
	}
	r, err := bench.Pages(ctx, bench.PagesConfig{Rings: rings, Times: b.Times, Database: b.Database, Data: b.Data, Only: b.Only})
	if len(r.Rows) == 0 {
		return err
	}
	return errors.Join(show(r, b.JSON, c.out), err) // what was measured is shown though a page failed
}

type benchFaultsCmd struct {
	Only string `help:"Only faults with this in their name."`
	JSON bool   `help:"Print one JSON line."`
}

// Validate refuses a name that no fault has.
func (b *benchFaultsCmd) Validate() error {
	all := bench.FaultNames()
	if slices.ContainsFunc(all, func(name string) bool { return strings.Contains(name, b.Only) }) {
		return nil
	}
	return fmt.Errorf("--only: no fault has %q in its name; they are:\n  %s", b.Only, strings.Join(all, "\n  "))
}

// Run prints the result.
func (b *benchFaultsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Faults(ctx, bench.FaultsConfig{Only: b.Only})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchSweepCmd struct {
	PerSecond int           `help:"Rings a second, 1 to 10000." default:"500"`
	For       time.Duration `help:"How long rings are placed." default:"10s"`
	Database  string        `help:"Address (postgres://…) of an empty PostgreSQL database to fill; empty = SQLite in a temporary folder."`
	JSON      bool          `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing.
func (b *benchSweepCmd) Validate() error {
	return errors.Join(check(bound[int]{"--per-second", b.PerSecond, 1, 10_000}),
		check(bound[time.Duration]{"--for", b.For, time.Second, time.Hour}))
}

// Run prints the result.
func (b *benchSweepCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Sweep(ctx, bench.SweepConfig{PerSecond: b.PerSecond, For: b.For, Database: b.Database})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchTakerCmd struct{}

// Run serves until ctx is done.
func (b *benchTakerCmd) Run(ctx context.Context, c terminal) error {
	return bench.Receive(ctx, c.out)
}

type benchSenderCmd struct{}

// Run serves until ctx is done.
func (b *benchSenderCmd) Run(ctx context.Context, c terminal) error {
	return bench.Send(ctx, c.out)
}

type benchStockCmd struct {
	Apple string `arg:""`
	CA    string `arg:""`
	Key   string `arg:""`
}

// Run serves until ctx is done.
func (b *benchStockCmd) Run(ctx context.Context, c terminal) error {
	return bench.Stock(ctx, c.out, b.Apple, b.CA, b.Key)
}

type benchStoreCmd struct {
	Dir     string        `arg:""`
	Callers int           `arg:""`
	Turn    time.Duration `arg:""`
}

// Run writes for a while and prints what it wrote.
func (b *benchStoreCmd) Run(ctx context.Context, c terminal) error {
	return bench.Store(ctx, c.out, b.Dir, b.Callers, b.Turn)
}
