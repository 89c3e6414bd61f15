package app

import (
	"context"
	"errors"
	"fmt"
	"slices"
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
	Every  time.Duration `help:"How often to ask, at least 200ms." default:"1s"`
}

// Validate refuses a time that would only load the server.
func (t *tailCmd) Validate() error {
	if t.Every < 200*time.Millisecond || t.Since < 0 {
		return errors.New("--every: at least 200ms; --since: not negative")
	}
	return t.asking.Validate()
}

// Run prints the facts of rings until it is interrupted. The API has no stream of a whole tenant:
// it asks for the newest rings again and again, and for older ones as long as they live.
func (t *tailCmd) Run(ctx context.Context, c terminal) error {
	api, err := t.open()
	if err != nil {
		return err
	}
	w := tailed{t: t, c: c, api: api, began: c.now().Add(-t.Since), seen: map[string]*tailedRing{}}
	tick := time.NewTicker(t.Every)
	defer tick.Stop()
	for {
		if err := w.look(ctx); err != nil {
			return t.cure(err)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// How far back tail looks: a ring may have been placed before it began and still live. And how many
// ended rings it remembers, which is more than a page has.
const (
	tailBack     = 10 * time.Minute
	tailRemember = 1000
)

// tailed is what was printed of each ring.
type tailed struct {
	t     *tailCmd
	c     terminal
	api   *client.Client
	began time.Time
	turn  int
	seen  map[string]*tailedRing
}

type tailedRing struct {
	printed map[string]bool // facts
	over    bool
	turn    int // when it was last looked at
}

func (w *tailed) look(ctx context.Context) error {
	w.turn++
	if err := w.newest(ctx); err != nil {
		return err
	}
	for id, r := range w.seen {
		switch {
		case r.turn == w.turn:
		case r.over && len(w.seen) > tailRemember:
			delete(w.seen, id)
		case !r.over:
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
		key := fmt.Sprint(f.Device, f.Kind, f.At, deref(f.Detail))
		if known.printed[key] {
			continue
		}
		known.printed[key] = true
		if w.turn == 1 && known.over && ring.CreatedAt.Before(w.began) {
			continue
		}
		if err := w.t.event(w.c, "", f, ring.ID); err != nil {
			return err
		}
	}
	return nil
}

// given is a flag's value, nil if it was not given.
func given(flag string) *string {
	if flag == "" {
		return nil
	}
	return &flag
}
