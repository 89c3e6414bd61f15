package bench

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"sync"
	"text/tabwriter"
	"time"

	"carillon/app/push/apnstest"
	"carillon/tenants"
)

// RingsReport is what `bench rings` found.
type RingsReport struct {
	Machine string    `json:"machine"`
	Rows    []RingRow `json:"rows"`
	Paced   RingRow   `json:"paced"`           // 200 rings a second, open loop
	Bare    float64   `json:"bare_per_second"` // at concurrency 100
	Ratio   float64   `json:"ratio"`           // rings to bare pushes at concurrency 100
	Bytes   float64   `json:"bytes_per_ring"`  // of the server's database
	Chain   float64   `json:"audit_chain_us"`  // CPU of a ring's place in the audit chain
}

// RingRow is one concurrency. Times to 201 are from the request's first byte; times to Apple until
// Apple has answered.
type RingRow struct {
	Concurrency int     `json:"concurrency"`
	Count       int     `json:"count"`
	PerSecond   float64 `json:"per_second"`
	P50         float64 `json:"p50_ms"`
	P95         float64 `json:"p95_ms"`
	P99         float64 `json:"p99_ms"`
	Lost        int     `json:"lost"`
	AppleP50    float64 `json:"apple_p50_ms"`
	AppleP95    float64 `json:"apple_p95_ms"`
	AppleP99    float64 `json:"apple_p99_ms"`
	CPU         float64 `json:"cpu_us_per_ring"` // of the server; 0 where the system does not say
	Bare        float64 `json:"bare_per_second"`
	Stock       float64 `json:"stock_per_second"` // of a push server that stores nothing
	StockCPU    float64 `json:"stock_cpu_us"`
	BareCPU     float64 `json:"bare_cpu_us"`           // of the bare push client
	Store       float64 `json:"bare_store_per_second"` // of the same rows by prepared statements alone
	StoreCPU    float64 `json:"bare_store_cpu_us"`
	StoreBytes  float64 `json:"bare_store_bytes_per_ring"`
	OfBare      float64 `json:"cpu_to_bare"`         // CPU ÷ (StoreCPU + BareCPU)
	OfStock     float64 `json:"per_second_to_stock"` // PerSecond ÷ Stock
}

// RingsConfig says how long to measure. The zero value measures three turns of two seconds at 1,
// 10, 100 and 500.
type RingsConfig struct {
	Concurrency []int
	Turns       int
	Turn        time.Duration
}

// Rings measures durable accepted rings beside a bare apns2 loop, and beside a stock push server
// that stores nothing, against the same Apple, in turns.
func Rings(ctx context.Context, c RingsConfig) (r RingsReport, err error) {
	if len(c.Concurrency) == 0 {
		c.Concurrency = []int{1, 10, 100, 500}
	}
	if c.Turns == 0 {
		c.Turns = 3
	}
	if c.Turn == 0 {
		c.Turn = 2 * time.Second
	}
	b := &rings{answered: map[string]time.Time{}}
	b.stage, err = setUp(ctx, 1000, b.hear)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.stage.close()) }()
	if b.empty, err = b.stage.size(); err != nil {
		return r, err
	}
	if b.stock, err = spawn(ctx, b.stage.dir, nil, "bench", "stock", b.stage.apple.URL(apnstest.Production),
		filepath.Join(b.stage.dir, "apple.pem"), filepath.Join(b.stage.dir, "stock.p8")); err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.stock.stop()) }()
	r.Machine, r.Chain = Machine(), chainCost()
	for _, a := range []asked{b.ours(), b.theirs()} {
		if _, err := b.turn(ctx, 10, time.Second, a); err != nil { // connections, caches and prepared statements
			return r, err
		}
	}
	// First, while no earlier ring is there to expire in the background.
	if r.Paced, err = b.paced(ctx, 200, c.Turn*time.Duration(c.Turns)); err != nil {
		return r, err
	}
	for _, n := range c.Concurrency {
		row, err := b.row(ctx, n, c)
		if err != nil {
			return r, err
		}
		if r.Rows = append(r.Rows, row); n == 100 {
			r.Bare, r.Ratio = row.Bare, row.PerSecond/row.Bare
		}
	}
	r.Bytes, err = b.bytes()
	return r, err
}

// bytes ends the server, which empties its log into the database file, and says how many bytes each
// ring took there.
func (b *rings) bytes() (float64, error) {
	if err := b.stage.server.stop(); err != nil {
		return 0, err
	}
	full, err := b.stage.size()
	return quotient(float64(full-b.empty), float64(b.placed)), err
}

// quotient is 0 where there is nothing to divide by: JSON has no word for it.
func quotient(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// rings is a run of the benchmark.
type rings struct {
	stage *stage
	stock *child

	nodes  []string // addresses of several servers that are asked in turn; empty = the stage's own
	placed int      // rings
	empty  int64    // bytes of the database before them

	mu       sync.Mutex // guards answered
	answered map[string]time.Time
}

// hear notes when Apple answered a ring's push: {"v":1,"call_id":"<36 characters>" …
func (b *rings) hear(d apnstest.Delivered) {
	id := field(d.Payload, `"call_id":"`)
	if id == "" {
		return
	}
	b.mu.Lock()
	b.answered[id] = d.At
	b.mu.Unlock()
}

// field is the 36 characters behind a name in JSON of ours.
func field(text []byte, name string) string {
	i := bytes.Index(text, []byte(name))
	if i < 0 || len(text) < i+len(name)+36 {
		return ""
	}
	return string(text[i+len(name) : i+len(name)+36])
}

// placed is one ring that was answered 201.
type placed struct {
	id    string
	start time.Time
	took  time.Duration
}

func (b *rings) row(ctx context.Context, n int, c RingsConfig) (RingRow, error) {
	row := RingRow{Concurrency: n}
	var all []placed
	var bare, stock int64
	var cpu, stockCPU, bareCPU time.Duration
	var written StoreLoad
	for range c.Turns {
		stockBefore := b.stock.cpu()
		pushed, err := b.bareTurn(ctx, n, c.Turn)
		if err != nil {
			return row, err
		}
		bare += pushed
		bareCPU += b.stock.cpu() - stockBefore
		if err := b.storeTurn(ctx, n, c.Turn, &written); err != nil {
			return row, err
		}
		stockBefore = b.stock.cpu()
		through, err := b.turn(ctx, n, c.Turn, b.theirs())
		if err != nil {
			return row, err
		}
		stock += int64(len(through))
		stockCPU += b.stock.cpu() - stockBefore
		before := b.stage.server.cpu()
		got, err := b.turn(ctx, n, c.Turn, b.ours())
		if err != nil {
			return row, err
		}
		b.settle(ctx, got)
		cpu += b.stage.server.cpu() - before
		all = append(all, got...)
	}
	spent := (c.Turn * time.Duration(c.Turns)).Seconds()
	row.PerSecond, row.Bare, row.Stock = float64(len(all))/spent, float64(bare)/spent, float64(stock)/spent
	row.StockCPU = float64(stockCPU.Microseconds()) / float64(max(stock, 1))
	row.BareCPU = float64(bareCPU.Microseconds()) / float64(max(bare, 1))
	row.Store, row.StoreCPU = float64(written.Rings)/spent, written.CPU/float64(max(written.Rings, 1))
	row.StoreBytes = written.Bytes
	row.CPU = float64(cpu.Microseconds()) / float64(max(len(all), 1))
	row.OfBare, row.OfStock = quotient(row.CPU, row.StoreCPU+row.BareCPU), quotient(row.PerSecond, row.Stock)
	b.measure(&row, all)
	return row, nil
}

// measure fills in the times, and counts the rings that Apple never saw.
func (b *rings) measure(row *RingRow, all []placed) {
	var to201, toApple sample
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, p := range all {
		to201 = append(to201, p.took)
		if at, ok := b.answered[p.id]; ok {
			toApple = append(toApple, at.Sub(p.start))
		} else {
			row.Lost++
		}
	}
	clear(b.answered)
	row.Count = len(all)
	row.P50, row.P95, row.P99 = to201.at(0.50), to201.at(0.95), to201.at(0.99)
	row.AppleP50, row.AppleP95, row.AppleP99 = toApple.at(0.50), toApple.at(0.95), toApple.at(0.99)
}

// settle waits until Apple has seen every ring, or settles is over.
func (b *rings) settle(ctx context.Context, all []placed) {
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	give := time.After(settles)
	for !b.seen(all) {
		select {
		case <-ctx.Done():
			return
		case <-give:
			return
		case <-tick.C:
		}
	}
}

func (b *rings) seen(all []placed) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i := len(all) - 1; i >= 0; i-- {
		if _, ok := b.answered[all[i].id]; !ok {
			return false
		}
	}
	return true
}

// at is the server that the i-th connection asks.
func (b *rings) at(i int) string {
	if len(b.nodes) == 0 {
		return b.stage.server.addr
	}
	return b.nodes[i%len(b.nodes)]
}

// asked is a server and how one request is made of it.
type asked struct {
	addr string // empty = ours
	ask  func(c *client, n int) (placed, error)
}

func (b *rings) ours() asked   { return asked{"", b.place} }
func (b *rings) theirs() asked { return asked{b.stock.addr, b.stockPush} }

// turn asks over n connections for a while.
func (b *rings) turn(ctx context.Context, n int, d time.Duration, a asked) ([]placed, error) {
	var wg sync.WaitGroup
	lists, errs := make([][]placed, n), make([]error, n)
	end := time.Now().Add(d)
	for i := range n {
		wg.Go(func() { lists[i], errs[i] = b.worker(ctx, i, end, a) })
	}
	wg.Wait()
	var all []placed
	for _, l := range lists {
		all = append(all, l...)
	}
	if a.addr == "" {
		b.placed += len(all)
	}
	return all, errors.Join(errs...)
}

func (b *rings) worker(ctx context.Context, i int, end time.Time, a asked) ([]placed, error) {
	c, err := dial(cmp.Or(a.addr, b.at(i)))
	if err != nil {
		return nil, err
	}
	defer c.close()
	var list []placed
	for n := i; time.Now().Before(end) && ctx.Err() == nil; n += 7 {
		p, err := a.ask(c, n)
		if err != nil {
			return list, err
		}
		list = append(list, p)
	}
	return list, nil
}

// stockPush asks the stock server for a push to the n-th device.
func (b *rings) stockPush(c *client, n int) (placed, error) {
	body := fmt.Appendf(nil, `{"token":"%s"}`, b.stage.tokens[n%len(b.stage.tokens)])
	p := placed{start: time.Now()}
	status, answer, err := c.ask(request("POST", "/", "-", body))
	if err == nil && status != 201 {
		err = fmt.Errorf("%d: %s", status, answer)
	}
	return p, err
}

func (b *rings) place(c *client, n int) (placed, error) { return b.placeFor(c, n, tenants.MaxTTL) }

func (b *rings) placeFor(c *client, n int, ttl time.Duration) (placed, error) {
	body := fmt.Appendf(nil, `{"to":{"device":"%s"},"caller":"Bench","ttl_s":%d}`, b.stage.devices[n%len(b.stage.devices)],
		int(ttl.Seconds()))
	p := placed{start: time.Now()}
	status, answer, err := c.ask(request("POST", "/v1/rings", string([]byte(b.stage.key)), body))
	p.took = time.Since(p.start)
	if err != nil {
		return p, err
	}
	if p.id = field(answer, `"id":"`); status != 201 || p.id == "" {
		return p, fmt.Errorf("%d: %s", status, answer)
	}
	return p, nil
}

// bareTurn has the stock server's process run apns2's own client in a loop that keeps nothing.
func (b *rings) bareTurn(ctx context.Context, n int, d time.Duration) (pushes int64, err error) {
	err = tell(ctx, "http://"+b.stock.addr+"/bare", load{At: n, Turn: d, Token: b.stage.tokens[0]}, &pushes)
	return pushes, err
}

// paced measures rings at a fixed rate.
func (b *rings) paced(ctx context.Context, perSecond int, d time.Duration) (RingRow, error) {
	row := RingRow{Concurrency: pacedLines}
	before, start := b.stage.server.cpu(), time.Now()
	all, err := b.pace(ctx, perSecond, d, tenants.MaxTTL)
	b.settle(ctx, all)
	row.PerSecond = float64(len(all)) / time.Since(start).Seconds()
	row.CPU = float64((b.stage.server.cpu() - before).Microseconds()) / float64(max(len(all), 1))
	b.measure(&row, all)
	return row, err
}

// pacedLines are the connections of rings at a fixed rate.
const pacedLines = 20

// pace places rings at a fixed rate, whether or not earlier ones were answered.
func (b *rings) pace(ctx context.Context, perSecond int, d, ttl time.Duration) (all []placed, err error) {
	start := time.Now()
	var wg sync.WaitGroup
	lists, errs := make([][]placed, pacedLines), make([]error, pacedLines)
	step := time.Second * pacedLines / time.Duration(perSecond)
	for i := range pacedLines {
		wg.Go(func() {
			lists[i], errs[i] = b.pacedWorker(ctx, i, pacing{start.Add(time.Duration(i) * step / pacedLines), start.Add(d), step, ttl})
		})
	}
	wg.Wait()
	for _, l := range lists {
		all = append(all, l...)
	}
	b.placed += len(all)
	return all, errors.Join(errs...)
}

// pacing is when one connection places its rings.
type pacing struct {
	next, end time.Time
	step, ttl time.Duration
}

func (b *rings) pacedWorker(ctx context.Context, i int, p pacing) ([]placed, error) {
	c, err := dial(b.at(i))
	if err != nil {
		return nil, err
	}
	defer c.close()
	var list []placed
	for n := i; p.next.Before(p.end) && ctx.Err() == nil; n, p.next = n+7, p.next.Add(p.step) {
		time.Sleep(time.Until(p.next))
		one, err := b.placeFor(c, n, p.ttl)
		if err != nil {
			return list, err
		}
		list = append(list, one)
	}
	return list, nil
}

// Print writes the report as a table.
func (r RingsReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n\n", r.Machine)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "concurrency\trings\trings/s\tto 201: p50\tp95\tp99 ms\tto Apple: p50\tp95\tp99 ms\tCPU µs/ring\tlost\t")
	for _, x := range append([]RingRow{r.Paced}, r.Rows...) {
		fmt.Fprintf(t, "%s\t%d\t%.0f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.2f\t%.0f\t%d\t\n", x.name(), x.Count, x.PerSecond,
			x.P50, x.P95, x.P99, x.AppleP50, x.AppleP95, x.AppleP99, x.CPU, x.Lost)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	return r.printBeside(w)
}

// printBeside writes what does less in the same run: apns2 alone, SQLite alone, and a push server
// that stores nothing.
func (r RingsReport) printBeside(w io.Writer) error {
	fmt.Fprintln(w)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "concurrency\t\tper second\tCPU µs\tbytes\tCarillon to it\t")
	for _, x := range r.Rows {
		fmt.Fprintf(t, "%s\tCarillon\t%.0f\t%.0f\t%.0f\t\t\n", x.name(), x.PerSecond, x.CPU, r.Bytes)
		fmt.Fprintf(t, "\tbare apns2\t%.0f\t%.0f\t\tratio %.2f\t\n", x.Bare, x.BareCPU, quotient(x.PerSecond, x.Bare))
		fmt.Fprintf(t, "\tbare store\t%.0f\t%.0f\t%.0f\tratio %.2f\t\n", x.Store, x.StoreCPU, x.StoreBytes, quotient(x.PerSecond, x.Store))
		fmt.Fprintf(t, "\tbare store + bare apns2\t\t%.0f\t\tCPU %.2f\t\n", x.StoreCPU+x.BareCPU, x.OfBare)
		share := quotient(r.Chain, x.CPU)
		fmt.Fprintf(t, "\taudit chain\t\t%.1f\t\t%.1f %% of CPU (%s)\t\n", r.Chain, 100*share, verdict(share <= chainShare))
		fmt.Fprintf(t, "\tstock push server\t%.0f\t%.0f\t\tratio %.2f\t\n", x.Stock, x.StockCPU, x.OfStock)
	}
	return t.Flush()
}

func (x RingRow) name() string {
	if x.Bare == 0 {
		return "paced"
	}
	return fmt.Sprint(x.Concurrency)
}

// PrintJSON writes the report as one JSON line.
func (r RingsReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
