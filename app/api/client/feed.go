package client

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"net/http"
)

// Event is a fact of a ring as Follow gives it. Ring is set by Events only.
type Event struct {
	ID string // for FollowFrom, or LastEventID of FollowEventsParams
	RingEvent
}

// Events follows the rings of an account.
type Events struct {
	calls *Calls
	s     *sender
}

// Follow iterates over the facts of all rings that p asks for, each once: those from now on, or
// behind p.LastEventID. It connects again when the server ends the stream, restarts or is silent,
// and it ends with an error or when the caller leaves the loop.
func (e *Events) Follow(ctx context.Context, p FollowEventsParams) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		for failed := 0; ; failed++ {
			before, left := p.LastEventID, false
			cut := e.stream(ctx, &p, func(event Event) bool {
				left = !yield(event, nil)
				return !left
			})
			if left {
				return
			}
			if cut == nil || p.LastEventID != before {
				failed = 0
			}
			_, refused := cut.(*Problem)
			switch {
			case ctx.Err() != nil:
				cut = ctx.Err()
			case refused || failed > e.s.retries:
			default:
				if cut = e.s.pause(ctx, min(longestPause, firstPause<<min(failed, 8))); cut == nil {
					continue
				}
			}
			yield(Event{}, cut)
			return
		}
	}
}

// stream gives the events of one connection and sets p.LastEventID. nil means that the server ended
// it, or the caller.
func (e *Events) stream(ctx context.Context, p *FollowEventsParams, give func(Event) bool) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	a, err := e.calls.FollowEvents(ctx, p, func(_ context.Context, q *http.Request) error {
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
	return e.s.facts(ctx, cancel, a.Body, func(event Event) bool {
		if event.ID != "" {
			p.LastEventID = &event.ID
		}
		return give(event)
	})
}

// facts gives the events of a stream until give wants no more. cancel must end body.
func (s *sender) facts(ctx context.Context, cancel context.CancelCauseFunc, body io.Reader, give func(Event) bool) error {
	silent := &AnswerError{fmt.Sprintf("the server was silent for %.0f s", s.silence.Seconds()), nil}
	err := events(s.silence, func() { cancel(silent) }, body, func(id, data string) (more bool, err error) {
		var e RingEvent
		if err := json.NewDecoder(bytes.NewReader([]byte(data))).Decode(&e); err != nil {
			return false, &AnswerError{answerOdd, err}
		}
		return give(Event{ID: id, RingEvent: e}), nil
	})
	if err != nil && context.Cause(ctx) == error(silent) {
		return silent
	}
	return err
}
