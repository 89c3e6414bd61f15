package app

import (
	"context"
	"time"

	"carillon/app/bench"
)

// benchCmd measures this machine.
type benchCmd struct {
	Rings benchRingsCmd `cmd:"" help:"Rings placed, committed and pushed, beside a bare apns2 loop."`
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
	if b.JSON {
		return r.PrintJSON(c.out)
	}
	return r.Print(c.out)
}
