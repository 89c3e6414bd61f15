package connections

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"time"

	"carillon/app/outbound"
	"carillon/tenants"
	"carillon/tenants/store"
)

const (
	// lookupsTenant and lookupsAll bound the look-ups under way of one tenant and of all.
	lookupsTenant, lookupsAll = 8, 128
	// maxLookup bounds an answer, in bytes.
	maxLookup = 4 << 10
	// lookupsFresh is how long it is remembered who has a look-up.
	lookupsFresh = 5 * time.Second
)

// Lookups asks tenants' systems before their rings.
type Lookups struct {
	store  *store.Store
	hook   *webhook
	within time.Duration
	now    func() time.Time

	// askers reads which connection each tenant's rings ask.
	askers func(context.Context) (map[tenants.TenantID]tenants.ConnectionID, error)

	mu      sync.Mutex                                // guards the rest; never held while the store is read
	known   map[tenants.TenantID]tenants.ConnectionID // replaced, never changed
	until   time.Time                                 // until then known is fresh; zero = nothing was read
	reading bool                                      // a caller refreshes known
	busy    map[tenants.TenantID]int
	all     int
}

// NewLookups asks through d. Roles has the webhook that signs.
func NewLookups(d *outbound.Dialer, s *store.Store, roles Roles, now func() time.Time) *Lookups {
	signer := roles[tenants.RoleWebhook].(*webhook)
	return &Lookups{store: s, hook: &webhook{client: d.Client(tenants.LookupWithin), now: signer.now}, within: tenants.LookupWithin,
		now: now, askers: s.Jobs().Askers, busy: map[tenants.TenantID]int{}}
}

// Close lets go of idle connections.
func (l *Lookups) Close() error {
	l.hook.client.CloseIdleConnections()
	return nil
}

// Asks reports whether the tenant has a system to ask. A change is seen within lookupsFresh. While
// the database does not answer, what was known before holds.
func (l *Lookups) Asks(ctx context.Context, t tenants.TenantID) bool {
	_, ok := l.of(ctx, t)
	return ok
}

// of finds the connection to ask. One caller at a time refreshes what is known; the others use what
// was known before, so no ring waits for another's query. Before the first refresh there is nothing
// to use, and each caller reads for itself.
func (l *Lookups) of(ctx context.Context, t tenants.TenantID) (tenants.ConnectionID, bool) {
	l.mu.Lock()
	known, first := l.known, l.until.IsZero()
	mine := first || !l.reading && l.now().After(l.until)
	l.reading = l.reading || mine
	l.mu.Unlock()
	if mine {
		known = l.refresh(ctx, known)
	}
	id, ok := known[t]
	return id, ok
}

// refresh reads who has a look-up. If that fails, what was known before holds.
func (l *Lookups) refresh(ctx context.Context,
	before map[tenants.TenantID]tenants.ConnectionID) map[tenants.TenantID]tenants.ConnectionID {
	ctx, cancel := context.WithTimeout(ctx, l.within)
	defer cancel()
	known, err := l.askers(ctx)
	if err != nil {
		known = before
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.known, l.until, l.reading = known, l.now().Add(lookupsFresh), false
	return known
}

// Ask asks the tenant's system about a ring that will be placed. It takes tenants.LookupWithin at
// most and never fails: what did not work is in the note, for the timeline of the ring.
func (l *Lookups) Ask(ctx context.Context, t tenants.Tenant, q tenants.Request) tenants.LookedUp {
	id, ok := l.of(ctx, t.ID)
	if !ok {
		return tenants.LookedUp{}
	}
	if !l.enter(t.ID) {
		return tenants.LookedUp{Note: "The look-up was left out, because too many look-ups of this account are under way. The ring went " +
			"on without it"}
	}
	defer l.leave(t.ID)
	ctx, cancel := context.WithTimeout(ctx, l.within)
	defer cancel()
	found, err := l.ask(ctx, t, id, q)
	if err != nil {
		return tenants.LookedUp{Note: "The look-up brought nothing: " + lookupCause(err) + ". The ring went on without it"}
	}
	return found
}

// errLookup is a fault of an answer; its text is for the tenant.
type errLookup string

func (e errLookup) Error() string { return string(e) }

func lookupCause(err error) string {
	var own errLookup
	switch {
	case errors.As(err, &own):
		return string(own)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Sprintf("the system did not answer within %d ms", tenants.LookupWithin.Milliseconds())
	}
	cause, _, _ := strings.Cut(outbound.Cause(err), ";")
	return cause
}

func (l *Lookups) ask(ctx context.Context, t tenants.Tenant, id tenants.ConnectionID, q tenants.Request) (found tenants.LookedUp,
	err error) {
	c, secrets, err := l.store.For(t.ID).Connections().Open(ctx, id)
	if err != nil {
		return found, err
	}
	if c.State != tenants.ConnectionActive || c.Lookup == nil || !c.Lookup.Ask {
		return found, nil
	}
	question := tenants.LookupQuestion{To: tenants.RingTo{Device: q.To.Device, Person: q.To.Person}, Agent: q.Agent,
		Reference: q.Reference, Caller: tenants.CallerLabel(t, q.Caller)}
	body := tenants.EventBody{Type: tenants.EventRingLookup, Timestamp: l.now(), Data: question}.Write()
	e := Event{ID: tenants.NewRandomID(), Body: body}
	address := c.URL
	if c.Lookup.URL != "" {
		address = c.Lookup.URL
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, address, bytes.NewReader(e.Body))
	if err != nil {
		return found, err
	}
	for name, value := range secrets.Headers {
		req.Header.Set(name, value)
	}
	if err := Sign(req.Header, secrets.Signing, e.ID, l.hook.now(), e.Body); err != nil {
		return found, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", userAgent)
	res, err := l.hook.client.Do(req)
	if err != nil {
		return found, err
	}
	defer res.Body.Close()
	return answered(res)
}

func answered(res *http.Response) (found tenants.LookedUp, err error) {
	if res.StatusCode == http.StatusNoContent {
		return found, nil
	}
	if res.StatusCode != http.StatusOK {
		return found, errLookup(fmt.Sprintf("the system answered with status %d, and it must be 200 or 204", res.StatusCode))
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxLookup+1))
	if err != nil {
		return found, err
	}
	if len(body) > maxLookup {
		return found, errLookup("the system's answer is longer than 4 KiB")
	}
	if found, err = tenants.ParseLookup(body); err != nil {
		return found, errLookup(err.Error())
	}
	return found, nil
}

// enter takes a place for a look-up, if there is one.
func (l *Lookups) enter(t tenants.TenantID) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.busy[t] >= lookupsTenant || l.all >= lookupsAll {
		return false
	}
	l.busy[t]++
	l.all++
	return true
}

func (l *Lookups) leave(t tenants.TenantID) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all--
	if l.busy[t]--; l.busy[t] == 0 {
		delete(l.busy, t)
	}
}
