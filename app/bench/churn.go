package bench

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"carillon/gateway/phonetest"
	"carillon/tenants"
)

// ChurnReport is what a stretch of calls that come and go left behind.
type ChurnReport struct {
	Machine string         `json:"machine"`
	Rows    []ChurnRow     `json:"rows"`
	Calls   int            `json:"calls"`
	Ended   map[string]int `json:"ended"` // by reason
	Failed  int            `json:"failed"`
}

// ChurnRow is what the server holds at one moment.
type ChurnRow struct {
	At         float64 `json:"at_s"`
	Calls      int     `json:"calls"`
	Goroutines int     `json:"goroutines"`
	MemoryMB   float64 `json:"memory_mb"`
	Files      int     `json:"files"`
}

// ChurnConfig says what comes and goes, and what stays. Half of the calls have the built-in agent,
// and half a stream agent.
type ChurnConfig struct {
	PerSecond int           // calls a second, each of which lasts two seconds
	Standing  int           // calls that last the whole time
	For       time.Duration //
}

// Churn sets calls up and ends them for a while, and watches what the server holds.
func Churn(ctx context.Context, c ChurnConfig) (r ChurnReport, err error) {
	const lasts = 2 * time.Second
	const devices = 200
	b, err := newCalls(ctx, devices+c.Standing)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r.Machine, r.Ended = Machine(), map[string]int{}
	start, look := time.Now(), c.For/10
	next, end := start.Add(look), start.Add(c.For)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards ids and r.Failed
	var ids []string
	run := func(i, device int, until time.Time) {
		r.Calls++
		wg.Go(func() {
			id, err := b.short(ctx, b.mixed(i), device, time.Until(until))
			mu.Lock()
			defer mu.Unlock()
			if ids = append(ids, id); err != nil {
				r.Failed++
			}
		})
	}
	if err := b.note(ctx, &r, start); err != nil {
		return r, err
	}
	for i := range c.Standing {
		run(i, devices+i, end)
	}
	for due := start; due.Before(end) && ctx.Err() == nil; due = due.Add(time.Second / time.Duration(c.PerSecond)) {
		rest(ctx, time.Until(due))
		run(r.Calls, r.Calls%devices, time.Now().Add(lasts))
		if time.Now().After(next) {
			next = next.Add(look)
			if err := b.note(ctx, &r, start); err != nil {
				return r, err
			}
		}
	}
	wg.Wait()
	rest(ctx, 3*time.Second) // what lingers after a hang-up may go
	if err := b.note(ctx, &r, start); err != nil {
		return r, err
	}
	return r, b.reasons(&r, ids)
}

// mixed is the agent of the i-th call.
func (b *calls) mixed(i int) tenants.AgentID {
	if i%2 == 0 {
		return ""
	}
	return b.speak
}

// Flat reports whether the server holds in the end about what it held before the first call: a
// connection that lingers is no leak, and one for each call is.
func (r ChurnReport) Flat() bool {
	if len(r.Rows) < 2 {
		return false
	}
	before, after := r.Rows[0], r.Rows[len(r.Rows)-1]
	room := max(30, r.Calls/20)
	return after.Goroutines <= before.Goroutines+room && after.Files <= before.Files+room
}

// short is one call: the agent's first sound, and a hang-up by the phone.
func (b *calls) short(ctx context.Context, agent tenants.AgentID, i int, lasts time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second+lasts)
	defer cancel()
	id, err := b.ring(i, agent)
	if err != nil {
		return id, err
	}
	leg := b.leg(id, i)
	phone := b.phone
	if agent != "" {
		phone = b.g711
	}
	call, err := phone.Call(ctx, leg.Answer)
	if err != nil {
		return id, err
	}
	defer call.HangUp()
	if err := call.Until(ctx, func(s phonetest.Stats) bool { return s.Heard > 0 }); err != nil {
		return id, err
	}
	rest(ctx, lasts)
	return id, leg.HangUp(ctx)
}

// reasons asks how each ring ended.
func (b *calls) reasons(r *ChurnReport, ids []string) error {
	c, err := dial(b.stage.server.addr)
	if err != nil {
		return err
	}
	defer c.close()
	for _, id := range ids {
		status, answer, err := c.ask(request("GET", "/v1/rings/"+id, string([]byte(b.stage.key)), nil))
		if err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s: %w", status, answer, err)
		}
		var ring struct {
			State string
			Call  *struct {
				EndedBy *string `json:"ended_by"`
			}
		}
		if err := json.Unmarshal(answer, &ring); err != nil {
			return err
		}
		reason := ring.State + ", no reason"
		if ring.Call != nil && ring.Call.EndedBy != nil {
			reason = ring.State + ", " + *ring.Call.EndedBy
		}
		r.Ended[reason]++
	}
	return nil
}

// note reads the server's own metrics.
func (b *calls) note(ctx context.Context, r *ChurnReport, start time.Time) error {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, b.stage.server.metrics, nil)
	if err != nil {
		return err
	}
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer a.Body.Close()
	seen := map[string]float64{}
	lines := bufio.NewScanner(a.Body)
	for lines.Scan() {
		name, value, ok := strings.Cut(lines.Text(), " ")
		if n, err := strconv.ParseFloat(value, 64); ok && err == nil {
			seen[name] = n
		}
	}
	r.Rows = append(r.Rows, ChurnRow{
		At: time.Since(start).Seconds(), Calls: r.Calls, Goroutines: int(seen["go_goroutines"]),
		MemoryMB: seen["process_resident_memory_bytes"] / 1e6, Files: int(seen["process_open_fds"]),
	})
	return lines.Err()
}

// Print writes the report as a table.
func (r ChurnReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "at s\tcalls so far\tgoroutines\tmemory MB\topen files\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%.0f\t%d\t%d\t%.0f\t%d\t\n", x.At, x.Calls, x.Goroutines, x.MemoryMB, x.Files)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "\n%d calls, %d failed, ended: %v; flat: %s\n", r.Calls, r.Failed, r.Ended, verdict(r.Flat()))
	return err
}

// PrintJSON writes the report as one JSON line.
func (r ChurnReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
