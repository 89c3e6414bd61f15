package switchboard

import (
	"slices"
	"sync"
	"time"

	"carillon/tenants"
)

// soonAfter is how long the facts of a call's first moment wait to be stored. Nobody waits for
// them, and without them in its way the sound begins sooner, on all calls that are set up at that
// moment.
const soonAfter = 500 * time.Millisecond

// soonWrites are the changes that wait for soonAfter. Those of one ring are stored in one write,
// apart from those of somebody else, and before what happens to the call later. The zero value is
// ready.
type soonWrites struct {
	mu sync.Mutex // guards of and the lists in it
	of map[tenants.RingID]*soon
}

// soon are the changes of one ring.
type soon struct {
	storing sync.Mutex // one goroutine stores them at a time
	list    []lateWrite
}

// add keeps w. first means that nothing of its ring waited.
func (s *soonWrites) add(w lateWrite) (first bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[tenants.RingID]*soon{}
	}
	has := s.of[w.ring]
	if first = has == nil; first {
		has = &soon{}
		s.of[w.ring] = has
	}
	has.list = append(has.list, w)
	return first
}

func (s *soonWrites) find(id tenants.RingID) *soon {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.of[id]
}

// take returns what waits, and forgets the ring if nothing does.
func (s *soonWrites) take(id tenants.RingID, of *soon) []lateWrite {
	s.mu.Lock()
	defer s.mu.Unlock()
	list := of.list
	if of.list = nil; len(list) == 0 && s.of[id] == of {
		delete(s.of, id)
	}
	return list
}

// store stores what waits for the ring and behind it then, if that is not nil.
func (s *soonWrites) store(id tenants.RingID, then *lateWrite, store func(lateWrite)) {
	of := s.find(id)
	if of == nil {
		if then != nil {
			store(*then)
		}
		return
	}
	of.storing.Lock()
	defer of.storing.Unlock()
	for {
		list := s.take(id, of)
		if then != nil {
			list, then = append(list, *then), nil
		}
		if len(list) == 0 {
			return
		}
		for _, w := range apart(list) {
			store(w)
		}
	}
}

// apart are the writes of one ring, in order: together what lies between two that are somebody's
// own.
func apart(list []lateWrite) (all []lateWrite) {
	for len(list) > 0 {
		n := slices.IndexFunc(list, func(w lateWrite) bool { return w.own != nil })
		if n == 0 {
			all, list = append(all, list[0]), list[1:]
			continue
		}
		if n < 0 {
			n = len(list)
		}
		all, list = append(all, together(list[:n])), list[n:]
	}
	return all
}

// together is several writes of one ring as one.
func together(list []lateWrite) lateWrite {
	w := list[0]
	w.held = slices.ContainsFunc(list, func(w lateWrite) bool { return w.held })
	w.change = func(r *tenants.Ring) (facts []tenants.Fact) {
		for _, one := range list {
			facts = append(facts, one.change(r)...)
		}
		return facts
	}
	return w
}

// writeSoon is write, or writeHeld, for what may wait a moment.
func (b Held) writeSoon(t tenants.TenantID, id tenants.RingID, held bool, change func(*tenants.Ring) []tenants.Fact) {
	w := lateWrite{scope: b.system(t), ring: id, change: change, held: held}
	if b.open.Err() != nil { // nobody would store it
		b.keepWrite(w)
		return
	}
	if !b.soon.add(w) {
		return
	}
	b.pushers.run(b.open, func() {
		wait := time.NewTimer(soonAfter)
		defer wait.Stop()
		select {
		case <-wait.C:
		case <-b.open.Done():
		}
		b.storeSoon(id)
	})
}

// storeSoon stores what waits for a ring, before something else is written about it.
func (b Held) storeSoon(id tenants.RingID) { b.soon.store(id, nil, b.keepNow) }
