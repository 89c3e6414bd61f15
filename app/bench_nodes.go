package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"carillon/app/bench"
)

type benchNodesCmd struct {
	Database string        `help:"Address (postgres://…) of an empty PostgreSQL database to fill; empty = a server of its own, from the programs that are installed here."`
	Nodes    []int         `help:"How many nodes, 1 to 9." default:"1,2,3"`
	Turns    int           `help:"Turns of each kind, one after the other." default:"3"`
	Turn     time.Duration `help:"Length of a turn at full load, and of one at each fixed rate." default:"2s"`
	Rates    []int         `help:"The fixed rates, in rings a second." default:"200,1000"`
	Faults   bool          `help:"Also the faults, with three nodes." default:"true" negatable:""`
	Only     string        `help:"Only faults with this in their name."`
	Short    bool          `help:"A look in a minute: short turns, shorter faults with fewer calls. The figures are rough."`
	JSON     bool          `help:"Print one JSON line."`
}

// Validate refuses numbers that measure nothing, and a name that no fault has.
func (b *benchNodesCmd) Validate() error {
	all := bench.NodeFaultNames()
	if !slices.ContainsFunc(all, func(name string) bool { return strings.Contains(name, b.Only) }) {
		return fmt.Errorf("--only: no fault has %q in its name; they are:\n  %s", b.Only, strings.Join(all, "\n  "))
	}
	return errors.Join(each("--nodes", b.Nodes, bench.MostNodes), each("--rates", b.Rates, mostRate),
		check(bound[int]{"--turns", b.Turns, 1, mostTurns}),
		check(bound[time.Duration]{"--turn", b.Turn, 100 * time.Millisecond, time.Hour}))
}

// Run prints the result.
func (b *benchNodesCmd) Run(ctx context.Context, c terminal) error {
	config := bench.NodesConfig{Database: b.Database, Nodes: b.Nodes, Turns: b.Turns, Turn: b.Turn, Rates: b.Rates, Faults: b.Faults,
		Only: b.Only}
	if b.Short {
		config.Turns, config.Turn, config.Shrink = 1, min(b.Turn, time.Second), 5
	}
	r, err := bench.Nodes(ctx, config)
	if err != nil {
		return err
	}
	return show(r, b.JSON, c.out)
}

type benchNATSCmd struct {
	Port int `arg:""`
}

// Run serves until ctx is done.
func (b *benchNATSCmd) Run(ctx context.Context, c terminal) error {
	return bench.NATS(ctx, c.out, b.Port)
}

type benchNodeCmd struct {
	Off time.Duration `help:"How far the clock is ahead."`
	serveCmd
}

// Run serves until ctx is done.
func (b *benchNodeCmd) Run(ctx context.Context, c terminal) error {
	now := c.now
	c.now = func() time.Time { return now().Add(b.Off) }
	return b.serveCmd.Run(ctx, c)
}
