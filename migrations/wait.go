package migrations

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
)

// Rings wait behind a step that waits for a lock. So each step waits for a short time only, and
// leaves the servers alone for longer before it is tried again.
const (
	lockTries = 60
	lockPause = 3 * time.Second
)

// up applies the missing steps and says how many it applied, also when one fails.
func up(ctx context.Context, p *goose.Provider) (int, error) {
	done, err := p.Up(ctx)
	if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
		return len(partial.Applied), err
	}
	return len(done), err
}

// patient repeats steps that did not get a lock, and adds up what they applied.
func patient(ctx context.Context, say func(string), steps func() (int, error)) (applied int, err error) {
	for try := 1; ; try++ {
		n, err := steps()
		applied += n
		if !lacksLock(err) || try == lockTries {
			return applied, err
		}
		step := "A step"
		if partial := (*goose.PartialError)(nil); errors.As(err, &partial) {
			step = fmt.Sprintf("Step %d", partial.Failed.Source.Version)
		}
		say(step + " waits for a table that is in use. It is tried again.")
		select {
		case <-ctx.Done():
			return applied, errors.Join(err, ctx.Err())
		case <-time.After(lockPause):
		}
	}
}

// lacksLock reports that PostgreSQL gave up to wait for a lock.
func lacksLock(err error) bool {
	var coded interface{ SQLState() string }
	return errors.As(err, &coded) && coded.SQLState() == "55P03"
}
