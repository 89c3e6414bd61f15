package switchboard

import (
	"sync"
	"time"

	"carillon/tenants"
)

// health is the breaker against disabling many devices for one mistake: what Apple said of each credential's tokens lately, in this
// process. The zero value is ready.
type health struct {
	mu   sync.Mutex // guards the rest
	of   map[tenants.CredentialID]*sight
	last map[string]time.Time // of answers that matter when they repeat
	host map[string]*weather
}

// weather is how a host of Apple's does since a moment.
type weather struct {
	since    time.Time
	bad, all int
	told     bool
}

// rate counts a push, and says when it is the one that makes the trouble worth telling: once in a window.
func (h *health) rate(environment string, bad bool, now time.Time) (troubled, all int, tell bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.host[environment]
	if w == nil || now.Sub(w.since) > tenants.TokensRefusedWindow {
		if h.host == nil {
			h.host = map[string]*weather{}
		}
		w = &weather{since: now}
		h.host[environment] = w
	}
	w.all++
	if bad {
		w.bad++
	}
	tell = bad && !w.told && tenants.ManyTokensRefused(w.bad, w.all)
	w.told = w.told || tell
	return w.bad, w.all, tell
}

// sight is one credential's.
type sight struct {
	tokens  map[tenants.DeviceID]mark
	refused int
	open    bool // nothing is disabled while it is
	retired map[tenants.DeviceID]string
	swept   time.Time
	told    time.Time
}

// mark is Apple's last word on a token.
type mark struct {
	at      time.Time
	refused bool
}

// massed is what the breaker says about one more refusal.
type massed struct {
	open            bool
	tell            bool // it opened just now, or a minute passed
	refused, pushed int
	revive          map[tenants.DeviceID]string // what the burst disabled, with the reason, to bring back
}

// see gives the credential's sight, without what is too old to count. Called with mu held.
func (h *health) see(c tenants.CredentialID, now time.Time) *sight {
	s := h.of[c]
	if s == nil {
		if h.of == nil || len(h.of) >= mostKeys {
			h.of = map[tenants.CredentialID]*sight{}
		}
		s = &sight{tokens: map[tenants.DeviceID]mark{}, retired: map[tenants.DeviceID]string{}, swept: now}
		h.of[c] = s
	}
	if d := now.Sub(s.swept); d < 0 || d > tenants.TokensRefusedWindow/20 {
		s.sweep(now)
	}
	return s
}

func (s *sight) sweep(now time.Time) {
	s.swept, s.refused = now, 0
	for d, m := range s.tokens {
		if now.Sub(m.at) > tenants.TokensRefusedWindow {
			delete(s.tokens, d)
			delete(s.retired, d)
		} else if m.refused {
			s.refused++
		}
	}
}

func (s *sight) set(d tenants.DeviceID, m mark) {
	if s.tokens[d].refused {
		s.refused--
	}
	if m.refused {
		s.refused++
	}
	s.tokens[d] = m
}

func (h *health) refused(c tenants.CredentialID, d tenants.DeviceID, now time.Time) massed {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.see(c, now)
	s.set(d, mark{now, true})
	s.open = tenants.ManyTokensRefused(s.refused, len(s.tokens))
	m := massed{open: s.open, refused: s.refused, pushed: len(s.tokens)}
	if !s.open {
		return m
	}
	m.revive, s.retired = s.retired, map[tenants.DeviceID]string{}
	if m.tell = now.Sub(s.told) >= time.Minute || s.told.IsZero(); m.tell {
		s.told = now
	}
	return m
}

// accepted says whether the breaker closed with this.
func (h *health) accepted(c tenants.CredentialID, d tenants.DeviceID, now time.Time) (closed bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.see(c, now)
	s.set(d, mark{now, false})
	delete(s.retired, d)
	if s.open && !tenants.ManyTokensRefused(s.refused, len(s.tokens)) {
		s.open, s.told = false, time.Time{}
		return true
	}
	return false
}

// retire notes that the device is about to be disabled; false when the breaker opened meanwhile.
func (h *health) retire(c tenants.CredentialID, d tenants.DeviceID, reason string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.see(c, now)
	if s.open {
		return false
	}
	s.retired[d] = reason
	return true
}

func (h *health) isOpen(c tenants.CredentialID) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := h.of[c]
	return s != nil && s.open
}

// again says whether the same was said within the last ten minutes.
func (h *health) again(what string, now time.Time) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	before, known := h.last[what]
	if h.last == nil || len(h.last) >= mostKeys {
		h.last = map[string]time.Time{}
	}
	h.last[what] = now
	return known && now.Sub(before) <= tenants.TokensRefusedWindow
}
