package bench

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
	"carillon/tenants/store"
)

// toFirst rings tenant 0.
func (r *loadPath) toFirst(ctx context.Context) func(i int, due time.Time) error {
	return func(i int, due time.Time) error { return r.ring(ctx, 0, i, due) }
}

// coldBurst: no connection at all, and one stream until the first token was accepted.
func coldBurst(ctx context.Context, c FaultsConfig, r *loadPath) (row FaultRow, err error) {
	n := c.count(200)
	if err := r.warm(n); err != nil {
		return row, err
	}
	r.apple.SetLatency(apnstest.Fixed(30 * time.Millisecond))
	if err := crowd(ctx, n, n, r.toFirst(ctx)); err != nil {
		return row, err
	}
	r.settle(ctx, 0, settles)
	t := r.book.tally(0, time.Time{})
	t.fill(&row)
	row.OK = t.count == n && t.lost == 0 && t.repeated == 0 && row.Slowest <= 150
	row.Figure = fmt.Sprintf("p50 %.0f ms, connections: %d", t.took.at(0.5), r.apple.TotalConnections())
	return row, nil
}

// silence: twice, all connections stay up and say nothing more. New ones are served.
func silence(ctx context.Context, c FaultsConfig, r *loadPath) (row FaultRow, err error) {
	n := c.count(600)
	r.apple.SetLatency(apnstest.Fixed(5 * time.Millisecond))
	err = paced(ctx, n, 10*time.Millisecond, func(i int, due time.Time) error {
		if i == n/3 || i == 2*n/3 {
			r.apple.Silence(false)
		}
		return r.ring(ctx, 0, i, due)
	})
	if err != nil {
		return row, err
	}
	r.settle(ctx, 0, settles)
	t := r.book.tally(0, time.Time{})
	t.fill(&row)
	row.OK = t.count == n && t.lost == 0 && t.repeated == 0 && row.Slowest <= 1000
	row.Figure = fmt.Sprintf("p50 %.0f ms, %d twice under one apns-id", t.took.at(0.5), t.twice)
	return row, nil
}

func polite(ctx context.Context, c FaultsConfig, r *loadPath) (FaultRow, error) {
	return goAway(ctx, c, r, false)
}

func abrupt(ctx context.Context, c FaultsConfig, r *loadPath) (FaultRow, error) {
	return goAway(ctx, c, r, true)
}

func goAway(ctx context.Context, c FaultsConfig, r *loadPath, abrupt bool) (row FaultRow, err error) {
	n, every := c.count(2000), c.count(300)
	r.apple.SetLatency(apnstest.Fixed(2 * time.Millisecond))
	r.apple.GoAwayEvery(every, abrupt)
	if err := crowd(ctx, n, 50, r.toFirst(ctx)); err != nil {
		return row, err
	}
	r.settle(ctx, 0, settles)
	t := r.book.tally(0, time.Time{})
	t.fill(&row)
	row.OK = t.count == n && t.lost == 0 && t.repeated == 0
	row.Figure = fmt.Sprintf("p99 %.0f ms, %d twice under one apns-id, connections: %d", t.took.at(0.99), t.twice,
		r.apple.TotalConnections())
	return row, nil
}

func storm(ctx context.Context, c FaultsConfig, r *loadPath) (row FaultRow, err error) {
	const step = 10 * time.Millisecond
	lasts := c.span(3 * time.Second)
	ends := time.Now().Add(lasts)
	r.apple.SetStorm(apnstest.Storm{Answer: apnstest.Refusal("ServiceUnavailable"), Until: ends})
	n := max(1, int(lasts/step))
	if err := paced(ctx, n, step, r.toFirst(ctx)); err != nil {
		return row, err
	}
	r.settle(ctx, 0, faultTTL)
	t := r.book.tally(0, time.Time{})
	t.fill(&row)
	after := t.last.Sub(ends)
	row.OK = t.count == n && t.lost == 0 && t.repeated == 0 && after <= 5*time.Second
	row.Figure = fmt.Sprintf("the last %.1f s after its end", after.Seconds())
	return row, nil
}

// wrongKey: tenant 1 typed tenant 0's ids.
func wrongKey(ctx context.Context, c FaultsConfig, r *loadPath) (row FaultRow, err error) {
	n := c.count(200)
	err = paced(ctx, 2*n, 10*time.Millisecond, func(i int, due time.Time) error { return r.ring(ctx, i%2, i, due) })
	if err != nil {
		return row, err
	}
	r.settle(ctx, 0, settles)
	t, thief := r.book.tally(0, time.Time{}), r.book.tally(1, time.Time{})
	t.fill(&row)
	got := thief.count - thief.lost
	row.OK = t.count == n && t.lost == 0 && r.book.refusals(0) == 0 && got == 0
	row.Figure = fmt.Sprintf("%d refused; of the other's %d, Apple took %d", r.book.refusals(0), n, got)
	return row, nil
}

// manyTeams: more teams than may keep connections.
func manyTeams(ctx context.Context, c FaultsConfig) (row FaultRow, err error) {
	const teams, pools, perPool = 50, 20, 4
	r, err := senderPath(teams, 0, func(p *push.Config) { p.MaxPools, p.MaxConnections = pools, perPool })
	if err != nil {
		return row, err
	}
	closed := false
	defer func() {
		if !closed {
			err = errors.Join(err, r.close())
		}
	}()
	var most atomic.Int64
	n := teams * c.count(20)
	err = crowd(ctx, n, teams, func(i int, due time.Time) error {
		err := r.ring(ctx, i%teams, i, due)
		for now := r.sender.Stats().Connections; ; {
			if old := most.Load(); now <= old || most.CompareAndSwap(old, now) {
				return err
			}
		}
	})
	if err != nil {
		return row, err
	}
	var all tally
	for who := range teams {
		t := r.book.tally(who, time.Time{})
		all.count, all.lost, all.repeated, all.took = all.count+t.count, all.lost+t.lost, all.repeated+t.repeated,
			append(all.took, t.took...)
	}
	all.fill(&row)
	strangers := 0
	for _, v := range r.apple.Violations() {
		if v.Rule == "second team on a connection" {
			strangers++
		}
	}
	if err := r.sender.Close(); err != nil {
		return row, err
	}
	left := r.leaked(ctx)
	closed = true
	err = r.apple.Close()
	row.OK = all.count == n && all.lost == 0 && strangers == 0 && most.Load() <= pools*perPool && left == 0
	row.Figure = fmt.Sprintf("%d on another's, %d open at most, %d leaked", strangers, most.Load(), left)
	return row, err
}

// badTokens: Apple resets the streams of some phones' pushes, cuts the connections of others, and
// never answers the rest. Each tenth ring is for such a phone; all share one credential.
func badTokens(ctx context.Context, c FaultsConfig) (row FaultRow, err error) {
	const phones, good, bad = 10, 0, 1
	r, err := senderPath(1, 0, func(p *push.Config) { p.AnswerTimeout = c.span(5 * time.Second) })
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	key, err := openKey(r.apple, 1, 0)
	if err != nil {
		return row, err
	}
	r.apple.SetLatency(apnstest.Fixed(5 * time.Millisecond))
	for i := range phones {
		r.apple.Always(deviceToken(i), []apnstest.Answer{{Reset: true}, {Cut: true}, {Silent: true}}[i%3])
	}
	n := c.count(800)
	err = paced(ctx, n, 10*time.Millisecond, func(i int, due time.Time) error {
		if i%10 == 9 {
			return r.push(ctx, key, bad, i/10%phones, due)
		}
		return r.push(ctx, key, good, phones+i, due)
	})
	if err != nil {
		return row, err
	}
	r.settle(ctx, good, settles)
	t := r.book.tally(good, time.Time{})
	t.fill(&row)
	most := max(t.most, r.book.tally(bad, time.Time{}).most)
	row.OK = t.count == n-n/10 && t.lost == 0 && t.repeated == 0 && row.Slowest <= 1000 && most <= 4
	row.Figure = fmt.Sprintf("p50 %.0f ms, one ring pushed %d times at most", t.took.at(0.5), most)
	return row, nil
}

// leaked counts the connections that stay open after the Sender's end.
func (r *loadPath) leaked(ctx context.Context) int {
	ctx, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	for r.apple.OpenConnections(apnstest.Production) > 0 && ctx.Err() == nil {
		rest(ctx, 10*time.Millisecond)
	}
	return r.apple.OpenConnections(apnstest.Production)
}

// wrongEnvironment: the tokens of all devices are the sandbox's, and each device is rung twice as
// one of production.
func wrongEnvironment(ctx context.Context, c FaultsConfig) (row FaultRow, err error) {
	n := c.count(1000)
	r, err := serverPath(ctx, population{tenants: 1, devices: n})
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	for _, token := range r.stage.tokens {
		r.apple.AddToken(token, bundle+".voip", apnstest.Sandbox)
	}
	for range 2 {
		if err := paced(ctx, n, 5*time.Millisecond, r.toFirst(ctx)); err != nil {
			return row, err
		}
		if row.Lost, err = r.stage.unanswered(ctx); err != nil {
			return row, err
		}
	}
	t := r.book.tally(0, time.Time{})
	row.Count, row.Repeated = t.count, t.repeated
	disabled, alerts, err := r.stage.aftermath(ctx)
	if err != nil {
		return row, err
	}
	row.OK = t.count == 2*n && row.Lost == 0 && disabled*100 <= n && alerts > 0
	row.Figure = fmt.Sprintf("%d of %d disabled, %d alerts", disabled, n, alerts)
	return row, nil
}

// unanswered waits until Apple has answered all rings, and counts those it has not, up to a page's
// worth.
func (s *stage) unanswered(ctx context.Context) (n int, err error) {
	ctx, cancel := context.WithTimeout(ctx, settles)
	defer cancel()
	c, err := dial(s.server.addr)
	if err != nil {
		return 0, err
	}
	defer c.close()
	for {
		status, answer, err := c.ask(request("GET", "/v1/rings?state=placed&limit=200", string([]byte(s.key)), nil))
		if err != nil || status != 200 {
			return 0, fmt.Errorf("%d %s: %w", status, answer, err)
		}
		if n, err = listed(answer); err != nil || n == 0 || ctx.Err() != nil {
			return n, err
		}
		rest(ctx, 50*time.Millisecond)
	}
}

// aftermath ends the server and reads what it left: devices that are disabled, and open alerts
// about their tokens.
func (s *stage) aftermath(ctx context.Context) (disabled, alerts int, err error) {
	if err := s.server.stop(); err != nil {
		return 0, 0, err
	}
	db, err := store.Open(ctx, s.files)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, db.Close()) }()
	scope := db.For(s.tenant)
	for q := (store.DeviceQuery{State: tenants.DeviceDisabled, Limit: 200}); ; {
		page, next, err := scope.Devices().List(ctx, q)
		if err != nil {
			return 0, 0, err
		}
		if disabled += len(page); next == "" {
			break
		}
		q.After = next
	}
	open, err := scope.Alerts().List(ctx, false)
	for _, a := range open {
		if a.Kind == tenants.AlertTokensRefused {
			alerts++
		}
	}
	return disabled, alerts, err
}
