package bench

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/gateway/phonetest"
)

// side is one of the two that are compared, with what was measured of it.
type side struct {
	process *child
	delay   time.Duration // the agent's own: echoes are expected so much later
	settle  time.Duration // from the first sound until every call echoes
	ring    func(ctx context.Context) (answer caller, err error)
	rings   time.Duration // how long a phone rings before it answers

	setUps, added sample
	cpu           time.Duration
	window        time.Duration
	lost          uint64
}

// caller makes the call of a phone that rings.
type caller func(ctx context.Context) (*phonetest.Call, error)

const (
	// answersPerSecond is how many calls a tenant may answer.
	answersPerSecond = 20
	// callsLinger is how long calls that were hung up still need the processor.
	callsLinger = 500 * time.Millisecond
)

// setUpRounds sets n calls up again and again, on both sides in turns, and gives the middle ratio
// of the p95 of ours to that of the bare echo. One slow moment of the machine makes one round slow,
// on one side only. The first round of each side is not counted: it finds nothing in the caches.
func setUpRounds(ctx context.Context, bare, ours *side, n, rounds int) (ratio float64, counted int, err error) {
	if rounds == 0 {
		rounds = min(15, max(7, 450/n))
	}
	var ratios []float64
	for i := range rounds + 1 {
		began, p95 := time.Now(), [2]float64{}
		for k, s := range []*side{bare, ours} {
			up, err := s.setUp(ctx, n)
			hangUp(up)
			if err != nil {
				return 0, 0, err
			}
			var round sample
			for _, c := range up {
				round = append(round, c.Stats().Heard)
			}
			if p95[k] = round.at(0.95); i > 0 {
				s.setUps = append(s.setUps, round...)
			}
			rest(ctx, callsLinger) // is not to be measured with the set-up of the next ones
		}
		rest(ctx, time.Until(began.Add(time.Duration(n)*time.Second/answersPerSecond)))
		if i > 0 && p95[0] > 0 {
			ratios = append(ratios, p95[1]/p95[0])
		}
	}
	slices.Sort(ratios)
	if len(ratios) == 0 {
		return 0, 0, ctx.Err()
	}
	return ratios[len(ratios)/2], len(ratios), ctx.Err()
}

// percent is the share of one core that a call took.
func (s *side) percent(n int) float64 {
	if s.window == 0 {
		return 0
	}
	return 100 * s.cpu.Seconds() / s.window.Seconds() / float64(n)
}

// turn sets n calls up at once, lets them echo for a window and hangs up.
func (s *side) turn(ctx context.Context, n int, window time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute+window)
	defer cancel()
	up, err := s.setUp(ctx, n)
	defer func() { hangUp(up) }()
	if err != nil {
		return err
	}
	rest(ctx, s.settle)
	first := make([]int, n)
	for _, c := range up { // a slow machine settles later
		if err := c.Until(ctx, func(s phonetest.Stats) bool { return len(s.Echoes) > 0 }); err != nil {
			return fmt.Errorf("a call does not echo: %w", err)
		}
	}
	for i, c := range up {
		first[i] = len(c.Stats().Echoes)
	}
	before := s.process.cpu()
	rest(ctx, window)
	s.cpu += s.process.cpu() - before
	s.window += window
	for i, c := range up {
		st := c.Stats()
		s.lost += st.Gaps
		for _, e := range st.Echoes[min(first[i], len(st.Echoes)):] {
			s.added = append(s.added, max(0, e-s.delay))
		}
	}
	return ctx.Err()
}

// setUp rings n phones, which then answer at once, and waits until each has heard something.
func (s *side) setUp(ctx context.Context, n int) ([]*phonetest.Call, error) {
	up, errs, answers := make([]*phonetest.Call, n), make([]error, n), make([]caller, n)
	all := func(do func(i int)) error {
		var wg sync.WaitGroup
		for i := range n {
			wg.Go(func() { do(i) })
		}
		wg.Wait()
		return errors.Join(errs...)
	}
	if err := all(func(i int) { answers[i], errs[i] = s.ring(ctx) }); err != nil {
		return up, err
	}
	rest(ctx, s.rings)
	return up, all(func(i int) {
		if up[i], errs[i] = answers[i](ctx); errs[i] == nil {
			errs[i] = up[i].Until(ctx, func(s phonetest.Stats) bool { return s.Heard > 0 })
		}
	})
}

func hangUp(up []*phonetest.Call) {
	var wg sync.WaitGroup
	for _, c := range up {
		if c != nil {
			wg.Go(c.HangUp)
		}
	}
	wg.Wait()
}

// rest lets time pass.
func rest(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
