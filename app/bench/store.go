package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"time"

	"carillon/tenants/store"
)

// StoreLoad is what a bare store wrote.
type StoreLoad struct {
	Rings int     `json:"rings"`
	CPU   float64 `json:"cpu_us"`         // of all rings
	Bytes float64 `json:"bytes_per_ring"` // of the database
}

// Store writes the rows of rings to SQLite in dir for a while, as grouped commits of so many
// callers, and prints a StoreLoad. It is what storing a ring costs by itself, in a process of its
// own.
func Store(ctx context.Context, out io.Writer, dir string, callers int, turn time.Duration) (err error) {
	b, err := store.OpenBare(ctx, dir)
	if err != nil {
		return err
	}
	var l StoreLoad
	before := cpuOf(os.Getpid())
	for end := time.Now().Add(turn); time.Now().Before(end) && ctx.Err() == nil && err == nil; {
		var n int
		n, err = b.Write(callers)
		l.Rings += n
	}
	l.CPU = float64((cpuOf(os.Getpid()) - before).Microseconds())
	perRing, closed := b.Close()
	if err := errors.Join(err, closed); err != nil {
		return err
	}
	l.Bytes = perRing
	return json.NewEncoder(out).Encode(l)
}

// storeTurn adds a turn of a bare store in a process of its own.
func (b *rings) storeTurn(ctx context.Context, callers int, turn time.Duration, sum *StoreLoad) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp(b.stage.dir, "store-")
	if err != nil {
		return err
	}
	text, err := exec.CommandContext(ctx, self, "bench", "store", dir, fmt.Sprint(callers), turn.String()).Output()
	if err := errors.Join(err, os.RemoveAll(dir)); err != nil {
		return fmt.Errorf("bare store: %w", err)
	}
	var l StoreLoad
	if err := json.Unmarshal(text, &l); err != nil {
		return fmt.Errorf("bare store: %w", err)
	}
	sum.Rings, sum.CPU, sum.Bytes = sum.Rings+l.Rings, sum.CPU+l.CPU, l.Bytes
	return nil
}
