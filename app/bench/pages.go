package bench

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"text/tabwriter"
	"time"

	"carillon/app/console"
	"carillon/tenants"
	"carillon/tenants/store"
)

// PagesReport is what `bench pages` found.
type PagesReport struct {
	Machine   string    `json:"machine"`
	Seeded    int       `json:"rings"`
	SeedS     float64   `json:"seed_s"`
	Rows      []PageRow `json:"rows"`
	FirstLoad int       `json:"first_load_bytes"` // the overview with everything it refers to, compressed
	Alone     RingRow   `json:"rings_alone"`      // rings that nobody's reading disturbs
	Beside    RingRow   `json:"rings_beside"`     // rings that were placed while the pages were read
	Ratio     float64   `json:"ring_p99_ratio"`   // time to Apple, p99: beside to alone

	Chain ChainReport `json:"audit_chain"`
}

// PageRow is one page: how long the server takes, and what goes over the wire.
type PageRow struct {
	Page  string  `json:"page"`
	Count int     `json:"count"`
	P50   float64 `json:"p50_ms"`
	P95   float64 `json:"p95_ms"`
	P99   float64 `json:"p99_ms"`
	Bytes int     `json:"bytes"` // compressed
}

// PagesConfig says how much to measure. The zero value seeds 10,000 rings and asks for each page a
// hundred times.
type PagesConfig struct {
	Rings    int // 0 = those that Data has, or 10,000
	Times    int
	Database string        // postgres://… of an empty database; empty = SQLite
	Data     string        // a folder that stays, to measure what an earlier run has filled; empty = a temporary one
	Only     string        // only pages with this in their address
	Alone    time.Duration // how long rings are placed before anybody reads; 0 = 10 s
}

// pagesRate is how many rings a second are placed while pages are read.
const pagesRate = 100

// Pages measures every page of the console on a database with many rings, while pagesRate rings a
// second are placed, and what that reading costs the rings.
func Pages(ctx context.Context, c PagesConfig) (r PagesReport, err error) {
	if !slices.ContainsFunc(pagesOf("", ""), c.wants) {
		return r, fmt.Errorf("--only: no page has %q in its address", c.Only)
	}
	if c.Times == 0 {
		c.Times = 100
	}
	if c.Alone == 0 {
		c.Alone = 10 * time.Second
	}
	r = PagesReport{Machine: Machine()}
	link := tenants.NewSecret(tenants.InvitationPrefix)
	b := &rings{answered: map[string]time.Time{}}
	fill := func(ctx context.Context, s *stage, db *store.Store) error {
		if err := r.fill(ctx, s, db, c.Rings); err != nil {
			return err
		}
		var err error
		r.Chain, err = verifyChain(ctx, s, db)
		return errors.Join(err, invite(ctx, s, db, link))
	}
	b.stage, err = setUpOn(ctx, place{url: c.Database, keep: c.Data}, 200, b.hear, fill)
	if err != nil {
		return r, err
	}
	defer func() { err = errors.Join(err, b.stage.close()) }()
	v, err := enter(ctx, "http://"+b.stage.server.addr, link)
	if err != nil {
		return r, err
	}
	if r.FirstLoad, err = v.weigh(ctx, "/overview"); err != nil {
		return r, err
	}
	if r.Alone, err = b.paced(ctx, pagesRate, c.Alone); err != nil {
		return r, err
	}
	busy, stop := context.WithCancel(ctx)
	defer stop()
	var wg sync.WaitGroup
	wg.Go(func() { r.Beside, err = b.paced(busy, pagesRate, time.Hour) })
	pages, failed := v.places(ctx, b.stage)
	for _, page := range pages {
		if !c.wants(page) {
			continue
		}
		row, e := v.measure(ctx, page, c.Times)
		failed = errors.Join(failed, e)
		r.Rows = append(r.Rows, row)
	}
	stop()
	wg.Wait()
	r.Ratio = quotient(r.Beside.AppleP99, r.Alone.AppleP99)
	return r, errors.Join(failed, err)
}

// wants reports whether a page is measured.
func (c PagesConfig) wants(page string) bool { return strings.Contains(page, c.Only) }

// fill writes the rings, unless an earlier run did. One that wrote another number than what is
// asked for is refused.
func (r *PagesReport) fill(ctx context.Context, s *stage, db *store.Store, n int) error {
	if s.found != nil && n != 0 && n != s.found.Rings {
		return fmt.Errorf("--rings: the folder of --data has %d rings, not %d: leave --rings out, or name an empty folder",
			s.found.Rings, n)
	}
	if s.found != nil {
		r.Seeded, r.SeedS = s.found.Rings, s.found.Filled
		return nil
	}
	n = cmp.Or(n, 10_000)
	start := time.Now()
	if err := history(ctx, s, db, n); err != nil {
		return err
	}
	r.Seeded, r.SeedS = n, time.Since(start).Seconds()
	return s.remember(n, r.SeedS)
}

// invite makes the link by which the reader signs in. A run on kept data makes its own.
func invite(ctx context.Context, s *stage, db *store.Store, link tenants.Secret) error {
	now := time.Now()
	return db.For(s.tenant).By(store.Who{Actor: tenants.System}).Invitations().Add(ctx, store.Invitation{
		Hash: link.Hash(), Tenant: s.tenant, Email: fmt.Sprintf("bench-%d@example.com", now.UnixNano()), Role: tenants.Owner,
		By: tenants.System, CreatedAt: now, ExpiresAt: now.Add(time.Hour),
	}, nil)
}

// history writes rings of the last thirty days as they may have gone, and tallies them.
func history(ctx context.Context, s *stage, db *store.Store, n int) error {
	key := tenants.Actor{Kind: tenants.ActorKey, ID: tenants.NewRandomID(), Name: "bench"} // each ring is in the audit log
	scope := db.For(s.tenant).By(store.Who{Actor: key})
	now := time.Now()
	const writers = 64
	apart := 30 * 24 * time.Hour / time.Duration(n+1)
	var wg sync.WaitGroup
	errs := make([]error, writers)
	for w := range writers {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil && ctx.Err() == nil; i += writers {
				at := now.Add(-time.Duration(n-i) * apart)
				_, errs[w] = scope.Rings().Add(ctx, past(s, i, at), store.Idempotency{}, time.Time{})
			}
		})
	}
	wg.Wait()
	for rolled := 1; rolled > 0 && errors.Join(errs...) == nil; {
		var err error
		if rolled, err = db.Jobs().Roll(ctx, 5000); err != nil {
			return err
		}
	}
	return errors.Join(append(errs, db.DeviceRings().FileAll(ctx))...)
}

// roads are ways a ring may go after Apple's yes, and how often: of ten, six are answered.
var roads = [][]tenants.FactKind{
	{tenants.FactWoke, tenants.FactShown, tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp},
	{tenants.FactWoke, tenants.FactShown, tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp},
	{tenants.FactWoke, tenants.FactShown, tenants.FactAnswered, tenants.FactConnected, tenants.FactHungUp},
	{tenants.FactWoke, tenants.FactShown, tenants.FactDeclined},
	{tenants.FactWoke, tenants.FactShown, tenants.FactExpired},
	{tenants.FactExpired},
	{tenants.FactWoke, tenants.FactSilenced},
}

// past is a ring that has ended.
func past(s *stage, i int, at time.Time) *tenants.Ring {
	d := i % len(s.devices)
	r := &tenants.Ring{
		ID: tenants.NewID[tenants.RingID](at), Tenant: s.tenant, State: tenants.Placed, To: tenants.To{Device: s.devices[d]},
		Caller: "Bench", Reference: fmt.Sprintf("lead-%d", i), By: tenants.System, CreatedAt: at, ExpiresAt: at.Add(tenants.DefaultTTL),
	}
	id := tenants.NewID[tenants.AttemptID](at)
	a := tenants.Attempt{
		ID: id, Ring: r.ID, Device: s.devices[d], State: tenants.Placed, AppVersion: fmt.Sprintf("1.%d.0", i%3), OSVersion: "26.4",
		Push: tenants.Push{APNsID: tenants.NewRandomID(), Topic: bundle + ".voip", Token: s.tokens[d], Environment: tenants.Production,
			Tries: 1, Status: 200, SentAt: at.Add(time.Millisecond), AnsweredAt: at.Add(40 * time.Millisecond)},
		Facts: []tenants.Fact{{Attempt: id, Kind: tenants.FactPlaced, At: at, Received: at}},
	}
	r.Attempts = []tenants.Attempt{a}
	when := at
	for k, kind := range append([]tenants.FactKind{tenants.FactSent, tenants.FactAccepted}, roads[i%len(roads)]...) {
		when = when.Add(time.Duration(1+(i*7+k*131)%900) * time.Millisecond)
		r.Fold(tenants.Fact{Attempt: id, Kind: kind, At: when, Received: when})
	}
	return r
}

// visitor is a person with a browser's cookies.
type visitor struct {
	base string
	http *http.Client
}

// enter takes the invitation, which signs in.
func enter(ctx context.Context, base string, link tenants.Secret) (*visitor, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, err
	}
	v := &visitor{base: base, http: &http.Client{Jar: jar, Timeout: 30 * time.Second}}
	form := url.Values{"name": {"Bench"}, "password": {"a long enough password"}, "repeat": {"a long enough password"}}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, base+"/invitations/"+string([]byte(link)), strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	q.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	q.Header.Set("Sec-Fetch-Site", "same-origin")
	a, err := v.http.Do(q)
	if err != nil {
		return nil, err
	}
	defer a.Body.Close()
	if a.Request.URL.Path != "/overview" {
		text, _ := io.ReadAll(io.LimitReader(a.Body, 2000))
		return nil, fmt.Errorf("the invitation led to %s: %s", a.Request.URL.Path, text)
	}
	return v, nil
}

// get gives a page as it goes over the wire, compressed, and how long it took.
func (v *visitor) get(ctx context.Context, path string) (body []byte, took time.Duration, packed bool, err error) {
	q, err := http.NewRequestWithContext(ctx, http.MethodGet, v.base+path, nil)
	if err != nil {
		return nil, 0, false, err
	}
	q.Header.Set("Accept-Encoding", "gzip") // set by hand, so that it is not unpacked behind our back
	start := time.Now()
	a, err := v.http.Do(q)
	if err != nil {
		return nil, 0, false, err
	}
	defer a.Body.Close()
	body, err = io.ReadAll(a.Body)
	took = time.Since(start)
	if err == nil && a.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", path, a.Status)
	}
	return body, took, a.Header.Get("Content-Encoding") == "gzip", err
}

func (v *visitor) measure(ctx context.Context, path string, times int) (PageRow, error) {
	row := PageRow{Page: path, Count: times}
	var all sample
	for range times {
		body, took, _, err := v.get(ctx, path)
		if err != nil {
			return row, err
		}
		row.Bytes = len(body)
		all = append(all, took)
	}
	row.P50, row.P95, row.P99 = all.at(0.50), all.at(0.95), all.at(0.99)
	return row, nil
}

// asset finds what a page refers to.
var asset = regexp.MustCompile(`(?:href|src)="(/static/[^"#]+)`)

// weigh adds up a page and everything it refers to.
func (v *visitor) weigh(ctx context.Context, path string) (int, error) {
	body, _, packed, err := v.get(ctx, path)
	if err != nil {
		return 0, err
	}
	total, text := len(body), body
	if packed {
		r, err := gzip.NewReader(strings.NewReader(string(body)))
		if err != nil {
			return 0, err
		}
		if text, err = io.ReadAll(r); err != nil {
			return 0, err
		}
	}
	seen := map[string]bool{}
	for _, m := range asset.FindAllStringSubmatch(string(text), -1) {
		if seen[m[1]] {
			continue
		}
		seen[m[1]] = true
		body, _, _, err := v.get(ctx, m[1])
		if err != nil {
			return 0, err
		}
		total += len(body)
	}
	return total, nil
}

// places lists the pages, with the ids they need.
func (v *visitor) places(_ context.Context, s *stage) ([]string, error) {
	c, err := dial(s.server.addr)
	if err != nil {
		return nil, err
	}
	defer c.close()
	status, answer, err := c.ask(request("GET", "/v1/rings?limit=1&state=ended", string([]byte(s.key)), nil))
	if err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("%d %s: %w", status, answer, err)
	}
	return pagesOf(field(answer, `"id":"`), string(s.devices[3])), nil
}

// pagesOf are the pages that are measured, of a ring and a device where they are about one.
func pagesOf(ring, device string) []string {
	pages := slices.DeleteFunc(console.Pages(map[string]string{"rings": ring, "devices": device}), func(p string) bool {
		return strings.HasSuffix(p, "/cancel") // asks nothing of a ring that is over
	})
	return append(pages, "/rings?device="+device)
}

// The targets: a page's 95th percentile, the overview with everything it refers to, and each page
// by itself.
const (
	pageP95   = 50  // ms
	pageRatio = 1.3 // a ring's time to Apple with readers to that without
	firstLoad = 200_000
	laterLoad = 20_000
)

// Print writes the report as a table.
func (r PagesReport) Print(w io.Writer) error {
	fmt.Fprintf(w, "%s\n%d rings seeded in %.0f s, %d more placed at %d a second while the pages were read; first load %d KB "+
		"compressed\n\n", r.Machine, r.Seeded, r.SeedS, r.Beside.Count, pagesRate, r.FirstLoad/1000)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "p50\tp95\tp99 ms\tKB\tpage\t")
	slow, heavy := 0, 0
	for _, x := range r.Rows {
		if x.P95 > pageP95 {
			slow++
		}
		if x.Bytes > laterLoad {
			heavy++
		}
		fmt.Fprintf(t, "%.1f\t%.1f\t%.1f\t%.1f\t%s\t\n", x.P50, x.P95, x.P99, float64(x.Bytes)/1000, x.Page)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(w, "\na ring to Apple, p99: %.1f ms alone, %.1f ms while the pages are read: ratio %.2f (%s)\n",
		r.Alone.AppleP99, r.Beside.AppleP99, r.Ratio, verdict(r.Ratio <= pageRatio))
	if err := r.Chain.print(w); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "targets: p95 ≤ %d ms (%d pages over), ring p99 ≤ %.1f times that alone, first load ≤ %d KB (%s), "+
		"later pages ≤ %d KB (%d over)\n",
		pageP95, slow, pageRatio, firstLoad/1000, verdict(r.FirstLoad <= firstLoad), laterLoad/1000, heavy)
	return err
}

// PrintJSON writes the report as one JSON line.
func (r PagesReport) PrintJSON(w io.Writer) error { return json.NewEncoder(w).Encode(r) }
