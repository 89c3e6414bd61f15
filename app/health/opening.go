package health

import (
	"context"
	"errors"
	"sync"
	"time"

	"carillon/tenants"
)

// Opening a file with a password can cost a processor seconds: its maker chooses how often the
// password is hashed, within the bound of package push.
const (
	openedAtOnce = 2
	// longestOpening is how long an upload waits for its turn. A longer queue would only answer
	// people who have left.
	longestOpening = 2 * time.Second
	codeOpening    = "opening_files"
)

// opening bounds how many costly files this process opens at once: openedAtOnce, and one of a
// tenant, so that one tenant's files leave a turn to the others. Use newOpening.
type opening struct {
	turns   chan struct{}
	mu      sync.Mutex // guards tenants
	tenants map[tenants.TenantID]bool
}

func newOpening() *opening {
	return &opening{turns: make(chan struct{}, openedAtOnce), tenants: map[tenants.TenantID]bool{}}
}

// enter takes a turn. It refuses with TooMany while another file of the tenant is being opened or
// waits, and with Unavailable when no turn comes in longestOpening. The caller must call leave.
func (o *opening) enter(ctx context.Context, t tenants.TenantID) (leave func(), err error) {
	if !o.claim(t) {
		return nil, &tenants.Error{Kind: tenants.TooMany, Code: codeOpening, RetryAfter: longestOpening,
			Msg: "Another certificate of your organisation is being opened. Try again in a moment."}
	}
	limit, cancel := context.WithTimeout(ctx, longestOpening)
	defer cancel()
	select {
	case o.turns <- struct{}{}:
		return func() { <-o.turns; o.release(t) }, nil
	case <-limit.Done():
		o.release(t)
		return nil, &tenants.Error{Kind: tenants.Unavailable, Code: codeOpening, RetryAfter: longestOpening,
			Msg: "This server opens as many certificates as it can at this moment. Your file was not opened. Try again in a few seconds."}
	}
}

// isBusy reports whether err is a refusal of enter.
func isBusy(err error) bool {
	var e *tenants.Error
	return errors.As(err, &e) && e.Code == codeOpening
}

func (o *opening) claim(t tenants.TenantID) bool {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.tenants[t] {
		return false
	}
	o.tenants[t] = true
	return true
}

func (o *opening) release(t tenants.TenantID) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.tenants, t)
}
