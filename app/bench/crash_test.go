package bench_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"carillon/app"
	"carillon/app/bench"
	"carillon/app/push/apnstest"
)

// TestMain lets the test binary be the processes that a test spawns.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && (os.Args[1] == "serve" || os.Args[1] == "bench") {
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
		defer stop()
		os.Exit(app.Run(ctx, os.Args[1:], os.Stdout, os.Stderr))
	}
	os.Exit(m.Run())
}

// ledger is what Apple was given, and what the API promised.
type ledger struct {
	mu       sync.Mutex // guards all
	pushed   map[string][]apnstest.Delivered
	promised map[string]bool
}

func (l *ledger) hear(d apnstest.Delivered) {
	l.mu.Lock()
	defer l.mu.Unlock()
	id := bench.Field(d.Payload, `"call_id":"`)
	l.pushed[id] = append(l.pushed[id], d)
}

// TestNoAcceptedRingIsLostWhenTheServerIsKilled kills the server in the middle of rings that have
// no end, starts it again on what it left, places as many again, and holds it to its word: every
// ring that was answered 201 is found pushed, or ended with a reason.
func TestNoAcceptedRingIsLostWhenTheServerIsKilled(t *testing.T) {
	t.Parallel()
	const workers, killAfter = 20, 700
	book := &ledger{pushed: map[string][]apnstest.Delivered{}, promised: map[string]bool{}}
	stage, err := bench.SetUp(t.Context(), 50, book.hear)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := stage.Close(); err != nil {
			t.Error(err)
		}
	}()

	var asked atomic.Int64
	middle := make(chan struct{}) // closed once killAfter rings were promised
	phase := func(most int64) {
		var wg sync.WaitGroup
		for i := range workers {
			wg.Go(func() { place(t, stage, book, i, &asked, most, middle, killAfter) })
		}
		if most == math.MaxInt64 { // the first phase is cut off
			<-middle
			if err := stage.Crash(t.Context()); err != nil {
				t.Error(err)
			}
		}
		wg.Wait()
	}
	phase(math.MaxInt64)
	phase(asked.Load() + killAfter)
	settle(t, stage, book)
	book.check(t)
}

// place places rings until the server goes away or most were asked for.
func place(t *testing.T, stage *bench.Stage, book *ledger, i int, asked *atomic.Int64, most int64, middle chan struct{}, killAfter int) {
	c, err := bench.Dial(stage.Server().Addr())
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	for asked.Add(1) <= most {
		body := fmt.Appendf(nil, `{"to":{"device":"%s"},"ttl_s":20}`, stage.Device(i))
		status, answer, err := c.Ask(bench.Request("POST", "/v1/rings", stage.Key(), body))
		if err != nil {
			return // killed
		}
		if status != 201 {
			t.Errorf("%d: %s", status, answer)
			return
		}
		book.mu.Lock()
		book.promised[bench.Field(answer, `"id":"`)] = true
		if len(book.promised) == killAfter {
			close(middle)
		}
		book.mu.Unlock()
	}
}

type ring struct {
	ID        string
	State     string
	EndReason string `json:"end_reason"`
	Attempts  []struct {
		Pushes []struct {
			APNsID string `json:"apns_id"`
			Status int
		}
	}
}

// settle waits until the API says that no promised ring is still on its way to Apple.
func settle(t *testing.T, stage *bench.Stage, book *ledger) {
	t.Helper()
	deadline := time.Now().Add(2 * time.Minute)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		left := 0
		found := all(t, stage)
		for id := range book.promised {
			r, ok := found[id]
			if !ok {
				t.Fatalf("ring %s was answered 201 and is gone", id)
			}
			if r.State == "placed" {
				left++
			} else if r.State != "pushed" && r.EndReason == "" {
				t.Fatalf("ring %s is %s without a reason", id, r.State)
			}
		}
		if left == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d rings never left for Apple", left)
		}
		<-tick.C
	}
}

// all pages through every ring.
func all(t *testing.T, stage *bench.Stage) map[string]ring {
	t.Helper()
	c, err := bench.Dial(stage.Server().Addr())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	found := map[string]ring{}
	for path := "/v1/rings?limit=200"; ; {
		status, answer, err := c.Ask(bench.Request("GET", path, stage.Key(), nil))
		if err != nil || status != 200 {
			t.Fatalf("%d %s %v", status, answer, err)
		}
		var page struct {
			Data []ring
			Next string
		}
		if err := json.Unmarshal(answer, &page); err != nil {
			t.Fatal(err)
		}
		for _, r := range page.Data {
			found[r.ID] = r
		}
		if page.Next == "" {
			return found
		}
		path = "/v1/rings?limit=200&after=" + page.Next
	}
}

func (l *ledger) check(t *testing.T) {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	repeated := 0
	for id, pushes := range l.pushed {
		var body struct{ Exp int64 }
		for _, p := range pushes {
			if err := json.Unmarshal(p.Payload, &body); err != nil {
				t.Fatal(err)
			}
			if p.APNsID != pushes[0].APNsID {
				t.Errorf("ring %s went out under two apns-ids", id)
			}
			if p.At.After(time.Unix(body.Exp, 0).Add(5 * time.Second)) {
				t.Errorf("ring %s went out %v after its time", id, p.At.Sub(time.Unix(body.Exp, 0)))
			}
		}
		if len(pushes) > 1 {
			repeated++
		}
	}
	missed := 0
	for id := range l.promised {
		if len(l.pushed[id]) == 0 {
			missed++
		}
	}
	t.Logf("%d promised, %d pushed, %d of them again after the crash, %d ended before a push", len(l.promised),
		len(l.pushed), repeated, missed)
}
