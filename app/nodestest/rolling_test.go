package nodestest_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
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
	var mu sync.Mutex // guards nodes
	nodes := []*node{w.shared("a"), w.shared("b"), w.shared("c")}
	nodes[0].furnish()

	for _, env := range []string{apnstest.Production, apnstest.Sandbox} {
		w.apple.AddToken(strings.Repeat("a1", 32), "com.example.elm.voip", env)
	}
	pick := func(i int) *node {
		mu.Lock()
		defer mu.Unlock()
		return nodes[i%len(nodes)]
	}
	var accepted, faults []string // of the loader, until it has ended
	stop, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for i := 0; ; i++ {
			id, fault := "", "again"
			for try := 0; fault == "again" && try < 500; try++ {
				<-tick.C
				id, fault = pick(i + try).rings(fmt.Sprintf("ring-%d", i))
			}
			if accepted = append(accepted, id); fault != "" {
				faults = append(faults, fault)
			}
			select {
			case <-stop:
				if i >= 20 { // after the last restart too, on a quick machine
					return
				}
			default:
			}
		}
	}()
	for i, name := range []string{"a2", "b2", "c2"} {
		fresh := w.shared(name)
		mu.Lock()
		old := nodes[i]
		nodes[i] = fresh
		mu.Unlock()
		if err := old.cmd.Process.Signal(syscall.SIGTERM); err != nil {
			t.Fatal(err)
		}
		if err := closedWithin(old.done, 30*time.Second); err != nil {
			t.Fatalf("the node that is replaced does not stop: %v", err)
		}
		if code := old.cmd.ProcessState.ExitCode(); code != 0 {
			t.Errorf("it ended with the code %d", code)
		}
	}
	close(stop)
	<-ended
	if len(faults) > 0 {
		t.Fatalf("of %d rings these were not placed: %q", len(accepted), faults)
	}
	pushed, providers := map[string]string{}, map[string]bool{} // ids by ring
	poll := time.NewTicker(20 * time.Millisecond)
	defer poll.Stop()
	for late := time.Now().Add(20 * time.Second); len(pushed) < len(accepted) && time.Now().Before(late); <-poll.C {
		for _, p := range w.apple.Delivered() {
			var said struct {
				Ring string `json:"call_id"`
			}
			if err := json.Unmarshal(p.Payload, &said); err != nil {
				t.Fatal(err)
			}
			if id := pushed[said.Ring]; id != "" && id != p.APNsID {
				t.Fatalf("%s was pushed as %s and as %s", said.Ring, id, p.APNsID)
			}
			pushed[said.Ring], providers[p.Provider] = p.APNsID, true
		}
	}
	for _, id := range accepted {
		if pushed[id] == "" {
			t.Errorf("%s was not pushed", id)
		}
	}
	if len(pushed) != len(accepted) || len(providers) != 1 {
		t.Errorf("%d rings were accepted and %d pushed, with %d provider tokens", len(accepted), len(pushed), len(providers))
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
