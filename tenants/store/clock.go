package store

import (
	"context"
	"database/sql"
	"sync/atomic"
	"time"
)

// clock is the time of the database, which several servers share: rings, leases and sessions end at
// the same moment for all of them, whatever their own clocks say. It counts on from the last look
// by the monotonic clock, so that a step of the server's own clock moves nothing.
type clock struct {
	own    func() time.Time
	anchor atomic.Pointer[anchor] // nil = the server's own time
}

// anchor is a moment by both clocks.
type anchor struct {
	own, database time.Time
	unsure        time.Duration // half of the time that the look took
}

func (c *clock) now() time.Time {
	a := c.anchor.Load()
	if a == nil {
		return c.own()
	}
	return a.at(c.own())
}

func (a *anchor) at(own time.Time) time.Time { return a.database.Add(own.Sub(a.own)) }

// looks is how often the database is asked for its time at once: the quickest answer is the best.
const looks = 5

// look reads the database's time. What it sees moves the clock only if it is more than the look
// itself may be wrong by.
func (c *clock) look(ctx context.Context, db *sql.DB) error {
	var best *anchor
	for range looks {
		var us int64
		sent := c.own()
		if err := db.QueryRowContext(ctx, "SELECT (EXTRACT(EPOCH FROM clock_timestamp()) * 1000000)::bigint").Scan(&us); err != nil {
			return err
		}
		unsure := c.own().Sub(sent) / 2
		if best == nil || unsure < best.unsure {
			best = &anchor{sent.Add(unsure), moment(us), unsure}
		}
	}
	if last := c.anchor.Load(); last != nil && last.at(best.own).Sub(best.database).Abs() <= last.unsure+best.unsure {
		return nil
	}
	c.anchor.Store(best)
	return nil
}

// Now is the store's time: the database's where servers share it (Config.ClockOfDatabase), the
// server's own otherwise.
func (s *Store) Now() time.Time { return s.now() }

// ReadClock compares the database's clock with the server's own again, where the database's counts.
// Run it each minute.
func (s *Store) ReadClock(ctx context.Context) error {
	if s.clock == nil {
		return nil
	}
	return translate(s.clock.look(ctx, s.db.reads))
}

// ClockOff is how far the server's own clock is ahead of the one that counts.
func (s *Store) ClockOff() time.Duration { return s.clockOff() }

func (s *core) clockOff() time.Duration {
	if s.clock == nil {
		return 0
	}
	return s.clock.own().Round(0).Sub(s.clock.now())
}
