package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/app/push/apnstest"
)

// callers place rings as a balancer with good clients does: one that a node does not take goes to
// the next, under the same Idempotency-Key.
type callers struct {
	stage *stage
	nodes func() []string // addresses, those of nodes that are away included
	http  *http.Client
	phone int // devices that are rung: the first so many; the others are for calls
	ttl   time.Duration

	*ledger
	extra struct {
		sync.Mutex
		late    int            // pushes after the end of their ring's time
		wrong   map[string]int // refusals that do not say when to come back
		polite  int            // 429 and 503 with Retry-After
		given   int            // rings that no node took
		last    time.Time      // that a ring was accepted
		longest time.Duration  // between two acceptances
		until   time.Time      // the end of the longest
	}
}

func newCallers(phone int, patience time.Duration) *callers {
	c := &callers{ledger: newLedger(), phone: phone, ttl: faultTTL}
	c.http = &http.Client{Timeout: patience, Transport: &http.Transport{MaxIdleConnsPerHost: 100, IdleConnTimeout: 10 * time.Second}}
	c.extra.wrong = map[string]int{}
	return c
}

// hear notes what Apple was given, and whether it came late.
func (c *callers) hear(d apnstest.Delivered) {
	c.ledger.hear(d)
	var body struct{ Exp int64 }
	if err := json.Unmarshal(d.Payload, &body); err != nil || d.At.After(time.Unix(body.Exp, 0).Add(time.Second)) {
		c.extra.Lock()
		c.extra.late++
		c.extra.Unlock()
	}
}

// asks makes a request of one node. retry says that another node may be asked.
func (c *callers) asks(ctx context.Context, node, method, path, key, once, body string) (status int, answer []byte, after bool, err error) {
	q, err := http.NewRequestWithContext(ctx, method, "http://"+node+path, strings.NewReader(body))
	if err != nil {
		return 0, nil, false, err
	}
	q.Header.Set("Authorization", "Bearer "+key)
	q.Header.Set("Content-Type", "application/json")
	if once != "" {
		q.Header.Set("Idempotency-Key", once)
	}
	a, err := c.http.Do(q)
	if err != nil {
		return 0, nil, false, err
	}
	defer a.Body.Close()
	answer, err = io.ReadAll(a.Body)
	return a.StatusCode, answer, a.Header.Get("Retry-After") != "", err
}

// tries is how often a ring is offered.
const tries = 6

// ring places the i-th ring.
func (c *callers) ring(ctx context.Context, i int, due time.Time) {
	body := fmt.Sprintf(`{"to":{"device":"%s"},"caller":"Bench","ttl_s":%d}`, c.stage.devices[i%c.phone], int(c.ttl.Seconds()))
	once := fmt.Sprintf("bench-%d-%d", due.UnixNano(), i)
	why := ""
	for n := range tries {
		nodes := c.nodes()
		status, answer, after, err := c.asks(ctx, nodes[(i+n)%len(nodes)], "POST", "/v1/rings", string([]byte(c.stage.key)), once, body)
		switch {
		case err != nil:
			why = "no answer" // the next node may have one
		case status == http.StatusCreated || status == http.StatusOK:
			c.accepted(field(answer, `"id":"`), due)
			return
		case status == http.StatusConflict: // the first try is still under way
			rest(ctx, 200*time.Millisecond)
		case after && (status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests):
			why = ""
			c.extra.Lock()
			c.extra.polite++
			c.extra.Unlock()
		default:
			why = fmt.Sprintf("%d %s", status, bytes.TrimSpace(answer))
			c.wrongly(why)
			return
		}
	}
	if why != "" {
		c.wrongly(why)
	}
	c.extra.Lock()
	c.extra.given++
	c.extra.Unlock()
}

func (c *callers) accepted(id string, due time.Time) {
	c.ask(id, 0, due)
	c.extra.Lock()
	defer c.extra.Unlock()
	now := time.Now()
	if gap := now.Sub(c.extra.last); !c.extra.last.IsZero() && gap > c.extra.longest {
		c.extra.longest, c.extra.until = gap, now
	}
	c.extra.last = now
}

func (c *callers) wrongly(why string) {
	c.extra.Lock()
	defer c.extra.Unlock()
	c.extra.wrong[why]++
}

// load rings at faultRate for a while; the channel is closed when all were answered.
func (c *callers) load(ctx context.Context, d time.Duration) <-chan error {
	done := make(chan error, 1)
	go func() {
		done <- paced(ctx, int(d.Seconds()*faultRate), time.Second/faultRate, func(i int, due time.Time) error {
			c.ring(ctx, i, due)
			return nil
		})
	}()
	return done
}

// end waits until Apple has all that was promised, and fills in the row. It says whether no ring
// was lost, late, under two ids, or refused without saying when to come back.
func (c *callers) end(ctx context.Context, row *FaultRow) {
	wait, cancel := context.WithTimeout(ctx, c.ttl+5*time.Second)
	defer cancel()
	for c.tally(0, time.Time{}).lost > 0 && wait.Err() == nil {
		rest(wait, 50*time.Millisecond)
	}
	c.tally(0, time.Time{}).fill(row)
	c.extra.Lock()
	defer c.extra.Unlock()
	row.OK = row.Count > 0 && row.Lost == 0 && row.Repeated == 0 && c.extra.late == 0 && len(c.extra.wrong) == 0
	row.Figure = fmt.Sprintf("%d late", c.extra.late)
	if c.extra.polite > 0 {
		row.Figure += fmt.Sprintf(", %d times told to come back", c.extra.polite)
	}
	if c.extra.given > 0 {
		row.Figure += fmt.Sprintf(", %d rings not taken", c.extra.given)
	}
	for why, n := range c.extra.wrong {
		row.Figure += fmt.Sprintf(", %d: %.80s", n, why)
	}
}
