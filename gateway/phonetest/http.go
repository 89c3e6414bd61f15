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

// Leg speaks the phone's rows of the API for one ring: answer, trickle and ICE
// restart, hang up.
type Leg struct {
	URL        string // of the server, without a trailing slash
	Ring       string
	Credential string // of the device
	Client     *http.Client

	mu   sync.Mutex // guards etag
	etag string
}

// StatusError is an answer other than the one hoped for.
type StatusError struct {
	Status int
	Body   string // at most the first 4 KiB
}

func (e *StatusError) Error() string {
	return fmt.Sprintf("phonetest: status %d: %s", e.Status, e.Body)
}

// Answer is an Answerer.
func (l *Leg) Answer(ctx context.Context, offer string) (string, error) {
	answer, etag, err := l.send(ctx, http.MethodPost, "answer", "application/sdp", "", offer, http.StatusCreated)
	if err == nil {
		l.mu.Lock()
		l.etag = etag
		l.mu.Unlock()
	}
	return answer, err
}

// Restart is a Restarter.
func (l *Leg) Restart(ctx context.Context, fragment string) (string, error) {
	answer, etag, err := l.send(ctx, http.MethodPatch, "leg", "application/trickle-ice-sdpfrag", "*", fragment, http.StatusOK)
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
	_, _, err := l.send(ctx, http.MethodPatch, "leg", "application/trickle-ice-sdpfrag", etag, fragment, http.StatusNoContent)
	return err
}

// HangUp deletes the leg.
func (l *Leg) HangUp(ctx context.Context) error {
	_, _, err := l.send(ctx, http.MethodDelete, "leg", "", "", "", http.StatusOK, http.StatusNoContent)
	return err
}

func (l *Leg) send(ctx context.Context, method, path, kind, match, body string, want ...int) (text, etag string, err error) {
	url := l.URL + "/v1/phone/rings/" + l.Ring + "/" + path
	r, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return "", "", fmt.Errorf("phonetest: %w", err)
	}
	r.Header.Set("Authorization", "Bearer "+l.Credential)
	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}
	if match != "" {
		r.Header.Set("If-Match", match)
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
