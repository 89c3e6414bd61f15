package push

import (
	"time"
)

// request is one push on its way through a pool. What the caller set is not changed any more; the
// rest is guarded by the pool's mu until done was signalled.
type request struct {
	path       string
	bearer     string
	topic      string
	pushType   string
	priority   string
	expiration string
	apnsID     string
	body       []byte
	until      time.Time // the ring's end
	hedge      bool
	enough     func() bool // nil = never

	done     chan struct{} // one signal when settled
	settled  bool
	waiting  bool // in the pool's queue
	on       [3]place
	legs     int // of on
	sent     int // how often it was written
	lost     int // connections lost under it
	refused  int
	first    time.Time // first written
	answered time.Time
	via      *connection // that answered
	status   int
	id       string
	answer   []byte
	err      error
}

// place is where a request is outstanding.
type place struct {
	c  *connection
	id uint32
}

func (r *request) begin(c *connection, id uint32, now time.Time) {
	r.waiting = false
	if r.sent++; r.first.IsZero() {
		r.first = now
	}
	r.on[r.legs] = place{c, id}
	r.legs++
}

// leave forgets that the request is on c.
func (r *request) leave(c *connection, id uint32) {
	for i := range r.legs {
		if r.on[i] == (place{c, id}) {
			r.legs--
			r.on[i] = r.on[r.legs]
			r.on[r.legs] = place{}
			return
		}
	}
}

// moot says that nothing more is to be sent. Called with mu held.
func (r *request) moot() bool { return r.enough != nil && r.enough() }

// isOn says whether the request is outstanding on c.
func (r *request) isOn(c *connection) bool {
	for i := range r.legs {
		if r.on[i].c == c {
			return true
		}
	}
	return false
}

// settle ends the request and takes it off its connections. Called with the pool's mu held.
func (r *request) settle() {
	if r.settled {
		return
	}
	r.settled, r.waiting = true, false
	for i := range r.legs {
		r.on[i].c.drop(r.on[i].id)
	}
	r.legs = 0
	r.done <- struct{}{}
}
