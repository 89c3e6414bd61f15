package push

import (
	"time"
)

// request is one push in a pool. The fields that the caller sets do not change afterwards; the
// pool's mu guards the others until done is signalled.
type request struct {
	path       string
	bearer     string
	topic      string
	pushType   string
	priority   string
	expiration string
	apnsID     string
	body       []byte
	until      time.Time // when the ring ends
	hedge      bool
	enough     func() bool // nil = never
	most       int         // how often it may be written without an answer

	done     chan struct{} // gets one value when settled
	settled  bool
	waiting  bool // in the pool's queue
	streams  [3]streamRef
	legs     int       // how many of streams are in use
	sent     int       // how often it was written
	lost     int       // how often a stream ended without an answer
	cuts     int       // of lost, with the whole connection
	refused  int       // how often the server did not process it
	cutAlone bool      // a connection was lost with no other push on it
	first    time.Time // first written
	answered time.Time
	via      *connection // the connection that answered
	status   int
	id       string
	answer   []byte
	err      error
}

// streamRef names a stream on which a request waits for an answer.
type streamRef struct {
	c  *connection
	id uint32
}

func (r *request) addStream(c *connection, id uint32, now time.Time) {
	r.waiting = false
	if r.sent++; r.first.IsZero() {
		r.first = now
	}
	r.streams[r.legs] = streamRef{c, id}
	r.legs++
}

// unanswered is how often the request was written and perhaps processed.
func (r *request) unanswered() int { return r.sent - r.refused }

// spent says that the request must not be written again.
func (r *request) spent() bool { return r.unanswered() >= r.most }

// removeStream forgets stream id of c.
func (r *request) removeStream(c *connection, id uint32) {
	for i := range r.legs {
		if r.streams[i] == (streamRef{c, id}) {
			r.legs--
			r.streams[i] = r.streams[r.legs]
			r.streams[r.legs] = streamRef{}
			return
		}
	}
}

// enoughSent asks the caller's Enough whether to stop. Called with mu held.
func (r *request) enoughSent() bool { return r.enough != nil && r.enough() }

// isOn says whether the request waits for an answer on c.
func (r *request) isOn(c *connection) bool {
	for i := range r.legs {
		if r.streams[i].c == c {
			return true
		}
	}
	return false
}

// settle ends the request and cancels its open streams. Called with the pool's mu held.
func (r *request) settle() {
	if r.settled {
		return
	}
	r.settled, r.waiting = true, false
	for i := range r.legs {
		r.streams[i].c.cancelStream(r.streams[i].id)
	}
	r.legs = 0
	r.done <- struct{}{}
}
