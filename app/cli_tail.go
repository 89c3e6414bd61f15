package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"carillon/app/api/client"
)

// tailCmd follows every ring of a tenant.
type tailCmd struct {
	asking
	Person string        `help:"Only rings of this person."`
	Device string        `help:"Only rings of this device."`
	Agent  string        `help:"Only rings of this agent."`
	Since  time.Duration `help:"Begin with rings placed within this time." default:"0s"`
}

// Validate refuses a time that is none.
func (t *tailCmd) Validate() error {
	if t.Since < 0 {
		return errors.New("--since: not negative")
	}
	return t.asking.Validate()
}

// tailBack is how far tail looks back: a ring may have been placed before it began and still live.
const tailBack = 10 * time.Minute

// Run prints the facts of rings until it is interrupted: first those of rings that live or are as
// young as --since, and then each as it happens. The stream is open before the rings are read, so
// nothing is lost between; what both have is printed once.
func (t *tailCmd) Run(ctx context.Context, c terminal) error {
	api, err := t.open()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer cancel()
	w := tailed{t: t, c: c, api: api, began: c.now().Add(-t.Since), printed: map[string]bool{}, heard: make(chan heard)}
	opened := make(chan struct{})
	reading.Go(func() { w.follow(ctx, sync.OnceFunc(func() { close(opened) })) })
	select {
	case <-opened:
		if err := w.newest(ctx); err != nil {
			return t.ended(ctx, err)
		}
	case h := <-w.heard: // it was refused
		return t.ended(ctx, h.err)
	case <-ctx.Done():
		return nil
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case h := <-w.heard:
			if h.err != nil {
				return t.ended(ctx, h.err)
			}
			if err := w.say(deref(h.event.Ring), h.event.RingEvent); err != nil {
				return err
			}
		}
	}
}

// ended is the error of a request. An interruption is none.
func (t *tailCmd) ended(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return t.cure(err)
}

// tailed is what was printed. Only Run's goroutine changes it.
type tailed struct {
	t       *tailCmd
	c       terminal
	api     *client.Client
	began   time.Time
	printed map[string]bool // of the rings that were there when tail began
	heard   chan heard
}

// heard is an event, or why there are no more.
type heard struct {
	event client.Event
	err   error
}

// follow reads the stream, and calls opened when the server has begun one: it may first refuse it
// for a moment.
func (w *tailed) follow(ctx context.Context, opened func()) {
	p := client.FollowEventsParams{Person: given(w.t.Person), Device: given(w.t.Device), Agent: given(w.t.Agent)}
	for e, err := range w.api.Events.FollowOpened(ctx, p, opened) {
		select {
		case w.heard <- heard{e, err}:
		case <-ctx.Done():
			return
		}
	}
}

// newest prints the facts of the rings that are there, but of none that had ended when tail began.
// What the stream still has of such a ring is printed: it is from after the beginning.
func (w *tailed) newest(ctx context.Context) error {
	var rings []client.Ring
	for r, err := range w.api.Rings.All(ctx, client.ListRingsParams{From: new(w.began.Add(-tailBack)), Limit: new(200),
		Person: given(w.t.Person), Device: given(w.t.Device), Agent: given(w.t.Agent)}) {
		if err != nil {
			return err
		}
		rings = append(rings, r)
	}
	slices.Reverse(rings)
	for _, r := range rings {
		if err := w.print(r); err != nil {
			return err
		}
	}
	return nil
}

func (w *tailed) print(ring client.Ring) error {
	if ring.EndedAt != nil && ring.EndedAt.Before(w.began) {
		return nil
	}
	var facts []client.RingEvent
	for _, a := range ring.Attempts {
		for _, f := range a.Facts {
			facts = append(facts, client.RingEvent{At: f.At, Device: a.Device, Kind: f.Kind, Detail: f.Detail, State: ring.State})
		}
	}
	slices.SortStableFunc(facts, func(a, b client.RingEvent) int { return a.At.Compare(b.At) })
	for _, f := range facts {
		if err := w.say(ring.ID, f); err != nil {
			return err
		}
		w.printed[keyOf(ring.ID, f)] = true
	}
	return nil
}

func keyOf(ring string, f client.RingEvent) string {
	return fmt.Sprint(ring, f.Device, f.Kind, f.At.UnixNano(), deref(f.Detail))
}

// say prints a fact that was not printed yet.
func (w *tailed) say(ring string, f client.RingEvent) error {
	if w.printed[keyOf(ring, f)] {
		return nil
	}
	return w.t.event(w.c, "", f, ring)
}

// given is a flag's value, nil if it was not given.
func given(flag string) *string {
	if flag == "" {
		return nil
	}
	return &flag
}
