package bench

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"carillon/gateway/phonetest"
)

// attack is one principal that takes what all share, through a proxy that the server trusts: the
// server sees whatever client address the attack names.
type attack struct {
	base   string
	tenant *benchTenant
	client *http.Client

	accepted, refused, failed atomic.Int64 // 2xx and 3xx; 429; 503
}

// newAttack is from the last tenant of a server.
func newAttack(r *loadPath) *attack {
	return &attack{base: "http://" + r.stage.server.addr, tenant: r.tenants[len(r.tenants)-1],
		client: &http.Client{
			Transport:     &http.Transport{MaxIdleConnsPerHost: 100},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}}
}

// say is what became of the attack's requests.
func (a *attack) say() string {
	return fmt.Sprintf("of the flood %d accepted, %d refused, %d not served", a.accepted.Load(), a.refused.Load(), a.failed.Load())
}

// request makes a request from a client address.
func (a *attack) request(ctx context.Context, method, path, from, kind string, body io.Reader) (*http.Request, error) {
	q, err := http.NewRequestWithContext(ctx, method, a.base+path, body)
	if err != nil {
		return nil, err
	}
	q.Header.Set("X-Forwarded-For", from)
	if kind != "" {
		q.Header.Set("Content-Type", kind)
	}
	return q, nil
}

// send counts the answer and reads it to its end; an event stream is read until ctx is done.
func (a *attack) send(q *http.Request) error {
	answer, err := a.client.Do(q)
	if err != nil {
		if q.Context().Err() != nil {
			return nil // the flood is over
		}
		return err
	}
	defer answer.Body.Close()
	switch {
	case answer.StatusCode == http.StatusTooManyRequests:
		a.refused.Add(1)
	case answer.StatusCode == http.StatusServiceUnavailable:
		a.failed.Add(1)
	case answer.StatusCode == http.StatusInternalServerError:
		return fmt.Errorf("%s %s was answered 500", q.Method, q.URL.Path)
	default:
		a.accepted.Add(1)
	}
	_, _ = io.Copy(io.Discard, answer.Body) // an end that is cut off is no news
	return nil
}

// place places a ring of a tenant that lasts a minute.
func (a *attack) place(ctx context.Context, t *benchTenant) (ring string, err error) {
	body := fmt.Sprintf(`{"to":{"device":"%s"},"ttl_s":60}`, t.devices[0])
	q, err := a.request(ctx, http.MethodPost, "/v1/rings", "198.51.100.1", "application/json", strings.NewReader(body))
	if err != nil {
		return "", err
	}
	q.Header.Set("Authorization", "Bearer "+string([]byte(t.key)))
	answer, err := a.client.Do(q)
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(answer.Body)
	if err == nil && answer.StatusCode != http.StatusCreated {
		err = fmt.Errorf("a ring: %d: %s", answer.StatusCode, text)
	}
	return field(text, `"id":"`), err
}

// stream opens an event stream of a ring.
func (a *attack) stream(ctx context.Context, t *benchTenant, ring, from string) error {
	q, err := a.request(ctx, http.MethodGet, "/v1/rings/"+ring+"/events", from, "", nil)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+string([]byte(t.key)))
	return a.send(q)
}

// guess tries a password.
func (a *attack) guess(ctx context.Context, i int) error {
	form := url.Values{"email": {fmt.Sprintf("owner-%d@bench.example", i)}, "password": {"a guess of a stranger"}}
	q, err := a.request(ctx, http.MethodPost, "/signin", address(i), "application/x-www-form-urlencoded", strings.NewReader(form.Encode()))
	if err != nil {
		return err
	}
	return a.send(q)
}

// upload sends a file that is no key.
func (a *attack) upload(ctx context.Context, t *benchTenant, i int) error {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	part, err := form.CreateFormFile("file", "AuthKey_BENCHKEY01.p8")
	if err != nil {
		return err
	}
	_, err = part.Write(bytes.Repeat([]byte("no key\n"), 8<<10))
	if err := errors.Join(err, form.Close()); err != nil {
		return err
	}
	q, err := a.request(ctx, http.MethodPost, "/v1/credentials", address(i), form.FormDataContentType(), &body)
	if err != nil {
		return err
	}
	q.Header.Set("Authorization", "Bearer "+string([]byte(t.key)))
	return a.send(q)
}

// address is one of many, each in a /16 of its own.
func address(i int) string { return fmt.Sprintf("%d.%d.7.9", 11+i%100, i/100%250) }

// flood is what one attacker does again and again.
type flood struct {
	name  string
	every time.Duration
	begin func(context.Context, *attack) (once func(ctx context.Context, i int) error, err error)
}

// floods lists them, as the report names them.
func floods() []flood {
	return []flood{
		{"stream flood, 200/s", 5 * time.Millisecond, func(ctx context.Context, a *attack) (func(context.Context, int) error, error) {
			ring, err := a.place(ctx, a.tenant)
			return func(ctx context.Context, _ int) error { return a.stream(ctx, a.tenant, ring, "198.51.100.1") }, err
		}},
		{"sign-in flood, 50/s", 20 * time.Millisecond, func(_ context.Context, a *attack) (func(context.Context, int) error, error) {
			return a.guess, nil
		}},
		{"media flood, 100/s", 10 * time.Millisecond, floodMedia},
	}
}

// floodMedia answers one ring again and again.
func floodMedia(ctx context.Context, a *attack) (func(context.Context, int) error, error) {
	phone, err := phonetest.New(phonetest.Config{})
	if err != nil {
		return nil, err
	}
	offer, err := phone.Offer(ctx)
	if err != nil {
		return nil, err
	}
	ring, err := a.place(ctx, a.tenant)
	if err != nil {
		return nil, err
	}
	return func(ctx context.Context, _ int) error {
		q, err := a.request(ctx, http.MethodPost, "/v1/phone/rings/"+ring+"/answer", "198.51.100.1", "application/sdp",
			strings.NewReader(offer))
		if err != nil {
			return err
		}
		q.Header.Set("Authorization", "Bearer "+string([]byte(a.tenant.phones[0])))
		return a.send(q)
	}, nil
}

// besieged gives the quiet tenants' rings by themselves, and then beside a flood.
func besieged(f flood) func(context.Context, FaultsConfig) (FaultRow, error) {
	return func(ctx context.Context, c FaultsConfig) (FaultRow, error) {
		r, err := serverPath(ctx, population{tenants: quietOnes + 1, devices: c.count(200),
			env: []string{"CARILLON_TRUSTED_PROXIES=127.0.0.1"}})
		return on(ctx, c, r, err, func(ctx context.Context, c FaultsConfig, r *loadPath) (FaultRow, error) {
			a := newAttack(r)
			defer a.client.CloseIdleConnections()
			return beside(ctx, c, r, 50, func(ctx context.Context, lasts time.Duration) error {
				once, err := f.begin(ctx, a)
				if err != nil {
					return err
				}
				within, stop := context.WithTimeout(ctx, lasts)
				defer stop()
				err = paced(within, int(lasts/f.every), f.every, func(i int, _ time.Time) error { return once(within, i) })
				if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
					return nil // it is over
				}
				return err
			}, a.say)
		})
	}
}

// memoryMost is the container that all of crowded must fit into. Of it, serve gives two thirds to
// Go's heap.
const memoryMost = 256 << 20

// crowded: event streams, sign-ins at once and uploads at once, while rings go on. The peak is of
// the whole process, as the system counts it.
func crowded(ctx context.Context, c FaultsConfig) (FaultRow, error) {
	r, err := serverPath(ctx, population{tenants: quietOnes, devices: c.count(200), env: []string{
		"CARILLON_TRUSTED_PROXIES=127.0.0.1", fmt.Sprintf("GOMEMLIMIT=%d", memoryMost*2/3)}})
	return on(ctx, c, r, err, func(ctx context.Context, c FaultsConfig, r *loadPath) (row FaultRow, err error) {
		before, n := r.stage.server.peak(), c.count(400)
		streams, signIns, uploads := newAttack(r), newAttack(r), newAttack(r)
		closeAll, err := streams.hold(ctx, r.tenants, n)
		if err != nil {
			return row, err
		}
		err = errors.Join(
			atOnce(func() error {
				return crowd(ctx, 60, 60, func(i int, _ time.Time) error { return signIns.guess(ctx, i) })
			},
				func() error {
					return crowd(ctx, 20, 20, func(i int, _ time.Time) error { return uploads.upload(ctx, r.tenants[i%quietOnes], i) })
				},
				func() error {
					return paced(ctx, c.count(500), 10*time.Millisecond,
						func(i int, due time.Time) error { return r.ring(ctx, i%quietOnes, i, due) })
				}))
		r.settleQuiet(ctx)
		peak := r.stage.server.peak()
		if err := errors.Join(err, closeAll()); err != nil {
			return row, err
		}
		t := r.book.quiet(time.Time{})
		t.fill(&row)
		row.OK = t.lost == 0 && streams.accepted.Load() == int64(n) && peak > 0 && peak <= memoryMost
		row.Figure = fmt.Sprintf("peak %d MiB, %d before; %d streams; sign-ins: %d checked, %d not; uploads: %d read, %d not",
			peak>>20, before>>20, streams.accepted.Load(), signIns.accepted.Load(), signIns.refused.Load()+signIns.failed.Load(),
			uploads.accepted.Load(), uploads.refused.Load()+uploads.failed.Load())
		return row, nil
	})
}

// hold opens n event streams of all tenants' rings, and keeps them until closeAll.
func (a *attack) hold(ctx context.Context, all []*benchTenant, n int) (closeAll func() error, err error) {
	rings := make([]string, len(all))
	for who := range rings {
		if rings[who], err = a.place(ctx, all[who]); err != nil {
			return nil, err
		}
	}
	held, stop := context.WithCancel(ctx)
	var open sync.WaitGroup
	failed := make([]error, n)
	for i := range n {
		who := i % len(all)
		open.Go(func() {
			if failed[i] = a.stream(held, all[who], rings[who], address(i)); failed[i] != nil {
				a.failed.Add(1)
			}
		})
	}
	for a.accepted.Load()+a.refused.Load()+a.failed.Load() < int64(n) && ctx.Err() == nil {
		rest(ctx, 10*time.Millisecond)
	}
	return func() error { stop(); open.Wait(); return errors.Join(failed...) }, ctx.Err()
}

// atOnce does all at the same time, and waits for all.
func atOnce(all ...func() error) error {
	var wg sync.WaitGroup
	errs := make([]error, len(all))
	for i, do := range all {
		wg.Go(func() { errs[i] = do() })
	}
	wg.Wait()
	return errors.Join(errs...)
}
