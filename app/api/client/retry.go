package client

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"
)

const (
	firstPause    = 250 * time.Millisecond
	longestPause  = 8 * time.Second
	longestWaited = time.Minute // a Retry-After above it is the caller's to wait for
)

// sender sends a request, and sends it again where that can do no harm: see again.
type sender struct {
	http    HttpRequestDoer
	retries int
	pause   func(context.Context, time.Duration) error
	silence time.Duration // after which a stream of events is cut
}

// Do sends q up to 1 + retries times with the same body and headers. It gives the last answer.
func (s *sender) Do(q *http.Request) (*http.Response, error) {
	lost := false // an earlier attempt may have been carried out
	for attempt := 0; ; attempt++ {
		if attempt > 0 && q.GetBody != nil {
			body, err := q.GetBody()
			if err != nil {
				return nil, err
			}
			q.Body = body
		}
		a, err := s.http.Do(q)
		if q.Context().Err() != nil && err != nil {
			return nil, q.Context().Err()
		}
		wait, retry := again(q, a, err)
		once := q.Body != nil && q.Body != http.NoBody && q.GetBody == nil // a body that can be read once only
		if !retry || once || attempt >= s.retries {
			return answer(q, a, err, lost)
		}
		if err == nil {
			_, _ = io.CopyN(io.Discard, a.Body, 64<<10) // so that the connection can be used again
			a.Body.Close()
		}
		lost = lost || err != nil && !neverSent(err) || err == nil && a.StatusCode >= 500
		if wait == 0 {
			wait = min(longestPause, firstPause<<attempt)
			wait = wait/2 + rand.N(wait/2)
		}
		if err := s.pause(q.Context(), wait); err != nil {
			return nil, err
		}
	}
}

// answer is what the caller of Do gets.
func answer(q *http.Request, a *http.Response, err error, lost bool) (*http.Response, error) {
	switch {
	case err != nil && neverSent(err):
		return nil, fmt.Errorf("no server answers at %s://%s; check the address: %w", q.URL.Scheme, q.URL.Host, err)
	case err != nil:
		return nil, err
	case lost && q.Method == http.MethodDelete && a.StatusCode == http.StatusNotFound:
		// The attempt whose answer was lost has removed it.
		a.Body.Close()
		a.StatusCode, a.Status, a.Body = http.StatusNoContent, "204 No Content", http.NoBody
	}
	return a, nil
}

// again reports whether q may be sent again, and after how long; 0 leaves the time to the caller. A
// request that never left, or that was answered 429, was not begun. After a lost answer or a 5xx
// only what is safe to repeat is sent again.
func again(q *http.Request, a *http.Response, err error) (wait time.Duration, ok bool) {
	switch {
	case err != nil:
		var untrusted *tls.CertificateVerificationError
		return 0, !errors.As(err, &untrusted) && (neverSent(err) || repeatable(q))
	case a.StatusCode == http.StatusTooManyRequests:
		wait = retryAfter(a)
		return wait, wait <= longestWaited
	case a.StatusCode == http.StatusServiceUnavailable, a.StatusCode == http.StatusBadGateway, a.StatusCode == http.StatusGatewayTimeout:
		wait = retryAfter(a)
		return wait, wait <= longestWaited && repeatable(q)
	case a.StatusCode == http.StatusConflict && q.Header.Get("Idempotency-Key") != "":
		return 0, true // the first attempt is under way
	}
	return 0, false
}

func retryAfter(a *http.Response) time.Duration {
	seconds, err := strconv.Atoi(a.Header.Get("Retry-After"))
	if err != nil || seconds < 0 {
		return 0
	}
	return time.Duration(min(seconds, 1<<20)) * time.Second
}

// neverSent reports whether no server got any part of the request.
func neverSent(err error) bool {
	var op *net.OpError
	return errors.As(err, &op) && op.Op == "dial"
}

// repeatable reports whether doing q twice is the same as doing it once. PATCH sets fields and is,
// except of ICE candidates; a POST is if it has an Idempotency-Key or is one of these.
func repeatable(q *http.Request) bool {
	switch q.Method {
	case http.MethodGet, http.MethodHead, http.MethodPut, http.MethodDelete:
		return true
	case http.MethodPatch:
		return q.Header.Get("If-Match") == ""
	case http.MethodPost:
		if q.Header.Get("Idempotency-Key") != "" {
			return true
		}
		for _, end := range []string{"/cancel", "/notes", "/facts"} {
			if strings.HasSuffix(q.URL.Path, end) {
				return true
			}
		}
	}
	return false
}

// pause waits for d or until ctx is done.
func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
