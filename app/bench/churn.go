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

// Churn sets up perSecond calls each second for a while, each of which lasts two seconds, and
// watches what the server holds.
func Churn(ctx context.Context, perSecond int, total time.Duration) (r ChurnReport, err error) {
	const lasts = 2 * time.Second
	const devices = 200
	b, err := newCalls(ctx, devices)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.close()) }()
	r.Machine, r.Ended = Machine(), map[string]int{}
	start, look := time.Now(), total/10
	next := start.Add(look)
	var wg sync.WaitGroup
	var mu sync.Mutex // guards ids and r.Failed
	var ids []string
	if err := b.note(ctx, &r, start); err != nil {
		return r, err
	}
	for due := start; due.Before(start.Add(total)) && ctx.Err() == nil; due = due.Add(time.Second / time.Duration(perSecond)) {
		rest(ctx, time.Until(due))
		i := r.Calls
		r.Calls++
		wg.Go(func() {
			id, err := b.short(ctx, i%devices, lasts)
			mu.Lock()
			defer mu.Unlock()
			if ids = append(ids, id); err != nil {
				r.Failed++
			}
		})
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

// short is one call: bells, and a hang-up by the phone.
func (b *calls) short(ctx context.Context, i int, lasts time.Duration) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	id, err := b.ring(i)
	if err != nil {
		return id, err
	}
	leg := b.leg(id, i)
	call, err := b.phone.Call(ctx, leg.Answer)
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
	_, err := fmt.Fprintf(w, "\n%d calls, %d failed, ended: %v\n", r.Calls, r.Failed, r.Ended)
	return err
}

// PrintJSON writes the report as one JSON line.
func (r ChurnReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
