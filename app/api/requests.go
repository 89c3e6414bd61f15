package api

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"

	"carillon/app/web"
	"carillon/tenants"
)

// requestLog keeps the latest requests of keys in memory until SaveRequests stores them, so that no
// request waits for its own record. A key has room for as many as are shown of it, where the
// latest replace the oldest; beyond keysNoted keys at once the requests of further keys are not
// recorded. It holds at most 20 MB.
type requestLog struct {
	mu   sync.Mutex // guards keys
	keys map[tenants.KeyID]*latest
}

// latest are the latest requests of a key, in a ring buffer.
type latest struct {
	rows []tenants.KeyRequest
	next int // where the next one goes once rows is full
}

// keysNoted bounds the keys of the log between two savings.
const keysNoted = 500

func (l *requestLog) add(r tenants.KeyRequest) {
	l.mu.Lock()
	defer l.mu.Unlock()
	of := l.keys[r.Key]
	switch {
	case of == nil && len(l.keys) >= keysNoted:
		return
	case of == nil:
		of = &latest{}
		if l.keys == nil {
			l.keys = map[tenants.KeyID]*latest{}
		}
		l.keys[r.Key] = of
	}
	if len(of.rows) < tenants.KeyRequestsKept {
		of.rows = append(of.rows, r)
		return
	}
	of.rows[of.next] = r
	of.next = (of.next + 1) % len(of.rows)
}

// take empties the log. The requests of a key are in the order of their times.
func (l *requestLog) take() []tenants.KeyRequest {
	l.mu.Lock()
	all := l.keys
	l.keys = nil
	l.mu.Unlock()
	var out []tenants.KeyRequest
	for _, id := range slices.Sorted(maps.Keys(all)) {
		of := all[id]
		out = append(append(out, of.rows[of.next:]...), of.rows[:of.next]...)
	}
	return out
}

// SaveRequests stores what the keys asked since the last time. What cannot be stored is lost: the
// requests themselves were answered.
func (a *API) SaveRequests(ctx context.Context) error {
	return a.Store.Jobs().KeepKeyRequests(ctx, a.requests.take())
}

// clientMost is how much of a User-Agent is kept.
const clientMost = 120

// note records a request of a key, with the answer that it gets.
func (a *API) note(c *fiber.Ctx, key tenants.Key, method, route string, began time.Time, err error) {
	status, _ := web.Status(c, err)
	client := web.Header(c, fiber.HeaderUserAgent)
	for len(client) > clientMost || !utf8.ValidString(client) {
		client = strings.ToValidUTF8(client[:min(len(client), clientMost)], "")
	}
	a.requests.add(tenants.KeyRequest{
		Tenant: key.Tenant, Key: key.ID, At: began, RequestID: web.RequestID(c), Method: method, Route: route, Status: status,
		IP: web.IP(c), Client: client, Took: a.Now().Sub(began),
	})
}
