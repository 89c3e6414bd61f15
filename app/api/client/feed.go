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
// and it ends with an error or when the caller leaves the loop. Where too many streams are open
// when it connects again, it waits: the server may still count the stream that was lost.
func (e *Events) Follow(ctx context.Context, p FollowEventsParams) iter.Seq2[Event, error] {
	return e.FollowOpened(ctx, p, nil)
}

// FollowOpened is Follow, and calls opened whenever a stream has begun: what is recorded from the
// first call on is not missed.
func (e *Events) FollowOpened(ctx context.Context, p FollowEventsParams, opened func()) iter.Seq2[Event, error] {
	return func(yield func(Event, error) bool) {
		begun := false
		begin := func() {
			if begun = true; opened != nil {
				opened()
			}
		}
		for failed := 0; ; failed++ {
			before, left := lastID(p), false
			cut := e.stream(ctx, &p, begin, func(event Event) bool {
				left = !yield(event, nil)
				return !left
			})
			if left {
				return
			}
			problem, refused := cut.(*Problem)
			full := begun && refused && (problem.Status == http.StatusTooManyRequests || problem.Status == http.StatusServiceUnavailable)
			if cut == nil || full || lastID(p) != before {
				failed = 0
			}
			wait := min(longestPause, firstPause<<min(failed, 8))
			if full {
				wait = longestPause
			}
			switch {
			case ctx.Err() != nil:
				cut = ctx.Err()
			case refused && !full || failed > e.s.retries:
			default:
				if cut = e.s.pause(ctx, wait); cut == nil {
					continue
				}
			}
			yield(Event{}, cut)
			return
		}
	}
}

func lastID(p FollowEventsParams) string {
	if p.LastEventID == nil {
		return ""
	}
	return *p.LastEventID
}

// stream gives the events of one connection and sets p.LastEventID. nil means that the server ended
// it, or the caller.
func (e *Events) stream(ctx context.Context, p *FollowEventsParams, opened func(), give func(Event) bool) error {
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
	opened()
	return e.s.facts(ctx, cancel, a.Body, func(id string) { p.LastEventID = &id }, func(event Event) bool {
		if event.ID != "" {
			p.LastEventID = &event.ID
		}
		return give(event)
	})
}

// facts gives the events of a stream until give wants no more, and the ids that come without an
// event to keep. cancel must end body.
func (s *sender) facts(
	ctx context.Context, cancel context.CancelCauseFunc, body io.Reader, keep func(id string), give func(Event) bool,
) error {
	silent := &AnswerError{fmt.Sprintf("the server was silent for %.0f s", s.silence.Seconds()), nil}
	err := events(s.silence, func() { cancel(silent) }, body, func(id, data string) (more bool, err error) {
		if data == "" {
			keep(id)
			return true, nil
		}
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
