package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// loadPath is a route for rings of several tenants to Apple: the Sender by itself, or a server in a
// process of its own.
type loadPath struct {
	apple *apnstest.Apple
	book  *ledger
	ring  func(ctx context.Context, who, i int, due time.Time) error // an error ends the run: refusals are in the book
	warm  func(lines int) error                                      // opens what asks, not what pushes
	close func() error

	sender  *push.Sender   // of the Sender by itself
	stage   *stage         // of the server
	tenants []*benchTenant // likewise
}

// The Sender alone lets each ring be answered this long; the server's rings get as much.
const faultTTL = 30 * time.Second

// settles is how long a run waits for what was promised and has not come: as long as it could, or a
// slow machine would be a loss.
const settles = faultTTL + 10*time.Second

// teamOf names the developer account of the who-th tenant.
func teamOf(who int) string { return fmt.Sprintf("TEAM%06d", who) }

// senderPath is the real Sender with a key for each tenant; thief is a tenant that typed the ids of
// tenant 0 with a key of its own, 0 for none.
func senderPath(teams, thief int, edit func(*push.Config)) (*loadPath, error) {
	book := newLedger()
	book.byAnswers = true
	a, err := apnstest.New(apnstest.Config{OnPush: book.hear})
	if err != nil {
		return nil, err
	}
	cfg := push.Config{
		ProductionURL: a.URL(apnstest.Production), SandboxURL: a.URL(apnstest.Sandbox), RootCAs: a.CAPool(),
		Now: time.Now, Log: slog.New(slog.DiscardHandler),
	}
	if edit != nil {
		edit(&cfg)
	}
	s, err := push.New(cfg)
	if err != nil {
		return nil, errors.Join(err, a.Close())
	}
	r := &loadPath{apple: a, book: book, sender: s, warm: func(int) error { return nil }}
	r.close = func() error { return errors.Join(s.Close(), a.Close()) }
	keys := make([]*push.Key, teams)
	for i := range keys {
		if keys[i], err = openKey(a, i, thief); err != nil {
			return nil, errors.Join(err, r.close())
		}
	}
	r.ring = func(ctx context.Context, who, i int, due time.Time) error { return r.push(ctx, keys[who], who, i, due) }
	return r, nil
}

// newKey makes the who-th tenant's key. A thief's is not made known to Apple.
func newKey(a *apnstest.Apple, who, thief int) (team string, p8 []byte, err error) {
	stolen := thief > 0 && who == thief
	if team = teamOf(who); stolen {
		team = teamOf(0)
	}
	known, p8, err := apnstest.NewKey(team, keyID)
	if err == nil && !stolen {
		err = a.Register(known)
	}
	return team, p8, err
}

func openKey(a *apnstest.Apple, who, thief int) (*push.Key, error) {
	team, p8, err := newKey(a, who, thief)
	if err != nil {
		return nil, err
	}
	return push.OpenP8(team, keyID, p8)
}

func deviceToken(i int) string { return fmt.Sprintf("%064x", i+1) }

func (r *loadPath) push(ctx context.Context, k *push.Key, who, i int, due time.Time) error {
	id, now := tenants.NewRandomID(), time.Now()
	payload, err := push.Payload(id, now, now.Add(faultTTL), "Bench")
	if err != nil {
		return err
	}
	r.book.ask(id, who, due)
	answer := r.sender.Push(ctx, k, push.Push{
		APNsID: tenants.NewRandomID(), Token: deviceToken(i), Topic: bundle + ".voip", Environment: push.Production,
		Payload: payload, Expires: now.Add(faultTTL),
	})
	switch {
	case answer.OK():
		r.book.answered(id, time.Now())
	case answer.Err != nil:
		r.book.refuse(who, answer.Err.Error())
	default:
		r.book.refuse(who, answer.Reason)
	}
	return ctx.Err()
}

// population is how a server's tenants are made.
type population struct {
	tenants, devices int // how many tenants, and devices of each
	thief            int // the tenant that typed the ids of tenant 0; 0 for none
	env              []string
}

// serverPath is the built binary, asked over HTTP.
func serverPath(ctx context.Context, t population) (*loadPath, error) {
	book := newLedger()
	all := make([]*benchTenant, 0, t.tenants)
	s, err := setUp(ctx, t.devices, book.hear, func(ctx context.Context, s *stage, db *store.Store) error {
		s.env = t.env
		for who := range t.tenants {
			h, err := s.neighbour(ctx, db, who, t)
			if err != nil {
				return err
			}
			all = append(all, h)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	l := &lines{addr: s.server.addr}
	r := &loadPath{apple: s.apple, book: book, stage: s, warm: l.warm, tenants: all}
	r.close = func() error { return errors.Join(l.close(), s.close()) }
	r.ring = func(_ context.Context, who, i int, due time.Time) error {
		h := all[who]
		body := fmt.Appendf(nil, `{"to":{"device":"%s"},"caller":"Bench","ttl_s":%d}`, h.devices[i%len(h.devices)], int(faultTTL.Seconds()))
		status, answer, err := l.ask(request("POST", "/v1/rings", string([]byte(h.key)), body))
		switch {
		case err != nil:
			return err
		case status == http.StatusCreated:
			book.ask(answer, who, due)
		default:
			book.refuse(who, fmt.Sprint(status))
		}
		return nil
	}
	return r, nil
}

// neighbour is the who-th tenant; the stage's own is the first.
func (s *stage) neighbour(ctx context.Context, db *store.Store, who int, t population) (*benchTenant, error) {
	if who == 0 {
		return &s.benchTenant, nil
	}
	h := &benchTenant{slug: fmt.Sprintf("bench-%d", who), keyID: keyID}
	var err error
	if h.team, h.p8, err = newKey(s.apple, who, t.thief); err != nil {
		return nil, err
	}
	if who == t.thief {
		h.team = s.team
	}
	return h, h.build(ctx, db, t.devices)
}

// lines are connections to the server, as many as are asked on at once.
type lines struct {
	addr string

	mu   sync.Mutex // guards idle
	idle []*client
}

// take returns a free line. fresh says that no request was sent on it yet.
func (l *lines) take() (c *client, fresh bool, err error) {
	l.mu.Lock()
	if n := len(l.idle); n > 0 {
		c = l.idle[n-1]
		l.idle = l.idle[:n-1]
		l.mu.Unlock()
		return c, false, nil
	}
	l.mu.Unlock()
	c, err = dial(l.addr)
	return c, true, err
}

func (l *lines) give(c *client) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, c)
}

// ask sends a request on a free line, and gives status and ring id. A line that the server closed
// while it was idle is replaced, as every HTTP client does.
func (l *lines) ask(request []byte) (status int, ring string, err error) {
	for {
		c, fresh, err := l.take()
		if err != nil {
			return 0, "", err
		}
		status, body, err := c.ask(request)
		if err == nil {
			ring = field(body, `"id":"`)
			l.give(c)
			return status, ring, nil
		}
		if closed := c.close(); fresh || !errors.Is(err, errUnanswered) {
			return 0, "", errors.Join(err, closed)
		}
	}
}

// warm opens n lines and lets the server accept each.
func (l *lines) warm(n int) error {
	fresh := make([]*client, 0, n)
	defer func() {
		for _, c := range fresh {
			l.give(c)
		}
	}()
	for range n {
		c, err := dial(l.addr)
		if err != nil {
			return err
		}
		fresh = append(fresh, c)
		if status, answer, err := c.ask(request("GET", "/healthz", "-", nil)); err != nil || status != http.StatusOK {
			return fmt.Errorf("%d %s: %w", status, answer, err)
		}
	}
	return nil
}

func (l *lines) close() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	var errs []error
	for _, c := range l.idle {
		errs = append(errs, c.close())
	}
	l.idle = nil
	return errors.Join(errs...)
}

// paced rings n times, one each step whether or not the earlier ones were answered.
func paced(ctx context.Context, n int, step time.Duration, ring func(i int, due time.Time) error) error {
	var wg sync.WaitGroup
	errs := make([]error, n)
	due := time.Now()
	for i := range n {
		if rest(ctx, time.Until(due)); ctx.Err() != nil {
			break
		}
		at := due
		wg.Go(func() { errs[i] = ring(i, at) })
		due = due.Add(step)
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// crowd rings n times, some at a time: each asks again once it was answered.
func crowd(ctx context.Context, n, at int, ring func(i int, due time.Time) error) error {
	var wg sync.WaitGroup
	errs := make([]error, at)
	for w := range at {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil && ctx.Err() == nil; i += at {
				errs[w] = ring(i, time.Now())
			}
		})
	}
	wg.Wait()
	return errors.Join(append(errs, ctx.Err())...)
}

// settle waits until Apple has all that was promised to one asker, for so long at most.
func (r *loadPath) settle(ctx context.Context, who int, most time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	for r.book.tally(who, time.Time{}).lost > 0 && ctx.Err() == nil {
		rest(ctx, 20*time.Millisecond)
	}
}
