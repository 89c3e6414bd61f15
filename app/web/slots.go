package web

import (
	"fmt"
	"sync"
	"time"

	"carillon/tenants"
)

// Holder is who holds something that all share. A field that is empty does not count.
type Holder struct {
	Kind    string // what ID is, such as KindKey
	ID      string // of the sign-in, key or device
	Tenant  string
	Network string // see Network
}

// The kinds of holders, as refusals name them.
const (
	KindPerson  = "account"
	KindKey     = "API key"
	KindDevice  = "device"
	KindPartner = "partner"
)

// SlotBounds says how many of one thing may be open at once. A kind of holder without a bound, and
// a bound of zero, have none.
type SlotBounds struct {
	Code    string // of the refusal
	What    string // "event streams open", as in "has 5 event streams open"
	Cure    string // a sentence
	After   time.Duration
	Each    map[string]int // of one holder, by its kind
	Tenant  int
	Network int
	All     int
	First   int // of All, the last ones, which are only for tenants that have none
}

// Slots counts what is open at once in this process: for each holder, tenant and network, and
// overall.
type Slots struct {
	bounds SlotBounds
	mu     sync.Mutex // guards open
	open   map[slot]int
}

// slot is one of the things that a Slots counts by.
type slot struct{ kind, id string }

// NewSlots makes slots that are all free.
func NewSlots(b SlotBounds) *Slots { return &Slots{bounds: b, open: map[slot]int{}} }

// Take takes a slot, or refuses: 429 where the holder, its tenant or its network has too many, and
// 503 where the server has. The caller must call leave; a second call does nothing.
func (s *Slots) Take(h Holder) (leave func(), err error) {
	all := []struct {
		slot
		most int
		who  string
	}{
		{slot{h.Kind, h.ID}, s.bounds.Each[h.Kind], "This " + h.Kind},
		{slot{"tenant", h.Tenant}, s.bounds.Tenant, "Your organisation"},
		{slot{"network", h.Network}, s.bounds.Network, "Your network address"},
		{slot{"all", "all"}, s.bounds.All, ""},
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, one := range all {
		switch {
		case one.id == "" || one.most == 0 || s.open[one.slot] < one.most:
		case one.who == "":
			return nil, &tenants.Error{Kind: tenants.Unavailable, Code: s.bounds.Code, RetryAfter: s.bounds.After,
				Msg: fmt.Sprintf("This server has %d %s, which is the most it serves at once. Try again in a moment.",
					one.most, s.bounds.What)}
		default:
			return nil, &tenants.Error{Kind: tenants.TooMany, Code: s.bounds.Code, RetryAfter: s.bounds.After,
				Msg: fmt.Sprintf("%s has %d %s, which is the most at once. %s", one.who, one.most, s.bounds.What, s.bounds.Cure)}
		}
	}
	if b, n := s.bounds, s.open[slot{"all", "all"}]; b.First > 0 && n >= b.All-b.First && s.open[slot{"tenant", h.Tenant}] > 0 {
		return nil, &tenants.Error{Kind: tenants.TooMany, Code: b.Code, RetryAfter: b.After,
			Msg: fmt.Sprintf("This server has %d %s. Those that are left are for organisations that have none. %s", n, b.What, b.Cure)}
	}
	for _, one := range all {
		if one.id != "" {
			s.open[one.slot]++
		}
	}
	return sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		for _, one := range all {
			if one.id == "" {
				continue
			}
			if s.open[one.slot]--; s.open[one.slot] == 0 {
				delete(s.open, one.slot)
			}
		}
	}), nil
}

// Len is how many slots are taken.
func (s *Slots) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.open[slot{"all", "all"}]
}
