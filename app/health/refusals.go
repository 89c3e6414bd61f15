package health

import (
	"sync"
	"time"

	"carillon/tenants"
)

// refusals is the breaker that keeps one mistake from disabling many devices. It holds what Apple
// said lately of each credential's tokens, in this process. The zero value is ready.
type refusals struct {
	mu           sync.Mutex // guards the rest
	byCredential map[tenants.CredentialID]*refusalWindow
	lastSeen     map[string]time.Time // answers that matter only when they repeat
	hosts        map[string]*hostStatus
}

// hostStatus counts the pushes of one Apple host within a window.
type hostStatus struct {
	since       time.Time
	failed, all int
	told        bool
}

// countForHost counts a push. tell is true once in a window: for the push that makes the failures
// many.
func (r *refusals) countForHost(environment string, bad bool, now time.Time) (failed, all int, tell bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	h := r.hosts[environment]
	if h == nil || now.Sub(h.since) > tenants.TokensRefusedWindow {
		if r.hosts == nil {
			r.hosts = map[string]*hostStatus{}
		}
		h = &hostStatus{since: now}
		r.hosts[environment] = h
	}
	h.all++
	if bad {
		h.failed++
	}
	tell = bad && !h.told && tenants.ManyTokensRefused(h.failed, h.all)
	h.told = h.told || tell
	return h.failed, h.all, tell
}

// refusalWindow is what Apple said of one credential's tokens within tenants.TokensRefusedWindow.
type refusalWindow struct {
	tokens    map[tenants.DeviceID]lastAnswer
	refused   int  // of tokens
	open      bool // while it is, no device is disabled
	disabled  map[tenants.DeviceID]string
	cleanedAt time.Time
	alertedAt time.Time
}

// lastAnswer is Apple's latest answer about a token.
type lastAnswer struct {
	at      time.Time
	refused bool
}

// massRefusal is what the breaker says about one more refusal.
type massRefusal struct {
	open            bool
	alert           bool // it opened just now, or a minute passed since the last alert
	refused, pushed int
	revive          map[tenants.DeviceID]string // what the burst disabled, with the reason, to enable again
}

// window returns the credential's window without what is too old to count. Called with mu held.
func (r *refusals) window(c tenants.CredentialID, now time.Time) *refusalWindow {
	w := r.byCredential[c]
	if w == nil {
		if r.byCredential == nil || len(r.byCredential) >= mostRemembered {
			r.byCredential = map[tenants.CredentialID]*refusalWindow{}
		}
		w = &refusalWindow{tokens: map[tenants.DeviceID]lastAnswer{}, disabled: map[tenants.DeviceID]string{}, cleanedAt: now}
		r.byCredential[c] = w
	}
	if d := now.Sub(w.cleanedAt); d < 0 || d > tenants.TokensRefusedWindow/20 {
		w.dropOld(now)
	}
	return w
}

func (w *refusalWindow) dropOld(now time.Time) {
	w.cleanedAt, w.refused = now, 0
	for d, last := range w.tokens {
		if now.Sub(last.at) > tenants.TokensRefusedWindow {
			delete(w.tokens, d)
			delete(w.disabled, d)
		} else if last.refused {
			w.refused++
		}
	}
}

func (w *refusalWindow) set(d tenants.DeviceID, last lastAnswer) {
	if w.tokens[d].refused {
		w.refused--
	}
	if last.refused {
		w.refused++
	}
	w.tokens[d] = last
}

func (r *refusals) refused(c tenants.CredentialID, d tenants.DeviceID, now time.Time) massRefusal {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.window(c, now)
	w.set(d, lastAnswer{now, true})
	w.open = tenants.ManyTokensRefused(w.refused, len(w.tokens))
	mass := massRefusal{open: w.open, refused: w.refused, pushed: len(w.tokens)}
	if !w.open {
		return mass
	}
	mass.revive, w.disabled = w.disabled, map[tenants.DeviceID]string{}
	if mass.alert = now.Sub(w.alertedAt) >= time.Minute || w.alertedAt.IsZero(); mass.alert {
		w.alertedAt = now
	}
	return mass
}

// accepted notes that Apple took a push to the device, and says whether this closed the breaker.
func (r *refusals) accepted(c tenants.CredentialID, d tenants.DeviceID, now time.Time) (closed bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.window(c, now)
	w.set(d, lastAnswer{now, false})
	delete(w.disabled, d)
	if w.open && !tenants.ManyTokensRefused(w.refused, len(w.tokens)) {
		w.open, w.alertedAt = false, time.Time{}
		return true
	}
	return false
}

// noteDisabled notes that the device is about to be disabled. It is false when the breaker has
// opened meanwhile: then the device must stay as it is.
func (r *refusals) noteDisabled(c tenants.CredentialID, d tenants.DeviceID, reason string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.window(c, now)
	if w.open {
		return false
	}
	w.disabled[d] = reason
	return true
}

func (r *refusals) isOpen(c tenants.CredentialID) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	w := r.byCredential[c]
	return w != nil && w.open
}

// isRepeated says whether the same answer was seen before within tenants.TokensRefusedWindow.
func (r *refusals) isRepeated(what string, now time.Time) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, known := r.lastSeen[what]
	if r.lastSeen == nil || len(r.lastSeen) >= mostRemembered {
		r.lastSeen = map[string]time.Time{}
	}
	r.lastSeen[what] = now
	return known && now.Sub(before) <= tenants.TokensRefusedWindow
}
