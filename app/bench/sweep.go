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
	"carillon/tenants/store"
)

// SweepReport is what `bench sweep` found.
type SweepReport struct {
	Machine  string     `json:"machine"`
	Database string     `json:"database"`
	Rows     []SweepRow `json:"rows"`
}

// SweepRow is a time in which nobody answered: how late the rings ended, from the end of their
// time.
type SweepRow struct {
	Name      string  `json:"name"`
	Rings     int     `json:"rings"`
	PerSecond float64 `json:"per_second"` // placed
	LateP50   float64 `json:"late_p50_ms"`
	LateP99   float64 `json:"late_p99_ms"`
	LateMost  float64 `json:"late_most_ms"`
	Unpushed  int     `json:"unpushed"` // answered 201 and never given to Apple
	Unended   int     `json:"unended"`  // not found among those that have ended
	OK        bool    `json:"ok"`
	Target    string  `json:"target"`
}

// SweepConfig says what to measure. The zero value places 500 rings a second for ten seconds, on
// SQLite.
type SweepConfig struct {
	PerSecond int
	For       time.Duration
	Database  string // postgres://… of an empty database; empty = SQLite in a temporary folder
}

const (
	// latest is how late a ring may end.
	latest = time.Second
	// sweepTTL is the rings' time to live: the shortest, so that endings fall among placings.
	sweepTTL = tenants.MinTTL
	// killedTTL is that of rings among which the server is killed. Its successor pushes a ring that
	// was under way as it starts, and on PostgreSQL once the lease of three seconds is over. So a
	// ring must live longer than that and the start of the successor on a busy machine.
	killedTTL = 15 * time.Second
)

// Sweep measures how late rings end that nobody answers, while others are placed, and after the
// server was killed among them.
func Sweep(ctx context.Context, c SweepConfig) (r SweepReport, err error) {
	if c.PerSecond == 0 {
		c.PerSecond = 500
	}
	if c.For == 0 {
		c.For = 10 * time.Second
	}
	r.Machine, r.Database = Machine(), "SQLite"
	if c.Database != "" {
		r.Database = "PostgreSQL"
	}
	b := &rings{answered: map[string]time.Time{}}
	if b.stage, err = setUpOn(ctx, place{url: c.Database}, 1000, b.hear); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.stage.close()) }()
	steady, err := b.unanswered(ctx, c, false)
	if err != nil {
		return r, err
	}
	steady.Name, steady.Target = "steady", fmt.Sprintf("none later than %s, 0 unpushed, 0 not ended", latest)
	steady.OK = steady.LateMost <= ms(latest) && steady.Unpushed == 0 && steady.Unended == 0
	killed, err := b.unanswered(ctx, c, true)
	if err != nil {
		return r, err
	}
	killed.Name, killed.Target = "killed in the middle", "0 unpushed, 0 not ended"
	killed.OK = killed.Unpushed == 0 && killed.Unended == 0
	r.Rows = []SweepRow{steady, killed}
	return r, nil
}

// unanswered places rings at a fixed rate and waits until all have ended. kill ends the server
// after half of the time, and the other half is placed on its successor.
func (b *rings) unanswered(ctx context.Context, c SweepConfig, kill bool) (row SweepRow, err error) {
	began, parts, ttl := time.Now(), 1, sweepTTL
	if kill {
		parts, ttl = 2, killedTTL
	}
	var all []placed
	for part := range parts {
		if part > 0 {
			if err := b.stage.server.kill(); err != nil {
				return row, err
			}
			if err := b.stage.start(ctx); err != nil {
				return row, err
			}
		}
		got, err := b.pace(ctx, c.PerSecond, c.For/time.Duration(parts), ttl)
		if all = append(all, got...); err != nil {
			return row, err
		}
	}
	row.Rings, row.PerSecond = len(all), float64(len(all))/time.Since(began).Seconds()
	found, err := b.stage.ended(ctx, began)
	if err != nil {
		return row, err
	}
	var late sample
	for _, p := range all {
		if r := found[tenants.RingID(p.id)]; r == nil || r.EndedAt.IsZero() {
			row.Unended++
		} else {
			late = append(late, r.EndedAt.Sub(r.ExpiresAt))
		}
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range all {
		if _, ok := b.answered[p.id]; !ok {
			row.Unpushed++
		}
	}
	row.LateP50, row.LateP99, row.LateMost = late.at(0.5), late.at(0.99), late.at(1)
	return row, nil
}

// ended waits until every ring placed since a moment has ended, and gives them.
func (s *stage) ended(ctx context.Context, since time.Time) (all map[tenants.RingID]*tenants.Ring, err error) {
	db, err := store.Open(ctx, s.files)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	rings := db.For(s.tenant).Rings()
	for _, state := range []tenants.State{tenants.Placed, tenants.Pushed} {
		for q := (store.RingQuery{State: state, From: since, Limit: 1}); ; {
			list, next, err := rings.List(ctx, q)
			if err != nil {
				return nil, err
			}
			if q.After = next; len(list) > 0 { // look again from the beginning
				q.After = ""
				rest(ctx, 50*time.Millisecond)
			} else if next == "" { // an empty page is the end only where nothing follows
				break
			}
		}
	}
	all = map[tenants.RingID]*tenants.Ring{}
	for q := (store.RingQuery{From: since, Limit: 200}); ; {
		list, next, err := rings.List(ctx, q)
		if err != nil {
			return nil, err
		}
		for _, r := range list {
			all[r.ID] = r
		}
		if next == "" {
			return all, nil
		}
		q.After = next
	}
}

// Print writes the report as a table.
func (r SweepReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s, %s\nRings of %s that nobody answers, and of %s where the server is killed. Late is from the end of a ring's time "+
		"until it is recorded as missed.\n\n", r.Machine, r.Database, sweepTTL, killedTTL)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "\trings\trings/s\tlate: p50\tp99\tmost ms\tunpushed\tnot ended\ttarget\tok")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.0f\t%.0f\t%.0f\t%d\t%d\t%s\t%s\n", x.Name, x.Rings, x.PerSecond, x.LateP50, x.LateP99, x.LateMost,
			x.Unpushed, x.Unended, x.Target, verdict(x.OK))
	}
	return t.Flush()
}

// PrintJSON writes the report as one JSON line.
func (r SweepReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
