package stripetest

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// happened records an event about an object in its current state. Called with mu held.
func (s *Stripe) happened(kind string, object map[string]any) {
	e := map[string]any{
		"id": s.id("evt"), "object": "event", "api_version": Version, "created": s.now.Unix(), "livemode": s.c.Live, "type": kind,
		"data": map[string]any{"object": object}, "pending_webhooks": 1, "request": map[string]any{"id": nil, "idempotency_key": nil},
	}
	body, err := json.MarshalIndent(e, "", "  ") // as Stripe prints it
	if err != nil {
		panic(err) // maps of strings and numbers always marshal
	}
	s.events = append(s.events, Event{e["id"].(string), kind, body})
}

// Events returns the events of one type, or of all if it is empty, oldest first.
func (s *Stripe) Events(kind string) []Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(s.events), func(e Event) bool { return kind != "" && e.Type != kind })
}

func (s *Stripe) listEvents(_ string, f url.Values) (any, error) {
	var types []string
	for k, v := range f {
		if strings.HasPrefix(k, "types[") {
			types = append(types, v[0])
		}
	}
	since, _ := strconv.ParseInt(f.Get("created[gte]"), 10, 64) // none = from the beginning
	out := []json.RawMessage{}
	for _, e := range newestFirst(s.events) {
		var at struct{ Created int64 }
		if err := json.Unmarshal(e.Body, &at); err != nil {
			return nil, err
		}
		if at.Created >= since && (len(types) == 0 || slices.Contains(types, e.Type)) {
			out = append(out, e.Body)
		}
	}
	return list(out, "/v1/events"), nil
}

func (s *Stripe) oneEvent(id string, _ url.Values) (any, error) {
	for _, e := range s.events {
		if e.ID == id {
			return json.RawMessage(e.Body), nil
		}
	}
	return nil, fault{status: http.StatusNotFound, kind: "invalid_request_error", code: "resource_missing",
		msg: "No such event: '" + id + "'"}
}

// Sign is the Stripe-Signature header of a body (docs.stripe.com/webhooks#verify-manually).
func Sign(body []byte, secret string, at time.Time) string {
	t := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(t + "."))
	mac.Write(body)
	return "t=" + t + ",v1=" + hex.EncodeToString(mac.Sum(nil))
}

// tell posts all events that were not posted yet. It runs without mu, because the receiver asks
// back.
func (s *Stripe) tell() {
	s.telling.Lock()
	defer s.telling.Unlock()
	s.post()
}

// pass is tell for an API request, which may itself come from a receiver. If another goroutine is
// posting, it leaves the events to that one, so that no request waits for messages about later
// events.
func (s *Stripe) pass() {
	for s.news() && s.telling.TryLock() {
		s.post()
		s.telling.Unlock()
	}
}

// news reports whether there are events to post.
func (s *Stripe) news() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.c.Webhook != "" && s.untold < len(s.events)
}

// post sends them. Called with telling held.
func (s *Stripe) post() {
	for {
		s.mu.Lock()
		address, secret := s.c.Webhook, s.c.Secret
		if address == "" || s.untold >= len(s.events) {
			s.mu.Unlock()
			return
		}
		e := s.events[s.untold]
		s.untold++
		s.mu.Unlock()
		for range sends {
			if s.send(address, secret, e.Body) {
				break
			}
		}
	}
}

// sends is how often a message is posted until it is answered with a 2xx. Stripe retries for days
// (docs.stripe.com/webhooks#automatic-retries); a message lost after these is for Reconcile to
// find.
const sends = 3

// send posts a message, signed again each time, and reports whether it was accepted.
func (s *Stripe) send(address, secret string, body []byte) bool {
	q, err := http.NewRequest(http.MethodPost, address, bytes.NewReader(body))
	if err != nil {
		return false
	}
	q.Header.Set("Content-Type", "application/json")
	q.Header.Set("Stripe-Signature", Sign(body, secret, time.Now()))
	a, err := s.hook.Do(q)
	if err != nil {
		return false
	}
	_ = a.Body.Close()
	return a.StatusCode/100 == 2
}
