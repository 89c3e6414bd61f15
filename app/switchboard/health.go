package switchboard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"carillon/app/push"
	"carillon/tenants"
	"carillon/tenants/store"
)

// trouble does to device, credential and alerts what Apple's refusal asks for; app/push holds the table.
func (b *Board) trouble(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	do := push.ReactionTo(answer.Status, answer.Reason)
	return errors.Join(b.troubleDevice(ctx, scope, a, answer, do), b.troubleCredential(ctx, scope, a, answer, do), b.alert(ctx, scope, a, answer, do))
}

func (b *Board) troubleDevice(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	switch do.Device {
	case push.SuspectDevice, push.RetireDevice:
		mass := b.health.refused(a.Credential, a.Device, b.Now())
		if mass.open {
			return b.mass(ctx, scope, a, answer, mass)
		}
		if do.Device == push.SuspectDevice {
			if proven, err := b.proven(ctx, scope, a, answer); err != nil || !proven {
				return err
			}
		}
		return b.retire(ctx, scope, a, answer)
	case push.RetireIfOlder:
		asOf := answer.Timestamp
		if asOf.IsZero() {
			asOf = answer.AnsweredAt
		}
		_, err := scope.DisableDevice(ctx, a.Device, answer.Reason, asOf)
		return err
	}
	if do.Credential == push.CoolDown {
		b.paced.slow(a.Device, b.Now())
	}
	return nil
}

// retire disables a device, and takes that back if the breaker opened meanwhile.
func (b *Board) retire(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) error {
	if !b.health.retire(a.Credential, a.Device, answer.Reason, b.Now()) {
		return nil
	}
	if _, err := scope.DisableDevice(ctx, a.Device, answer.Reason, answer.AnsweredAt); err != nil {
		return err
	}
	if b.health.isOpen(a.Credential) {
		_, err := scope.ReviveDevice(ctx, a.Device, answer.Reason)
		return err
	}
	return nil
}

// proofsSeen is how far back a device's earlier pushes are looked at.
const proofsSeen = 8

// proven says whether Apple called this very token bad once before, on another ring, and has not taken it since; a registration in
// between starts anew.
func (b *Board) proven(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer) (bool, error) {
	d, err := scope.Device(ctx, a.Device)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return false, nil // removed since
	}
	if err != nil {
		return false, err
	}
	seen, err := scope.Outcomes(ctx, a.Device, proofsSeen)
	if err != nil {
		return false, err
	}
	for _, o := range seen {
		if o.Ring == a.Ring || o.Status == 0 || o.Token != a.Push.Token {
			continue
		}
		return o.Reason == answer.Reason && !o.At.Before(d.RegisteredAt), nil
	}
	return false, nil
}

// mass is one mistake that makes Apple refuse the tokens of many devices: none of them is to blame. What the burst disabled comes
// back, and the credential and its people are told.
func (b *Board) mass(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, m massed) error {
	var errs []error
	for d, reason := range m.revive {
		_, err := scope.ReviveDevice(ctx, d, reason)
		errs = append(errs, err)
	}
	if m.tell {
		do := push.ReactionTo(answer.Status, answer.Reason)
		what := "the environment"
		if answer.Reason == "DeviceTokenNotForTopic" {
			what = "the bundle id"
		}
		detail := fmt.Sprintf("%s: Apple refused %d of %d device tokens within ten minutes, so %s is probably wrong. No device is disabled for it. %s",
			answer.Reason, m.refused, m.pushed, what, do.Cure)
		_, err := scope.Alert(ctx, tenants.AlertMass, string(a.Credential), detail)
		errs = append(errs, err, scope.CredentialTrouble(ctx, a.Credential, answer.Reason, false, answer.AnsweredAt))
	}
	return errors.Join(errs...)
}

func (b *Board) troubleCredential(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	disable := false
	switch do.Credential {
	case push.DisableCredential:
		disable = true
	case push.SuspectCredential: // disabled on a repeat that no success came before
		c, err := scope.Credential(ctx, a.Credential)
		if tenants.KindOf(err) == tenants.Unknown && err != nil {
			return nil
		}
		if err != nil {
			return err
		}
		disable = c.LastError == answer.Reason && c.LastErrorAt.After(c.LastUsedAt)
	case push.DisableForHost, push.OneEnvironment, push.RejectTopic, push.CheckClock:
	default:
		return nil
	}
	err := scope.CredentialTrouble(ctx, a.Credential, answer.Reason, disable, answer.AnsweredAt)
	if tenants.KindOf(err) == tenants.Unknown && err != nil {
		return nil
	}
	return err
}

// alert tells the tenant's people what the table says they should hear of.
func (b *Board) alert(ctx context.Context, scope *store.Scope, a tenants.Attempt, answer push.Answer, do push.Reaction) error {
	kind := tenants.AlertCredential
	if do.Credential == push.FreezeMinting || do.Credential == push.CoolDown {
		kind = tenants.AlertTooOften
	}
	switch do.Alert {
	case push.AlertBug:
		b.Log.Error("Apple refused a push for a reason that is ours", "reason", answer.Reason, "status", answer.Status, "apns_id", answer.APNsID)
		return nil
	case push.AlertOwner:
	case push.AlertRepeat:
		if !b.health.again(string(a.Credential)+" "+answer.Reason, b.Now()) {
			return nil
		}
	default:
		return nil
	}
	_, err := scope.Alert(ctx, kind, string(a.Credential), answer.Reason+": "+do.Cause+" "+do.Cure)
	return err
}

// well notes that Apple took a push; when that ends a mass refusal, the alert ends with it.
func (b *Board) well(ctx context.Context, scope *store.Scope, a tenants.Attempt) error {
	b.paced.well(a.Device)
	if !b.health.accepted(a.Credential, a.Device, b.Now()) {
		return nil
	}
	return resolved(scope.ResolveAlert(ctx, tenants.AlertMass, string(a.Credential)))
}

// health is the breaker against disabling many devices for one mistake: what Apple said of each credential's tokens lately, in this
// process. The zero value is ready.
type health struct {
	mu   sync.Mutex // guards the rest
	of   map[tenants.CredentialID]*sight
	last map[string]time.Time // of answers that matter when they repeat
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
	if d := now.Sub(s.swept); d < 0 || d > tenants.MassWindow/20 {
		s.sweep(now)
	}
	return s
}

func (s *sight) sweep(now time.Time) {
	s.swept, s.refused = now, 0
	for d, m := range s.tokens {
		if now.Sub(m.at) > tenants.MassWindow {
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
	s.open = tenants.Mass(s.refused, len(s.tokens))
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
	if s.open && !tenants.Mass(s.refused, len(s.tokens)) {
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
	return known && now.Sub(before) <= tenants.MassWindow
}
