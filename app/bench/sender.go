package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"

	"carillon/tenants"
)

// sendEvery is how often the sender sends what has come together, as the server does.
const sendEvery = 20 * time.Millisecond

// sending asks the sender for events: to an address, so many a second, for a while. After each one
// it keeps a processor busy for Spin.
type sending struct {
	To        string        `json:"to"`
	PerSecond int           `json:"per_second"`
	For       time.Duration `json:"for"`
	Spin      time.Duration `json:"spin"`
}

// Send serves the sender of `bench events` until ctx is done. It is a process that knows nothing of
// rings, and sends as many events to the same receiver as the server does: rings beside it show
// what this costs them by itself on a machine of few processors.
func Send(ctx context.Context, out io.Writer) error {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	server := &http.Server{ReadHeaderTimeout: 10 * time.Second, Handler: http.HandlerFunc(serveSend)}
	stop := context.AfterFunc(ctx, func() { _ = server.Close() })
	defer stop()
	fmt.Fprintf(out, "sender of events on %s\n", l.Addr())
	if err := server.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

func serveSend(w http.ResponseWriter, r *http.Request) {
	var s sending
	err := json.NewDecoder(io.LimitReader(r.Body, 64<<10)).Decode(&s)
	n := 0
	if err == nil {
		n, err = s.run(r.Context())
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadGateway)
		return
	}
	_ = json.NewEncoder(w).Encode(n)
}

// run sends and says how many events it sent.
func (s sending) run(ctx context.Context) (n int, err error) {
	tick := time.NewTicker(sendEvery)
	defer tick.Stop()
	start := time.Now()
	for time.Since(start) < s.For {
		select {
		case <-ctx.Done():
			return n, ctx.Err()
		case <-tick.C:
		}
		for due := int(time.Since(start).Seconds() * float64(s.PerSecond)); n < due; n++ {
			if err := s.one(ctx); err != nil {
				return n, err
			}
			for busy := time.Now().Add(s.Spin); time.Now().Before(busy); {
			}
		}
	}
	return n, nil
}

// one sends an event like those of a ring.
func (s sending) one(ctx context.Context) error {
	now := time.Now()
	ring := tenants.NewID[tenants.RingID](now)
	body := tenants.EventBody{Type: tenants.EventRingPlaced, Timestamp: now, Data: tenants.RingData{Ring: ring, State: tenants.Placed,
		To: tenants.RingTo{Device: tenants.NewID[tenants.DeviceID](now)}, Caller: "Bench", CreatedAt: now}}.Write()
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, s.To, bytes.NewReader(body))
	if err != nil {
		return err
	}
	q.Header.Set("Webhook-Id", string(ring))
	q.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	if _, err = io.Copy(io.Discard, answer.Body); err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("the receiver of events: %s", answer.Status)
	}
	return err
}

// sendElsewhere has the sender at an address send.
func sendElsewhere(ctx context.Context, addr string, s sending) (n int, err error) {
	err = tell(ctx, "http://"+addr+"/", s, &n)
	return n, err
}

// tell has another process of the bench do something, and reads what came of it.
func tell(ctx context.Context, to string, what, result any) error {
	body, err := json.Marshal(what)
	if err != nil {
		return err
	}
	q, err := http.NewRequestWithContext(ctx, http.MethodPost, to, bytes.NewReader(body))
	if err != nil {
		return err
	}
	answer, err := http.DefaultClient.Do(q)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s: %s", to, text)
	}
	if err == nil {
		err = json.Unmarshal(text, result)
	}
	return err
}
