package connections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"

	"carillon/app/outbound"
	"carillon/tenants"
)

const (
	// answerWithin is how long a receiver may take to connect and to answer.
	answerWithin = 10 * time.Second
	// drained is how much of an answer is read before the connection is closed. A short answer is
	// read to its end, so that the connection can be used again.
	drained = 64 << 10
	// userAgent names us to receivers.
	userAgent = "Carillon"
	// hidden stands for a header's value where a tenant reads what was sent.
	hidden = "***"
)

// webhook sends events as Standard Webhooks (github.com/standard-webhooks/standard-webhooks): a
// POST whose headers have an id, a time and a signature by each secret.
type webhook struct {
	client *http.Client
	within time.Duration
	now    func() time.Time
}

func newWebhook(d *outbound.Dialer, within time.Duration, now func() time.Time) *webhook {
	return &webhook{d.Client(within), within, now}
}

// Deliver posts the event. A redirect is an error: nobody checked the address that it names.
func (h *webhook) Deliver(ctx context.Context, c tenants.Connection, s Secrets, e Event) (Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, h.within)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.URL, bytes.NewReader(e.Body))
	if err != nil {
		return Answer{}, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	for name, value := range s.Headers {
		req.Header.Set(name, value)
	}
	if err := Sign(req.Header, s.Signing, e.ID, h.now(), e.Body); err != nil {
		return Answer{}, fmt.Errorf("connection %s: %w", c.ID, err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", userAgent)
	a := Answer{Sent: shown(req.Header, s.Headers)}
	began := time.Now() // a length of time, not a moment
	res, err := h.client.Do(req)
	if err != nil {
		a.Took = time.Since(began)
		return a, err
	}
	defer res.Body.Close()
	a.Status, a.RetryAfter = res.StatusCode, retryAfter(res.Header.Get("Retry-After"), h.now())
	a.Body = readAnswer(res.Body)
	a.Took = time.Since(began)
	return a, nil
}

// Close closes connections that are idle.
func (h *webhook) Close() { h.client.CloseIdleConnections() }

// Sign sets the headers of Standard Webhooks for a body with an id. While a secret is rotated there
// are two signatures.
func Sign(to http.Header, secrets []tenants.Secret, id string, at time.Time, body []byte) error {
	if len(secrets) == 0 {
		return errors.New("there is no signing secret")
	}
	var signatures []string
	for _, secret := range secrets {
		w, err := standardwebhooks.NewWebhook(string(secret))
		if err != nil {
			return errors.New("the signing secret cannot be read")
		}
		signature, err := w.Sign(id, at, body)
		if err != nil {
			return err
		}
		signatures = append(signatures, signature)
	}
	to.Set(standardwebhooks.HeaderWebhookID, id)
	to.Set(standardwebhooks.HeaderWebhookTimestamp, strconv.FormatInt(at.Unix(), 10))
	to.Set(standardwebhooks.HeaderWebhookSignature, strings.Join(signatures, " "))
	return nil
}

// shown are headers as their tenant may read them: without the values that are secret.
func shown(sent http.Header, secret map[string]string) map[string]string {
	out := map[string]string{}
	for name := range sent {
		out[name] = sent.Get(name)
		if _, own := secret[name]; own {
			out[name] = hidden
		}
	}
	return out
}

// readAnswer reads up to drained bytes and keeps the first of them. What an answer says beyond its
// status decides nothing, so one that breaks off or comes slowly is cut where it is.
func readAnswer(body io.Reader) []byte {
	kept, err := io.ReadAll(io.LimitReader(body, keptAnswer))
	if err == nil {
		_, _ = io.CopyN(io.Discard, body, drained-keptAnswer)
	}
	return kept
}

// retryAfter reads the header of RFC 9110, 10.2.3: seconds, or a date.
func retryAfter(text string, now time.Time) time.Duration {
	if n, err := strconv.Atoi(strings.TrimSpace(text)); err == nil && n > 0 {
		return time.Duration(min(n, int(longestPause/time.Second))) * time.Second
	}
	if at, err := http.ParseTime(text); err == nil && at.After(now) {
		return min(at.Sub(now), longestPause)
	}
	return 0
}

// longestPause bounds what a receiver's Retry-After asks for, and our own pauses.
const longestPause = 12 * time.Hour
