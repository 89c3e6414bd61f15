package client

import (
	"context"
	"crypto/rand"
	"io"
	"iter"
	"net/http"
)

// Rings places rings and reads them.
type Rings struct {
	calls *Calls
	s     *sender
}

// Place rings a device or a person. The ring is stored when Place returns; Apple answers later. It
// is sent with an Idempotency-Key, so retries ring nobody twice.
func (r *Rings) Place(ctx context.Context, ring RingRequest, edit ...RequestEditorFn) (Ring, error) {
	p := PlaceRingParams{IdempotencyKey: new(rand.Text())}
	return read[Ring](r.calls.PlaceRing(ctx, &p, ring, edit...))
}

// Get reads a ring.
func (r *Rings) Get(ctx context.Context, id string) (Ring, error) {
	return read[Ring](r.calls.ShowRing(ctx, id))
}

// List reads one page of rings.
func (r *Rings) List(ctx context.Context, p ListRingsParams) (Page[Ring], error) {
	return read[Page[Ring]](r.calls.ListRings(ctx, &p))
}

// All iterates over the rings of every page.
func (r *Rings) All(ctx context.Context, p ListRingsParams) iter.Seq2[Ring, error] {
	return all(func(after *string) (Page[Ring], error) {
		if after != nil {
			p.After = after
		}
		return r.List(ctx, p)
	})
}

// Cancel stops the phones, or hangs up an answered ring.
func (r *Rings) Cancel(ctx context.Context, id string) (Ring, error) {
	return read[Ring](r.calls.CancelRing(ctx, id))
}

// Transfer gives a call to another agent or a person.
func (r *Rings) Transfer(ctx context.Context, id string, to TransferRequest) (Ring, error) {
	return read[Ring](r.calls.TransferRing(ctx, id, to))
}

// Join makes a token for an agent of yours that connects to the call.
func (r *Rings) Join(ctx context.Context, id string) (Joined, error) {
	return read[Joined](r.calls.JoinRing(ctx, id))
}

// Notes reads what was said.
func (r *Rings) Notes(ctx context.Context, id string) (Notes, error) {
	return read[Notes](r.calls.ShowNotes(ctx, id))
}

// AddNotes adds lines and a summary to what was said. The same lines again are stored once.
func (r *Rings) AddNotes(ctx context.Context, id string, notes NewNotes) (AddNotes200JSONResponseBody, error) {
	return read[AddNotes200JSONResponseBody](r.calls.AddNotes(ctx, id, notes))
}

// Recording reads the file of a call. The caller closes it. contentType is audio/ogg or audio/wav.
func (r *Rings) Recording(ctx context.Context, id string) (file io.ReadCloser, contentType string, err error) {
	a, err := r.calls.ReadRecording(ctx, id)
	if err != nil {
		return nil, "", err
	}
	if a.StatusCode >= 300 {
		defer a.Body.Close()
		return nil, "", problem(a)
	}
	return whole{a.Body, a}, a.Header.Get("Content-Type"), nil
}

// Follow iterates over the facts of a ring, from the first one until the ring has ended and every
// fact was given, each once. It connects again when the server ends the stream, restarts or is
// silent. An error ends it.
func (r *Rings) Follow(ctx context.Context, id string) iter.Seq2[Event, error] {
	return r.FollowFrom(ctx, id, "")
}

// FollowFrom is Follow after the event last, which a program may have kept.
func (r *Rings) FollowFrom(ctx context.Context, id, last string) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		f := follower{rings: r, id: id, last: last, yield: yield}
		if err := f.run(ctx); err != nil {
			yield(Event{}, err)
		}
	}
}

type follower struct {
	rings *Rings
	id    string
	last  string // id of the last event
	over  bool   // the ring has ended
	left  bool   // the caller left the loop
	yield func(Event, error) bool
}

func (f *follower) run(ctx context.Context) error {
	for empty := 0; ; empty++ {
		before := f.last
		cut := f.stream(ctx)
		switch {
		case f.left:
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case cut == nil && f.over:
			return nil
		}
		if p, ok := cut.(*Problem); ok {
			return p
		}
		if f.last != before {
			empty = 0
		}
		if empty > f.rings.s.retries && cut != nil {
			return cut
		}
		if empty > 0 {
			if err := f.rings.s.pause(ctx, min(longestPause, firstPause<<min(empty, 8))); err != nil {
				return err
			}
		}
		// The stream may have ended before its last facts. If the ring has ended now, one more
		// stream has them all.
		ring, err := f.rings.Get(ctx, f.id)
		if err != nil {
			return err
		}
		f.over = ring.EndedAt != nil
	}
}

// stream gives the events of one connection. nil means that the server ended it.
func (f *follower) stream(ctx context.Context) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	p := FollowRingParams{}
	if f.last != "" {
		p.LastEventID = &f.last
	}
	a, err := f.rings.calls.FollowRing(ctx, f.id, &p, func(_ context.Context, q *http.Request) error {
		q.Header.Set("Accept", "text/event-stream")
		return nil
	})
	if err != nil {
		return err
	}
	defer a.Body.Close()
	if a.StatusCode >= 300 {
		return problem(a)
	}
	return f.rings.s.facts(ctx, cancel, a.Body, func(id string) { f.last = id }, func(e Event) bool {
		if e.ID != "" {
			f.last = e.ID
		}
		f.over = e.State.over()
		f.left = !f.yield(e, nil)
		return !f.left
	})
}

// over reports whether a ring in this state has ended.
func (s RingState) over() bool {
	switch s {
	case RingStateEnded, RingStateDeclined, RingStateMissed, RingStateCancelled, RingStateFailed:
		return true
	}
	return false
}
