package nodestest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"carillon/app/push/apnstest"
)

// TestRollingRestart: three nodes are replaced one after the other while rings arrive. Each ring is
// taken by one of them and pushed under one apns-id, what is refused says when to come again, and
// all nodes show Apple one provider token.
func TestRollingRestart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	nodes := []*node{w.shared("a"), w.shared("b"), w.shared("c")}
	nodes[0].furnish()
	l := w.load(nodes...)
	for i, name := range []string{"a2", "b2", "c2"} {
		l.replace(i, w.shared(name))
	}
	l.end()
}

// loader places rings at nodes, one at a time, without a break.
type loader struct {
	w           *world
	mu          sync.Mutex // guards nodes
	nodes       []*node
	placed      atomic.Int64
	stop, ended chan struct{}

	accepted, faults []string // of the loader, until it has ended
	own              []string // rings that the test itself has placed
}

// load begins to place rings at these nodes in turn.
func (w *world) load(nodes ...*node) *loader {
	for _, env := range []string{apnstest.Production, apnstest.Sandbox} {
		w.apple.AddToken(strings.Repeat("a1", 32), "com.example.elm.voip", env)
	}
	l := &loader{w: w, nodes: nodes, stop: make(chan struct{}), ended: make(chan struct{})}
	go l.place()
	return l
}

func (l *loader) place() {
	defer close(l.ended)
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for i := 0; ; i++ {
		id, fault := "", "again"
		for try := 0; fault == "again" && try < 500; try++ {
			<-tick.C
			id, fault = l.node(i + try).rings(fmt.Sprintf("ring-%d", i))
		}
		if l.accepted = append(l.accepted, id); fault != "" {
			l.faults = append(l.faults, fault)
		}
		l.placed.Add(1)
		select {
		case <-l.stop:
			if i >= 20 { // after the last change too, on a quick machine
				return
			}
		default:
		}
	}
}

func (l *loader) node(i int) *node {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.nodes[i%len(l.nodes)]
}

// more waits until so many more rings are placed.
func (l *loader) more(n int64) {
	l.w.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for from, late := l.placed.Load(), time.After(2*time.Minute); l.placed.Load() < from+n; {
		select {
		case <-tick.C:
		case <-late:
			l.w.Fatalf("%d of %d rings are placed", l.placed.Load()-from, n)
		}
	}
}

// replace has a fresh node take the place of the i-th, which stops.
func (l *loader) replace(i int, fresh *node) {
	l.w.Helper()
	l.mu.Lock()
	old := l.nodes[i]
	l.nodes[i] = fresh
	l.mu.Unlock()
	if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		l.w.Fatal(err)
	}
	if err := closedWithin(old.done, time.Minute); err != nil {
		l.w.Fatalf("the node that is replaced does not stop: %v", err)
	}
	if code := old.cmd.ProcessState.ExitCode(); code != 0 {
		l.w.Errorf("it ended with the code %d", code)
	}
}

// end ends the load. Each ring must have been accepted, and pushed under one apns-id.
func (l *loader) end() {
	l.w.Helper()
	close(l.stop)
	<-l.ended
	if len(l.faults) > 0 {
		l.w.Fatalf("of %d rings these were not placed: %q", len(l.accepted), l.faults)
	}
	pushed, providers := map[string]string{}, map[string]bool{} // ids by ring
	lacks := func() bool { return slices.ContainsFunc(l.accepted, func(id string) bool { return pushed[id] == "" }) }
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for late := time.Now().Add(time.Minute); lacks() && time.Now().Before(late); <-poll.C {
		for _, p := range l.w.apple.Delivered() {
			var said struct {
				Ring string `json:"call_id"`
			}
			if err := json.Unmarshal(p.Payload, &said); err != nil {
				l.w.Fatal(err)
			}
			if slices.Contains(l.own, said.Ring) {
				continue
			}
			if id := pushed[said.Ring]; id != "" && id != p.APNsID {
				l.w.Fatalf("%s was pushed as %s and as %s", said.Ring, id, p.APNsID)
			}
			pushed[said.Ring], providers[p.Provider] = p.APNsID, true
		}
	}
	for _, id := range l.accepted {
		if pushed[id] == "" {
			l.w.Errorf("%s was not pushed", id)
		}
	}
	if len(pushed) != len(l.accepted) || len(providers) != 1 {
		l.w.Errorf("%d rings were accepted and %d pushed, with %d provider tokens", len(l.accepted), len(pushed), len(providers))
	}
}

// rings places a ring. The fault "again" is a refusal that says when to come again, or a connection
// that the node has closed: the key then keeps a second request from being a second ring.
func (n *node) rings(key string) (id, fault string) {
	q, err := http.NewRequestWithContext(n.w.Context(), "POST", n.url+"/v1/rings", strings.NewReader(`{"to":{"person":"front-desk"}}`))
	if err != nil {
		return "", err.Error()
	}
	q.Header.Set("Authorization", "Bearer "+n.w.key)
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Idempotency-Key", key)
	a, err := http.DefaultClient.Do(q)
	if err != nil {
		return "", "again"
	}
	defer a.Body.Close()
	body, err := io.ReadAll(a.Body)
	switch {
	case err != nil:
		return "", "again"
	case a.StatusCode == 201:
		var r ring
		if err := json.Unmarshal(body, &r); err != nil {
			return "", err.Error()
		}
		return r.ID, ""
	case a.StatusCode >= 400 && a.Header.Get("Retry-After") != "":
		return "", "again"
	}
	return "", fmt.Sprintf("a ring gave %d: %s", a.StatusCode, body)
}
