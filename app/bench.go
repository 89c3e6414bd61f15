package app

import (
	"context"
	"io"
	"time"

	"carillon/app/bench"
)

// benchCmd measures this machine.
type benchCmd struct {
	Rings  benchRingsCmd  `cmd:"" help:"Rings placed, committed and pushed, beside a bare apns2 loop."`
	Calls  benchCallsCmd  `cmd:"" help:"Calls answered and echoed, beside Pion's bare echo."`
	Pages  benchPagesCmd  `cmd:"" help:"Every page of the console on a database with many rings."`
	Faults benchFaultsCmd `cmd:"" help:"What goes wrong between us and Apple, and what becomes of the rings."`
	Stock  benchStockCmd  `cmd:"" hidden:"" help:"Serve a push server that stores nothing; bench rings starts it."`
	Bare   benchBareCmd   `cmd:"" hidden:"" help:"Serve Pion's bare echo; bench calls starts it."`
}

type benchRingsCmd struct {
	Concurrency []int         `help:"Connections at once." default:"1,10,100,500"`
	Turns       int           `help:"Turns of each kind, one after the other." default:"3"`
	Turn        time.Duration `help:"Length of a turn." default:"2s"`
	JSON        bool          `help:"Print one JSON line."`
}

// Run prints what it found.
func (b *benchRingsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Rings(ctx, bench.RingsConfig{Concurrency: b.Concurrency, Turns: b.Turns, Turn: b.Turn})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchCallsCmd struct {
	Calls  []int         `help:"Calls at once." default:"1,10,50,100"`
	Turns  int           `help:"Turns of each kind, one after the other." default:"2"`
	Window time.Duration `help:"How long the calls of a turn echo." default:"8s"`
	Churn  int           `help:"Instead: calls that come and go, so many a second."`
	For    time.Duration `help:"How long calls come and go." default:"5m"`
	JSON   bool          `help:"Print one JSON line."`
}

// report is what a benchmark found.
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

// Run prints what it found.
func (b *benchCallsCmd) Run(ctx context.Context, c terminal) error {
	if b.Churn > 0 {
		r, err := bench.Churn(ctx, b.Churn, b.For)
		if err != nil {
			return err
		}
		return show(r, b.JSON, c.out)
	}
	r, err := bench.Calls(ctx, bench.CallsConfig{Calls: b.Calls, Turns: b.Turns, Window: b.Window})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchBareCmd struct{}

// Run serves until ctx is done.
func (b *benchBareCmd) Run(ctx context.Context, c terminal) error { return bench.Bare(ctx, c.out) }

type benchPagesCmd struct {
	Rings int  `help:"Rings in the database." default:"10000"`
	Times int  `help:"How often each page is asked for." default:"100"`
	JSON  bool `help:"Print one JSON line."`
}

// Run prints what it found.
func (b *benchPagesCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Pages(ctx, bench.PagesConfig{Rings: b.Rings, Times: b.Times})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchFaultsCmd struct {
	Only string `help:"Only faults with this in their name."`
	JSON bool   `help:"Print one JSON line."`
}

// Run prints what it found.
func (b *benchFaultsCmd) Run(ctx context.Context, c terminal) error {
	r, err := bench.Faults(ctx, bench.FaultsConfig{Only: b.Only})
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
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
