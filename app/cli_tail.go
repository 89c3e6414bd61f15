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
	Every  time.Duration `help:"How often to look for new rings, at least 200ms." default:"1s"`
}

// Validate refuses a time that would only load the server.
func (t *tailCmd) Validate() error {
	if t.Every < 200*time.Millisecond || t.Since < 0 {
		return errors.New("--every: at least 200ms; --since: not negative")
	}
	return t.asking.Validate()
}

// Run prints the facts of rings until it is interrupted. The API has no stream of a whole tenant:
// it asks for the newest rings again and again, and follows the event stream of each that lives.
func (t *tailCmd) Run(ctx context.Context, c terminal) error {
	api, err := t.open()
	if err != nil {
		return err
	}
	w := tailed{t: t, c: c, api: api, began: c.now().Add(-t.Since), seen: map[string]*tailedRing{}, heard: make(chan heard)}
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return t.cure(err)
		}
		w.follow(ctx, &wg)
		for waiting := true; waiting; {
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
				waiting = false
			case h := <-w.heard:
				if err := w.take(h); err != nil {
					return err
				}
			}
		}
	}
}

// How far back tail looks: a ring may have been placed before it began and still live. How many
// ended rings it remembers, which is more than a page has. And how many event streams it opens: the
// server allows a key some, and programs with the same key need them too.
const (
	tailBack     = 10 * time.Minute
	tailRemember = 1000
	tailStreams  = 8
)

// tailed is what was printed of each ring. Only Run's goroutine changes it.
type tailed struct {
	t       *tailCmd
	c       terminal
	api     *client.Client
	began   time.Time
	turn    int
	seen    map[string]*tailedRing
	streams int
	heard   chan heard
}

type tailedRing struct {
	printed map[string]bool // facts
	over    bool
	turn    int  // when it was last looked at
	streams bool // its events come over a stream
	refused bool // its stream was refused, so it is asked for
}

// heard is an event of a ring, or how its stream ended.
type heard struct {
	ring  string
	event client.RingEvent
	ended bool
	err   error
}

// follow opens the event streams of rings that live, as far as there may be more.
func (w *tailed) follow(ctx context.Context, wg *sync.WaitGroup) {
	for id, r := range w.seen {
		if r.over || r.streams || r.refused || w.streams >= tailStreams {
			continue
		}
		r.streams = true
		w.streams++
		wg.Go(func() {
			end := heard{ring: id, ended: true}
			for e, err := range w.api.Rings.Follow(ctx, id) {
				if err != nil {
					end.err = err
				} else if !w.tell(ctx, heard{ring: id, event: e.RingEvent}) {
					return
				}
			}
			w.tell(ctx, end)
		})
	}
}

func (w *tailed) tell(ctx context.Context, h heard) bool {
	select {
	case w.heard <- h:
		return true
	case <-ctx.Done():
		return false
	}
}

// take prints what a stream brought. A stream that was refused is no fault: the ring is asked for
// from then on, and what is wrong with the server shows there.
func (w *tailed) take(h heard) error {
	r := w.seen[h.ring]
	if h.ended {
		w.streams--
		r.streams, r.over, r.refused = false, h.err == nil, h.err != nil
		return nil
	}
	return w.say(r, h.ring, h.event)
}

func (w *tailed) look(ctx context.Context) error {
	w.turn++
	if err := w.newest(ctx); err != nil {
		return err
	}
	for id, r := range w.seen {
		switch {
		case r.turn == w.turn:
		case r.over && !r.streams && len(w.seen) > tailRemember:
			delete(w.seen, id)
		case !r.over && !r.streams:
			ring, err := w.api.Rings.Get(ctx, id)
			if err != nil {
				return err
			}
			if err := w.print(ring); err != nil {
				return err
			}
		}
	}
	return nil
}

// newest reads pages until one has a ring that is known: those behind it are older.
func (w *tailed) newest(ctx context.Context) error {
	p := client.ListRingsParams{From: new(w.began.Add(-tailBack)), Limit: new(200), Person: given(w.t.Person), Device: given(w.t.Device),
		Agent: given(w.t.Agent)}
	var rings []client.Ring
	for known := false; !known; {
		page, err := w.api.Rings.List(ctx, p)
		if err != nil {
			return err
		}
		for _, r := range page.Data {
			known = known || w.seen[r.ID] != nil
		}
		rings = append(rings, page.Data...)
		if p.After = page.Next; page.Next == nil {
			break
		}
	}
	slices.Reverse(rings)
	for _, r := range rings {
		if err := w.print(r); err != nil {
			return err
		}
	}
	return nil
}

// print prints the facts of a ring that are new. What had ended when tail began is not printed.
func (w *tailed) print(ring client.Ring) error {
	known := w.seen[ring.ID]
	if known == nil {
		known = &tailedRing{printed: map[string]bool{}}
		w.seen[ring.ID] = known
	}
	known.turn, known.over = w.turn, ring.EndedAt != nil
	var facts []client.RingEvent
	for _, a := range ring.Attempts {
		for _, f := range a.Facts {
			facts = append(facts, client.RingEvent{At: f.At, Device: a.Device, Kind: f.Kind, Detail: f.Detail, State: ring.State})
		}
	}
	slices.SortStableFunc(facts, func(a, b client.RingEvent) int { return a.At.Compare(b.At) })
	for _, f := range facts {
		if w.turn == 1 && known.over && ring.CreatedAt.Before(w.began) {
			known.printed[keyOf(f)] = true
			continue
		}
		if err := w.say(known, ring.ID, f); err != nil {
			return err
		}
	}
	return nil
}

func keyOf(f client.RingEvent) string { return fmt.Sprint(f.Device, f.Kind, f.At, deref(f.Detail)) }

// say prints a fact that was not printed yet.
func (w *tailed) say(known *tailedRing, ring string, f client.RingEvent) error {
	key := keyOf(f)
	if known.printed[key] {
		return nil
	}
	known.printed[key] = true
	return w.t.event(w.c, "", f, ring)
}

// given is a flag's value, nil if it was not given.
func given(flag string) *string {
	if flag == "" {
		return nil
	}
	return &flag
}
