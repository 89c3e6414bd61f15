package migrations

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/pressly/goose/v3"
)

// Rings wait behind a step that waits for a lock that keeps them out. So each step waits for such a
// lock for a short time only, and leaves the servers alone for longer before it is tried again.
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

// ringsEnd is from when on PostgreSQL refuses rings, because step 69 is applied and step 70 is not;
// zero if it is not so.
func ringsEnd(ctx context.Context, db *sql.DB) (end time.Time, err error) {
	err = db.QueryRowContext(ctx, "SELECT carillon_time_of(substring(pg_get_constraintdef(oid) FROM '[0-9a-f]{8}-[0-9a-f-]{27}')::uuid) "+
		"FROM pg_constraint WHERE conrelid = to_regclass('rings') AND conname = 'rings_months'").Scan(&end)
	if errors.Is(err, sql.ErrNoRows) {
		err = nil
	}
	return end, err
}

// unfinished adds to why steps were not applied by when they must be.
func unfinished(ctx context.Context, db *sql.DB, why error) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	end, err := ringsEnd(ctx, db)
	if err != nil || end.IsZero() { // before step 51 there is no such function
		return why
	}
	return fmt.Errorf("%w. The upgrade stopped between steps 69 and 70: the database refuses rings from "+
		"%s UTC on. Run `carillon migrate up` "+
		"again before that; or undo step 69: restore the backup from before it", why, end.UTC().Format("2006-01-02 15:04"))
}
