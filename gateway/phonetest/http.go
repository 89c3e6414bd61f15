package phonetest

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
)

// Leg calls the API for one ring, as a phone or as an agent: answer, trickle and hang up.
type Leg struct {
	URL        string // of the server, without a trailing slash
	Ring       string
	Credential string // of the device, or an agent's join token
	Agent      bool   // it is an agent's connection, which has one address
	Client     *http.Client

	mu   sync.Mutex // guards etag
	etag string
}

// StatusError is an answer with an unexpected status.
type StatusError struct {
	Status int
	Body   string // at most the first 4 KiB
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("phonetest: status %d: %s", e.Status, e.Body)
}

// Answer sends an offer and returns the answer. It is an Answerer.
func (l *Leg) Answer(ctx context.Context, offer string) (string, error) {
	q := request{method: http.MethodPost, path: "answer", kind: "application/sdp", body: offer}
	answer, etag, err := l.sendRequest(ctx, q, http.StatusCreated)
	if err == nil {
		l.mu.Lock()
		l.etag = etag
		l.mu.Unlock()
	}
	return answer, err
}

// Trickle sends more candidates of the present ICE session.
func (l *Leg) Trickle(ctx context.Context, fragment string) error {
	l.mu.Lock()
	etag := l.etag
	l.mu.Unlock()
	q := request{method: http.MethodPatch, path: "leg", kind: fragmentType, match: etag, body: fragment}
	_, _, err := l.sendRequest(ctx, q, http.StatusNoContent)
	return err
}

// Restart sends a new ICE session and returns the one that answers it. It is a Restarter.
func (l *Leg) Restart(ctx context.Context, fragment string) (string, error) {
	q := request{method: http.MethodPatch, path: "leg", kind: fragmentType, match: "*", body: fragment}
	answer, etag, err := l.sendRequest(ctx, q, http.StatusOK)
	if err == nil {
		l.mu.Lock()
		l.etag = etag
		l.mu.Unlock()
	}
	return answer, err
}

// HangUp deletes the leg.
func (l *Leg) HangUp(ctx context.Context) error {
	_, _, err := l.sendRequest(ctx, request{method: http.MethodDelete, path: "leg"}, http.StatusOK, http.StatusNoContent)
	return err
}

// fragmentType is the media type of trickle and ICE restart (RFC 8840).
const fragmentType = "application/trickle-ice-sdpfrag"

// request is one HTTP request: kind is the Content-Type, match the If-Match header.
type request struct{ method, path, kind, match, body string }

func (l *Leg) sendRequest(ctx context.Context, q request, want ...int) (text, etag string, err error) {
	url := l.URL + "/v1/phone/rings/" + l.Ring + "/" + q.path
	if l.Agent {
		url = l.URL + "/v1/rings/" + l.Ring + "/agent"
	}
	r, err := http.NewRequestWithContext(ctx, q.method, url, strings.NewReader(q.body))
	if err != nil {
		return "", "", fmt.Errorf("phonetest: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+l.Credential)
	if q.kind != "" {
		r.Header.Set("Content-Type", q.kind)
	}
	if q.match != "" {
		r.Header.Set("If-Match", q.match)
	}
	client := l.Client
	if client == nil {
		client = http.DefaultClient
	}
	resp, err := client.Do(r)
	if err != nil {
		return "", "", fmt.Errorf("phonetest: %w", err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return "", "", fmt.Errorf("phonetest: %w", err)
	}
	if !slices.Contains(want, resp.StatusCode) {
		return "", "", &StatusError{Status: resp.StatusCode, Body: string(b[:min(len(b), 4096)])}
	}
	return string(b), resp.Header.Get("ETag"), nil
}
