package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"carillon/tenants"
	"carillon/tenants/seal"
)

// pageLag is how late a live page may be.
const pageLag = 2 * time.Second

// withoutNATS: NATS is killed. Meanwhile some rings are answered on the node that placed them, and
// others are cancelled on another node than the one that is listened to.
func (w *faultWorld) withoutNATS(ctx context.Context) (row FaultRow, err error) {
	port, err := w.cluster.natsPort()
	if err != nil {
		return row, err
	}
	lasts := w.span(30 * time.Second)
	err = w.during(ctx, lasts+w.span(8*time.Second), &row, func(s *standing) error {
		if err := w.cluster.nats.kill(); err != nil {
			return err
		}
		ends := time.Now().Add(lasts)
		answered, failed, heard := 0, 0, 0
		var most time.Duration
		for n := 0; time.Now().Before(ends); n++ {
			c, err := w.answer(ctx, n%faultNodes)
			if err == nil {
				answered++
				c.HangUp()
			} else {
				failed++
			}
			lag, err := w.lag(ctx, n)
			if err != nil {
				return err
			}
			heard, most = heard+1, max(most, lag)
			rest(ctx, time.Second)
		}
		broken := s.broken(ctx, -1)
		if err := w.cluster.startNATS(ctx, port); err != nil {
			return err
		}
		row.OK = failed == 0 && broken == 0 && most <= pageLag
		row.Figure = fmt.Sprintf("%d of %d answers work, %d calls broke, pages lag %.1f s at most", answered, answered+failed, broken,
			most.Seconds())
		return nil
	})
	return row, err
}

// lag is how long a cancel on one node takes to be seen by one who listens on another.
func (w *faultWorld) lag(ctx context.Context, n int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	here, there := w.cluster.node(n).addr, w.cluster.node(n+1).addr
	s := w.cluster.stage
	key := string([]byte(s.key))
	body := fmt.Sprintf(`{"to":{"device":"%s"}}`, s.devices[n%w.calls.phone])
	status, text, _, err := w.calls.asks(ctx, here, "POST", "/v1/rings", key, "", body)
	if err != nil || status != http.StatusCreated {
		return 0, errors.Join(err, fmt.Errorf("a ring: %d %s", status, text))
	}
	id := field(text, `"id":"`)
	q, err := http.NewRequestWithContext(ctx, "GET", "http://"+here+"/v1/rings/"+id+"/events", nil)
	if err != nil {
		return 0, err
	}
	q.Header.Set("Authorization", "Bearer "+key)
	stream := &http.Client{}
	a, err := stream.Do(q)
	if err != nil {
		return 0, err
	}
	defer a.Body.Close()
	lines := bufio.NewScanner(a.Body)
	var began time.Time
	for lines.Scan() {
		kind, ok := strings.CutPrefix(lines.Text(), "event: ")
		switch {
		case ok && kind == "cancelled":
			return time.Since(began), nil
		case ok && began.IsZero():
			began = time.Now()
			status, text, _, err := w.calls.asks(ctx, there, "POST", "/v1/rings/"+id+"/cancel", key, "", "")
			if err != nil || status >= 300 {
				return 0, errors.Join(err, fmt.Errorf("a cancel: %d %s", status, text))
			}
		}
	}
	return 0, errors.Join(errors.New("a cancel was never heard"), lines.Err())
}

// rotated: the nodes know both keys, and everything is sealed again while rings go out. It is the
// last fault, because the others start nodes with the first key.
func (w *faultWorld) rotated(ctx context.Context) (row FaultRow, err error) {
	dir := w.cluster.stage.dir
	old, fresh := filepath.Join(dir, "master.key"), filepath.Join(dir, "second.key")
	if err := os.WriteFile(fresh, []byte(seal.Generate()), 0o600); err != nil {
		return row, err
	}
	w.cluster.env = append(w.cluster.env, "CARILLON_MASTER_KEY_FILE="+fresh, "CARILLON_MASTER_KEY_FILE_OLD="+old)
	if err := errors.Join(w.cluster.scale(ctx, 0), w.cluster.scale(ctx, faultNodes)); err != nil {
		return row, err
	}
	err = w.during(ctx, w.span(10*time.Second), &row, func(s *standing) error {
		took, err := w.command(ctx, append(append([]string{}, w.cluster.stage.env...), w.cluster.env...), "keys", "rotate")
		row.OK, row.Figure = err == nil, fmt.Sprintf("rotated in %.1f s", took.Seconds())
		return err
	})
	w.calls.extra.Lock()
	defer w.calls.extra.Unlock()
	row.OK = row.OK && w.calls.extra.polite == 0
	return row, err
}

// command runs a verb of this binary, and says how long it took.
func (w *faultWorld) command(ctx context.Context, env []string, verb ...string) (time.Duration, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	cmd := exec.CommandContext(ctx, self, verb...)
	cmd.Env = append(os.Environ(), env...)
	began := time.Now()
	text, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%s: %w: %s", strings.Join(verb, " "), err, text)
	}
	return time.Since(began), err
}

// copied: a backup and a copy to PostgreSQL are made of a server on SQLite while rings go out.
func (w *faultWorld) copied(ctx context.Context) (row FaultRow, err error) {
	calls := newCallers(max(20, 400/w.config.Shrink), w.config.patience())
	s, err := setUp(ctx, calls.phone, calls.hear)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, s.close()) }()
	calls.stage, calls.nodes = s, func() []string { return []string{s.server.addr} }
	done := calls.load(ctx, w.span(20*time.Second))
	rest(ctx, w.span(3*time.Second))
	backed, err := w.command(ctx, s.env, "backup", filepath.Join(s.dir, "backup.tar.gz"))
	if err != nil {
		return row, err
	}
	moved := "not copied: the PostgreSQL is another's"
	if w.cluster.postgres != nil {
		name, err := w.cluster.postgres.Database(ctx, "template1")
		if err != nil {
			return row, err
		}
		took, err := w.command(ctx, s.env, "copy", "--while-serving", "--to", w.cluster.postgres.URL(name))
		if err != nil {
			return row, err
		}
		moved = fmt.Sprintf("copied and compared in %.1f s", took.Seconds())
	}
	if err := <-done; err != nil {
		return row, err
	}
	calls.end(ctx, &row)
	row.OK = row.OK && calls.extra.polite == 0
	row.Figure += fmt.Sprintf(", backed up in %.1f s, %s", backed.Seconds(), moved)
	return row, nil
}

// wrongClock: one node's clock is ahead. Rings of it and of the others end when they should.
func (w *faultWorld) wrongClock(ctx context.Context) (row FaultRow, err error) {
	const wrong = 1
	if err := w.cluster.node(wrong).stop(); err != nil {
		return row, err
	}
	if err := w.cluster.replace(ctx, wrong, "bench", "node", "--off=5s"); err != nil {
		return row, err
	}
	w.calls.ttl = tenants.MinTTL
	began := time.Now()
	if err := <-w.calls.load(ctx, w.span(10*time.Second)); err != nil {
		return row, err
	}
	w.calls.end(ctx, &row)
	rings, err := w.cluster.stage.ended(ctx, began)
	if err != nil {
		return row, err
	}
	var most time.Duration
	missing := 0
	w.calls.mu.Lock()
	defer w.calls.mu.Unlock()
	for id, e := range w.calls.rings {
		r, ok := rings[tenants.RingID(id)]
		if !ok || r.EndedAt.IsZero() {
			missing++
			continue
		}
		most = max(most, r.EndedAt.Sub(e.due.Add(tenants.MinTTL)).Abs())
	}
	row.OK = row.OK && missing == 0 && most <= time.Second
	row.Figure += fmt.Sprintf(", %.2f s off at most, %d without an end", most.Seconds(), missing)
	return row, nil
}
