package bench

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/app/push/apnstest"
)

// quietOnes are tenants 0 to 3, each as B is: together they give enough rings for a p99 that is not
// one ring alone. The tenant after them is A.
const quietOnes = 4

func floodedSender(ctx context.Context, c FaultsConfig) (FaultRow, error) {
	r, err := senderPath(quietOnes+1, 0, nil)
	return on(ctx, c, r, err, flooded)
}

func floodedServer(env ...string) func(context.Context, FaultsConfig) (FaultRow, error) {
	return func(ctx context.Context, c FaultsConfig) (FaultRow, error) {
		r, err := serverPath(ctx, population{tenants: quietOnes + 1, devices: c.count(200), env: env})
		return on(ctx, c, r, err, flooded)
	}
}

// flooded: the quiet ones beside A, which rings whether or not it is answered.
func flooded(ctx context.Context, c FaultsConfig, r *loadPath) (FaultRow, error) {
	const loud = time.Millisecond
	from := time.Now()
	return beside(ctx, c, r, 25, func(ctx context.Context, lasts time.Duration) error {
		from = time.Now()
		return paced(ctx, int(lasts/loud), loud, func(i int, due time.Time) error { return r.ring(ctx, quietOnes, i, due) })
	}, func() string {
		a := r.book.tally(quietOnes, from)
		return fmt.Sprintf("A %d pushed, %d refused", a.count-a.lost, r.book.refusals(quietOnes))
	})
}

// beside measures the quiet ones by themselves, then beside something that lasts as long: their p99
// may be later by allowed milliseconds. say is what became of the other side.
func beside(ctx context.Context, c FaultsConfig, r *loadPath, allowed float64,
	attack func(ctx context.Context, lasts time.Duration) error, say func() string) (row FaultRow, err error) {
	const apart = 200 * time.Millisecond           // of one tenant's rings
	n := max(3, int(c.span(40*time.Second)/apart)) // of each quiet one: 200, and 800 of all
	quiet := func() error {
		return paced(ctx, n*quietOnes, apart/quietOnes,
			func(i int, due time.Time) error { return r.ring(ctx, i%quietOnes, i/quietOnes, due) })
	}
	r.apple.SetLatency(apnstest.Fixed(5 * time.Millisecond))
	first := func(i int, due time.Time) error { return r.ring(ctx, i%quietOnes, i, due) }
	if err := errors.Join(r.warm(20), crowd(ctx, 5*quietOnes, 1, first)); err != nil {
		return row, err
	}
	start := time.Now()
	if err := quiet(); err != nil {
		return row, err
	}
	r.settleQuiet(ctx)
	idle := r.book.quiet(start)
	from := time.Now()
	errs := make([]error, 2)
	var wg sync.WaitGroup
	wg.Go(func() { errs[0] = quiet() })
	wg.Go(func() { errs[1] = attack(ctx, time.Duration(n)*apart) })
	wg.Wait()
	if err := errors.Join(errs...); err != nil {
		return row, err
	}
	r.settleQuiet(ctx)
	t := r.book.quiet(from)
	t.fill(&row)
	refused := 0
	for who := range quietOnes {
		refused += r.book.refusals(who)
	}
	before, during := idle.took.at(0.99), t.took.at(0.99)
	row.OK = t.count == n*quietOnes && t.lost == 0 && refused == 0 && during <= before+allowed
	row.Figure = fmt.Sprintf("B p99 %.0f ms of %d, idle %.0f ms, refused %d; %s", during, len(t.took), before, refused, say())
	return row, nil
}

// settleQuiet waits for the rings of the quiet ones.
func (r *loadPath) settleQuiet(ctx context.Context) {
	for who := range quietOnes {
		r.settle(ctx, who, settles)
	}
}

// quiet adds up the rings of the quiet ones.
func (l *ledger) quiet(from time.Time) (all tally) {
	for who := range quietOnes {
		t := l.tally(who, from)
		all.count, all.lost, all.repeated, all.twice = all.count+t.count, all.lost+t.lost, all.repeated+t.repeated, all.twice+t.twice
		all.took = append(all.took, t.took...)
	}
	return all
}
