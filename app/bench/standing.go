package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/gateway/phonetest"
)

// standing are calls that last while something goes wrong: real phones that speak and hear.
type standing struct {
	world *faultWorld
	all   []*standingCall
}

// standingCall is one of them.
type standingCall struct {
	*phonetest.Call
	leg   *phonetest.Leg
	node  int // that held it
	heard uint64
}

// answer places a ring at a node, and answers it there.
func (w *faultWorld) answer(ctx context.Context, node int) (*standingCall, error) {
	i := w.calls.phone + int(w.next.Add(1))%(len(w.cluster.stage.devices)-w.calls.phone)
	s := w.cluster.stage
	body := fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, s.devices[i])
	address := w.cluster.node(node).addr
	status, text, _, err := w.calls.asks(ctx, address, "POST", "/v1/rings", string([]byte(s.key)), "", body)
	if err != nil || status != http.StatusCreated {
		return nil, errors.Join(err, fmt.Errorf("a ring for a call: %d %s", status, text))
	}
	c := &standingCall{node: node, leg: &phonetest.Leg{URL: "http://" + address, Ring: field(text, `"id":"`),
		Credential: string([]byte(s.phones[i])), Client: w.calls.http}}
	if c.Call, err = w.phone.Call(ctx, c.leg.Answer); err != nil {
		return nil, err
	}
	select {
	case <-c.Heard():
		return c, nil
	case <-c.Closed():
		return c, errors.New("a call ended before its phone heard anything")
	case <-ctx.Done():
		return c, ctx.Err()
	}
}

// setUp answers at a node, again and again until it succeeds or ctx is done: a node that has just
// started may be slow or say when to come back.
func (w *faultWorld) setUp(ctx context.Context, node int) (*standingCall, error) {
	for {
		c, err := w.answer(ctx, node)
		if err == nil {
			return c, nil
		}
		if c != nil {
			c.HangUp()
		}
		if ctx.Err() != nil {
			return nil, err
		}
		rest(ctx, time.Second)
	}
}

// stand sets up so many calls, evenly over the nodes.
func (w *faultWorld) stand(ctx context.Context, n int) (*standing, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	s := &standing{world: w, all: make([]*standingCall, n)}
	errs := make([]error, n)
	var wg sync.WaitGroup
	nodes := len(w.cluster.running())
	for i := range n {
		wg.Go(func() { s.all[i], errs[i] = w.setUp(ctx, i%nodes) })
	}
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		s.hangUp()
		return nil, err
	}
	return s, nil
}

func (s *standing) hangUp() {
	var wg sync.WaitGroup
	for _, c := range s.all {
		if c != nil && c.Call != nil {
			wg.Go(c.HangUp)
		}
	}
	wg.Wait()
}

// broken counts the calls that have ended, or in which nothing was heard for a second; those of one
// node are left out, -1 = none.
func (s *standing) broken(ctx context.Context, but int) (n int) {
	for _, c := range s.all {
		c.heard = c.Stats().PacketsIn
	}
	rest(ctx, time.Second)
	for _, c := range s.all {
		if c.node == but {
			continue
		}
		select {
		case <-c.Closed():
			n++
		default:
			if c.Stats().PacketsIn == c.heard {
				n++
			}
		}
	}
	return n
}

// takenOver has the phones of every second call of a node that is away answer again on another one,
// and waits until the others are ended. It gives the longest that either took.
func (s *standing) takenOver(ctx context.Context, node int, since time.Time) (resumed, ended time.Duration, err error) {
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	var mu sync.Mutex // guards both times and err
	var wg sync.WaitGroup
	k := 0
	for _, c := range s.all {
		if c.node != node {
			continue
		}
		k++
		again := k%2 == 1
		wg.Go(func() {
			var e error
			if again {
				e = s.again(ctx, c)
			} else {
				e = s.lost(ctx, c)
			}
			took := time.Since(since)
			mu.Lock()
			defer mu.Unlock()
			if err = errors.Join(err, e); again {
				resumed = max(resumed, took)
			} else {
				ended = max(ended, took)
			}
		})
	}
	wg.Wait()
	return resumed, ended, err
}

// other is the address of a node that runs.
func (w *faultWorld) other(node int) string {
	return w.cluster.node(node + 1).addr
}

// again answers again on another node until it is heard.
func (s *standing) again(ctx context.Context, c *standingCall) error {
	leg := &phonetest.Leg{URL: "http://" + s.world.other(c.node), Ring: c.leg.Ring, Credential: c.leg.Credential, Client: c.leg.Client}
	for {
		call, err := s.world.phone.Call(ctx, leg.Answer)
		if err == nil {
			defer call.HangUp()
			select {
			case <-call.Heard():
				return nil
			case <-ctx.Done():
				return errors.New("a call that went on has no sound")
			}
		}
		if ctx.Err() != nil {
			return fmt.Errorf("a phone cannot answer again: %w", err)
		}
		rest(ctx, 700*time.Millisecond) // a phone may answer only a few times a minute
	}
}

// lost waits until the call is recorded as ended.
func (s *standing) lost(ctx context.Context, c *standingCall) error {
	for {
		by, err := s.world.endedBy(ctx, s.world.other(c.node), c.leg.Ring)
		if err == nil && by != "" {
			if by != "node_lost" {
				return fmt.Errorf("a call of the lost node ended by %s", by)
			}
			return nil
		}
		if ctx.Err() != nil {
			return errors.Join(errors.New("a call of the lost node never ended"), err)
		}
		rest(ctx, 100*time.Millisecond)
	}
}

// endedBy is who ended a call; empty while it goes on.
func (w *faultWorld) endedBy(ctx context.Context, node, ring string) (string, error) {
	status, text, _, err := w.calls.asks(ctx, node, "GET", "/v1/rings/"+ring, string([]byte(w.cluster.stage.key)), "", "")
	if err != nil || status != http.StatusOK {
		return "", errors.Join(err, fmt.Errorf("%d %s", status, strings.TrimSpace(string(text))))
	}
	var r struct {
		Call *struct {
			EndedBy string `json:"ended_by"`
		}
	}
	if err := json.Unmarshal(text, &r); err != nil || r.Call == nil {
		return "", err
	}
	return r.Call.EndedBy, nil
}
