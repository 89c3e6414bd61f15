package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"carillon/app/push"
	"carillon/app/push/apnstest"
	"carillon/tenants"
)

// sustained: the Sender and the bare loop in turns, against one Apple.
func sustained(ctx context.Context, c FaultsConfig) (row FaultRow, err error) {
	const at, turns = 100, 3
	turn := c.span(3 * time.Second)
	r, err := senderPath(1, 0, nil)
	if err != nil {
		return row, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	bare, err := bareLoop(r.apple)
	if err != nil {
		return row, err
	}
	key, err := openKey(r.apple, 1, 0)
	if err != nil {
		return row, err
	}
	payload, err := push.Payload(tenants.NewRandomID(), time.Now(), time.Now().Add(time.Hour), "Bench")
	if err != nil {
		return row, err
	}
	token := fmt.Sprintf("%064x", 1)
	ours := func() error {
		answer := r.sender.Push(ctx, key, push.Push{
			APNsID: tenants.NewRandomID(), Token: token, Topic: bundle + ".voip", Environment: push.Production,
			Payload: payload, Expires: time.Now().Add(faultTTL),
		})
		if !answer.OK() {
			return fmt.Errorf("%d %s: %w", answer.Status, answer.Reason, answer.Err)
		}
		return nil
	}
	theirs := func() error { return bare(ctx, token, bundle+".voip", payload) }
	var slowest time.Duration
	var n, m int64
	for i := range turns + 1 { // the first is for connections
		got, slow, errOurs := spin(ctx, at, turn, ours)
		beside, _, errTheirs := spin(ctx, at, turn, theirs)
		if err := errors.Join(errOurs, errTheirs); err != nil {
			return row, err
		}
		if i > 0 {
			n, m, slowest = n+got, m+beside, max(slowest, slow)
		}
	}
	ratio := float64(n) / float64(m)
	row.Count, row.Slowest, row.OK = int(n), ms(slowest), ratio >= 0.9
	row.Figure = fmt.Sprintf("%.2f: %.0f/s beside %.0f/s", ratio, float64(n)/turns/turn.Seconds(), float64(m)/turns/turn.Seconds())
	return row, nil
}

func bareLoop(a *apnstest.Apple) (func(ctx context.Context, token, topic string, payload []byte) error, error) {
	known, p8, err := apnstest.NewKey(bareTeam, bareKeyID)
	if err != nil {
		return nil, err
	}
	if err := a.Register(known); err != nil {
		return nil, err
	}
	client, err := apnstest.Bare(a.URL(apnstest.Production), a.CAPool(), bareTeam, bareKeyID, p8)
	if err != nil {
		return nil, err
	}
	return apnstest.Loop(client), nil
}

// spin does something for a while, so many at a time, and counts.
func spin(ctx context.Context, at int, d time.Duration, do func() error) (n int64, slowest time.Duration, err error) {
	var count atomic.Int64
	slow, errs := make([]time.Duration, at), make([]error, at)
	end := time.Now().Add(d)
	var wg sync.WaitGroup
	for w := range at {
		wg.Go(func() {
			for began := time.Now(); began.Before(end) && errs[w] == nil && ctx.Err() == nil; {
				if errs[w] = do(); errs[w] == nil {
					count.Add(1)
				}
				now := time.Now()
				slow[w], began = max(slow[w], now.Sub(began)), now
			}
		})
	}
	wg.Wait()
	for _, s := range slow {
		slowest = max(slowest, s)
	}
	return count.Load(), slowest, errors.Join(append(errs, ctx.Err())...)
}

// listed counts what a list of the API's holds.
func listed(answer []byte) (int, error) {
	var page struct{ Data []json.RawMessage }
	err := json.Unmarshal(answer, &page)
	return len(page.Data), err
}
